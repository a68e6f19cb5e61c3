/* One scenario under one way of sizing pools: real routers, modelled servers, a virtual clock, and what came of it. */
#ifndef SCENARIO_RUN_H
#define SCENARIO_RUN_H

#include <stdio.h>

#include "link.h"
#include "rules.h"
#include "times.h"

enum { RUN_STREAMS = 3, RUN_SAMPLES = 6000 };
#define RUN_SAMPLE_US UINT64_C(50000)

struct run;

/* Requests of one kind, from each router, as a Poisson process. */
struct stream {
    double (*rate)(double at_s); /* a second; NULL: the stream is not there */
    char class[2];               /* $1 */
    uint32_t flags;
    pqr_target target;
    uint32_t timeout_ms;
};

struct scenario {
    const char *name;
    double seconds;
    double from_s, to_s; /* requests that arrive between them count */
    double up_s;         /* the load has risen; 0: it does not */
    double step_s;       /* the step after which the size is to converge, until to_s */
    uint32_t servers, routers;
    uint64_t first; /* the servers that routers know at first, a bit each; 0: all */
    uint32_t max, max_total;
    uint32_t max_connections; /* of a server */
    double cores;
    uint32_t knee;
    double decay;
    struct link_class classes[LINK_CLASSES];
    struct stream streams[RUN_STREAMS];
    double every_s; /* step is called so often, from 0 on */
    void (*step)(struct run *run, double at_s);
    const char *config; /* more of it */
    /* What has to be true of ours, beside how it compares with the others. Ends the program when it is not. */
    void (*check)(const struct run *ours);
    uint32_t best_fixed;  /* the size of a fixed pool that does best, as --table finds it */
    bool no_size_is_best; /* it is about something else: none is searched for */
};

/* A way of sizing pools. */
struct way {
    const char *name;
    const struct pqr__sizing *sizing; /* NULL: the router's own */
    uint32_t fixed;                   /* connections, of rules_fixed */
};

struct sample {
    double at_s, offered, good; /* a second */
    uint32_t connections, in_use, ceiling, wanted;
    uint32_t open;     /* connections, those of probes too */
    uint32_t connects; /* that were tried since the last sample */
};

struct run {
    const struct scenario *scenario;
    const struct way *way;
    struct sim_world world;
    struct link_server *servers;
    struct link_wire *wires;
    pqr_router **routers;
    struct pqr_config **configs;
    pqr_statement *statement;
    struct pqr__random random; /* of arrivals: the same for all ways */
    struct sim_alarm tick, step;
    struct source *sources;

    uint64_t offered[RUN_STREAMS], good[RUN_STREAMS];
    struct times latency[RUN_STREAMS];
    uint64_t opened, refused; /* connections, from from_s on */
    double mean_connections;
    uint32_t most_connections;
    double grown_s;    /* from up_s until there are nearly as many as two to four seconds later */
    double converge_s; /* from the step until the size stays near where it ends; negative: it never moved */
    struct sample samples[RUN_SAMPLES];
    uint32_t n_samples;
    uint64_t last_offered, last_good, last_connects;
    uint32_t fleet_members, least_share,
        most_share; /* of the routers left at the end; members: all agree, or 0 */
    bool done;
};

/* From now on a router knows these servers, a bit each. */
void run_reload(struct run *run, uint32_t router, uint64_t members);
/* A process dies: its connections are gone, its requests are never answered in time. */
void run_kill(struct run *run, uint32_t router);

/* The result; give it to run_free. */
struct run *run_scenario(const struct scenario *scenario, const struct way *way, uint64_t seed);
void run_free(struct run *run);

double run_goodput(const struct run *run); /* good / offered, of all streams */
/* Between two times. */
double run_mean_connections(const struct run *run, double from_s, double to_s);
/* A line a sample, for gnuplot. */
void run_write(const struct run *run, FILE *to);

/* Four milliseconds of waiting, one of work. */
#define ORDINARY                             \
    {                                        \
        {                                    \
            .wait_us = 4000, .work_us = 1000 \
        }                                    \
    }

/* Ends the program when it does not hold. */
void run_demand(const struct run *run, bool holds, const char *what);

extern const struct scenario scenario_slow_replica, scenario_flapping, scenario_lost, scenario_many,
    scenario_exchanged, scenario_outage;         /* servers.c */
extern const struct scenario scenario_flights;   /* flights.c */
extern const struct scenario *const scenarios[]; /* NULL at the end */

#endif
