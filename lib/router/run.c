/* One request on one connection: sent, answered, perhaps cancelled, settled. */
#include <string.h>

#include "base/alloc.h"
#include "base/text.h"
#include "router/dispatch.h"
#include "router/transaction.h"

/* A server that restarts leaves dead connections behind, each of which may be met once. Something that never gets
   through (libpq has no memory for it) has to come to an end, though. */
enum { UNSENT_MAX = 1000 };

static void take_slot(struct pqr_reply *request, struct pqr__slot *slot)
{
    struct pqr__backend *backend = slot->backend;
    if (slot->state == PQR__SLOT_IDLE)
        pqr__slot_move(slot, request->entry.lane == PQR__LANE_ADMIN ? PQR__SLOT_BUSY_ADMIN : PQR__SLOT_BUSY);
    slot->request = request;
    request->slot = slot;
    request->server = backend->index;
    request->route = backend->role;
    request->sent_us = pqr__router_now(request->router);
    request->attempts++;
    request->state = PQR__REQUEST_FLYING;
}

static void count_sent(const struct pqr_reply *request, struct pqr__backend *backend)
{
    if (request->verdict.effect == PQR__EFFECT_READ)
        backend->reads++;
    else
        backend->writes++;
    if (request->entry.role == PQR__QUEUE_REPLICA && backend->role == PQR_ROLE_PRIMARY)
        request->router->fallback_primary++;
}

void pqr__run(struct pqr_reply *request, struct pqr__slot *slot)
{
    bool plain = request->verdict.effect == PQR__EFFECT_READ || request->verdict.effect == PQR__EFFECT_WRITE;
    bool simple =
        request->verdict.several && request->item.n_params == 0 && request->item.own == PQR__OWN_NONE;
    assert(slot->request == NULL && request->state == PQR__REQUEST_ACCEPTED);
    take_slot(request, slot);
    if (request->item.own == PQR__OWN_NONE) {
        count_sent(request, slot->backend);
        if (!plain) /* it may leave more behind than its text shows */
            slot->dirty = true;
    }
    request->flight = (struct pqr__flight){
        .kind = simple ? PQR__FLIGHT_SIMPLE : PQR__FLIGHT_PIPELINE, .n_items = 1, .items = &request->item};
    request->router->ops->send(slot->conn, &request->flight);
}

void pqr__run_item(struct pqr__slot *slot, const struct pqr__answer *answer)
{
    struct pqr_reply *request = slot->request;
    const struct pqr__transport_ops *ops = slot->backend->router->ops;
    assert(request != NULL);
    ops->result_free(request->result);
    request->result = answer->result;
    request->reply = answer->kind == PQR__ANSWER_OK ? PQR__REPLY_OK : PQR__REPLY_ERROR;
    memcpy(request->sqlstate, answer->sqlstate, sizeof(request->sqlstate));
    pqr__text_copy(request->error, sizeof(request->error), answer->message ? answer->message : "");
}

void pqr__run_notice(struct pqr_reply *request, const pqr_notice *notice)
{
    if (!request->notices && request->n_notices == 0)
        request->notices = pqr__calloc(PQR__NOTICES_KEPT, sizeof(*request->notices));
    if (request->notices && request->n_notices < PQR__NOTICES_KEPT)
        request->notices[request->n_notices] = *notice;
    request->n_notices++;
}

