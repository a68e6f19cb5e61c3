/* Feeds policy/breadth: all servers of a role together, since the balancer gives to the others what one is spared. */
#ifndef PQR_ROUTER_BREADTH_H
#define PQR_ROUTER_BREADTH_H

#include "router/router.h"

void pqr__breadths_init(pqr_router *router);
/* Once a tick, before the books begin anew. */
void pqr__breadths_due(pqr_router *router);

/* As many connections of the server may be shared at once; UINT32_MAX: any number. */
static inline uint32_t pqr__breadth_here(const struct pqr__backend *backend)
{
    return backend->router->breadth_now[backend->role];
}

#endif
