/* Requests on a connection: sent, answered, perhaps cancelled, settled. A flight is one request, or several reads under
 * one Sync; it is the memory of the first. Several flights may be in the air. How they are cancelled: cancel.c.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/text.h"
#include "router/batch.h"
#include "router/dispatch.h"
#include "router/transaction.h"

/* A server that restarts leaves dead connections behind, each of which may be met once. Something that never gets
   through (libpq has no memory for it) has to come to an end, though. */
enum { UNSENT_MAX = 1000 };

/* --- into the air and out of it --- */

static struct pqr_reply *request_of(struct pqr__link *link)
{
    return pqr__container_of(link, struct pqr_reply, link);
}

void pqr__run_take_off(struct pqr_reply *request, struct pqr__slot *slot, bool shared)
{
    struct pqr__backend *backend = slot->backend;
    pqr__link_init(&request->link);
    pqr__list_push_back(&slot->air, &request->link);
    backend->flying++;
    request->slot = slot;
    request->shared = shared;
    request->server = backend->index;
    request->route = backend->role;
    request->sent_us = pqr__router_now(request->router);
    request->attempts++;
    request->state = PQR__REQUEST_FLYING;
}

static struct pqr_reply *land(struct pqr__slot *slot)
{
    struct pqr_reply *request = request_of(slot->air.head.next);
    pqr__list_remove(&slot->air, &request->link);
    slot->backend->flying--;
    return request;
}

static void count_sent(const struct pqr_reply *request, struct pqr__backend *backend)
{
    if (request->verdict.effect == PQR__EFFECT_READ)
        backend->reads++;
    else
        backend->writes++;
    if (request->entry.role == PQR__QUEUE_REPLICA && backend->role == PQR_ROLE_PRIMARY &&
        request->router->config->reads.primary != PQR__PRIMARY_ALWAYS)
        request->router->fallback_primary++;
}

static enum pqr__slot_state state_for(const struct pqr_reply *request, bool joins)
{
    if (request->entry.lane == PQR__LANE_ADMIN)
        return PQR__SLOT_BUSY_ADMIN;
    return joins ? PQR__SLOT_SHARED : PQR__SLOT_BUSY;
}

/* Statements at once, other texts when they have come often enough. */
static uint64_t number_of(const struct pqr_reply *request)
{
    uint32_t threshold = request->router->config->statements.prepare_threshold;
    struct pqr__known *known = request->known;
    bool plain = request->verdict.effect == PQR__EFFECT_READ || request->verdict.effect == PQR__EFFECT_WRITE;
    if (!known || !plain || request->verdict.several || threshold == 0 ||
        (!request->statement && known->uses < threshold) || request->by_text)
        return 0;
    return pqr__known_number(known, request->item.n_params, request->item.param_types);
}

void pqr__run_make_ready(struct pqr_reply *request, struct pqr__slot *slot)
{
    bool plain = request->verdict.effect == PQR__EFFECT_READ || request->verdict.effect == PQR__EFFECT_WRITE;
    request->item.next = NULL;
    if (request->item.own != PQR__OWN_NONE)
        return;
    request->item.statement = number_of(request);
    count_sent(request, slot->backend);
    if (!plain) /* it may leave more behind than its text shows */
        slot->dirty = true;
}

static bool is_write(const struct pqr_reply *request)
{
    return request->verdict.effect != PQR__EFFECT_READ;
}

void pqr__run_send(struct pqr_reply *first, uint32_t n, enum pqr__flight_kind kind)
{
    assert(first != NULL && n > 0);
    struct pqr__slot *slot = first->slot;
    if (slot->state == PQR__SLOT_SHARED)
        slot->backend->load.started += n;
    if (is_write(first)) {
        first->router->pipelined_writes += slot->n_flights > 0;
        slot->n_writes++;
    }
    if (slot->n_flights++ == 0)
        slot->since_us = first->sent_us;
    first->flight = (struct pqr__flight){.kind = (uint8_t)kind, .n_items = n, .items = &first->item};
    first->router->ops->send(slot->conn, &first->flight);
}

void pqr__run(struct pqr_reply *request, struct pqr__slot *slot)
{
    bool simple =
        request->verdict.several && request->item.n_params == 0 && request->item.own == PQR__OWN_NONE;
    assert(pqr__list_empty(&slot->air) && request->state == PQR__REQUEST_ACCEPTED);
    if (slot->state == PQR__SLOT_IDLE)
        pqr__slot_move(slot, state_for(request, pqr__dispatch_joins(request)));
    if (request->batch && pqr__batch_leads(request)) {
        pqr__batch_fly(request->batch, slot);
        return;
    }
    pqr__run_take_off(request, slot, false);
    pqr__run_make_ready(request, slot);
    pqr__run_send(request, 1, simple ? PQR__FLIGHT_SIMPLE : PQR__FLIGHT_PIPELINE);
}

