/* One run: servers, a configuration, an application and its mishaps, all drawn from a seed. */
#ifndef SIM_SCENARIO_H
#define SIM_SCENARIO_H

#include <stdbool.h>
#include <stdint.h>

#include "checks.h"

struct sim_options {
    bool trace;
    uint64_t fail_at; /* the number of the allocation that fails, from 1; 0: none */
    bool fail_on;     /* and all after it */
    const char *replay;
};

struct sim_summary {
    uint64_t steps, allocations, requests, ok;
    struct sim_flights flights;
};

/* Ends the program when a promise is broken. */
void sim_scenario_run(uint64_t seed, const struct sim_options *options, struct sim_summary *summary);

#endif
