#include "scenario.h"

#include <stdlib.h>
#include <string.h>

#include "chaos.h"
#include "heap.h"
#include "load.h"
#include "router/router.h"
#include "vary.h"

enum { MAX_STEPS = 400000, DOWN_US = 8000000, CHECK_US = 500000 };

struct scenario {
    struct sim_world world;
    struct sim_ledger ledger;
    struct sim_checks checks;
    struct sim_wire wire;
    struct sim_chaos chaos;
    struct sim_load load;
    struct sim_server servers[SIM_MAX_SERVERS];
    struct pqr_config *config;
    struct pqr_config *fewer; /* the same without its last server; NULL: it is the only one */
    bool has_fewer;           /* is what the router has now */
    uint32_t breadth; /* as many connections are shared, whatever the load would teach; 0: it teaches */
    struct sim_alarm reload, heal, prove, end;
    pqr_pressure_level pressure; /* as told last */
};

/* --- Servers, mishaps, the application ------------------------------------------------------------------- */

/* It says that it is a primary, or a replica, of something else. */
static void make_foreign(struct scenario *scenario, struct sim_server *server)
{
    scenario->config->system_identifier = server->system_identifier;
    server->system_identifier++;
    server->foreign = true;
    server->upstream = NULL;
    server->timeline = 7;
    server->in_recovery = sim_chance(&scenario->world, 500);
}

static void make_servers(struct scenario *scenario)
{
    struct sim_world *world = &scenario->world;
    uint32_t n = scenario->config->n_servers, primary = (uint32_t)sim_between(world, 0, n - 1);
    for (uint32_t i = 0; i < n; i++) {
        struct sim_server *server = &scenario->servers[i];
        sim_server_init(server, world, &scenario->ledger, i);
        /* Never so slow that only failure is left. */
        server->latency_us = sim_skewed(world, 20, scenario->config->probe.timeout_us / 10);
        server->connect_us = sim_skewed(world, 500, scenario->config->pool.connect_timeout_us / 6);
        server->in_recovery = i != primary;
        server->closes = sim_chance(world, 500);
        server->check_us = (world->seed + i) % 4 ? CHECK_US : 0;
        server->upstream = i != primary ? &scenario->servers[primary] : NULL;
    }
    scenario->wire.servers = scenario->servers;
    scenario->wire.n_servers = n;
    if (n > 1 && sim_chance(world, 50))
        make_foreign(scenario, &scenario->servers[(primary + 1) % n]);
}

static void make_mishaps(struct scenario *scenario)
{
    struct sim_world *world = &scenario->world;
    sim_chaos_init(&scenario->chaos, &scenario->wire);
    scenario->wire.notices = 20;
    if (sim_chance(world, 500))
        scenario->chaos.migrations_us = sim_skewed(world, 5000, 300000);
    if (sim_chance(world, 250))
        return; /* a fine day */
    scenario->chaos.interval_us = sim_skewed(world, 20000, 2000000);
    scenario->chaos.failovers = sim_chance(world, 500) && scenario->config->system_identifier == 0;
    scenario->wire.connect_lost = sim_pick(world, 0, 200);
    scenario->wire.connect_no_memory = sim_pick(world, 0, 100);
    scenario->wire.send_lost = sim_pick(world, 0, 50);
    scenario->wire.answer_lost = sim_chance(world, 50) ? 50 : sim_pick(world, 0, 30);
    scenario->wire.cancel_lost = sim_pick(world, 0, 500);
    scenario->wire.cancel_stuck = sim_pick(world, 0, 300);
    scenario->wire.part_lost = (unsigned)sim_between(world, 0, 300);
    if (sim_chance(world, 150)) {
        struct sim_server *server = &scenario->servers[sim_between(world, 0, scenario->wire.n_servers - 1)];
        server->condition = SIM_ABSENT;
    }
}

