/* pqr_tx_run: a request that owns a connection, on which it begins with its first statement, until COMMIT or
   ROLLBACK. */
#ifndef PQR_ROUTER_TRANSACTION_H
#define PQR_ROUTER_TRANSACTION_H

#include "router/router.h"

/* XX(name, word) */
#define PQR__TX_MAP(XX)                                                        \
    XX(WAITING, waiting)     /* for a connection */                            \
    XX(READY, ready)         /* has one, and nothing was sent: the body's */   \
    XX(BEGINNING, beginning) /* BEGIN is in the air, and mostly a statement */ \
    XX(RUNNING, running)     /* the body's: statements fly one at a time */    \
    XX(COMMITTING, committing)                                                 \
    XX(ROLLING_BACK, rolling_back)                                             \
    XX(ENDED, ended)

enum pqr__tx_state {
#define XX(name, word) PQR__TX_##name##_STATE,
    PQR__TX_MAP(XX)
#undef XX
        PQR__TX_STATES
};

struct pqr_tx {
    struct pqr_reply *request; /* the whole: BEGIN's text, the caller's done */
    struct pqr__slot *slot;
    enum pqr__tx_state state;
    pqr_tx_body body;
    void *data;
    unsigned attempt, max_attempts;
    bool called; /* the body was, for this attempt */
    bool want_commit, want_rollback;
    bool failed;                 /* a statement failed; the first error is in request */
    bool stale;                  /* the first error is of a statement kept prepared, which is parsed anew */
    bool by_text;                /* so was an attempt's: all of it is, from now on */
    bool aborted;                /* the server says that it can only be rolled back */
    bool commit_unclear;         /* COMMIT was answered, by libpq and not by the server */
    bool defines;                /* a statement of it did */
    bool idled;                  /* ended by transaction.idle_timeout */
    struct pqr__list statements; /* not sent yet */
    uint64_t bytes;              /* of those */
    struct pqr_reply *current;   /* in the air */
    struct pqr__timer idle;
    bool poked; /* idle is due for the next step, not for the end */
    char commit_tag[16];
    char end_sqlstate[6];    /* of COMMIT's or ROLLBACK's own error */
    char commit_sqlstate[6]; /* of COMMIT's own error */
};

/* How a transaction of that isolation begins. */
const char *pqr__begin_text(pqr_isolation isolation);
void pqr__tx_move(struct pqr_tx *tx, enum pqr__tx_state to);
/* The request is a transaction as a whole. */
static inline bool pqr__tx_leads(const struct pqr_reply *request)
{
    return request->tx && request->tx->request == request;
}
/* One more statement for its list. */
void pqr__tx_add(struct pqr_tx *tx, struct pqr_reply *statement);
/* The next of its list: it is in the air now. */
struct pqr_reply *pqr__tx_take(struct pqr_tx *tx);
/* Back to the head of its list. */
void pqr__tx_put_back(struct pqr_tx *tx);
/* Takes the next step, if nothing is in the air and no cancel under way. */
void pqr__tx_advance(struct pqr_tx *tx);
/* The end of a flight of it, and of COMMIT and ROLLBACK. */
void pqr__tx_settled(struct pqr_tx *tx, const struct pqr__settled *settled);
void pqr__tx_own_item(struct pqr_tx *tx, const struct pqr__answer *answer);
void pqr__tx_own_settled(struct pqr_tx *tx, const struct pqr__settled *settled);
/* Its connection is gone while nothing was in the air. */
void pqr__tx_lost(struct pqr_tx *tx);
/* Cancel, deadline or close while it holds a connection: its request's cause is set. */
void pqr__tx_end(struct pqr_tx *tx);
/* Its request was answered while it waited: so are its statements. */
void pqr__tx_over(struct pqr_tx *tx, pqr_status status);
/* Its connection was closed because the grace for its end is over. */
void pqr__tx_overdue(struct pqr_tx *tx);
/* Of a statement that waits in its list, and of all of them. */
void pqr__tx_drop(struct pqr_tx *tx, struct pqr_reply *statement);
void pqr__tx_drop_all(struct pqr_tx *tx, pqr_status status, const char *why);
void pqr__tx_free(struct pqr_tx *tx);

/* --- transaction_begin.c --- */
/* The connection is its own. */
void pqr__tx_given(struct pqr_tx *tx, struct pqr__slot *slot);
/* Runs the bodies that are due. */
void pqr__tx_bodies_run(pqr_router *router);
/* Sends BEGIN, with the first of its list where that may come along. */
void pqr__tx_begin(struct pqr_tx *tx);
void pqr__tx_begin_settled(struct pqr_tx *tx, const struct pqr__settled *settled);

/* --- transaction_end.c --- */
/* Gives up its connection, and waits for another. */
void pqr__tx_wait(struct pqr_tx *tx, bool to_primary, bool avoid);
/* The end of its statement in the air. */
void pqr__tx_statement_settled(struct pqr_tx *tx, const struct pqr__settled *settled);
/* The body may run again. lost: the connection is gone. */
bool pqr__tx_may_repeat(const struct pqr_tx *tx, bool lost);
/* Rolled back, for whatever reason: run again, or told. lost: its connection is gone. */
void pqr__tx_rolled_back(struct pqr_tx *tx, bool lost);
void pqr__tx_finish(struct pqr_tx *tx, pqr_status status, pqr_outcome outcome, const char *error);

#endif
