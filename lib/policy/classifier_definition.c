/* CREATE, ALTER, DROP and REFRESH: which of them roll back whole, run a query now, or make something temporary. */
#include "policy/classifier_sql.h"

/* A body in SQL (CREATE FUNCTION ... BEGIN ATOMIC ... END): its semicolons end no statement. */
static void track_body(const struct pqr__seen *seen, const struct pqr__seen *before, unsigned *body)
{
    if (seen->keyword == PQR__KW_ATOMIC && before->keyword == PQR__KW_BEGIN)
        *body = 1;
    else if (*body > 0 && seen->keyword == PQR__KW_CASE)
        ++*body;
    else if (*body > 0 && seen->keyword == PQR__KW_END)
        --*body;
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

/* CREATE TABLE ... AS and CREATE MATERIALIZED VIEW ... AS run their query now; other definitions keep it. */
void pqr__sql_read_definition(struct pqr__sql *scan)
{
    unsigned body = 0;
    bool runs = scan->leading == PQR__KW_REFRESH, query = false;
    for (unsigned nth = 0; pqr__sql_kind(scan) != PQR__TOKEN_END; pqr__sql_next(scan), nth++) {
        const struct pqr__seen *seen = pqr__sql_seen(scan, 0);
        if (pqr__sql_kind(scan) == PQR__TOKEN_SEMICOLON && scan->depth == 0 && body == 0)
            break;
        definition_word(scan, nth);
        track_body(seen, pqr__sql_seen(scan, 1), &body);
        if (nth > 0 && nth < 5 && (seen->keyword == PQR__KW_TABLE || seen->keyword == PQR__KW_MATERIALIZED))
            runs = scan->leading == PQR__KW_CREATE;
        if (runs && pqr__sql_seen(scan, 1)->keyword == PQR__KW_AS)
            query = true;
        if (query && pqr__sql_kind(scan) == PQR__TOKEN_OPEN && pqr__sql_seen(scan, 1)->word != NULL)
            pqr__sql_function(scan, pqr__sql_seen(scan, 1), true);
        pqr__sql_outside(scan);
    }
}
