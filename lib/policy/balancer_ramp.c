/* Slow start: a server that comes back has cold caches, and the balancer, seeing it idle, would give it everything. */
#include "policy/balancer.h"

enum { FIRST = PQR__RAMP_FULL / 10 };

uint32_t pqr__balancer_ramp(uint32_t weight, uint64_t since_us, uint64_t now_us, uint64_t slow_start_us)
{
    uint64_t age = now_us > since_us ? now_us - since_us : 0;
    if (slow_start_us == 0 || age >= slow_start_us)
        return weight * PQR__RAMP_FULL;
    uint64_t part = PQR__RAMP_FULL * age / slow_start_us;
    return weight * (uint32_t)(part < FIRST ? FIRST : part);
}
