/* Rules for the tokens of SELECT, VALUES, TABLE, WITH and of statements that hold queries. They only ever make
   the finding stricter. What may go wrong is a harmful construct that no rule sees; so names, types and
   operators are harmless only when they are known to be, and key words only where the grammar fixes their
   meaning. */
#include "policy/classifier_sql.h"

#include <string.h>
#include <strings.h>

/* Nearly never. */
static bool may_be_pg(const struct pqr__token *token)
{
    return token->length >= 7 && ((token->at[0] | 0x20) == 'p' || token->at[0] == '"');
}

static bool starts_with(const struct pqr__token *token, const char *prefix)
{
    size_t quote = token->kind == PQR__TOKEN_QUOTED ? 1 : 0, length = strlen(prefix);
    return token->length >= length + quote && strncasecmp(token->at + quote, prefix, length) == 0;
}

/* The current token is the dot after a name. */
void pqr__sql_schema(struct pqr__sql *scan)
{
    const struct pqr__seen *name = pqr__sql_seen(scan, 1);
    if (!may_be_pg(&name->token))
        return;
    if (starts_with(&name->token, "pg_temp") || starts_with(&name->token, "pg_toast_temp"))
        pqr__sql_raise(scan, PQR_CLASS_SESSION, PQR__EFFECT_SESSION, PQR__REASON_TEMPORARY, name);
}

/* known_only: an unknown name may be a column. */
void pqr__sql_function(struct pqr__sql *scan, const struct pqr__seen *name, bool known_only)
{
    unsigned function = name->word == NULL ? PQR__FUNCTION_UNKNOWN : name->word->function;
    (void)pqr__sql_suspect(scan, PQR__CATALOG_FUNCTION, name); /* a user's overload */
    (void)pqr__sql_suspect(scan, PQR__CATALOG_TYPE, name);     /* a cast written as a call */
    if (function == PQR__FUNCTION_UNKNOWN && name->word != NULL && (name->word->flags & PQR__WORD_TYPE) != 0)
        return; /* a conversion written as a call */
    if (function == PQR__FUNCTION_HARMLESS || (function == PQR__FUNCTION_UNKNOWN && known_only))
        return;
    if (function == PQR__FUNCTION_UNKNOWN &&
        pqr__sql_known(scan, PQR__CATALOG_FUNCTION, name) == PQR__CATALOG_HARMLESS)
        return;
    if (function == PQR__FUNCTION_SESSION)
        pqr__sql_raise(scan, PQR_CLASS_SESSION, PQR__EFFECT_SESSION, PQR__REASON_SESSION, name);
    else
        pqr__sql_doubt(scan, PQR__REASON_FUNCTION + function, name);
}

/* --- Names and key words --- */

/* INSERT, UPDATE, DELETE, MERGE: a column when it stands where only an expression or a label can; the words
   named here are reserved, so they are no names themselves. */
static bool is_column(const struct pqr__seen *before)
{
    if (before->token.kind == PQR__TOKEN_COMMA || before->token.kind == PQR__TOKEN_OPERATOR ||
        before->token.kind == PQR__TOKEN_BRACKET)
        return true;
    return before->keyword == PQR__KW_SELECT || before->keyword == PQR__KW_WHERE ||
           before->keyword == PQR__KW_AND || before->keyword == PQR__KW_OR ||
           before->keyword == PQR__KW_NOT || before->keyword == PQR__KW_DISTINCT ||
           before->keyword == PQR__KW_WHEN || before->keyword == PQR__KW_THEN ||
           before->keyword == PQR__KW_ELSE || before->keyword == PQR__KW_CASE;
}

static void modifying_word(
    struct pqr__sql *scan, const struct pqr__seen *seen, const struct pqr__seen *before)
{
    if (seen->keyword == PQR__KW_UPDATE && before->keyword == PQR__KW_FOR) {
        pqr__sql_doubt(scan, PQR__REASON_LOCKING, seen);
    } else if (!is_column(before)) {
        scan->modifies = true;
        pqr__sql_doubt(scan, scan->leading == PQR__KW_WITH ? PQR__REASON_WITH : PQR__REASON_STATEMENT, seen);
    }
}

static void set_clause(struct pqr__sql *scan, enum pqr__clause clause)
{
    pqr__sql_frame(scan)->clause = (uint8_t)clause;
}

