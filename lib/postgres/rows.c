#include "postgres/rows.h"

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

void pqr__rows_free(PGresult *result)
{
    PQclear(result);
}

int pqr__rows_count(const PGresult *result)
{
    return PQntuples(result);
}

int pqr__rows_columns(const PGresult *result)
{
    return PQnfields(result);
}

/* PQfnumber folds case and knows quotes; here a name is a name. */
int pqr__rows_column(const PGresult *result, const char *name)
{
    int n = PQnfields(result);
    for (int i = 0; i < n; i++)
        if (strcmp(PQfname(result, i), name) == 0)
            return i;
    return -1;
}

const char *pqr__rows_value(const PGresult *result, int row, int column, int *length)
{
    bool there = row >= 0 && row < PQntuples(result) && column >= 0 && column < PQnfields(result) &&
                 !PQgetisnull(result, row, column);
    if (length)
        *length = there ? PQgetlength(result, row, column) : 0;
    return there ? PQgetvalue(result, row, column) : NULL;
}

/* libpq's functions for the command tag take a PGresult that is not const, and do not change it. */
static PGresult *unconst(const PGresult *result)
{
    return (PGresult *)(uintptr_t)result;
}

int64_t pqr__rows_affected(const PGresult *result)
{
    const char *count = result ? PQcmdTuples(unconst(result)) : "";
    return count[0] ? strtoll(count, NULL, 10) : -1;
}

const char *pqr__rows_tag(const PGresult *result)
{
    return result ? PQcmdStatus(unconst(result)) : "";
}
