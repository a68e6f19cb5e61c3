/* A new configuration may leave less room over all (pool.max_total) than is taken, or add a server whose probe finds
 * none left. Then the pools that have most give connections back, idle ones at once and busy ones as they become free,
 * never those that are kept for administrators; and the probes of the servers that are new wait for that. */
#include "router/router.h"
#include "router/slot.h"

static uint32_t closing(const struct pqr__backend *backend)
{
    return backend->slots[PQR__SLOT_CLOSING].count;
}

/* All places that are taken, those of probes without a connection included. */
static uint32_t taken(const pqr_router *router, bool and_closing)
{
    uint32_t sum = 0;
    for (uint32_t i = 0; i < router->n_backends; i++)
        sum += pqr__pool_total(&router->backends[i]) - (and_closing ? 0 : closing(&router->backends[i]));
    return sum;
}

static bool has_spare(const struct pqr__backend *backend)
{
    return backend->slots[PQR__SLOT_IDLE].count > pqr__pool_reserve(backend);
}

static bool is_above(const pqr_router *router, bool and_closing)
{
    uint32_t max_total = router->config->pool.max_total;
    return max_total > 0 && taken(router, and_closing) > max_total;
}

/* Of those that have one to spare, the one that has most. */
static struct pqr__backend *richest(pqr_router *router)
{
    struct pqr__backend *found = NULL;
    uint32_t most = 0;
    for (uint32_t i = 0; i < router->n_backends; i++) {
        struct pqr__backend *backend = &router->backends[i];
        uint32_t stays = pqr__pool_total(backend) - closing(backend);
        if (has_spare(backend) && stays > most) {
            found = backend;
            most = stays;
        }
    }
    return found;
}

void pqr__room_make(pqr_router *router)
{
    struct pqr__backend *backend;
    while (router->crowded && is_above(router, false) && (backend = richest(router)) != NULL)
        pqr__slot_close(
            pqr__container_of(pqr__list_last(&backend->slots[PQR__SLOT_IDLE]), struct pqr__slot, link));
    if (!router->crowded || is_above(router, true))
        return;
    router->crowded = false;
    for (uint32_t i = 0; i < router->n_backends; i++) {
        bool waits = router->backends[i].probe.waits;
        router->backends[i].probe.waits = false;
        if (waits)
            pqr__probe_now(&router->backends[i].probe);
    }
}

void pqr__room_changed(pqr_router *router)
{
    router->crowded = true;
    pqr__room_make(router);
}