static void reload_with(struct scenario *scenario, bool fewer)
{
    pqr_error error;
    if (scenario->load.closing_us > 0 || scenario->load.closed)
        return;
    scenario->checks.config = fewer ? scenario->fewer : scenario->config; /* counts from now on */
    scenario->checks.in_call++;
    int status = pqr_router_reload(scenario->load.router, scenario->checks.config, &error);
    scenario->checks.in_call--;
    sim_trace(&scenario->world, "reload with %s: %d", fewer ? "one server less" : "all servers", status);
    if (status != 0)
        sim_fail(&scenario->world, "pqr_router_reload answers %d: %s", status, error.message);
    scenario->has_fewer = fewer;
    for (uint32_t i = 0; i < scenario->wire.n_servers; i++)
        sim_server_disturbed(&scenario->servers[i]);
}

static void next_reload(struct scenario *scenario);

static void reload_now(struct scenario *scenario, bool fewer, unsigned hurts)
{
    reload_with(scenario, fewer);
    if (scenario->chaos.interval_us > 0 && sim_chance(&scenario->world, hurts))
        sim_chaos_hurt_probes(&scenario->chaos); /* there may be no room for others now */
    next_reload(scenario);
}

static void reload(void *context)
{
    struct scenario *scenario = context;
    reload_now(scenario, sim_chance(&scenario->world, 500), 600);
}

static void reload_fewer(void *context)
{
    reload_now(context, true, 1000);
}

/* In the middle of much that takes its time, of which a lower limit is no more than a part. */
static void rush(void *context)
{
    struct scenario *scenario = context;
    struct sim_world *world = &scenario->world;
    sim_load_rush(&scenario->load);
    sim_alarm_set(
        world, &scenario->reload, world->now_us + sim_skewed(world, 1000, 30000), reload_fewer, scenario);
}

static void next_reload(struct scenario *scenario)
{
    struct sim_world *world = &scenario->world;
    bool in_a_rush = !scenario->has_fewer && sim_chance(world, 400);
    sim_alarm_set(world, &scenario->reload, world->now_us + sim_skewed(world, 100, 1000000),
        in_a_rush ? rush : reload, scenario);
}

static void heal(void *context)
{
    struct scenario *scenario = context;
    sim_alarm_clear(&scenario->world, &scenario->reload);
    if (scenario->has_fewer)
        reload_with(scenario, false);
    sim_load_calm(&scenario->load);
    sim_chaos_heal(&scenario->chaos);
}

static void prove(void *context)
{
    struct scenario *scenario = context;
    sim_trace(&scenario->world, "now everything has to succeed");
    sim_load_prove_ready(&scenario->load);
    sim_load_prove_life(&scenario->load);
}

static void end(void *context)
{
    struct scenario *scenario = context;
    sim_alarm_clear(&scenario->world, &scenario->reload);
    sim_load_close(&scenario->load);
}

/* Many come for the same pages, on a day that is not too bad: what flies together needs a history first. */
static void make_readers(struct scenario *scenario)
{
    struct sim_world *world = &scenario->world;
    struct sim_load *load = &scenario->load;
    load->repeats = 950;
    if (sim_chance(world, 500)) { /* the catalog is read by then, and nothing outdates it */
        load->repeats = 1000;
        load->delay_us = sim_skewed(world, 0, 1000000);
    }
    load->bursts = 700;
    load->budget = sim_pick(world, 200, 1500);
    load->interval_us = sim_skewed(world, 1000, 50000);
    scenario->chaos.interval_us *= 5;
    scenario->wire.send_lost /= 5;
    scenario->wire.answer_lost /= 5;
}

/* Much is to be all or nothing, and what says so is lost: each end of a COMMIT needs many of them. */
static void make_committers(struct scenario *scenario)
{
    struct sim_world *world = &scenario->world;
    scenario->load.units = 900;
    scenario->load.budget = sim_pick(world, 50, 300);
    scenario->load.interval_us = sim_skewed(world, 20000, 300000); /* or most find the queue full */
    scenario->load.delay_us = sim_skewed(world, 0, 1000000);
    if (scenario->chaos.interval_us == 0)
        return;
    scenario->chaos.interval_us *= 3;
    scenario->wire.commit_lost = (unsigned)sim_between(world, 100, 500);
    scenario->wire.answer_lost = (unsigned)sim_between(world, 0, 10); /* of COMMITs up to 600 */
}

