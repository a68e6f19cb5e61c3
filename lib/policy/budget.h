/* Who may open a connection: each server's limit, and the limit over all of them, which is shared max-min fair:
   nobody gets more than it asks for, and of what is left after the small demands all others get the same. */
#ifndef PQR_POLICY_BUDGET_H
#define PQR_POLICY_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

struct pqr__budget_pool {
    uint32_t total;      /* all that max counts: idle, in use, probe, connecting and closing */
    uint32_t max;        /* of this server */
    uint32_t guaranteed; /* what must stay within its reach: the probe, those for administrators, and one */
    uint32_t wanted;     /* what it has use for now, of the same that total counts */
    uint32_t idle;       /* of total: could be given up */
};

/* What of max_total is each pool's: max-min fair between what they want, never below the guaranteed part of any
   as long as all of these fit. shares: n of them. */
void pqr__budget_share(
    const struct pqr__budget_pool *pools, uint32_t n, uint32_t max_total, uint32_t *shares);

/* True when pool number `which` may have one more. max_total (0: none) is over all of the n pools: what a pool
   takes beyond its guaranteed part leaves room for the parts of the others that are not open yet, and is within
   its share. */
bool pqr__budget_allows(const struct pqr__budget_pool *pools, uint32_t n, uint32_t which, uint32_t max_total);

/* Pool number `which` wants one more and may not: who is to close an idle connection for it. The pool that is
   furthest above its share; UINT32_MAX: `which` has its share, or nobody above it has one idle. */
uint32_t pqr__budget_donor(
    const struct pqr__budget_pool *pools, uint32_t n, uint32_t which, uint32_t max_total);

#endif
