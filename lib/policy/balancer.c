/* What is the same for every strategy: choosing it, a choice of one, a draw by weight. */
#include "policy/balancer.h"

#include <assert.h>

void pqr__balancer_init(
    struct pqr__balancer *balancer, enum pqr__balance strategy, struct pqr__random *random)
{
    *balancer = (struct pqr__balancer){.random = random};
    pqr__balancer_use(balancer, strategy);
}

void pqr__balancer_use(struct pqr__balancer *balancer, enum pqr__balance strategy)
{
    static const struct pqr__balancer_ops *const all[] = {
        [PQR__BALANCE_LEAST_OUTSTANDING] = &pqr__balancer_least_outstanding,
        [PQR__BALANCE_ROUND_ROBIN] = &pqr__balancer_round_robin,
        [PQR__BALANCE_RANDOM] = &pqr__balancer_random,
        [PQR__BALANCE_EWMA] = &pqr__balancer_ewma,
    };
    assert((size_t)strategy < sizeof(all) / sizeof(all[0]));
    balancer->ops = all[strategy];
}

void pqr__balancer_forget(struct pqr__balancer *balancer, uint32_t server)
{
    assert(server < PQR__BALANCER_SERVERS);
    balancer->credit[server] = 0;
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

static uint64_t weight_of_all(const struct pqr__candidate *candidates, uint32_t n, uint32_t skip)
{
    uint64_t total = 0;
    for (uint32_t i = 0; i < n; i++) {
        assert(candidates[i].weight >= 1);
        total += i == skip ? 0 : candidates[i].weight;
    }
    return total;
}

uint32_t pqr__balancer_draw(
    struct pqr__balancer *balancer, const struct pqr__candidate *candidates, uint32_t n, uint32_t skip)
{
    uint64_t ticket = pqr__random_below(balancer->random, weight_of_all(candidates, n, skip));
    for (uint32_t i = 0; i < n; i++) {
        if (i == skip)
            continue;
        if (ticket < candidates[i].weight)
            return i;
        ticket -= candidates[i].weight;
    }
    assert(0); /* a ticket is below the weight of all that it is drawn over */
    return 0;
}
