/* Requests that are ended before their time: cancelled or timed out, waiting or running. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "app.h"
#include "suite.h"

static const char tables[] = "set role app; create table kept (n int)";

/* One connection for normal requests, besides the reserved one and the probe's. */
#define NARROW "pool = { min = 2; max = 3; };"

static struct answer *send_for(struct app *app, uint32_t timeout_ms, const char *sql)
{
    pqr_query query = PQR_QUERY_INIT;
    query.sql = sql;
    query.target = PQR_TARGET_PRIMARY;
    query.timeout_ms = timeout_ms;
    return app_send_query(app, &query);
}

static long kept(int n)
{
    char sql[100];
    snprintf(sql, sizeof(sql), "select count(*) from kept where n = %d", n);
    return cluster_long(&cluster, 0, sql);
}

static long running(const char *pattern)
{
    char sql[200];
    snprintf(sql, sizeof(sql),
        "select count(*) from pg_stat_activity where usename = 'app' and state = 'active' and query like "
        "'%s'",
        pattern);
    return cluster_long(&cluster, 0, sql);
}

/* The probe's connection is done with it. */
static long cancels_asked(void)
{
    return cluster_long(&cluster, 0,
        "select count(*) from pg_stat_activity where usename = 'app' and state = 'idle'"
        " and query like '%pg_cancel_backend%'");
}

static void cancelled_while_it_waits_never_runs(void **state)
{
    (void)state;
    struct app app = {0};
    app_start(&app, &cluster, NARROW);
    struct answer *first = app_send(&app, "insert into kept select 1 from pg_sleep(0.5)");
    struct answer *second = app_send(&app, "insert into kept values (2)");
    assert_int_equal(pqr_request_cancel(app.router, second->id), 0);
    assert_int_equal(second->calls, 0);
    assert_ended(app_wait(second), PQR_STATUS_CANCELLED, PQR_OUTCOME_NOT_EXECUTED);
    assert_false(first->done);
    assert_ok(app_wait(first));
    assert_int_equal(pqr_request_cancel(app.router, second->id), PQR_ENOENT);
    assert_int_equal(pqr_request_cancel(app.router, first->id), PQR_ENOENT);
    assert_int_equal(kept(2), 0);
    app_close(&app);
}

static void cancelled_while_it_runs_is_rolled_back(void **state)
{
    (void)state;
    struct app app = {0};
    app_start(&app, &cluster, NARROW);
    struct answer *answer = app_send(&app, "insert into kept select 3 from pg_sleep(30)");
    APP_UNTIL(&app, running("%pg_sleep(30)%") == 1);
    uint64_t before = app_now_ms();
    assert_int_equal(pqr_request_cancel(app.router, answer->id), 0);
    assert_ended(app_wait(answer), PQR_STATUS_CANCELLED, PQR_OUTCOME_NOT_EXECUTED);
    assert_true(app_now_ms() - before < 10000);
    assert_string_equal(answer->sqlstate, "57014");
    assert_int_equal(running("%pg_sleep(30)%"), 0);
    assert_int_equal(kept(3), 0);
    assert_ok(app_run(&app, "insert into kept values (4)")); /* the connection is as good as before */
    assert_int_equal(app_pool(&app, 0).connects, 2);
    app_close(&app);
}

static void cancel_from_inside_a_callback_reaches_the_other(struct answer *answer, pqr_reply *reply)
{
    (void)reply;
    const struct answer *victim = answer->data;
    assert_int_equal(pqr_request_cancel(answer->app->router, victim->id), 0);
}

static void callback_may_cancel_another_request(void **state)
{
    (void)state;
    struct app app = {0};
    app_start(&app, &cluster, "pool = { min = 3; max = 6; };");
    APP_UNTIL(&app, app_pool(&app, 0).available >= 3);
    struct answer *victim = app_send(&app, "insert into kept select 5 from pg_sleep(30)");
    struct answer *killer = app_send(&app, "insert into kept values (6)");
    killer->data = victim;
    killer->then = cancel_from_inside_a_callback_reaches_the_other;
    assert_ok(app_wait(killer));
    assert_ended(app_wait(victim), PQR_STATUS_CANCELLED, PQR_OUTCOME_NOT_EXECUTED);
    app_close(&app);
}

/* The cancel that comes too late must not hit who has the connection next. */
static void late_cancel_never_hits_the_next_request(void **state)
{
    (void)state;
    struct app app = {0};
    unsigned cancelled = 0, faster = 0;
    app_start(&app, &cluster, NARROW);
    for (unsigned i = 0; i < 300; i++) {
        struct answer *answer = app_send(&app, "insert into kept select 7 from pg_sleep(0.0005)");
        for (unsigned turn = 0; turn < i % 4; turn++)
            uv_run(&app.loop, UV_RUN_NOWAIT);
        int status = pqr_request_cancel(app.router, answer->id);
        assert_true(status == 0 || (status == PQR_ENOENT && answer->done));
        struct answer *next = app_send(&app, "insert into kept select 8 from pg_sleep(0.0005)");
        app_wait(answer);
        assert_ok(app_wait(next));
        cancelled += answer->status == PQR_STATUS_CANCELLED;
        faster += answer->status == PQR_STATUS_OK;
    }
    assert_int_equal(cancelled + faster, 300);
    assert_true(cancelled > 0);
    assert_int_equal(kept(7), faster); /* what was called cancelled did not run, what was called ok did */
    assert_int_equal(kept(8), 300);
    app_close(&app);
}

