/* The end: from every callback, with whatever is under way, and in a child of fork. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app.h"
#include "suite.h"

#define SETTINGS "pool = { min = 2; max = 4; };"

static const char tables[] = "set role app; create table kept (n int)";

static int empty_table(void **state)
{
    (void)state;
    cluster_exec(&cluster, 0, "truncate kept");
    return 0;
}

static long kept(int n)
{
    char sql[100];
    snprintf(sql, sizeof(sql), "select count(*) from kept where n = %d", n);
    return cluster_long(&cluster, 0, sql);
}

static long active(void)
{
    return cluster_long(&cluster, 0,
        "select count(*) from pg_stat_activity where usename = 'app' and state = 'active' and query like "
        "'%pg_sleep%'");
}

/* --- what is under way --- */

static void without_a_drain_what_runs_is_cancelled_and_what_waits_never_runs(void **state)
{
    (void)state;
    struct app app = {0};
    struct answer *answers[6];
    app_start(&app, &cluster, SETTINGS);
    for (int i = 0; i < 6; i++) {
        char sql[100];
        snprintf(sql, sizeof(sql), "insert into kept select %d from pg_sleep(30)", i);
        answers[i] = app_send(&app, sql);
    }
    APP_UNTIL(&app, active() == 2);
    uint64_t before = app_now_ms();
    pqr_router_close(app.router, 0, NULL, NULL);
    for (int i = 0; i < 6; i++)
        assert_false(answers[i]->done); /* never from inside the call */
    for (int i = 0; i < 6; i++)
        assert_ended(app_wait(answers[i]), PQR_STATUS_CLOSED, PQR_OUTCOME_NOT_EXECUTED);
    assert_true(app_now_ms() - before < 20000);
    app_ended(&app);
    assert_int_equal(active(), 0);
    for (int i = 0; i < 6; i++)
        assert_int_equal(kept(i), 0);
}

static void long_drain_lets_everything_finish(void **state)
{
    (void)state;
    struct app app = {0};
    const char *const sql[] = {
        "insert into kept values (50)", "insert into kept select 51 from pg_sleep(0.2)", NULL};
    struct script script = {.sql = sql};
    app_start(&app, &cluster, SETTINGS);
    for (int i = 0; i < 20; i++)
        app_send(&app, "insert into kept select 7 from pg_sleep(0.05)");
    app_tx(&app, &script);
    app_drain(&app, 20000); /* asserts that all were answered */
    assert_int_equal(kept(7), 20);
    assert_int_equal(kept(50) + kept(51), 2);
}

static void drain_ends_at_its_deadline(void **state)
{
    (void)state;
    struct app app = {0};
    app_start(&app, &cluster, SETTINGS);
    app_send(&app, "insert into kept select 8 from pg_sleep(0.05)");
    app_send(&app, "insert into kept select 9 from pg_sleep(60)");
    uint64_t before = app_now_ms();
    app_drain(&app, 700);
    assert_true(app_now_ms() - before >= 700);
    assert_true(app_now_ms() - before < 30000);
    assert_int_equal(kept(8), 1);
    assert_int_equal(kept(9), 0);
}

static void later_call_shortens_the_drain(void **state)
{
    (void)state;
    struct app app = {0};
    pqr_query query = PQR_QUERY_INIT;
    query.sql = "select 1";
    app_start(&app, &cluster, SETTINGS);
    struct answer *answer = app_send(&app, "insert into kept select 10 from pg_sleep(60)");
    pqr_router_close(app.router, 3600000, NULL, NULL);
    app_turn(&app, 100);
    assert_false(answer->done);
    assert_int_equal(pqr_query_run(NULL, app.router, &query, app_on_reply, NULL), PQR_ECLOSED);
    assert_int_equal(pqr_router_ready(app.router, 1, NULL, NULL), PQR_EINVAL);
    pqr_router_close(app.router, 50, NULL, NULL);
    assert_ended(app_wait(answer), PQR_STATUS_CLOSED, PQR_OUTCOME_NOT_EXECUTED);
    app_ended(&app);
}

