/* The end of a flight: what it says of its requests, its statement, its server and its connection. Each request is
 * answered, or run again, by what pqr__settle decides on the facts.
 */
#include <string.h>

#include "base/seldom.h"

#include "router/aside.h"
#include "router/batch.h"
#include "router/dispatch.h"
#include "router/transaction.h"

/* A server that restarts leaves dead connections behind, each of which may be met once. Something that never gets
   through (libpq has no memory for it) has to come to an end, though. */
enum { UNSENT_MAX = 1000 };

static struct pqr_reply *land(struct pqr__slot *slot)
{
    struct pqr_reply *request = pqr__request_of(slot->air.head.next);
    pqr__list_remove(&slot->air, &request->entry.link);
    slot->backend->flying--;
    return request;
}

/* While more is in the air of a connection, its status is not known; but then all of it is single statements that can't
   begin a transaction. */
static bool left_open(const struct pqr_reply *request, const struct pqr__settled *settled)
{
    const struct pqr__slot *slot = request->slot;
    bool followed = request->verdict.effect == PQR__EFFECT_WRITE && slot &&
                    (!pqr__list_empty(&slot->air) || slot->aside.flies);
    if (settled->tx == PQR__TX_UNKNOWN)
        return pqr__request_writes(request) && !followed;
    return settled->tx != PQR__TX_IDLE;
}

/* Of a transaction as a whole it is BEGIN's, with which its first statement flies: what ends that ends it, too. */
static enum pqr__cause cause_of(const struct pqr_reply *request)
{
    if (request->cause == PQR__CAUSE_NONE && pqr__tx_leads(request) && request->tx->current)
        return request->tx->current->cause;
    return request->cause;
}

/* Of a transaction as a whole, what was lost with its BEGIN: both are sent again only if that may be. */
static const struct pqr_reply *at_stake(const struct pqr_reply *request, const struct pqr__settled *settled)
{
    bool together = settled->lost && settled->sent && pqr__tx_leads(request) && request->tx->current;
    return together ? request->tx->current : request;
}

/* A batch as one transaction. */
static bool is_whole(const struct pqr_reply *request)
{
    return request->batch && pqr__batch_leads(request) && request->batch->whole;
}

struct pqr__facts pqr__run_facts(const struct pqr_reply *request, const struct pqr__settled *settled)
{
    bool whole = is_whole(request);
    const struct pqr__parts *parts = pqr__parts_of(request);
    const struct pqr_reply *stake = at_stake(request, settled);
    return (struct pqr__facts){
        .reply = request->reply,
        .sqlstate = request->sqlstate,
        .lost = settled->lost,
        .sent = settled->sent,
        .left_open = !request->tx && left_open(request, settled),
        .on_replica = request->route == PQR_ROLE_REPLICA,
        .in_recovery = settled->in_recovery,
        .vouched = (stake->flags & PQR_IDEMPOTENT) != 0,
        .cut_off = settled->lost && strcmp(settled->sqlstate, PQR__SQLSTATE_CUT_OFF) == 0,
        .shared = request->shared,
        .behind = settled->behind,
        .stale = request->stale,
        .unit = whole,
        .cancel_near = request->slot && request->slot->cancelled,
        .shown = parts && parts->shown,
        .withheld = parts && parts->withheld,
        .cause = cause_of(request),
        .effect = stake->verdict.effect,
        .attempts = request->attempts,
        .max_attempts =
            whole ? request->batch->max_attempts : request->router->config->request.max_retries + 1,
    };
}

/* What the end of a flight says of its server. */
static void doubt(struct pqr__backend *backend, const struct pqr__settled *settled)
{
    bool demoted = settled->in_recovery && !settled->lost && backend->role == PQR_ROLE_PRIMARY;
    pqr__probe_now(&backend->probe);
    if (demoted) {
        backend->seen.in_recovery = true;
        pqr__backends_judge(backend->router);
    }
}

/* A promotion shows in any reply; what the server is now, its probe tells. Once a connection: a pooler in between may
   go on saying that it is a standby, or never say so. */
static void note_promotion(struct pqr__slot *slot, const struct pqr__settled *settled)
{
    if (settled->lost || settled->in_recovery || !slot->info.in_recovery)
        return;
    slot->info.in_recovery = false;
    pqr__probe_now(&slot->backend->probe);
}

static void note_misroute(const struct pqr_reply *request)
{
    pqr_router *router = request->router;
    router->misroutes++;
    if (request->known)
        pqr__known_refused(request->known);
    pqr__log(&router->log, PQR_LOG_WARNING, "%s refused a statement taken for a harmless read (%s, label %s)",
        router->backends[request->server].config->name, request->sqlstate,
        request->label ? request->label : "-");
}

