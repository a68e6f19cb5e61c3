/* Which queue a request belongs to, and which server takes it. A request is bound to a server only when a
 * connection can take it; until then it waits for its role. What is asked for in an event is given out at its end, so
 * that it can share flights; what is asked for at other times goes out at once if a connection is idle.
 */
#include "router/dispatch.h"

#include <stdio.h>
#include <string.h>

#include "policy/sharing.h"
#include "router/balance.h"
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
        return "COPY from or to the client needs a connection of its own; load rows with INSERT in "
               "pqr_tx_run";
    if (request->verdict.effect == PQR__EFFECT_TRANSACTION)
        return "transaction control needs a connection of its own; run the transaction with pqr_tx_run";
    if (request->verdict.route == PQR_CLASS_SESSION &&
        request->router->config->reads.session == PQR__SESSION_REFUSE)
        return "it leaves or needs state on one connection; run it in a transaction with pqr_tx_run";
    return NULL;
}

static bool may_take(const struct pqr__backend *backend, const struct pqr_reply *request)
{
    unsigned roles = request->entry.lane == PQR__LANE_ADMIN ? pqr__backend_roles(backend)
                                                            : pqr__balance_roles_now(backend);
    return (roles >> request->entry.role & 1) != 0 && !(request->entry.avoid >> backend->index & 1) &&
           pqr__pool_has_room(backend, request->entry.lane);
}

static struct pqr__slot *idle_slot(const struct pqr__backend *backend)
{
    struct pqr__link *link = pqr__list_first(&backend->slots[PQR__SLOT_IDLE]);
    return link ? pqr__container_of(link, struct pqr__slot, link) : NULL;
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
    return backend ? idle_slot(backend) : NULL;
}

static bool others_first(const struct pqr_reply *request)
{
    const struct pqr__queue *queue = &request->router->queue;
    for (unsigned lane = 0; lane <= request->entry.lane; lane++)
        if (queue->lanes[request->entry.role][lane].count > 0)
            return true;
    return false;
}

static void refuse(struct pqr_reply *request, const char *why)
{
    pqr_router *router = request->router;
    router->refused++;
    router->refused_us = pqr__router_now(router);
    pqr__request_finish(request, PQR_STATUS_OVERLOADED, PQR_OUTCOME_NOT_EXECUTED, why);
}

static void explain_full(const struct pqr_reply *request, char *out, size_t size)
{
    const struct pqr__queue *queue = &request->router->queue;
    char numbers[160];
    pqr__pressure_numbers(request, numbers, sizeof(numbers));
    snprintf(out, size,
        "the queue is full: %u waiting of queue.max_requests %u, %llu of queue.max_bytes %llu bytes; %s",
        pqr__queue_lane_count(queue, request->entry.lane), queue->max_entries,
        (unsigned long long)queue->bytes[request->entry.lane], (unsigned long long)queue->max_bytes, numbers);
}

static void enqueue(struct pqr_reply *request)
{
    pqr_router *router = request->router;
    char why[sizeof(request->error)];
    if (pqr__pressure_refuses(request, why, sizeof(why))) {
        refuse(request, why);
        return;
    }
    bool pushed = pqr__queue_push(&router->queue, &request->entry);
    if (!pushed && router->poked && !router->in_log) { /* what it has to wait behind may go now */
        pqr__dispatch_due(router);
        pushed = pqr__queue_push(&router->queue, &request->entry);
    }
    if (!pushed) {
        explain_full(request, why, sizeof(why));
        refuse(request, why);
        return;
    }
    request->state = PQR__REQUEST_QUEUED;
    if (pqr__backends_hopeless(router)) {
        pqr__request_give_up(request);
    } else {
        pqr__dispatch_soon(router);
    }
}

void pqr__dispatch_give_up(pqr_router *router)
{
    struct pqr__queue_entry *entry;
    while ((entry = pqr__queue_any(&router->queue)) != NULL)
        pqr__request_give_up(pqr__container_of(entry, struct pqr_reply, entry));
}

/* Its text means something else now: it may have to go elsewhere. */
static void classify_again(struct pqr_reply *request)
{
    pqr_router *router = request->router;
    if (request->tx || pqr__request_is_own(request))
        return;
    pqr__classify(&request->verdict, request->item.sql, strlen(request->item.sql), &router->dialect);
    pqr__queue_remove(&router->queue, &request->entry);
    if (request->attempts == 0)
        request->entry.role = (uint8_t)role_of(request);
    pqr__queue_return(&router->queue, &request->entry);
}

static void classify_lane(struct pqr__list *lane)
{
    pqr__list_each (link, lane) {
        struct pqr__queue_entry *entry = pqr__container_of(link, struct pqr__queue_entry, link);
        classify_again(pqr__container_of(entry, struct pqr_reply, entry));
    }
}

