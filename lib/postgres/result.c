/* Reading errors out of a PGresult. Any field may be missing: libpq's own errors have no SQLSTATE. */
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
