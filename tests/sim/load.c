#include "load.h"

#include <stdlib.h>
#include <string.h>

#include "base/wheel.h"
#include "config/config.h"

enum { PROOF_MS = 4000 };

void sim_load_init(struct sim_load *load, struct sim_world *world, struct sim_checks *checks,
    struct sim_ledger *ledger, const struct pqr_config *config)
{
    *load = (struct sim_load){.world = world,
        .checks = checks,
        .ledger = ledger,
        .config = config,
        .interval_us = 20000,
        .budget = 30};
    pqr__list_init(&load->open);
    sim_texts_init(&load->texts, world);
}

/* --- Requests ------------------------------------------------------------------------------------------ */

struct sim_request *sim_request_new(struct sim_load *load)
{
    if (load->n_requests == load->capacity) {
        load->capacity = load->capacity ? 2 * load->capacity : 64;
        struct sim_request **grown = sim_alloc(load->capacity * sizeof(*grown));
        if (load->requests)
            memcpy(grown, load->requests, load->n_requests * sizeof(struct sim_request *));
        free(load->requests);
        load->requests = grown;
    }
    struct sim_request *request = sim_alloc(sizeof(*request));
    request->load = load;
    load->requests[load->n_requests++] = request;
    return request;
}

void sim_request_accepted(struct sim_request *request, uint32_t timeout_ms)
{
    struct sim_load *load = request->load;
    uint64_t now_us = load->world->now_us, limit_us = timeout_ms * UINT64_C(1000);
    if (timeout_ms == 0)
        limit_us = load->config->request.timeout_us;
    request->accepted_us = request->waiting_us = now_us;
    request->deadline_us = timeout_ms == UINT32_MAX || limit_us == 0 ? PQR__NEVER : now_us + limit_us;
    if (request->entry)
        request->entry->deadline_us = request->deadline_us;
    pqr__list_push_back(&load->open, &request->link);
}

void sim_request_answered(struct sim_request *request, pqr_reply *reply)
{
    struct sim_load *load = request->load;
    struct sim_world *world = load->world;
    sim_check_callback(load->checks);
    unsigned long long number = request->entry ? (unsigned long long)request->entry->nonce : 0;
    request->status = pqr_reply_status(reply);
    request->outcome = pqr_reply_outcome(reply);
    sim_trace(world, "answer %s %llu: %s, %s, '%s' %s (%s)", request->tx ? "transaction" : "request", number,
        pqr_status_name(request->status), pqr_outcome_name(request->outcome), pqr_reply_sqlstate(reply),
        pqr_reply_error(reply), pqr_reply_reason(reply));
    if (++request->callbacks > 1)
        sim_fail(world, "promise 1: a second callback of request %llu", number);
    if (load->closed)
        sim_fail(world, "promise 1: a callback of request %llu after closed", number);
    request->answered_us = world->now_us;
    pqr__list_remove(&load->open, &request->link);
    if (request->entry)
        request->entry->answered = true;
}

void sim_request_given_up(struct sim_request *request)
{
    if (request->cancelled_us == 0)
        request->cancelled_us = request->load->world->now_us;
    if (request->entry)
        request->entry->given_up = true;
    for (unsigned i = 0; !request->entry && request->of_batch && i < request->of_batch->n; i++)
        sim_request_given_up(request->of_batch->queries[i]);
}

/* --- Rows in parts --------------------------------------------------------------------------------------- */

static int part_shown(pqr_reply *part, void *data)
{
    struct sim_request *request = data;
    struct sim_load *load = request->load;
    struct sim_flights *seen = &load->checks->flights;
    sim_verify_part(request, part);
    seen->in_parts += request->entry->parts_seen == 1;
    seen->parts++;
    if (sim_chance(load->world, 100))
        sim_result_free(pqr_reply_take(part));
    if (sim_chance(load->world, 300))
        sim_load_act(load);
    if (!sim_chance(load->world, 60))
        return 0;
    seen->enough++;
    request->enough = true;
    sim_request_given_up(request);
    return 1;
}

void sim_parts_random(struct sim_request *request, pqr_query *query)
{
    if (!sim_chance(request->load->world, request->load->streams))
        return;
    query->rows = part_shown;
    query->rows_at_once = (uint32_t)sim_skewed(request->load->world, 0, 1000000);
    request->entry->in_parts = true;
    request->queued = request->queued && request->entry->kind != SIM_SEVERAL;
}

/* --- Queries ---------------------------------------------------------------------------------------------- */

