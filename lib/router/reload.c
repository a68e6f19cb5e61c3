/* Servers come and go, sizes and rules change. Nothing here can fail once the plan is made: places and memory for all
 * servers that there may be are there from the beginning.
 *
 * A server that leaves finishes what runs on it and what is in its transactions, takes nothing new, and keeps its place
 * (its bit in the sets of servers to avoid, its number at the transport) until its last connection is closed.
 */
#include "router/reload.h"

#include <string.h>

#include "base/error.h"
#include "policy/reload.h"
#include "router/dispatch.h"
#include "router/elastic.h"

static void make_plan_places(const pqr_router *router, struct pqr__reload_place *places)
{
    for (uint32_t i = 0; i < PQR__RELOAD_PLACES; i++) {
        const struct pqr__backend *backend = &router->backends[i];
        places[i].server = backend->config;
        places[i].leaving = backend->stay == PQR__STAY_LEAVING;
    }
}

static int plan_for(
    struct pqr__reload_plan *plan, const pqr_router *router, const struct pqr_config *next, pqr_error *error)
{
    struct pqr__reload_place places[PQR__RELOAD_PLACES];
    make_plan_places(router, places);
    return pqr__reload_plan(plan, router->config, next, places, router->cluster.system_identifier, error);
}

/* --- carried out --- */

static void close_listed(struct pqr__list *slots)
{
    pqr__list_each (link, slots)
        pqr__slot_close(pqr__container_of(link, struct pqr__slot, link));
}

static void doom_listed(struct pqr__list *slots)
{
    pqr__list_each (link, slots)
        pqr__container_of(link, struct pqr__slot, link)->doomed = true;
}

/* None of its connections serves anybody after those whom it serves now. */
static void retire_connections(struct pqr__backend *backend)
{
    close_listed(&backend->slots[PQR__SLOT_CONNECTING]);
    close_listed(&backend->slots[PQR__SLOT_IDENTIFYING]);
    close_listed(&backend->slots[PQR__SLOT_IDLE]);
    doom_listed(&backend->slots[PQR__SLOT_BUSY]);
    doom_listed(&backend->slots[PQR__SLOT_SHARED]);
    doom_listed(&backend->slots[PQR__SLOT_BUSY_ADMIN]);
    doom_listed(&backend->slots[PQR__SLOT_BUSY_OWN]);
    doom_listed(&backend->slots[PQR__SLOT_CANCELLING]);
}

static void leave(struct pqr__backend *backend)
{
    pqr__log(&backend->router->log, PQR_LOG_INFO, "%s (%s:%s): leaves by the new configuration",
        backend->config->name, backend->config->host, backend->config->port);
    backend->stay = PQR__STAY_LEAVING;
    pqr__roles_leave(&backend->router->cluster, &backend->seen);
    backend->seen.probed = true;
    backend->seen.answering = false;
    pqr__timer_clear(&backend->retry);
    pqr__probe_stop(&backend->probe);
    retire_connections(backend);
}

static void come_back(struct pqr__backend *backend)
{
    pqr__log(&backend->router->log, PQR_LOG_INFO, "%s (%s:%s): is back by the new configuration",
        backend->config->name, backend->config->host, backend->config->port);
    backend->stay = PQR__STAY_MEMBER;
    backend->seen = (struct pqr__observation){.probed = true};
    backend->refused_for_good = false;
}

/* It counts as down until it has answered: a server that was just added is no reason to doubt the others. */
static void join(pqr_router *router, uint32_t place, const struct pqr_config *next, uint32_t number)
{
    struct pqr__backend *backend = &router->backends[place];
    const struct pqr__server_config *server = &next->servers[number];
    if (router->n_backends <= place)
        router->n_backends = place + 1;
    pqr__backend_init(backend, router, place, next, number);
    backend->seen.probed = true;
    backend->role = backend->told = PQR_ROLE_DOWN;
    pqr__log(&router->log, PQR_LOG_INFO, "%s (%s:%s): joins by the new configuration", server->name,
        server->host, server->port);
}

static void adopt(pqr_router *router, const struct pqr_config *next, const struct pqr__reload_plan *plan)
{
    for (uint32_t i = 0; i < next->n_servers; i++) {
        uint32_t place = plan->place_of[i];
        struct pqr__backend *backend = &router->backends[place];
        if (plan->joins[place])
            join(router, place, next, i);
        else if (plan->returns[place])
            come_back(backend);
        backend->config = &next->servers[i];
        pqr_config_free(backend->source);
        backend->source = pqr__config_ref(next);
        router->ops->configure(router->transport, place, next, i);
    }
}