static void make_load(struct scenario *scenario, const struct sim_options *options)
{
    struct sim_world *world = &scenario->world;
    const struct pqr_config *config = scenario->config;
    struct sim_load *load = &scenario->load;
    sim_load_init(load, world, &scenario->checks, &scenario->ledger, config);
    load->memory_fails = options->fail_at > 0;
    for (uint32_t i = 0; i < config->n_servers; i++)
        load->standbys += !scenario->servers[i].foreign;
    load->standbys--; /* the primary */
    load->keeps_open = config->pool.admin_reserved > 0;
    load->budget = sim_pick(world, 10, sim_chance(world, 100) ? 1000 : 300);
    if (sim_chance(world, 600)) {
        load->repeats = sim_pick(world, 100, 1000);
        load->bursts = sim_pick(world, 50, 500);
    }
    load->interval_us = sim_skewed(world, 1000, 200000);
    load->siege = sim_chance(world, 60);
    if (sim_chance(world, 400))
        load->streams = sim_pick(world, 20, 800);
    if (!load->siege && sim_chance(world, 600))
        load->causal = sim_pick(world, 100, 900);
    if (!load->siege && sim_chance(world, 400))
        make_readers(scenario);
    else if (!load->siege && sim_chance(world, 400))
        make_committers(scenario);
    if (scenario->fewer && !load->siege && sim_chance(world, 300))
        next_reload(scenario);
    bool dies_young = !load->siege && sim_chance(world, 400);
    uint64_t work_us = sim_skewed(world, 100, dies_young ? 500000 : 8000000);
    if (load->siege) {
        work_us = sim_load_patience_us(config) * 4;
        scenario->chaos.interval_us = 0;
    }
    if (dies_young) {
        load->close_chance = sim_chance(world, 300) ? sim_pick(world, 0, 200) : 0;
        sim_alarm_set(world, &scenario->end, world->now_us + work_us, end, scenario);
        return;
    }
    uint64_t rest_us = config->pool.connect_timeout_us + 3 * config->pool.backoff_max_us +
                       3 * config->probe.interval_us + 2 * config->probe.timeout_us +
                       config->transaction.idle_timeout_us + config->request.cancel_grace_us + 2000000;
    if (config->catalog.load) /* a question whose server was stopped is given up after so long */
        rest_us += 5000000;
    sim_alarm_set(world, &scenario->heal, world->now_us + work_us, heal, scenario);
    if (!(options->fail_on && options->fail_at > 0))
        sim_alarm_set(world, &scenario->prove, world->now_us + work_us + rest_us, prove, scenario);
    sim_alarm_set(world, &scenario->end, world->now_us + work_us + rest_us + 13000000, end, scenario);
}

/* --- Running --------------------------------------------------------------------------------------------- */

static void check_going_down(const struct scenario *scenario)
{
    const struct sim_load *load = &scenario->load;
    if (load->closing_us == 0 || scenario->wire.gone)
        return;
    uint64_t limit_us =
        load->closing_us + load->drain_us + scenario->config->request.cancel_grace_us + DOWN_US;
    if (scenario->world.now_us > limit_us)
        sim_fail(&scenario->world, "the router does not come to its end, %u connections are left",
            scenario->wire.conns.count);
}

/* For good: no connection can be opened in place of one that ended. */
static bool out_of_memory(void)
{
    return sim_heap.fail_on && sim_heap.fail_at > 0 && sim_heap.calls >= sim_heap.fail_at;
}

/* These days are too short for it to be learned. */
static void set_breadth(struct scenario *scenario)
{
    if (scenario->breadth == 0 || scenario->load.closed)
        return;
    struct pqr__breadth *breadth = scenario->load.router->breadth;
    for (int role = PQR_ROLE_PRIMARY; role <= PQR_ROLE_REPLICA; role++) {
        breadth[role].limit = scenario->breadth;
        breadth[role].crowded = 1;
        scenario->load.router->breadth_now[role] = scenario->breadth;
    }
}