static void clause_word(struct pqr__sql *scan, const struct pqr__seen *seen, const struct pqr__seen *before)
{
    switch (seen->keyword) {
    case PQR__KW_WITH: /* not WITH ORDINALITY, WITH TIME ZONE, WITH TIES */
        if (before->token.kind == PQR__TOKEN_END || before->token.kind == PQR__TOKEN_OPEN) {
            scan->begun = true;
            set_clause(scan, PQR__CLAUSE_WITH);
        }
        break;
    case PQR__KW_SELECT:
    case PQR__KW_TABLE:
        scan->begun = true;
        set_clause(scan, PQR__CLAUSE_OTHER);
        break;
    case PQR__KW_VALUES: /* may name a table */
        scan->begun = true;
        if (pqr__sql_frame(scan)->clause != PQR__CLAUSE_FROM || before->token.kind == PQR__TOKEN_OPEN)
            set_clause(scan, PQR__CLAUSE_OTHER);
        break;
    case PQR__KW_FROM: /* not IS [NOT] DISTINCT FROM */
        if (before->keyword != PQR__KW_DISTINCT ||
            (pqr__sql_seen(scan, 2)->keyword != PQR__KW_IS && pqr__sql_seen(scan, 2)->keyword != PQR__KW_NOT))
            set_clause(scan, PQR__CLAUSE_FROM);
        break;
    case PQR__KW_WINDOW:
        set_clause(scan, PQR__CLAUSE_WINDOW);
        break;
    case PQR__KW_BY:
        if (before->keyword == PQR__KW_GROUP)
            set_clause(scan, PQR__CLAUSE_GROUP_BY);
        break;
    default:
        set_clause(scan, PQR__CLAUSE_OTHER);
        break;
    }
}

/* SELECT INTO [LOCAL] TEMP t; INSERT INTO temp is a table of that name. */
static void temporary_word(struct pqr__sql *scan, const struct pqr__seen *seen)
{
    const struct pqr__seen *before = pqr__sql_seen(scan, 1);
    if (before->keyword == PQR__KW_LOCAL || before->keyword == PQR__KW_GLOBAL)
        before = pqr__sql_seen(scan, 2);
    if (before->keyword == PQR__KW_INTO && !scan->modifies)
        pqr__sql_raise(scan, PQR_CLASS_SESSION, PQR__EFFECT_SESSION, PQR__REASON_TEMPORARY, seen);
}

static void key_word(struct pqr__sql *scan, const struct pqr__seen *seen, const struct pqr__seen *before)
{
    switch (seen->keyword) {
    case PQR__KW_INSERT:
    case PQR__KW_UPDATE:
    case PQR__KW_DELETE:
    case PQR__KW_MERGE:
        modifying_word(scan, seen, before);
        break;
    case PQR__KW_NO:
    case PQR__KW_KEY:
    case PQR__KW_SHARE:
        if (before->keyword == PQR__KW_FOR)
            pqr__sql_doubt(scan, PQR__REASON_LOCKING, seen);
        break;
    case PQR__KW_INTO:
        pqr__sql_doubt(scan, PQR__REASON_INTO, seen);
        break;
    case PQR__KW_TEMP:
    case PQR__KW_TEMPORARY:
        temporary_word(scan, seen);
        break;
    case PQR__KW_AS:
        if (pqr__sql_frame(scan)->kind == PQR__FRAME_CAST)
            scan->type = PQR__TYPE_EXPECTED;
        break;
    case PQR__KW_RETURNING: /* of a JSON constructor when nothing is modified */
        if (!scan->modifies)
            scan->type = PQR__TYPE_EXPECTED;
        break;
    case PQR__KW_WITH:
    case PQR__KW_SELECT:
    case PQR__KW_VALUES:
    case PQR__KW_TABLE:
    case PQR__KW_FROM:
    case PQR__KW_WINDOW:
    case PQR__KW_BY:
    case PQR__KW_WHERE:
    case PQR__KW_HAVING:
    case PQR__KW_ORDER:
    case PQR__KW_LIMIT:
    case PQR__KW_OFFSET:
    case PQR__KW_FETCH:
    case PQR__KW_FOR:
    case PQR__KW_UNION:
    case PQR__KW_INTERSECT:
    case PQR__KW_EXCEPT:
        clause_word(scan, seen, before);
        break;
    default:
        break;
    }
}

/* After a dot, and after AS where a label or an alias stands, every word is a name. */
static void take_as_name(struct pqr__sql *scan)
{
    const struct pqr__seen *before = pqr__sql_seen(scan, 1);
    const struct pqr__frame *frame = pqr__sql_frame(scan);
    if (before->token.kind != PQR__TOKEN_DOT &&
        (before->keyword != PQR__KW_AS || frame->clause == PQR__CLAUSE_WITH ||
            frame->kind == PQR__FRAME_CAST))
        return;
    struct pqr__seen *seen = &scan->ring[scan->position & 7];
    seen->keyword = PQR__KW_NONE;
    seen->category = PQR__CATEGORY_NONE;
    seen->ends = true;
}

