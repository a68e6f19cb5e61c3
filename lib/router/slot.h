/* A place for one connection in a server's pool. Its state is the list it is in; pqr__slot_move is the only
 * mover, and every limit counts the lists.
 */
#ifndef PQR_ROUTER_SLOT_H
#define PQR_ROUTER_SLOT_H

#include "router/endpoint.h"
#include "router/identity.h"
#include "router/timer.h"

/* XX(name, word) */
#define PQR__SLOT_MAP(XX)                                                                             \
    XX(CONNECTING, connecting)                                                                        \
    XX(IDENTIFYING, identifying) /* identity and init SQL, before it enters the pool */               \
    XX(IDLE, idle)                                                                                    \
    XX(BUSY, busy)             /* a request or transaction of a normal lane owns it */                \
    XX(SHARED, shared)         /* requests of normal lanes fly on it, and others may join them */     \
    XX(BUSY_ADMIN, busy_admin) /* of the admin lane */                                                \
    XX(BUSY_OWN, busy_own)     /* a request of the router itself owns it */                           \
    XX(CANCELLING, cancelling) /* its owner is being cancelled; nothing new until that is answered */ \
    XX(CLOSING, closing)       /* it counts as long as the server's session may go on */

enum pqr__slot_state {
#define XX(name, word) PQR__SLOT_##name,
    PQR__SLOT_MAP(XX)
#undef XX
        PQR__SLOT_STATES
};

struct pqr__backend;
struct pqr_reply;
struct pqr_tx;

/* A statement of ours beside what flies for a request: behind its commit, or before its read (aside.c). */
struct pqr__aside {
    struct pqr__flight flight;
    struct pqr__item item;
    struct pqr_reply *request; /* whom it is for; NULL: nobody any more */
    bool flies;
};

struct pqr__slot {
    struct pqr__endpoint endpoint;
    struct pqr__link link;
    enum pqr__slot_state state;
    struct pqr__backend *backend;
    struct pqr_config *config; /* as when it was opened: what it was initialised by */
    struct pqr__conn *conn;
    struct pqr__connect_info info;
    struct pqr__identity identity;

    struct pqr__list air; /* the requests that fly, in order */
    uint32_t n_flights;   /* that they are in */
    uint32_t n_writes;    /* of those, flights of anything but harmless reads */
    uint64_t since_us;    /* when the first of them had the connection for itself */
    struct pqr_tx *tx;    /* the owner across flights */
    bool initialised;     /* by pool.init_sql */
    bool dirty;           /* session state may have been left: DISCARD ALL before it is idle */
    bool aborted;         /* a batch left its transaction failed: ROLLBACK before that */
    bool doomed;          /* closed instead of going idle */
    bool swollen;         /* likewise: libpq never gives back the memory that a large request or row took */
    bool cancel_pending;  /* a cancel is under way; it might hit the next statement */
    bool cancelled;       /* there was one since it was idle: it may have hit a neighbour */
    const struct pqr__flight *cancelled_flight; /* the first in the air when the last one was sent */
    struct pqr__timer cancel_again;             /* in case that came too early */

    struct pqr__flight own_flight; /* the library's own statements */
    struct pqr__item own_item;
    bool own_failed;
    struct pqr__aside aside;
    struct pqr__warming *warming; /* what is being prepared on it before it enters the pool; NULL: nothing */
    bool refused;                 /* counted as a connect that failed */

    uint64_t opened_us;  /* when its connect began */
    uint64_t expires_us; /* lifetime; 0: none */
    uint64_t idle_since_us;
    uint64_t answered_us;   /* when its last flight ended */
    uint64_t ours_since_us; /* identifying, resetting or waiting for a cancel's answer, owned by nobody */
    uint64_t closing_since_us;
};

/* Opens a connection for a new slot. PQR_ENOMEM, PQR_ESYSTEM. */
int pqr__slot_open(struct pqr__backend *backend);
void pqr__slot_move(struct pqr__slot *slot, enum pqr__slot_state to);
/* Ends its connection; what flies is settled as lost. Harmless in any state. When the router itself closes, the
   server's end of it is not waited for. */
void pqr__slot_close(struct pqr__slot *slot);
/* Its owner is done with it: reset if need be, then idle and offered to who waits, or closed. */
void pqr__slot_release(struct pqr__slot *slot);
/* Sends one of the library's own statements; its end comes to slot_events.c. */
void pqr__slot_send_own(struct pqr__slot *slot, enum pqr__own own, const char *sql);

/* Of slot_events.c: what the transport tells of it, the last of which frees it. */
extern const struct pqr__endpoint_ops pqr__slot_ops;
void pqr__slot_destroy(struct pqr__slot *slot);

#endif
