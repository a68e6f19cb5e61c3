#include "policy/settle_unit.h"

#include <string.h>

/* The server gave it up before it came to COMMIT. One that shuts down says so in the middle of anything: when the
   connection is lost with it, that proves nothing. */
static bool failed_before_commit(const struct pqr__unit_facts *facts)
{
    bool shutdown = facts->lost && strncmp(facts->sqlstate, "57P", 3) == 0;
    return facts->failed && facts->sqlstate[0] != '\0' && !shutdown;
}

static enum pqr__fate fate_by_commit(const struct pqr__unit_facts *facts)
{
    switch (facts->commit) {
    case PQR__REPLY_OK: /* of an aborted transaction, COMMIT answers ROLLBACK */
        return facts->committed ? PQR__FATE_COMMITTED : PQR__FATE_ROLLED_BACK;
    case PQR__REPLY_ABORTED:
        return PQR__FATE_ROLLED_BACK;
    case PQR__REPLY_ERROR: /* libpq's own error says nothing of what the server did */
        return facts->commit_sqlstate[0] != '\0' ? PQR__FATE_ROLLED_BACK : PQR__FATE_UNKNOWN;
    case PQR__REPLY_NONE:
        break;
    }
    return PQR__FATE_UNKNOWN;
}

enum pqr__fate pqr__settle_unit(const struct pqr__unit_facts *facts)
{
    if (failed_before_commit(facts))
        return PQR__FATE_ROLLED_BACK;
    if (!facts->lost)
        return fate_by_commit(facts);
    return facts->sent ? PQR__FATE_UNKNOWN : PQR__FATE_NOT_SENT;
}