/* Any name may be a relation's; after a dot it may call a function, as t.f does where t has no column f. */
static void by_catalog(struct pqr__sql *scan, const struct pqr__seen *seen, const struct pqr__seen *before)
{
    if (seen->category != PQR__CATEGORY_RESERVED || before->token.kind == PQR__TOKEN_DOT)
        (void)pqr__sql_suspect(scan, PQR__CATALOG_RELATION, seen);
    if (seen->word == NULL && before->token.kind == PQR__TOKEN_DOT)
        pqr__sql_function(scan, seen, true);
}

static void name(struct pqr__sql *scan)
{
    const struct pqr__seen *seen = pqr__sql_seen(scan, 0), *before = pqr__sql_seen(scan, 1);
    if (seen->token.kind == PQR__TOKEN_UNICODE) { /* could spell anything */
        pqr__sql_doubt(scan, PQR__REASON_NOT_RECOGNISED, seen);
        return;
    }
    if (scan->catalog != NULL)
        by_catalog(scan, seen, before);
    if (seen->word == NULL) {
        if (may_be_pg(&seen->token) &&
            (starts_with(&seen->token, "pg_stat_") || starts_with(&seen->token, "pg_statio_")))
            pqr__sql_doubt(scan, PQR__REASON_VIEW, seen);
        return;
    }
    if ((seen->word->flags & PQR__WORD_SERVER) != 0)
        pqr__sql_doubt(scan, PQR__REASON_VIEW, seen);
    /* select last_value from a_sequence: a standby is ahead there. last_value(x) is a window function. */
    if (seen->word->keyword == PQR__KW_LAST_VALUE && before->keyword != PQR__KW_AS)
        scan->sequence = true;
    if (before->token.kind == PQR__TOKEN_DOT) /* (x).f calls f(x) where x has no column f */
        pqr__sql_function(scan, seen, true);
    else if (seen->keyword > PQR__KW_OTHER)
        key_word(scan, seen, before);
}

/* --- Strings after a name: constants of a type (type 'text') --- */

static bool is_type(const struct pqr__seen *seen)
{
    return seen->word != NULL && (seen->word->flags & PQR__WORD_TYPE) != 0;
}

/* CHARACTER VARYING and its like: the word before VARYING. */
bool pqr__sql_is_varying(const struct pqr__seen *before)
{
    return before->keyword == PQR__KW_CHARACTER || before->keyword == PQR__KW_CHAR ||
           before->keyword == PQR__KW_NCHAR || before->keyword == PQR__KW_BIT;
}

/* Perhaps an operand's end: a key word may be a column's name, but for those that want an operand. */
static bool may_end(const struct pqr__seen *seen)
{
    if (seen->keyword == PQR__KW_BY || seen->keyword == PQR__KW_ZONE || seen->keyword == PQR__KW_ESCAPE ||
        seen->keyword == PQR__KW_BETWEEN || seen->keyword == PQR__KW_PASSING ||
        seen->keyword == PQR__KW_CONTENT || seen->keyword == PQR__KW_DOCUMENT)
        return false;
    return seen->ends || seen->category == PQR__CATEGORY_UNRESERVED ||
           seen->category == PQR__CATEGORY_COLUMN || seen->keyword == PQR__KW_END;
}

static bool is_xml_text(const struct pqr__seen *seen)
{
    return seen->keyword == PQR__KW_XMLPARSE || seen->keyword == PQR__KW_XMLSERIALIZE;
}

/* The token before the current one, an unreserved or function-like key word before a string, is no type's name. */
static bool takes_string(const struct pqr__sql *scan)
{
    const struct pqr__seen *before = pqr__sql_seen(scan, 2);
    switch (pqr__sql_seen(scan, 1)->keyword) {
    case PQR__KW_LIKE:
    case PQR__KW_ILIKE:
        return may_end(before->keyword == PQR__KW_NOT ? pqr__sql_seen(scan, 3) : before);
    case PQR__KW_ESCAPE:
        return may_end(before);
    case PQR__KW_UESCAPE:
        return before->token.kind == PQR__TOKEN_STRING || before->token.kind == PQR__TOKEN_UNICODE;
    case PQR__KW_ZONE:
        return before->keyword == PQR__KW_TIME;
    case PQR__KW_BY:
        return before->keyword == PQR__KW_ORDER || before->keyword == PQR__KW_GROUP ||
               before->keyword == PQR__KW_PARTITION;
    case PQR__KW_CONTENT:
    case PQR__KW_DOCUMENT:
        return before->token.kind == PQR__TOKEN_OPEN && is_xml_text(pqr__sql_seen(scan, 3));
    case PQR__KW_VARYING:
        return pqr__sql_is_varying(before);
    default:
        return false;
    }
}

