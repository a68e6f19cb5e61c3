/* Servers that die, stop, come back, and backends that are killed, under load. */
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

#define SETTINGS "pool = { min = 2; max = 6; }; probe = { interval = \"200ms\"; timeout = \"1s\"; };"

static const char tables[] = "set role app; create table ledger (nonce int primary key)";

/* --- readers and writers that go on and on --- */

struct load {
    struct app *app;
    bool stop;
    unsigned running, sent, failed;
    unsigned by_server[3]; /* since it was last zeroed */
    char first_failure[300];
    int next_nonce; /* 0: it reads */
    struct answer *writes[4000];
};

static void send_next(struct load *load);

static void again(struct answer *answer, pqr_reply *reply)
{
    struct load *load = answer->data;
    (void)reply;
    load->running--;
    for (int i = 0; i < 3; i++)
        load->by_server[i] += strcmp(answer->server, cluster.servers[i].name) == 0;
    if (answer->status != PQR_STATUS_OK && load->failed++ == 0)
        snprintf(load->first_failure, sizeof(load->first_failure), "%s %s %s",
            pqr_status_name(answer->status), answer->sqlstate, answer->error);
    if (!load->stop)
        send_next(load);
}

static void send_next(struct load *load)
{
    char sql[80] = "select count(*), pg_backend_pid() from ledger";
    if (load->next_nonce > 0)
        snprintf(sql, sizeof(sql), "insert into ledger values (%d)", load->next_nonce);
    pqr_query query = PQR_QUERY_INIT;
    query.sql = sql;
    struct answer *answer = app_send_query(load->app, &query);
    if (load->next_nonce > 0 && load->sent < 4000) {
        load->writes[load->sent] = answer;
        load->next_nonce++;
    }
    answer->then = again;
    answer->data = load;
    load->running++;
    load->sent++;
}

static void begin_load(struct load *load, struct app *app, unsigned n)
{
    load->app = app;
    for (unsigned i = 0; i < n; i++)
        send_next(load);
}

static void end_load(struct load *load)
{
    load->stop = true;
    APP_UNTIL(load->app, load->running == 0);
}

static void assert_no_failure(const struct load *load)
{
    if (load->failed)
        fail_msg("%u of %u failed, the first: %s", load->failed, load->sent, load->first_failure);
}

static void zero(struct load *load)
{
    memset(load->by_server, 0, sizeof(load->by_server));
}

/* --- replicas --- */

static void read_load_survives(void (*down)(struct cluster *, int), bool both)
{
    struct app app = {0};
    struct load load = {0};
    app_start(&app, &cluster, SETTINGS);
    begin_load(&load, &app, 4);
    APP_UNTIL(&app, load.by_server[1] > 20 && load.by_server[2] > 20);
    assert_int_equal(load.by_server[0], 0);
    down(&cluster, 1);
    if (both)
        down(&cluster, 2);
    APP_UNTIL(
        &app, app_pool(&app, 1).role == PQR_ROLE_DOWN && (!both || app_pool(&app, 2).role == PQR_ROLE_DOWN));
    zero(&load);
    app_turn(&app, 300);
    assert_int_equal(load.by_server[1], 0);
    if (both) {
        assert_int_equal(load.by_server[2], 0);
        assert_true(load.by_server[0] > 0);
    } else {
        assert_true(load.by_server[2] > 0);
    }
    cluster_start_server(&cluster, 1);
    if (both)
        cluster_start_server(&cluster, 2);
    zero(&load);
    APP_UNTIL(&app, load.by_server[1] > 20 && load.by_server[2] > 20);
    zero(&load);
    app_turn(&app, 200);
    assert_int_equal(load.by_server[0], 0); /* the primary is left in peace again */
    end_load(&load);
    assert_no_failure(&load);
    assert_true(app.role_changes >= 5);
    app_close(&app);
}

static void stop_at_once(struct cluster *which, int server)
{
    cluster_stop_server(which, server, "immediate");
}

static void stop_fast(struct cluster *which, int server)
{
    cluster_stop_server(which, server, "fast");
}

