/* The seam on modelled machines: connections cost time and work to open, a connection runs one flight after the
   other, a server that is down ends them all. No faults beyond that: tests/sim/wire.c is for those. */
#ifndef SCENARIO_LINK_H
#define SCENARIO_LINK_H

#include "base/list.h"
#include "machine.h"
#include "transport/transport.h"

enum { LINK_CLASSES = 8 };

/* A class of statements; $1 of a query names it. Both parts are drawn anew for each statement, exponentially. */
struct link_class {
    double wait_us; /* for a disk or a lock: any number at once */
    double work_us; /* on a processor */
};

struct link_server {
    struct machine machine;
    struct sim_world *world;
    struct pqr__random random;
    const struct link_class *classes;
    bool in_recovery, down;
    uint32_t max_connections, connections; /* of all routers */
    uint32_t next_pid, starts;
    uint64_t latency_us, connect_wait_us;
    double connect_work_us;
    struct pqr__list conns;
    uint64_t accepted, refusals; /* connects */
    uint64_t answered;           /* flights */
};

struct link_wire {
    struct pqr__transport transport; /* first */
    struct sim_world *world;
    struct link_server *servers;
    uint32_t server_of[64]; /* of the router's number */
    struct sim_alarm timer, shut;
    bool gone;
};

void link_server_init(struct link_server *server, struct sim_world *world, uint64_t seed);
void link_server_finish(struct link_server *server);
/* Every connection ends. */
void link_server_stop(struct link_server *server);
void link_server_start(struct link_server *server);

void link_wire_init(struct link_wire *wire, struct sim_world *world, struct link_server *servers);
void link_wire_finish(struct link_wire *wire);

#endif
