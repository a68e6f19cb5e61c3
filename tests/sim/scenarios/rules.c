#include "rules.h"

#include "router/slot.h"

enum {
    PSYCOPG_MIN = 4,
    HIKARI_IDLE = 10,
    MAX_IDLE_US = 600000000,
    HOUSEKEEPING_US = 30000000,
    KEPT_US = 1000000
};

uint32_t rules_fixed_size = 10;

static uint32_t up_to_max(const struct pqr__backend *backend)
{
    return backend->config->max;
}

/* Not over the limit on usable connections, the probe and the reserve apart. */
static uint32_t capped(const struct pqr__backend *backend, uint32_t wanted)
{
    uint32_t most = backend->config->max - 1 - backend->router->config->pool.admin_reserved;
    return wanted < most ? wanted : most;
}

static bool never(struct pqr__backend *backend)
{
    (void)backend;
    return false;
}

static uint32_t none(const struct pqr__backend *backend)
{
    (void)backend;
    return 0;
}

/* --- fixed --- */

static uint32_t fixed_ceiling(const struct pqr__backend *backend)
{
    (void)backend;
    return rules_fixed_size;
}

static uint32_t fixed_wanted(const struct pqr__backend *backend)
{
    return capped(backend, rules_fixed_size);
}

static uint32_t fixed_connects(const pqr_router *router, pqr_role role, uint32_t waiting)
{
    (void)router;
    (void)role;
    (void)waiting;
    return 0;
}

const struct pqr__sizing rules_fixed = {.ceiling = fixed_ceiling,
    .opens = fixed_ceiling,
    .wanted = fixed_wanted,
    .spare = none,
    .connects = fixed_connects,
    .shrinks = never};

/* --- psycopg_pool --- */

static uint32_t psycopg_wanted(const struct pqr__backend *backend)
{
    return capped(backend, PSYCOPG_MIN);
}

/* One grows at a time; the next when it is there and somebody still waits. */
static uint32_t one_by_one(const pqr_router *router, pqr_role role, uint32_t waiting)
{
    uint32_t servers = 0;
    for (uint32_t i = 0; i < router->n_backends; i++)
        servers += router->backends[i].role == role;
    return waiting < servers ? waiting : servers;
}

static uint64_t idle_us(const struct pqr__backend *backend)
{
    struct pqr__link *link = pqr__list_last(&backend->slots[PQR__SLOT_IDLE]);
    return link ? pqr__router_now(backend->router) -
                      pqr__container_of(link, struct pqr__slot, link)->idle_since_us
                : 0;
}

static bool psycopg_shrinks(struct pqr__backend *backend)
{
    return pqr__pool_open(backend) > PSYCOPG_MIN && idle_us(backend) >= MAX_IDLE_US;
}

const struct pqr__sizing rules_psycopg = {.ceiling = up_to_max,
    .opens = up_to_max,
    .wanted = psycopg_wanted,
    .spare = none,
    .connects = one_by_one,
    .shrinks = psycopg_shrinks};

/* --- HikariCP --- */

/* While the housekeeper is at it. */
static uint32_t hikari_wanted(const struct pqr__backend *backend)
{
    uint64_t since_us = pqr__router_now(backend->router) - backend->router->opened_us;
    return since_us % HOUSEKEEPING_US < KEPT_US ? capped(backend, pqr__pool_in_use(backend) + HIKARI_IDLE)
                                                : 0;
}

static bool hikari_shrinks(struct pqr__backend *backend)
{
    return backend->slots[PQR__SLOT_IDLE].count > HIKARI_IDLE && idle_us(backend) >= MAX_IDLE_US;
}

const struct pqr__sizing rules_hikari = {.ceiling = up_to_max,
    .opens = up_to_max,
    .wanted = hikari_wanted,
    .spare = none,
    .connects = one_by_one,
    .shrinks = hikari_shrinks};
