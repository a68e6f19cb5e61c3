/* Two different servers are drawn at random, by weight; the one that would answer sooner gets it: its latency of late
   times the requests it would then have in the air, for its weight. Where all are alike this is least_outstanding;
   a server that is slow for whatever reason (a cold cache, a noisy neighbour, a longer way) gets less, down to the
   little that tells when it has recovered. */
#include "policy/balancer.h"

/* Within a quarter of each other: that much is chance. */
static bool alike(uint64_t a_us, uint64_t b_us)
{
    return a_us * 4 <= b_us * 5 && b_us * 4 <= a_us * 5;
}

static uint32_t pick(struct pqr__balancer *balancer, const struct pqr__candidate *candidates, uint32_t n)
{
    uint32_t first = pqr__balancer_draw(balancer, candidates, n, n);
    uint32_t second = pqr__balancer_draw(balancer, candidates, n, first);
    const struct pqr__candidate *a = &candidates[first], *b = &candidates[second];
    /* One of which nothing is known counts as fast as the other. */
    uint64_t a_us = a->latency_us ? a->latency_us : b->latency_us ? b->latency_us : 1;
    uint64_t b_us = b->latency_us ? b->latency_us : a_us;
    if (alike(a_us, b_us))
        a_us = b_us = 1;
    /* cost / weight, without the division; 30 bits of latency and 20 of weight leave 14 for the requests. */
    uint64_t cost_a = a_us * pqr__balancer_load(a) * b->weight,
             cost_b = b_us * pqr__balancer_load(b) * a->weight;
    return cost_b < cost_a ? second : first;
}

const struct pqr__balancer_ops pqr__balancer_ewma = {.name = "ewma", .pick = pick};
