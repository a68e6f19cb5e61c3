/* How many connections, and who may take one. The reserve: as many idle connections as admin_reserved, less
 * those that administrators use, are out of reach for everybody else; so an administrator's request waits at
 * most for a connect, never for a normal request to finish.
 */
#include "router/balance.h"
#include "router/breadth.h"
#include "router/dispatch.h"
#include "router/elastic.h"
#include "router/sizing.h"
#include "router/warm.h"

static uint32_t count(const struct pqr__backend *backend, enum pqr__slot_state state)
{
    return backend->slots[state].count;
}

uint32_t pqr__pool_open(const struct pqr__backend *backend)
{
    return count(backend, PQR__SLOT_IDLE) + pqr__pool_in_use(backend);
}

uint32_t pqr__pool_in_use(const struct pqr__backend *backend)
{
    return count(backend, PQR__SLOT_BUSY_OWN) + pqr__pool_asked_for(backend);
}

uint32_t pqr__pool_asked_for(const struct pqr__backend *backend)
{
    return count(backend, PQR__SLOT_BUSY) + count(backend, PQR__SLOT_BUSY_ADMIN) +
           count(backend, PQR__SLOT_SHARED) + count(backend, PQR__SLOT_CANCELLING);
}

uint32_t pqr__pool_outstanding(const struct pqr__backend *backend)
{
    return pqr__pool_in_use(backend) + backend->flying;
}

uint32_t pqr__pool_max(const struct pqr__backend *backend)
{
    uint32_t share = backend->router->config->fleet.enabled ? backend->fleet.share : UINT32_MAX;
    return share < backend->config->max ? share : backend->config->max;
}

static uint32_t coming(const struct pqr__backend *backend)
{
    return count(backend, PQR__SLOT_CONNECTING) + count(backend, PQR__SLOT_IDENTIFYING);
}

uint32_t pqr__pool_total(const struct pqr__backend *backend)
{
    /* The probe's place is its own even while it has no connection: it must always get one. */
    uint32_t probe = backend->stay == PQR__STAY_MEMBER || backend->probe.state != PQR__PROBE_ABSENT;
    return probe + pqr__pool_open(backend) + coming(backend) + count(backend, PQR__SLOT_CLOSING);
}

uint32_t pqr__pool_surplus(const struct pqr__backend *backend)
{
    uint32_t stays = pqr__pool_total(backend) - count(backend, PQR__SLOT_CLOSING);
    return stays > pqr__pool_max(backend) ? stays - pqr__pool_max(backend) : 0;
}

/* Idle connections that only administrators may take now. */
static uint32_t reserve(const struct pqr__backend *backend)
{
    uint32_t reserved = backend->router->config->pool.admin_reserved;
    uint32_t used = count(backend, PQR__SLOT_BUSY_ADMIN);
    return used >= reserved ? 0 : reserved - used;
}

uint32_t pqr__pool_reserve(const struct pqr__backend *backend)
{
    return reserve(backend);
}

/* What administrators use does not count: they are let in where others are kept out. */
static bool below_ceiling(const struct pqr__backend *backend)
{
    return pqr__pool_in_use(backend) - count(backend, PQR__SLOT_BUSY_ADMIN) <
           backend->router->sizing->ceiling(backend);
}

bool pqr__pool_has_room(const struct pqr__backend *backend, enum pqr__lane lane)
{
    if (lane == PQR__LANE_ADMIN)
        return count(backend, PQR__SLOT_IDLE) > 0;
    return count(backend, PQR__SLOT_IDLE) > reserve(backend) && below_ceiling(backend);
}

struct pqr__slot *pqr__pool_idle(const struct pqr__backend *backend)
{
    struct pqr__link *link = pqr__list_first(&backend->slots[PQR__SLOT_IDLE]);
    return link ? pqr__container_of(link, struct pqr__slot, link) : NULL;
}

uint32_t pqr__pool_shares(const struct pqr__backend *backend)
{
    uint32_t others = count(backend, PQR__SLOT_BUSY) + count(backend, PQR__SLOT_BUSY_OWN) +
                      count(backend, PQR__SLOT_CANCELLING);
    uint32_t ceiling = backend->router->sizing->ceiling(backend);
    return ceiling > others ? ceiling - others : 0;
}

