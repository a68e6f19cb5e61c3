#include "policy/backoff.h"

uint64_t pqr__backoff_us(uint64_t min_us, uint64_t max_us, uint32_t failures, struct pqr__random *random)
{
    uint64_t ceiling = min_us < max_us ? min_us : max_us;
    for (uint32_t i = 1; i < failures && ceiling > 0 && ceiling < max_us; i++)
        ceiling = ceiling > max_us / 2 ? max_us : ceiling * 2;
    uint64_t floor = ceiling / 2;
    return floor + pqr__random_below(random, ceiling - floor + 1);
}
