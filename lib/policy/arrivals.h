/* How fast requests come, told within a few of them: a pool that has to grow can't wait for a smoothed rate to follow.
 * Looks back over the last few moments at which any came, and over more of them, and believes the highest rate that
 * chance does not explain, or not easily. What comes at one moment is one sign of more to come, however many: a burst
 * is no rate. Pure.
 */
#ifndef PQR_POLICY_ARRIVALS_H
#define PQR_POLICY_ARRIVALS_H

#include <stdint.h>

enum {
    PQR__ARRIVALS_MOMENTS = 128,
    PQR__ARRIVALS_MOMENT_US = 50, /* what comes within it came at one moment */
};

/* Zeroed nothing has come. */
struct pqr__arrivals {
    uint64_t at_us[PQR__ARRIVALS_MOMENTS];  /* of the last moments, in a ring */
    uint64_t before[PQR__ARRIVALS_MOMENTS]; /* how many had come until then */
    uint64_t moments, came;
    uint64_t last_us; /* of the last moment */
};

static inline void pqr__arrivals_note(struct pqr__arrivals *arrivals, uint64_t now_us)
{
    if (arrivals->moments == 0 || now_us - arrivals->last_us >= PQR__ARRIVALS_MOMENT_US) {
        unsigned place = arrivals->moments++ % PQR__ARRIVALS_MOMENTS;
        arrivals->at_us[place] = arrivals->last_us = now_us;
        arrivals->before[place] = arrivals->came;
    }
    arrivals->came++;
}

/* A second, less so many standard errors: with two, what comes is more than that, or it is by chance, which one time in
   forty it is; with little more than half of one, as the highest of several is believed, it is about as likely less as
   more. Moments that lie closer together are spread over least_us, as far as the ring remembers so much. 0: too few
   came to tell. */
double pqr__arrivals_rate(
    const struct pqr__arrivals *arrivals, double errors, uint64_t now_us, uint64_t least_us);

#endif
