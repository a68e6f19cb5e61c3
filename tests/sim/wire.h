/* Connections between the router and the simulated servers: transport.h's third implementation besides the real one.
   What happens on a connection reaches the router in order, after the wire's latency; a loss may overtake it. */
#ifndef SIM_WIRE_H
#define SIM_WIRE_H

#include "server.h"

struct sim_checks;

enum sim_conn_state { SIM_CONNECTING, SIM_OPEN, SIM_ENDING };

struct pqr__conn {
    struct sim_wire *wire;
    struct sim_server *server;
    struct sim_backend *backend;
    struct sim_backend *session; /* that may go on behind an ended connection; NULL: it is over */
    void *context;
    struct pqr__link link;
    unsigned id;
    enum sim_conn_state state;
    bool doomed;       /* the backend is gone, the client will see it at its next send */
    bool closed_by_us; /* by the router */
    bool told;         /* a flight was settled as lost */
    bool ended;        /* the router knows */
    bool abandoned;    /* and does not wait for the session's end */
    bool cut;          /* the session's end will not be seen */
    bool logging_in;   /* given up, and the server has not noticed */
    struct pqr__list flights, messages;
    struct pqr__prepared books;    /* of what its server keeps prepared */
    struct pqr__flight *preparing; /* the only one in the air that prepares anything; NULL: none */
    struct sim_alarm alarm;        /* connecting, then closing */
    struct sim_alarm cancel;
    struct sim_alarm blow; /* that it gets while a COMMIT is in the air */
    bool cancelling;
    uint32_t cancel_pid;
    uint64_t give_up_us, cancel_since_us; /* connecting, cancelling */
    uint64_t last_arrival_us, last_delivery_us;

    /* Kept by checks.c. */
    bool began_in_recovery, identified, initialised, began, aborted, dirty;
    uint32_t timeline;       /* as its last probe told */
    struct sim_owner *owner; /* of the transaction it serves; NULL: not known yet */
};

struct sim_wire {
    struct pqr__transport transport; /* first */
    struct sim_world *world;
    struct sim_checks *checks;
    struct sim_server *servers;
    uint32_t n_servers;
    uint32_t server_of[64]; /* of the router's number */
    struct pqr__list conns;
    struct sim_alarm timer, down;
    unsigned next_id;
    bool shut, gone;
    /* Chances in a thousand. */
    unsigned connect_no_memory, connect_lost, send_lost, cancel_lost, cancel_stuck, answer_lost, notices;
    unsigned commit_lost; /* the connection, while a COMMIT is in the air, and more seldom a BEGIN */
    unsigned part_lost;   /* the same, when a part has set out, or soon after that */
};

/* The transport's results. */
enum { SIM_LINGER_US = 5000000 }; /* a session that was left counts no longer than that */

struct pg_result {
    uint64_t nonce; /* of the statement it answers; 0: one of ours */
    int columns;
    char *values[12];
    char tag[24];
    /* Of a read: what its server had when it ran; seen_lsn 0: it is none. */
    uint64_t seen_cluster, seen_lsn;
    uint32_t seen_timeline;
    bool seen_on_standby;
};

extern int64_t sim_results; /* alive */

void sim_wire_init(struct sim_wire *wire, struct sim_world *world, struct sim_checks *checks);
void sim_wire_finish(struct sim_wire *wire);

/* From a backend. */
void sim_wire_item(struct pqr__conn *conn, struct pqr__flight *flight, struct pqr__item *item,
    enum pqr__answer_kind kind, const char *sqlstate, struct pg_result *result,
    const struct sim_kept_told *told, bool at_sync);
void sim_wire_part(
    struct pqr__conn *conn, struct pqr__flight *flight, struct pqr__item *item, struct pg_result *part);
void sim_wire_settled(struct pqr__conn *conn, struct pqr__flight *flight, enum pqr__tx_status tx);
void sim_wire_notice(
    struct pqr__conn *conn, struct pqr__flight *flight, const char *sqlstate, const char *severity);
/* The backend is gone. at_once: what was under way to the client is lost too. */
void sim_wire_broken(struct pqr__conn *conn, bool at_once);

/* What a connection has left behind is over. */
void sim_wire_session_over(struct pqr__conn *conn);

/* The client's end of the connection breaks; the backend learns it later. */
void sim_wire_reset(struct pqr__conn *conn);
/* The backend dies, and nobody tells the client. */
void sim_wire_doom(struct pqr__conn *conn);
/* Any of these, or its backend ends, or is stopped. */
void sim_wire_hurt(struct pqr__conn *conn);

struct pg_result *sim_result_new(uint64_t nonce, const char *tag);
void sim_result_add(struct pg_result *result, const char *format, ...) __attribute__((format(printf, 2, 3)));
void sim_result_free(struct pg_result *result);

#endif
