/* Requests on a connection: sent and answered. A flight is one request, or several reads under one Sync; it is the
 * memory of the first. Several flights may be in the air. How they are cancelled: cancel.c; how they end: settled.c.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/seldom.h"
#include "router/aside.h"
#include "router/batch.h"
#include "router/dispatch.h"
#include "router/transaction.h"

/* Where requests are sent, and when. */
struct launch {
    struct pqr__slot *slot;
    uint64_t now_us;
    uint32_t server;
    pqr_role role;
};

static struct launch launch_of(struct pqr__slot *slot)
{
    const struct pqr__backend *backend = slot->backend;
    return (struct launch){.slot = slot,
        .now_us = pqr__router_now(backend->router),
        .server = backend->index,
        .role = backend->role};
}

static void launch(struct pqr_reply *request, const struct launch *launch, bool shared)
{
    request->slot = launch->slot;
    request->shared = shared;
    request->server = launch->server;
    request->route = launch->role;
    request->sent_us = launch->now_us;
    request->attempts++;
    request->state = PQR__REQUEST_FLYING;
}

void pqr__run_take_off(struct pqr_reply *request, struct pqr__slot *slot)
{
    struct launch this = launch_of(slot);
    pqr__list_push_back(&slot->air, &request->entry.link);
    slot->backend->flying++;
    launch(request, &this, false);
}

/* n reads, so many of which are a replica's by right. */
static void count_reads(struct pqr__backend *backend, uint32_t n, uint32_t n_replicas)
{
    backend->reads += n;
    if (backend->role == PQR_ROLE_PRIMARY && backend->router->config->reads.primary != PQR__PRIMARY_ALWAYS)
        backend->router->fallback_primary += n_replicas;
}

static bool is_for_replicas(const struct pqr_reply *request)
{
    return request->entry.role == PQR__QUEUE_REPLICA;
}

static enum pqr__slot_state state_for(const struct pqr_reply *request, bool joins)
{
    if (request->entry.lane == PQR__LANE_ADMIN)
        return PQR__SLOT_BUSY_ADMIN;
    if (pqr__request_is_own(request))
        return PQR__SLOT_BUSY_OWN;
    return joins ? PQR__SLOT_SHARED : PQR__SLOT_BUSY;
}

void pqr__run_make_ready(struct pqr_reply *request, struct pqr__slot *slot)
{
    enum pqr__effect effect = request->verdict.effect;
    request->item.next = NULL;
    if (request->item.own != PQR__OWN_NONE)
        return;
    if (effect == PQR__EFFECT_READ)
        count_reads(slot->backend, 1, is_for_replicas(request));
    else
        slot->backend->writes++;
    slot->swollen |= request->bulk == PQR__BULK_SWELLING;
    if (effect != PQR__EFFECT_READ && effect != PQR__EFFECT_WRITE)
        slot->dirty = true; /* it may leave more behind than its text shows */
}

void pqr__run_send(struct pqr_reply *first, struct pqr__item *items, uint32_t n, enum pqr__flight_kind kind)
{
    assert(first != NULL && n > 0);
    struct pqr__slot *slot = first->slot;
    if (slot->state == PQR__SLOT_SHARED)
        slot->backend->load.started += n;
    if (pqr__request_writes(first)) {
        first->router->pipelined_writes += slot->n_flights > 0;
        slot->n_writes++;
    }
    if (slot->n_flights++ == 0)
        slot->since_us = first->sent_us;
    first->flight = (struct pqr__flight){.kind = (uint8_t)kind, .n_items = n, .items = items};
    first->router->ops->send(slot->conn, &first->flight);
}

void pqr__run(struct pqr_reply *request, struct pqr__slot *slot)
{
    bool simple =
        request->verdict.several && request->item.n_params == 0 && request->item.own == PQR__OWN_NONE;
    assert(pqr__list_empty(&slot->air));
    bool causal = (request->flags & PQR__CAUSAL) != 0;
    if (causal && !pqr__after_admits(request, slot->backend)) {
        pqr__after_elsewhere(request);
        return;
    }
    if (slot->state == PQR__SLOT_IDLE)
        pqr__slot_move(slot, state_for(request, pqr__dispatch_joins(request, slot->backend)));
    if (request->batch && pqr__batch_leads(request)) {
        pqr__batch_fly(request->batch, slot);
        return;
    }
    if (pqr__tx_leads(request)) {
        pqr__tx_given(request->tx, slot);
        return;
    }
    if (causal)
        pqr__after_check(request, slot);
    pqr__run_take_off(request, slot);
    pqr__run_make_ready(request, slot);
    pqr__run_send(request, &request->item, 1, simple ? PQR__FLIGHT_SIMPLE : PQR__FLIGHT_PIPELINE);
    if (causal && request->verdict.effect == PQR__EFFECT_WRITE && request->item.rows_at_once == 0)
        pqr__token_ask(request, slot);
}

