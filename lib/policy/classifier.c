/* From text to verdict: the hint, one statement after the other, the strictest of them. */
#include "policy/classifier.h"

#include <string.h>

#include "policy/classifier_sql.h"

static unsigned strictness(pqr_class route)
{
    return route == PQR_CLASS_SESSION ? 2 : route == PQR_CLASS_PRIMARY ? 1 : 0;
}

static unsigned severity(enum pqr__effect effect)
{
    static const unsigned char order[] = {
        [PQR__EFFECT_READ] = 0,
        [PQR__EFFECT_WRITE] = 1,
        [PQR__EFFECT_PARTIAL] = 2,
        [PQR__EFFECT_UNKNOWN] = 3,
        [PQR__EFFECT_SESSION] = 4,
        [PQR__EFFECT_COPY] = 5,
        [PQR__EFFECT_TRANSACTION] = 6,
    };
    return order[effect];
}

void pqr__sql_raise(struct pqr__sql *scan, pqr_class route, enum pqr__effect effect, unsigned reason,
    const struct pqr__seen *seen)
{
    struct pqr__finding *finding = &scan->finding;
    if (severity(effect) > severity(finding->effect))
        finding->effect = effect;
    if (scan->explain != NULL)
        pqr__sql_explain_rule(scan, route, reason, seen);
    if (strictness(route) <= strictness(finding->route))
        return;
    finding->route = route;
    finding->reason = (uint16_t)reason;
    finding->at = seen->token.at;
    finding->length = seen->token.length;
}

void pqr__sql_doubt(struct pqr__sql *scan, unsigned reason, const struct pqr__seen *seen)
{
    pqr__sql_raise(scan, PQR_CLASS_PRIMARY,
        reason == PQR__REASON_NOT_RECOGNISED ? PQR__EFFECT_UNKNOWN : PQR__EFFECT_WRITE, reason, seen);
}

/* --- The hint --- */

static const char *skip_space(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || (*p >= '\t' && *p <= '\r')))
        p++;
    return p;
}

static const char *skip_text(const char *p, const char *end, const char *text)
{
    size_t length = strlen(text);
    return p != NULL && (size_t)(end - p) >= length && memcmp(p, text, length) == 0 ? p + length : NULL;
}

static enum pqr__hint hint_of(const struct pqr__token *comment)
{
    if (comment->length < 4 || comment->at[0] != '/')
        return PQR__HINT_NONE;
    const char *end = comment->at + comment->length - 2;
    const char *p = skip_text(skip_space(comment->at + 2, end), end, "pqr:");
    if (p == NULL)
        return PQR__HINT_NONE;
    p = skip_space(p, end);
    const char *primary = skip_text(p, end, "primary"), *replica = skip_text(p, end, "replica");
    if (primary != NULL && skip_space(primary, end) == end)
        return PQR__HINT_PRIMARY;
    if (replica != NULL && skip_space(replica, end) == end)
        return PQR__HINT_REPLICA;
    return PQR__HINT_NONE;
}

/* The first comment that is one, of those before the first token. */
static enum pqr__hint find_hint(const struct pqr__lexer *text)
{
    const char *begin = skip_space(text->at, text->end);
    if (begin == text->end || (*begin != '/' && *begin != '-')) /* mostly */
        return PQR__HINT_NONE;
    struct pqr__lexer lexer = *text;
    struct pqr__token comment;
    enum pqr__hint hint = PQR__HINT_NONE;
    while (hint == PQR__HINT_NONE && pqr__lexer_comment(&lexer, &comment))
        hint = hint_of(&comment);
    return hint;
}

/* --- The verdict --- */

static void refuse(struct pqr__verdict *out, enum pqr__reason reason)
{
    out->route = PQR_CLASS_PRIMARY;
    out->effect = PQR__EFFECT_UNKNOWN;
    out->reason = (uint16_t)reason;
}

static void adopt(struct pqr__verdict *out, const struct pqr__finding *finding, const char *sql)
{
    out->route = finding->route;
    out->reason = finding->reason;
    out->word_offset = finding->at == NULL ? 0 : (uint32_t)(finding->at - sql);
    out->word_length = finding->at == NULL ? 0 : (uint32_t)finding->length;
}

static bool ends_text(const struct pqr__sql *scan)
{
    return pqr__sql_seen(scan, 0)->token.kind == PQR__TOKEN_END;
}

/* A read, as far as its text goes, in a database where operators of its own may stand behind it. */
static bool is_spoiled_read(const struct pqr__sql *scan)
{
    return scan->catalog != NULL && scan->catalog->spoiled && scan->finding.route == PQR_CLASS_REPLICA &&
           scan->leading != PQR__KW_SHOW;
}

