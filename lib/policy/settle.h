/* The end of a flight: what its request is told, or that it is run again. Reply, deadline, cancel, loss and
   close meet here and nowhere else. Pure. FAULTS in the tests' words: an outcome is never guessed. */
#ifndef PQR_POLICY_SETTLE_H
#define PQR_POLICY_SETTLE_H

#include "policy/classifier.h"
#include "pqrouter.h"

/* Why the router itself ended a request. */
enum pqr__cause { PQR__CAUSE_NONE = 0, PQR__CAUSE_CANCEL, PQR__CAUSE_DEADLINE, PQR__CAUSE_CLOSE };

enum pqr__reply_kind { PQR__REPLY_NONE = 0, PQR__REPLY_OK, PQR__REPLY_ERROR, PQR__REPLY_ABORTED };

struct pqr__facts {
    enum pqr__reply_kind reply;
    const char *sqlstate; /* "" when there is none */
    bool lost;            /* the connection is gone */
    bool sent;            /* something may have reached the server */
    bool left_open;       /* the server says a transaction is open that was not before */
    bool on_replica;      /* it was sent to a server believed to be a replica */
    bool in_recovery;     /* what the server says of itself now */
    bool vouched;         /* PQR_IDEMPOTENT */
    bool cut_off;         /* the answer was too large: it would be again */
    bool shared;          /* it flew with others under one Sync */
    bool behind;          /* the connection was lost by a flight before it */
    bool stale;           /* nothing ran: what was kept prepared of it was of no use any more */
    bool unit;            /* a transaction that was sent whole: a conflict has rolled it back */
    bool cancel_near;     /* another request on its connection was cancelled */
    bool shown;           /* rows of it have reached the caller, in parts */
    bool withheld;        /* others have not, since it was to end */
    enum pqr__cause cause;
    enum pqr__effect effect;
    uint32_t attempts, max_attempts;
};

struct pqr__decision {
    bool again;      /* queue it again ... */
    bool to_primary; /* ... for the primary */
    bool avoid;      /* ... for any other server than this one */
    bool probe;      /* the server's role is in doubt */
    bool misroute;   /* a replica refused what was taken for a harmless read */
    bool alone;      /* run again, but not with others: it was their doing. Does not count as an attempt */
    bool by_text;    /* run again by its text: only what was kept of it was of no use. Nor does this count */
    pqr_status status;
    pqr_outcome outcome;
};

struct pqr__decision pqr__settle(const struct pqr__facts *facts);

/* The status that a cause stands for; PQR_STATUS_LOST for none. */
pqr_status pqr__cause_status(enum pqr__cause cause);

#endif
