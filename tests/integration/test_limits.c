/* How many connections there are, checked on the servers; who may take one; and what the statistics say of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <unistd.h>

#include "app.h"
#include "suite.h"

/* stubborn() can't be cancelled. */
static const char tables[] = "set role app; create table filled (n int);"
                             "create function stubborn(seconds float) returns void language plpgsql as $$"
                             "declare until timestamptz := clock_timestamp() + seconds * interval '1 s'; "
                             "begin while clock_timestamp() < until loop "
                             "begin perform pg_sleep(0.05); exception when query_canceled then null; end; "
                             "end loop; end$$";

/* The last test's sessions are gone from the servers. */
static int nobody_is_connected(void **state)
{
    (void)state;
    for (int i = 0; i < cluster.count; i++)
        for (int turn = 0; cluster_sessions(&cluster, i) > 0 && turn < 500; turn++)
            usleep(10000);
    return 0;
}

static void load_both_roles(struct app *app, struct answer **answers, int n)
{
    for (int i = 0; i < n; i++)
        answers[i] = i % 2 ? app_send_to(app, PQR_TARGET_REPLICA_ONLY, 0, "select pg_sleep(0.02)")
                           : app_send(app, "insert into filled select 1 from pg_sleep(0.02)");
}

static bool all_done(struct answer **answers, int n)
{
    for (int i = 0; i < n; i++)
        if (!answers[i]->done)
            return false;
    return true;
}

static void no_server_has_more_connections_than_max(void **state)
{
    (void)state;
    enum { N = 300, MAX = 5 };
    struct answer *answers[N];
    struct app app = {0};
    long most[3] = {0};
    app_open(&app, &cluster, "pool = { min = 1; max = 5; connects_at_once = 4; };");
    load_both_roles(&app, answers, N);
    while (!all_done(answers, N)) {
        app_turn(&app, 10);
        for (int i = 0; i < 3; i++) {
            long now = cluster_sessions(&cluster, i);
            most[i] = now > most[i] ? now : most[i];
            assert_true(now <= MAX);
            assert_true(app_pool(&app, (size_t)i).total_connections <= MAX);
        }
    }
    for (int i = 0; i < N; i++)
        assert_ok(answers[i]);
    for (int i = 0; i < 3; i++)
        assert_int_equal(most[i], MAX); /* and the load wanted all of them */
    app_close(&app);
}

/* Their sessions go on where nobody waits for them any more: for 2 seconds, or until the server looks for its client. */
static void keep_places(const char *sql, const char *interval)
{
    enum { N = 12, MAX = 4 };
    struct answer *answers[N];
    struct app app = {0};
    pqr_query query = PQR_QUERY_INIT;
    query.sql = sql;
    if (interval)
        setenv("PGOPTIONS", interval, 1);
    query.target = PQR_TARGET_PRIMARY;
    query.timeout_ms = 300;
    app_start(&app, &cluster, "pool = { min = 1; max = 4; }; request = { cancel_grace = \"100ms\"; };");
    for (int i = 0; i < N; i++)
        answers[i] = app_send_query(&app, &query);
    uint32_t most = 0;
    while (!all_done(answers, N) || app_pool(&app, 0).closing > 0) {
        app_turn(&app, 10);
        assert_true(cluster_sessions(&cluster, 0) <= MAX);
        pqr_pool_stats pool = app_pool(&app, 0);
        assert_true(pool.total_connections <= MAX);
        most = pool.closing > most ? pool.closing : most;
    }
    for (int i = 0; i < N; i++)
        assert_int_equal(answers[i]->status, PQR_STATUS_TIMEOUT);
    if (interval)                  /* else it is over before it is seen, perhaps */
        assert_int_equal(most, 2); /* the probe and the administrators have the others */
    assert_ok(app_run(&app, "insert into filled values (1)"));
    app_close(&app);
    unsetenv("PGOPTIONS");
}

