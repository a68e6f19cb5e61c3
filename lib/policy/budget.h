/* Who may open a connection: each server's limit, and the limit over all of them. */
#ifndef PQR_POLICY_BUDGET_H
#define PQR_POLICY_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

struct pqr__budget_pool {
    uint32_t total;      /* all that max counts: idle, in use, probe, connecting and closing */
    uint32_t max;        /* of this server */
    uint32_t guaranteed; /* what must stay within its reach: the probe, those for administrators, and one */
};

/* True when pool number `which` may have one more. max_total (0: none) is over all of the n pools: what a pool
   takes beyond its guaranteed part leaves room for the parts of the others that are not open yet. */
bool pqr__budget_allows(const struct pqr__budget_pool *pools, uint32_t n, uint32_t which, uint32_t max_total);

#endif
