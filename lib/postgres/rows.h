/* What a PGresult holds, for replies: nobody above needs libpq for it. result may be NULL: no rows. */
#ifndef PQR_POSTGRES_ROWS_H
#define PQR_POSTGRES_ROWS_H

#include <stdint.h>

struct pg_result;

void pqr__rows_free(struct pg_result *result);
int pqr__rows_count(const struct pg_result *result);
int pqr__rows_columns(const struct pg_result *result);
/* The first column of exactly this name, or -1. */
int pqr__rows_column(const struct pg_result *result, const char *name);
/* NULL for SQL NULL and for a row or column that is not there. length may be NULL. */
const char *pqr__rows_value(const struct pg_result *result, int row, int column, int *length);
/* Rows the command touched; -1 when it has no count. */
int64_t pqr__rows_affected(const struct pg_result *result);
/* The command tag, "" when there is none. */
const char *pqr__rows_tag(const struct pg_result *result);

#endif
