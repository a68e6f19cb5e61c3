/* How hard the router is pressed, for an application that can slow down: from what waits, with hysteresis so that the
   level does not flutter. Pure. */
#ifndef PQR_POLICY_PRESSURE_H
#define PQR_POLICY_PRESSURE_H

#include "pqrouter.h"

struct pqr__pressure_facts {
    pqr_pressure_level level; /* until now */
    bool overloaded;          /* some are turned away to keep the wait of the others short */
    uint64_t refused_us;      /* since one was refused last; UINT64_MAX: never */
    uint64_t wait_us;         /* expected of who comes now, or that of the oldest */
    uint64_t target_us, interval_us;
};

pqr_pressure_level pqr__pressure_level(const struct pqr__pressure_facts *facts);

#endif