static void query_answered(pqr_reply *reply, void *data)
{
    struct sim_request *request = data;
    sim_request_answered(request, reply);
    sim_verify_query(request, reply);
    sim_verify_token(request, reply);
    sim_verify_after(request->load, &request->after, reply);
    if (sim_chance(request->load->world, 100) && request->status == PQR_STATUS_OK)
        sim_result_free(pqr_reply_take(reply));
    if (request->must_succeed)
        sim_load_prove_life(request->load);
    else
        sim_load_act(request->load);
}

static void run_query(struct sim_load *load, struct sim_entry *entry, pqr_query *query, bool must_succeed)
{
    struct sim_world *world = load->world;
    struct sim_request *request = sim_request_new(load);
    request->entry = entry;
    request->admin = (query->flags & PQR_ADMIN) != 0;
    request->batch = (query->flags & PQR_BATCH) != 0;
    request->must_succeed = must_succeed;
    request->needs_replica = query->target == PQR_TARGET_REPLICA_ONLY;
    request->queued = entry->kind != SIM_SESSION && entry->kind != SIM_COPY && entry->kind != SIM_CONTROL;
    if (!must_succeed)
        sim_parts_random(request, query);
    if (!must_succeed)
        sim_token_random(request, &query->flags, &query->after);
    entry->causal = query->after != NULL;
    entry->owner = &request->owner;
    entry->idempotent = (query->flags & PQR_IDEMPOTENT) != 0;
    entry->alone = (query->flags & (PQR_ALONE | PQR_TOKEN)) != 0;
    entry->pipelined = (query->flags & PQR_PIPELINE) != 0;
    entry->replica_allowed = entry->kind == SIM_HIDDEN || query->target == PQR_TARGET_ANY ||
                             query->target == PQR_TARGET_REPLICA || query->target == PQR_TARGET_REPLICA_ONLY;
    struct sim_inputs inputs;
    sim_inputs_init(&inputs, query, entry);
    load->checks->in_call++;
    int status = pqr_query_run(&request->id, load->router, query, query_answered, request);
    load->checks->in_call--;
    sim_inputs_finish(&inputs);
    sim_trace(world, "request %llu: %s, target %d, timeout %u ms, flags %x -> %d",
        (unsigned long long)entry->nonce, sim_kind_name(entry->kind), (int)query->target, query->timeout_ms,
        query->flags, status);
    if (status == 0) {
        sim_request_accepted(request, query->timeout_ms);
        return;
    }
    bool refused = status == PQR_ECLOSED ? load->closing_us != 0 : status == PQR_ENOMEM && load->memory_fails;
    if (!refused)
        sim_fail(world, "pqr_query_run answers %d", status);
    entry->answered = true;
    load->n_requests--;
    entry->owner = NULL;
    free(request);
}

static uint32_t random_flags(struct sim_world *world, bool often)
{
    uint32_t flags = (sim_chance(world, often ? 50 : 150) ? PQR_ADMIN : 0) |
                     (sim_chance(world, 100) ? PQR_IDEMPOTENT : 0) | (sim_chance(world, 50) ? PQR_ALONE : 0) |
                     (sim_chance(world, 150) ? PQR_PIPELINE : 0);
    return !(flags & PQR_ADMIN) && sim_chance(world, 150) ? flags | PQR_BATCH : flags;
}

static void random_query(struct sim_load *load)
{
    struct sim_world *world = load->world;
    pqr_query query = PQR_QUERY_INIT;
    query.flags = random_flags(world, false);
    query.timeout_ms = sim_timeout_random(load);
    query.label = sim_chance(world, 300) ? "a label" : NULL;
    struct sim_entry *entry = sim_entry_random(load, (query.flags & PQR_ADMIN) != 0, NULL);
    if (sim_chance(world, 250))
        query.target = (pqr_target)sim_between(world, 0, PQR_TARGET_ANY);
    run_query(load, entry, &query, false);
}

/* A page that needs many rows: what comes at once flies together. */
static void burst(struct sim_load *load)
{
    struct sim_world *world = load->world;
    pqr_target target =
        sim_chance(world, 700) ? PQR_TARGET_AUTO : (pqr_target)sim_between(world, 0, PQR_TARGET_ANY);
    bool one = sim_chance(world, 300); /* text, again and again: the primary groups nothing else */
    struct sim_text *text = NULL;
    bool reads = sim_chance(world, load->config->writes.pipeline ? 500 : 850);
    unsigned mostly = reads ? 1u << SIM_READ : 1u << SIM_WRITE | 1u << SIM_CALL;
    for (uint64_t n = sim_skewed(world, 2, 30); n > 0 && load->budget > 0 && load->router; n--) {
        pqr_query query = PQR_QUERY_INIT;
        query.flags = random_flags(world, true);
        query.timeout_ms = sim_chance(world, 800) ? 0 : sim_timeout_random(load);
        query.target = sim_chance(world, 900) ? target : PQR_TARGET_AUTO;
        if (!one || !text)
            text = sim_texts_pick(&load->texts, sim_chance(world, 800) ? mostly : ~0u);
        load->budget--;
        if (text)
            run_query(load, sim_text_entry(&load->texts, text, load->ledger), &query, false);
    }
}

