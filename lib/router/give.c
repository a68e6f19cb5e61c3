/* Giving out what waits: to which connection the next goes, and what goes with it. What is asked for in one turn of the
 * loop is given out at its end, so that it can share flights.
 */
#include "policy/sharing.h"
#include "router/aside.h"
#include "router/balance.h"
#include "router/breadth.h"
#include "router/dispatch.h"
#include "router/lot.h"

static struct pqr_reply *request_of(struct pqr__queue_entry *entry)
{
    return entry ? pqr__container_of(entry, struct pqr_reply, entry) : NULL;
}

/* On this connection. Of serializable transactions the server may refuse any for the sake of others: reads that are one
   would be refused together. */
static struct pqr__sharing sharing_on(const struct pqr__slot *slot)
{
    struct pqr__sharing sharing = pqr__lot_sharing(slot->backend->router);
    if (slot->identity.serializable)
        sharing.share_sync = 1;
    return sharing;
}

static bool is_read(const struct pqr_reply *request)
{
    return request->verdict.effect == PQR__EFFECT_READ;
}

/* A transaction or a batch, which has its connection for itself whatever it reads. */
static bool is_unit(const struct pqr_reply *request)
{
    return request->item.own == PQR__OWN_BEGIN;
}

/* A write that has asked for it, or the configuration for all. */
static bool follows(const struct pqr_reply *request, const struct pqr__sharing *sharing)
{
    bool asked = request->router->config->writes.pipeline || request->flags & PQR_PIPELINE;
    return asked && request->entry.role == PQR__QUEUE_PRIMARY &&
           pqr__sharing_follows(sharing, &request->verdict, request->known);
}

/* On this server. */
static bool is_alone(const struct pqr_reply *request, const struct pqr__backend *backend)
{
    return request->alone &&
           (request->alone != PQR__ALONE_UNLESS_THERE || !pqr__after_is_there(request, backend));
}

bool pqr__dispatch_joins(const struct pqr_reply *request, const struct pqr__backend *backend)
{
    struct pqr__sharing sharing = pqr__lot_sharing(request->router);
    return !is_alone(request, backend) &&
           (is_read(request) ? pqr__sharing_joins(&sharing, &request->verdict, request->known)
                             : follows(request, &sharing));
}

static const struct pqr_reply *head_of(const struct pqr__slot *slot)
{
    return pqr__request_of(pqr__list_first(&slot->air));
}

static bool is_overdue(const struct pqr__slot *slot)
{
    const struct pqr_reply *head = head_of(slot);
    uint64_t now = pqr__router_now(slot->backend->router);
    return pqr__sharing_is_overdue(head->known, head->flight.n_items, now - slot->since_us);
}

/* No other connection is to be shared: as many as ought to be are, and come along. */
static bool is_broad(const struct pqr__backend *backend)
{
    uint32_t limit = pqr__breadth_here(backend), shared = 0;
    if (backend->slots[PQR__SLOT_SHARED].count < limit)
        return false;
    pqr__list_each (link, &backend->slots[PQR__SLOT_SHARED])
        shared += !is_overdue(pqr__container_of(link, struct pqr__slot, link));
    return shared >= limit;
}

bool pqr__dispatch_opens(const struct pqr__backend *backend, const struct pqr_reply *request)
{
    return pqr__pool_has_room(backend, (enum pqr__lane)request->entry.lane) &&
           !(is_broad(backend) && pqr__dispatch_joins(request, backend));
}

/* What a server can do now for the queue: the connection for the next. */
struct match {
    struct pqr__slot *slot; /* NULL: nothing */
    unsigned roles;
    struct pqr__turn turn;
    struct pqr__lot lot; /* most 0: it was not looked at */
};

/* Out of the queue and into a group. */
static struct pqr_reply *take(struct pqr__list *group, struct pqr__queue *queue, struct pqr__turn turn)
{
    struct pqr_reply *request = request_of(turn.entry);
    pqr__queue_take(queue, turn);
    request->state = PQR__REQUEST_ACCEPTED; /* a log callback on its way may close the router */
    pqr__list_push_back(group, &request->entry.link);
    return request;
}

/* What goes out together: reads under one Sync, or writes one behind the other. */
struct group {
    struct pqr__list list;
    uint64_t bytes;
    const struct pqr__known *known; /* of the first, which joins others */
    const struct pqr__backend *backend;
    bool reads;
    bool primary; /* where they go: the primary */
    bool alike;   /* others of its text may go with it */
};

static void group_init(struct group *group, const struct pqr__backend *backend, const struct pqr_reply *first)
{
    bool primary = backend->role == PQR_ROLE_PRIMARY;
    pqr__list_init(&group->list);
    group->bytes = first->entry.bytes;
    group->known = first->known;
    group->backend = backend;
    group->reads = is_read(first);
    group->primary = primary;
    group->alike = group->reads && first->known && pqr__sharing_groups(first->known, first->known, primary);
}