static void killed_replica_fails_no_read_and_returns(void **state)
{
    (void)state;
    read_load_survives(cluster_kill_server, false);
}

static void stopped_replica_fails_no_read_and_returns(void **state)
{
    (void)state;
    read_load_survives(stop_at_once, false);
}

static void with_no_replica_reads_go_to_the_primary(void **state)
{
    (void)state;
    read_load_survives(stop_fast, true);
}

static void replica_only_waits_for_a_replica(void **state)
{
    (void)state;
    struct app app = {0};
    app_start(&app, &cluster, SETTINGS);
    stop_fast(&cluster, 1);
    stop_fast(&cluster, 2);
    APP_UNTIL(&app, app_pool(&app, 1).role == PQR_ROLE_DOWN && app_pool(&app, 2).role == PQR_ROLE_DOWN);
    pqr_query query = PQR_QUERY_INIT;
    query.sql = "select inet_server_port()";
    query.target = PQR_TARGET_REPLICA_ONLY;
    query.timeout_ms = 300;
    struct answer *answer = app_run_query(&app, &query);
    assert_ended(answer, PQR_STATUS_UNAVAILABLE, PQR_OUTCOME_NOT_EXECUTED);
    assert_non_null(strstr(answer->error, "replica1"));
    query.timeout_ms = 0;
    answer = app_send_query(&app, &query);
    app_turn(&app, 300);
    assert_false(answer->done);
    cluster_start_server(&cluster, 2);
    assert_ok(app_wait(answer));
    assert_string_equal(answer->server, "replica2");
    cluster_start_server(&cluster, 1);
    APP_UNTIL(&app, app_pool(&app, 1).role == PQR_ROLE_REPLICA);
    app_close(&app);
}

/* --- the primary --- */

static bool in_ledger(const char *nonces, int nonce)
{
    char word[16];
    snprintf(word, sizeof(word), ",%d,", nonce);
    return strstr(nonces, word) != NULL;
}

/* What was called ok is there, what was called not executed is not; of the rest nobody may say. */
static void assert_ledger_is_true(const struct load *load, int first)
{
    char *nonces =
        strdup(cluster_exec(&cluster, 0, "select ',' || string_agg(nonce::text, ',') || ',' from ledger"));
    unsigned ok = 0;
    assert_non_null(nonces);
    for (unsigned i = 0; i < load->sent; i++) {
        const struct answer *answer = load->writes[i];
        int nonce = first + (int)i;
        if (answer->outcome == PQR_OUTCOME_EXECUTED && answer->status == PQR_STATUS_OK) {
            assert_true(in_ledger(nonces, nonce));
            ok++;
        } else if (answer->outcome == PQR_OUTCOME_NOT_EXECUTED) {
            assert_false(in_ledger(nonces, nonce));
        } else if (answer->status == PQR_STATUS_SQL_ERROR) {
            fail_msg("%d: %s %s", nonce, answer->sqlstate, answer->error); /* 23505 would mean twice */
        }
    }
    assert_true(ok > 0);
    free(nonces);
}

static void write_load_survives(void (*down)(struct cluster *, int), int first)
{
    struct app app = {0};
    static struct load load;
    load = (struct load){.next_nonce = first};
    app_start(&app, &cluster, SETTINGS);
    begin_load(&load, &app, 3);
    APP_UNTIL(&app, load.sent > 50);
    down(&cluster, 0);
    app_turn(&app, 500);
    unsigned waiting = load.running;
    assert_int_equal(waiting, 3); /* they wait; nobody gave up */
    cluster_start_server(&cluster, 0);
    unsigned sent = load.sent;
    APP_UNTIL(&app, load.sent > sent + 50);
    end_load(&load);
    assert_true(load.failed <= 6); /* those in the air when it died */
    assert_ledger_is_true(&load, first);
    app_close(&app);
}

static void writes_wait_for_a_primary_that_was_killed(void **state)
{
    (void)state;
    write_load_survives(cluster_kill_server, 1000);
}

static void writes_wait_for_a_primary_that_was_stopped_at_once(void **state)
{
    (void)state;
    write_load_survives(stop_at_once, 10000);
}