/* --- What an application does --------------------------------------------------------------------------- */

static void random_cancel(struct sim_load *load)
{
    if (load->n_requests == 0 || load->siege)
        return;
    struct sim_request *request = load->requests[sim_between(load->world, 0, load->n_requests - 1)];
    bool open = request->callbacks == 0;
    if (request->attempt || (request->of_batch && request->entry))
        return;
    load->checks->in_call++;
    int status = pqr_request_cancel(load->router, request->id);
    load->checks->in_call--;
    sim_trace(load->world, "cancel %llu: %d", request->entry ? (unsigned long long)request->entry->nonce : 0,
        status);
    /* It may be answered already, its callback due in this turn of the loop. */
    if (open && status == PQR_ENOENT)
        request->deadline_us = load->world->now_us;
    else if (status != (open ? 0 : PQR_ENOENT))
        sim_fail(
            load->world, "cancel of a request that is %s answers %d", open ? "open" : "answered", status);
    if (open)
        sim_request_given_up(request);
}

static void is_ready(pqr_router *router, int status, const char *why, void *data)
{
    struct sim_load *load = data;
    sim_check_callback(load->checks);
    sim_trace(load->world, "ready: %d %s", status, why);
    if (router != load->router || load->closed || (status == 0) != (why[0] == '\0'))
        sim_fail(load->world, "ready calls back with %d '%s'", status, why);
    load->ready_callbacks++;
    sim_load_act(load);
}

static void is_ready_again(pqr_router *router, int status, const char *why, void *data)
{
    struct sim_load *load = data;
    (void)router;
    load->ready_callbacks++;
    if (status != 0 && load->closing_us == 0)
        sim_fail(load->world, "all is well again, and the router is not ready: %s", why);
}

static void ask_ready(struct sim_load *load)
{
    load->checks->in_call++;
    int status = pqr_router_ready(load->router, (uint32_t)sim_between(load->world, 0, 3000), is_ready, load);
    load->checks->in_call--;
    load->ready_calls += status == 0;
}

static void look_at_stats(struct sim_load *load)
{
    pqr_stats *stats = NULL;
    load->checks->in_call++;
    int status = pqr_router_stats(load->router, &stats);
    load->checks->in_call--;
    if (status != 0)
        return;
    const pqr_router_totals *totals = pqr_stats_totals(stats);
    uint32_t again = 0; /* those that flew return to the queue past its bound */
    for (uint32_t i = 0; i < load->config->n_servers; i++)
        again += load->config->servers[i].max * load->config->pool.pipeline_depth;
    uint32_t normal = totals->waiting - totals->admin_waiting - totals->batch_waiting;
    uint32_t limit = load->config->queue.max_requests + again; /* each lane has the bound for itself */
    if (normal > limit || totals->admin_waiting > limit || totals->batch_waiting > limit)
        sim_fail(load->world,
            "promise 8: %u requests, %u of administrators and %u of batch wait, %u may of each", normal,
            totals->admin_waiting, totals->batch_waiting, load->config->queue.max_requests);
    /* After a reload that lowers max there may be more, but they are there, all but the probe's. */
    for (size_t i = 0; i < totals->n_pools; i++) {
        const pqr_pool_stats *pool = pqr_stats_pool(stats, i);
        if (pool->total_connections > pool->max && pool->total_connections > load->checks->connections[i] + 1)
            sim_fail(load->world, "statistics: more connections to s%zu than max, and than there are", i);
    }
    pqr_stats_free(stats);
}

static void closed(void *data)
{
    struct sim_load *load = data;
    sim_check_callback(load->checks);
    sim_trace(load->world, "closed");
    if (load->closed)
        sim_fail(load->world, "promise 1: closed twice");
    if (load->open.count > 0)
        sim_fail(load->world, "promise 1: closed with %u requests unanswered", load->open.count);
    load->closed = true;
    load->router = NULL;
    sim_alarm_clear(load->world, &load->tick);
    sim_alarm_clear(load->world, &load->close);
}