/* As most are. */
static inline bool is_alike(const struct group *group, const struct pqr_reply *next)
{
    return next->known == group->known && group->alike && !next->alone && is_read(next);
}

static __attribute__((noinline)) bool belongs(const struct group *group, const struct pqr_reply *next)
{
    return is_read(next) == group->reads && pqr__dispatch_joins(next, group->backend) &&
           (!group->reads || pqr__sharing_groups(group->known, next->known, group->primary));
}

static bool fits(const struct group *group, struct pqr__queue_entry *next)
{
    enum { BYTES_MAX = 64 * 1024 };
    const struct pqr_reply *request = request_of(next);
    return group->bytes + next->bytes <= BYTES_MAX && (is_alike(group, request) || belongs(group, request));
}

/* Where those behind the first have the next turns, one walk finds who of them goes with it. */
static void take_row(
    struct group *group, const struct pqr__backend *backend, struct pqr__list *row, uint32_t most)
{
    struct pqr__queue_entry *last = NULL;
    uint64_t before = group->bytes;
    uint32_t n = 0;
    pqr__list_each (link, row) {
        struct pqr__queue_entry *next = pqr__queue_entry_of(link);
        if (n == most || next->avoid >> backend->index & 1 || !fits(group, next))
            break;
        group->bytes += next->bytes;
        last = next;
        n++;
    }
    if (n > 0)
        pqr__queue_take_row(&backend->router->queue, last, n, group->bytes - before, &group->list);
}

/* The next ones too, as many as may go with the first. */
static void take_more(struct group *group, const struct pqr__backend *backend, unsigned roles, uint32_t most)
{
    struct pqr__queue *queue = &backend->router->queue;
    struct pqr__list *row = pqr__queue_row(queue, roles, &pqr__request_of(group->list.head.next)->entry);
    if (row && most > 1)
        take_row(group, backend, row, most - 1);
    while (group->list.count < most) {
        struct pqr__turn turn = pqr__queue_turn(queue, roles, PQR__LANE_BATCH, backend->index);
        if (!turn.entry || !fits(group, turn.entry))
            return;
        group->bytes += turn.entry->bytes;
        take(&group->list, queue, turn);
    }
}

/* Quick reads are not spread over several connections. */
static uint32_t share_of(const struct match *match, const struct pqr__sharing *sharing)
{
    const struct pqr__backend *backend = match->slot->backend;
    const struct pqr_reply *first = request_of(match->turn.entry);
    struct pqr__lot lot = match->lot;
    if (lot.most == 0)
        lot = pqr__lot_of(backend->router, sharing, match->roles, (enum pqr__lane)first->entry.lane);
    bool as_one = is_read(first) && first->known && sharing->share_sync > 1;
    return pqr__lot_share(backend, lot, as_one ? pqr__sharing_quick(first->known) : 1);
}

static void fill(const struct match *match)
{
    struct pqr__slot *slot = match->slot;
    struct pqr__backend *backend = slot->backend;
    struct pqr__sharing sharing = sharing_on(slot);
    uint32_t most = share_of(match, &sharing);
    struct group group;
    group_init(&group, backend, request_of(match->turn.entry));
    struct pqr_reply *first = take(&group.list, &backend->router->queue, match->turn);
    if (pqr__dispatch_joins(first, backend)) {
        uint32_t room = sharing.depth - slot->air.count;
        take_more(&group, backend, match->roles, most < room ? most : room);
        if (is_read(first) && sharing.share_sync > 1)
            pqr__run_together(&group.list, slot);
        else
            pqr__run_in_turn(&group.list, slot);
    } else {
        pqr__list_remove(&group.list, &first->entry.link);
        pqr__run(first, slot);
    }
}

/* A busy connection that the request may join, the one with the fewest before it; NULL: there is none. */
static struct pqr__slot *slot_to_join(const struct pqr__backend *backend, const struct pqr_reply *request)
{
    bool read = is_read(request);
    struct pqr__slot *best = NULL;
    uint64_t now = pqr__router_now(backend->router);
    uint32_t left = pqr__lot_shares(backend);
    bool all = backend->slots[PQR__SLOT_SHARED].count <= left;
    pqr__list_each (link, &backend->slots[PQR__SLOT_SHARED]) {
        struct pqr__slot *slot = pqr__container_of(link, struct pqr__slot, link);
        if (!all && is_overdue(slot))
            continue;
        if (!all && left-- == 0)
            break;
        const struct pqr_reply *head = head_of(slot);
        if (slot->doomed || (best && best->air.count <= slot->air.count))
            continue;
        struct pqr__sharing sharing = sharing_on(slot);
        if (!read)
            sharing.share_sync = 1; /* as many flights as requests */
        if (pqr__sharing_has_room(&sharing, slot->air.count, slot->n_flights - (read ? slot->n_writes : 0),
                head->known, head->flight.n_items, now - slot->since_us))
            best = slot;
    }
    return best;
}

