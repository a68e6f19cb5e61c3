#include "policy/spread.h"

enum { PART = 8, MOST_US = 2000000 };

uint64_t pqr__spread_us(uint64_t outage_us, struct pqr__random *random)
{
    uint64_t window_us = outage_us / PART < MOST_US ? outage_us / PART : MOST_US;
    return pqr__random_below(random, window_us + 1);
}