/* Where statements go was found by the old one. */
static bool routes_alike(const struct pqr_config *one, const struct pqr_config *other)
{
    return one->reads.mode == other->reads.mode && one->reads.session == other->reads.session;
}

static void apply(pqr_router *router, const struct pqr_config *next, const struct pqr__reload_plan *plan)
{
    for (uint32_t place = 0; place < router->n_backends; place++)
        if (plan->leaves[place])
            leave(&router->backends[place]);
    adopt(router, next, plan);
    if (!routes_alike(router->config, next))
        pqr__known_outdate(&router->known);
    pqr_config_free(router->config);
    router->config = pqr__config_ref(next);
    if (next->system_identifier)
        router->cluster.system_identifier = next->system_identifier;
    pqr__router_tune(router);
    for (uint32_t place = 0; place < router->n_backends; place++) {
        if (plan->renews[place]) {
            retire_connections(&router->backends[place]);
            pqr__probe_renew(&router->backends[place].probe);
        }
        if (router->backends[place].stay == PQR__STAY_MEMBER)
            pqr__pool_fit(&router->backends[place]);
        if (plan->joins[place] || plan->returns[place]) {
            router->backends[place].probe.waits = true;
            pqr__probe_now(&router->backends[place].probe);
        }
    }
    pqr__room_changed(router);
    pqr__backends_judge(router);
    pqr__elastic_wake(router, true);
    router->poked = true; /* what became possible is done, what became known is told, from the loop */
}

static void apply_pending(pqr_router *router)
{
    struct pqr_config *next = router->pending;
    struct pqr__reload_plan plan;
    pqr_error error;
    router->pending = NULL;
    if (router->state == PQR__ROUTER_RUNNING) {
        /* It was valid when it was asked for; what has become known in the same event may speak against it. */
        if (plan_for(&plan, router, next, &error) == 0)
            apply(router, next, &plan);
        else
            pqr__log(
                &router->log, PQR_LOG_ERROR, "the new configuration is not taken over: %s", error.message);
    }
    pqr_config_free(next);
}

/* --- leaving for good --- */

static bool is_empty(const struct pqr__backend *backend)
{
    for (unsigned state = 0; state < PQR__SLOT_STATES; state++)
        if (!pqr__list_empty(&backend->slots[state]))
            return false;
    return backend->probe.state == PQR__PROBE_ABSENT;
}

/* Requests that were there once and wait for another chance don't speak of whoever gets the place. */
static void forget_place(pqr_router *router, uint32_t place)
{
    pqr__queue_forgive_server(&router->queue, place);
    pqr__balancer_forget(&router->balancer, place);
    for (uint32_t i = 0; i < router->store.count; i++)
        if (router->store.all[i]->server == place)
            router->store.all[i]->server = UINT32_MAX;
}

static void depart(struct pqr__backend *backend)
{
    pqr_router *router = backend->router;
    pqr__timer_clear(&backend->probe.next);
    pqr__timer_clear(&backend->probe.timeout);
    pqr__timer_clear(&backend->retry);
    forget_place(router, backend->index);
    backend->stay = PQR__STAY_GONE;
    backend->config = NULL;
    pqr_config_free(backend->source);
    backend->source = NULL;
    while (router->n_backends > 0 && router->backends[router->n_backends - 1].stay == PQR__STAY_GONE)
        router->n_backends--;
}

void pqr__reload_advance(pqr_router *router)
{
    if (router->pending)
        apply_pending(router);
    if (!pqr__list_empty(&router->finished)) /* their callbacks may ask for the server's name */
        return;
    for (uint32_t place = router->n_backends; place-- > 0;)
        if (router->backends[place].stay == PQR__STAY_LEAVING && is_empty(&router->backends[place]))
            depart(&router->backends[place]);
}

int pqr_router_reload(pqr_router *router, const pqr_config *config, pqr_error *error)
{
    struct pqr__reload_plan plan;
    if (!router || !config)
        return pqr__error_set(error, PQR_EINVAL, "pqr_router_reload needs a router and a configuration");
    if (router->state != PQR__ROUTER_RUNNING)
        return pqr__error_set(error, PQR_ECLOSED, "%s", pqr_error_text(PQR_ECLOSED));
    int status = plan_for(&plan, router, config, error);
    if (status)
        return status;
    if (router->in_log || router->in_event) { /* in the middle of anything: at this event's end */
        pqr_config_free(router->pending);
        router->pending = pqr__config_ref(config);
    } else {
        pqr_config_free(router->pending);
        router->pending = NULL;
        apply(router, config, &plan);
    }
    pqr__router_wake(router);
    return 0;
}
