/* Batches: reads, or transactions that are sent as one, and what was promised about them. */
#include <stdlib.h>
#include <string.h>

#include "load.h"

static struct sim_entry *draw_text(struct sim_load *load, unsigned kinds)
{
    struct sim_text *text = sim_texts_pick(&load->texts, kinds);
    return text ? sim_text_entry(&load->texts, text, load->ledger) : NULL;
}

static struct sim_entry *draw(struct sim_load *load, bool reads)
{
    static const enum sim_kind most[] = {SIM_READ, SIM_READ, SIM_WRITE, SIM_WRITE, SIM_WRITE, SIM_FUNCTION,
        SIM_LOCK_READ, SIM_HIDDEN, SIM_SESSION};
    static const enum sim_kind others[] = {SIM_SEVERAL, SIM_CALL, SIM_ODD, SIM_COPY, SIM_CONTROL};
    struct sim_world *world = load->world;
    unsigned kinds =
        1u << SIM_READ | (reads ? 0 : 1u << SIM_WRITE | 1u << SIM_FUNCTION | 1u << SIM_LOCK_READ);
    struct sim_entry *entry = sim_chance(world, load->repeats) ? draw_text(load, kinds) : NULL;
    if (entry)
        return entry;
    enum sim_kind kind = most[sim_between(world, 0, sizeof(most) / sizeof(most[0]) - 1)];
    if (sim_chance(world, 15))
        kind = others[sim_between(world, 0, sizeof(others) / sizeof(others[0]) - 1)];
    bool plain = sim_chance(world, load->units); /* or hardly one comes as far as its COMMIT */
    if (reads)
        kind = SIM_READ;
    else if (plain)
        kind = SIM_WRITE;
    enum sim_fate fate = plain ? SIM_FINE : sim_fate_random(load, kind, false);
    entry = sim_ledger_add(load->ledger, kind, fate == SIM_ENDS_TX ? SIM_FINE : fate);
    if (kind != SIM_SEVERAL)
        entry->n_params = (int)sim_skewed(world, 0, 4);
    entry->service_us = sim_skewed(world, 100, 20000);
    return entry;
}

/* Nothing of it may be sent. */
static bool is_refused(const struct sim_batch *batch)
{
    for (unsigned i = 0; i < batch->n; i++) {
        enum sim_kind kind = batch->queries[i]->entry->kind;
        if (kind == SIM_SEVERAL || kind == SIM_CALL || kind == SIM_ODD || kind == SIM_COPY ||
            kind == SIM_CONTROL)
            return true;
    }
    return false;
}

static void add_query(struct sim_batch *batch, const pqr_batch_options *options, bool reads)
{
    struct sim_load *load = batch->load;
    struct sim_request *request = sim_request_new(load);
    struct sim_entry *entry = draw(load, reads);
    request->entry = entry;
    request->of_batch = batch;
    request->admin = (options->flags & PQR_ADMIN) != 0;
    request->batch = (options->flags & PQR_BATCH) != 0;
    entry->batch = batch;
    entry->idempotent = (options->flags & PQR_IDEMPOTENT) != 0;
    entry->replica_allowed = entry->kind == SIM_HIDDEN || options->target == PQR_TARGET_ANY ||
                             options->target == PQR_TARGET_REPLICA ||
                             options->target == PQR_TARGET_REPLICA_ONLY;
    batch->queries[batch->n++] = request;
}

static pqr_batch_options random_options(struct sim_load *load)
{
    struct sim_world *world = load->world;
    pqr_batch_options options = PQR_BATCH_OPTIONS_INIT;
    options.flags = (sim_chance(world, 100) ? PQR_ADMIN : 0) | (sim_chance(world, 100) ? PQR_IDEMPOTENT : 0);
    if (!(options.flags & PQR_ADMIN) && sim_chance(world, 150))
        options.flags |= PQR_BATCH;
    options.timeout_ms = sim_timeout_random(load);
    options.isolation = sim_chance(world, 150) ? PQR_REPEATABLE_READ : PQR_ISOLATION_DEFAULT;
    options.max_attempts = sim_chance(world, 500) ? 0 : (unsigned)sim_between(world, 1, 4);
    if (sim_chance(world, 200))
        options.target = (pqr_target)sim_between(world, 0, PQR_TARGET_ANY);
    return options;
}