static void live(struct scenario *scenario)
{
    struct sim_world *world = &scenario->world;
    while (!scenario->wire.gone && sim_world_step(world)) {
        if (!scenario->wire.gone)
            set_breadth(scenario);
        sim_load_step(&scenario->load, out_of_memory() ? UINT64_MAX : sim_chaos_quiet_us(&scenario->chaos));
        check_going_down(scenario);
        if (world->steps > MAX_STEPS)
            sim_fail(world, "%u steps and no end", (unsigned)MAX_STEPS);
    }
    if (!scenario->wire.gone)
        sim_fail(world, "nothing is left to happen, and the router is not closed");
    if (!scenario->load.closed)
        sim_fail(world, "promise 1: the router is gone, its close callback was not run");
    /* What the servers still do tells whether outcomes were true. */
    scenario->chaos.interval_us = 0;
    sim_chaos_finish(&scenario->chaos);
    uint64_t until_us = world->now_us + 60000000;
    while (world->n_queued > 0 && world->queue[1]->at_us <= until_us)
        sim_world_step(world);
}

/* No SQL text, one line at a time. */
static void logged(void *data, pqr_log_level level, const char *text)
{
    struct scenario *scenario = data;
    sim_trace(&scenario->world, "log %s: %s", pqr_log_level_name(level), text);
    bool configured = strstr(text, "statements.warm_up") != NULL; /* texts of the configuration, no values */
    bool sql = strstr(text, "where k") || strstr(text, "values (") || strstr(text, "value ");
    if (strchr(text, '\n') || (sql && !configured))
        sim_fail(&scenario->world, "a log line that must not be: %s", text);
    if (scenario->checks.in_call == 0 && sim_chance(&scenario->world, 100))
        sim_load_act(&scenario->load);
}

static void role_changed(void *data, const char *server, pqr_role from, pqr_role to)
{
    struct scenario *scenario = data;
    sim_trace(&scenario->world, "%s: %s -> %s", server, pqr_role_name(from), pqr_role_name(to));
    sim_check_callback(&scenario->checks);
    if (from == to || scenario->load.closed)
        sim_fail(&scenario->world, "a change of role that is none");
    sim_load_act(&scenario->load);
}

static void pressed(void *data, const pqr_pressure *pressure)
{
    struct scenario *scenario = data;
    pqr_pressure now = PQR_PRESSURE_INIT;
    sim_trace(&scenario->world, "pressure: %s", pqr_pressure_name(pressure->level));
    sim_check_callback(&scenario->checks);
    if (scenario->pressure == pressure->level || scenario->load.closed)
        sim_fail(&scenario->world, "a change of pressure that is none");
    scenario->pressure = pressure->level;
    if (pqr_router_pressure(scenario->load.router, &now) != 0 || now.level != pressure->level)
        sim_fail(&scenario->world, "the pressure is told as %s and read as %s",
            pqr_pressure_name(pressure->level), pqr_pressure_name(now.level));
    sim_load_act(&scenario->load);
}

static bool start(struct scenario *scenario, const struct sim_options *options)
{
    pqr_router *router = NULL;
    pqr_error error;
    pqr_callbacks callbacks = PQR_CALLBACKS_INIT;
    callbacks.data = scenario;
    callbacks.role_change = role_changed;
    callbacks.pressure = pressed;
    if (sim_chance(&scenario->world, 100)) {
        callbacks.log = logged;
        callbacks.log_level = PQR_LOG_DEBUG;
    }
    scenario->checks.in_call++;
    int status = pqr__router_create(&router, scenario->config, &callbacks, scenario->world.seed, &error);
    scenario->checks.in_call--;
    if (status != 0) {
        if (status != PQR_ENOMEM || options->fail_at == 0)
            sim_fail(&scenario->world, "pqr__router_create answers %d: %s", status, error.message);
        return false;
    }
    scenario->wire.transport.events = &pqr__router_events;
    scenario->wire.transport.router = router;
    sim_load_start(&scenario->load, router);
    sim_chaos_start(&scenario->chaos);
    scenario->checks.in_call++;
    pqr__router_start(router, &scenario->wire.transport);
    scenario->checks.in_call--;
    return true;
}

