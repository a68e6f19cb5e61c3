/* The seam: what the router knows of the outside. lib/postgres implements it on libpq and libuv, tests/sim on
 * simulated servers and a virtual clock.
 *
 * Everything runs on one thread. No event is ever delivered from inside a call of ops: it comes later, from the
 * loop. Inside an event the router may call any op, on the same connection too.
 *
 * A connection's life, seen from the router (each line is events in order):
 *   connect -> refused                                          (no further event; the handle is gone)
 *   connect -> refused, which lingers -> closed                 (the server may have begun a session)
 *   connect -> connected -> ((part* item)* settled | notice | cancelled)* -> ended -> closed
 *   connect -> close before either -> ended -> closed           (neither connected nor refused comes)
 *
 * A connection has two ends. Ours is over with `ended`, soon after a close or a loss: every flight in the air has been
 * settled (lost = true), in order, and nothing may be sent any more. The server's session may go on, with a statement
 * that nobody waits for; `closed` says that it is over too: the server has closed its end. Until then it counts in
 * every limit. closed is always the last event of a connection, after which its handle is gone. It comes all the same,
 * and the session may be left behind, when the server does not close its end within the transport's bound, which is
 * shorter where the connection was reset and its end can't be seen, or when ops->abandon asks for it. The transport
 * never closes a connection unasked without saying so. */
#ifndef PQR_TRANSPORT_TRANSPORT_H
#define PQR_TRANSPORT_TRANSPORT_H

#include "base/list.h"
#include "pqrouter.h"

struct pqr__transport; /* an implementation's own struct begins with: const struct pqr__transport_ops *ops; */
struct pqr__conn;      /* a connection of an implementation */

/* The library's own statements, so that the simulator parses no SQL. 0: the application's. */
enum pqr__own {
    PQR__OWN_NONE = 0,
    PQR__OWN_IDENTITY, /* one row, see router/identity: what a new connection is connected to */
    PQR__OWN_PROBE,    /* one row: role, LSN, timeline */
    PQR__OWN_CANCEL,   /* pg_cancel_backend; parameters pid and backend start */
    PQR__OWN_INIT,     /* the configured init SQL (simple flight) */
    PQR__OWN_BEGIN,
    PQR__OWN_COMMIT,
    PQR__OWN_ROLLBACK,
    PQR__OWN_DISCARD,  /* DISCARD ALL */
    PQR__OWN_FLEET,    /* one row, see router/identity: how many routers there are. $1: this one's name */
    PQR__OWN_PREPARE,  /* sql and statement are the application's; it is prepared, not run: no rows */
    PQR__OWN_CATALOG,  /* rows, see router/catalog_sql: a request of the router's own */
    PQR__OWN_CHANGES,  /* one number, see router/catalog_sql: of what was written to the catalogs */
    PQR__OWN_TOKEN,    /* one row, see router/aside: where the primary's history is now */
    PQR__OWN_REPLAYED, /* one row, see router/aside: how far a standby has come in it */
};

/* One statement, embedded in whatever asked for it. Everything it points to stays valid until the flight is
   settled. */
struct pqr__item {
    struct pqr__item *next; /* of its flight; NULL: the last */
    uint64_t
        statement; /* 0: the text is sent as it is. Else a number that means this text with these parameter
                               types for as long as the process lives: the transport may keep it prepared on a
                               connection. */
    const char *sql;
    int n_params;
    /* 0: its rows come with its answer. Else they come before that, in parts of at most so many, fewer where the
       transport can't count: such an item is the only one of its flight, a pipeline, and has the connection's air for
       itself, since how long it takes is its receiver's affair. */
    uint16_t rows_at_once;
    uint8_t result_format;
    const Oid *param_types;
    const char *const *param_values;
    const int *param_lengths;
    const int *param_formats;
    enum pqr__own own;
    /* The transport's: */
    uint8_t steps;     /* of the transport's own before it, whose results have not come to an end */
    bool by_name;      /* sent as a statement that had been prepared before */
    bool refused;      /* one of the steps failed, and its error is the answer */
    uint64_t given_up; /* the prepared statement that makes room for this one; 0: none */
};

