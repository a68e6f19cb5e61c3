/* Feeds policy/resizer and policy/ceiling: a sample of each pool every tick while there is load, more often while
 * somebody waits, none on a router that has been idle for a window. What connections were used for is booked where
 * they change their state. What follows from it: sizing.c.
 */
#include "router/elastic.h"

#include <stdio.h>
#include <string.h>

#include "router/balance.h"
#include "router/breadth.h"
#include "router/dispatch.h"

enum {
    TICK_US = 100000,
    TICK_WAITING_US = 20000,
    TICK_IDLE_US = 1000000,
    CEILING_START = 8, /* before anything is known of the server; it doubles in a few milliseconds of need */
};

/* --- the books --- */

bool pqr__elastic_counts(enum pqr__slot_state state)
{
    return state == PQR__SLOT_BUSY || state == PQR__SLOT_SHARED || state == PQR__SLOT_BUSY_ADMIN ||
           state == PQR__SLOT_CANCELLING;
}

void pqr__elastic_book(struct pqr__backend *backend)
{
    struct pqr__load *load = &backend->load;
    uint64_t now = pqr__router_now(backend->router);
    load->busy_us += pqr__pool_asked_for(backend) * (now - load->at_us);
    load->shared_us += backend->slots[PQR__SLOT_SHARED].count * (now - load->at_us);
    load->at_us = now;
}

void pqr__elastic_moved(struct pqr__backend *backend, enum pqr__slot_state from, enum pqr__slot_state to)
{
    struct pqr__load *load = &backend->load;
    if (pqr__elastic_counts(from) == pqr__elastic_counts(to) &&
        (from == PQR__SLOT_SHARED) == (to == PQR__SLOT_SHARED))
        return;
    pqr__elastic_book(backend);
    if (pqr__elastic_counts(from) == pqr__elastic_counts(to))
        return;
    if (pqr__elastic_counts(from)) {
        load->served += from != PQR__SLOT_SHARED;
        load->cancelled += from == PQR__SLOT_CANCELLING;
        return;
    }
    uint32_t used = pqr__pool_asked_for(backend) + 1;
    load->started += to != PQR__SLOT_SHARED;
    load->peak = used > load->peak ? used : load->peak;
    pqr__elastic_wake(backend->router, false);
}

void pqr__elastic_connected(struct pqr__backend *backend, uint64_t took_us)
{
    uint64_t *connect_us = &backend->load.connect_us;
    pqr__ceiling_connected(&backend->ceiling, pqr__pool_open(backend) + 1);
    *connect_us = *connect_us ? (3 * *connect_us + took_us) / 4 : took_us;
}

void pqr__elastic_refused(struct pqr__backend *backend, const char *sqlstate)
{
    pqr__ceiling_refused(
        &backend->ceiling, sqlstate, pqr__pool_open(backend), pqr__router_now(backend->router));
}

/* What idle_timeout closes need not be kept any longer for the window's sake. */
static uint64_t window_of(const struct pqr_config *config)
{
    return config->pool.window_us < config->pool.idle_timeout_us ? config->pool.window_us
                                                                 : config->pool.idle_timeout_us;
}

void pqr__elastic_init(struct pqr__backend *backend)
{
    const struct pqr_config *config = backend->router->config;
    uint32_t start = backend->config->min > CEILING_START ? backend->config->min : CEILING_START;
    pqr__resizer_init(&backend->resizer, window_of(config), config->pool.target_utilisation, 0);
    pqr__fleet_init(&backend->fleet, config->pool.admin_reserved + 2, config->fleet.margin);
    pqr__ceiling_init(&backend->ceiling, start, backend->config->max, 0);
}

void pqr__elastic_tune(struct pqr__backend *backend)
{
    const struct pqr_config *config = backend->router->config;
    struct pqr__resizer *resizer = &backend->resizer;
    struct pqr__ceiling *ceiling = &backend->ceiling;
    uint32_t limit = pqr__ceiling_limit(ceiling), max = backend->config->max;
    if (resizer->window_us != window_of(config) || resizer->utilisation != config->pool.target_utilisation)
        pqr__resizer_init(resizer, window_of(config), config->pool.target_utilisation, backend->load.at_us);
    backend->fleet.least = config->pool.admin_reserved + 2;
    backend->fleet.margin = config->fleet.margin;
    if (ceiling->max != max)
        pqr__ceiling_init(ceiling, limit < max ? limit : max, max, backend->load.at_us);
}

/* --- samples --- */

uint32_t pqr__elastic_servers(const pqr_router *router, pqr_role role)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < router->n_backends; i++)
        n += router->backends[i].role == role;
    return n;
}

static uint32_t own_waiting(const pqr_router *router, unsigned roles)
{
    const struct pqr_reply *own = router->catalog.request;
    return own && own->state == PQR__REQUEST_QUEUED && (roles >> own->entry.role & 1);
}

uint32_t pqr__elastic_waiting(const struct pqr__backend *backend)
{
    const pqr_router *router = backend->router;
    unsigned roles = pqr__backend_roles(backend);
    uint32_t waiting = 0, n = pqr__elastic_servers(router, backend->role);
    for (unsigned lane = 0; lane < PQR__LANES; lane++)
        waiting += pqr__queue_waiting(&router->queue, roles, (enum pqr__lane)lane);
    waiting -= own_waiting(router, roles);
    return n > 0 ? (waiting + n - 1) / n : 0;
}

