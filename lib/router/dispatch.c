/* Which queue a request belongs to, and which server takes it. A request is bound to a server only when a
 * connection can take it; until then it waits for its role (give.c). What is asked for outside of events goes out at
 * once if a connection is idle.
 */
#include "router/dispatch.h"

#include <stdio.h>
#include <string.h>

#include "base/seldom.h"
#include "router/aside.h"
#include "router/balance.h"
#include "router/batch.h"
#include "router/pressure.h"
#include "router/transaction.h"

static enum pqr__queue_role role_of(const struct pqr_reply *request)
{
    static const enum pqr__queue_role by_target[] = {
        [PQR_TARGET_AUTO] = PQR__QUEUE_PRIMARY,
        [PQR_TARGET_PRIMARY] = PQR__QUEUE_PRIMARY,
        [PQR_TARGET_REPLICA] = PQR__QUEUE_REPLICA,
        [PQR_TARGET_REPLICA_ONLY] = PQR__QUEUE_REPLICA_ONLY,
        [PQR_TARGET_ANY] = PQR__QUEUE_ANY,
    };
    if (request->target != PQR_TARGET_AUTO)
        return by_target[request->target];
    if (request->verdict.hint != PQR__HINT_NONE)
        return request->verdict.hint == PQR__HINT_PRIMARY ? PQR__QUEUE_PRIMARY : PQR__QUEUE_REPLICA;
    if (request->router->config->reads.mode == PQR__READS_EXPLICIT)
        return PQR__QUEUE_PRIMARY;
    if (request->known && request->known->refused)
        return PQR__QUEUE_PRIMARY;
    return request->verdict.route == PQR_CLASS_REPLICA ? PQR__QUEUE_REPLICA : PQR__QUEUE_PRIMARY;
}

/* What can't be run on a connection that serves others in between: why, or NULL. */
static const char *refusal_of(const struct pqr_reply *request)
{
    if (request->tx)
        return NULL;
    if (request->verdict.effect == PQR__EFFECT_COPY)
        return "COPY from or to the client is not supported; load rows with INSERT in pqr_tx_run, read them "
               "with SELECT";
    if (request->verdict.effect == PQR__EFFECT_TRANSACTION)
        return "transaction control needs a connection of its own; run the transaction with pqr_tx_run";
    if (request->verdict.route == PQR_CLASS_SESSION &&
        request->router->config->reads.session == PQR__SESSION_REFUSE)
        return "it leaves or needs state on one connection; run it in a transaction with pqr_tx_run";
    return request->verdict.several ? pqr__parts_refusal(request) : NULL;
}

/* Nothing but its text, and the configuration, says where it goes. */
static bool goes_by_text(const struct pqr_reply *request)
{
    return request->item.statement != 0 && request->target == PQR_TARGET_AUTO && request->known->ready;
}

/* As most are: found out before. */
static bool is_routine(const struct pqr_reply *request)
{
    return goes_by_text(request) && request->known->waits_in != 0 && !(request->flags & PQR__CAUSAL);
}

/* False: it can't be run, and is answered. */
static PQR__SELDOM bool find_place(struct pqr_reply *request)
{
    if (request->bulk == PQR__BULK_REFUSED) {
        pqr__request_refuse_size(request);
        return false;
    }
    const char *refusal = refusal_of(request);
    enum pqr__queue_role role = role_of(request);
    request->entry.role = (uint8_t)role;
    if (refusal) {
        memcpy(request->sqlstate, "0A000", 6);
        pqr__request_finish(request, PQR_STATUS_SQL_ERROR, PQR_OUTCOME_NOT_EXECUTED, refusal);
        return false;
    }
    if (goes_by_text(request))
        request->known->waits_in = (uint8_t)(role + 1);
    return !(request->flags & PQR__CAUSAL) || pqr__after_place(request);
}

