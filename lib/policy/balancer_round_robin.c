/* Smooth weighted round robin: at each turn every candidate earns its weight, the one with most credit is picked
   and pays what all earned. Over any stretch of turns each gets its share, and the turns of a heavy server are
   spread out between those of the others. A server that is no candidate for a while neither earns nor pays, so
   its return brings no burst. */
#include "policy/balancer.h"

#include <assert.h>

static uint32_t pick(struct pqr__balancer *balancer, const struct pqr__candidate *candidates, uint32_t n)
{
    int64_t earned = 0;
    uint32_t best = 0;
    for (uint32_t i = 0; i < n; i++) {
        assert(candidates[i].server < PQR__BALANCER_SERVERS && candidates[i].weight >= 1);
        balancer->credit[candidates[i].server] += candidates[i].weight;
        earned += candidates[i].weight;
        if (balancer->credit[candidates[i].server] > balancer->credit[candidates[best].server])
            best = i;
    }
    balancer->credit[candidates[best].server] -= earned;
    return best;
}

const struct pqr__balancer_ops pqr__balancer_round_robin = {.name = "round_robin", .pick = pick};