void pqr__dispatch_reclassify(pqr_router *router)
{
    pqr__known_outdate(&router->known);
    for (unsigned role = 0; role < PQR__QUEUE_ROLES; role++)
        for (unsigned lane = 0; lane < PQR__LANES; lane++)
            classify_lane(&router->queue.lanes[role][lane]);
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

void pqr__dispatch(struct pqr_reply *request)
{
    pqr_router *router = request->router;
    const char *refusal = refusal_of(request);
    request->entry.role = (uint8_t)role_of(request);
    if (refusal) {
        memcpy(request->sqlstate, "0A000", 6);
        pqr__request_finish(request, PQR_STATUS_SQL_ERROR, PQR_OUTCOME_NOT_EXECUTED, refusal);
        return;
    }
    if (!pqr__request_is_own(request))
        ++*(request->entry.role == PQR__QUEUE_PRIMARY ? &router->routed_primary : &router->routed_replica);
    bool at_once = !router->in_event && !router->in_log && !others_first(request);
    struct pqr__slot *slot = at_once ? choose(request) : NULL;
    if (slot)
        pqr__run(request, slot);
    else
        enqueue(request);
}

/* --- giving out what waits --- */

static struct pqr_reply *request_of(struct pqr__queue_entry *entry)
{
    return entry ? pqr__container_of(entry, struct pqr_reply, entry) : NULL;
}

static struct pqr__sharing sharing_of(const pqr_router *router)
{
    return (struct pqr__sharing){.share_sync = router->config->reads.share_sync,
        .depth = router->config->pool.pipeline_depth,
        .fast_us = router->config->reads.share_limit_us};
}

static bool is_read(const struct pqr_reply *request)
{
    return request->verdict.effect == PQR__EFFECT_READ;
}

/* A write that has asked for it, or the configuration for all. */
static bool follows(const struct pqr_reply *request, const struct pqr__sharing *sharing)
{
    bool asked = request->router->config->writes.pipeline || request->flags & PQR_PIPELINE;
    return asked && request->entry.role == PQR__QUEUE_PRIMARY &&
           pqr__sharing_follows(sharing, &request->verdict, request->known);
}

bool pqr__dispatch_joins(const struct pqr_reply *request)
{
    struct pqr__sharing sharing = sharing_of(request->router);
    return !request->alone && !request->tx && request->item.own == PQR__OWN_NONE &&
           request->entry.lane != PQR__LANE_ADMIN && !(request->flags & PQR_ALONE) &&
           (is_read(request) ? pqr__sharing_joins(&sharing, &request->verdict, request->known)
                             : follows(request, &sharing));
}

/* The next that a server may run; NULL: none. */
static struct pqr_reply *next_for(const struct pqr__backend *backend, enum pqr__lane lowest)
{
    return request_of(
        pqr__queue_peek(&backend->router->queue, pqr__balance_roles_now(backend), lowest, backend->index));
}

/* The same, out of the queue and into a group. */
static struct pqr_reply *take(
    struct pqr__list *group, const struct pqr__backend *backend, enum pqr__lane lowest)
{
    struct pqr_reply *request = request_of(
        pqr__queue_take(&backend->router->queue, pqr__balance_roles_now(backend), lowest, backend->index));
    request->state = PQR__REQUEST_ACCEPTED;
    pqr__link_init(&request->link);
    pqr__list_push_back(group, &request->link);
    return request;
}

/* It may go out with the first of a group: reads under its Sync, writes behind it. */
static bool belongs(const struct pqr_reply *next, const struct pqr_reply *first, bool primary)
{
    if (!pqr__dispatch_joins(next) || is_read(next) != is_read(first))
        return false;
    return !is_read(first) || pqr__sharing_groups(first->known, next->known, primary);
}

/* The next ones too, as many as may go with the first. */
static void take_more(
    struct pqr__list *group, const struct pqr_reply *first, const struct pqr__backend *backend, uint32_t most)
{
    enum { BYTES_MAX = 64 * 1024 };
    bool primary = backend->role == PQR_ROLE_PRIMARY;
    uint64_t bytes = first->entry.bytes;
    while (group->count < most) {
        const struct pqr_reply *next = next_for(backend, PQR__LANE_BATCH);
        if (!next || bytes + next->entry.bytes > BYTES_MAX || !belongs(next, first, primary))
            return;
        bytes += next->entry.bytes;
        take(group, backend, PQR__LANE_BATCH);
    }
}

/* Idle connections that requests of this server's role may take, the reserve apart. */
static uint32_t idle_of_role(const pqr_router *router, pqr_role role)
{
    uint32_t idle = 0;
    for (uint32_t i = 0; i < router->n_backends; i++) {
        const struct pqr__backend *backend = &router->backends[i];
        if (backend->role == role && pqr__pool_has_room(backend, PQR__LANE_NORMAL))
            idle += backend->slots[PQR__SLOT_IDLE].count - pqr__pool_reserve(backend);
    }
    return idle;
}

/* What waits goes out together; what an idle connection could take as well is left to that. */
static uint32_t share_of(const struct pqr__backend *backend)
{
    uint32_t waiting = pqr__queue_count(&backend->router->queue);
    uint32_t idle = idle_of_role(backend->router, backend->role);
    uint32_t fair = idle > 1 ? (waiting + idle - 1) / idle : waiting;
    uint32_t most = backend->router->config->reads.share_sync;
    return fair < 1 ? 1 : fair < most ? fair : most;
}

static void fill(struct pqr__slot *slot, enum pqr__lane lowest)
{
    struct pqr__backend *backend = slot->backend;
    struct pqr__list group;
    uint32_t most = share_of(backend);
    pqr__list_init(&group);
    struct pqr_reply *first = take(&group, backend, lowest);
    if (pqr__dispatch_joins(first)) {
        uint32_t room = backend->router->config->pool.pipeline_depth - slot->air.count;
        take_more(&group, first, backend, most < room ? most : room);
        if (is_read(first))
            pqr__run_together(&group, slot);
        else
            pqr__run_in_turn(&group, slot);
    } else {
        pqr__list_remove(&group, &first->link);
        pqr__run(first, slot);
    }
}

/* A busy connection that the request may join, the one with the fewest before it; NULL: there is none. */
static struct pqr__slot *slot_to_join(const struct pqr__backend *backend, const struct pqr_reply *request)
{
    struct pqr__sharing sharing = sharing_of(backend->router);
    bool read = is_read(request);
    if (!read)
        sharing.share_sync = 1; /* as many flights as requests */
    struct pqr__slot *best = NULL;
    uint64_t now = pqr__router_now(backend->router);
    pqr__list_each (link, &backend->slots[PQR__SLOT_SHARED]) {
        struct pqr__slot *slot = pqr__container_of(link, struct pqr__slot, link);
        const struct pqr_reply *head = pqr__container_of(pqr__list_first(&slot->air), struct pqr_reply, link);
        if (slot->doomed || (best && best->air.count <= slot->air.count))
            continue;
        if (pqr__sharing_has_room(&sharing, slot->air.count, slot->n_flights - (read ? slot->n_writes : 0),
                head->known, head->flight.n_items, now - slot->since_us))
            best = slot;
    }
    return best;
}

/* What a server can do now for the queue: the connection for the next, taken from lanes down to lowest. */
struct match {
    struct pqr__slot *slot; /* NULL: nothing */
    enum pqr__lane lowest;
};

static struct match match(const struct pqr__backend *backend)
{
    struct match found = {NULL, PQR__LANE_BATCH};
    bool idle = pqr__pool_has_room(backend, PQR__LANE_ADMIN);
    bool busy = !pqr__list_empty(&backend->slots[PQR__SLOT_SHARED]);
    if (!idle && !busy)
        return found;
    if (!busy && !pqr__pool_has_room(backend, PQR__LANE_BATCH))
        found.lowest = PQR__LANE_ADMIN;
    const struct pqr_reply *next = next_for(backend, found.lowest);
    if (next && idle && pqr__pool_has_room(backend, (enum pqr__lane)next->entry.lane))
        found.slot = idle_slot(backend);
    else if (next && busy && pqr__dispatch_joins(next))
        found.slot = slot_to_join(backend, next);
    return found;
}

/* One flight, on the server that the balancer prefers of those that can take one; an idle connection before a busy
   one. False: nobody can take anything. */
static bool give_one(pqr_router *router)
{
    struct pqr__choice idle, busy; /* large: not zeroed */
    idle.n = busy.n = 0;
    struct match matches[PQR__SERVERS_MAX];
    for (uint32_t i = 0; i < router->n_backends; i++) {
        const struct pqr__backend *backend = &router->backends[i];
        matches[i] = match(backend);
        if (matches[i].slot)
            pqr__balance_add(matches[i].slot->state == PQR__SLOT_IDLE ? &idle : &busy, backend,
                pqr__pool_outstanding(backend));
    }
    const struct pqr__backend *chosen = pqr__balance_pick(router, idle.n > 0 ? &idle : &busy);
    if (!chosen)
        return false;
    fill(matches[chosen->index].slot, matches[chosen->index].lowest);
    return true;
}

void pqr__dispatch_soon(pqr_router *router)
{
    router->poked = true;
    pqr__router_wake(router);
}

bool pqr__dispatch_is_worth_it(const pqr_router *router)
{
    return router->poked && pqr__queue_count(&router->queue) >= router->config->reads.share_sync;
}

void pqr__dispatch_due(pqr_router *router)
{
    if (!router->poked)
        return;
    router->poked = false;
    while (pqr__queue_any(&router->queue) && give_one(router))
        ;
    if (pqr__queue_any(&router->queue) || router->waiters.count > 0)
        pqr__pools_grow(router);
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