void pqr__run_group(struct pqr__list *requests, struct pqr__slot *slot)
{
    struct launch this = launch_of(slot);
    struct pqr_reply *first = pqr__request_of(requests->head.next);
    struct pqr__item *items, **next = &items;
    uint32_t n = requests->count, n_replicas = 0;
    bool swelling = false;
    pqr__list_each (link, requests) {
        struct pqr_reply *request = pqr__request_of(link);
        launch(request, &this, n > 1);
        n_replicas += is_for_replicas(request);
        swelling |= request->bulk == PQR__BULK_SWELLING;
        *next = &request->item;
        next = &request->item.next;
    }
    *next = NULL;
    slot->swollen |= swelling;
    count_reads(slot->backend, n, n_replicas);
    pqr__list_join(&slot->air, requests);
    slot->backend->flying += n;
    pqr__run_send(first, items, n, PQR__FLIGHT_PIPELINE);
}

static void share(struct pqr__slot *slot)
{
    if (slot->state == PQR__SLOT_IDLE)
        pqr__slot_move(slot, PQR__SLOT_SHARED);
    assert(slot->state == PQR__SLOT_SHARED);
}

void pqr__run_together(struct pqr__list *requests, struct pqr__slot *slot)
{
    share(slot);
    pqr__run_group(requests, slot);
}

void pqr__run_in_turn(struct pqr__list *requests, struct pqr__slot *slot)
{
    struct pqr__link *link;
    share(slot);
    while ((link = pqr__list_first(requests)) != NULL) {
        struct pqr_reply *request = pqr__request_of(link);
        pqr__list_remove(requests, link);
        pqr__run_take_off(request, slot);
        pqr__run_make_ready(request, slot);
        pqr__run_send(request, &request->item, 1, PQR__FLIGHT_PIPELINE);
    }
}

enum pqr__reply_kind pqr__run_kind(const struct pqr__answer *answer)
{
    static const enum pqr__reply_kind kinds[] = {
        [PQR__ANSWER_OK] = PQR__REPLY_OK,
        [PQR__ANSWER_ERROR] = PQR__REPLY_ERROR,
        [PQR__ANSWER_ABORTED] = PQR__REPLY_ABORTED,
    };
    return kinds[answer->kind];
}

static PQR__SELDOM void fail(
    const struct pqr__slot *slot, struct pqr_reply *request, const struct pqr__answer *answer)
{
    if (answer->at_sync && request->in_whole) { /* where an implicit transaction has its COMMIT */
        pqr__batch_committed(request->batch, answer);
        return;
    }
    if (request->result) /* what an error at the Sync takes the place of */
        slot->backend->router->ops->result_free(request->result);
    request->result = answer->result;
    request->reply = pqr__run_kind(answer);
    request->stale = answer->stale;
    memcpy(request->sqlstate, answer->sqlstate, sizeof(request->sqlstate));
    pqr__request_say(request, answer->message);
}

/* Of one that went well: it has nothing that a later error could take back, since it is a harmless read among others,
   none of them serializable. The last one is answered when the flight ends, which is now. */
static bool is_final(const struct pqr_reply *request)
{
    return request->shared && request->state == PQR__REQUEST_FLYING && !request->batch && request->item.next;
}

void pqr__run_item(struct pqr__slot *slot, struct pqr__item *item, const struct pqr__answer *answer)
{
    struct pqr_reply *request = pqr__container_of(item, struct pqr_reply, item);
    if (item->own == PQR__OWN_COMMIT) {
        pqr__batch_committed(pqr__container_of(item, struct pqr__batch, commit), answer);
    } else if (answer->kind != PQR__ANSWER_OK) {
        fail(slot, request, answer);
    } else {
        request->result = answer->result;
        request->reply = PQR__REPLY_OK;
        if (is_final(request))
            pqr__event_answer(request);
    }
}

struct pqr_reply *pqr__run_owner(struct pqr__item *item)
{
    if (item->own == PQR__OWN_COMMIT)
        return pqr__container_of(item, struct pqr__batch, commit)->lead;
    return pqr__container_of(item, struct pqr_reply, item);
}

static void keep_notice(struct pqr_reply *request, const pqr_notice *notice)
{
    if (!request->notices && request->n_notices == 0)
        request->notices = pqr__calloc(PQR__NOTICES_KEPT, sizeof(*request->notices));
    if (request->notices && request->n_notices < PQR__NOTICES_KEPT)
        request->notices[request->n_notices] = *notice;
    request->n_notices++;
}

void pqr__run_notice(struct pqr_reply *request, const pqr_notice *notice)
{
    keep_notice(request, notice);
    if (request->batch && pqr__batch_hears(request->batch, request))
        keep_notice(request->batch->lead, notice);
}