static void timed_out_while_it_waits_never_runs(void **state)
{
    (void)state;
    struct app app = {0};
    app_start(&app, &cluster, NARROW);
    struct answer *first = app_send(&app, "insert into kept select 9 from pg_sleep(1)");
    struct answer *second = send_for(&app, 200, "insert into kept values (10)");
    assert_ended(app_wait(second), PQR_STATUS_TIMEOUT, PQR_OUTCOME_NOT_EXECUTED);
    assert_non_null(strstr(second->error, "waited for the primary"));
    assert_true(second->times.total_us >= 200000);
    assert_int_equal(second->attempts, 0);
    assert_false(first->done);
    assert_ok(app_wait(first));
    assert_int_equal(kept(10), 0);
    app_close(&app);
}

static void timed_out_while_it_runs_is_rolled_back(void **state)
{
    (void)state;
    struct app app = {0};
    app_start(&app, &cluster, NARROW);
    struct answer *answer = app_wait(send_for(&app, 300, "insert into kept select 11 from pg_sleep(30)"));
    assert_ended(answer, PQR_STATUS_TIMEOUT, PQR_OUTCOME_NOT_EXECUTED);
    assert_true(answer->times.total_us >= 300000);
    APP_UNTIL(&app, running("%pg_sleep(30)%") == 0);
    assert_int_equal(kept(11), 0);
    assert_ok(app_run(&app, "insert into kept values (12)"));
    app_close(&app);
}

static void timeout_of_the_configuration_counts_unless_the_request_has_its_own(void **state)
{
    (void)state;
    struct app app = {0};
    app_start(&app, &cluster, NARROW "request = { timeout = \"300ms\"; };");
    struct answer *patient = send_for(&app, UINT32_MAX, "insert into kept select 13 from pg_sleep(1)");
    assert_ok(app_wait(patient));
    assert_ended(app_run(&app, "insert into kept select 14 from pg_sleep(30)"), PQR_STATUS_TIMEOUT,
        PQR_OUTCOME_NOT_EXECUTED);
    app_close(&app);
}

/* A procedure may have committed before its end came: nobody can say that it had no effect. */
static void cancelled_procedure_is_unknown(void **state)
{
    (void)state;
    struct app app = {0};
    app_start(&app, &cluster, NARROW);
    assert_ok(app_run(&app, "create procedure in_parts() language plpgsql as "
                            "$$begin insert into kept values (15); commit; perform pg_sleep(30); end$$"));
    struct answer *answer = app_send(&app, "call in_parts()");
    APP_UNTIL(&app, kept(15) == 1);
    assert_int_equal(pqr_request_cancel(app.router, answer->id), 0);
    assert_ended(app_wait(answer), PQR_STATUS_CANCELLED, PQR_OUTCOME_UNKNOWN);
    assert_int_equal(answer->attempts, 1);
    app_close(&app);
}

/* As on a machine so busy that the server reads the statement after the cancel came. */
static void cancel_that_comes_before_the_statement_comes_again(void **state)
{
    (void)state;
    struct app app = {0};
    app_start(&app, &cluster, NARROW "request = { cancel_grace = \"30s\"; };");
    APP_UNTIL(&app, app_totals(&app).catalog_loads > 0); /* nothing else uses the connection */
    pid_t pid = (pid_t)strtol(app_value(&app, "select pg_backend_pid() /*pqr:primary*/"), NULL, 10);
    assert_int_equal(kill(pid, SIGSTOP), 0);
    struct answer *answer = app_send(&app, "insert into kept select 17 from pg_sleep(60)");
    app_turn(&app, 20);
    assert_int_equal(running("%pg_sleep(60)%"), 0);
    assert_int_equal(pqr_request_cancel(app.router, answer->id), 0);
    APP_UNTIL(&app, cancels_asked() > 0);
    assert_int_equal(kill(pid, SIGCONT), 0);
    assert_ended(app_wait(answer), PQR_STATUS_CANCELLED, PQR_OUTCOME_NOT_EXECUTED);
    app_close(&app);
    assert_int_equal(kept(17), 0);
}

/* statement_timeout, an administrator: the server's own answer. */
static void cancel_from_elsewhere_is_the_answer(void **state)
{
    (void)state;
    struct app app = {0};
    app_start(&app, &cluster, NARROW);
    struct answer *answer = app_send(&app, "insert into kept select 16 from pg_sleep(30)");
    APP_UNTIL(&app, running("%pg_sleep(30)%") == 1);
    cluster_exec(&cluster, 0,
        "select pg_cancel_backend(pid) from pg_stat_activity where usename = 'app' and state = 'active'");
    assert_sql_error(app_wait(answer), "57014");
    assert_int_equal(answer->outcome, PQR_OUTCOME_EXECUTED);
    assert_int_equal(answer->attempts, 1);
    app_close(&app);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cancelled_while_it_waits_never_runs),
        cmocka_unit_test(cancelled_while_it_runs_is_rolled_back),
        cmocka_unit_test(callback_may_cancel_another_request),
        cmocka_unit_test(late_cancel_never_hits_the_next_request),
        cmocka_unit_test(timed_out_while_it_waits_never_runs),
        cmocka_unit_test(timed_out_while_it_runs_is_rolled_back),
        cmocka_unit_test(timeout_of_the_configuration_counts_unless_the_request_has_its_own),
        cmocka_unit_test(cancelled_procedure_is_unknown),
        cmocka_unit_test(cancel_that_comes_before_the_statement_comes_again),
        cmocka_unit_test(cancel_from_elsewhere_is_the_answer),
    };
    return SUITE_RUN(tests, 0, tables);
}