static const char *lost_text(const struct pqr_reply *request, const struct pqr__settled *settled)
{
    if (settled->lost)
        return settled->message && *settled->message ? settled->message : "the connection was lost";
    if (!request->tx && request->reply == PQR__REPLY_OK && left_open(request, settled))
        return "the statement left a transaction open, which was rolled back; use pqr_tx_run";
    return NULL;
}

/* It came to harm by its neighbours, or by what was kept prepared of it: that was no attempt of its own. Nor was one
   that was never sent, which is taken back already. */
static void set_apart(struct pqr_reply *request, const struct pqr__decision *decision, bool unsent)
{
    request->alone |= decision->alone;
    if (decision->by_text)
        request->item.statement = 0;
    request->attempts -= (decision->alone || decision->by_text) && !unsent;
}

static void run_again(struct pqr_reply *request, const struct pqr__decision *decision)
{
    request->router->retries += !pqr__request_is_own(request);
    if (request->batch && pqr__batch_leads(request))
        pqr__batch_forget(request->batch);
    pqr__request_forget(request);
    pqr__dispatch_again(request, decision->to_primary, decision->avoid);
}

/* What is known of a transaction, whatever a statement would be told. */
static pqr_outcome outcome_of(const struct pqr_reply *request, pqr_outcome outcome)
{
    bool rolled_back = is_whole(request) && request->batch->fate == PQR__FATE_ROLLED_BACK;
    return rolled_back && outcome == PQR_OUTCOME_UNKNOWN ? PQR_OUTCOME_NOT_EXECUTED : outcome;
}

/* The replica has said that it is not there: whatever it answered is too old. */
static PQR__SELDOM void missed(struct pqr_reply *request)
{
    pqr__request_forget(request);
    request->slot = NULL;
    if (request->cause != PQR__CAUSE_NONE) {
        pqr__request_finish(request, pqr__cause_status(request->cause), PQR_OUTCOME_NOT_EXECUTED,
            "the replica that was asked did not have what the token stands for yet");
        return;
    }
    request->router->retries++;
    request->router->token_misses++;
    pqr__after_elsewhere(request);
}

static void answer(struct pqr_reply *request, pqr_status status, pqr_outcome outcome, const char *error)
{
    if (request->verdict.defines && outcome != PQR_OUTCOME_NOT_EXECUTED)
        pqr__catalog_outdated(request->router);
    pqr__request_finish(request, status, outcome, error);
}

/* As nearly all end: pqr__settle would say no more than that, and need not be given its facts. */
static bool went_well(const struct pqr_reply *request, const struct pqr__settled *settled)
{
    return request->reply == PQR__REPLY_OK && !settled->lost && !left_open(request, settled) &&
           request->item.rows_at_once == 0;
}

struct pqr__decision pqr__run_decide(
    struct pqr_reply *request, struct pqr__backend *backend, const struct pqr__settled *settled)
{
    bool unsent = settled->lost && !settled->sent && request->unsent < UNSENT_MAX;
    if (unsent) {
        request->unsent++;
        request->attempts--;
    }
    struct pqr__facts facts = pqr__run_facts(request, settled);
    if (unsent && request->unsent < UNSENT_MAX)
        facts.attempts = 0; /* it may be given to another one, however often that fails */
    struct pqr__decision decision = pqr__settle(&facts);
    request->slot = NULL;
    set_apart(request, &decision, unsent);
    if (facts.cut_off)
        memcpy(request->sqlstate, settled->sqlstate, sizeof(request->sqlstate));
    decision.outcome = outcome_of(request, decision.outcome);
    if (decision.misroute)
        note_misroute(request);
    if (decision.probe) /* first: it must not go to the same server because nobody doubts it yet */
        doubt(backend, settled);
    return decision;
}

static void settle_request(
    struct pqr_reply *request, struct pqr__backend *backend, const struct pqr__settled *settled)
{
    struct pqr__slot *slot = request->slot;
    if (request->flags & PQR__CAUSAL && !settled->lost && pqr__after_missed(request)) {
        missed(request);
        return;
    }
    if (went_well(request, settled)) {
        pqr__token_ask_late(request, slot);
        answer(request, PQR_STATUS_OK, PQR_OUTCOME_EXECUTED, NULL);
        return;
    }
    struct pqr__decision decision = pqr__run_decide(request, backend, settled);
    if (decision.again && request->cause == PQR__CAUSE_NONE) {
        request->uncertain |= settled->lost && settled->sent && pqr__request_writes(request);
        run_again(request, &decision);
    } else {
        if (decision.status == PQR_STATUS_OK)
            pqr__token_ask_late(request, slot);
        answer(request, decision.status, decision.outcome, lost_text(request, settled));
    }
}

/* --- the end of a flight --- */

