/* One connection a server that asks for its role, LSN and timeline, and carries pg_cancel_backend. It has its
 * own connection because a full pool must not make a server look dead. It counts towards max.
 */
#ifndef PQR_ROUTER_PROBE_H
#define PQR_ROUTER_PROBE_H

#include "router/endpoint.h"
#include "router/timer.h"

/* XX(name, word) */
#define PQR__PROBE_MAP(XX)                                             \
    XX(ABSENT, absent) /* no connection; the alarm opens the next */   \
    XX(CONNECTING, connecting)                                         \
    XX(IDLE, idle)                                                     \
    XX(ASKING, asking)                                                 \
    XX(CANCELLING, cancelling) /* a pg_cancel_backend is in the air */ \
    XX(COUNTING, counting)     /* the fleet's members are */           \
    XX(WATCHING, watching)     /* changes of the catalogs are */       \
    XX(CLOSING, closing)       /* until its session is over at the server, too */

enum pqr__probe_state {
#define XX(name, word) PQR__PROBE_##name,
    PQR__PROBE_MAP(XX)
#undef XX
        PQR__PROBE_STATES
};

struct pqr__backend;
struct pqr__slot;

struct pqr__probe {
    struct pqr__endpoint endpoint;
    struct pqr__backend *backend;
    enum pqr__probe_state state;
    struct pqr__conn *conn;
    struct pqr__flight flight;
    struct pqr__item item;
    struct pqr__timer next;    /* the next question, or the next connect */
    struct pqr__timer timeout; /* of what is under way */
    uint64_t asked_us;
    uint64_t not_before_us;      /* the next connect */
    bool answered;               /* the question in the air has its row */
    bool waits;                  /* without a connection, until there is room for one (room.c) */
    bool again;                  /* asked for while one was under way */
    struct pqr__slot *cancelled; /* whose backend the cancel in the air is for; NULL: nobody's any longer */
    char pid[16], start[32];     /* of that backend: it may be gone before the cancel is */
    char name[40];               /* as a member of the fleet; "" before the first count */
    uint64_t counts_us;          /* when they are counted next */
    const char *values[2];
};

void pqr__probe_init(struct pqr__probe *probe, struct pqr__backend *backend);
/* Asks at once, or as soon as it can. */
void pqr__probe_now(struct pqr__probe *probe);
/* Sends pg_cancel_backend for this slot's backend; false: it can't now, use the cancel protocol. */
bool pqr__probe_cancel(struct pqr__probe *probe, struct pqr__slot *slot);
/* Another connection for it: with other parameters. */
void pqr__probe_renew(struct pqr__probe *probe);
/* No more questions; closes its connection. */
void pqr__probe_stop(struct pqr__probe *probe);

/* --- between the connection (probe.c) and what is asked on it (probe_ask.c, probe_more.c) --- */

void pqr__probe_move(struct pqr__probe *probe, enum pqr__probe_state to);
/* Nothing is asked any more, and nobody listens. */
bool pqr__probe_stopped(const struct pqr__probe *probe);
void pqr__probe_set_timeout(struct pqr__probe *probe);
void pqr__probe_ask(struct pqr__probe *probe);
/* The item is filled in, but for these two. */
void pqr__probe_send(struct pqr__probe *probe, enum pqr__own own, const char *sql);
/* After an answer: asks what else is due, one thing at a time. */
void pqr__probe_more(struct pqr__probe *probe);
/* Takes the answer to that, if it is one; it stays the caller's. */
void pqr__probe_more_item(struct pqr__probe *probe, const struct pqr__answer *answer);
/* The server counts as down; "" for no SQLSTATE. */
void pqr__probe_failed(struct pqr__probe *probe, const char *message, const char *sqlstate);
/* Tells whoever waits for the cancel in the air that it is over; safe: it can hit nothing any more. */
void pqr__probe_cancel_over(struct pqr__probe *probe, bool safe);
void pqr__probe_item(struct pqr__endpoint *endpoint, struct pqr__flight *flight, struct pqr__item *item,
    const struct pqr__answer *answer);
void pqr__probe_settled(
    struct pqr__endpoint *endpoint, struct pqr__flight *flight, const struct pqr__settled *facts);

#endif
