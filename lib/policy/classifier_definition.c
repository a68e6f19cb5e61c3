/* CREATE, ALTER, DROP and REFRESH: which of them roll back whole, run a query now, or make something temporary. */
#include "policy/classifier_sql.h"

/* --- A body in SQL (CREATE FUNCTION ... BEGIN ATOMIC ... END): semicolons in it end no statement --- */

enum body { NO_BODY = 0, MAY_HAVE_BODY, IN_BODY };

/* The token after the current one may stand behind a semicolon in a body. Words are labels and columns too (SELECT
   begin atomic, SELECT 1 AS case), so nothing else tells where it ends: what follows would be swallowed with it. */
static bool goes_on(const struct pqr__sql *scan)
{
    struct pqr__lexer ahead = scan->lexer;
    struct pqr__token token;
    pqr__lexer_next(&ahead, &token);
    if (token.kind != PQR__TOKEN_WORD)
        return token.kind == PQR__TOKEN_OPEN || token.kind == PQR__TOKEN_SEMICOLON;
    const struct pqr__word *word = pqr__word_find(token.at, token.length, true);
    switch (word == NULL ? PQR__KW_NONE : (int)word->keyword) {
    case PQR__KW_SELECT:
    case PQR__KW_VALUES:
    case PQR__KW_TABLE:
    case PQR__KW_WITH:
    case PQR__KW_INSERT:
    case PQR__KW_UPDATE:
    case PQR__KW_DELETE:
    case PQR__KW_MERGE:
    case PQR__KW_RETURN:
    case PQR__KW_END:
        return true;
    default:
        return false;
    }
}

static enum body track_body(const struct pqr__sql *scan, enum body body, unsigned nth)
{
    const struct pqr__seen *seen = pqr__sql_seen(scan, 0), *before = pqr__sql_seen(scan, 1);
    if (scan->depth > 0)
        return body;
    if (nth <= 3 && scan->leading == PQR__KW_CREATE && /* CREATE [OR REPLACE], not CREATE VIEW procedure */
        (before->keyword == PQR__KW_CREATE || before->keyword == PQR__KW_REPLACE) &&
        (seen->keyword == PQR__KW_FUNCTION || seen->keyword == PQR__KW_PROCEDURE))
        return MAY_HAVE_BODY;
    if (body == MAY_HAVE_BODY && seen->keyword == PQR__KW_ATOMIC && before->keyword == PQR__KW_BEGIN)
        return IN_BODY;
    if (body == IN_BODY && seen->keyword == PQR__KW_END &&
        (before->token.kind == PQR__TOKEN_SEMICOLON || before->keyword == PQR__KW_ATOMIC))
        return NO_BODY;
    return body;
}

static void definition_word(struct pqr__sql *scan, unsigned nth)
{
    const struct pqr__seen *seen = pqr__sql_seen(scan, 0), *before = pqr__sql_seen(scan, 1);
    switch (seen->keyword) {
    case PQR__KW_CONCURRENTLY:
        pqr__sql_raise(scan, PQR_CLASS_PRIMARY, PQR__EFFECT_PARTIAL, PQR__REASON_STATEMENT, seen);
        break;
    case PQR__KW_DATABASE:
    case PQR__KW_TABLESPACE:
    case PQR__KW_SUBSCRIPTION:
    case PQR__KW_SYSTEM:
        if (nth == 1)
            pqr__sql_raise(scan, PQR_CLASS_PRIMARY, PQR__EFFECT_PARTIAL, PQR__REASON_STATEMENT, seen);
        break;
    case PQR__KW_TEMP:
    case PQR__KW_TEMPORARY: /* CREATE [OR REPLACE] [GLOBAL | LOCAL] TEMP, not CREATE TABLE temp */
        if (scan->leading == PQR__KW_CREATE && nth <= 4 &&
            (before->keyword == PQR__KW_CREATE || before->keyword == PQR__KW_REPLACE ||
                before->keyword == PQR__KW_LOCAL || before->keyword == PQR__KW_GLOBAL))
            pqr__sql_raise(scan, PQR_CLASS_SESSION, PQR__EFFECT_SESSION, PQR__REASON_TEMPORARY, seen);
        break;
    default:
        break;
    }
}

/* CREATE TABLE ... AS and CREATE MATERIALIZED VIEW ... AS run their query now, ALTER TABLE defaults and conversions;
   other definitions keep them. */
void pqr__sql_read_definition(struct pqr__sql *scan)
{
    enum body body = NO_BODY;
    bool runs = scan->leading == PQR__KW_REFRESH, query = false;
    for (unsigned nth = 0; pqr__sql_kind(scan) != PQR__TOKEN_END; pqr__sql_next(scan), nth++) {
        const struct pqr__seen *seen = pqr__sql_seen(scan, 0);
        if (pqr__sql_is_over(scan) && (body != IN_BODY || !goes_on(scan)))
            break;
        definition_word(scan, nth);
        body = track_body(scan, body, nth);
        if (nth > 0 && nth < 5 && (seen->keyword == PQR__KW_TABLE || seen->keyword == PQR__KW_MATERIALIZED))
            runs = scan->leading == PQR__KW_CREATE, query = scan->leading == PQR__KW_ALTER;
        if (runs && pqr__sql_seen(scan, 1)->keyword == PQR__KW_AS)
            query = true;
        if (query && pqr__sql_kind(scan) == PQR__TOKEN_OPEN && pqr__sql_seen(scan, 1)->word != NULL)
            pqr__sql_function(scan, pqr__sql_seen(scan, 1), true);
        pqr__sql_outside(scan);
    }
}
