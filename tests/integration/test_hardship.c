/* Servers that are up and will not do as asked: full, read-only by setting, frozen, restarted behind our back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <signal.h>
#include <unistd.h>

#include "app.h"
#include "suite.h"

#define SETTINGS                                                                                        \
    "pool = { min = 1; max = 6; backoff_max = \"300ms\"; }; probe = { interval = \"200ms\"; timeout = " \
    "\"1s\"; };"

static const char tables[] = "set role app; create table kept (n int)";

static void wait_for_nobody(int server)
{
    for (int turn = 0; cluster_sessions(&cluster, server) > 0 && turn < 500; turn++)
        usleep(10000);
    assert_int_equal(cluster_sessions(&cluster, server), 0);
}

/* 53300: what is open goes on serving, nobody is told of it, and the server is not stormed. */
static void full_server_serves_with_what_is_open(void **state)
{
    (void)state;
    struct app app = {0};
    struct answer *answers[40];
    wait_for_nobody(0);
    cluster_exec(&cluster, 0, "alter role app connection limit 4");
    app_start(&app, &cluster, SETTINGS);
    for (int i = 0; i < 40; i++)
        answers[i] = app_send(&app, "insert into kept select 1 from pg_sleep(0.05)");
    for (int i = 0; i < 40; i++)
        assert_ok(app_wait(answers[i]));
    assert_true(app_pool(&app, 0).connect_failures > 0);
    assert_true(app_pool(&app, 0).connect_failures < 100); /* 40 requests of 50 ms: it backs off */
    assert_true(app_logged(&app, "53300"));
    assert_int_equal(app_pool(&app, 0).role, PQR_ROLE_PRIMARY);
    cluster_exec(&cluster, 0, "alter role app connection limit -1");
    for (int i = 0; i < 40; i++)
        answers[i] = app_send(&app, "insert into kept select 1 from pg_sleep(0.1)");
    APP_UNTIL(&app, app_pool(&app, 0).total_connections == 6); /* it grows as soon as it may */
    for (int i = 0; i < 40; i++)
        assert_ok(app_wait(answers[i]));
    app_close(&app);
}

/* One is the probe's, the other one is kept for administrators: who waits in vain is told which key that is. */
static void where_only_the_reserve_is_admitted_the_error_says_so(void **state)
{
    (void)state;
    struct app app = {0};
    wait_for_nobody(0);
    cluster_exec(&cluster, 0, "alter role app connection limit 2");
    app_start(&app, &cluster, "pool = { min = 1; max = 6; admin_reserved = 1; };");
    APP_UNTIL(&app, app_pool(&app, 0).available == 1);
    pqr_query query = PQR_QUERY_INIT;
    query.sql = "insert into kept values (1)";
    query.timeout_ms = 3000;
    struct answer *late = app_run_query(&app, &query);
    assert_ended(late, PQR_STATUS_TIMEOUT, PQR_OUTCOME_NOT_EXECUTED);
    assert_non_null(strstr(late->error,
        "1 idle kept for administrators (pool.admin_reserved is 1: lower it, or have the server admit 3"));
    query.flags = PQR_ADMIN;
    assert_ok(app_run_query(&app, &query));
    app_close(&app);
    cluster_exec(&cluster, 0, "alter role app connection limit -1");
}

/* 25006 from a primary: a setting, not a change of role; and nothing to move elsewhere. */
static void read_only_by_default_is_the_servers_answer(void **state)
{
    (void)state;
    struct app app = {0};
    cluster_exec(&cluster, 0, "alter role app set default_transaction_read_only = on");
    app_start(&app, &cluster, SETTINGS);
    struct answer *answer = app_run(&app, "insert into kept values (1)");
    assert_sql_error(answer, "25006");
    assert_int_equal(answer->attempts, 1);
    assert_int_equal(answer->outcome, PQR_OUTCOME_EXECUTED);
    app_turn(&app, 500);
    assert_int_equal(app_pool(&app, 0).role, PQR_ROLE_PRIMARY);
    app_close(&app);
    cluster_exec(&cluster, 0, "alter role app reset default_transaction_read_only");
}

