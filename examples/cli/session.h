/* A loop with one router on it, from the command line's CONFIG to the last handle closed. */
#ifndef CLI_SESSION_H
#define CLI_SESSION_H

#include <stdbool.h>
#include <uv.h>

#include "pqrouter.h"

struct session {
    const char *command;
    bool quiet;   /* the router's warnings are not shown */
    bool verbose; /* everything down to its debug lines is */
    uv_loop_t loop;
    uv_signal_t signals[2]; /* SIGINT, SIGTERM */
    pqr_router *router;
    int signal; /* the one that ended it; 0: none */
    bool closing;
    void (*interrupted)(struct session *session); /* the close has begun already */
    void *data;
};

/* What config names is a file, or a connection string when it holds '=' or "://". Fills everything but the members
   above loop, which the caller set. CLI_OK; or the exit status, with the reason on standard error. */
int session_open(struct session *session, const char *config);
/* Turns the loop until everything is closed; the exit status so far, or 128 and the signal's number. */
int session_run(struct session *session, const int *status);
/* Begins to close; session_run comes back after it. Harmless when it has begun. */
void session_close(struct session *session);

#endif
