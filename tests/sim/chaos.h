/* What goes wrong with the simulated servers, and when. */
#ifndef SIM_CHAOS_H
#define SIM_CHAOS_H

#include "wire.h"

struct sim_chaos {
    struct sim_wire *wire;
    struct sim_world *world;
    struct sim_alarm alarm;
    uint64_t interval_us; /* between faults; 0: none at all */
    struct sim_alarm migration;
    uint64_t migrations_us; /* between what makes prepared statements stale; 0: never */
    bool failovers;         /* roles may change */
    struct sim_repair {
        struct sim_chaos *chaos;
        struct sim_server *server;
        struct sim_alarm alarm;
        bool returns_as_replica;
    } repairs[SIM_MAX_SERVERS];
};

void sim_chaos_init(struct sim_chaos *chaos, struct sim_wire *wire);
void sim_chaos_start(struct sim_chaos *chaos);
/* Something happens to connections that have probed a server. */
void sim_chaos_hurt_probes(struct sim_chaos *chaos);
/* Everything is mended, for good: one primary, nobody stuck. */
void sim_chaos_heal(struct sim_chaos *chaos);
/* Since when the only primary has been undisturbed; UINT64_MAX: it is not. */
uint64_t sim_chaos_quiet_us(const struct sim_chaos *chaos);
void sim_chaos_finish(struct sim_chaos *chaos);

#endif