/* --- growth --- */

/* What the budget calls wanted: with the probe's and the reserve, which is part of min. Spare ones are none of it. */
static uint32_t demand(const struct pqr__backend *backend)
{
    uint32_t used = pqr__pool_in_use(backend) + pqr__elastic_waiting(backend);
    uint32_t wanted = backend->router->sizing->wanted(backend);
    uint32_t loaded = reserve(backend) + (used > wanted ? used : wanted);
    return 1 + (loaded > backend->config->min ? loaded : backend->config->min);
}

static struct pqr__budget_pool in_budget(const struct pqr__backend *backend)
{
    if (backend->stay != PQR__STAY_MEMBER) /* what it still has counts, and it may have no more */
        return (struct pqr__budget_pool){.total = pqr__pool_total(backend)};
    uint32_t idle = count(backend, PQR__SLOT_IDLE);
    return (struct pqr__budget_pool){
        .total = pqr__pool_total(backend),
        .max = pqr__pool_max(backend),
        .guaranteed = 1 + backend->router->config->pool.admin_reserved + 1,
        .wanted = demand(backend),
        .idle = idle > reserve(backend) ? idle - reserve(backend) : 0,
    };
}

/* An idle connection of a server that has more than its share ends for one that has less. One at a time: what it
   leaves is there only when it is closed. */
static void take_from_the_rich(pqr_router *router, const struct pqr__budget_pool *pools, uint32_t which)
{
    for (uint32_t i = 0; i < router->n_backends; i++)
        if (count(&router->backends[i], PQR__SLOT_CLOSING) > 0)
            return;
    uint32_t donor = pqr__budget_donor(pools, router->n_backends, which, router->config->pool.max_total);
    if (donor == UINT32_MAX)
        return;
    struct pqr__link *longest = pqr__list_last(&router->backends[donor].slots[PQR__SLOT_IDLE]);
    assert(longest != NULL);
    pqr__slot_close(pqr__container_of(longest, struct pqr__slot, link));
}

static void budget(const pqr_router *router, struct pqr__budget_pool *pools)
{
    for (uint32_t i = 0; i < router->n_backends; i++)
        pools[i] = in_budget(&router->backends[i]);
}

/* In the limit over all servers. */
static bool in_total(pqr_router *router, uint32_t which)
{
    struct pqr__budget_pool pools[PQR__SERVERS_MAX];
    budget(router, pools);
    if (pqr__budget_allows(pools, router->n_backends, which, router->config->pool.max_total))
        return true;
    take_from_the_rich(router, pools, which);
    return false;
}

/* As far as it is concerned itself. */
static bool has_place(const struct pqr__backend *backend)
{
    const pqr_router *router = backend->router;
    return coming(backend) < router->config->pool.connects_at_once &&
           backend->retry_us <= pqr__router_now(router) && pqr__pool_total(backend) < pqr__pool_max(backend);
}

static bool may_open(pqr_router *router, uint32_t which)
{
    return has_place(&router->backends[which]) &&
           (router->config->pool.max_total == 0 || in_total(router, which));
}

/* The same, but nobody gives anything up for it. */
static bool may_open_spare(pqr_router *router, uint32_t which)
{
    struct pqr__budget_pool pools[PQR__SERVERS_MAX];
    if (router->config->pool.max_total > 0)
        budget(router, pools);
    return has_place(&router->backends[which]) &&
           (router->config->pool.max_total == 0 ||
               pqr__budget_allows(pools, router->n_backends, which, router->config->pool.max_total));
}

static bool open_allowed(struct pqr__backend *backend)
{
    if (pqr__slot_open(backend) == 0)
        return true;
    pqr__backend_problem(backend, PQR_LOG_ERROR, "cannot connect: no memory, or no thread");
    backend->failures++; /* nor may anybody wait for it while others can serve */
    backend->retry_us = pqr__router_now(backend->router) + backend->router->config->pool.backoff_min_us;
    pqr__timer_set(backend->router, &backend->retry, backend->retry_us);
    return false;
}

