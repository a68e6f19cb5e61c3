/* How long a statement takes, and whether it fails: what decides whether it may share a connection with others.
   The estimate is that of RFC 6298 (a smoothed mean, and the mean deviation from it), whose sum, mean plus four
   deviations, few executions exceed. Pure. */
#ifndef PQR_POLICY_HISTORY_H
#define PQR_POLICY_HISTORY_H

#include <stdbool.h>
#include <stdint.h>

struct pqr__history {
    uint32_t mean_us_8;      /* eight times the mean */
    uint32_t deviation_us_4; /* four times the mean deviation */
    uint32_t clean;          /* executions since the last error, at most PQR__HISTORY_CLEAN */
    bool known;              /* there is an execution in it */
};

enum {
    PQR__HISTORY_CLEAN = 4, /* executions without an error that make a statement a good neighbour */
    PQR__HISTORY_MAX_US = 60 * 1000000 /* longer ones count as this */
};

/* An execution that came to its end, with rows or a command tag. */
void pqr__history_done(struct pqr__history *history, uint64_t took_us);
/* The same n times, at least once. */
void pqr__history_done_many(struct pqr__history *history, uint32_t n, uint64_t took_us);
/* One that failed; how long it took says nothing. */
void pqr__history_failed(struct pqr__history *history);
/* UINT64_MAX: none is known. */
uint64_t pqr__history_mean_us(const struct pqr__history *history);
/* Few executions take longer; UINT64_MAX: none is known. */
uint64_t pqr__history_bound_us(const struct pqr__history *history);
/* It has not failed lately, and seldom takes longer than limit_us. */
bool pqr__history_is_fast(const struct pqr__history *history, uint64_t limit_us);

#endif
