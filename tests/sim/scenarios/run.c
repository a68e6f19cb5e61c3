#include "run.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "calibration.h"

enum { START_US = 1000000000 };

struct source {
    struct run *run;
    uint32_t router, stream;
    struct sim_alarm alarm;
};

struct request {
    struct run *run;
    uint32_t stream;
    bool counts;
    uint64_t at_us;
};

static double at_s(const struct run *run)
{
    return (double)(run->world.now_us - START_US) / 1e6;
}

static uint64_t at_us(double seconds)
{
    return START_US + (uint64_t)(seconds * 1e6);
}

/* --- requests --- */

static void answered(pqr_reply *reply, void *data)
{
    struct request *request = data;
    struct run *run = request->run;
    bool good = pqr_reply_status(reply) == PQR_STATUS_OK;
    run->last_good += good;
    if (request->counts && good) {
        run->good[request->stream]++;
        times_add(&run->latency[request->stream], run->world.now_us - request->at_us);
    }
    free(request);
}

static void ask(struct source *source)
{
    struct run *run = source->run;
    const struct stream *stream = &run->scenario->streams[source->stream];
    struct request *request = sim_alloc(sizeof(*request));
    const char *value = stream->class;
    pqr_query query = PQR_QUERY_INIT;
    query.statement = run->statement;
    query.n_params = 1;
    query.param_values = &value;
    query.target = stream->target;
    query.flags = stream->flags;
    query.timeout_ms = stream->timeout_ms;
    double now_s = at_s(run);
    *request = (struct request){.run = run,
        .stream = source->stream,
        .counts = now_s >= run->scenario->from_s && now_s < run->scenario->to_s,
        .at_us = run->world.now_us};
    run->offered[source->stream] += request->counts;
    run->last_offered++;
    int status = pqr_query_run(NULL, run->routers[source->router], &query, answered, request);
    if (status != 0)
        sim_fail(&run->world, "pqr_query_run answers %d", status);
}

static void next(void *context)
{
    struct source *source = context;
    struct run *run = source->run;
    double rate = run->scenario->streams[source->stream].rate(at_s(run));
    double even = ((double)(pqr__random_next(&run->random) >> 11) + 0.5) / 9007199254740992.0;
    if (at_s(run) >= run->scenario->seconds)
        return;
    /* A rate that may change is looked at again soon: what has no memory may be drawn anew. */
    double in_us = rate > 0 ? -log(even) / rate * 1e6 : 1e9;
    bool now = in_us <= 10000;
    sim_alarm_set(
        &run->world, &source->alarm, run->world.now_us + (uint64_t)(now ? in_us : 10000), next, source);
    if (now)
        ask(source);
}

/* --- what is seen --- */

static uint32_t connections(const struct run *run)
{
    uint32_t open = 0;
    for (uint32_t i = 0; i < run->scenario->servers; i++)
        open += run->servers[i].connections;
    return open - (open < run->scenario->servers * run->scenario->routers
                          ? open
                          : run->scenario->servers * run->scenario->routers); /* probes */
}

/* Since the beginning, probes and those of the dead included. */
static uint64_t connects(const struct run *run, uint64_t *refused)
{
    uint64_t sum = 0;
    *refused = 0;
    for (uint32_t i = 0; i < run->scenario->servers; i++) {
        sum += run->servers[i].accepted;
        *refused += run->servers[i].refusals;
    }
    return sum;
}

