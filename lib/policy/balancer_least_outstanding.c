/* Two different servers are drawn at random, by weight; the one with fewer requests in the air for its weight
   gets it (Mitzenmacher, "The power of two choices in randomized load balancing", 2001). Nearly as even as
   comparing all, without the herd that follows when many routers see the same emptiest server. */
#include "policy/balancer.h"

static uint32_t pick(struct pqr__balancer *balancer, const struct pqr__candidate *candidates, uint32_t n)
{
    uint32_t first = pqr__balancer_draw(balancer, candidates, n, n);
    uint32_t second = pqr__balancer_draw(balancer, candidates, n, first);
    const struct pqr__candidate *a = &candidates[first], *b = &candidates[second];
    /* outstanding / weight, without the division; on a tie the first, which was drawn by weight alone. */
    return (uint64_t)b->outstanding * a->weight < (uint64_t)a->outstanding * b->weight ? second : first;
}

const struct pqr__balancer_ops pqr__balancer_least_outstanding = {.name = "least_outstanding", .pick = pick};
