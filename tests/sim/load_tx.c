/* Transactions: bodies that send all at once or one after the other, commit, roll back, do both, or forget to. */
#include <stdlib.h>
#include <string.h>

#include "load.h"

static void go_on(struct sim_attempt *attempt);

/* --- Ending ---------------------------------------------------------------------------------------------- */

static void ask_end(struct sim_attempt *attempt, bool commit)
{
    struct sim_load *load = attempt->tx->request->load;
    if (!attempt->tx->handle)
        return;
    bool ending = attempt->commit_asked || attempt->rollback_asked;
    load->checks->in_call++;
    int status = commit ? pqr_tx_commit(attempt->tx->handle) : pqr_tx_rollback(attempt->tx->handle);
    load->checks->in_call--;
    sim_trace(load->world, "%s of attempt %u -> %d", commit ? "commit" : "rollback", attempt->number, status);
    if (ending && status == 0)
        sim_fail(load->world, "a transaction ends twice");
    attempt->commit_asked |= status == 0 && commit;
    attempt->rollback_asked |= status == 0 && !commit;
}

/* --- Statements ------------------------------------------------------------------------------------------ */

/* It ended before it was sent: the attempt can't come to its end without it. */
static bool is_missing(const struct sim_request *request)
{
    return request->entry->sends == 0 &&
           (request->status == PQR_STATUS_TIMEOUT || request->status == PQR_STATUS_CANCELLED);
}

static void statement_answered(pqr_reply *reply, void *data)
{
    struct sim_request *request = data;
    struct sim_attempt *attempt = request->attempt;
    struct sim_load *load = request->load;
    sim_request_answered(request, reply);
    sim_verify_query(request, reply);
    sim_verify_after(load, &attempt->tx->request->after, reply);
    if (attempt->number != attempt->tx->n_attempts || attempt->tx->request->callbacks > 0)
        sim_fail(load->world, "a statement of an attempt that is over is answered");
    attempt->owner.missing |= is_missing(request);
    attempt->owner.shown |= request->entry->sends > 0 || attempt->owner.missing;
    attempt->n_open--;
    attempt->failed |= request->status != PQR_STATUS_OK;
    if (attempt->chained || (attempt->failed && sim_chance(load->world, 500 + load->units / 2)))
        go_on(attempt);
    sim_load_act(load);
}

static void run_statement(struct sim_attempt *attempt, bool rescue)
{
    struct sim_load *load = attempt->tx->request->load;
    if (attempt->n_statements == SIM_MAX_STATEMENTS || !attempt->tx->handle)
        return;
    struct sim_entry *entry = rescue ? sim_ledger_add(load->ledger, SIM_RESCUE, SIM_FINE)
                                     : sim_entry_random(load, attempt->tx->request->admin, attempt->tx);
    entry->in_tx = true;
    entry->owner = &attempt->owner;
    entry->replica_allowed = attempt->tx->on_replica;
    pqr_query query = PQR_QUERY_INIT;
    struct sim_inputs inputs;
    sim_inputs_init(&inputs, &query, entry);
    query.flags = sim_chance(load->world, 300) ? PQR_IDEMPOTENT : 0;
    entry->idempotent = query.flags != 0;
    query.timeout_ms = sim_chance(load->world, 400) ? 0 : (uint32_t)sim_skewed(load->world, 1, 1000);
    struct sim_request *request = sim_request_new(load);
    request->entry = entry;
    request->attempt = attempt;
    sim_parts_random(request, &query);
    load->checks->in_call++;
    int status = pqr_tx_query(attempt->tx->handle, &query, statement_answered, request);
    load->checks->in_call--;
    sim_inputs_finish(&inputs);
    sim_trace(load->world, "statement %llu of attempt %u: %s -> %d", (unsigned long long)entry->nonce,
        attempt->number, sim_kind_name(entry->kind), status);
    if (status == 0) {
        attempt->statements[attempt->n_statements++] = request;
        attempt->n_open++;
        /* By default the transaction's own timeout is enough. */
        sim_request_accepted(request, query.timeout_ms ? query.timeout_ms : UINT32_MAX);
        return;
    }
    if (status != PQR_ECLOSED && !(status == PQR_ENOMEM && load->memory_fails))
        sim_fail(load->world, "pqr_tx_query answers %d", status);
    entry->answered = true;
    entry->owner = NULL;
    load->n_requests--;
    free(request);
}

static void go_on(struct sim_attempt *attempt)
{
    const struct sim_load *load = attempt->tx->request->load;
    struct sim_world *world = load->world;
    if (attempt->failed && sim_chance(world, 500 + load->units / 4)) {
        attempt->failed = false;
        attempt->chained = true;
        run_statement(attempt, true);
        return;
    }
    if (attempt->failed) {
        ask_end(attempt, sim_chance(world, 300));
        return;
    }
    if (attempt->plan_statements > 0) {
        attempt->plan_statements--;
        run_statement(attempt, false);
        return;
    }
    if (attempt->ends)
        ask_end(attempt, attempt->commits);
}

/* --- Bodies ---------------------------------------------------------------------------------------------- */

