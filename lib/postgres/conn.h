/* A connection: a state machine around one PGconn, its poll handle and the flights given to it.  conn.c is its life
 * (states, loss, close), connect.c how it begins, linger.c how it waits for the server's end, wire.c the socket (what
 * is read and when), flight.c the queue of flights, cork.c how few packets they make, item.c how a statement is sent,
 * answer.c what libpq's results mean for them. All of it runs on the loop's thread. */
#ifndef PQR_POSTGRES_CONN_H
#define PQR_POSTGRES_CONN_H

#include <libpq-fe.h>
#include <uv.h>

#include "base/log.h"
#include "config/config.h"
#include "postgres/meter.h"
#include "postgres/prepared.h"
#include "transport/transport.h"

struct pqr__canceller;
struct pqr__connector;
struct pqr__mailbox;

struct pqr__postgres {
    struct pqr__transport base; /* first */
    uv_loop_t *loop;
    struct pqr_config *config; /* the latest, for what is not of one server */
    struct {
        struct pqr_config *config; /* NULL: never named */
        uint32_t entry;
        bool plain; /* it refuses the options that we would add */
    } servers[64];
    pqr_callbacks callbacks;
    struct pqr__log log;
    struct pqr__mailbox *mailbox;
    uv_timer_t timer;
    uint64_t timer_at_ms;       /* PQR__NEVER: not set */
    uint64_t timer_due_ms;      /* when the loop should come to it */
    bool timer_waited;          /* it came late, and is told in the next turn */
    uv_idle_t flusher;          /* runs before the loop waits, as long as something is unflushed */
    struct pqr__list unflushed; /* connections that libpq has something to send for */
    unsigned n_handles;         /* still to close at shutdown */
    pid_t pid;                  /* of the process that owns the connections */
};

enum pqr__conn_state {
    PQR__CONN_CONNECTING, /* a connector is at work */
    PQR__CONN_GIVING_UP, /* it was told to end, and has a moment for that: until then there may be a socket */
    PQR__CONN_PIPELINE,  /* open and in pipeline mode: idle, or with pipeline flights in the air */
    PQR__CONN_SIMPLE,    /* open and out of pipeline mode, for the one simple flight in the air */
    PQR__CONN_REFUSED,   /* never opened, and told so; its handles are closing */
    PQR__CONN_CLOSING,   /* its handles are closing; then the flights are settled and `ended` is told */
    PQR__CONN_LINGERING, /* our end is closed, the server's is not: its session may go on */
    PQR__CONN_GONE,      /* its handles are closing for the last time; then `closed` is told */
};

struct pqr__conn {
    struct pqr__postgres *home;
    void *context;
    uint32_t server;
    enum pqr__conn_state state;
    PGconn *pg;
    struct pqr__connector *connector; /* while connecting or giving up */
    struct pqr__canceller *canceller; /* while one is under way */

    uv_poll_t poll;      /* from open on */
    uv_timer_t deadline; /* of the connect; of lingering */
    unsigned n_handles;
    int fd;             /* the socket, by a descriptor of our own, which libpq does not close; -1: none */
    int armed;          /* events the poll handle waits for */
    uint32_t linger_ms; /* how long the server's end is waited for */
    uint32_t lingered;  /* bytes that came meanwhile */
    uint32_t pid;       /* of the session; 0: not known */

    bool cut;       /* the socket is of no use any more, and the server may not know yet */
    bool said_over; /* by the server: it ends the session */
    bool left;      /* the server's end was waited for, and not seen */
    bool abandoned; /* nobody waits for the server's end */
    bool refused;   /* told, and closed follows */
    bool in_libpq;  /* libpq is parsing: the PGconn must stay */
    bool poisoned;  /* must not be used again: out of step, or the server said good-bye */
    bool swollen;   /* libpq has taken much memory for a row, and keeps it */
    bool completed; /* this read completed a flight */
    bool reading;   /* its input is being read; what is sent meanwhile is flushed after that */
    bool together;  /* flights of a turn can be kept together: cork.c */
    bool fresh;     /* something was sent since the last flush */
    bool corked;    /* and more, which the system keeps until then */
    struct pqr__link unflushed;
    const void *ssl;     /* OpenSSL's; NULL: no TLS, or another library's */
    uint64_t at_ms;      /* of the loop's time, when it last answered */
    uint64_t looked_ms;  /* when in_recovery was looked up last */
    uint32_t n_unlooked; /* flights settled since */
    bool in_recovery;    /* as the server had said by then */
    struct pqr__meter meter;

    struct pqr__list flights; /* in order; the first n_air are in the air */
    uint32_t n_air;
    /* Of the first flight: */
    PGresult *held;   /* the answer of its latest item, until it is known to be the last word */
    bool held_well;   /* held is a plain answer that went well */
    bool expects_end; /* a result was read, its end was not */
    bool at_sync;     /* held is an error that came after the last item's own answer */

    struct pqr__answer well; /* one that went well, but for its result: there to be told */
    struct pqr__prepared prepared;
    struct {
        uint64_t statement; /* whose name it is; 0: nobody's */
        char text[PQR__PREPARED_NAME_SIZE];
    } name;                        /* most flights are of one statement */
    struct pqr__flight *preparing; /* the one in the air that prepares statements, or NULL */

    char sqlstate[6]; /* why it was lost */
    char message[400];
};

/* --- connect.c --- */
int pqr__conn_connect(struct pqr__transport *transport, uint32_t server, uint64_t timeout_us, void *context,
    struct pqr__conn **out);
/* While its connector is at work: it is told to end. */
void pqr__conn_give_up(struct pqr__conn *conn);

