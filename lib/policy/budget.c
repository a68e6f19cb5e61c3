#include "policy/budget.h"

#include <assert.h>

static uint32_t least_of(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static uint32_t guaranteed(const struct pqr__budget_pool *pool)
{
    return least_of(pool->guaranteed, pool->max);
}

/* What the pool has, or may still claim at any time. */
static uint64_t claim(const struct pqr__budget_pool *pool)
{
    return pool->total > guaranteed(pool) ? pool->total : guaranteed(pool);
}

/* What it would get if there were no limit over all. */
static uint32_t demand(const struct pqr__budget_pool *pool)
{
    uint32_t wanted = least_of(pool->wanted, pool->max);
    return wanted > guaranteed(pool) ? wanted : guaranteed(pool);
}

/* What it gets when nobody gets more than this, guaranteed parts apart. */
static uint32_t at_level(const struct pqr__budget_pool *pool, uint32_t level)
{
    uint32_t share = least_of(demand(pool), level);
    return share > guaranteed(pool) ? share : guaranteed(pool);
}

static uint64_t sum_at(const struct pqr__budget_pool *pools, uint32_t n, uint32_t level)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < n; i++)
        sum += at_level(&pools[i], level);
    return sum;
}

void pqr__budget_share(const struct pqr__budget_pool *pools, uint32_t n, uint32_t max_total, uint32_t *shares)
{
    uint32_t low = 0, high = max_total; /* the highest level that fits: sum_at grows with it */
    while (low < high) {
        uint32_t middle = low + (high - low + 1) / 2;
        if (sum_at(pools, n, middle) <= max_total)
            low = middle;
        else
            high = middle - 1;
    }
    uint64_t sum = 0;
    for (uint32_t i = 0; i < n; i++)
        sum += shares[i] = at_level(&pools[i], low);
    for (uint32_t i = 0; i < n && sum < max_total;
         i++) /* what does not go round: the first of those who want */
        if (demand(&pools[i]) > shares[i] && shares[i] == low) {
            shares[i]++;
            sum++;
        }
}

/* n is bounded by the servers of a configuration. */
enum { POOLS_MAX = 64 };

/* Of pool number `which`, that asks for one more than it has. */
static uint32_t share_of(
    const struct pqr__budget_pool *pools, uint32_t n, uint32_t which, uint32_t max_total, uint32_t *shares)
{
    struct pqr__budget_pool asked[POOLS_MAX];
    assert(n <= POOLS_MAX);
    for (uint32_t i = 0; i < n; i++)
        asked[i] = pools[i];
    if (asked[which].wanted <= asked[which].total)
        asked[which].wanted = asked[which].total + 1;
    pqr__budget_share(asked, n, max_total, shares);
    return shares[which];
}

bool pqr__budget_allows(const struct pqr__budget_pool *pools, uint32_t n, uint32_t which, uint32_t max_total)
{
    uint32_t shares[POOLS_MAX];
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
    if (pools[which].total < pools[which].guaranteed)
        return true;
    return claimed < max_total && pools[which].total < share_of(pools, n, which, max_total, shares);
}

uint32_t pqr__budget_donor(
    const struct pqr__budget_pool *pools, uint32_t n, uint32_t which, uint32_t max_total)
{
    uint32_t shares[POOLS_MAX], donor = UINT32_MAX, most = 0;
    assert(which < n);
    if (max_total == 0 || pools[which].total >= pools[which].max ||
        pools[which].total >= share_of(pools, n, which, max_total, shares))
        return UINT32_MAX;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t above = pools[i].total > shares[i] ? pools[i].total - shares[i] : 0;
        if (i != which && pools[i].idle > 0 && above > most) {
            most = above;
            donor = i;
        }
    }
    return donor;
}
