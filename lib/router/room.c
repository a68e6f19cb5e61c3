/* A new configuration may leave less room over all (pool.max_total) than is taken, or add a server whose probe finds
 * none left. Then the pools that have most give connections back, idle ones at once and busy ones as they become free,
 * never those that are kept for administrators; and probes without a connection wait for that. Where it is their own
 * server's max that is exceeded, what is kept for administrators ends for them as well: without a probe the server
 * serves nobody. */
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

static void close_longest_idle(struct pqr__backend *backend)
{
    pqr__slot_close(
        pqr__container_of(pqr__list_last(&backend->slots[PQR__SLOT_IDLE]), struct pqr__slot, link));
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

static bool is_above_its_max(const struct pqr__backend *backend)
{
    return pqr__pool_total(backend) > pqr__pool_max(backend);
}

/* Those for which there is room now. */
static void let_probes_go(pqr_router *router)
{
    router->crowded = false;
    for (uint32_t i = 0; i < router->n_backends; i++) {
        struct pqr__probe *probe = &router->backends[i].probe;
        bool stays = probe->waits && is_above_its_max(&router->backends[i]);
        router->crowded |= stays;
        if (probe->waits && !stays) {
            probe->waits = false;
            pqr__probe_now(probe);
        }
    }
}

void pqr__room_make(pqr_router *router)
{
    struct pqr__backend *backend;
    while (router->crowded && is_above(router, false) && (backend = richest(router)) != NULL)
        close_longest_idle(backend);
    if (router->crowded && !is_above(router, true))
        let_probes_go(router);
}

bool pqr__room_for_probe(struct pqr__backend *backend)
{
    pqr_router *router = backend->router;
    if (!backend->probe.waits && !is_above_its_max(backend) && !is_above(router, true))
        return true;
    backend->probe.waits = router->crowded = true;
    while (pqr__pool_surplus(backend) > 0 && backend->slots[PQR__SLOT_IDLE].count > 0)
        close_longest_idle(backend);
    return false;
}

void pqr__room_changed(pqr_router *router)
{
    router->crowded = true;
    pqr__room_make(router);
}
