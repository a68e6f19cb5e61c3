/* One draw by weight, whatever the servers are doing. Needs no knowledge of them, so none of it can be wrong. */
#include "policy/balancer.h"

static uint32_t pick(struct pqr__balancer *balancer, const struct pqr__candidate *candidates, uint32_t n)
{
    return pqr__balancer_draw(balancer, candidates, n, n);
}

const struct pqr__balancer_ops pqr__balancer_random = {.name = "random", .pick = pick};