static void look(struct run *run)
{
    struct sample *sample = &run->samples[run->n_samples++];
    *sample = (struct sample){.at_s = at_s(run),
        .offered = (double)run->last_offered / (double)RUN_SAMPLE_US * 1e6,
        .good = (double)run->last_good / (double)RUN_SAMPLE_US * 1e6,
        .connections = connections(run)};
    run->last_offered = run->last_good = 0;
    uint64_t refused, tried = connects(run, &refused) + refused;
    sample->connects = (uint32_t)(tried - run->last_connects);
    run->last_connects = tried;
    for (uint32_t i = 0; i < run->scenario->servers; i++)
        sample->open += run->servers[i].connections;
    for (uint32_t r = 0; r < run->scenario->routers; r++) {
        const pqr_router *router = run->routers[r];
        for (uint32_t i = 0; router && i < router->n_backends; i++) {
            sample->in_use += pqr__pool_in_use(&router->backends[i]);
            sample->ceiling += router->sizing->ceiling(&router->backends[i]);
            sample->wanted += router->backends[i].resizer.wanted;
        }
    }
}

/* What the members of a fleet agree on. */
static void look_at_fleet(struct run *run)
{
    run->least_share = UINT32_MAX;
    for (uint32_t r = 0; r < run->scenario->routers; r++) {
        if (!run->routers[r])
            continue;
        const struct pqr__fleet *fleet = &run->routers[r]->backends[0].fleet;
        bool first = run->least_share == UINT32_MAX;
        run->fleet_members = first || run->fleet_members == fleet->members ? fleet->members : 0;
        run->least_share = fleet->share < run->least_share ? fleet->share : run->least_share;
        run->most_share = fleet->share > run->most_share || first ? fleet->share : run->most_share;
    }
}

static void tick(void *context)
{
    struct run *run = context;
    uint64_t refused;
    if (run->n_samples < RUN_SAMPLES)
        look(run);
    if (at_s(run) < run->scenario->from_s) { /* not counted */
        run->opened = 0 - connects(run, &refused);
        run->refused = 0 - refused;
    }
    if (at_s(run) >= run->scenario->seconds) {
        run->opened += connects(run, &refused);
        run->refused += refused;
        look_at_fleet(run);
        run->done = true;
        return;
    }
    sim_alarm_set(&run->world, &run->tick, run->world.now_us + RUN_SAMPLE_US, tick, run);
}

static void step(void *context)
{
    struct run *run = context;
    run->scenario->step(run, at_s(run));
    sim_alarm_set(
        &run->world, &run->step, run->world.now_us + (uint64_t)(run->scenario->every_s * 1e6), step, run);
}

/* --- beginning and end --- */

static void start_servers(struct run *run, uint64_t seed)
{
    const struct scenario *scenario = run->scenario;
    run->servers = sim_alloc(scenario->servers * sizeof(*run->servers));
    for (uint32_t i = 0; i < scenario->servers; i++) {
        struct link_server *server = &run->servers[i];
        link_server_init(server, &run->world, seed * 100 + i);
        server->in_recovery = i > 0;
        server->classes = scenario->classes;
        server->max_connections = scenario->max_connections ? scenario->max_connections : 200;
        server->connect_work_us = CALIBRATED_CONNECT_US * 0.8;
        server->connect_wait_us = (uint64_t)(CALIBRATED_CONNECT_US * 0.2);
        server->machine.cores = scenario->cores > 0 ? scenario->cores : CALIBRATED_CORES;
        server->machine.knee = scenario->knee ? scenario->knee : CALIBRATED_KNEE;
        server->machine.decay = scenario->knee ? scenario->decay : CALIBRATED_DECAY;
    }
}

static struct pqr_config *config_of(const struct run *run, uint64_t members)
{
    const struct scenario *scenario = run->scenario;
    struct pqr_config *config = NULL;
    pqr_error error;
    size_t size = 4000 + 80 * scenario->servers, used = 0;
    char *text = sim_alloc(size);
    used += (size_t)snprintf(text, size,
        "pool: { max = %u; max_total = %u; window = \"10s\"; lifetime = \"none\"; };\n"
        "reads: { mode = \"explicit\"; };\ncatalog: { load = false; };\n%s\nservers = (",
        scenario->max ? scenario->max : 100, scenario->max_total, scenario->config ? scenario->config : "");
    const char *comma = "";
    for (uint32_t i = 0; i < scenario->servers; i++) {
        if (members && !(members >> i & 1))
            continue;
        used += (size_t)snprintf(text + used, size - used,
            "%s{ name = \"s%u\"; connection = \"host=s%u dbname=d user=u\"; }", comma, i, i);
        comma = ", ";
    }
    used += (size_t)snprintf(text + used, size - used, ");\n");
    if (pqr__config_parse(&config, "scenario", text, used, &error) != 0)
        sim_fail(&run->world, "the configuration: %s", error.message);
    free(text);
    return config;
}

