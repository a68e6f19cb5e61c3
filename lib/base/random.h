/* A small seeded generator (xoshiro256**, by Blackman and Vigna, public domain algorithm): each router has its
   own, so that a simulation is the same for the same seed. Not for secrets. */
#ifndef PQR_BASE_RANDOM_H
#define PQR_BASE_RANDOM_H

#include <stdint.h>

struct pqr__random {
    uint64_t state[4];
};

void pqr__random_seed(struct pqr__random *random, uint64_t seed);
uint64_t pqr__random_next(struct pqr__random *random);
/* Uniform in [0, bound); bound 0 gives 0. */
uint64_t pqr__random_below(struct pqr__random *random, uint64_t bound);
/* value, give or take up to percent of it, evenly. */
uint64_t pqr__random_jitter(struct pqr__random *random, uint64_t value, unsigned percent);

#endif
