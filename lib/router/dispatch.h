/* From accepted to flying, and from settled to its end. */
#ifndef PQR_ROUTER_DISPATCH_H
#define PQR_ROUTER_DISPATCH_H

#include "router/router.h"

/* Sends an accepted request on the best server with room, or queues it, or answers that neither can be. */
void pqr__dispatch(struct pqr_reply *request);
/* Gives an idle connection to the oldest most urgent request that it may run; false: nobody wants it. */
bool pqr__dispatch_slot(struct pqr__slot *slot);
/* Offers every idle connection of a server, or of all. */
void pqr__dispatch_backend(struct pqr__backend *backend);
void pqr__dispatch_all(pqr_router *router);
/* Back to the queue, for another server or for the primary. */
void pqr__dispatch_again(struct pqr_reply *request, bool to_primary, bool avoid);

/* Answers all that waits: no server will let us in (pqr__backends_hopeless). */
void pqr__dispatch_give_up(pqr_router *router);
/* A text may mean something else now: forgets all verdicts, classifies anew what waits. */
void pqr__dispatch_reclassify(pqr_router *router);
/* How the servers read text, learned from a new connection: what waits is classified anew when that is news. */
void pqr__dispatch_dialect(pqr_router *router, const struct pqr__connect_info *info);

/* run.c: a request on a connection. */
void pqr__run(struct pqr_reply *request, struct pqr__slot *slot);
void pqr__run_item(struct pqr__slot *slot, const struct pqr__answer *answer);
void pqr__run_notice(struct pqr_reply *request, const pqr_notice *notice);
void pqr__run_settled(struct pqr__slot *slot, const struct pqr__settled *settled);
/* The facts of what flew on a slot, for pqr__settle. */
struct pqr__facts pqr__run_facts(const struct pqr_reply *request, const struct pqr__settled *settled);
/* Asks the server to end what runs on a slot; when it does not in time, the connection is closed. */
void pqr__run_cancel(struct pqr__slot *slot);
/* The cancel of a slot was answered: what waited for that goes on. */
void pqr__run_cancelled(struct pqr__slot *slot, bool safe);

#endif
