/* What a PGresult says of errors, where any field may be missing (libpq's own errors have no SQLSTATE), and of
   sizes. */
#include <string.h>

#include "base/text.h"
#include "postgres/conn.h"

bool pqr__result_is_error(const PGresult *result)
{
    if (!result)
        return false;
    ExecStatusType status = PQresultStatus(result);
    return status == PGRES_FATAL_ERROR || status == PGRES_NONFATAL_ERROR || status == PGRES_BAD_RESPONSE;
}

bool pqr__result_is_fatal(const PGresult *result)
{
    const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
    return severity && (strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0);
}

void pqr__result_sqlstate(char sqlstate[6], const PGresult *result)
{
    const char *field = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    pqr__text_copy(sqlstate, 6, field ? field : "");
}

const char *pqr__result_message(const PGresult *result)
{
    const char *field = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    return field ? field : PQresultErrorMessage(result);
}

uint64_t pqr__result_bytes(const PGresult *result)
{
    enum { ROW = 7, VALUE = 4 }; /* DataRow: kind, length, count; a length each */
    int n_rows = PQntuples(result), n_columns = PQnfields(result);
    uint64_t bytes = (uint64_t)n_rows * (ROW + VALUE * (uint64_t)n_columns);
    for (int row = 0; row < n_rows; row++)
        for (int column = 0; column < n_columns; column++)
            bytes += (uint64_t)PQgetlength(result, row, column);
    return bytes;
}

bool pqr__result_is_bulky(const PGresult *result, size_t memory)
{
    enum { BULKY = 16 * 1024 * 1024, ROW = 1024 * 1024 };
    return memory > BULKY && memory / ROW > (size_t)PQntuples(result);
}