void pqr__run_group(struct pqr__list *requests, struct pqr__slot *slot)
{
    struct pqr_reply *first = request_of(requests->head.next), *last = NULL;
    uint32_t n = requests->count;
    for (struct pqr__link *link; (link = pqr__list_first(requests)) != NULL; last = request_of(link)) {
        pqr__list_remove(requests, link);
        assert(request_of(link)->state == PQR__REQUEST_ACCEPTED);
        pqr__run_take_off(request_of(link), slot, n > 1);
        pqr__run_make_ready(request_of(link), slot);
        if (last)
            last->item.next = &request_of(link)->item;
    }
    pqr__run_send(first, n, PQR__FLIGHT_PIPELINE);
}

void pqr__run_together(struct pqr__list *requests, struct pqr__slot *slot)
{
    if (slot->state == PQR__SLOT_IDLE)
        pqr__slot_move(slot, PQR__SLOT_SHARED);
    assert(slot->state == PQR__SLOT_SHARED);
    pqr__run_group(requests, slot);
}

void pqr__run_in_turn(struct pqr__list *requests, struct pqr__slot *slot)
{
    struct pqr__link *link;
    while ((link = pqr__list_first(requests)) != NULL) {
        struct pqr__list one;
        pqr__list_init(&one);
        pqr__list_remove(requests, link);
        pqr__list_push_back(&one, link);
        pqr__run_together(&one, slot);
    }
}

void pqr__run_item(struct pqr__slot *slot, struct pqr__item *item, const struct pqr__answer *answer)
{
    static const enum pqr__reply_kind kinds[] = {
        [PQR__ANSWER_OK] = PQR__REPLY_OK,
        [PQR__ANSWER_ERROR] = PQR__REPLY_ERROR,
        [PQR__ANSWER_ABORTED] = PQR__REPLY_ABORTED,
    };
    struct pqr_reply *request = pqr__container_of(item, struct pqr_reply, item);
    const struct pqr__transport_ops *ops = slot->backend->router->ops;
    if (item->own == PQR__OWN_COMMIT) {
        pqr__batch_committed(pqr__container_of(item, struct pqr__batch, commit), answer);
        return;
    }
    ops->result_free(request->result);
    request->result = answer->result;
    request->reply = kinds[answer->kind];
    request->stale = answer->stale;
    memcpy(request->sqlstate, answer->sqlstate, sizeof(request->sqlstate));
    pqr__request_say(request, answer->message);
}

struct pqr_reply *pqr__run_owner(struct pqr__item *item)
{
    if (item->own == PQR__OWN_COMMIT)
        return pqr__container_of(item, struct pqr__batch, commit)->lead;
    return pqr__container_of(item, struct pqr_reply, item);
}

void pqr__run_notice(struct pqr_reply *request, const pqr_notice *notice)
{
    if (!request->notices && request->n_notices == 0)
        request->notices = pqr__calloc(PQR__NOTICES_KEPT, sizeof(*request->notices));
    if (request->notices && request->n_notices < PQR__NOTICES_KEPT)
        request->notices[request->n_notices] = *notice;
    request->n_notices++;
}

/* While more is in the air of a connection, its status is not known; but then all of it is single statements that can't
   begin a transaction. */
static bool left_open(const struct pqr_reply *request, const struct pqr__settled *settled)
{
    bool followed = request->verdict.effect == PQR__EFFECT_WRITE && request->slot &&
                    !pqr__list_empty(&request->slot->air);
    if (settled->tx == PQR__TX_UNKNOWN)
        return is_write(request) && !followed;
    return settled->tx != PQR__TX_IDLE;
}

/* A batch as one transaction. */
static bool is_whole(const struct pqr_reply *request)
{
    return request->batch && pqr__batch_leads(request) && request->batch->whole;
}

