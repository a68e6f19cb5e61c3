/* COPY: what it reads or writes, and whether that is the client. */
#include "policy/classifier_sql.h"

/* After FROM or TO: the client, a file of the server, a program. */
static void copy_target(struct pqr__sql *scan)
{
    const struct pqr__seen *direction = pqr__sql_seen(scan, 1), *target = pqr__sql_seen(scan, 0);
    bool client = target->keyword == PQR__KW_STDIN || target->keyword == PQR__KW_STDOUT;
    if (direction->keyword == PQR__KW_FROM || !client)
        pqr__sql_raise(scan, PQR_CLASS_PRIMARY, PQR__EFFECT_COPY, PQR__REASON_STATEMENT, direction);
    if (client)
        return;
    /* What a program or a file got stays. */
    bool rolls_back = direction->keyword == PQR__KW_FROM && target->token.kind == PQR__TOKEN_STRING;
    scan->finding.effect = rolls_back ? PQR__EFFECT_WRITE : PQR__EFFECT_PARTIAL;
}

/* A table's name and columns, or a query. */
static void copy_source(struct pqr__sql *scan, bool query)
{
    const struct pqr__seen *seen = pqr__sql_seen(scan, 0);
    if (query) {
        pqr__sql_query(scan);
        return;
    }
    if ((seen->flags & PQR__WORD_SERVER) != 0)
        pqr__sql_doubt(scan, PQR__REASON_VIEW, seen);
    (void)pqr__sql_suspect(scan, PQR__CATALOG_RELATION, seen);
    pqr__sql_outside(scan);
}

void pqr__sql_read_copy(struct pqr__sql *scan)
{
    bool directed = false;
    pqr__sql_next(scan);
    bool query = pqr__sql_kind(scan) == PQR__TOKEN_OPEN;
    if (query)
        pqr__sql_forget(scan);
    for (; !pqr__sql_is_over(scan) && !directed; pqr__sql_next(scan)) {
        const struct pqr__seen *before = pqr__sql_seen(scan, 1);
        directed = scan->depth == 0 && (before->keyword == PQR__KW_FROM || before->keyword == PQR__KW_TO);
        if (directed)
            copy_target(scan);
        else
            copy_source(scan, query);
    }
    if (!directed || (query && !scan->begun && !scan->modifies))
        pqr__sql_doubt(scan, PQR__REASON_NOT_RECOGNISED, pqr__sql_seen(scan, 0));
    pqr__sql_read_utility(scan);
}
