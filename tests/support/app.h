/* An application in a test: a router on a loop of its own, queries that are run by turning that loop, and the books
   of what was accepted and answered. app_close ends it and asserts what must hold at every end: each accepted
   request was answered exactly once, the close callback came last, and uv_loop_close() is 0.

   Uses the public header only. Needs cmocka's headers before it. What hangs ends the test's process with the name of
   the wait. */
#ifndef PQR_TESTS_APP_H
#define PQR_TESTS_APP_H

#include <stdbool.h>
#include <libpq-fe.h>
#include <uv.h>

#include "cluster.h"
#include "pqrouter.h"

enum { APP_STATEMENTS = 16, APP_HANG_S = 100 };

struct app;

/* One request and what its callback was shown. It belongs to the app and lives until app_close. */
struct answer {
    struct answer *next;
    struct app *app;
    unsigned calls; /* of its callback */
    bool done;
    pqr_request_id id;
    pqr_status status;
    pqr_outcome outcome;
    char sqlstate[6];
    char error[256], server[64], reason[120];
    pqr_role route;
    unsigned attempts;
    int rows;
    int64_t affected;
    int notices;
    pqr_notice notice; /* the first */
    pqr_token token;   /* zeros: it had none */
    pqr_times times;
    PGresult *result;
    /* Runs at the end of the callback. */
    void (*then)(struct answer *answer, pqr_reply *reply);
    void *data;
};

struct app {
    uv_loop_t loop;
    uv_timer_t tick;
    pqr_config *config;
    pqr_callbacks callbacks; /* set before app_open_...; zero: the app's own log only */
    pqr_router *router;
    struct answer *answers;
    unsigned accepted, answered;
    unsigned closed; /* calls of the close callback */
    unsigned role_changes;
    char *log; /* every line at debug level */
    size_t log_size;
    FILE *log_stream;
};

/* settings: what config/pqrouter.cfg describes; the servers of the cluster and the connection's defaults (role and
   database app) come before it. */
void app_open(struct app *app, const struct cluster *cluster, const char *settings);
/* The whole of a configuration file. */
void app_open_text(struct app *app, const char *text);
void app_open_conninfo(struct app *app, const char *conninfo);
/* Waits until the router is ready. */
void app_ready(struct app *app);
/* app_open and app_ready. */
void app_start(struct app *app, const struct cluster *cluster, const char *settings);
void app_close(struct app *app);
/* The same with another drain_ms. */
void app_drain(struct app *app, uint32_t drain_ms);
/* The same after the test has called pqr_router_close itself. */
void app_ended(struct app *app);
/* Begins it, without a drain and from wherever; and waits for its end. */
void app_close_now(struct app *app);
void app_closed(struct app *app);

/* A new answer for a call that the test makes itself with app_on_reply; accepted: the call returned 0. */
struct answer *app_answer(struct app *app);
void app_on_reply(pqr_reply *reply, void *answer);
struct answer *app_accepted(struct answer *answer, int status);

/* Accepted, not waited for. */
struct answer *app_send_query(struct app *app, const pqr_query *query);
struct answer *app_send(struct app *app, const char *sql);
struct answer *app_send_to(struct app *app, pqr_target target, uint32_t flags, const char *sql);
struct answer *app_wait(struct answer *answer);
/* Sent and waited for. */
struct answer *app_run_query(struct app *app, const pqr_query *query);
struct answer *app_run(struct app *app, const char *sql);
struct answer *app_run_to(struct app *app, pqr_target target, const char *sql);
/* The same, must be ok; its first value, "NULL" for NULL, "" for none. */
const char *app_value(struct app *app, const char *sql);
const char *answer_value(const struct answer *answer, int row, int column);
/* Fails the test unless that is so. */
void assert_ok(const struct answer *answer);
void assert_sql_error(const struct answer *answer, const char *sqlstate);
void assert_ended(const struct answer *answer, pqr_status status, pqr_outcome outcome);

/* A transaction of statements that are known beforehand. */
struct script {
    const char *const *sql; /* ended by NULL */
    pqr_tx_options options; /* struct_size is set by app_tx */
    enum { SCRIPT_COMMIT, SCRIPT_ROLLBACK, SCRIPT_NOTHING } end;
    unsigned bodies;                           /* how often it ran */
    struct answer *statements[APP_STATEMENTS]; /* of the last body */
    struct answer *done;
};
struct answer *app_tx(struct app *app, struct script *script);
/* One statement of a body that the test wrote. */
struct answer *app_tx_query(struct app *app, pqr_tx *tx, const char *sql);

/* Turns the loop for so long. */
void app_turn(struct app *app, unsigned ms);
uint64_t app_now_ms(void);
/* Turns the loop until it is so; fails the test when it is not within 20 s. */
#define APP_UNTIL(app, condition)                               \
    do {                                                        \
        uint64_t until_ms_ = app_now_ms() + 20000;              \
        while (!(condition)) {                                  \
            if (app_now_ms() > until_ms_)                       \
                fail_msg("not so within 20 s: %s", #condition); \
            app_turn(app, 10);                                  \
        }                                                       \
    } while (0)

/* A fresh snapshot of one pool, without its texts, or of the whole. */
pqr_pool_stats app_pool(struct app *app, size_t index);
pqr_router_totals app_totals(struct app *app);
/* A line of the log that holds it. */
bool app_logged(struct app *app, const char *text);

/* A long on the server, by the superuser. */
long cluster_long(struct cluster *cluster, int server, const char *sql);
/* Connections of role app on a server, the closing ones included. */
long cluster_sessions(struct cluster *cluster, int server);

#endif
