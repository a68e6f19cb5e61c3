/* How much goes out at a time: of what waits and flies, and of the connections that there are, the part of one
   flight. */
#ifndef PQR_ROUTER_LOT_H
#define PQR_ROUTER_LOT_H

#include "policy/sharing.h"
#include "router/router.h"

/* What waits in a lane for a server's roles, and how much of it goes out at a time. */
struct pqr__lot {
    uint32_t waiting, most;
};

/* What the configuration says of sharing. */
static inline struct pqr__sharing pqr__lot_sharing(const pqr_router *router)
{
    return (struct pqr__sharing){.share_sync = router->config->reads.share_sync,
        .depth = router->config->pool.pipeline_depth,
        .fast_us = router->config->reads.share_limit_us};
}

/* As many connections as may be shared, of those that come along: others come to their end. */
uint32_t pqr__lot_shares(const struct pqr__backend *backend);
struct pqr__lot pqr__lot_of(
    const pqr_router *router, const struct pqr__sharing *sharing, unsigned roles, enum pqr__lane lane);
/* What waits goes out together; what an idle connection of the server's role could take as well is left to that, unless
   it is no more than quick, which are answered as soon by one. */
uint32_t pqr__lot_share(const struct pqr__backend *backend, struct pqr__lot lot, uint32_t quick);

#endif
