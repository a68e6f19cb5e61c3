/* Which server gets a request, among those with room; and which opens the next connection. */
#ifndef PQR_ROUTER_BALANCE_H
#define PQR_ROUTER_BALANCE_H

#include "policy/balancer.h"
#include "router/backend.h"

struct pqr__choice {
    struct pqr__candidate candidates[PQR__BALANCER_SERVERS];
    uint32_t n; /* 0 at first */
};

void pqr__balance_add(struct pqr__choice *choice, const struct pqr__backend *backend, uint32_t outstanding);
/* NULL: no candidate was added. */
struct pqr__backend *pqr__balance_pick(pqr_router *router, struct pqr__choice *choice);

/* The primary has given all that reads may have of it while replicas are missing (reads.fallback_max). */
bool pqr__balance_is_capped(const struct pqr__backend *backend);
/* Connections of the primary that serve reads for replicas that have come back and have not grown yet. */
uint32_t pqr__balance_lent(const pqr_router *router);
/* pqr__backend_roles, less the reads that a capped primary does not take now, and with those that it still takes. */
unsigned pqr__balance_roles_now(const struct pqr__backend *backend);

#endif