static bool may_take(const struct pqr__backend *backend, const struct pqr_reply *request)
{
    unsigned roles = request->entry.lane == PQR__LANE_ADMIN ? pqr__backend_roles(backend)
                                                            : pqr__balance_roles_now(backend);
    return (roles >> request->entry.role & 1) != 0 && !(request->entry.avoid >> backend->index & 1) &&
           pqr__dispatch_opens(backend, request);
}

/* A connection for it now, on the server that the balancer prefers; NULL: none has room. */
static struct pqr__slot *choose(const struct pqr_reply *request)
{
    pqr_router *router = request->router;
    struct pqr__choice choice;
    choice.n = 0;
    for (uint32_t i = 0; i < router->n_backends; i++)
        if (may_take(&router->backends[i], request))
            pqr__balance_add(&choice, &router->backends[i], pqr__pool_outstanding(&router->backends[i]));
    const struct pqr__backend *backend = pqr__balance_pick(router, &choice);
    return backend ? pqr__pool_idle(backend) : NULL;
}

static bool others_first(const struct pqr_reply *request)
{
    const struct pqr__queue *queue = &request->router->queue;
    for (unsigned lane = 0; lane <= request->entry.lane; lane++)
        if (queue->lanes[request->entry.role][lane].count > 0)
            return true;
    return false;
}

static PQR__SELDOM void refuse(struct pqr_reply *request, const char *why)
{
    pqr_router *router = request->router;
    router->refused++;
    router->refused_us = pqr__router_now(router);
    pqr__request_finish(request, PQR_STATUS_OVERLOADED, PQR_OUTCOME_NOT_EXECUTED, why);
}

static PQR__SELDOM void refuse_full(struct pqr_reply *request)
{
    const struct pqr__queue *queue = &request->router->queue;
    char numbers[160], why[PQR__ERROR_SIZE];
    pqr__pressure_numbers(request, numbers, sizeof(numbers));
    snprintf(why, sizeof(why),
        "the queue is full: %u waiting of queue.max_requests %u, %llu of queue.max_bytes %llu bytes; %s",
        pqr__queue_lane_count(queue, request->entry.lane), queue->max_entries,
        (unsigned long long)queue->bytes[request->entry.lane], (unsigned long long)queue->max_bytes, numbers);
    refuse(request, why);
}

static PQR__SELDOM bool refuse_late(struct pqr_reply *request)
{
    char why[PQR__ERROR_SIZE];
    bool refused = pqr__pressure_refuses(request, why, sizeof(why));
    if (refused)
        refuse(request, why);
    return refused;
}

/* What it has to wait behind may go now. */
static PQR__SELDOM bool push_again(struct pqr_reply *request)
{
    pqr_router *router = request->router;
    if (!router->poked || router->in_log)
        return false;
    pqr__dispatch_due(router);
    return pqr__queue_push(&router->queue, &request->entry);
}

static inline void enqueue(struct pqr_reply *request)
{
    pqr_router *router = request->router;
    if (pqr__queue_makes_wait(&router->queue, request->entry.role) && refuse_late(request))
        return;
    if (!pqr__queue_push(&router->queue, &request->entry) && !push_again(request)) {
        refuse_full(request);
        return;
    }
    request->state = PQR__REQUEST_QUEUED;
    bool first = router->queue.lanes[request->entry.role][request->entry.lane].count == 1;
    if (first && pqr__backends_hopeless(router)) /* when nobody waits behind it either */
        pqr__request_give_up(request);
    else
        pqr__dispatch_soon(router);
}

void pqr__dispatch_give_up(pqr_router *router)
{
    struct pqr__queue_entry *entry;
    while ((entry = pqr__queue_any(&router->queue)) != NULL)
        pqr__request_give_up(pqr__container_of(entry, struct pqr_reply, entry));
}

/* Its text means something else now. True: it has to wait elsewhere, and is out of the queue. */
static bool classify_again(struct pqr_reply *request)
{
    if (request->tx || pqr__request_is_own(request))
        return false;
    if (request->batch && pqr__batch_leads(request))
        pqr__batch_reclassify(request->batch);
    else
        pqr__request_classify(request);
    enum pqr__queue_role role = role_of(request);
    if (request->attempts > 0 || role == (enum pqr__queue_role)request->entry.role)
        return false;
    pqr__queue_remove(&request->router->queue, &request->entry);
    request->entry.role = (uint8_t)role;
    return true;
}

