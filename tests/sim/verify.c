/* What was promised to the application about each of its requests. */
#include <stdlib.h>
#include <string.h>

#include "base/wheel.h"
#include "load.h"

/* The wheel's resolution, and a turn to act on it. */
enum { SLACK_US = 5000 };

static unsigned long long nonce_of(const struct sim_request *request)
{
    return request->entry ? (unsigned long long)request->entry->nonce : 0;
}

/* --- At the callback ------------------------------------------------------------------------------------- */

/* Promises 4 and 5: no outcome is guessed. */
static void verify_outcome(const struct sim_request *request)
{
    const struct sim_world *world = request->load->world;
    const struct sim_entry *entry = request->entry;
    const char *kind = sim_kind_name(entry->kind);
    if (entry->in_air && !entry->final)
        sim_fail(world, "promise 5: %s %llu is answered while it is in the air", kind, nonce_of(request));
    if (entry->sends == 0 && request->outcome != PQR_OUTCOME_NOT_EXECUTED)
        sim_fail(world, "promise 5: %s %llu was never sent, the outcome is called %s", kind,
            nonce_of(request), pqr_outcome_name(request->outcome));
    if (request->status == PQR_STATUS_OK && request->outcome != PQR_OUTCOME_EXECUTED)
        sim_fail(world, "promise 5: %s %llu is ok and %s", kind, nonce_of(request),
            pqr_outcome_name(request->outcome));
    if (request->status == PQR_STATUS_LOST && sim_kind_writes(entry->kind) && !entry->in_tx &&
        entry->may_have_run && request->outcome != PQR_OUTCOME_UNKNOWN)
        sim_fail(world, "promise 5: %s %llu was lost, the outcome is called %s", kind, nonce_of(request),
            pqr_outcome_name(request->outcome));
}

/* What became of its neighbours in a flight is nothing of its own. */
static void verify_own(const struct sim_request *request, const pqr_reply *reply)
{
    const struct sim_load *load = request->load;
    const struct sim_entry *entry = request->entry;
    bool ended = load->closing_us > 0 || sim_is_ended(load->checks, entry);
    /* While it waited to be run again it may have been turned away, like others that wait. */
    bool turned_away =
        request->outcome == PQR_OUTCOME_NOT_EXECUTED &&
        (request->status == PQR_STATUS_OVERLOADED || request->status == PQR_STATUS_UNAVAILABLE);
    if (entry->aborted && !entry->in_tx && !ended && !turned_away)
        sim_fail(load->world,
            "flights: %llu did not run, only its neighbour failed, and it is answered with %s",
            nonce_of(request), pqr_status_name(request->status));
    if (entry->stale && !entry->in_tx && !ended && !turned_away)
        sim_fail(load->world,
            "prepared: %llu did not run, what was kept of it had gone stale, and it is answered "
            "with %s",
            nonce_of(request), pqr_status_name(request->status));
    if (request->status == PQR_STATUS_SQL_ERROR && entry->sends > 0 && !entry->in_tx &&
        strcmp(pqr_reply_sqlstate(reply), entry->sqlstate) != 0)
        sim_fail(load->world, "flights: %llu is answered with the error '%s', its own was '%s'",
            nonce_of(request), pqr_reply_sqlstate(reply), entry->sqlstate);
}

/* Each once, in order, none after the reply, nor when it was to end. */
void sim_verify_part(struct sim_request *request, const pqr_reply *part)
{
    const struct sim_load *load = request->load;
    struct sim_entry *entry = request->entry;
    const struct pg_result *result = pqr_reply_result(part);
    unsigned long long nonce = nonce_of(request);
    sim_check_callback(load->checks);
    if (request->callbacks > 0 || load->closed)
        sim_fail(load->world, "promise 1: a part of %llu is shown after its reply", nonce);
    if (request->enough || request->cancelled_us > 0)
        sim_fail(load->world, "promise 1: a part of %llu is shown when it was to end", nonce);
    if (!result || result->nonce != entry->nonce)
        sim_fail(load->world, "promise 2: %llu is shown a part of %llu", nonce,
            result ? (unsigned long long)result->nonce : 0);
    entry->parts_seen++;
    if (strtoul(result->values[0], NULL, 10) != entry->parts_seen || entry->parts_seen != entry->parts_told)
        sim_fail(load->world, "promise 4: part %s of %llu is shown as the %u., of %u that came",
            result->values[0], nonce, entry->parts_seen, entry->parts_told);
}

