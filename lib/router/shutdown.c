/* How a router closes: refuse, drain, end what is left, answer everybody, close connections and probes, shut the
 * transport down. on_down (events.c), the last event, frees it and calls back.
 */
#include "router/router.h"

static const char *const state_names[] = {
#define XX(name, word) #word,
    PQR__ROUTER_MAP(XX)
#undef XX
};

static void move(pqr_router *router, enum pqr__router_state to)
{
    enum pqr__router_state from = router->state;
    assert(to > from);
    router->state = to;
    pqr__log(&router->log, PQR_LOG_DEBUG, "router: %s -> %s", state_names[from], state_names[to]);
}

static void end_all(pqr_router *router)
{
    move(router, PQR__ROUTER_ENDING);
    pqr__timer_clear(&router->drain);
    for (uint32_t i = 0; i < router->store.count; i++)
        pqr__request_end(router->store.all[i], PQR__CAUSE_CLOSE);
}

static void close_connections(pqr_router *router)
{
    move(router, PQR__ROUTER_CLOSING);
    pqr__timer_clear(&router->drain);
    pqr__timer_clear(&router->upkeep);
    pqr__timer_clear(&router->resize);
    for (uint32_t i = 0; i < router->n_backends; i++) {
        struct pqr__backend *backend = &router->backends[i];
        pqr__timer_clear(&backend->retry);
        /* Those that are closing, too: at once now. */
        for (unsigned state = 0; state < PQR__SLOT_STATES; state++) {
            pqr__list_each (link, &backend->slots[state])
                pqr__slot_close(pqr__container_of(link, struct pqr__slot, link));
        }
        pqr__probe_stop(&backend->probe);
    }
}

static bool all_closed(const pqr_router *router)
{
    for (uint32_t i = 0; i < router->n_backends; i++) {
        const struct pqr__backend *backend = &router->backends[i];
        if (backend->probe.state != PQR__PROBE_ABSENT)
            return false;
        for (unsigned state = 0; state < PQR__SLOT_STATES; state++)
            if (!pqr__list_empty(&backend->slots[state]))
                return false;
    }
    return true;
}

void pqr__router_advance_close(pqr_router *router)
{
    if (router->state == PQR__ROUTER_DRAINING && router->drain_over)
        end_all(router);
    if (router->state == PQR__ROUTER_DRAINING && pqr__request_store_active(&router->store) == 0)
        move(router, PQR__ROUTER_ENDING);
    if (router->state == PQR__ROUTER_ENDING) {
        pqr__ready_call(router);
        if (pqr__request_store_active(&router->store) == 0)
            close_connections(router);
    }
    if (router->state == PQR__ROUTER_CLOSING && all_closed(router)) {
        move(router, PQR__ROUTER_DOWN);
        router->ops->timer_set(router->transport, PQR__NEVER);
        router->ops->shutdown(router->transport);
    }
}

void pqr__router_drain_due(struct pqr__timer *timer)
{
    pqr__container_of(timer, pqr_router, drain)->drain_over = true;
}

void pqr_router_close(pqr_router *router, uint32_t drain_ms, pqr_close_cb cb, void *data)
{
    if (!router || router->state > PQR__ROUTER_DRAINING)
        return;
    uint64_t at = pqr__router_now(router) + (uint64_t)drain_ms * 1000;
    if (router->state == PQR__ROUTER_RUNNING) {
        router->close_cb = cb;
        router->close_data = data;
        router->drain_at_us = UINT64_MAX;
        pqr__catalog_stop(router);
        move(router, PQR__ROUTER_DRAINING);
    }
    if (at >= router->drain_at_us)
        return;
    router->drain_at_us = at;
    if (drain_ms == 0)
        router->drain_over = true;
    pqr__timer_set(router, &router->drain, at);
    pqr__router_wake(router);
}