/* --- conn.c --- */
static inline bool pqr__conn_is_open(const struct pqr__conn *conn)
{
    return conn->state == PQR__CONN_PIPELINE || conn->state == PQR__CONN_SIMPLE;
}
/* A monotonic clock. */
static inline uint64_t pqr__clock_us(void)
{
    return uv_hrtime() / 1000;
}
/* As the server last reported. */
struct pqr__connect_info pqr__conn_info(const struct pqr__conn *conn);
void pqr__conn_move(struct pqr__conn *conn, enum pqr__conn_state to);
/* The connection is of no use any more; flights are settled and ended is told from a later turn. message may be
   libpq's. What the server itself said last, if it did, is told instead. */
void pqr__conn_lose(struct pqr__conn *conn, const char *message);
void pqr__conn_close(struct pqr__conn *conn);
void pqr__conn_abandon(struct pqr__conn *conn);
/* Ends the PGconn, politely. When libpq has returned. */
void pqr__conn_drop(struct pqr__conn *conn);
/* The end of the states: handles first, then the PGconn. */
void pqr__conn_go_down(struct pqr__conn *conn);
void pqr__conn_close_handles(struct pqr__conn *conn);
/* Of them the poll handle alone, where it is open. */
void pqr__conn_close_poll(struct pqr__conn *conn);
/* One line, without the end that libpq's messages have. */
void pqr__conn_keep_message(struct pqr__conn *conn, const char *message);
const struct pqr__server_config *pqr__conn_server(const struct pqr__postgres *home, uint32_t server);

/* --- linger.c --- */
/* On the way down, before the PGconn is finished: looks for how long there will be something to wait for. */
void pqr__linger_look(struct pqr__conn *conn);
/* After `ended`. False: there is nothing to wait for, and no handle was opened. */
bool pqr__linger_begin(struct pqr__conn *conn);
/* Nobody waits any more, before or while it lingers. */
void pqr__linger_abandon(struct pqr__conn *conn);
/* Closes the socket, if there is one still. */
void pqr__linger_drop(struct pqr__conn *conn);

/* --- wire.c --- */
/* From now on what the server sends is read. 0, or an error of libuv. */
int pqr__wire_open(struct pqr__conn *conn);
/* Flushes what libpq has to send, and waits for what has to be waited for. */
void pqr__wire_arm(struct pqr__conn *conn);
/* The same before the loop waits next, for all that is sent until then together. */
void pqr__wire_arm_soon(struct pqr__conn *conn);
/* Of the transport: runs those that are due. */
void pqr__wire_flush_all(uv_idle_t *idle);
/* An answer, or a part of one, is larger than request.max_result: its connection ends. */
void pqr__wire_cut_off(struct pqr__conn *conn);
/* Is there anything to read (or an end) on a connection that should be quiet? */
bool pqr__wire_stirs(const struct pqr__conn *conn);

/* --- cork.c --- */
void pqr__cork_open(struct pqr__conn *conn);
/* A flight is about to be sent. */
void pqr__cork_begin(struct pqr__conn *conn);
/* All that was sent until now goes. */
void pqr__cork_end(struct pqr__conn *conn);

/* --- tls.c --- */
/* OpenSSL's object of the connection, or NULL. */
const void *pqr__tls_of(PGconn *pg);
/* Is there more to read that poll does not show? */
bool pqr__tls_has_more(const void *ssl);

/* --- flight.c --- */
void pqr__flight_send(struct pqr__conn *conn, struct pqr__flight *flight);
/* Sends what has been waiting, after something was read. */
void pqr__flight_resume(struct pqr__conn *conn);
/* The connection is gone: what was not settled is, now. */
void pqr__flight_settle_lost(struct pqr__conn *conn);

/* --- item.c --- */
/* False: libpq did not take it, or only a part of it. */
bool pqr__item_send(struct pqr__conn *conn, struct pqr__flight *flight, struct pqr__item *item);
/* Its rows come in parts: said when it has become the one whose results are next, and before any of them is read.
   False: libpq would not have it. */
bool pqr__item_ask_for_parts(struct pqr__conn *conn, const struct pqr__item *item);
/* Do results of the transport's own come before the item's? */
bool pqr__item_is_preceded(const struct pqr__item *item);
/* One of them; a failed one sets item->refused, an aborted one does not. */
void pqr__item_preceded(struct pqr__conn *conn, struct pqr__item *item, const PGresult *result);
/* The end of one of them. */
void pqr__item_step_over(struct pqr__item *item);
/* Does this error, the item's answer, only tell that a prepared statement is of no use any more? */
bool pqr__item_is_stale(struct pqr__conn *conn, const struct pqr__item *item, const PGresult *error);

/* --- answer.c --- */
/* One answer of PQgetResult, NULL included, for the first flight in the air. Takes it over. */
void pqr__answer_take(struct pqr__conn *conn, PGresult *result);
/* True: it is the result of a statement, as most are, and is held until its end, which is libpq's next. */
bool pqr__answer_hold(struct pqr__conn *conn, PGresult *result);

/* --- cancel.c --- */
int pqr__conn_cancel(struct pqr__conn *conn);
void pqr__conn_cancel_abandon(struct pqr__conn *conn);

/* --- result.c --- */
/* False for NULL. */
bool pqr__result_is_error(const PGresult *result);
/* The server ends the session with it. */
bool pqr__result_is_fatal(const PGresult *result);
/* "" when there is none. */
void pqr__result_sqlstate(char sqlstate[6], const PGresult *result);
/* The primary message, or the whole text of an error of libpq's own; "" when there is none. */
const char *pqr__result_message(const PGresult *result);
/* What the server sent for its rows. */
uint64_t pqr__result_bytes(const PGresult *result);
/* It has rows for which libpq's buffer has grown, for good, to what is worth a new connection. memory: what it
   takes. */
bool pqr__result_is_bulky(const PGresult *result, size_t memory);

#endif