void sim_verify_query(struct sim_request *request, const pqr_reply *reply)
{
    const struct sim_world *world = request->load->world;
    const struct sim_entry *entry = request->entry;
    verify_outcome(request);
    verify_own(request, reply);
    if (request->status == PQR_STATUS_OK) {
        const struct pg_result *result = pqr_reply_result(reply);
        if (!result || result->nonce != entry->nonce)
            sim_fail(world, "promise 2: %llu is answered with the result of %llu", nonce_of(request),
                result ? (unsigned long long)result->nonce : 0);
        bool done = sim_kind_writes(entry->kind) ? entry->in_tx || entry->committed > 0 : entry->tries > 0;
        if (!done)
            sim_fail(world, "promise 5: %llu is ok, but was not executed", nonce_of(request));
        if (entry->parts_seen != entry->parts_told)
            sim_fail(world, "promise 5: %llu is ok, and %u of its %u parts were shown", nonce_of(request),
                entry->parts_seen, entry->parts_told);
    }
    if (request->must_succeed && request->status != PQR_STATUS_OK)
        sim_fail(world, "all is well again, and %s %llu ends with %s: %s", sim_kind_name(entry->kind),
            nonce_of(request), pqr_status_name(request->status), pqr_reply_error(reply));
    if (request->must_succeed && entry->kind == SIM_READ && !entry->sent_to_standby &&
        request->load->standbys > 0 && request->load->keeps_open &&
        request->load->config->reads.primary != PQR__PRIMARY_ALWAYS)
        sim_fail(world, "all is well again, and a read runs on the primary");
    bool hit = request->status == PQR_STATUS_SQL_ERROR && pqr_reply_sqlstate(reply)[0] == '5' &&
               pqr_reply_sqlstate(reply)[1] == '7' && pqr_reply_sqlstate(reply)[4] == '4';
    if (hit && request->cancelled_us == 0 && !entry->in_tx)
        sim_fail(world, "promise 2: %llu is hit by the cancel of another request", nonce_of(request));
}

/* --- Transactions ---------------------------------------------------------------------------------------- */

struct tally {
    unsigned committed, rolled_back, pending;
};

static struct tally tally_of(const struct sim_attempt *attempt)
{
    struct tally tally = {0};
    for (unsigned i = 0; i < attempt->n_statements; i++) {
        const struct sim_request *request = attempt->statements[i];
        const struct sim_entry *entry = request->entry;
        tally.committed += entry->committed;
        /* Whatever became of it before, when it was lost with its BEGIN; the body may go on without one that failed. */
        if (entry->committed > 0 || (request->callbacks > 0 && request->status != PQR_STATUS_OK))
            continue;
        tally.rolled_back += entry->rolled_back;
        tally.pending += entry->pending;
    }
    return tally;
}

/* One of its statements commits, whatever anybody asked for; told: and was answered. */
static bool ends_itself(const struct sim_attempt *attempt, bool told)
{
    for (unsigned i = 0; i < attempt->n_statements; i++) {
        const struct sim_request *request = attempt->statements[i];
        bool answered = request->callbacks > 0 && request->status == PQR_STATUS_OK;
        if (request->entry->fate == SIM_ENDS_TX && (answered || !told))
            return true;
    }
    return false;
}

/* Promise 5 for an attempt that was committed. */
static void verify_committed(const struct sim_request *request, const struct sim_attempt *attempt, bool last)
{
    const struct sim_world *world = request->load->world;
    if (!attempt->commit_asked)
        sim_fail(world, "promise 5: a transaction was committed that nobody asked to commit");
    bool denied = request->outcome == PQR_OUTCOME_NOT_EXECUTED ||
                  (request->status == PQR_STATUS_SQL_ERROR && request->outcome != PQR_OUTCOME_UNKNOWN);
    if (!last || denied)
        sim_fail(world, "promise 5: attempt %u of a transaction was committed, which ended with %s, %s",
            attempt->number, pqr_status_name(request->status), pqr_outcome_name(request->outcome));
}