/* What is used of the ceiling. Reads that the primary stands in for may have but a part of it: when they have that
   part, it is used up as far as those who wait are concerned. */
static uint64_t used_of_ceiling(const struct pqr__backend *backend)
{
    uint64_t busy_us = backend->load.busy_us;
    return pqr__balance_is_capped(backend) ? busy_us * 100 / backend->router->config->reads.fallback_max
                                           : busy_us;
}

/* True while there is anything to be looked at soon. */
static bool sample(struct pqr__backend *backend)
{
    struct pqr__load *load = &backend->load;
    pqr__elastic_book(backend);
    uint32_t waiting = pqr__elastic_waiting(backend);
    uint32_t used = pqr__pool_asked_for(backend);
    struct pqr__load_sample of_load = {.now_us = load->at_us,
        .started = load->started,
        .served = load->served,
        .busy_us = load->busy_us,
        .peak = load->peak,
        .waiting = waiting};
    struct pqr__ceiling_sample of_ceiling = {.now_us = load->at_us,
        .elapsed_us = load->at_us - load->sampled_us,
        .served = load->served - load->cancelled, /* the work of the others is of no use to anybody */
        .busy_us = used_of_ceiling(backend),
        .waiting = waiting > 0,
        .beyond = backend->router->config->pool.admin_reserved};
    bool alive = load->started > 0 || used > 0 || waiting > 0;
    pqr__resizer_note(&backend->resizer, &of_load);
    pqr__ceiling_note(&backend->ceiling, &of_ceiling);
    *load = (struct pqr__load){
        .at_us = load->at_us, .sampled_us = load->at_us, .peak = used, .connect_us = load->connect_us};
    return alive;
}

static void wake_in(pqr_router *router, uint64_t in_us)
{
    uint64_t at_us = pqr__router_now(router) + in_us;
    if (router->resize_us <= at_us || router->state >= PQR__ROUTER_CLOSING)
        return;
    router->resize_us = at_us;
    pqr__timer_set(router, &router->resize, at_us);
}

void pqr__elastic_wake(pqr_router *router, bool waiting)
{
    wake_in(router, waiting ? TICK_WAITING_US : TICK_US);
}

void pqr__elastic_due(struct pqr__timer *timer)
{
    pqr_router *router = pqr__container_of(timer, pqr_router, resize);
    bool alive = false;
    router->resize_us = PQR__NEVER;
    if (router->state >= PQR__ROUTER_CLOSING)
        return;
    router->in_demand = 0;
    pqr__breadths_due(router);
    for (uint32_t i = 0; i < router->n_backends; i++) {
        struct pqr__backend *backend = &router->backends[i];
        if (backend->stay != PQR__STAY_MEMBER)
            continue;
        alive |= sample(backend);
        router->in_demand |= (unsigned)(backend->resizer.wanted > 0) << backend->role;
    }
    for (uint32_t i = 0; i < router->n_backends; i++)
        if (router->backends[i].stay == PQR__STAY_MEMBER)
            pqr__pool_shrink(&router->backends[i]);
    pqr__dispatch_soon(router); /* a ceiling may have risen */
    pqr__pools_grow(router);
    if (alive)
        pqr__elastic_wake(router, false);
    else if (router->in_demand) /* until the window is empty */
        wake_in(router, TICK_IDLE_US);
}

/* --- for people --- */

/* Service time and throughput count requests: how many of them share a connection now, and how many connections. */
static void explain_flights(const struct pqr__backend *backend, char *out, size_t size)
{
    uint32_t in_use = pqr__pool_in_use(backend), limit = pqr__breadth_here(backend);
    out[0] = '\0';
    if (in_use == 0 || backend->flying <= in_use)
        return;
    int used = snprintf(out, size, "; %.1f requests a busy connection", (double)backend->flying / in_use);
    if (limit < pqr__pool_open(backend))
        snprintf(out + used, size - (size_t)used, ", shared are %u, which serve more", limit);
}

void pqr__elastic_explain(const struct pqr__backend *backend, char *out, size_t size)
{
    const struct pqr__resizer *resizer = &backend->resizer;
    const struct pqr__ceiling *ceiling = &backend->ceiling;
    char seen[100] = "", flights[100];
    if (!backend->router->config->pool.resize) {
        snprintf(out, size, "%s", pqr__ceiling_text(PQR__CEILING_FIXED));
        return;
    }
    if (ceiling->base.limit && ceiling->other.limit && ceiling->other.limit != ceiling->base.limit)
        snprintf(seen, sizeof(seen), " (%u served %.0f/s, %u served %.0f/s)", ceiling->base.limit,
            ceiling->base.served, ceiling->other.limit, ceiling->other.served);
    explain_flights(backend, flights, sizeof(flights));
    snprintf(out, size, "wanted %u: %s (%.1f/s x %.0f us); ceiling %u: %s%s%s", resizer->wanted,
        pqr__wanted_text(resizer->reason), resizer->arrivals, pqr__resizer_service_us(resizer),
        pqr__ceiling_limit(ceiling), pqr__ceiling_text(pqr__ceiling_reason(ceiling)), seen, flights);
}