static void all_statements(struct pqr__verdict *out, struct pqr__sql *scan, const char *sql)
{
    unsigned count = 0;
    do {
        pqr__sql_next(scan);
        if (ends_text(scan) || pqr__sql_seen(scan, 0)->token.kind == PQR__TOKEN_SEMICOLON)
            continue;
        pqr__sql_statement(scan);
        if (is_spoiled_read(scan))
            pqr__sql_raise(scan, PQR_CLASS_PRIMARY, PQR__EFFECT_WRITE, PQR__REASON_OPERATOR_VOLATILE,
                &(struct pqr__seen){0});
        out->defines |= pqr__sql_defines(scan);
        out->query = (count == 0 || out->query) && pqr__sql_is_query(scan);
        if (count == 0 || strictness(scan->finding.route) > strictness(out->route))
            adopt(out, &scan->finding, sql);
        if (count == 0 || severity(scan->finding.effect) > severity(out->effect))
            out->effect = scan->finding.effect;
        out->several = ++count > 1;
    } while (!ends_text(scan));
    if (count == 0) { /* nothing to gain from a replica */
        out->effect = PQR__EFFECT_READ;
        out->reason = PQR__REASON_EMPTY;
    }
}

static void classify(struct pqr__verdict *out, const char *sql, size_t length,
    const struct pqr__dialect *dialect, const struct pqr__explain *explain)
{
    struct pqr__sql scan;
    *out = (struct pqr__verdict){.route = PQR_CLASS_PRIMARY};
    if (length > UINT32_MAX) {
        refuse(out, PQR__REASON_LONG);
        return;
    }
    pqr__lexer_init(&scan.lexer, sql, length, dialect->standard_conforming_strings);
    out->hint = find_hint(&scan.lexer);
    if (!dialect->ascii_safe) { /* second bytes of characters may look like quotes */
        refuse(out, PQR__REASON_ENCODING);
        return;
    }
    /* libpq sends what stands before a NUL; this is about all of it. */
    if (memchr(sql, '\0', length) != NULL) {
        refuse(out, PQR__REASON_NOT_RECOGNISED);
        return;
    }
    scan.catalog = dialect->catalog;
    scan.named = dialect->named;
    scan.explain = explain;
    scan.sieve = pqr__catalog_sieve(dialect->catalog);
    scan.wary = dialect->catalog != NULL || dialect->named != NULL;
    scan.folds = dialect->catalog != NULL && dialect->catalog->folds;
    scan.trusts_operators = explain == NULL && (dialect->catalog == NULL ||
                                                   dialect->catalog->harmful[PQR__CATALOG_OPERATOR] == 0);
    scan.current = scan.tokens + PQR__HISTORY - 1;
    scan.depth = 0; /* a text may begin with a parenthesis that closes nothing */
    scan.frames[0].kind = PQR__FRAME_GROUP;
    all_statements(out, &scan, sql);
}

void pqr__classify(
    struct pqr__verdict *out, const char *sql, size_t length, const struct pqr__dialect *dialect)
{
    classify(out, length == 0 ? "" : sql, length, dialect, NULL);
}

bool pqr__types_of_users(const Oid *types, size_t n)
{
    enum { FIRST_OF_USERS = 16384 }; /* PostgreSQL manual, 74.2.2 */
    for (size_t i = 0; i < n; i++)
        if (types[i] >= FIRST_OF_USERS)
            return true;
    return false;
}

void pqr__classify_types(
    struct pqr__verdict *out, const Oid *types, size_t n, const struct pqr__dialect *dialect)
{
    const struct pqr__catalog *catalog = dialect->catalog;
    bool known = catalog != NULL && !catalog->stale;
    if (out->route != PQR_CLASS_REPLICA || (known && catalog->harmful[PQR__CATALOG_TYPE] == 0))
        return;
    if (!pqr__types_of_users(types, n))
        return;
    out->route = PQR_CLASS_PRIMARY;
    out->effect = PQR__EFFECT_WRITE;
    out->reason = known ? PQR__REASON_TYPE_VOLATILE : PQR__REASON_TYPE;
    out->word_length = 0;
}

void pqr__classify_explained(struct pqr__verdict *out, const char *sql, size_t length,
    const struct pqr__dialect *dialect, pqr_explain_cb cb, void *data)
{
    const char *text = length == 0 ? "" : sql;
    classify(out, text, length, dialect, &(struct pqr__explain){.cb = cb, .data = data, .sql = text});
}