static void start_router(struct run *run, uint32_t number)
{
    pqr_error error;
    link_wire_init(&run->wires[number], &run->world, run->servers);
    run->configs[number] = config_of(run, run->scenario->first);
    int status = pqr__router_create(
        &run->routers[number], run->configs[number], NULL, run->world.seed + number, &error);
    if (status != 0)
        sim_fail(&run->world, "pqr__router_create answers %d", status);
    if (run->way->sizing)
        run->routers[number]->sizing = run->way->sizing;
    run->wires[number].transport.events = &pqr__router_events;
    run->wires[number].transport.router = run->routers[number];
    pqr__router_start(run->routers[number], &run->wires[number].transport);
    for (uint32_t i = 0; i < RUN_STREAMS; i++) {
        struct source *source = &run->sources[number * RUN_STREAMS + i];
        *source = (struct source){.run = run, .router = number, .stream = i};
        if (run->scenario->streams[i].rate)
            sim_alarm_set(&run->world, &source->alarm, at_us(1), next, source);
    }
}

static void start(struct run *run, uint64_t seed)
{
    const struct scenario *scenario = run->scenario;
    rules_fixed_size = run->way->fixed;
    sim_world_init(&run->world, seed);
    pqr__random_seed(&run->random, seed + 77);
    start_servers(run, seed);
    run->wires = sim_alloc(scenario->routers * sizeof(*run->wires));
    run->routers = sim_alloc(scenario->routers * sizeof(pqr_router *));
    run->configs = sim_alloc(scenario->routers * sizeof(struct pqr_config *));
    run->sources = sim_alloc((size_t)scenario->routers * RUN_STREAMS * sizeof(*run->sources));
    if (pqr_statement_new(&run->statement, "select $1") != 0)
        sim_fail(&run->world, "no statement");
    for (uint32_t i = 0; i < scenario->routers; i++)
        start_router(run, i);
    sim_alarm_set(&run->world, &run->tick, run->world.now_us + RUN_SAMPLE_US, tick, run);
    if (scenario->step)
        sim_alarm_set(&run->world, &run->step, run->world.now_us, step, run);
}

void run_reload(struct run *run, uint32_t router, uint64_t members)
{
    pqr_error error;
    struct pqr_config *config = config_of(run, members);
    if (pqr_router_reload(run->routers[router], config, &error) != 0)
        sim_fail(&run->world, "pqr_router_reload: %s", error.message);
    pqr_config_free(run->configs[router]);
    run->configs[router] = config;
}

void run_kill(struct run *run, uint32_t router)
{
    for (uint32_t k = 0; k < RUN_STREAMS; k++)
        sim_alarm_clear(&run->world, &run->sources[router * RUN_STREAMS + k].alarm);
    pqr_router_close(run->routers[router], 0, NULL, NULL);
    run->routers[router] = NULL;
}

static bool all_gone(const struct run *run)
{
    for (uint32_t i = 0; i < run->scenario->routers; i++)
        if (!run->wires[i].gone)
            return false;
    return true;
}

