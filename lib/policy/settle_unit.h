/* What became of a transaction that was sent whole, BEGIN to COMMIT in one flight. A connection that is lost says
   nothing, since COMMIT was on its way; a server's error before COMMIT proves that this did not run. Pure. */
#ifndef PQR_POLICY_SETTLE_UNIT_H
#define PQR_POLICY_SETTLE_UNIT_H

#include "policy/settle.h"

enum pqr__fate {
    PQR__FATE_COMMITTED,
    PQR__FATE_ROLLED_BACK,
    PQR__FATE_NOT_SENT,
    PQR__FATE_UNKNOWN,
};

struct pqr__unit_facts {
    bool lost, sent;             /* as in pqr__facts */
    bool failed;                 /* an error came before COMMIT's answer: */
    const char *sqlstate;        /* its; "" for libpq's own */
    enum pqr__reply_kind commit; /* COMMIT's answer */
    const char *commit_sqlstate; /* its error */
    bool committed;              /* it is ok, and its tag says COMMIT */
};

enum pqr__fate pqr__settle_unit(const struct pqr__unit_facts *facts);

#endif
