/* From accepted to flying, and from settled to its end. */
#ifndef PQR_ROUTER_DISPATCH_H
#define PQR_ROUTER_DISPATCH_H

#include "router/router.h"

/* Sends an accepted request on the best server with room, or queues it, or answers that neither can be. */
void pqr__dispatch(struct pqr_reply *request);
/* Back to the queue, for another server or for the primary. */
void pqr__dispatch_again(struct pqr_reply *request, bool to_primary, bool avoid);

/* Answers all that waits: no server will let us in (pqr__backends_hopeless). */
void pqr__dispatch_give_up(pqr_router *router);
/* A text may mean something else now: forgets all verdicts, classifies anew what waits. */
void pqr__dispatch_reclassify(pqr_router *router);
/* How the servers read text, learned from a new connection: what waits is classified anew when that is news. */
void pqr__dispatch_dialect(pqr_router *router, const struct pqr__connect_info *info);

/* --- give.c --- */
/* There may be something for somebody: seen to at the end of this event, or from the loop. */
void pqr__dispatch_soon(pqr_router *router);
/* If there may be: gives what waits to the connections that can take it, and opens more for the rest. */
void pqr__dispatch_due(pqr_router *router);
/* Before the turn of the loop is over: as much of it as gains nothing by waiting for what else that will bring. */
void pqr__dispatch_full(pqr_router *router);
/* It may fly with others on this server, as far as is known of both now. */
bool pqr__dispatch_joins(const struct pqr_reply *request, const struct pqr__backend *backend);
/* It may have an idle connection of this server. */
bool pqr__dispatch_opens(const struct pqr__backend *backend, const struct pqr_reply *request);

/* --- run.c --- */
/* A request on a connection that nothing flies on. */
void pqr__run(struct pqr_reply *request, struct pqr__slot *slot);
/* Reads that may share a connection, as one flight. requests, linked by their link, is empty after it. */
void pqr__run_together(struct pqr__list *requests, struct pqr__slot *slot);
/* Those that may follow one another, each as a flight of its own. The same. */
void pqr__run_in_turn(struct pqr__list *requests, struct pqr__slot *slot);
/* Between run.c and batch_fly.c, on a connection that is taken already. */
/* As pqr__run_together. */
void pqr__run_group(struct pqr__list *requests, struct pqr__slot *slot);
void pqr__run_take_off(struct pqr_reply *request, struct pqr__slot *slot);
/* Before it is sent: what its text leaves behind. */
void pqr__run_make_ready(struct pqr_reply *request, struct pqr__slot *slot);
/* A flight of n items, in the memory of the first request of it, or of what leads them. */
void pqr__run_send(struct pqr_reply *first, struct pqr__item *items, uint32_t n, enum pqr__flight_kind kind);

/* Whose item it is. */
struct pqr_reply *pqr__run_owner(struct pqr__item *item);
void pqr__run_item(struct pqr__slot *slot, struct pqr__item *item, const struct pqr__answer *answer);
enum pqr__reply_kind pqr__run_kind(const struct pqr__answer *answer);
void pqr__run_notice(struct pqr_reply *request, const pqr_notice *notice);

/* --- settled.c --- */
void pqr__run_settled(struct pqr__slot *slot, struct pqr__flight *flight, const struct pqr__settled *settled);
/* What becomes of one that did not end well, whose slot it is not any more; what that says of its server is noted. */
struct pqr__decision pqr__run_decide(
    struct pqr_reply *request, struct pqr__backend *backend, const struct pqr__settled *settled);
/* The facts of what flew on a slot, for pqr__settle. */
struct pqr__facts pqr__run_facts(const struct pqr_reply *request, const struct pqr__settled *settled);

/* --- cancel.c --- */
/* Asks the server to end what runs on its connection; when that does not help in time, it is closed. */
void pqr__run_cancel(struct pqr_reply *request);
/* The cancel of a slot was answered: what waited for that goes on. */
void pqr__run_cancelled(struct pqr__slot *slot, bool safe);
/* A flight ended, or a cancel was answered: if what runs now is to end, it is cancelled as well, or again. */
void pqr__run_cancel_next(struct pqr__slot *slot);

#endif
