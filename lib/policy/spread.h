/* After an outage that many clients saw end at the same moment: when each of them connects. Pure. */
#ifndef PQR_POLICY_SPREAD_H
#define PQR_POLICY_SPREAD_H

#include "base/random.h"

/* Microseconds from now, evenly over an eighth of the outage, at most over 2 s: the longer it was, the more clients
   have noticed it, and the less a moment more matters to those who waited. */
uint64_t pqr__spread_us(uint64_t outage_us, struct pqr__random *random);

#endif