static void verify_attempt(const struct sim_request *request, const struct sim_attempt *attempt, bool last)
{
    const struct sim_world *world = request->load->world;
    struct tally tally = tally_of(attempt);
    bool committed = tally.committed > 0, undone = tally.rolled_back > 0 || tally.pending > 0;
    if (ends_itself(attempt, false)) {
        bool told = ends_itself(attempt, true) && committed && last;
        if (told && request->outcome != PQR_OUTCOME_UNKNOWN)
            sim_fail(world, "promise 5: a transaction that ended by itself is called %s",
                pqr_outcome_name(request->outcome));
        return;
    }
    if (committed && undone)
        sim_fail(world, "the simulator itself committed half a transaction");
    if (committed)
        verify_committed(request, attempt, last);
    if (last && request->status == PQR_STATUS_OK && attempt->commit_asked && undone)
        sim_fail(world, "promise 5: a transaction is ok, and was not committed");
}

void sim_verify_tx(struct sim_request *request)
{
    const struct sim_world *world = request->load->world;
    const struct sim_tx *tx = request->tx;
    if (request->status == PQR_STATUS_OK && request->outcome != PQR_OUTCOME_EXECUTED)
        sim_fail(world, "promise 5: a transaction is ok and %s", pqr_outcome_name(request->outcome));
    bool commit_sent = false;
    for (unsigned i = 0; i < tx->n_attempts; i++) {
        verify_attempt(request, tx->attempts[i], i + 1 == tx->n_attempts);
        commit_sent |= tx->attempts[i]->owner.commit_sent || ends_itself(tx->attempts[i], false);
    }
    if (request->status == PQR_STATUS_OK && tx->n_attempts == 0)
        sim_fail(world, "a transaction is ok whose body was never run");
    /* The commit is seen at the wire only behind a statement. */
    bool seen = true;
    if (tx->n_attempts > 0) {
        const struct sim_attempt *last = tx->attempts[tx->n_attempts - 1];
        seen = false;
        for (unsigned i = 0; i < last->n_statements; i++)
            seen |= last->statements[i]->entry->sends > 0;
    }
    if (seen && !commit_sent && request->outcome == PQR_OUTCOME_UNKNOWN)
        sim_fail(world, "promise 5: no COMMIT was sent, the outcome is called unknown");
}

/* --- When all is over ------------------------------------------------------------------------------------ */

static void verify_end(struct sim_request *request)
{
    const struct sim_world *world = request->load->world;
    if (request->callbacks != 1)
        sim_fail(
            world, "promise 1: request %llu was called back %u times", nonce_of(request), request->callbacks);
    if (request->tx) {
        sim_verify_tx(request);
        return;
    }
    if (request->of_batch && !request->entry) {
        sim_verify_batch(request->of_batch);
        return;
    }
    const struct sim_entry *entry = request->entry;
    const char *kind = sim_kind_name(entry->kind);
    unsigned long long nonce = nonce_of(request);
    if (entry->committed > 1 && !entry->idempotent)
        sim_fail(world, "promise 4: %s %llu was committed %u times", kind, nonce, entry->committed);
    if (entry->in_tx || !sim_kind_writes(entry->kind))
        return;
    if (request->outcome == PQR_OUTCOME_NOT_EXECUTED && entry->committed > 0)
        sim_fail(world, "promise 5: %s %llu is called not executed, and is committed", kind, nonce);
    /* Of one that was to end, and had parts left to show, the status only says why it was. */
    bool withheld = entry->parts_seen < entry->parts_told && request->status != PQR_STATUS_SQL_ERROR;
    bool denied = request->status != PQR_STATUS_OK && request->outcome == PQR_OUTCOME_EXECUTED && !withheld;
    if (denied && entry->committed > 0 && !entry->idempotent)
        sim_fail(world, "promise 5: %s %llu is called %s, and is committed", kind, nonce,
            pqr_status_name(request->status));
}

/* Promise 8: how many waited at once, of those that were not turned away. A transaction's wait is not seen here:
   nobody but its connection's owner knows when its BEGIN was sent. */
