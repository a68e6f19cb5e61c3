/* How long to wait after a failure before the next try. */
#ifndef PQR_POLICY_BACKOFF_H
#define PQR_POLICY_BACKOFF_H

#include <stdint.h>

#include "base/random.h"

/* After this many failures in a row (0 counts as 1): min_us doubled for each failure after the first, never over
   max_us; of that, evenly, between one half and all, so that many who failed together do not return together. */
uint64_t pqr__backoff_us(uint64_t min_us, uint64_t max_us, uint32_t failures, struct pqr__random *random);

#endif