static void calls_that_cannot_be_cancelled_keep_their_places(void **state)
{
    (void)state;
    keep_places("select stubborn(2)", "-c client_connection_check_interval=0");
    keep_places("select stubborn(600)", NULL);
}

static void all_servers_together_have_no_more_than_max_total(void **state)
{
    (void)state;
    enum { N = 300, TOTAL = 12 };
    struct answer *answers[N];
    struct app app = {0};
    long most = 0;
    app_open(&app, &cluster, "pool = { min = 1; max = 10; max_total = 12; connects_at_once = 4; };");
    load_both_roles(&app, answers, N);
    while (!all_done(answers, N)) {
        app_turn(&app, 10);
        long now =
            cluster_sessions(&cluster, 0) + cluster_sessions(&cluster, 1) + cluster_sessions(&cluster, 2);
        most = now > most ? now : most;
        assert_true(now <= TOTAL);
        assert_true(app_totals(&app).total_connections <= TOTAL);
    }
    for (int i = 0; i < N; i++)
        assert_ok(answers[i]);
    assert_int_equal(most, TOTAL);
    app_close(&app);
}

static void admin_request_overtakes_a_saturated_pool(void **state)
{
    (void)state;
    struct answer *normal[8];
    struct app app = {0};
    app_start(&app, &cluster, "pool = { min = 2; max = 4; admin_reserved = 1; };");
    for (int i = 0; i < 8; i++)
        normal[i] = app_send(&app, "insert into filled select 1 from pg_sleep(1)");
    APP_UNTIL(
        &app, app_pool(&app, 0).allocated == 2); /* of 4: the probe's and the reserved one are not theirs */
    struct answer *admin =
        app_wait(app_send_to(&app, PQR_TARGET_PRIMARY, PQR_ADMIN, "select pg_backend_pid()"));
    assert_ok(admin);
    for (int i = 0; i < 8; i++)
        assert_false(normal[i]->done);
    assert_int_equal(
        cluster_long(&cluster, 0,
            "select count(*) from pg_stat_activity where usename = 'app' and query like '%pg_sleep(1)%'"),
        2);
    assert_int_equal(app_totals(&app).waiting, 6);
    app_close(&app);
}

static void second_admin_request_is_the_next_to_run(void **state)
{
    (void)state;
    struct answer *normal[6];
    struct app app = {0};
    app_start(&app, &cluster, "pool = { min = 2; max = 4; admin_reserved = 1; };");
    for (int i = 0; i < 6; i++)
        normal[i] = app_send(&app, "insert into filled select 1 from pg_sleep(0.4)");
    struct answer *first = app_send_to(&app, PQR_TARGET_PRIMARY, PQR_ADMIN, "select pg_sleep(2)");
    struct answer *second = app_send_to(&app, PQR_TARGET_PRIMARY, PQR_ADMIN, "select 2");
    APP_UNTIL(&app, app_totals(&app).admin_waiting == 1);
    assert_ok(app_wait(second));
    assert_false(first->done);
    assert_false(normal[2]->done); /* it waited before */
    app_close(&app);
}

static void normal_requests_never_take_the_reserved_connection(void **state)
{
    (void)state;
    struct answer *normal[30];
    struct app app = {0};
    app_start(&app, &cluster, "pool = { min = 4; max = 4; admin_reserved = 2; };");
    APP_UNTIL(&app, app_pool(&app, 0).total_connections == 4);
    for (int i = 0; i < 30; i++)
        normal[i] = app_send(&app, "insert into filled select 1 from pg_sleep(0.005)");
    while (!all_done(normal, 30)) {
        uv_run(&app.loop, UV_RUN_ONCE);
        assert_true(app_pool(&app, 0).allocated <= 1);
    }
    assert_int_equal(app_pool(&app, 0).peak_usage, 1);
    app_close(&app);
}

