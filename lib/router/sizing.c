/* How large the pools are to be: by what elastic.c has booked, and policy/resizer and policy/ceiling have made of it;
 * or as plainly as pools do without. */
#include "router/sizing.h"

#include "router/elastic.h"
#include "router/router.h"

enum {
    /* Of all servers of a role; without, a step to ten times the load has a p99 a quarter longer. */
    SPARE = 4,
    LONG = 8, /* service times */
};
/* Standard errors that a rate is told less by: so many come at least; as like as not. */
static const double SURE = 2, LIKELY = 0.6;

/* A server whose like are used has one to be used as well: with no more than its reserve the balancer would pass it
   over for as long as the others let nobody wait. */
static uint32_t share_of_demand(const struct pqr__backend *backend)
{
    return backend->router->in_demand >> backend->role & 1;
}

/* --- elastic --- */

static uint32_t elastic_ceiling(const struct pqr__backend *backend)
{
    return pqr__ceiling_limit(&backend->ceiling);
}

static uint32_t elastic_opens(const struct pqr__backend *backend)
{
    return pqr__ceiling_opens(&backend->ceiling);
}

static uint32_t elastic_wanted(const struct pqr__backend *backend)
{
    uint32_t ceiling = elastic_ceiling(backend), least = share_of_demand(backend);
    uint32_t wanted = backend->resizer.wanted > least ? backend->resizer.wanted : least;
    return wanted < ceiling ? wanted : ceiling;
}

/* What the primary is ready with to stand in for the replicas: for their load, but within what reads may have of it. */
static uint32_t stand_by(const struct pqr__backend *backend)
{
    const pqr_router *router = backend->router;
    uint32_t most = elastic_ceiling(backend) * router->config->reads.fallback_max / 100, load = 0;
    if (backend->role != PQR_ROLE_PRIMARY || router->config->reads.primary != PQR__PRIMARY_FALLBACK)
        return 0;
    for (uint32_t i = 0; i < router->n_backends; i++)
        if (router->backends[i].role == PQR_ROLE_REPLICA)
            load += router->backends[i].resizer.by_load;
    return load < most ? load : most;
}

/* The server had no more to give a while ago: what is idle here, another router may need. */
static bool is_short(const struct pqr__backend *backend)
{
    return pqr__shortage_is_recent(
        &backend->ceiling.shortage, backend->resizer.window_us, pqr__router_now(backend->router));
}

/* Some more than the load takes, unless the peak has shown as many: a rush is met by what is there, since a connect
   takes its time, and the server work just when it has none to give. The servers of a role share a rush, so that they
   need not all be ready for it. */
static uint32_t for_a_rush(const struct pqr__backend *backend, uint32_t wanted)
{
    uint32_t servers =
        pqr__elastic_servers(backend->router, backend->role); /* 0: it is about to leave, alone of its role */
    uint32_t ready = backend->resizer.by_load + (servers > 0 ? SPARE / servers : 0);
    return share_of_demand(backend) && ready > wanted ? ready - wanted : 0;
}

static uint32_t elastic_spare(const struct pqr__backend *backend)
{
    uint32_t ceiling = elastic_ceiling(backend), wanted = elastic_wanted(backend);
    if (backend->role != PQR_ROLE_PRIMARY && backend->role != PQR_ROLE_REPLICA)
        return 0;
    uint32_t spare = (is_short(backend) ? 0 : for_a_rush(backend, wanted)) + stand_by(backend);
    return spare < ceiling - wanted ? spare : ceiling - wanted;
}

/* Of late, to the queues that a role's servers take from. */
static double arrivals_of(const pqr_router *router, unsigned roles, double errors, uint64_t least_us)
{
    double sum = 0;
    for (unsigned role = 0; role < PQR__QUEUE_ROLES; role++)
        if (roles >> role & 1)
            sum += pqr__arrivals_rate(&router->arrivals[role], errors, pqr__router_now(router), least_us);
    return sum;
}