static void writes_wait_for_a_primary_that_was_stopped(void **state)
{
    (void)state;
    write_load_survives(stop_fast, 20000);
}

static void reads_go_on_without_a_primary(void **state)
{
    (void)state;
    struct app app = {0};
    struct load load = {0};
    app_start(&app, &cluster, SETTINGS);
    begin_load(&load, &app, 3);
    stop_fast(&cluster, 0);
    APP_UNTIL(&app, app_pool(&app, 0).role == PQR_ROLE_DOWN);
    zero(&load);
    app_turn(&app, 300);
    assert_true(load.by_server[1] + load.by_server[2] > 0);
    pqr_query query = PQR_QUERY_INIT;
    query.sql = "insert into ledger values (-1)";
    query.timeout_ms = 200;
    struct answer *write = app_run_query(&app, &query);
    assert_ended(write, PQR_STATUS_UNAVAILABLE, PQR_OUTCOME_NOT_EXECUTED);
    assert_non_null(strstr(write->error, "primary is down"));
    cluster_start_server(&cluster, 0);
    assert_ok(app_run(&app, "insert into ledger values (-1)"));
    end_load(&load);
    assert_no_failure(&load);
    app_close(&app);
}

/* --- single backends --- */

static void terminated_idle_connections_fail_nothing(void **state)
{
    (void)state;
    struct app app = {0};
    app_start(&app, &cluster, SETTINGS);
    for (int turn = 0; turn < 10; turn++) {
        for (int i = 0; i < 3; i++)
            cluster_exec(
                &cluster, i, "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'app'");
        struct answer *read = app_send(&app, "select count(*) from ledger");
        char sql[80];
        snprintf(sql, sizeof(sql), "insert into ledger values (%d)", 30000 + turn);
        struct answer *write = app_send(&app, sql);
        assert_ok(app_wait(read));
        app_wait(write); /* sent into a dead socket or not at all: unknown or done, never wrong */
        if (write->status != PQR_STATUS_OK)
            assert_ended(write, PQR_STATUS_LOST, PQR_OUTCOME_UNKNOWN);
        app_turn(&app, 50);
    }
    app_close(&app);
}

static void terminate(int server, const char *pattern)
{
    char sql[200];
    snprintf(sql, sizeof(sql),
        "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'app' and state = 'active' "
        "and query like '%s'",
        pattern);
    cluster_exec(&cluster, server, sql);
}

static long active(int server, const char *pattern)
{
    char sql[200];
    snprintf(sql, sizeof(sql),
        "select count(*) from pg_stat_activity where usename = 'app' and state = 'active' and query like "
        "'%s'",
        pattern);
    return cluster_long(&cluster, server, sql);
}

static void terminated_busy_read_runs_elsewhere(void **state)
{
    (void)state;
    struct app app = {0};
    /* Half a second of harmless work: pg_sleep is volatile. */
    const char *slow = "select count(*) from generate_series(1, 2500) a, generate_series(1, 2500) b "
                       "where (a + b) % 1000000 = 7";
    app_start(&app, &cluster, SETTINGS);
    struct answer *answer = app_send(&app, slow);
    APP_UNTIL(
        &app, active(1, "%generate_series(1, 2500) a%") + active(2, "%generate_series(1, 2500) a%") == 1 ||
                  answer->done);
    terminate(1, "%generate_series(1, 2500) a%");
    terminate(2, "%generate_series(1, 2500) a%");
    app_wait(answer);
    assert_ok(answer);
    assert_string_equal(answer_value(answer, 0, 0), "6");
    assert_int_equal(answer->attempts, 2);
    app_close(&app);
}

static void terminated_busy_write_is_unknown_and_not_repeated(void **state)
{
    (void)state;
    struct app app = {0};
    app_start(&app, &cluster, SETTINGS);
    struct answer *answer = app_send(&app, "insert into ledger select 40000 from pg_sleep(5)");
    APP_UNTIL(&app, active(0, "%pg_sleep(5)%") == 1);
    terminate(0, "%pg_sleep(5)%");
    assert_ended(app_wait(answer), PQR_STATUS_LOST, PQR_OUTCOME_UNKNOWN);
    assert_int_equal(answer->attempts, 1);
    app_turn(&app, 200);
    assert_int_equal(active(0, "%pg_sleep(5)%"), 0);
    app_close(&app);
}

