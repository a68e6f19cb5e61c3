#include "policy/pressure.h"

pqr_pressure_level pqr__pressure_level(const struct pqr__pressure_facts *facts)
{
    if (facts->overloaded || facts->refused_us < facts->interval_us)
        return PQR_PRESSURE_SHEDDING;
    /* Half of what counts as overload; a quarter ends it. */
    uint64_t limit_us = facts->target_us / (facts->level == PQR_PRESSURE_CALM ? 2 : 4);
    return facts->wait_us > limit_us ? PQR_PRESSURE_BUSY : PQR_PRESSURE_CALM;
}

const char *pqr_pressure_name(pqr_pressure_level level)
{
    switch (level) {
    case PQR_PRESSURE_CALM:
        return "calm";
    case PQR_PRESSURE_BUSY:
        return "busy";
    case PQR_PRESSURE_SHEDDING:
        return "shedding";
    }
    return "unknown";
}
