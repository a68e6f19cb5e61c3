/* What happens to many servers, and to the reads on them. */
#include <math.h>

#include "run.h"

static double steady_6000(double at_s)
{
    return at_s < 3 ? 2000 * at_s : 6000;
}

static void one_slow_step(struct run *run, double at_s)
{
    machine_slow(&run->servers[3].machine, at_s >= 8 ? 10 : 1);
}

static void most_check(const struct run *ours)
{
    run_demand(ours, run_goodput(ours) > 0.95, "less than 95% in time");
}

const struct scenario scenario_slow_replica = {.name = "one slow replica of eight",
    .best_fixed = 8,
    .seconds = 20,
    .from_s = 5,
    .to_s = 20,
    .step_s = 8,
    .servers = 9,
    .routers = 1,
    .classes = ORDINARY,
    .streams = {{.rate = steady_6000, .class = "0", .target = PQR_TARGET_REPLICA, .timeout_ms = 1000}},
    .every_s = 1,
    .step = one_slow_step,
    .check = most_check};

static double steady_1200(double at_s)
{
    (void)at_s;
    return 1200;
}

static void flapping_step(struct run *run, double at_s)
{
    bool down = at_s >= 5 && fmod(at_s, 4) < 2;
    if (down && !run->servers[2].down)
        link_server_stop(&run->servers[2]);
    else if (!down && run->servers[2].down)
        link_server_start(&run->servers[2]);
}

const struct scenario scenario_flapping = {.name = "flapping replica",
    .best_fixed = 8,
    .seconds = 30,
    .from_s = 5,
    .to_s = 30,
    .step_s = 5,
    .servers = 4,
    .routers = 1,
    .classes = ORDINARY,
    .streams = {{.rate = steady_1200, .class = "0", .target = PQR_TARGET_REPLICA, .timeout_ms = 1000}},
    .every_s = 0.5,
    .step = flapping_step,
    .check = most_check};

static void lost_step(struct run *run, double at_s)
{
    for (uint32_t i = 1; i < run->scenario->servers; i++) {
        if (at_s >= 10 && at_s < 18 && !run->servers[i].down)
            link_server_stop(&run->servers[i]);
        else if (at_s >= 18 && run->servers[i].down)
            link_server_start(&run->servers[i]);
    }
}

static void lost_check(const struct run *ours)
{
    run_demand(ours, run_goodput(ours) > 0.9, "less than 90% in time though the primary can serve it");
}

const struct scenario scenario_lost = {.name = "all replicas lost",
    .best_fixed = 16,
    .seconds = 30,
    .from_s = 5,
    .to_s = 30,
    .step_s = 10,
    .servers = 4,
    .routers = 1,
    .classes = ORDINARY,
    .streams = {{.rate = steady_1200, .class = "0", .target = PQR_TARGET_REPLICA, .timeout_ms = 1000}},
    .every_s = 1,
    .step = lost_step,
    .check = lost_check};

/* --- a reload exchanges one replica for another --- */

static void exchange_step(struct run *run, double at_s)
{
    if (at_s >= 10 && at_s < 10.5)
        run_reload(run, 0, 1u | 1u << 2 | 1u << 3);
    if (at_s >= 12)
        run_demand(run, run->servers[1].connections == 0, "a server that left keeps connections");
}

static void exchange_check(const struct run *ours)
{
    uint32_t most = 0;
    for (uint32_t i = 0; i < ours->n_samples; i++)
        most = ours->samples[i].open > most ? ours->samples[i].open : most;
    run_demand(ours, run_goodput(ours) > 0.98, "less than 98% in time");
    run_demand(ours, most == ours->scenario->max_total, "max_total was exceeded, or never reached");
    run_demand(ours, ours->servers[3].answered > ours->servers[2].answered / 3,
        "the server that joined does not get its part");
}

/* All of max_total is in use when the new one needs its place. */
const struct scenario scenario_exchanged = {.name = "a replica is exchanged by reload",
    .best_fixed = 4,
    .seconds = 30,
    .from_s = 5,
    .to_s = 30,
    .step_s = 10,
    .servers = 4,
    .routers = 1,
    .first = 1u | 1u << 1 | 1u << 2,
    .max_total = 16,
    .classes = ORDINARY,
    .streams = {{.rate = steady_1200, .class = "0", .target = PQR_TARGET_REPLICA, .timeout_ms = 1000}},
    .every_s = 0.5,
    .step = exchange_step,
    .check = exchange_check};

/* --- many processes lose their server at the same moment --- */

static double steady_20(double at_s)
{
    (void)at_s;
    return 20;
}

static void outage_step(struct run *run, double at_s)
{
    if (at_s >= 10 && at_s < 18 && !run->servers[0].down)
        link_server_stop(&run->servers[0]);
    else if (at_s >= 18 && run->servers[0].down)
        link_server_start(&run->servers[0]);
}

/* Neither their probes nor their pools keep in step. */
static void outage_check(const struct run *ours)
{
    uint32_t all = 0, most = 0;
    for (uint32_t i = 0; i < ours->n_samples; i++) {
        const struct sample *sample = &ours->samples[i];
        if (sample->at_s < 18 || sample->at_s >= 21)
            continue;
        all += sample->connects;
        most = sample->connects > most ? sample->connects : most;
    }
    run_demand(ours, all >= 2 * ours->scenario->routers, "the routers do not come back");
    run_demand(ours, most < ours->scenario->routers / 2, "they come back at the same moment");
}

const struct scenario scenario_outage = {.name = "60 routers after an outage",
    .best_fixed = 3,
    .seconds = 24,
    .from_s = 21,
    .to_s = 24,
    .step_s = 18,
    .servers = 1,
    .routers = 60,
    .max = 6,
    .max_connections = 400,
    .classes = {{.wait_us = 4000, .work_us = 200}},
    .streams = {{.rate = steady_20, .class = "0", .target = PQR_TARGET_PRIMARY, .timeout_ms = 1000}},
    .every_s = 0.5,
    .step = outage_step,
    .check = outage_check};

static double many_rate(double at_s)
{
    return at_s < 4 ? 2000 * at_s : 8000;
}

static void many_check(const struct run *ours)
{
    run_demand(ours, run_goodput(ours) > 0.98, "less than 98% in time");
}

const struct scenario scenario_many = {.name = "64 servers",
    .best_fixed = 1,
    .seconds = 14,
    .from_s = 4,
    .to_s = 14,
    .step_s = 4,
    .servers = 64,
    .routers = 1,
    .classes = ORDINARY,
    .streams = {{.rate = many_rate, .class = "0", .target = PQR_TARGET_REPLICA, .timeout_ms = 1000}},
    .check = many_check};