static void open_transaction_is_rolled_back(void **state)
{
    (void)state;
    struct app app = {0};
    const char *const sql[] = {"insert into kept values (11)", NULL};
    struct script script = {.sql = sql, .end = SCRIPT_NOTHING};
    app_start(&app, &cluster, SETTINGS);
    app_tx(&app, &script);
    APP_UNTIL(&app, script.bodies == 1 && script.statements[0]->done);
    pqr_router_close(app.router, 0, NULL, NULL);
    assert_ended(app_wait(script.done), PQR_STATUS_CLOSED, PQR_OUTCOME_NOT_EXECUTED);
    app_ended(&app);
    assert_int_equal(kept(11), 0);
}

/* Accepts connections, by the backlog, and never says a word. */
static int open_silent_port(int *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(fd, 100), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    *port = ntohs(address.sin_port);
    return fd;
}

static void server_that_never_answers_does_not_hold_up_the_end(void **state)
{
    (void)state;
    struct app app = {0};
    char conninfo[100];
    int port, fd = open_silent_port(&port);
    snprintf(conninfo, sizeof(conninfo), "host=127.0.0.1 port=%d user=app dbname=app sslmode=disable", port);
    app_open_conninfo(&app, conninfo);
    struct answer *answer = app_send(&app, "select 1");
    app_turn(&app, 300);
    assert_false(answer->done);
    uint64_t before = app_now_ms();
    pqr_router_close(app.router, 0, NULL, NULL);
    assert_ended(app_wait(answer), PQR_STATUS_CLOSED, PQR_OUTCOME_NOT_EXECUTED);
    app_ended(&app);
    assert_true(app_now_ms() - before < 8000); /* less than the connect timeout */
    close(fd);
}

/* --- from every callback --- */

static void close_in_reply(struct answer *answer, pqr_reply *reply)
{
    app_close_now(answer->app);
    assert_true(pqr_reply_rows(reply) >= 0); /* the reply is valid until the callback returns */
    assert_int_equal(answer->app->closed, 0);
}

static void from_a_reply(void **state)
{
    (void)state;
    struct app app = {0};
    app_start(&app, &cluster, SETTINGS);
    app_send(&app, "insert into kept select 1 from pg_sleep(30)");
    app_send(&app, "select 1")->then = close_in_reply;
    app_closed(&app);
}

static void ready_closes(pqr_router *router, int status, const char *why, void *data)
{
    (void)router;
    (void)why;
    assert_int_equal(status, 0);
    app_close_now(data);
}

static void from_ready(void **state)
{
    (void)state;
    struct app app = {0};
    app_open(&app, &cluster, SETTINGS);
    app_send(&app, "insert into kept select 1 from pg_sleep(30)");
    assert_int_equal(pqr_router_ready(app.router, 20000, ready_closes, &app), 0);
    app_closed(&app);
}

static void role_closes(void *data, const char *server, pqr_role from, pqr_role to)
{
    (void)server;
    (void)from;
    (void)to;
    app_close_now(data);
}

static void from_role_change(void **state)
{
    (void)state;
    struct app app = {.callbacks = PQR_CALLBACKS_INIT};
    app.callbacks.data = &app;
    app.callbacks.role_change = role_closes;
    app_open(&app, &cluster, SETTINGS);
    app_send(&app, "select 1");
    app_send(&app, "insert into kept values (1)");
    app_closed(&app);
}

static void body_closes(pqr_tx *tx, unsigned attempt, void *data)
{
    struct answer *done = data;
    (void)attempt;
    app_tx_query(done->app, tx, "insert into kept values (20)");
    app_close_now(done->app);
}

static void statement_closes(pqr_tx *tx, unsigned attempt, void *data)
{
    struct answer *done = data;
    (void)attempt;
    app_tx_query(done->app, tx, "insert into kept values (21)")->then = close_in_reply;
    app_tx_query(done->app, tx, "insert into kept values (22)");
    assert_int_equal(pqr_tx_commit(tx), 0);
}