void sim_load_close(struct sim_load *load)
{
    if (!load->router)
        return;
    uint32_t drain_ms = sim_chance(load->world, 500) ? 0 : (uint32_t)sim_skewed(load->world, 1, 3000);
    uint64_t drain_us = drain_ms * UINT64_C(1000), now_us = load->world->now_us;
    if (load->closing_us == 0 || now_us + drain_us < load->closing_us + load->drain_us) {
        load->closing_us = now_us;
        load->drain_us = drain_us;
    }
    sim_trace(load->world, "close, drain %u ms", drain_ms);
    load->checks->in_call++;
    pqr_router_close(load->router, drain_ms, closed, load);
    load->checks->in_call--;
}

void sim_load_act(struct sim_load *load)
{
    if (!load->router || load->closed)
        return;
    struct sim_world *world = load->world;
    if (sim_chance(world, load->close_chance))
        sim_load_close(load);
    if (sim_chance(world, 400) || load->budget == 0)
        return;
    load->budget--;
    uint64_t what = sim_between(world, 0, 99);
    if (what < 60 && !load->siege && sim_chance(world, load->bursts))
        burst(load);
    else if (what < 60 && !load->siege && sim_chance(world, load->units))
        sim_chance(world, 500) ? sim_tx_random(load) : sim_batch_random(load);
    else if (what < 60)
        random_query(load);
    else if (what < 68)
        sim_tx_random(load);
    else if (what < 75 && !load->siege)
        sim_batch_random(load);
    else if (what < 85)
        random_cancel(load);
    else if (what < 94)
        sim_tx_poke(load);
    else if (what < 97)
        look_at_stats(load);
    else
        ask_ready(load);
}

void sim_load_rush(struct sim_load *load)
{
    for (uint64_t n = sim_between(load->world, 2, 8); n > 0 && load->router && !load->closed; n--)
        sim_tx_random(load);
}

static void tick(void *context)
{
    struct sim_load *load = context;
    if (!load->router || load->budget == 0)
        return;
    for (uint64_t n = sim_skewed(load->world, 1, 8); n > 0; n--)
        sim_load_act(load);
    sim_alarm_set(load->world, &load->tick,
        load->world->now_us + sim_skewed(load->world, 0, load->interval_us), tick, load);
}

void sim_load_start(struct sim_load *load, pqr_router *router)
{
    load->router = router;
    sim_alarm_set(load->world, &load->tick,
        load->world->now_us + load->delay_us + sim_skewed(load->world, 0, load->interval_us), tick, load);
}

/* --- The end --------------------------------------------------------------------------------------------- */

void sim_load_calm(struct sim_load *load)
{
    load->budget = 0;
    load->close_chance = 0;
    if (!load->router)
        return;
    for (size_t i = 0; i < load->n_requests; i++) {
        struct sim_request *request = load->requests[i];
        if (request->callbacks > 0 || request->attempt || (request->of_batch && request->entry))
            continue;
        load->checks->in_call++;
        pqr_request_cancel(load->router, request->id);
        load->checks->in_call--;
        sim_request_given_up(request);
    }
}

void sim_load_prove_ready(struct sim_load *load)
{
    if (!load->router || load->closing_us > 0)
        return;
    load->checks->in_call++;
    int status = pqr_router_ready(load->router, PROOF_MS, is_ready_again, load);
    load->checks->in_call--;
    load->ready_calls += status == 0;
}

/* One after the other: the queue may be as short as one. */
void sim_load_prove_life(struct sim_load *load)
{
    static const enum sim_kind kinds[] = {SIM_READ, SIM_WRITE, SIM_WRITE};
    if (load->proofs == sizeof(kinds) / sizeof(kinds[0]) || !load->router || load->closing_us > 0)
        return;
    struct sim_entry *entry = sim_ledger_add(load->ledger, kinds[load->proofs], SIM_FINE);
    entry->service_us = 1000;
    pqr_query query = PQR_QUERY_INIT;
    query.flags = load->proofs == 2 ? PQR_ADMIN : 0;
    query.timeout_ms = PROOF_MS;
    load->proofs++;
    run_query(load, entry, &query, true);
}

void sim_load_finish(struct sim_load *load)
{
    for (size_t i = 0; i < load->n_requests; i++) {
        struct sim_request *request = load->requests[i];
        if (request->of_batch && !request->entry)
            free(request->of_batch);
        if (request->tx) {
            for (unsigned n = 0; n < request->tx->n_attempts; n++)
                free(request->tx->attempts[n]);
            free(request->tx);
        }
        free(request);
    }
    free(load->requests);
    sim_alarm_clear(load->world, &load->tick);
    sim_alarm_clear(load->world, &load->close);
}
