/* A connection, between link.c, which opens and closes it, and statements.c, which runs what it is sent. */
#ifndef SCENARIO_LINK_CONN_H
#define SCENARIO_LINK_CONN_H

#include "link.h"

struct pg_result {
    char values[9][32];
};

enum conn_state { CONNECTING, OPEN, ENDING };

struct pqr__conn {
    struct link_wire *wire;
    struct link_server *server;
    void *context;
    struct pqr__link link; /* of the server's */
    enum conn_state state;
    bool counted; /* among the server's connections */
    bool asked;   /* to close, by the router */
    uint32_t pid;
    struct pqr__list flights;    /* the first runs, unless it is being answered */
    struct pqr__flight *running; /* NULL: none */
    struct pqr__list answers;
    struct machine_job job;
    struct sim_alarm alarm, cancel;
    char name[40];    /* of its router, as a member of the fleet; "": it was not told */
    char sqlstate[6]; /* of the error that the running flight ends with */
};

/* On its way back. */
struct reply {
    struct pqr__link link;
    struct sim_alarm alarm;
    struct pqr__conn *conn;
    struct pqr__flight *flight;
    char sqlstate[6];
};

static inline const struct pqr__transport_events *link_events(const struct pqr__conn *conn)
{
    return conn->wire->transport.events;
}

/* The next flight that was not begun, if there is one. */
void link_run_next(struct pqr__conn *conn);
/* What runs ends with 57014; false: nothing does. */
bool link_cancel(struct pqr__conn *conn);

#endif