static void queue_over_its_limits_refuses_at_once(void **state)
{
    (void)state;
    struct answer *answers[8];
    struct app app = {0};
    app_start(
        &app, &cluster, "pool = { min = 2; max = 3; }; queue = { max_requests = 3; max_bytes = \"64kB\"; };");
    APP_UNTIL(&app, app_pool(&app, 0).available == 2); /* one of them is reserved */
    for (int i = 0; i < 8; i++)
        answers[i] = app_send(&app, "insert into filled select 1 from pg_sleep(0.3)");
    for (int i = 4; i < 8; i++) { /* one runs, three wait */
        assert_ended(app_wait(answers[i]), PQR_STATUS_OVERLOADED, PQR_OUTCOME_NOT_EXECUTED);
        assert_non_null(strstr(answers[i]->error, "queue.max_requests"));
        assert_false(answers[0]->done);
    }
    for (int i = 0; i < 4; i++)
        assert_ok(app_wait(answers[i]));
    char *big = malloc(70000);
    assert_non_null(big);
    memset(big, ' ', 70000);
    snprintf(big, 70000, "insert into filled values (1) --");
    big[32] = ' ';
    big[69999] = '\0';
    answers[0] = app_send(&app, "insert into filled select 1 from pg_sleep(0.3)");
    assert_ended(app_run(&app, big), PQR_STATUS_OVERLOADED, PQR_OUTCOME_NOT_EXECUTED);
    free(big);
    app_close(&app);
}

static void surplus_connections_are_closed_when_idle(void **state)
{
    (void)state;
    struct answer *answers[6];
    struct app app = {0};
    app_start(&app, &cluster, "pool = { min = 1; max = 8; idle_timeout = \"1s\"; };");
    for (int i = 0; i < 6; i++)
        answers[i] = app_send(&app, "insert into filled select 1 from pg_sleep(0.5)");
    for (int i = 0; i < 6; i++)
        assert_ok(app_wait(answers[i]));
    assert_true(cluster_sessions(&cluster, 0) >= 5);
    APP_UNTIL(&app, cluster_sessions(&cluster, 0) == 2); /* min and the probe */
    app_turn(&app, 1500);
    assert_int_equal(cluster_sessions(&cluster, 0), 2);
    app_close(&app);
}

static void connection_is_replaced_after_its_lifetime(void **state)
{
    (void)state;
    struct app app = {0};
    app_start(&app, &cluster, "pool = { min = 2; max = 4; lifetime = \"1s\"; lifetime_jitter = 0; };");
    uint64_t connects = app_pool(&app, 0).connects;
    long pid = strtol(app_value(&app, "/*pqr:primary*/ select pg_backend_pid()"), NULL, 10);
    char sql[100];
    snprintf(sql, sizeof(sql), "select count(*) from pg_stat_activity where pid = %ld", pid);
    APP_UNTIL(&app, cluster_long(&cluster, 0, sql) == 0);
    APP_UNTIL(&app, app_pool(&app, 0).connects >= connects + 2);
    for (int i = 0; i < 50; i++)
        assert_ok(app_run(&app, "insert into filled values (2)"));
    assert_int_equal(app_pool(&app, 0).connect_failures, 0);
    app_close(&app);
}

