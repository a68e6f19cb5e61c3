/* How many connections, and who may take one. The reserve: as many idle connections as admin_reserved, less
 * those that administrators use, are out of reach for everybody else; so an administrator's request waits at
 * most for a connect, never for a normal request to finish.
 */
#include "router/router.h"
#include "router/sizing.h"
#include "router/slot.h"
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

uint32_t pqr__pool_coming(const struct pqr__backend *backend)
{
    return count(backend, PQR__SLOT_CONNECTING) + count(backend, PQR__SLOT_IDENTIFYING);
}

uint32_t pqr__pool_total(const struct pqr__backend *backend)
{
    /* The probe's place is its own even while it has no connection: it must always get one. */
    uint32_t probe = backend->stay == PQR__STAY_MEMBER || backend->probe.state != PQR__PROBE_ABSENT;
    return probe + pqr__pool_open(backend) + pqr__pool_coming(backend) + count(backend, PQR__SLOT_CLOSING);
}

uint32_t pqr__pool_surplus(const struct pqr__backend *backend)
{
    uint32_t stays = pqr__pool_total(backend) - count(backend, PQR__SLOT_CLOSING);
    return stays > pqr__pool_max(backend) ? stays - pqr__pool_max(backend) : 0;
}

uint32_t pqr__pool_reserve(const struct pqr__backend *backend)
{
    uint32_t reserved = backend->router->config->pool.admin_reserved;
    uint32_t used = count(backend, PQR__SLOT_BUSY_ADMIN);
    return used >= reserved ? 0 : reserved - used;
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
    return count(backend, PQR__SLOT_IDLE) > pqr__pool_reserve(backend) && below_ceiling(backend);
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
    if (longest && count(backend, PQR__SLOT_IDLE) > pqr__pool_reserve(backend) &&
        backend->router->sizing->shrinks(backend))
        pqr__slot_close(pqr__container_of(longest, struct pqr__slot, link));
}

void pqr__pool_fit(struct pqr__backend *backend)
{
    while (pqr__pool_surplus(backend) > 0 && count(backend, PQR__SLOT_IDLE) > pqr__pool_reserve(backend))
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
                       pqr__pool_open(backend) > floor &&
                       count(backend, PQR__SLOT_IDLE) > pqr__pool_reserve(backend);
        bool expired = slot->expires_us && now >= slot->expires_us;
        if (surplus || expired)
            pqr__slot_close(slot);
    }
    pqr__pool_shrink(backend);
}