static bool open_one(struct pqr__backend *backend)
{
    return may_open(backend->router, backend->index) && open_allowed(backend);
}

/* Or above: as many as the load may have, and the reserve. */
static bool at_ceiling(const struct pqr__backend *backend)
{
    return pqr__pool_open(backend) + coming(backend) >=
           backend->router->sizing->opens(backend) + backend->router->config->pool.admin_reserved;
}

/* Who waits although one is idle, since as many as ought to be are shared, does not wait for another. */
static bool lacks(const struct pqr__backend *backend)
{
    bool narrow = pqr__breadth_here(backend) < UINT32_MAX;
    return !at_ceiling(backend) && !(narrow && pqr__pool_has_room(backend, PQR__LANE_NORMAL));
}

static bool has_role(const struct pqr__backend *backend, pqr_role role)
{
    return backend->role == role;
}

/* Those for a rush are opened one by one, in calm alone: who waits then is not to wait for the server's work on them. */
static void fill_spare(struct pqr__backend *backend)
{
    const struct pqr__sizing *sizing = backend->router->sizing;
    uint32_t spare = sizing->spare(backend);
    if (spare > 0 && coming(backend) == 0 && backend->failures == 0 && pqr__elastic_waiting(backend) == 0 &&
        pqr__pool_open(backend) < sizing->wanted(backend) + reserve(backend) + spare &&
        may_open_spare(backend->router, backend->index))
        open_allowed(backend);
}

/* What one server lacks by itself: its reserve, its min, what its load makes it want; and one that shows whether it
   can be connected to, while others stand in for it or somebody waits for it to be ready. */
static void fill(struct pqr__backend *backend)
{
    uint32_t have = pqr__pool_open(backend) + coming(backend);
    uint32_t spare = count(backend, PQR__SLOT_IDLE) + coming(backend);
    uint32_t least = backend->failures > 0 || backend->router->waiters.count > 0;
    if (least < backend->config->min)
        least = backend->config->min;
    uint32_t wanted = backend->router->sizing->wanted(backend);
    if (wanted > 0 && least < wanted + reserve(backend))
        least = wanted + reserve(backend);
    while (have < least || spare < reserve(backend)) {
        if (!open_one(backend))
            return;
        have++;
        spare++;
    }
    fill_spare(backend);
}

/* Who of the servers of a role opens a connection for the next waiter: the balancer's choice. */
static struct pqr__backend *next_to_open(pqr_router *router, pqr_role role)
{
    struct pqr__choice choice; /* large: not zeroed */
    choice.n = 0;
    for (uint32_t i = 0; i < router->n_backends; i++) {
        const struct pqr__backend *backend = &router->backends[i];
        if (has_role(backend, role) && lacks(backend) && may_open(router, i))
            pqr__balance_add(&choice, backend, pqr__pool_outstanding(backend) + coming(backend));
    }
    return pqr__balance_pick(router, &choice);
}

/* Some server of the role has a place: most of the time none has, and how many connects who waits is worth need not be
   known. */
static bool can_grow(const pqr_router *router, pqr_role role)
{
    for (uint32_t i = 0; i < router->n_backends; i++) {
        const struct pqr__backend *backend = &router->backends[i];
        if (has_role(backend, role) && has_place(backend) && lacks(backend))
            return true;
    }
    return false;
}

static void grow_role(pqr_router *router, pqr_role role)
{
    if (!can_grow(router, role))
        return;
    unsigned roles = 0;
    uint32_t under_way = 0, spare_missing = 0;
    for (uint32_t i = 0; i < router->n_backends; i++) {
        struct pqr__backend *backend = &router->backends[i];
        if (!has_role(backend, role))
            continue;
        roles |= pqr__backend_roles(backend);
        under_way += coming(backend);
        if (count(backend, PQR__SLOT_IDLE) < reserve(backend))
            spare_missing += reserve(backend) - count(backend, PQR__SLOT_IDLE);
    }
    uint32_t admins = pqr__queue_waiting(&router->queue, roles, PQR__LANE_ADMIN);
    uint32_t normal = pqr__queue_waiting(&router->queue, roles, PQR__LANE_NORMAL) +
                      pqr__queue_waiting(&router->queue, roles, PQR__LANE_BATCH);
    if (role == PQR_ROLE_REPLICA)
        normal += pqr__balance_lent(router);
    uint32_t worth = admins + router->sizing->connects(router, role, normal) + spare_missing;
    while (worth > under_way) {
        struct pqr__backend *backend = next_to_open(router, role);
        if (!backend || !open_one(backend))
            return;
        under_way++;
    }
}