static void check_attempt(struct sim_tx *tx, unsigned number)
{
    struct sim_load *load = tx->request->load;
    sim_check_callback(load->checks);
    if (number != tx->n_attempts + 1 || number > tx->max_attempts)
        sim_fail(load->world, "the body is run as attempt %u after %u of %u", number, tx->n_attempts,
            tx->max_attempts);
    if (tx->request->callbacks > 0 || load->closed)
        sim_fail(load->world, "promise 1: the body is run after the transaction is over");
    if (number == 1)
        return;
    const struct sim_attempt *last = tx->attempts[number - 2];
    if (last->n_open > 0)
        sim_fail(load->world, "the body is run again with %u statements unanswered", last->n_open);
    if (last->owner.commit_sent && !last->owner.commit_failed)
        sim_fail(load->world, "promise 4: the body is run again, but may have been committed");
}

static void body(pqr_tx *handle, unsigned number, void *data)
{
    struct sim_request *request = data;
    struct sim_tx *tx = request->tx;
    struct sim_world *world = request->load->world;
    sim_trace(world, "body, attempt %u", number);
    check_attempt(tx, number);
    struct sim_attempt *attempt = sim_alloc(sizeof(*attempt));
    attempt->tx = tx;
    attempt->owner.transaction = true;
    attempt->number = number;
    tx->attempts[tx->n_attempts++] = attempt;
    tx->handle = handle;
    attempt->plan_statements = (unsigned)sim_between(world, 0, 4);
    attempt->chained = sim_chance(world, 500 + tx->request->load->units / 3);
    attempt->commits = sim_chance(world, 800);
    attempt->ends = sim_chance(world, 930);
    if (attempt->chained && attempt->plan_statements > 0) {
        go_on(attempt);
    } else {
        for (; attempt->plan_statements > 0; attempt->plan_statements--)
            run_statement(attempt, false);
        if (attempt->ends)
            ask_end(attempt, attempt->commits);
    }
    sim_load_act(tx->request->load);
}

static void tx_answered(pqr_reply *reply, void *data)
{
    struct sim_request *request = data;
    struct sim_tx *tx = request->tx;
    tx->handle = NULL;
    sim_request_answered(request, reply);
    if (tx->n_attempts > 0 && tx->attempts[tx->n_attempts - 1]->n_open > 0)
        sim_fail(request->load->world, "a transaction is over with %u statements unanswered",
            tx->attempts[tx->n_attempts - 1]->n_open);
    sim_verify_tx(request);
    sim_verify_token(request, reply);
    sim_load_act(request->load);
}

void sim_tx_random(struct sim_load *load)
{
    struct sim_world *world = load->world;
    struct sim_request *request = sim_request_new(load);
    struct sim_tx *tx = sim_alloc(sizeof(*tx));
    request->tx = tx;
    request->queued = true;
    tx->request = request;
    tx->read_only = sim_chance(world, 200);
    tx->on_replica = tx->read_only && sim_chance(world, 700);
    pqr_tx_options options = PQR_TX_OPTIONS_INIT;
    options.read_only = tx->read_only;
    if (tx->on_replica)
        options.target = sim_chance(world, 500) ? PQR_TARGET_REPLICA : PQR_TARGET_REPLICA_ONLY;
    options.isolation = (pqr_isolation)sim_between(world, 0, PQR_SERIALIZABLE);
    options.deferrable = tx->read_only && options.isolation == PQR_SERIALIZABLE && sim_chance(world, 500);
    options.label = sim_chance(world, 500) ? "a transaction" : NULL;
    options.flags = sim_chance(world, 150) ? PQR_ADMIN : 0;
    request->admin = options.flags != 0;
    sim_token_random(request, &options.flags, &options.after);
    request->needs_replica = options.target == PQR_TARGET_REPLICA_ONLY;
    options.timeout_ms = sim_timeout_random(load);
    options.max_attempts = (unsigned)sim_between(world, 0, 4);
    tx->max_attempts = options.max_attempts ? options.max_attempts : load->config->transaction.max_attempts;
    load->checks->in_call++;
    int status = pqr_tx_run(&request->id, load->router, &options, body, tx_answered, request);
    load->checks->in_call--;
    sim_trace(world, "transaction, target %d, timeout %u ms -> %d", (int)options.target, options.timeout_ms,
        status);
    if (status == 0) {
        sim_request_accepted(request, options.timeout_ms);
        return;
    }
    if (!(status == PQR_ECLOSED && load->closing_us) && !(status == PQR_ENOMEM && load->memory_fails))
        sim_fail(world, "pqr_tx_run answers %d", status);
    load->n_requests--;
    free(tx);
    free(request);
}

void sim_tx_poke(struct sim_load *load)
{
    for (size_t i = 0; i < load->n_requests; i++) {
        struct sim_tx *tx = load->requests[i]->tx;
        if (!tx || !tx->handle || sim_chance(load->world, 500))
            continue;
        struct sim_attempt *attempt = tx->attempts[tx->n_attempts - 1];
        if (sim_chance(load->world, 500))
            run_statement(attempt, false);
        else
            ask_end(attempt, sim_chance(load->world, 500));
        return;
    }
}
