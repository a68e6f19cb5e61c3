/* A server's latency as it is now: an exponentially weighted moving average, in microseconds. Pure. */
#ifndef PQR_POLICY_EWMA_H
#define PQR_POLICY_EWMA_H

#include <stdint.h>

/* Zeroed it knows nothing. */
struct pqr__ewma {
    uint64_t value_us;
    uint64_t at_us; /* of the last sample */
};

/* One more measurement. */
void pqr__ewma_note(struct pqr__ewma *ewma, uint64_t sample_us, uint64_t now_us);
/* The same n times, at least once. */
void pqr__ewma_note_many(struct pqr__ewma *ewma, uint32_t n, uint64_t sample_us, uint64_t now_us);

/* What to believe now: old evidence fades, so that a server that was slow once, and got nothing since, is tried
   again. 0: nothing is known. */
uint64_t pqr__ewma_read(const struct pqr__ewma *ewma, uint64_t now_us);

#endif