void pqr__pools_grow(pqr_router *router)
{
    if (router->state >= PQR__ROUTER_CLOSING)
        return;
    if (pqr__queue_any(&router->queue))
        pqr__elastic_wake(router, true);
    for (uint32_t i = 0; i < router->n_backends; i++)
        if ((has_role(&router->backends[i], PQR_ROLE_PRIMARY) ||
                has_role(&router->backends[i], PQR_ROLE_REPLICA)) &&
            has_place(&router->backends[i]))
            fill(&router->backends[i]);
    if (router->poked) /* who waits still then is known when what is idle now has been given out */
        return;
    grow_role(router, PQR_ROLE_PRIMARY);
    grow_role(router, PQR_ROLE_REPLICA);
}

/* --- shrinking --- */

/* A statement of ours, or a cancel, that is never answered (a stopped process, a thread stuck in PQcancel) would
 * hold its place for ever: nobody waits for it, so no deadline ends it. */
static void close_stuck(struct pqr__backend *backend, enum pqr__slot_state state)
{
    uint64_t now = pqr__router_now(backend->router);
    pqr__list_each (link, &backend->slots[state]) {
        struct pqr__slot *slot = pqr__container_of(link, struct pqr__slot, link);
        bool stuck = now - slot->ours_since_us >= backend->router->config->pool.connect_timeout_us;
        if (pqr__list_empty(&slot->air) && !slot->tx && (pqr__warm_gives_up(slot) || stuck))
            pqr__slot_close(slot);
    }
}

void pqr__pool_shrink(struct pqr__backend *backend)
{
    struct pqr__link *longest = pqr__list_last(&backend->slots[PQR__SLOT_IDLE]);
    if (longest && count(backend, PQR__SLOT_IDLE) > reserve(backend) &&
        backend->router->sizing->shrinks(backend))
        pqr__slot_close(pqr__container_of(longest, struct pqr__slot, link));
}

void pqr__pool_fit(struct pqr__backend *backend)
{
    while (pqr__pool_surplus(backend) > 0 && count(backend, PQR__SLOT_IDLE) > reserve(backend))
        pqr__slot_close(
            pqr__container_of(pqr__list_last(&backend->slots[PQR__SLOT_IDLE]), struct pqr__slot, link));
}

void pqr__pool_trim(struct pqr__backend *backend)
{
    uint64_t now = pqr__router_now(backend->router);
    uint64_t idle_timeout = backend->router->config->pool.idle_timeout_us;
    uint32_t floor = backend->config->min;
    close_stuck(backend, PQR__SLOT_IDENTIFYING);
    close_stuck(backend, PQR__SLOT_BUSY);
    close_stuck(backend, PQR__SLOT_BUSY_ADMIN);
    close_stuck(backend, PQR__SLOT_BUSY_OWN);
    close_stuck(backend, PQR__SLOT_CANCELLING);
    uint32_t wanted = backend->router->sizing->wanted(backend) + backend->router->sizing->spare(backend) +
                      backend->router->config->pool.admin_reserved;
    if (floor < wanted)
        floor = wanted;
    /* Longest idle first: they are at the list's end. */
    struct pqr__link *link = backend->slots[PQR__SLOT_IDLE].head.prev;
    while (link != &backend->slots[PQR__SLOT_IDLE].head) {
        struct pqr__slot *slot = pqr__container_of(link, struct pqr__slot, link);
        link = link->prev;
        bool surplus = idle_timeout && now - slot->idle_since_us >= idle_timeout &&
                       pqr__pool_open(backend) > floor && count(backend, PQR__SLOT_IDLE) > reserve(backend);
        bool expired = slot->expires_us && now >= slot->expires_us;
        if (surplus || expired)
            pqr__slot_close(slot);
    }
    pqr__pool_shrink(backend);
}
