/* Two different servers are drawn at random, by weight; the one that would answer sooner gets it: its latency of late
   times what it would then work on, its own requests stretched by its weight. Where latencies are alike this is
   least_outstanding, and on a tie the first, which was drawn by weight alone: idle servers share by weight, and one
   that returns slowly is not left out. A server that is slow for whatever reason (a cold cache, a noisy neighbour, a
   longer way) gets less, down to the little that tells when it has recovered. */
#include "policy/balancer.h"

/* Within a quarter of each other: that much is chance. One of which nothing is known counts as fast as the other. */
static bool alike(uint64_t a_us, uint64_t b_us)
{
    return a_us == 0 || b_us == 0 || (a_us * 4 <= b_us * 5 && b_us * 4 <= a_us * 5);
}

/* full: the weight of a server of which a request in the air counts as one. */
static double cost(const struct pqr__candidate *candidate, uint32_t full)
{
    double before = (double)candidate->outstanding * full / candidate->weight;
    return (double)candidate->latency_us * (before + 1);
}

static bool second_is_better(const struct pqr__candidate *a, const struct pqr__candidate *b)
{
    if (alike(a->latency_us, b->latency_us))
        return (uint64_t)b->outstanding * a->weight < (uint64_t)a->outstanding * b->weight;
    uint32_t full = a->weight > b->weight ? a->weight : b->weight;
    return cost(b, full) < cost(a, full);
}

static uint32_t pick(struct pqr__balancer *balancer, const struct pqr__candidate *candidates, uint32_t n)
{
    uint32_t first = pqr__balancer_draw(balancer, candidates, n, n);
    uint32_t second = pqr__balancer_draw(balancer, candidates, n, first);
    return second_is_better(&candidates[first], &candidates[second]) ? second : first;
}

const struct pqr__balancer_ops pqr__balancer_ewma = {.name = "ewma", .pick = pick};
