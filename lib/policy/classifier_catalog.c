/* Names of the text, looked up in the database's catalog and among the functions that the configuration names.
   Nothing here is reached without one of them. A name is folded as the server does it; where that can't be known, and
   for names that the server would cut, the answer is the strictest. */
#include "policy/classifier_sql.h"

enum {
    NAME_MAX_LENGTH = 63,
    SHORT_LENGTH = 15, /* in no encoding more than NAME_MAX_LENGTH bytes */
};

/* The name as the catalog has it; -1: it can't be told. */
static int name_of(const struct pqr__sql *scan, const struct pqr__token *token, char out[NAME_MAX_LENGTH])
{
    bool quoted = token->kind == PQR__TOKEN_QUOTED;
    const char *end = token->at + token->length - (quoted ? 1 : 0);
    bool folds = scan->catalog != NULL && scan->catalog->folds, is_long = token->length - 2 > SHORT_LENGTH;
    int length = 0;
    for (const char *at = token->at + (quoted ? 1 : 0); at < end; at++) {
        char byte = *at;
        if (length == NAME_MAX_LENGTH || ((unsigned char)byte >= 0x80 && folds && (!quoted || is_long)))
            return -1;
        if (quoted && byte == '"') /* two stand for one */
            at++;
        else if (!quoted && byte >= 'A' && byte <= 'Z')
            byte = (char)(byte + 32);
        out[length++] = byte;
    }
    return length;
}

static enum pqr__catalog_answer look_up(
    const struct pqr__sql *scan, enum pqr__catalog_kind kind, const struct pqr__token *token)
{
    char name[NAME_MAX_LENGTH];
    int length = name_of(scan, token, name);
    if (length < 0)
        return PQR__CATALOG_HARMFUL;
    return pqr__catalog_find(scan->catalog, kind, name, (size_t)length);
}

static bool is_name(const struct pqr__token *token)
{
    return token->kind == PQR__TOKEN_WORD || token->kind == PQR__TOKEN_QUOTED;
}

enum pqr__catalog_answer pqr__sql_known(
    const struct pqr__sql *scan, enum pqr__catalog_kind kind, const struct pqr__seen *seen)
{
    if (scan->catalog == NULL || scan->catalog->count == 0)
        return PQR__CATALOG_ABSENT;
    if (kind == PQR__CATALOG_OPERATOR)
        return pqr__catalog_find(scan->catalog, kind, seen->token.at, seen->token.length);
    return is_name(&seen->token) ? look_up(scan, kind, &seen->token) : PQR__CATALOG_ABSENT;
}

/* A plain name that falls through the sieve is not harmful, of whatever kind. */
static bool falls_through(const struct pqr__sql *scan, const struct pqr__token *token)
{
    if (token->kind != PQR__TOKEN_WORD || token->length > NAME_MAX_LENGTH || scan->folds)
        return false;
    struct pqr__key key = pqr__key_of(token->at, token->length);
    return !pqr__sieve_holds(&scan->sieve, pqr__key_hash(&key));
}

bool pqr__sql_suspect(struct pqr__sql *scan, enum pqr__catalog_kind kind, const struct pqr__seen *seen)
{
    static const uint8_t reasons[] = {
        [PQR__CATALOG_FUNCTION] = PQR__REASON_FUNCTION + PQR__FUNCTION_WRITE,
        [PQR__CATALOG_OPERATOR] = PQR__REASON_OPERATOR_VOLATILE,
        [PQR__CATALOG_TYPE] = PQR__REASON_TYPE_VOLATILE,
        [PQR__CATALOG_RELATION] = PQR__REASON_RELATION,
    };
    if (scan->catalog == NULL || scan->catalog->harmful[kind] == 0)
        return false;
    if (kind != PQR__CATALOG_OPERATOR && falls_through(scan, &seen->token))
        return false;
    if (pqr__sql_known(scan, kind, seen) != PQR__CATALOG_HARMFUL)
        return false;
    pqr__sql_doubt(scan, reasons[kind], seen);
    return true;
}

bool pqr__sql_counts(const struct pqr__sql *scan, const struct pqr__seen *name)
{
    char text[NAME_MAX_LENGTH];
    if (scan->catalog == NULL || scan->catalog->harmful[PQR__CATALOG_CALL] == 0 || scan->named != NULL ||
        pqr__seen_is_type(name) || !is_name(&name->token) || falls_through(scan, &name->token))
        return false;
    int length = name_of(scan, &name->token, text);
    return length >= 0 && pqr__catalog_counts(scan->catalog, text, (size_t)length);
}

enum pqr__catalog_answer pqr__sql_known_call(
    const struct pqr__sql *scan, const struct pqr__seen *name, unsigned n_args)
{
    char text[NAME_MAX_LENGTH];
    int length = name_of(scan, &name->token, text);
    if (length < 0)
        return PQR__CATALOG_HARMFUL;
    return pqr__catalog_find_call(scan->catalog, text, (size_t)length, n_args);
}

enum pqr__catalog_answer pqr__sql_configured(
    const struct pqr__sql *scan, const struct pqr__seen *schema, const struct pqr__seen *name)
{
    char schema_name[NAME_MAX_LENGTH], function[NAME_MAX_LENGTH];
    if (!is_name(&name->token) || (schema != NULL && !is_name(&schema->token)))
        return PQR__CATALOG_ABSENT;
    int length = name_of(scan, &name->token, function);
    int schema_length = schema == NULL ? 0 : name_of(scan, &schema->token, schema_name);
    if (length < 0 || schema_length < 0)
        return PQR__CATALOG_HARMFUL;
    if (schema == NULL)
        return pqr__named_find_bare(scan->named, function, (size_t)length);
    return pqr__named_find(scan->named, schema_name, (size_t)schema_length, function, (size_t)length);
}