/* --- What it was told ----------------------------------------------------------------------------------- */

static void check_order(const struct sim_request *request)
{
    const struct sim_batch *batch = request->of_batch;
    for (unsigned i = 0; i < batch->n; i++)
        if (request == batch->lead && batch->queries[i]->callbacks != 1)
            sim_fail(request->load->world, "promise 1: a batch is called back before its query %u", i);
    if (request != batch->lead && batch->lead->callbacks > 0)
        sim_fail(request->load->world, "promise 1: a query is called back after its batch");
}

static void query_answered(pqr_reply *reply, void *data)
{
    struct sim_request *request = data;
    sim_request_answered(request, reply);
    check_order(request);
    sim_verify_query(request, reply);
    sim_verify_after(request->load, &request->of_batch->lead->after, reply);
    if (sim_chance(request->load->world, 100) && request->status == PQR_STATUS_OK)
        sim_result_free(pqr_reply_take(reply));
    sim_load_act(request->load);
}

/* What a query may be told when the whole is a transaction. */
static bool fits(const struct sim_request *lead, const struct sim_request *query)
{
    if (lead->status == PQR_STATUS_OK)
        return query->outcome == PQR_OUTCOME_EXECUTED;
    if (lead->outcome == PQR_OUTCOME_UNKNOWN)
        return query->outcome == PQR_OUTCOME_UNKNOWN;
    bool failed = query->status == PQR_STATUS_SQL_ERROR && query->outcome == PQR_OUTCOME_EXECUTED;
    return query->outcome == PQR_OUTCOME_NOT_EXECUTED || failed;
}

static void verify_reads(const struct sim_batch *batch)
{
    const struct sim_request *bad = NULL;
    for (unsigned i = 0; i < batch->n && !bad; i++)
        if (batch->queries[i]->status != PQR_STATUS_OK)
            bad = batch->queries[i];
    if (batch->lead->status != (bad ? bad->status : PQR_STATUS_OK))
        sim_fail(batch->load->world, "a batch of reads is called %s, and the first that went wrong %s",
            pqr_status_name(batch->lead->status), bad ? pqr_status_name(bad->status) : "none");
}

struct tally {
    unsigned writes, committed, sent;
};

static struct tally tally_of(const struct sim_batch *batch)
{
    struct tally tally = {0};
    for (unsigned i = 0; i < batch->n; i++) {
        const struct sim_entry *entry = batch->queries[i]->entry;
        bool writes = sim_kind_writes(entry->kind);
        tally.writes += writes;
        tally.committed += writes && entry->committed > 0;
        tally.sent += entry->sends;
    }
    return tally;
}

static void verify_queries(const struct sim_batch *batch)
{
    const struct sim_request *lead = batch->lead;
    for (unsigned i = 0; i < batch->n; i++) {
        const struct sim_request *query = batch->queries[i];
        if (!fits(lead, query))
            sim_fail(batch->load->world, "promise 5: a batch is called %s, %s, and a query of it %s, %s",
                pqr_status_name(lead->status), pqr_outcome_name(lead->outcome),
                pqr_status_name(query->status), pqr_outcome_name(query->outcome));
        if (query->entry->committed > 1 && !query->entry->idempotent)
            sim_fail(batch->load->world, "promise 4: %llu of a batch was committed twice",
                (unsigned long long)query->entry->nonce);
    }
}

/* Promises 4 and 5: all or nothing, and what was told is so. */
static void verify_whole(const struct sim_batch *batch)
{
    const struct sim_world *world = batch->load->world;
    const struct sim_request *lead = batch->lead;
    struct tally tally = tally_of(batch);
    bool ok = lead->status == PQR_STATUS_OK, unknown = lead->outcome == PQR_OUTCOME_UNKNOWN;
    verify_queries(batch);
    if (tally.committed != 0 && tally.committed != tally.writes)
        sim_fail(
            world, "promise 5: %u of %u writes of a batch were committed", tally.committed, tally.writes);
    if (ok && tally.committed != tally.writes)
        sim_fail(world, "promise 5: a batch is ok, and was not committed");
    if (!ok && !unknown && tally.committed > 0)
        sim_fail(world, "promise 5: a batch was committed, and is called %s, %s",
            pqr_status_name(lead->status), pqr_outcome_name(lead->outcome));
    if (unknown && (tally.sent == 0 || !batch->owner.commit_sent))
        sim_fail(world, "promise 5: a batch is called unknown that was never sent");
}

