/* The snapshot behind pqr_stats: plain values and copied strings in one block of memory, so that it outlives the
   router that filled it. */
#ifndef PQR_OBSERVE_STATS_H
#define PQR_OBSERVE_STATS_H

#include "pqrouter.h"

struct pqr_stats {
    pqr_router_totals totals;
    pqr_pool_stats *pools; /* totals.n_pools of them */
    char *text;            /* what the strings of pools point into */
    size_t text_size, text_used;
};

/* Zeroed, with its strings "". text_bytes: of all strings to come, their NULs included. PQR_ENOMEM.
   pqr_stats_free frees it. */
int pqr__stats_new(struct pqr_stats **out, size_t n_pools, size_t text_bytes);

/* A copy in the snapshot's own memory; cut short when there is not enough of it left. NULL counts as "". */
const char *pqr__stats_text(struct pqr_stats *stats, const char *string);

#endif