static void verify_queue(const struct sim_load *load)
{
    for (size_t i = 0; i < load->n_requests; i++) {
        const struct sim_request *at = load->requests[i];
        uint32_t waiting = 0;
        for (size_t j = 0; j < load->n_requests && at->queued && at->entry; j++) {
            const struct sim_request *other = load->requests[j];
            uint64_t until_us = other->waiting_us;
            waiting += other->queued && other->entry && other->admin == at->admin &&
                       other->batch == at->batch && other->status != PQR_STATUS_OVERLOADED &&
                       other->accepted_us <= at->accepted_us && until_us > at->accepted_us;
        }
        if (waiting > load->config->queue.max_requests)
            sim_fail(load->world, "promise 8: %u requests waited at once, %u may, when %llu was accepted",
                waiting, load->config->queue.max_requests, nonce_of(at));
    }
}

void sim_load_verify(struct sim_load *load)
{
    for (size_t i = 0; i < load->n_requests; i++)
        verify_end(load->requests[i]);
    if (load->ready_calls != load->ready_callbacks)
        sim_fail(load->world, "promise 1: ready was asked %u times and answered %u times", load->ready_calls,
            load->ready_callbacks);
    verify_queue(load);
}

/* --- After every step ------------------------------------------------------------------------------------ */

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Every request is answered by its deadline, or when it was cancelled, plus the grace for the cancel. */
static void check_deadline(const struct sim_load *load, const struct sim_request *request)
{
    uint64_t limit_us = request->deadline_us;
    if (request->cancelled_us > 0)
        limit_us = earlier(limit_us, request->cancelled_us);
    if (load->closing_us > 0)
        limit_us = earlier(limit_us, load->closing_us + load->drain_us);
    if (limit_us == PQR__NEVER || load->world->now_us <= limit_us)
        return;
    uint64_t late_us = load->world->now_us - limit_us;
    /* A transaction may need it twice: for its statement, and to roll back. */
    uint64_t grace_us = load->config->request.cancel_grace_us * (request->tx ? 2 : 1);
    if (late_us > grace_us + SLACK_US)
        sim_fail(load->world, "%s %llu should have been answered %.3f ms ago",
            request->tx ? "transaction" : "request", nonce_of(request), (double)late_us / 1000);
}

static bool has_started(const struct sim_request *request)
{
    if (request->of_batch && !request->entry) {
        unsigned sends = 0;
        for (unsigned i = 0; i < request->of_batch->n; i++)
            sends += request->of_batch->queries[i]->entry->sends;
        return sends > 0;
    }
    return request->tx ? request->tx->n_attempts > 0 : request->entry->sends > 0;
}

/* Promise 7: an administrator's request to an able server waits for other administrators and for a connection to
   be opened, never for a normal request. */
uint64_t sim_load_patience_us(const struct pqr_config *config)
{
    return 2 * config->pool.connect_timeout_us + 2 * config->pool.backoff_max_us + config->probe.interval_us +
           config->probe.timeout_us + SIM_LINGER_US + 2000000;
}

void sim_load_step(struct sim_load *load, uint64_t quiet_us)
{
    const struct sim_request *waits = NULL;
    bool another = false;
    pqr__list_each (link, &load->open) {
        struct sim_request *request = pqr__container_of(link, struct sim_request, link);
        check_deadline(load, request);
        bool started = !request->attempt && has_started(request);
        if (!started)
            request->waiting_us = load->world->now_us;
        another |= request->admin && started;
        if (request->admin && !started && request->queued && !request->needs_replica && !waits)
            waits = request;
    }
    uint64_t now_us = load->world->now_us;
    /* Quiet means: since then nothing has hindered it, no other administrator's request either. */
    if (another || !waits || quiet_us == UINT64_MAX)
        load->admin_us = now_us;
    uint64_t since_us = load->admin_us;
    if (waits && waits->accepted_us > since_us)
        since_us = waits->accepted_us;
    if (quiet_us != UINT64_MAX && quiet_us > since_us)
        since_us = quiet_us;
    if (waits && load->config->pool.admin_reserved > 0 &&
        now_us - since_us > sim_load_patience_us(load->config))
        sim_fail(load->world, "promise 7: administrator's request %llu has waited for %.3f ms",
            nonce_of(waits), (double)(now_us - since_us) / 1000);
}
