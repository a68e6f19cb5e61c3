/* Zones: servers nearby first. Candidates have room by definition, so those of other zones get only what the near
   ones have no room for. */
#include "policy/balancer.h"

uint32_t pqr__balancer_near(struct pqr__candidate *candidates, uint32_t n)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < n; i++)
        if (candidates[i].near)
            candidates[kept++] = candidates[i];
    return kept > 0 ? kept : n;
}
