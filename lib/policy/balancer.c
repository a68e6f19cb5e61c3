/* What is the same for every strategy: choosing it, and a choice of one. */
#include "policy/balancer.h"

#include <assert.h>

void pqr__balancer_init(
    struct pqr__balancer *balancer, enum pqr__balance strategy, struct pqr__random *random)
{
    *balancer = (struct pqr__balancer){.random = random};
    switch (strategy) {
    case PQR__BALANCE_LEAST_OUTSTANDING:
        balancer->ops = &pqr__balancer_least_outstanding;
        break;
    case PQR__BALANCE_ROUND_ROBIN:
        balancer->ops = &pqr__balancer_round_robin;
        break;
    }
    assert(balancer->ops);
}

uint32_t pqr__balancer_pick(
    struct pqr__balancer *balancer, const struct pqr__candidate *candidates, uint32_t n)
{
    assert(n >= 1);
    if (n == 1)
        return 0;
    uint32_t picked = balancer->ops->pick(balancer, candidates, n);
    assert(picked < n);
    return picked;
}