static void string(struct pqr__sql *scan)
{
    const struct pqr__seen *last = pqr__sql_seen(scan, 1), *before = pqr__sql_seen(scan, 2);
    if (last->token.kind == PQR__TOKEN_CLOSE) {
        if (scan->closed != PQR__FRAME_TYPE && last->ends) /* typename(modifiers) 'text', or no SQL */
            pqr__sql_doubt(scan, PQR__REASON_TYPE, last);
        return;
    }
    if (last->token.kind != PQR__TOKEN_WORD && last->token.kind != PQR__TOKEN_QUOTED)
        return;
    if (last->category != PQR__CATEGORY_RESERVED && last->category != PQR__CATEGORY_COLUMN &&
        (pqr__sql_suspect(scan, PQR__CATALOG_TYPE, last) ||
            pqr__sql_known(scan, PQR__CATALOG_TYPE, last) == PQR__CATALOG_HARMLESS))
        return;
    if (before->token.kind == PQR__TOKEN_DOT) {
        const struct pqr__seen *schema = pqr__sql_seen(scan, 3);
        if (!is_type(last) || schema->word == NULL || schema->word->keyword != PQR__KW_PG_CATALOG ||
            pqr__sql_seen(scan, 4)->token.kind == PQR__TOKEN_DOT)
            pqr__sql_doubt(scan, PQR__REASON_TYPE, last);
        return;
    }
    bool grammar = last->category == PQR__CATEGORY_RESERVED || last->category == PQR__CATEGORY_COLUMN ||
                   takes_string(scan);
    if (!grammar && !is_type(last))
        pqr__sql_doubt(scan, PQR__REASON_TYPE, last);
}

/* --- The rest --- */

static void operator_name(struct pqr__sql *scan)
{
    const struct pqr__seen *seen = pqr__sql_seen(scan, 0);
    if (pqr__sql_suspect(scan, PQR__CATALOG_OPERATOR, seen))
        return;
    if (!pqr__operator_is_builtin(seen->token.at, seen->token.length) &&
        pqr__sql_known(scan, PQR__CATALOG_OPERATOR, seen) != PQR__CATALOG_HARMLESS)
        pqr__sql_doubt(scan, PQR__REASON_OPERATOR, seen);
}

/* Inside of OPERATOR( ): an operator, perhaps with a schema, which must be pg_catalog. Anything else is a call of a
   function that has this name; so is operator(*), unless it stands after an operand. */
static void operator_frame(struct pqr__sql *scan)
{
    const struct pqr__seen *seen = pqr__sql_seen(scan, 0), *last = pqr__sql_seen(scan, 1);
    bool fits = false;
    if (seen->token.kind == PQR__TOKEN_OPERATOR)
        fits = pqr__sql_frame(scan)->item != 0 || seen->token.length > 1 || seen->token.at[0] != '*';
    else if (seen->token.kind == PQR__TOKEN_CLOSE)
        fits = last->token.kind == PQR__TOKEN_OPERATOR;
    else
        fits = seen->token.kind == PQR__TOKEN_DOT ||
               (seen->word != NULL && seen->word->keyword == PQR__KW_PG_CATALOG);
    if (!fits)
        pqr__sql_doubt(scan, PQR__REASON_OPERATOR, seen);
}

/* The token after a name last_value. */
static void check_sequence(struct pqr__sql *scan)
{
    scan->sequence = false;
    if (pqr__sql_seen(scan, 0)->token.kind != PQR__TOKEN_OPEN)
        pqr__sql_doubt(scan, PQR__REASON_SEQUENCE, pqr__sql_seen(scan, 1));
}

void pqr__sql_query(struct pqr__sql *scan)
{
    const struct pqr__seen *seen = pqr__sql_seen(scan, 0);
    if (seen->token.kind == PQR__TOKEN_WORD)
        take_as_name(scan);
    if (scan->sequence)
        check_sequence(scan);
    if ((scan->type != PQR__TYPE_NONE || scan->watched) && pqr__sql_type(scan))
        return;
    if (pqr__sql_frame(scan)->kind == PQR__FRAME_OPERATOR)
        operator_frame(scan);
    switch ((int)seen->token.kind) {
    case PQR__TOKEN_WORD:
    case PQR__TOKEN_QUOTED:
    case PQR__TOKEN_UNICODE:
        name(scan);
        break;
    case PQR__TOKEN_STRING:
        string(scan);
        break;
    case PQR__TOKEN_OPERATOR:
        operator_name(scan);
        break;
    case PQR__TOKEN_CAST:
        scan->type = PQR__TYPE_EXPECTED;
        break;
    case PQR__TOKEN_DOT:
        pqr__sql_schema(scan);
        break;
    case PQR__TOKEN_OPEN:
        pqr__sql_open(scan);
        break;
    case PQR__TOKEN_CLOSE:
        pqr__sql_close(scan);
        break;
    case PQR__TOKEN_SEMICOLON:
    case PQR__TOKEN_ERROR:
        pqr__sql_doubt(scan, PQR__REASON_NOT_RECOGNISED, seen);
        break;
    default:
        break;
    }
}