/* As many as may wait: those that stay are left where they are, the others go back together. */
static void classify_lane(struct pqr__queue *queue, struct pqr__list *lane)
{
    struct pqr__list moved;
    pqr__list_init(&moved);
    pqr__list_each (link, lane) {
        struct pqr__queue_entry *entry = pqr__queue_entry_of(link);
        if (classify_again(pqr__container_of(entry, struct pqr_reply, entry)))
            pqr__list_push_back(&moved, &entry->link);
    }
    pqr__queue_return_all(queue, &moved);
}

void pqr__dispatch_reclassify(pqr_router *router)
{
    pqr__known_outdate(&router->known);
    for (unsigned role = 0; role < PQR__QUEUE_ROLES; role++)
        for (unsigned lane = 0; lane < PQR__LANES; lane++)
            classify_lane(&router->queue, &router->queue.lanes[role][lane]);
}

void pqr__dispatch_dialect(pqr_router *router, const struct pqr__connect_info *info)
{
    struct pqr__dialect was = router->dialect, *dialect = &router->dialect;
    dialect->standard_conforming_strings = info->standard_conforming_strings;
    dialect->ascii_safe &= info->encoding_ascii_safe;
    if (router->dialect_known && dialect->standard_conforming_strings != was.standard_conforming_strings)
        dialect->ascii_safe = false; /* servers disagree: no text is to be trusted */
    router->dialect_known = true;
    if (dialect->standard_conforming_strings != was.standard_conforming_strings ||
        dialect->ascii_safe != was.ascii_safe)
        pqr__dispatch_reclassify(router);
}

/* Outside of events. */
static __attribute__((noinline)) bool goes_at_once(struct pqr_reply *request)
{
    struct pqr__slot *slot = request->router->in_log || others_first(request) ? NULL : choose(request);
    if (slot)
        pqr__run(request, slot);
    return slot != NULL;
}

PQR__OFTEN void pqr__dispatch(struct pqr_reply *request)
{
    pqr_router *router = request->router;
    if (is_routine(request))
        request->entry.role = (uint8_t)(request->known->waits_in - 1);
    else if (!find_place(request))
        return;
    if (!pqr__request_is_own(request))
        pqr__arrivals_note(&router->arrivals[request->entry.role], request->accepted_us);
    if (router->in_event || !goes_at_once(request))
        enqueue(request);
}

/* Some server that it does not avoid may run it, now or when it has room. */
static bool has_server(const struct pqr_reply *request)
{
    for (uint32_t i = 0; i < request->router->n_backends; i++) {
        const struct pqr__backend *backend = &request->router->backends[i];
        if (pqr__backend_serves(backend, backend->role) &&
            (pqr__backend_roles(backend) >> request->entry.role & 1) && !(request->entry.avoid >> i & 1))
            return true;
    }
    return false;
}

void pqr__dispatch_again(struct pqr_reply *request, bool to_primary, bool avoid)
{
    pqr_router *router = request->router;
    pqr__token_forget(request);
    if (avoid && request->server != UINT32_MAX)
        request->entry.avoid |= UINT64_C(1) << request->server;
    if (request->entry.role == PQR__QUEUE_REPLICA_ONLY)
        to_primary = false;
    if (!to_primary && request->entry.role == PQR__QUEUE_REPLICA && !has_server(request))
        to_primary = router->config->reads.primary != PQR__PRIMARY_NEVER; /* every replica has had its try */
    if (to_primary)
        request->entry.role = PQR__QUEUE_PRIMARY;
    if (request->entry.role == PQR__QUEUE_PRIMARY || !has_server(request))
        request->entry.avoid = 0; /* there is one primary, and a new connection to it is another chance */
    request->state = PQR__REQUEST_QUEUED;
    pqr__queue_return(&router->queue, &request->entry);
    pqr__dispatch_soon(router);
}
