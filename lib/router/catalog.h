/* Reads the catalog (policy/catalog.h) in the background, by requests of the router's own that wait in its queue
   and fly on its pool like everybody's, a bounded chunk each, so that nothing stalls. The one in use stays until
   the next is complete. */
#ifndef PQR_ROUTER_CATALOG_H
#define PQR_ROUTER_CATALOG_H

#include "policy/catalog.h"
#include "policy/changes.h"
#include "router/timer.h"

struct pg_result;
struct pqr_reply;

/* Then everything that is made of anything is harmful. */
enum { PQR__CATALOG_PASSES_MAX = 12 };

struct pqr__catalog_loader {
    struct pqr__timer timer;
    struct pqr__catalog *current;  /* router->dialect.catalog; NULL: none yet */
    struct pqr__catalog *building; /* NULL: no load is under way */
    struct pqr_reply *request;     /* of that load */
    unsigned step, pass;
    bool found;     /* something more in this pass */
    bool outdated;  /* a definition changed since the load began */
    bool anywhere;  /* there is no primary to ask */
    bool told;      /* of a failure, until a load succeeds */
    uint32_t after; /* what was read last of this step: its oid */
    uint64_t began_us;
    unsigned failures; /* in a row */
    uint64_t loads;
    struct pqr__changes changes;
    uint64_t watch_us; /* when those are asked for next */
};

void pqr__catalog_start(pqr_router *router);
/* By the configuration. */
bool pqr__catalog_wanted(const pqr_router *router);
/* A connection entered a pool: a load that waited for one begins. */
void pqr__catalog_wake(pqr_router *router);
/* A statement that defines something was run: what was known to be harmless is not any longer. */
void pqr__catalog_outdated(pqr_router *router);
/* Takes the rows of an answer to the current step, and says how many there were. NULL, or why the load has failed. */
const char *pqr__catalog_take(pqr_router *router, const struct pg_result *result, int *rows);
/* No more loads; a question that waits is given up, one that flies has cancel_grace for its answer. */
void pqr__catalog_stop(pqr_router *router);
/* Frees it all; no request of its own is left. */
void pqr__catalog_free(pqr_router *router);

#endif