void sim_verify_batch(const struct sim_batch *batch)
{
    if (batch->whole)
        verify_whole(batch);
    else
        verify_reads(batch);
}

static void answered(pqr_reply *reply, void *data)
{
    struct sim_request *lead = data;
    sim_request_answered(lead, reply);
    check_order(lead);
    sim_verify_batch(lead->of_batch);
    sim_verify_token(lead, reply);
    lead->load->checks->flights.batches++;
    lead->load->checks->flights.batches_ok += lead->of_batch->whole && lead->status == PQR_STATUS_OK;
    sim_load_act(lead->load);
}

/* --- Asking for it -------------------------------------------------------------------------------------- */

static void never_was(struct sim_batch *batch, int status)
{
    struct sim_load *load = batch->load;
    bool refused = status == PQR_ECLOSED ? load->closing_us != 0 : status == PQR_ENOMEM && load->memory_fails;
    if (!refused)
        sim_fail(load->world, "pqr_batch_run answers %d", status);
    for (unsigned i = 0; i <= batch->n; i++) {
        struct sim_request *request = load->requests[--load->n_requests];
        if (request->entry)
            request->entry->answered = true;
        if (request->entry)
            request->entry->owner = NULL;
        free(request);
    }
    free(batch);
}

static void accepted(struct sim_batch *batch, uint32_t timeout_ms)
{
    for (unsigned i = 0; i < batch->n; i++)
        sim_request_accepted(batch->queries[i], timeout_ms);
    sim_request_accepted(batch->lead, timeout_ms);
}

static void run(struct sim_batch *batch, const pqr_batch_options *options)
{
    struct sim_load *load = batch->load;
    struct sim_inputs inputs[SIM_MAX_BATCH];
    pqr_query queries[SIM_MAX_BATCH];
    pqr_batch_query list[SIM_MAX_BATCH];
    for (unsigned i = 0; i < batch->n; i++) {
        queries[i] = (pqr_query)PQR_QUERY_INIT;
        sim_inputs_init(&inputs[i], &queries[i], batch->queries[i]->entry);
        list[i] = (pqr_batch_query){&queries[i], query_answered, batch->queries[i]};
    }
    load->checks->in_call++;
    int status =
        pqr_batch_run(&batch->lead->id, load->router, options, list, batch->n, answered, batch->lead);
    load->checks->in_call--;
    for (unsigned i = 0; i < batch->n; i++)
        sim_inputs_finish(&inputs[i]);
    memset(list, 0xEE, sizeof(list));
    sim_trace(load->world, "batch of %u%s, target %d, timeout %u ms, flags %x -> %d", batch->n,
        batch->whole ? ", a transaction" : "", (int)options->target, options->timeout_ms, options->flags,
        status);
    if (status == 0)
        accepted(batch, options->timeout_ms);
    else
        never_was(batch, status);
}

void sim_batch_random(struct sim_load *load)
{
    struct sim_batch *batch = sim_alloc(sizeof(*batch));
    pqr_batch_options options = random_options(load);
    bool reads = sim_chance(load->world, 400);
    batch->load = load;
    for (uint64_t n = sim_skewed(load->world, 1, SIM_MAX_BATCH); n > 0; n--)
        add_query(batch, &options, reads);
    batch->lead = sim_request_new(load);
    batch->lead->of_batch = batch;
    batch->lead->admin = (options.flags & PQR_ADMIN) != 0;
    batch->lead->batch = (options.flags & PQR_BATCH) != 0;
    batch->lead->needs_replica = options.target == PQR_TARGET_REPLICA_ONLY;
    sim_token_random(batch->lead, &options.flags, &options.after);
    batch->lead->queued = !is_refused(batch);
    batch->whole = options.isolation != PQR_ISOLATION_DEFAULT;
    for (unsigned i = 0; i < batch->n; i++)
        batch->whole |= batch->queries[i]->entry->kind != SIM_READ;
    for (unsigned i = 0; i < batch->n; i++) {
        struct sim_request *request = batch->queries[i];
        request->entry->causal = options.after != NULL;
        request->entry->in_tx = batch->whole;
        request->entry->owner = batch->whole ? &batch->owner : &request->owner;
    }
    batch->owner.transaction = batch->whole;
    run(batch, &options);
}