static void commits(pqr_tx *tx, unsigned attempt, void *data)
{
    (void)attempt;
    (void)data;
    assert_int_equal(pqr_tx_commit(tx), 0);
}

static struct answer *run_and_close(struct app *app, pqr_tx_body body, bool in_done)
{
    app_start(app, &cluster, SETTINGS);
    struct answer *done = app_answer(app);
    if (in_done)
        done->then = close_in_reply;
    app_accepted(done, pqr_tx_run(&done->id, app->router, NULL, body, app_on_reply, done));
    while (app->closed == 0)
        uv_run(&app->loop, UV_RUN_ONCE);
    return done;
}

static void from_a_transactions_body(void **state)
{
    (void)state;
    struct app app = {0};
    struct answer *done = run_and_close(&app, body_closes, false);
    assert_ended(done, PQR_STATUS_CLOSED, PQR_OUTCOME_NOT_EXECUTED);
    app_closed(&app);
    assert_int_equal(kept(20), 0);
}

static void from_a_statement_of_a_transaction(void **state)
{
    (void)state;
    struct app app = {0};
    struct answer *done = run_and_close(&app, statement_closes, false);
    pqr_outcome outcome = done->outcome;
    app_closed(&app);
    if (outcome == PQR_OUTCOME_NOT_EXECUTED)
        assert_int_equal(kept(21) + kept(22), 0);
    if (outcome == PQR_OUTCOME_EXECUTED)
        assert_int_equal(kept(21) + kept(22), 2);
}

static void from_a_transactions_end(void **state)
{
    (void)state;
    struct app app = {0};
    assert_ok(run_and_close(&app, commits, true));
    app_closed(&app);
}

/* --- fork --- */

static void child_says_good_bye(struct app *app)
{
    if (uv_loop_fork(&app->loop) != 0)
        _exit(2);
    app->closed = 0;
    app_close_now(app);
    alarm(20);
    while (app->closed == 0)
        uv_run(&app->loop, UV_RUN_ONCE);
    execl("/bin/true", "true", NULL); /* what a child can't free is no leak for valgrind */
    _exit(1);
}

static void child_of_fork_leaves_the_parents_connections_alone(void **state)
{
    (void)state;
    struct app app = {0};
    int status;
    app_start(&app, &cluster, "pool = { min = 3; max = 4; };"); /* none more, whatever would be spare */
    APP_UNTIL(&app, app_pool(&app, 0).available == 3 && app_pool(&app, 1).available == 3);
    uint64_t connects = app_pool(&app, 0).connects + app_pool(&app, 1).connects;
    for (int turn = 0; turn < 3; turn++) {
        pid_t child = fork();
        if (child == 0) {
            if (turn == 0)
                execl("/bin/true", "true", NULL);
            child_says_good_bye(&app);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
        for (int i = 0; i < 10; i++) {
            assert_ok(app_run(&app, "select 1"));
            assert_ok(app_run(&app, "insert into kept values (40)"));
        }
    }
    app_turn(&app, 1500); /* probes and all */
    assert_int_equal(app_pool(&app, 0).connects + app_pool(&app, 1).connects, connects);
    assert_false(app_logged(&app, "warning"));
    app_close(&app);
}

#define TEST(name) cmocka_unit_test_setup(name, empty_table)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(without_a_drain_what_runs_is_cancelled_and_what_waits_never_runs),
        TEST(long_drain_lets_everything_finish),
        TEST(drain_ends_at_its_deadline),
        TEST(later_call_shortens_the_drain),
        TEST(open_transaction_is_rolled_back),
        TEST(server_that_never_answers_does_not_hold_up_the_end),
        TEST(from_a_reply),
        TEST(from_ready),
        TEST(from_role_change),
        TEST(from_a_transactions_body),
        TEST(from_a_statement_of_a_transaction),
        TEST(from_a_transactions_end),
        TEST(child_of_fork_leaves_the_parents_connections_alone),
    };
    return SUITE_RUN(tests, 1, tables);
}