/* Whose turn it is among the lanes down to `lowest`, and the connection for it, if there is one. */
static struct match match_down_to(const struct pqr__backend *backend, unsigned roles, enum pqr__lane lowest)
{
    struct match found = {.roles = roles};
    found.turn = pqr__queue_turn(&backend->router->queue, roles, lowest, backend->index);
    const struct pqr_reply *next = request_of(found.turn.entry);
    if (next && pqr__dispatch_opens(backend, next))
        found.slot = pqr__pool_idle(backend);
    else if (next && !pqr__list_empty(&backend->slots[PQR__SLOT_SHARED]) &&
             pqr__dispatch_joins(next, backend))
        found.slot = slot_to_join(backend, next);
    return found;
}

static struct match match(const struct pqr__backend *backend)
{
    const struct pqr__queue *queue = &backend->router->queue;
    enum pqr__lane lowest = PQR__LANE_BATCH;
    bool idle = pqr__pool_has_room(backend, PQR__LANE_ADMIN);
    bool busy = !pqr__list_empty(&backend->slots[PQR__SLOT_SHARED]);
    if (!idle && !busy)
        return (struct match){0};
    if (!busy && !pqr__pool_has_room(backend, PQR__LANE_BATCH))
        lowest = PQR__LANE_ADMIN;
    unsigned roles = pqr__balance_roles_now(backend);
    struct match found = match_down_to(backend, roles, lowest);
    /* Where a normal request has the turn, and no connection, an administrator's need not wait for that. */
    if (!found.slot && idle && (queue->filled[PQR__LANE_ADMIN] & roles))
        found = match_down_to(backend, roles, PQR__LANE_ADMIN);
    return found;
}

/* It gains nothing by what callbacks and other flights' ends in this turn of the loop will bring: a flight that holds
   no more, or what has its connection for itself. */
static bool is_full(struct match *match, const pqr_router *router)
{
    const struct pqr_reply *next = request_of(match->turn.entry);
    const struct pqr__backend *backend = match->slot->backend;
    struct pqr__sharing sharing = pqr__lot_sharing(router);
    if (is_unit(next) || (!is_read(next) && !pqr__dispatch_joins(next, backend)))
        return true;
    match->lot = pqr__lot_of(router, &sharing, match->roles, (enum pqr__lane)next->entry.lane);
    return match->lot.waiting >= match->lot.most;
}

/* One flight, on the server that the balancer prefers of those that can take one; an idle connection before a busy
   one. False: nobody can take anything. */
static bool give_one(pqr_router *router, bool full)
{
    struct pqr__choice idle, busy; /* large: not zeroed */
    idle.n = busy.n = 0;
    struct match matches[PQR__SERVERS_MAX];
    for (uint32_t i = 0; i < router->n_backends; i++) {
        const struct pqr__backend *backend = &router->backends[i];
        matches[i] = match(backend);
        if (matches[i].slot && (!full || is_full(&matches[i], router)))
            pqr__balance_add(matches[i].slot->state == PQR__SLOT_IDLE ? &idle : &busy, backend,
                pqr__pool_outstanding(backend));
    }
    const struct pqr__backend *chosen = pqr__balance_pick(router, idle.n > 0 ? &idle : &busy);
    if (!chosen)
        return false;
    fill(&matches[chosen->index]);
    return true;
}

void pqr__dispatch_soon(pqr_router *router)
{
    router->poked = true;
    pqr__router_wake(router);
}

/* As many wait in one lane as fill a flight, or a list begins with a write or a unit. What is neither is full for no
   connection (is_full), and none need be looked at, which comes with the end of each flight. */
static bool is_pressing(const pqr_router *router)
{
    const struct pqr__queue *queue = &router->queue;
    struct pqr__sharing sharing = pqr__lot_sharing(router);
    for (unsigned lane = 0; lane < PQR__LANES; lane++) {
        if (!queue->filled[lane])
            continue;
        for (unsigned roles = queue->filled[lane]; roles != 0; roles &= roles - 1) {
            const struct pqr__list *list = &queue->lanes[__builtin_ctz(roles)][lane];
            const struct pqr_reply *head = request_of(pqr__queue_entry_of(list->head.next));
            if (!is_read(head) || is_unit(head))
                return true;
        }
        struct pqr__lot lot = pqr__lot_of(router, &sharing, queue->filled[lane], (enum pqr__lane)lane);
        if (lot.waiting >= lot.most)
            return true;
    }
    return false;
}

void pqr__dispatch_full(pqr_router *router)
{
    if (!router->poked)
        return;
    while (is_pressing(router) && give_one(router, true))
        ;
}

void pqr__dispatch_due(pqr_router *router)
{
    if (!router->poked)
        return;
    router->poked = false;
    while (pqr__queue_any(&router->queue) && give_one(router, false))
        ;
    bool thin = router->thin;
    router->thin = false;
    if (pqr__queue_any(&router->queue) || router->waiters.count > 0 || thin)
        pqr__pools_grow(router);
}