static void run(struct scenario *scenario, const struct sim_options *options)
{
    scenario->checks = (struct sim_checks){
        .world = &scenario->world, .ledger = &scenario->ledger, .config = scenario->config};
    sim_wire_init(&scenario->wire, &scenario->world, &scenario->checks);
    make_servers(scenario);
    make_mishaps(scenario);
    make_load(scenario, options);
    scenario->breadth = scenario->world.seed % 3 == 0 ? (uint32_t)(1 + scenario->world.seed / 3 % 3) : 0;
    if (start(scenario, options)) {
        live(scenario);
        sim_load_verify(&scenario->load);
    }
    sim_texts_finish(&scenario->load.texts);
    sim_chaos_finish(&scenario->chaos);
    sim_wire_finish(&scenario->wire);
    for (uint32_t i = 0; i < scenario->wire.n_servers; i++)
        sim_server_finish(&scenario->servers[i]);
}

static void add_flights(struct sim_flights *sum, const struct sim_flights *flights)
{
    sum->groups += flights->groups;
    sum->members += flights->members;
    sum->largest = flights->largest > sum->largest ? flights->largest : sum->largest;
    sum->on_primary += flights->on_primary;
    sum->mixed += flights->mixed;
    sum->behind += flights->behind;
    sum->writes_behind += flights->writes_behind;
    sum->wholes += flights->wholes;
    sum->implicit += flights->implicit;
    sum->begins += flights->begins;
    sum->begun_again += flights->begun_again;
    sum->refused += flights->refused;
    sum->batches += flights->batches;
    sum->batches_ok += flights->batches_ok;
    sum->aborted += flights->aborted;
    sum->hit += flights->hit;
    sum->apart += flights->apart;
    sum->prepared += flights->prepared;
    sum->by_name += flights->by_name;
    sum->stale += flights->stale;
    sum->stale_writes += flights->stale_writes;
    sum->stale_in_group += flights->stale_in_group;
    sum->stale_in_tx += flights->stale_in_tx;
    sum->tokens += flights->tokens;
    sum->asked += flights->asked;
    sum->after += flights->after;
    sum->after_on_standby += flights->after_on_standby;
    sum->checked += flights->checked;
    sum->missed += flights->missed;
    sum->parts += flights->parts;
    sum->in_parts += flights->in_parts;
    sum->enough += flights->enough;
    sum->parts_lost += flights->parts_lost;
    sum->parts_again += flights->parts_again;
}

static void summarise(const struct scenario *scenario, struct sim_summary *summary)
{
    summary->steps += scenario->world.steps;
    summary->allocations = sim_heap.calls;
    summary->requests += scenario->load.n_requests;
    add_flights(&summary->flights, &scenario->checks.flights);
    for (size_t i = 0; i < scenario->load.n_requests; i++)
        summary->ok += scenario->load.requests[i]->status == PQR_STATUS_OK;
}

void sim_scenario_run(uint64_t seed, const struct sim_options *options, struct sim_summary *summary)
{
    struct scenario *scenario = sim_alloc(sizeof(*scenario));
    struct sim_world *world = &scenario->world;
    sim_world_init(world, seed);
    world->trace = options->trace;
    world->replay = options->replay ? options->replay : "";
    sim_heap_reset(options->fail_at, options->fail_on);
    int status = sim_vary(
        world, (uint32_t)sim_between(world, 1, SIM_MAX_SERVERS), &scenario->config, &scenario->fewer);
    if (status == 0)
        run(scenario, options);
    else if (status != PQR_ENOMEM || options->fail_at == 0)
        sim_fail(world, "pqr_config_conninfo answers %d", status);
    pqr_config_free(scenario->fewer);
    pqr_config_free(scenario->config);
    if (sim_heap.blocks != 0)
        sim_fail(world, "promise 9: %lld blocks of memory are left", (long long)sim_heap.blocks);
    if (sim_results != 0)
        sim_fail(world, "promise 9: %lld results are left", (long long)sim_results);
    summarise(scenario, summary);
    sim_load_finish(&scenario->load);
    sim_ledger_finish(&scenario->ledger);
    sim_world_finish(world);
    free(scenario);
}
