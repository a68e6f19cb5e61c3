/* Where requests run, as the servers see it: by their ports and by pg_stat_statements. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "app.h"

static struct cluster cluster;

#define SETTINGS "pool = { min = 1; max = 6; }; probe = { interval = \"200ms\"; };"

static int start(void **state)
{
    (void)state;
    cluster_start(&cluster, 2);
    cluster_exec(&cluster, 0, "create extension if not exists pg_stat_statements");
    cluster_exec(&cluster, 0, "set role app; create table routed (n int primary key, word text)");
    cluster_exec(&cluster, 0, "insert into routed values (1, 'one'), (2, 'two')");
    /* Marked stable, so that the text looks harmless; it writes all the same. */
    cluster_exec(&cluster, 0,
        "create function hidden_write() returns int language plpgsql volatile as "
        "$$begin insert into routed values (1000 + (random() * 1e9)::int, 'hidden'); return "
        "inet_server_port(); "
        "end$$");
    cluster_exec(&cluster, 0, "grant all on routed to app");
    cluster_sync(&cluster, 0);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    cluster_stop(&cluster);
    return 0;
}

/* How often the server ran statements with this word. */
static long calls_of(int server, const char *word)
{
    char sql[200];
    snprintf(sql, sizeof(sql),
        "select coalesce(sum(calls), 0) from pg_stat_statements "
        "where query like '%%%s%%' and query not like '%%pg_stat_statements%%'",
        word);
    return cluster_long(&cluster, server, sql);
}

static int port_of(struct answer *answer)
{
    assert_ok(answer);
    return (int)strtol(answer_value(answer, 0, 0), NULL, 10);
}

/* What they set is set after the connection has said what it is like: with backslashes that escape, the quotes end
   elsewhere, and a call comes to light. */
static void init_sql_may_change_how_texts_are_read(void **state)
{
    (void)state;
    static const char text[] = "select '\\'', nextval('and')--'";
    struct app app = {0};
    cluster_exec(&cluster, 0, "set role app; create sequence \"and\"");
    cluster_sync(&cluster, 0);
    app_start(&app, &cluster,
        "probe = { interval = \"200ms\"; };"
        "pool = { min = 1; max = 6; init_sql = [\"set standard_conforming_strings = off\"]; };");
    struct answer *answer = app_run(&app, text);
    assert_ok(answer);
    assert_string_equal(answer_value(answer, 0, 1), "1");
    assert_string_equal(answer->reason, "volatile function nextval");
    assert_int_equal(app_totals(&app).misroutes, 0);
    answer = app_run(&app, "select word from routed where n = 1");
    assert_ok(answer);
    assert_int_equal(answer->route, PQR_ROLE_REPLICA);
    app_close(&app);
}

static void read_forty_times(struct app *app)
{
    struct answer *answers[40];
    for (int i = 0; i < 40; i++)
        answers[i] = app_send(app, "select word as read_marker from routed where n = 1");
    for (int i = 0; i < 40; i++) {
        assert_ok(app_wait(answers[i]));
        assert_string_equal(answer_value(answers[i], 0, 0), "one");
        assert_int_equal(answers[i]->route, PQR_ROLE_REPLICA);
        assert_true(
            strcmp(answers[i]->server, "replica1") == 0 || strcmp(answers[i]->server, "replica2") == 0);
    }
}

/* The first forty may find room on one replica only, whose second connection was faster. */
static void reads_run_on_replicas_only(void **state)
{
    (void)state;
    struct app app = {0};
    long reads = 0;
    app_start(&app, &cluster, SETTINGS);
    do {
        read_forty_times(&app);
        reads += 40;
    } while (reads < 4000 && (calls_of(1, "read_marker") == 0 || calls_of(2, "read_marker") == 0));
    assert_int_equal(calls_of(0, "read_marker"), 0);
    assert_int_equal(calls_of(1, "read_marker") + calls_of(2, "read_marker"), reads);
    assert_true(calls_of(1, "read_marker") > 0);
    assert_true(calls_of(2, "read_marker") > 0);
    app_close(&app);
}

static void writes_run_on_the_primary_only(void **state)
{
    (void)state;
    struct app app = {0};
    app_start(&app, &cluster, SETTINGS);
    for (int i = 0; i < 10; i++) {
        char sql[120];
        snprintf(sql, sizeof(sql),
            "insert into routed values (%d, 'write_marker') returning inet_server_port()", 100 + i);
        assert_int_equal(port_of(app_run(&app, sql)), cluster_port(&cluster, 0));
    }
    assert_int_equal(calls_of(0, "insert into routed values"), 12);
    assert_int_equal(calls_of(1, "insert into routed values"), 0);
    assert_int_equal(calls_of(2, "insert into routed values"), 0);
    app_close(&app);
}

static void target_and_comment_override_the_text(void **state)
{
    (void)state;
    struct app app = {0};
    const char *ask = "select inet_server_port()";
    app_start(&app, &cluster, SETTINGS);
    assert_int_equal(port_of(app_run_to(&app, PQR_TARGET_PRIMARY, ask)), cluster_port(&cluster, 0));
    assert_int_not_equal(port_of(app_run_to(&app, PQR_TARGET_REPLICA, ask)), cluster_port(&cluster, 0));
    assert_int_not_equal(port_of(app_run_to(&app, PQR_TARGET_REPLICA_ONLY, ask)), cluster_port(&cluster, 0));
    assert_int_equal(
        port_of(app_run(&app, "/*pqr:primary*/ select inet_server_port()")), cluster_port(&cluster, 0));
    assert_int_not_equal(
        port_of(app_run(&app, "/*pqr:replica*/ select inet_server_port()")), cluster_port(&cluster, 0));
    assert_true(port_of(app_run_to(&app, PQR_TARGET_ANY, ask)) > 0);
    app_close(&app);
}