struct pqr__facts pqr__run_facts(const struct pqr_reply *request, const struct pqr__settled *settled)
{
    bool whole = is_whole(request);
    return (struct pqr__facts){
        .reply = request->reply,
        .sqlstate = request->sqlstate,
        .lost = settled->lost,
        .sent = settled->sent,
        .left_open = !request->tx && left_open(request, settled),
        .on_replica = request->route == PQR_ROLE_REPLICA,
        .in_recovery = settled->in_recovery,
        .vouched = (request->flags & PQR_IDEMPOTENT) != 0,
        .cut_off = settled->lost && strcmp(settled->sqlstate, PQR__SQLSTATE_CUT_OFF) == 0,
        .shared = request->shared,
        .stale = request->stale,
        .unit = whole,
        .cancel_near = request->slot && request->slot->cancelled,
        .cause = request->cause,
        .effect = request->verdict.effect,
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

/* A promotion shows in any reply; what the server is now, its probe tells. Once a connection: a pooler in between may go
   on saying that it is a standby, or never say so. */
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
        request->known->refused = true;
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

/* It came to harm by its neighbours, or by what was kept prepared of it: that was no attempt of its own. */
static void set_apart(struct pqr_reply *request, const struct pqr__decision *decision)
{
    request->alone |= decision->alone;
    request->by_text |= decision->by_text;
    request->attempts -= decision->alone || decision->by_text;
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
    if (request->tx) /* BEGIN: whatever became of it, no COMMIT was sent */
        return PQR_OUTCOME_NOT_EXECUTED;
    return rolled_back && outcome == PQR_OUTCOME_UNKNOWN ? PQR_OUTCOME_NOT_EXECUTED : outcome;
}

static void settle_request(
    struct pqr_reply *request, struct pqr__backend *backend, const struct pqr__settled *settled)
{
    bool unsent = settled->lost && !settled->sent;
    if (unsent && request->unsent < UNSENT_MAX) {
        request->unsent++;
        request->attempts--;
    }
    struct pqr__facts facts = pqr__run_facts(request, settled);
    if (unsent && request->unsent < UNSENT_MAX)
        facts.attempts = 0; /* it may be given to another one, however often that fails */
    struct pqr__decision decision = pqr__settle(&facts);
    request->slot = NULL;
    set_apart(request, &decision);
    if (facts.cut_off)
        memcpy(request->sqlstate, settled->sqlstate, sizeof(request->sqlstate));
    decision.outcome = outcome_of(request, decision.outcome);
    if (decision.misroute)
        note_misroute(request);
    if (decision.probe) /* first: it must not go to the same server because nobody doubts it yet */
        doubt(backend, settled);
    if (decision.again && request->cause == PQR__CAUSE_NONE) {
        request->uncertain |= settled->lost && settled->sent && facts.effect != PQR__EFFECT_READ;
        run_again(request, &decision);
    } else {
        if (request->verdict.defines && decision.outcome != PQR_OUTCOME_NOT_EXECUTED)
            pqr__catalog_outdated(request->router);
        pqr__request_finish(request, decision.status, decision.outcome, lost_text(request, settled));
    }
}

/* --- the end of a flight --- */

/* What its execution says of its statement. took_us: its part of the flight's time. */
static void remember(const struct pqr_reply *request, uint64_t took_us)
{
    if (!request->known || request->item.own != PQR__OWN_NONE)
        return;
    if (request->reply == PQR__REPLY_OK || request->cause != PQR__CAUSE_NONE)
        pqr__history_done(&request->known->history, took_us);
    else if (request->reply == PQR__REPLY_ERROR && !request->stale)
        pqr__history_failed(&request->known->history);
}

/* The flight's own time begins when the one before it ended. Returns each request's part of it. */
static uint64_t note_time(struct pqr__slot *slot, const struct pqr_reply *head)
{
    const struct pqr__flight *flight = &head->flight;
    uint64_t now = pqr__router_now(slot->backend->router), took = now - slot->since_us;
    slot->since_us = now;
    slot->n_flights--;
    slot->n_writes -= is_write(head);
    if (slot->state == PQR__SLOT_SHARED)
        slot->backend->load.served += flight->n_items;
    return took / flight->n_items;
}

/* A transaction's statement, or its BEGIN that went well: it keeps the connection. */
static bool stays(struct pqr__slot *slot, struct pqr_reply *request, const struct pqr__settled *settled)
{
    if (!request->tx)
        return false;
    if (request->tx->request != request) {
        pqr__tx_statement_settled(request->tx, settled);
        return true;
    }
    bool begun = request->reply == PQR__REPLY_OK && !settled->lost;
    if (begun && request->cause == PQR__CAUSE_NONE) {
        pqr__tx_begun(request->tx, slot);
        return true;
    }
    slot->doomed |= begun; /* but it was to end meanwhile: closing the connection rolls back */
    return false;
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

void pqr__run_settled(struct pqr__slot *slot, struct pqr__flight *flight, const struct pqr__settled *settled)
{
    struct pqr__backend *backend = slot->backend;
    struct pqr_reply *head = pqr__container_of(flight, struct pqr_reply, flight);
    assert(&head->link == pqr__list_first(&slot->air));
    uint64_t took_us = note_time(slot, head);
    note_promotion(slot, settled);
    uint32_t n = is_whole(head) ? 0 : flight->n_items;
    if (n == 0)
        settle_whole(slot, settled);
    while (n-- > 0) {
        struct pqr_reply *request = land(slot);
        remember(request, took_us);
        if (stays(slot, request, settled))
            return;
        if (request->tx && request->reply == PQR__REPLY_OK && !settled->lost)
            pqr__request_finish(request, pqr__cause_status(request->cause), PQR_OUTCOME_NOT_EXECUTED,
                "ended before it began");
        else
            settle_request(request, backend, settled);
    }
    if (settled->tx != PQR__TX_IDLE && !slot->aborted &&
        (settled->tx != PQR__TX_UNKNOWN || pqr__list_empty(&slot->air)))
        slot->doomed = true;
    if (pqr__list_empty(&slot->air)) {
        pqr__slot_release(slot);
    } else {
        pqr__dispatch_soon(backend->router);
        pqr__run_cancel_next(slot);
    }
}
