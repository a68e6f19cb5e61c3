#include "policy/budget.h"

#include <assert.h>

/* What the pool has, or may still claim at any time. */
static uint64_t claim(const struct pqr__budget_pool *pool)
{
    uint32_t guaranteed = pool->guaranteed < pool->max ? pool->guaranteed : pool->max;
    return pool->total > guaranteed ? pool->total : guaranteed;
}

bool pqr__budget_allows(const struct pqr__budget_pool *pools, uint32_t n, uint32_t which, uint32_t max_total)
{
    assert(which < n);
    if (pools[which].total >= pools[which].max)
        return false;
    if (max_total == 0)
        return true;
    uint64_t open = 0, claimed = 0;
    for (uint32_t i = 0; i < n; i++) {
        open += pools[i].total;
        claimed += claim(&pools[i]);
    }
    if (open >= max_total)
        return false;
    /* Within its guaranteed part it takes nothing that was not its own already. */
    return pools[which].total < pools[which].guaranteed || claimed < max_total;
}