enum pqr__flight_kind {
    PQR__FLIGHT_PIPELINE, /* n_items statements by the extended protocol and one Sync */
    PQR__FLIGHT_SIMPLE,   /* one item, outside of pipeline mode: several statements are allowed when it has no
                             parameters. Its answer is the first error, else the last result. COPY, and a
                             transaction left open, close the connection. */
};

/* The sender's memory, untouched by it from send to settled. */
struct pqr__flight {
    struct pqr__link link; /* the transport's while it is in the air */
    uint8_t kind;          /* enum pqr__flight_kind */
    bool sent;             /* the transport's */
    uint32_t n_items;
    struct pqr__item *items; /* the first */
    /* The transport's: */
    struct pqr__item *running; /* the first whose results have not come to an end; NULL: none is left */
    struct pqr__item *telling; /* the next whose answer is to be told */
};

enum pqr__answer_kind {
    PQR__ANSWER_OK,      /* rows or a command tag, in result */
    PQR__ANSWER_ERROR,   /* the server's error; sqlstate may be empty; result has its fields, may be NULL */
    PQR__ANSWER_ABORTED, /* an earlier item of the flight failed: this one did not run */
};

struct pqr__answer {
    enum pqr__answer_kind kind;
    /* An error that only says that a kept prepared statement is of no use any more: nothing ran, and sent again it
       goes by its text. It fails its flight, and a transaction that is open, like any other error. In rare cases it
       comes a second time. */
    bool stale;
    bool at_sync;     /* an error of the flight's Sync, where it commits: its last item was answered well */
    char sqlstate[6]; /* "" when there is none */
    const char *message;      /* primary message of an error, "" otherwise; valid during the event */
    struct pg_result *result; /* the receiver's now: ops->result_free, or handed on; may be NULL */
};

enum pqr__tx_status {
    PQR__TX_IDLE,
    PQR__TX_OPEN,
    PQR__TX_FAILED,
    PQR__TX_UNKNOWN,
};

struct pqr__connect_info;

struct pqr__settled {
    bool lost;   /* the connection is gone (closed follows), what was not answered never will be */
    bool sent;   /* false: provably nothing of it reached the server */
    bool behind; /* lost, and not the first that was in the air */
    enum pqr__tx_status tx;
    bool swollen;        /* the connection has taken memory that it does not give back */
    bool in_recovery;    /* in_hot_standby as last reported by the server */
    const char *message; /* why it was lost, "" otherwise; valid during the event */
    char sqlstate[6];    /* of the server's FATAL error that ended it, where there was one; else "" */
    const struct pqr__connect_info *
        info; /* of a simple flight, which may have changed what connected told: what it is like now; NULL: not
                             looked up. Valid during the event */
};

/* settled.sqlstate of a connection that the transport ended itself, because the answer was larger than
   request.max_result (PostgreSQL manual, appendix A: program_limit_exceeded). */
#define PQR__SQLSTATE_CUT_OFF "54000"

/* Why a connection could not be opened. */
struct pqr__refusal {
    char sqlstate[6]; /* "" when not known (network, TLS) */
    const char *message;
    bool timeout;
    bool lingers; /* the transport gave up: until `closed`, which follows, it counts in every limit */
};

struct pqr__connect_info {
    uint32_t backend_pid;
    uint32_t server_version; /* as PQserverVersion */
    bool in_recovery;
    bool standard_conforming_strings;
    bool encoding_ascii_safe; /* of the client: no multi-byte character holds an ASCII byte */
};

