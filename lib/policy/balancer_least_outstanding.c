/* Two different servers are drawn at random, by weight; the one with fewer requests in the air for its weight
   gets it (Mitzenmacher, "The power of two choices in randomized load balancing", 2001). Nearly as even as
   comparing all, without the herd that follows when many routers see the same emptiest server. */
#include "policy/balancer.h"

#include <assert.h>
#include <stdbool.h>

static uint64_t weight_of_all(const struct pqr__candidate *candidates, uint32_t n)
{
    uint64_t total = 0;
    for (uint32_t i = 0; i < n; i++) {
        assert(candidates[i].weight >= 1);
        total += candidates[i].weight;
    }
    return total;
}

/* The candidate that holds the ticket, counted over all but skip (n: skips none). */
static uint32_t holder(const struct pqr__candidate *candidates, uint32_t n, uint32_t skip, uint64_t ticket)
{
    for (uint32_t i = 0; i < n; i++) {
        if (i == skip)
            continue;
        if (ticket < candidates[i].weight)
            return i;
        ticket -= candidates[i].weight;
    }
    assert(false); /* a ticket is below the weight of all that it is drawn over */
    return 0;
}

static uint32_t pick(struct pqr__balancer *balancer, const struct pqr__candidate *candidates, uint32_t n)
{
    uint64_t total = weight_of_all(candidates, n);
    uint32_t first = holder(candidates, n, n, pqr__random_below(balancer->random, total));
    uint32_t second =
        holder(candidates, n, first, pqr__random_below(balancer->random, total - candidates[first].weight));
    const struct pqr__candidate *a = &candidates[first], *b = &candidates[second];
    /* outstanding / weight, without the division; on a tie the first, which was drawn by weight alone. */
    return (uint64_t)b->outstanding * a->weight < (uint64_t)a->outstanding * b->weight ? second : first;
}

const struct pqr__balancer_ops pqr__balancer_least_outstanding = {.name = "least_outstanding", .pick = pick};