static uint32_t come_free(const struct pqr__backend *backend, uint64_t patience_us)
{
    uint64_t now = pqr__router_now(backend->router);
    uint32_t n = 0;
    for (unsigned state = 0; state < PQR__SLOT_STATES; state++) {
        if (!pqr__elastic_counts((enum pqr__slot_state)state))
            continue;
        pqr__list_each (link, &backend->slots[state])
            n += now - pqr__container_of(link, struct pqr__slot, link)->since_us <= patience_us;
    }
    return n;
}

/* Connections of a role that one may wait for: what has run for many service times already may run for long. */
static uint32_t come_free_in(const pqr_router *router, pqr_role role, const struct pqr__demand *demand)
{
    double patience_us = LONG * demand->service_us;
    uint32_t n = 0;
    if (patience_us < (double)demand->connect_us)
        patience_us = (double)demand->connect_us;
    for (uint32_t i = 0; i < router->n_backends; i++)
        if (router->backends[i].role == role)
            n += come_free(&router->backends[i], (uint64_t)patience_us);
    return n;
}

static uint32_t idle_for_all(const struct pqr__backend *backend)
{
    uint32_t idle = backend->slots[PQR__SLOT_IDLE].count, reserve = pqr__pool_reserve(backend);
    return idle > reserve ? idle - reserve : 0;
}

static uint32_t elastic_connects(const pqr_router *router, pqr_role role, uint32_t waiting)
{
    struct pqr__demand demand = {.waiting = waiting};
    double served = 0, busy = 0;
    unsigned roles = 0;
    for (uint32_t i = 0; i < router->n_backends; i++) {
        const struct pqr__backend *backend = &router->backends[i];
        if (backend->role != role)
            continue;
        roles |= pqr__backend_roles(backend);
        demand.idle += idle_for_all(backend);
        served += backend->resizer.served;
        busy += backend->resizer.busy;
        if (backend->load.connect_us > demand.connect_us)
            demand.connect_us = backend->load.connect_us;
    }
    demand.service_us = served > 0 ? busy / served * 1e6 : 0;
    /* What holds for less than a connect takes is of no use to one; of what holds for less than a service time not so
       many are in use at once. */
    demand.arrivals = arrivals_of(router, roles, SURE, demand.connect_us);
    demand.likely = arrivals_of(router, roles, LIKELY, (uint64_t)demand.service_us);
    demand.in_use = come_free_in(router, role, &demand);
    return pqr__resizer_connects(&demand);
}

static bool elastic_shrinks(struct pqr__backend *backend)
{
    uint32_t open = pqr__pool_open(backend), kept = pqr__pool_reserve(backend) + elastic_spare(backend);
    uint32_t floor = backend->config->min > kept ? backend->config->min - kept : share_of_demand(backend);
    return open > kept && pqr__resizer_shrinks(&backend->resizer, open - kept, floor,
                              elastic_ceiling(backend), pqr__router_now(backend->router));
}

const struct pqr__sizing pqr__sizing_elastic = {
    .ceiling = elastic_ceiling,
    .opens = elastic_opens,
    .wanted = elastic_wanted,
    .spare = elastic_spare,
    .connects = elastic_connects,
    .shrinks = elastic_shrinks,
};

/* --- plain --- */

static uint32_t plain_ceiling(const struct pqr__backend *backend)
{
    return backend->config->max;
}

static uint32_t plain_wanted(const struct pqr__backend *backend)
{
    return share_of_demand(backend);
}

static uint32_t plain_spare(const struct pqr__backend *backend)
{
    (void)backend;
    return 0;
}

static uint32_t plain_connects(const pqr_router *router, pqr_role role, uint32_t waiting)
{
    (void)router;
    (void)role;
    return waiting;
}

static bool plain_shrinks(struct pqr__backend *backend)
{
    (void)backend;
    return false;
}

const struct pqr__sizing pqr__sizing_plain = {
    .ceiling = plain_ceiling,
    .opens = plain_ceiling,
    .wanted = plain_wanted,
    .spare = plain_spare,
    .connects = plain_connects,
    .shrinks = plain_shrinks,
};
