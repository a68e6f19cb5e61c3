/* How large the pools are to be: the books of what connections were used for, and the strategy that reads them. */
#ifndef PQR_ROUTER_ELASTIC_H
#define PQR_ROUTER_ELASTIC_H

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

void pqr__elastic_init(struct pqr__backend *backend);
/* The configuration may be another one. */
void pqr__elastic_tune(struct pqr__backend *backend);
/* A connection is about to change its state. */
void pqr__elastic_moved(struct pqr__backend *backend, enum pqr__slot_state from, enum pqr__slot_state to);
/* Completes the books up to now. */
void pqr__elastic_book(struct pqr__backend *backend);
void pqr__elastic_connected(struct pqr__backend *backend, uint64_t took_us);
/* A connect failed: sqlstate "": not by the server's word. */
void pqr__elastic_refused(struct pqr__backend *backend, const char *sqlstate);
/* Its part of the requests that wait. */
uint32_t pqr__elastic_waiting(const struct pqr__backend *backend);
/* The sizes are looked at soon; sooner when somebody waits. */
void pqr__elastic_wake(pqr_router *router, bool waiting);
void pqr__elastic_due(struct pqr__timer *timer);
/* Why it has the size that it has, for people. */
void pqr__elastic_explain(const struct pqr__backend *backend, char *out, size_t size);

#endif
