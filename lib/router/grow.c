/* Who opens another connection, and when: a server for its min, its reserve and its load; of a role, for those who
 * wait, the balancer's choice; as far as max, the limit over all servers, connects under way and backoff allow. What
 * may go wrong: there is no memory or no thread (backoff). */
#include "router/balance.h"
#include "router/breadth.h"
#include "router/dispatch.h"
#include "router/elastic.h"
#include "router/sizing.h"
#include "router/slot.h"

enum { LOOK_US = 500 }; /* between two looks at pools that hardly have one left, while nobody waits */

/* What the budget calls wanted: with the probe's and the reserve, which is part of min, and with those that are
   closing, of no use to anybody, but not to be had either. Spare ones are none of it. */
static uint32_t demand(const struct pqr__backend *backend)
{
    uint32_t used = pqr__pool_in_use(backend) + pqr__elastic_waiting(backend);
    uint32_t wanted = backend->router->sizing->wanted(backend);
    uint32_t loaded = pqr__pool_reserve(backend) + (used > wanted ? used : wanted);
    return 1 + backend->slots[PQR__SLOT_CLOSING].count +
           (loaded > backend->config->min ? loaded : backend->config->min);
}

static struct pqr__budget_pool in_budget(const struct pqr__backend *backend)
{
    if (backend->stay != PQR__STAY_MEMBER) /* what it still has counts, and it may have no more */
        return (struct pqr__budget_pool){.total = pqr__pool_total(backend)};
    uint32_t idle = backend->slots[PQR__SLOT_IDLE].count;
    return (struct pqr__budget_pool){
        .total = pqr__pool_total(backend),
        .max = pqr__pool_max(backend),
        .guaranteed = 1 + backend->router->config->pool.admin_reserved + 1,
        .wanted = demand(backend),
        .idle = idle > pqr__pool_reserve(backend) ? idle - pqr__pool_reserve(backend) : 0,
    };
}

/* A connection that closes leaves its place in a moment. Some take longer, by what their sessions still do, or since
   their servers do not answer. */
static bool will_have_left_soon(const pqr_router *router)
{
    enum { MOMENT_US = 250 * 1000 };
    uint64_t now = pqr__router_now(router);
    for (uint32_t i = 0; i < router->n_backends; i++)
        pqr__list_each (link, &router->backends[i].slots[PQR__SLOT_CLOSING])
            if (now - pqr__container_of(link, struct pqr__slot, link)->closing_since_us < MOMENT_US)
                return true;
    return false;
}

/* An idle connection of a server that has more than its share ends for one that has less. One at a time: what it
   leaves is there only when it is closed. */
static void take_from_the_rich(pqr_router *router, const struct pqr__budget_pool *pools, uint32_t which)
{
    if (will_have_left_soon(router))
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
    return pqr__pool_coming(backend) < router->config->pool.connects_at_once &&
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
    return pqr__pool_open(backend) + pqr__pool_coming(backend) >=
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

/* Those for a rush are opened one by one, in calm alone: who waits then is not to wait for the server's work on
   them. */
static void fill_spare(struct pqr__backend *backend)
{
    const struct pqr__sizing *sizing = backend->router->sizing;
    uint32_t spare = sizing->spare(backend);
    if (spare > 0 && pqr__pool_coming(backend) == 0 && backend->failures == 0 &&
        pqr__elastic_waiting(backend) == 0 &&
        pqr__pool_open(backend) < sizing->wanted(backend) + pqr__pool_reserve(backend) + spare &&
        may_open_spare(backend->router, backend->index))
        open_allowed(backend);
}

/* What one server lacks by itself: its reserve, its min, what its load makes it want; and one that shows whether it
   can be connected to, while others stand in for it or somebody waits for it to be ready. */
static void fill(struct pqr__backend *backend)
{
    uint32_t have = pqr__pool_open(backend) + pqr__pool_coming(backend);
    uint32_t spare = backend->slots[PQR__SLOT_IDLE].count + pqr__pool_coming(backend);
    uint32_t least = backend->failures > 0 || backend->router->waiters.count > 0;
    if (least < backend->config->min)
        least = backend->config->min;
    uint32_t wanted = backend->router->sizing->wanted(backend);
    if (wanted > 0 && least < wanted + pqr__pool_reserve(backend))
        least = wanted + pqr__pool_reserve(backend);
    while (have < least || spare < pqr__pool_reserve(backend)) {
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
            pqr__balance_add(&choice, backend, pqr__pool_outstanding(backend) + pqr__pool_coming(backend));
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
        under_way += pqr__pool_coming(backend);
        if (backend->slots[PQR__SLOT_IDLE].count < pqr__pool_reserve(backend))
            spare_missing += pqr__pool_reserve(backend) - backend->slots[PQR__SLOT_IDLE].count;
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

void pqr__pool_taken(struct pqr__backend *backend)
{
    pqr_router *router = backend->router;
    if (backend->slots[PQR__SLOT_IDLE].count > pqr__pool_reserve(backend) + 1 || router->thin ||
        !has_place(backend) || at_ceiling(backend) || pqr__router_now(router) < router->thin_us + LOOK_US)
        return;
    router->thin = true;
    router->thin_us = pqr__router_now(router);
    pqr__dispatch_soon(router);
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