/* A standby refuses every statement then (0A000). */
static void serializable_by_default_keeps_reads_on_the_primary(void **state)
{
    (void)state;
    struct app app = {0};
    cluster_exec(&cluster, 0, "alter role app set default_transaction_isolation = serializable");
    cluster_sync(&cluster, 0);
    app_open(&app, &cluster, SETTINGS);
    struct answer *answer = app_run(&app, "select count(*) from kept");
    assert_ok(answer);
    assert_string_equal(answer->server, "primary");
    app_close(&app);
    cluster_exec(&cluster, 0, "alter role app reset default_transaction_isolation");
    cluster_sync(&cluster, 0);
}

static void restart_while_nothing_runs_is_not_noticed(void **state)
{
    (void)state;
    static const char *const modes[] = {"fast", "immediate"};
    struct app app = {0};
    app_start(&app, &cluster, SETTINGS);
    APP_UNTIL(&app, app_totals(&app).catalog_loads > 0); /* nothing of the router's own runs either */
    for (int i = 0; i < 2; i++) {
        for (int server = 0; server < 3; server++) {
            cluster_stop_server(&cluster, server, modes[i]); /* the loop does not turn meanwhile */
            cluster_start_server(&cluster, server);
        }
        struct answer *write = app_send(&app, "insert into kept values (1)");
        struct answer *read = app_send(&app, "select count(*) from kept");
        assert_ok(app_wait(read));
        assert_ok(app_wait(write));
        APP_UNTIL(
            &app, app_pool(&app, 1).role == PQR_ROLE_REPLICA && app_pool(&app, 2).role == PQR_ROLE_REPLICA);
    }
    app_close(&app);
}

/* The postmaster and all its processes, as when a machine hangs. */
static void signal_server(int server, int number)
{
    static pid_t pids[100];
    static int n;
    if (number == SIGSTOP) {
        const char *list = cluster_exec(&cluster, server,
            "select string_agg(pid::text, ' ') from pg_stat_activity where pid <> pg_backend_pid()");
        n = 0;
        pids[n++] = cluster_server_pid(&cluster, server);
        for (char *end; n < 100; n++, list = end) {
            pids[n] = (pid_t)strtol(list, &end, 10);
            if (end == list)
                break;
        }
    }
    for (int i = 0; i < n; i++)
        kill(pids[i], number);
}

static void frozen_replica_gets_no_reads_and_holds_up_no_deadline(void **state)
{
    (void)state;
    struct app app = {0};
    struct answer *answers[20];
    pqr_query query = PQR_QUERY_INIT;
    query.sql = "select count(*) from kept";
    query.timeout_ms = 2000;
    app_start(&app, &cluster, SETTINGS);
    for (int i = 0; i < 10; i++)
        assert_ok(app_run(&app, "select 1"));
    signal_server(1, SIGSTOP);
    uint64_t before = app_now_ms();
    for (int i = 0; i < 20; i++)
        answers[i] = app_send_query(&app, &query);
    for (int i = 0; i < 20; i++) {
        app_wait(answers[i]);
        if (answers[i]->status != PQR_STATUS_OK)
            assert_int_equal(answers[i]->status, PQR_STATUS_TIMEOUT);
    }
    assert_true(app_now_ms() - before < 10000);
    APP_UNTIL(&app, app_pool(&app, 1).role == PQR_ROLE_DOWN);
    for (int i = 0; i < 20; i++) {
        assert_ok(app_run_query(&app, &query));
        assert_string_equal(app_run_query(&app, &query)->server, "replica2");
    }
    signal_server(1, SIGCONT);
    APP_UNTIL(&app, app_pool(&app, 1).role == PQR_ROLE_REPLICA && app_pool(&app, 1).available > 0);
    APP_UNTIL(&app, strcmp(app_run(&app, "select 1")->server, "replica1") == 0);
    app_close(&app);
}