/* What the transport tells. context is what connect was given for that connection. */
struct pqr__transport_events {
    void (*connected)(void *context, const struct pqr__connect_info *info);
    void (*refused)(void *context, const struct pqr__refusal *refusal);
    /* Of an item with rows_at_once: the next of its rows, in their order. An error may still follow, or a loss. The
       part is the receiver's now, as an answer's result is. affected: the command's count of rows, which libpq may give
       to the last part instead of the answer; -1: it is not with this one. */
    void (*part)(void *context, struct pqr__flight *flight, struct pqr__item *item, struct pg_result *part,
        int64_t affected);
    /* Once an item, in order. Only an error at the Sync (a deferred constraint, after the last item was OK) comes
       as one more answer to the last item and takes the place of the first: nothing is settled before settled. */
    void (*item)(
        void *context, struct pqr__flight *flight, struct pqr__item *item, const struct pqr__answer *answer);
    void (*settled)(void *context, struct pqr__flight *flight, const struct pqr__settled *facts);
    /* The end of a read: of the events above that came while read_us was set, in whatever number, and of notices. */
    void (*read)(void *router);
    /* flight: the first in the air, item: the one of it that is executed; both NULL on an idle connection, whose
       FATAL or shutdown notice comes here too. */
    void (*notice)(
        void *context, struct pqr__flight *flight, struct pqr__item *item, const pqr_notice *notice);
    /* The answer to ops->cancel: the request was delivered, or could not be. Never after ended. */
    void (*cancelled)(void *context, bool delivered);
    /* Our end is closed, asked for or not; nothing flies, and nothing may be sent. */
    void (*ended)(void *context);
    /* And the server's: nothing is left of its session, or nobody waits for that any longer. left: it was waited for,
       and was not seen to end. */
    void (*closed)(void *context, bool left);
    /* The one timer is due. */
    void (*timer)(void *router);
    /* After ops->shutdown: nothing of the transport is left but its memory, freed when this returns. */
    void (*down)(void *router);
};

struct pqr__transport_ops {
    /* A new configuration: connections to server number `server` are from now on opened by its entry `entry`. Further
       numbers may come so, up to 63; at first each number is that of its entry. Cannot fail. */
    void (*configure)(
        struct pqr__transport *transport, uint32_t server, const struct pqr_config *config, uint32_t entry);
    /* Opens a connection to server number `server` of the configuration, given up after timeout_us (refused with
       timeout = true). 0 and *out, or PQR_ENOMEM / PQR_ESYSTEM and no event. */
    int (*connect)(struct pqr__transport *transport, uint32_t server, uint64_t timeout_us, void *context,
        struct pqr__conn **out);
    /* Always accepted on a connected connection: whatever fails is told by settled. */
    void (*send)(struct pqr__conn *conn, struct pqr__flight *flight);
    /* Asks the server by the cancel protocol to end what runs on the connection (PQcancel). One at a time a
       connection. */
    int (*cancel)(struct pqr__conn *conn);
    /* Ends a connection at any point of its life; more than once is harmless. Politely (Terminate) if it can be
       done without waiting. */
    void (*close)(struct pqr__conn *conn);
    /* The same for who will not wait for the server, after a close too: closed comes as soon as our end is. */
    void (*abandon)(struct pqr__conn *conn);
    /* One timer: due at at_us of now_us's clock, replacing what was set; PQR__NEVER (base/wheel.h) clears it; 0: before
       anything is waited for. */
    void (*timer_set)(struct pqr__transport *transport, uint64_t at_us);
    /* A monotonic clock; read_us while that is set. */
    uint64_t (*now_us)(struct pqr__transport *transport);
    /* All connections are closed: gives up the rest, then `down`. */
    void (*shutdown)(struct pqr__transport *transport);

    void (*result_free)(struct pg_result *result);
    /* Text of a value, NULL for SQL NULL or what is not there. */
    const char *(*result_value)(const struct pg_result *result, int row, int column);
    /* The command tag ("COMMIT", "ROLLBACK", "INSERT 0 1"), "" when there is none. */
    const char *(*result_tag)(const struct pg_result *result);
};

struct pqr__transport {
    const struct pqr__transport_ops *ops;
    const struct pqr__transport_events *events;
    void *router;
    uint64_t
        read_us; /* when the input came that is being read, which is the time for all of it; 0: none is. `read`
                    follows */
};

#endif
