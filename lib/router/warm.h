/* Statements that the configuration names (statements.warm_up) are prepared on each new connection before it enters
   the pool. */
#ifndef PQR_ROUTER_WARM_H
#define PQR_ROUTER_WARM_H

#include "router/slot.h"

/* Takes over what the configuration names. */
void pqr__warm_tune(pqr_router *router);

/* Of a connection that is about to enter the pool: true when something is being prepared on it, whose end comes by the
   functions below. */
bool pqr__warm_begin(struct pqr__slot *slot);
void pqr__warm_item(struct pqr__slot *slot, struct pqr__item *item, const struct pqr__answer *answer);
/* Its flight has settled: true when what the failed ones kept from being prepared is on its way again. entering: the
   connection was not being closed. */
bool pqr__warm_settled(struct pqr__slot *slot, const struct pqr__settled *facts, bool entering);
/* It has taken too long: the connection is to be closed. */
bool pqr__warm_gives_up(struct pqr__slot *slot);
/* Nothing is being prepared any more. */
void pqr__warm_end(struct pqr__slot *slot);

#endif