static void stop(struct run *run)
{
    sim_alarm_clear(&run->world, &run->step);
    for (uint32_t i = 0; i < run->scenario->routers; i++)
        if (run->routers[i])
            run_kill(run, i);
    while (!all_gone(run))
        if (!sim_world_step(&run->world))
            sim_fail(&run->world, "the routers do not come to their end");
    for (uint32_t i = 0; i < run->scenario->routers; i++) {
        link_wire_finish(&run->wires[i]);
        pqr_config_free(run->configs[i]);
    }
    for (uint32_t i = 0; i < run->scenario->servers; i++)
        link_server_finish(&run->servers[i]);
    pqr_statement_free(run->statement);
    sim_world_finish(&run->world);
}

/* --- sums --- */

double run_mean_connections(const struct run *run, double from_s, double to_s)
{
    double sum = 0, n = 0;
    for (uint32_t i = 0; i < run->n_samples; i++)
        if (run->samples[i].at_s >= from_s && run->samples[i].at_s < to_s) {
            sum += run->samples[i].connections;
            n++;
        }
    return n > 0 ? sum / n : 0;
}

/* The last moment that the size was further than a quarter, or two, from where it ends. */
static double converged_after_s(const struct run *run)
{
    const struct scenario *scenario = run->scenario;
    double last = -1, end = run_mean_connections(run, scenario->to_s - 1.5, scenario->to_s);
    for (uint32_t i = 0; i < run->n_samples; i++) {
        const struct sample *sample = &run->samples[i];
        double off = fabs(sample->connections - end);
        if (sample->at_s >= scenario->step_s && sample->at_s < scenario->to_s && off > 2 && off > end / 4)
            last = sample->at_s;
    }
    return last < 0 ? 0 : last - scenario->step_s;
}

static double grown_after_s(const struct run *run)
{
    double up_s = run->scenario->up_s;
    double enough = 0.9 * run_mean_connections(run, up_s + 2, up_s + 4);
    for (uint32_t i = 0; up_s > 0 && i < run->n_samples; i++)
        if (run->samples[i].at_s >= up_s && run->samples[i].connections >= enough)
            return run->samples[i].at_s - up_s;
    return 0;
}

static void sum_up(struct run *run)
{
    run->grown_s = grown_after_s(run);
    run->mean_connections = run_mean_connections(run, run->scenario->from_s, run->scenario->to_s);
    for (uint32_t i = 0; i < run->n_samples; i++)
        if (run->samples[i].at_s >= run->scenario->from_s &&
            run->samples[i].connections > run->most_connections)
            run->most_connections = run->samples[i].connections;
    run->converge_s = converged_after_s(run);
}

struct run *run_scenario(const struct scenario *scenario, const struct way *way, uint64_t seed)
{
    struct run *run = sim_alloc(sizeof(*run));
    run->scenario = scenario;
    run->way = way;
    start(run, seed);
    while (!run->done && sim_world_step(&run->world))
        ;
    sum_up(run);
    stop(run);
    return run;
}

void run_free(struct run *run)
{
    for (uint32_t i = 0; i < RUN_STREAMS; i++)
        times_free(&run->latency[i]);
    free(run->servers);
    free(run->wires);
    free(run->routers);
    free(run->configs);
    free(run->sources);
    free(run);
}

double run_goodput(const struct run *run)
{
    uint64_t offered = 0, good = 0;
    for (uint32_t i = 0; i < RUN_STREAMS; i++) {
        offered += run->offered[i];
        good += run->good[i];
    }
    return offered ? (double)good / (double)offered : 0;
}

void run_demand(const struct run *run, bool holds, const char *what)
{
    if (!holds)
        sim_fail(&run->world, "%s: %s", run->scenario->name, what);
}

void run_write(const struct run *run, FILE *to)
{
    for (uint32_t i = 0; i < run->n_samples; i++) {
        const struct sample *sample = &run->samples[i];
        fprintf(to, "%.2f %.0f %.0f %u %u %u %u\n", sample->at_s, sample->offered, sample->good,
            sample->connections, sample->in_use, sample->ceiling, sample->wanted);
    }
}