static void vouched_write_is_repeated(void **state)
{
    (void)state;
    struct app app = {0};
    app_start(&app, &cluster, SETTINGS);
    struct answer *answer = app_send_to(&app, PQR_TARGET_AUTO, PQR_IDEMPOTENT,
        "insert into ledger select 50000 from pg_sleep(1) on conflict do nothing");
    APP_UNTIL(&app, active(0, "%pg_sleep(1)%") == 1);
    terminate(0, "%pg_sleep(1)%");
    assert_ok(app_wait(answer));
    assert_int_equal(answer->attempts, 2);
    app_close(&app);
}

/* --- silence --- */

static pid_t backend_of(const char *pattern)
{
    char sql[200];
    snprintf(sql, sizeof(sql),
        "select coalesce(max(pid), 0) from pg_stat_activity where usename = 'app' and state = 'active' and "
        "query like '%s'",
        pattern);
    return (pid_t)cluster_long(&cluster, 0, sql);
}

static void stopped_backend_is_answered_by_deadline_and_grace(void **state)
{
    (void)state;
    struct app app = {0};
    app_start(&app, &cluster, SETTINGS);
    pqr_query query = PQR_QUERY_INIT;
    query.sql = "insert into ledger select 60000 from pg_sleep(1)";
    query.timeout_ms = 1500;
    struct answer *answer = app_send_query(&app, &query);
    pid_t pid = 0;
    APP_UNTIL(&app, (pid = backend_of("%60000%")) != 0);
    assert_int_equal(kill(pid, SIGSTOP), 0);
    uint64_t before = app_now_ms();
    app_wait(answer);
    uint64_t took = app_now_ms() - before;
    assert_int_equal(kill(pid, SIGCONT), 0);
    assert_ended(answer, PQR_STATUS_TIMEOUT, PQR_OUTCOME_UNKNOWN);
    assert_true(took < 1500 + 500 + 5000); /* not for as long as it was stopped */
    assert_ok(app_run(&app, "insert into ledger values (60001)"));
    app_close(&app);
}

static void continued_backend_serves_on(void **state)
{
    (void)state;
    struct app app = {0};
    app_start(&app, &cluster, SETTINGS);
    struct answer *answer = app_send(&app, "insert into ledger select 70000 from pg_sleep(0.3)");
    pid_t pid = 0;
    APP_UNTIL(&app, (pid = backend_of("%70000%")) != 0);
    assert_int_equal(kill(pid, SIGSTOP), 0);
    app_turn(&app, 600);
    assert_false(answer->done);
    assert_int_equal(kill(pid, SIGCONT), 0);
    assert_ok(app_wait(answer));
    app_close(&app);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_replica_fails_no_read_and_returns),
        cmocka_unit_test(stopped_replica_fails_no_read_and_returns),
        cmocka_unit_test(with_no_replica_reads_go_to_the_primary),
        cmocka_unit_test(replica_only_waits_for_a_replica),
        cmocka_unit_test(terminated_idle_connections_fail_nothing),
        cmocka_unit_test(terminated_busy_read_runs_elsewhere),
        cmocka_unit_test(terminated_busy_write_is_unknown_and_not_repeated),
        cmocka_unit_test(vouched_write_is_repeated),
        cmocka_unit_test(stopped_backend_is_answered_by_deadline_and_grace),
        cmocka_unit_test(continued_backend_serves_on),
        cmocka_unit_test(reads_go_on_without_a_primary),
        cmocka_unit_test(writes_wait_for_a_primary_that_was_stopped),
        cmocka_unit_test(writes_wait_for_a_primary_that_was_stopped_at_once),
        cmocka_unit_test(writes_wait_for_a_primary_that_was_killed),
    };
    return SUITE_RUN(tests, 2, tables);
}