struct pqr__facts pqr__run_facts(const struct pqr_reply *request, const struct pqr__settled *settled)
{
    return (struct pqr__facts){
        .reply = request->reply,
        .sqlstate = request->sqlstate,
        .lost = settled->lost,
        .sent = settled->sent,
        .left_open = settled->tx != PQR__TX_IDLE && !request->tx,
        .on_replica = request->route == PQR_ROLE_REPLICA,
        .in_recovery = settled->in_recovery,
        .vouched = (request->flags & PQR_IDEMPOTENT) != 0,
        .cut_off = settled->lost && strcmp(settled->sqlstate, PQR__SQLSTATE_CUT_OFF) == 0,
        .cause = request->cause,
        .effect = request->verdict.effect,
        .attempts = request->attempts,
        .max_attempts = request->router->config->request.max_retries + 1,
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

static void note_misroute(const struct pqr_reply *request)
{
    pqr_router *router = request->router;
    router->misroutes++;
    pqr__log(&router->log, PQR_LOG_WARNING, "%s refused a statement taken for a harmless read (%s, label %s)",
        router->backends[request->server].config->name, request->sqlstate,
        request->label ? request->label : "-");
}

static const char *lost_text(const struct pqr_reply *request, const struct pqr__settled *settled)
{
    if (settled->lost)
        return settled->message && *settled->message ? settled->message : "the connection was lost";
    if (settled->tx != PQR__TX_IDLE && !request->tx && request->reply == PQR__REPLY_OK)
        return "the statement left a transaction open, which was rolled back; use pqr_tx_run";
    return NULL;
}

static void settle_request(
    struct pqr_reply *request, struct pqr__backend *backend, const struct pqr__settled *settled)
{
    pqr_router *router = request->router;
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
    if (facts.cut_off)
        memcpy(request->sqlstate, settled->sqlstate, sizeof(request->sqlstate));
    if (request->tx) /* BEGIN: whatever became of it, no COMMIT was sent */
        decision.outcome = PQR_OUTCOME_NOT_EXECUTED;
    if (decision.misroute)
        note_misroute(request);
    if (decision.probe) /* first: it must not go to the same server because nobody doubts it yet */
        doubt(backend, settled);
    if (decision.again && request->cause == PQR__CAUSE_NONE) {
        router->retries += !pqr__request_is_own(request);
        request->uncertain |= settled->lost && settled->sent && facts.effect != PQR__EFFECT_READ;
        pqr__request_forget(request);
        pqr__dispatch_again(request, decision.to_primary, decision.avoid);
    } else {
        if (request->verdict.defines && decision.outcome != PQR_OUTCOME_NOT_EXECUTED)
            pqr__catalog_outdated(router);
        pqr__request_finish(request, decision.status, decision.outcome, lost_text(request, settled));
    }
}

void pqr__run_settled(struct pqr__slot *slot, const struct pqr__settled *settled)
{
    struct pqr_reply *request = slot->request;
    struct pqr__backend *backend = slot->backend;
    slot->request = NULL;
    if (request->tx && request->tx->request != request) {
        pqr__tx_statement_settled(request->tx, settled);
        return;
    }
    bool begun = request->tx && request->reply == PQR__REPLY_OK && !settled->lost;
    if (begun && request->cause == PQR__CAUSE_NONE) {
        pqr__tx_begun(request->tx, slot);
        return;
    }
    slot->doomed |= settled->tx != PQR__TX_IDLE;
    if (begun) { /* but it was to end meanwhile: closing the connection rolls back */
        request->slot = NULL;
        pqr__request_finish(
            request, pqr__cause_status(request->cause), PQR_OUTCOME_NOT_EXECUTED, "ended before it began");
    } else {
        settle_request(request, backend, settled);
    }
    pqr__slot_release(slot);
    if (slot->state == PQR__SLOT_IDLE)
        pqr__dispatch_backend(backend);
}

/* --- cancelling --- */

void pqr__run_cancel(struct pqr__slot *slot)
{
    struct pqr__backend *backend = slot->backend;
    pqr_router *router = backend->router;
    pqr__timer_set(
        router, &slot->request->deadline, pqr__router_now(router) + router->config->request.cancel_grace_us);
    if (slot->state == PQR__SLOT_CLOSING || slot->cancel_pending)
        return;
    if (slot->state != PQR__SLOT_CANCELLING)
        pqr__slot_move(slot, PQR__SLOT_CANCELLING);
    slot->cancel_pending = true;
    if (!pqr__probe_cancel(&backend->probe, slot) && router->ops->cancel(slot->conn) != 0)
        slot->cancel_pending = false; /* no memory: the grace will close the connection */
}

void pqr__run_cancelled(struct pqr__slot *slot, bool safe)
{
    const struct pqr__transport_ops *ops = slot->backend->router->ops;
    bool again = !safe && !slot->doomed && slot->request && slot->state == PQR__SLOT_CANCELLING;
    slot->cancel_pending = false;
    slot->doomed |= !safe;
    if (again && ops->cancel(slot->conn) == 0) /* the probe failed us: by the cancel protocol then */
        slot->cancel_pending = true;
    else if (slot->tx && slot->doomed) /* a cancel that is astray must not hit its next statement */
        pqr__slot_close(slot);
    else if (slot->tx)
        pqr__tx_advance(slot->tx);
    else if (!slot->request)
        pqr__slot_release(slot);
}