/* As many as there may be, the probe's included: none comes or goes meanwhile. */
static void statistics_say_what_the_server_says(void **state)
{
    (void)state;
    struct answer *answers[3];
    struct app app = {0};
    app_start(&app, &cluster, "pool = { min = 5; max = 6; };");
    APP_UNTIL(&app, app_pool(&app, 0).available == 5);
    for (int i = 0; i < 3; i++)
        answers[i] = app_send(&app, "insert into filled select 1 from pg_sleep(0.7)");
    pqr_pool_stats busy = app_pool(&app, 0);
    assert_int_equal(busy.allocated, 3);
    assert_int_equal(busy.available, 2);
    assert_int_equal(busy.total_connections, 6);
    assert_int_equal(busy.min, 5);
    assert_int_equal(busy.max, 6);
    assert_int_equal(busy.ceiling, 6);
    assert_int_equal(busy.fleet_members, 0);
    APP_UNTIL(&app, app_pool(&app, 0).wanted >= 3); /* as soon as it has looked */
    pqr_stats *stats = NULL;
    assert_int_equal(pqr_router_stats(app.router, &stats), 0);
    assert_non_null(strstr(pqr_stats_pool(stats, 0)->sizing, "ceiling 6"));
    pqr_stats_free(stats);
    assert_int_equal(busy.role, PQR_ROLE_PRIMARY);
    app_turn(&app, 100);
    assert_int_equal(cluster_sessions(&cluster, 0), 6);
    assert_int_equal(cluster_long(&cluster, 0,
                         "select count(*) from pg_stat_activity where usename = 'app' and state = 'active'"),
        3);
    for (int i = 0; i < 3; i++)
        assert_ok(app_wait(answers[i]));
    assert_ok(app_run(&app, "select 1"));
    assert_sql_error(app_run(&app, "insert into filled values ('x')"), "22P02");
    pqr_pool_stats after = app_pool(&app, 0);
    assert_int_equal(after.allocated, 0);
    assert_int_equal(after.available, 5);
    assert_int_equal(after.peak_usage, 3);
    assert_int_equal(after.writes, 4);
    assert_int_equal(after.reads, 0);
    assert_int_equal(after.errors, 1);
    assert_int_equal(after.latency.count, 4);
    assert_true(after.latency.max_us >= 600000);
    assert_int_equal(app_pool(&app, 1).reads + app_pool(&app, 2).reads, 1);
    pqr_router_totals totals = app_totals(&app);
    assert_int_equal(totals.accepted, 5);
    assert_int_equal(totals.answered, 5);
    assert_int_equal(totals.by_status[PQR_STATUS_OK], 4);
    assert_int_equal(totals.by_status[PQR_STATUS_SQL_ERROR], 1);
    assert_int_equal(totals.routed_replica, 1);
    assert_int_equal(totals.routed_primary, 4);
    assert_int_equal(after.server_version, cluster_long(&cluster, 0, "show server_version_num"));
    assert_true(
        after.system_identifier ==
        strtoull(cluster_exec(&cluster, 0, "select system_identifier from pg_control_system()"), NULL, 10));
    app_close(&app);
}

static void statistics_as_json_have_the_four_names(void **state)
{
    (void)state;
    static const char *const names[] = {
        "\"available\"", "\"allocated\"", "\"peak_usage\"", "\"total_connections\"", "\"replica2\""};
    struct app app = {0};
    pqr_stats *stats;
    char *json;
    app_start(&app, &cluster, "");
    assert_int_equal(pqr_router_stats(app.router, &stats), 0);
    app_close(&app);
    assert_int_equal(pqr_stats_json(stats, &json), 0); /* it outlives the router */
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        assert_non_null(strstr(json, names[i]));
    pqr_free(json);
    pqr_stats_free(stats);
}

#define TEST(name) cmocka_unit_test_setup(name, nobody_is_connected)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(no_server_has_more_connections_than_max),
        TEST(calls_that_cannot_be_cancelled_keep_their_places),
        TEST(all_servers_together_have_no_more_than_max_total),
        TEST(admin_request_overtakes_a_saturated_pool),
        TEST(second_admin_request_is_the_next_to_run),
        TEST(normal_requests_never_take_the_reserved_connection),
        TEST(queue_over_its_limits_refuses_at_once),
        TEST(surplus_connections_are_closed_when_idle),
        TEST(connection_is_replaced_after_its_lifetime),
        TEST(statistics_say_what_the_server_says),
        TEST(statistics_as_json_have_the_four_names),
    };
    return SUITE_RUN(tests, 2, tables);
}
