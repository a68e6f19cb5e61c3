/* Servers as the balancer's candidates, and how much of itself the primary gives to reads. */
#include "router/balance.h"

#include <string.h>

#include "router/router.h"
#include "router/sizing.h"
#include "router/transaction.h"

static bool is_near(const struct pqr__backend *backend)
{
    const char *zone = backend->router->config->reads.zone;
    return !zone || !*zone || strcmp(backend->config->zone, zone) == 0;
}

void pqr__balance_add(struct pqr__choice *choice, const struct pqr__backend *backend, uint32_t outstanding)
{
    const pqr_router *router = backend->router;
    uint64_t now_us = pqr__router_now(router);
    choice->candidates[choice->n++] = (struct pqr__candidate){
        .server = backend->index,
        .outstanding = outstanding,
        .weight = pqr__balancer_ramp(
            backend->config->weight, backend->since_us, now_us, router->config->reads.slow_start_us),
        .near = is_near(backend),
        .latency_us = pqr__ewma_read(&backend->answers, now_us),
    };
}

struct pqr__backend *pqr__balance_pick(pqr_router *router, struct pqr__choice *choice)
{
    if (choice->n == 0)
        return NULL;
    choice->n = pqr__balancer_near(choice->candidates, choice->n);
    uint32_t picked = pqr__balancer_pick(&router->balancer, choice->candidates, choice->n);
    return &router->backends[choice->candidates[picked].server];
}

/* --- reads on the primary --- */

static bool stands_in(const struct pqr__slot *slot)
{
    struct pqr__link *first = pqr__list_first(&slot->air);
    const struct pqr_reply *owner = slot->tx ? slot->tx->request : NULL;
    if (!owner && first)
        owner = pqr__request_of(first);
    return owner && owner->entry.role == PQR__QUEUE_REPLICA;
}

static uint32_t count_standing_in(const struct pqr__list *slots)
{
    uint32_t count = 0;
    pqr__list_each (link, slots)
        count += stands_in(pqr__container_of(link, struct pqr__slot, link));
    return count;
}

static const enum pqr__slot_state busy_states[] = {PQR__SLOT_BUSY, PQR__SLOT_SHARED, PQR__SLOT_CANCELLING};
enum { N_BUSY_STATES = sizeof(busy_states) / sizeof(*busy_states) };

/* Connections of the primary that serve reads of replicas. */
static uint32_t standing_in(const struct pqr__backend *backend)
{
    uint32_t count = 0;
    for (unsigned i = 0; i < N_BUSY_STATES; i++)
        count += count_standing_in(&backend->slots[busy_states[i]]);
    return count;
}

/* Where no other server is there is nothing to protect writes from: reads belong to its load. */
bool pqr__balance_is_capped(const struct pqr__backend *backend)
{
    const struct pqr_config *config = backend->router->config;
    if (backend->role != PQR_ROLE_PRIMARY || config->reads.primary != PQR__PRIMARY_FALLBACK ||
        config->n_servers < 2 || config->reads.fallback_max >= 100)
        return false;
    uint64_t usable = backend->config->max - 1 - config->pool.admin_reserved;
    uint32_t ceiling = backend->router->sizing->ceiling(backend);
    if (usable > ceiling)
        usable = ceiling;
    uint64_t limit = (usable * config->reads.fallback_max + 99) / 100; /* at least one */
    uint32_t busy = 0;
    for (unsigned i = 0; i < N_BUSY_STATES; i++)
        busy += backend->slots[busy_states[i]].count;
    return busy >= limit && standing_in(backend) >= limit;
}

/* None of the replicas has room, and more wait than one for each, which a connect is as good for. */
static bool replicas_lack_room(const pqr_router *router)
{
    uint32_t waiting = pqr__queue_waiting(&router->queue, PQR__MASK_REPLICA, PQR__LANE_NORMAL);
    for (uint32_t i = 0; i < router->n_backends && waiting > 0; i++) {
        if (router->backends[i].role != PQR_ROLE_REPLICA)
            continue;
        if (pqr__pool_has_room(&router->backends[i], PQR__LANE_NORMAL))
            return false;
        waiting--;
    }
    return waiting > 0;
}

/* What the primary does for replicas that have come back and have not grown yet. */
static unsigned lent_roles(const struct pqr__backend *backend)
{
    const pqr_router *router = backend->router;
    bool lends = backend->role == PQR_ROLE_PRIMARY &&
                 router->queue.filled[PQR__LANE_NORMAL] & PQR__MASK_REPLICA &&
                 pqr__backends_hand_back(router) && replicas_lack_room(router);
    return lends ? PQR__MASK_REPLICA : 0;
}

uint32_t pqr__balance_lent(const pqr_router *router)
{
    uint32_t lent = 0;
    if (!pqr__backends_hand_back(router))
        return 0;
    for (uint32_t i = 0; i < router->n_backends; i++)
        if (router->backends[i].role == PQR_ROLE_PRIMARY)
            lent += standing_in(&router->backends[i]);
    return lent;
}

unsigned pqr__balance_roles_now(const struct pqr__backend *backend)
{
    unsigned roles = pqr__backend_roles(backend) | lent_roles(backend);
    const struct pqr__queue *queue = &backend->router->queue;
    if (!(roles & PQR__MASK_REPLICA) || queue->lanes[PQR__QUEUE_REPLICA][PQR__LANE_ADMIN].count > 0)
        return roles; /* an administrator's read is not held up for the sake of writes */
    return pqr__balance_is_capped(backend) ? roles & ~(unsigned)PQR__MASK_REPLICA : roles;
}
