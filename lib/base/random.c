#include "base/random.h"

/* splitmix64: spreads a seed of few bits over the whole state. */
static uint64_t spread(uint64_t *seed)
{
    uint64_t z = (*seed += UINT64_C(0x9E3779B97F4A7C15));
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

static uint64_t rotate(uint64_t value, unsigned bits)
{
    return (value << bits) | (value >> (64 - bits));
}

void pqr__random_seed(struct pqr__random *random, uint64_t seed)
{
    for (int i = 0; i < 4; i++)
        random->state[i] = spread(&seed);
}

uint64_t pqr__random_next(struct pqr__random *random)
{
    uint64_t *s = random->state;
    uint64_t result = rotate(s[1] * 5, 7) * 9;
    uint64_t shifted = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = rotate(s[3], 45);
    return result;
}

uint64_t pqr__random_below(struct pqr__random *random, uint64_t bound)
{
    if (bound == 0)
        return 0;
    /* The high half of a 32 x 32 product is even enough for small bounds, and needs no division. */
    if (bound <= UINT32_MAX)
        return ((pqr__random_next(random) >> 32) * bound) >> 32;
    return pqr__random_next(random) % bound;
}

uint64_t pqr__random_jitter(struct pqr__random *random, uint64_t value, unsigned percent)
{
    uint64_t span = value / 100 * percent;
    return value - span + pqr__random_below(random, 2 * span + 1);
}