/* What its execution says of its statement. took_us: its part of the flight's time; who reads in parts may have spent
   most of that. */
static void remember(const struct pqr_reply *request, uint64_t took_us)
{
    if (!request->known || request->item.own != PQR__OWN_NONE)
        return;
    if (request->reply == PQR__REPLY_OK || request->cause != PQR__CAUSE_NONE) {
        if (request->item.rows_at_once == 0)
            pqr__history_done(&request->known->history, took_us);
    } else if (request->reply == PQR__REPLY_ERROR && !request->stale) {
        pqr__history_failed(&request->known->history);
    }
}

/* Its requests that are answered one by one: BEGIN is none beside its statement, and a unit is all of it. */
static uint32_t requests_of(const struct pqr_reply *head)
{
    if (is_whole(head))
        return 0;
    return head->tx ? 1 : head->flight.n_items;
}

/* The flight's own time begins when the one before it ended. Returns each request's part of it. */
static uint64_t note_time(struct pqr__slot *slot, const struct pqr_reply *head)
{
    const struct pqr__flight *flight = &head->flight;
    uint64_t now = pqr__router_now(slot->backend->router), took = now - slot->since_us;
    slot->since_us = now;
    slot->n_flights--;
    slot->n_writes -= pqr__request_writes(head);
    if (slot->state == PQR__SLOT_SHARED)
        slot->backend->load.served += flight->n_items;
    return head->tx ? took : took / flight->n_items;
}

/* All of a transaction that was sent as one. When it failed, the server waits for its end. */
static void settle_whole(struct pqr__slot *slot, const struct pqr__settled *settled)
{
    struct pqr_reply *lead = land(slot);
    struct pqr__settled facts = *settled;
    pqr__batch_settle(lead->batch, &facts);
    slot->aborted = !settled->lost && settled->tx == PQR__TX_FAILED;
    settle_request(lead, slot->backend, &facts);
}

static void count_served(struct pqr__backend *backend, const struct pqr_reply *request, uint32_t n)
{
    uint64_t now_us = pqr__router_now(backend->router);
    pqr__request_count_served(backend, n, now_us - request->sent_us, now_us);
}

/* The next of the flight, most at most, that were answered in the air, as it is with most: all at once. 0: the next
   is not like that. */
static uint32_t settle_bare(struct pqr__slot *slot, uint32_t most, uint64_t took_us)
{
    struct pqr__backend *backend = slot->backend;
    struct pqr__request_store *store = &backend->router->store;
    struct pqr__link *last = NULL;
    uint32_t n = pqr__request_bare(store, &slot->air, most, &last);
    if (n == 0)
        return 0;
    const struct pqr_reply *request = pqr__request_of(last);
    pqr__history_done_many(&request->known->history, n, took_us);
    count_served(backend, request, n);
    backend->flying -= n;
    pqr__request_put_bare(store, &slot->air, last, n);
    return n;
}

/* The next of the flight. True: it is a transaction's, which keeps the connection or gives it back itself. */
static bool settle_one(struct pqr__slot *slot, const struct pqr__settled *settled, uint64_t took_us)
{
    struct pqr_reply *request = land(slot);
    remember(request, took_us);
    if (request->state == PQR__REQUEST_CALLED) {
        count_served(slot->backend, request, 1);
        pqr__request_put(request);
        return false;
    }
    if (request->tx) {
        pqr__tx_settled(request->tx, settled);
        return true;
    }
    settle_request(request, slot->backend, settled);
    return false;
}

void pqr__run_settled(struct pqr__slot *slot, struct pqr__flight *flight, const struct pqr__settled *settled)
{
    struct pqr__backend *backend = slot->backend;
    struct pqr_reply *head = pqr__container_of(flight, struct pqr_reply, flight);
    assert(&head->entry.link == pqr__list_first(&slot->air));
    uint64_t took_us = note_time(slot, head);
    note_promotion(slot, settled);
    slot->swollen |= settled->swollen;
    uint32_t n = requests_of(head);
    if (n == 0)
        settle_whole(slot, settled);
    for (uint32_t gone; n > 0; n -= gone) {
        gone = settle_bare(slot, n, took_us);
        if (gone == 0 && settle_one(slot, settled, took_us))
            return;
        gone = gone > 0 ? gone : 1;
    }
    bool last = pqr__list_empty(&slot->air) && !slot->aside.flies;
    if (settled->tx != PQR__TX_IDLE && !slot->aborted && (settled->tx != PQR__TX_UNKNOWN || last))
        slot->doomed = true;
    if (pqr__list_empty(&slot->air)) {
        pqr__slot_release(slot);
    } else {
        pqr__dispatch_soon(backend->router);
        pqr__run_cancel_next(slot);
    }
}