static void explicit_mode_sends_nothing_to_a_replica_unasked(void **state)
{
    (void)state;
    struct app app = {0};
    app_start(&app, &cluster, SETTINGS "reads = { mode = \"explicit\"; };");
    struct answer *plain = app_run(&app, "select inet_server_port()");
    assert_int_equal(port_of(plain), cluster_port(&cluster, 0));
    assert_string_equal(plain->reason, "reads.mode is explicit");
    assert_int_not_equal(
        port_of(app_run(&app, "/*pqr:replica*/ select inet_server_port()")), cluster_port(&cluster, 0));
    assert_int_not_equal(port_of(app_run_to(&app, PQR_TARGET_REPLICA, "select inet_server_port()")),
        cluster_port(&cluster, 0));
    app_close(&app);
}

static void unknown_and_locking_statements_go_to_the_primary(void **state)
{
    (void)state;
    static const char *const statements[] = {
        "select inet_server_port() from routed where n = 1 for update",
        "with gone as (delete from routed where n = -1 returning n) select inet_server_port()",
        "select hidden_write()",
        "select inet_server_port(), pg_advisory_xact_lock(4711)",
    };
    struct app app = {0};
    app_start(&app, &cluster, SETTINGS);
    for (size_t i = 0; i < sizeof(statements) / sizeof(statements[0]); i++) {
        struct answer *answer = app_run(&app, statements[i]);
        assert_int_equal(port_of(answer), cluster_port(&cluster, 0));
        assert_int_equal(answer->attempts, 1); /* not by the safety net */
    }
    app_close(&app);
}

/* The caller sent it to a replica; the replica refuses (25006), and the primary runs it unseen. */
static void write_hidden_from_us_moves_to_the_primary_unseen(void **state)
{
    (void)state;
    struct app app = {0};
    app_start(&app, &cluster, SETTINGS);
    struct answer *answer = app_run_to(&app, PQR_TARGET_REPLICA, "select hidden_write()");
    assert_int_equal(port_of(answer), cluster_port(&cluster, 0));
    assert_int_equal(answer->attempts, 2);
    assert_int_equal(answer->route, PQR_ROLE_PRIMARY);
    assert_string_equal(answer->server, "primary");
    assert_int_equal(app_totals(&app).retries, 1);
    app_close(&app);
}

/* Created a moment ago, perhaps not replayed yet: the reader never sees 42P01. */
static void table_that_a_replica_does_not_have_yet_is_read_on_the_primary(void **state)
{
    (void)state;
    struct app app = {0};
    app_start(&app, &cluster, SETTINGS);
    cluster_exec(&cluster, 1, "select pg_wal_replay_pause()");
    cluster_exec(&cluster, 2, "select pg_wal_replay_pause()");
    assert_ok(app_run(&app, "create table fresh as select 7 as n"));
    struct answer *answer = app_run(&app, "select n from fresh");
    assert_ok(answer);
    assert_string_equal(answer_value(answer, 0, 0), "7");
    assert_string_equal(answer->server, "primary");
    cluster_exec(&cluster, 1, "select pg_wal_replay_resume()");
    cluster_exec(&cluster, 2, "select pg_wal_replay_resume()");
    cluster_sync(&cluster, 0);
    app_close(&app);
}

static void several_statements_run_as_one_transaction_on_the_primary(void **state)
{
    (void)state;
    struct app app = {0};
    app_start(&app, &cluster, SETTINGS);
    struct answer *answer =
        app_run(&app, "select 1; insert into routed values (500, 'two'); select inet_server_port()");
    assert_int_equal(port_of(answer), cluster_port(&cluster, 0));
    answer = app_run(&app, "insert into routed values (501, 'gone'); select 1/0");
    assert_sql_error(answer, "22012");
    assert_string_equal(
        app_value(&app, "/*pqr:primary*/ select count(*) from routed where n in (500, 501)"), "1");
    app_close(&app);
}

static void reason_tells_why(void **state)
{
    (void)state;
    struct app app = {0};
    app_start(&app, &cluster, SETTINGS);
    assert_non_null(strstr(app_run(&app, "select txid_current()")->reason, "txid_current"));
    assert_true(app_run(&app, "select 1")->reason[0] != '\0');
    assert_non_null(strstr(app_run_to(&app, PQR_TARGET_PRIMARY, "select 1")->reason, "target"));
    app_close(&app);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_run_on_replicas_only),
        cmocka_unit_test(writes_run_on_the_primary_only),
        cmocka_unit_test(target_and_comment_override_the_text),
        cmocka_unit_test(explicit_mode_sends_nothing_to_a_replica_unasked),
        cmocka_unit_test(unknown_and_locking_statements_go_to_the_primary),
        cmocka_unit_test(write_hidden_from_us_moves_to_the_primary_unseen),
        cmocka_unit_test(table_that_a_replica_does_not_have_yet_is_read_on_the_primary),
        cmocka_unit_test(several_statements_run_as_one_transaction_on_the_primary),
        cmocka_unit_test(reason_tells_why),
        cmocka_unit_test(init_sql_may_change_how_texts_are_read),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