/* The sessions that exist serve on; only new ones cannot be had. */
static void stopped_postmaster_lets_open_connections_serve(void **state)
{
    (void)state;
    struct app app = {0};
    app_start(&app, &cluster, "pool = { min = 3; max = 6; };");
    APP_UNTIL(&app, app_pool(&app, 0).available >= 3);
    pid_t postmaster = cluster_server_pid(&cluster, 0);
    assert_int_equal(kill(postmaster, SIGSTOP), 0);
    struct answer *answers[20];
    for (int i = 0; i < 20; i++)
        answers[i] = app_send(&app, "insert into kept select 1 from pg_sleep(0.01)");
    for (int i = 0; i < 20; i++)
        app_wait(answers[i]);
    struct answer *cancelled = app_send(&app, "insert into kept select 1 from pg_sleep(20)");
    app_turn(&app, 100);
    uint64_t before = app_now_ms();
    pqr_request_cancel(
        app.router, cancelled->id); /* PQcancel needs the postmaster; the probe's connection not */
    app_wait(cancelled);
    uint64_t took = app_now_ms() - before;
    assert_int_equal(kill(postmaster, SIGCONT), 0);
    for (int i = 0; i < 20; i++)
        assert_ok(answers[i]);
    assert_ended(cancelled, PQR_STATUS_CANCELLED, PQR_OUTCOME_NOT_EXECUTED);
    assert_true(took < 15000);
    app_close(&app);
}

/* libpq's byte counts differ there: no TCP_INFO. */
static void unix_sockets_serve_as_well(void **state)
{
    (void)state;
    struct app app = {0};
    char text[500];
    snprintf(text, sizeof(text),
        "servers = ({ name = \"only\"; connection = \"host=%s port=%d user=app dbname=app\"; });"
        "request = { max_result = \"1MB\"; };",
        cluster.sockets, cluster_port(&cluster, 0));
    app_open_text(&app, text);
    app_ready(&app);
    assert_string_equal(app_value(&app, "select inet_server_port() is null"), "t");
    struct answer *answer = app_run(&app, "select repeat('x', 1000) from generate_series(1, 500)");
    assert_ok(answer);
    assert_int_equal(answer->rows, 500);
    answer = app_run(&app, "select repeat('x', 1000) from generate_series(1, 100000)");
    assert_ended(answer, PQR_STATUS_LOST, PQR_OUTCOME_UNKNOWN);
    assert_non_null(strstr(answer->error, "max_result"));
    assert_ok(app_run(&app, "insert into kept values (1)"));
    struct answer *running = app_send(&app, "insert into kept select 1 from pg_sleep(30)");
    app_turn(&app, 100);
    assert_int_equal(pqr_request_cancel(app.router, running->id), 0);
    assert_ended(app_wait(running), PQR_STATUS_CANCELLED, PQR_OUTCOME_NOT_EXECUTED);
    app_close(&app);
}

static void nothing_is_left_connected_after_the_close(void **state)
{
    (void)state;
    struct app app = {0};
    app_start(&app, &cluster, SETTINGS);
    assert_true(cluster_sessions(&cluster, 0) > 0);
    app_close(&app);
    for (int i = 0; i < 3; i++)
        wait_for_nobody(i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(full_server_serves_with_what_is_open),
        cmocka_unit_test(where_only_the_reserve_is_admitted_the_error_says_so),
        cmocka_unit_test(read_only_by_default_is_the_servers_answer),
        cmocka_unit_test(serializable_by_default_keeps_reads_on_the_primary),
        cmocka_unit_test(restart_while_nothing_runs_is_not_noticed),
        cmocka_unit_test(frozen_replica_gets_no_reads_and_holds_up_no_deadline),
        cmocka_unit_test(stopped_postmaster_lets_open_connections_serve),
        cmocka_unit_test(unix_sockets_serve_as_well),
        cmocka_unit_test(nothing_is_left_connected_after_the_close),
    };
    return SUITE_RUN(tests, 2, tables);
}
