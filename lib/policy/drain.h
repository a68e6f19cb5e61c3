/* How fast a queue drains, and so how long who joins it now will wait. Measured while somebody waits, since only
   then it shows what can be served at most. Pure. */
#ifndef PQR_POLICY_DRAIN_H
#define PQR_POLICY_DRAIN_H

#include <stdint.h>

/* Zeroed it knows nothing. */
struct pqr__drain {
    uint64_t since_us; /* of the window being counted; 0: nobody waits */
    uint32_t taken;    /* in it */
    uint64_t gap_ns;   /* between two that were taken, on average; 0: not known */
};

/* Somebody begins to wait, or the servers are others than before. */
void pqr__drain_begin(struct pqr__drain *drain, uint64_t now_us);
/* So many were taken out while others waited, or were the last. */
void pqr__drain_took(struct pqr__drain *drain, uint32_t n, uint64_t now_us);
/* Nobody waits. */
void pqr__drain_end(struct pqr__drain *drain);
/* How long until so many were taken; 0: not known. */
uint64_t pqr__drain_wait_us(const struct pqr__drain *drain, uint32_t ahead);

#endif
