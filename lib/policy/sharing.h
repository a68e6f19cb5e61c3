/* What may share a connection, and what a Sync.
 *
 * Behind others, each with a Sync of its own: harmless reads that are known to be fast, so that nobody waits long for
 * a neighbour, and a lost connection costs nothing but another try. Under one Sync, which costs the server one send
 * instead of many: on a replica any of these. On the primary only executions of one and the same statement, because a
 * group holds the locks of all its tables until the Sync: two different statements deadlocked with a migration that
 * took the same locks in the other order; so did one whose locks depend on its parameters (policy/locks.h). Pure. */
#ifndef PQR_POLICY_SHARING_H
#define PQR_POLICY_SHARING_H

#include "policy/known.h"

struct pqr__sharing {
    uint32_t share_sync; /* reads under one Sync; 1: each has its own */
    uint32_t depth;      /* requests in the air of a connection; 1: none behind another */
    uint64_t fast_us;    /* reads that take longer fly alone */
};

/* known may be NULL: a text without a history. */
bool pqr__sharing_joins(
    const struct pqr__sharing *sharing, const struct pqr__verdict *verdict, const struct pqr__known *known);

/* A write that may have others before it and behind it, each with a Sync of its own: a statement that rolls back whole,
   that is known to be fast, and that takes no lock on a definition. Whoever asks for it knows that a lost connection
   leaves all of them unknown. */
bool pqr__sharing_follows(
    const struct pqr__sharing *sharing, const struct pqr__verdict *verdict, const struct pqr__known *known);

/* A transaction's first statement that goes out with its BEGIN, on a connection whose last answer came quiet_us ago:
   one that is undone with the transaction, and that does not fail where BEGIN, lost on a connection that had died
   without a word, would have been sent again. vouched: it may be sent twice. */
bool pqr__sharing_begins(const struct pqr__verdict *verdict, bool vouched, uint64_t quiet_us);

/* Two that join others; on the primary, or on a server that is not? */
bool pqr__sharing_groups(const struct pqr__known *first, const struct pqr__known *other, bool primary);

/* So many are answered as soon by one connection as by several: what another one spares them is less than sending to it
   costs here and there. */
uint32_t pqr__sharing_quick(const struct pqr__known *known);
/* So many go out at a time, at most, of all that waits or is in the air already: parted so that servers and router work
   at the same time, where so many connections may be shared. */
uint32_t pqr__sharing_lot(
    const struct pqr__sharing *sharing, uint32_t outstanding, uint32_t servers, uint32_t connections);
/* Has the head, that has had the connection for age_us, with n_head under its Sync, taken longer than it should? */
bool pqr__sharing_is_overdue(const struct pqr__known *head, uint32_t n_head, uint64_t age_us);

/* Does a connection take more? flying: requests in the air; flights: that they are in, but for writes when it is about
   a read; head: of the first of them, that
   has had the connection for age_us, with n_head under its Sync. */
bool pqr__sharing_has_room(const struct pqr__sharing *sharing, uint32_t flying, uint32_t flights,
    const struct pqr__known *head, uint32_t n_head, uint64_t age_us);

#endif
