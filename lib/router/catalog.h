/* Reads the catalog (policy/catalog.h) in the background, by requests of the router's own that wait in its queue
   and fly on its pool like everybody's, a bounded chunk each, so that nothing stalls. The one in use stays until
   the next is complete. */
#ifndef PQR_ROUTER_CATALOG_H
#define PQR_ROUTER_CATALOG_H

#include "policy/catalog.h"
#include "router/timer.h"

struct pqr_reply;

struct pqr__catalog_loader {
    struct pqr__timer timer;
    struct pqr__catalog *current;  /* router->dialect.catalog; NULL: none yet */
    struct pqr__catalog *building; /* NULL: no load is under way */
    struct pqr_reply *request;     /* of that load */
    unsigned step, pass;
    bool found;    /* something more in this pass */
    bool outdated; /* a definition changed since the load began */
    bool anywhere; /* there is no primary to ask */
    bool told;     /* of a failure, until a load succeeds */
    char after[24];
    unsigned failures; /* in a row */
    uint64_t loads;
};

void pqr__catalog_start(pqr_router *router);
/* A connection entered a pool: a load that waited for one begins. */
void pqr__catalog_wake(pqr_router *router);
/* A statement that defines something was run: what was known to be harmless is not any longer. */
void pqr__catalog_outdated(pqr_router *router);
/* No more loads; a question that waits is given up, one that flies has cancel_grace for its answer. */
void pqr__catalog_stop(pqr_router *router);
/* Frees it all; no request of its own is left. */
void pqr__catalog_free(pqr_router *router);

#endif
