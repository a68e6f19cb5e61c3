/* How large the pools are to be. */
#ifndef PQR_ROUTER_SIZING_H
#define PQR_ROUTER_SIZING_H

#include "router/backend.h"

/* A way of sizing pools. pool.c carries out what it says, within limits and budgets. */
struct pqr__sizing {
    /* How many connections may be in use at once, those of administrators not counted. */
    uint32_t (*ceiling)(const struct pqr__backend *backend);
    /* How many may be open for that. */
    uint32_t (*opens)(const struct pqr__backend *backend);
    /* How many it is to have before anybody waits; min and the reserve are seen to without it. */
    uint32_t (*wanted)(const struct pqr__backend *backend);
    /* Idle ones more than that, for a rush, opened while nobody waits. */
    uint32_t (*spare)(const struct pqr__backend *backend);
    /* How many connects those who wait for this role are worth, those under way included. */
    uint32_t (*connects)(const pqr_router *router, pqr_role role, uint32_t waiting);
    /* One of its idle connections is to be closed now. */
    bool (*shrinks)(struct pqr__backend *backend);
};

/* By policy/resizer and policy/ceiling. */
extern const struct pqr__sizing pqr__sizing_elastic;
/* pool.resize = false: a connect for each who waits, idle_timeout alone closes. */
extern const struct pqr__sizing pqr__sizing_plain;

#endif
