/* Read your own writes. Behind a commit the primary is asked for a token, in the same round trip (aside.c); a read that is
 * to be after one goes to a replica that is known to be there, or asks it first, in the same round trip (after.c). Both
 * are statements of ours beside what flies for a request, on a connection that is its alone: slot->aside.
 */
#ifndef PQR_ROUTER_ASIDE_H
#define PQR_ROUTER_ASIDE_H

#include "router/router.h"

/* --- aside.c --- */

/* Sends such a statement for a request, which has the connection. */
void pqr__aside_send(struct pqr__slot *slot, struct pqr_reply *request, enum pqr__own own);
void pqr__aside_item(struct pqr__slot *slot, const struct pqr__answer *answer);
void pqr__aside_settled(struct pqr__slot *slot, const struct pqr__settled *facts);

/* What commits was just sent: asks for its token behind it, if it wants one. */
void pqr__token_ask(struct pqr_reply *request, struct pqr__slot *slot);
/* The same when it has ended well: of what may leave a transaction open, which shows only when nothing flies behind. */
void pqr__token_ask_late(struct pqr_reply *request, struct pqr__slot *slot);
/* Its token is on its way. */
bool pqr__token_awaited(const struct pqr_reply *request);
/* It ends like this. True: but not before its token is there. */
bool pqr__token_holds(struct pqr_reply *request, pqr_status status, pqr_outcome outcome);
/* It waits for nothing of this file any longer: before it is run again, too. */
void pqr__token_forget(struct pqr_reply *request);

/* --- after.c --- */

/* A replica had replayed so much on one of its connections. */
void pqr__after_learn(struct pqr__backend *backend, uint64_t lsn);
/* Before it waits: servers of no use to it are avoided while there are others. False: there is none, and it is
   answered. */
bool pqr__after_place(struct pqr_reply *request);
/* This server has, as far as is known, what the request is to be after. */
bool pqr__after_is_there(const struct pqr_reply *request, const struct pqr__backend *backend);
/* It may run there now, alone, if the server is asked first. */
bool pqr__after_admits(const struct pqr_reply *request, const struct pqr__backend *backend);
/* Asks, where it is not known. */
void pqr__after_check(struct pqr_reply *request, struct pqr__slot *slot);
/* It did, and the server said no, or nothing. */
bool pqr__after_missed(const struct pqr_reply *request);
/* To the primary, or it is answered. */
void pqr__after_elsewhere(struct pqr_reply *request);

#endif
