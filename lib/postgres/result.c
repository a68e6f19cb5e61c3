/* Reading errors out of a PGresult. Any field may be missing: libpq's own errors have no SQLSTATE. */
#include <string.h>

#include "base/text.h"
#include "postgres/conn.h"

bool pqr__result_is_error(const PGresult *result)
{
    switch (PQresultStatus(result)) {
    case PGRES_BAD_RESPONSE:
    case PGRES_NONFATAL_ERROR:
    case PGRES_FATAL_ERROR:
        return true;
    case PGRES_EMPTY_QUERY:
    case PGRES_COMMAND_OK:
    case PGRES_TUPLES_OK:
    case PGRES_SINGLE_TUPLE:
    case PGRES_COPY_OUT:
    case PGRES_COPY_IN:
    case PGRES_COPY_BOTH:
    case PGRES_PIPELINE_SYNC:
    case PGRES_PIPELINE_ABORTED:
        return false;
    default: /* a newer libpq's */
        return false;
    }
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
