/* pqr_tx_run on real servers: ends, conflicts, lost connections, and what is left for the next owner. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "app.h"
#include "suite.h"

static const char tables[] =
    "set role app; create table counter (id int primary key, n int); create table noted (n int);"
    "create table shape (a int);"
    "create table parent (n int primary key);"
    "create table child (n int references parent deferrable initially deferred)";

static int zero_counters(void **state)
{
    (void)state;
    cluster_exec(
        &cluster, 0, "delete from counter; insert into counter values (1, 0), (2, 0); delete from noted");
    return 0;
}

#define SETTINGS "pool = { min = 3; max = 5; }; transaction = { idle_timeout = \"400ms\"; };"

static long counter(int id)
{
    char sql[80];
    snprintf(sql, sizeof(sql), "select n from counter where id = %d", id);
    return cluster_long(&cluster, 0, sql);
}

static long noted(void)
{
    return cluster_long(&cluster, 0, "select count(*) from noted");
}

static void run(struct app *app, struct script *script)
{
    app_wait(app_tx(app, script));
}

static void committed_statements_stay(void **state)
{
    (void)state;
    struct app app = {0};
    const char *const sql[] = {"insert into noted values (1)",
        "insert into noted select n + 1 from noted returning n", "select inet_server_port()", NULL};
    struct script script = {.sql = sql};
    app_start(&app, &cluster, SETTINGS);
    run(&app, &script);
    assert_ok(script.done);
    assert_string_equal(script.done->error, "");
    assert_string_equal(script.done->server, "primary");
    for (int i = 0; i < 3; i++)
        assert_ok(script.statements[i]);
    assert_string_equal(answer_value(script.statements[1], 0, 0), "2");
    assert_int_equal(strtol(answer_value(script.statements[2], 0, 0), NULL, 10), cluster_port(&cluster, 0));
    assert_int_equal(noted(), 2);
    app_close(&app);
}

static void rolled_back_statements_go(void **state)
{
    (void)state;
    struct app app = {0};
    const char *const sql[] = {"insert into noted values (1)", NULL};
    struct script script = {.sql = sql, .end = SCRIPT_ROLLBACK};
    app_start(&app, &cluster, SETTINGS);
    run(&app, &script);
    assert_ok(script.done);
    assert_ok(script.statements[0]);
    assert_int_equal(noted(), 0);
    app_close(&app);
}

static void failed_statement_rolls_all_back(void **state)
{
    (void)state;
    struct app app = {0};
    const char *const sql[] = {
        "insert into noted values (1)", "select 1/0", "insert into noted values (2)", NULL};
    struct script script = {.sql = sql};
    app_start(&app, &cluster, SETTINGS);
    run(&app, &script);
    assert_sql_error(script.done, "22012");
    assert_int_equal(script.bodies, 1);
    assert_sql_error(script.statements[1], "22012");
    assert_int_not_equal(script.statements[2]->status, PQR_STATUS_OK);
    assert_int_equal(noted(), 0);
    assert_ok(app_run(&app, "insert into noted values (3)"));
    app_close(&app);
}

static void an_answer_over_max_result_rolls_all_back_once(void **state)
{
    (void)state;
    struct app app = {0};
    const char *const sql[] = {"insert into noted values (1)",
        "select repeat('x', 1000) from generate_series(1, 100000)", "insert into noted values (2)", NULL};
    struct script script = {.sql = sql};
    app_start(&app, &cluster, SETTINGS "request = { max_result = \"1MB\"; };");
    run(&app, &script);
    assert_ended(script.done, PQR_STATUS_LOST, PQR_OUTCOME_NOT_EXECUTED); /* COMMIT was never sent */
    assert_int_equal(script.bodies, 1); /* it would be as large the next time */
    assert_non_null(strstr(script.statements[1]->error, "max_result"));
    assert_int_not_equal(script.statements[2]->status, PQR_STATUS_OK);
    assert_int_equal(noted(), 0);
    assert_ok(app_run(&app, "insert into noted values (3)"));
    app_close(&app);
}

static void savepoint_recovers_from_an_error(void **state)
{
    (void)state;
    struct app app = {0};
    const char *const sql[] = {"insert into noted values (1)", "savepoint here", "select 1/0",
        "rollback to here", "insert into noted values (2)", NULL};
    struct script script = {.sql = sql};
    app_start(&app, &cluster, SETTINGS);
    run(&app, &script);
    assert_sql_error(script.statements[2], "22012");
    assert_ok(script.statements[4]);
    assert_ok(script.done);
    assert_string_equal(script.done->error, ""); /* of an error that was recovered from nothing is left */
    assert_string_equal(script.done->sqlstate, "");
    assert_int_equal(noted(), 2);
    app_close(&app);
}

static void deferred_constraint_fails_the_commit(void **state)
{
    (void)state;
    struct app app = {0};
    const char *const sql[] = {"insert into child values (77)", NULL};
    struct script script = {.sql = sql};
    app_start(&app, &cluster, SETTINGS);
    run(&app, &script);
    assert_ok(script.statements[0]);
    assert_sql_error(script.done, "23503");
    assert_int_equal(cluster_long(&cluster, 0, "select count(*) from child"), 0);
    app_close(&app);
}

/* Two that read the same row, wait for each other's snapshot, and write it. */
static void conflict(pqr_isolation isolation)
{
    struct app app = {0};
    const char *const sql[] = {"select n from counter where id = 1", "select pg_sleep(0.2)",
        "update counter set n = n + 1 where id = 1", NULL};
    struct script one = {.sql = sql, .options = {.isolation = isolation}}, two = one;
    app_start(&app, &cluster, SETTINGS);
    app_tx(&app, &one);
    app_tx(&app, &two);
    assert_ok(app_wait(one.done));
    assert_ok(app_wait(two.done));
    assert_int_equal(one.bodies + two.bodies, 3); /* one of them ran again */
    assert_int_equal(counter(1), 2);
    assert_string_equal(one.done->error, "");
    assert_string_equal(two.done->error, "");
    app_close(&app);
}

static void update_conflict_in_repeatable_read_runs_the_body_again(void **state)
{
    (void)state;
    conflict(PQR_REPEATABLE_READ);
}

static void update_conflict_in_serializable_runs_the_body_again(void **state)
{
    (void)state;
    conflict(PQR_SERIALIZABLE);
}

static void conflict_is_told_after_max_attempts(void **state)
{
    (void)state;
    struct app app = {0};
    const char *const sql[] = {"select n from counter where id = 1", "select pg_sleep(0.2)",
        "update counter set n = n + 1 where id = 1", NULL};
    struct script one = {.sql = sql, .options = {.isolation = PQR_REPEATABLE_READ, .max_attempts = 1}},
                  two = one;
    app_start(&app, &cluster, SETTINGS);
    app_tx(&app, &one);
    app_tx(&app, &two);
    app_wait(one.done);
    app_wait(two.done);
    struct script *winner = one.done->status == PQR_STATUS_OK ? &one : &two;
    struct script *loser = winner == &one ? &two : &one;
    assert_ok(winner->done);
    assert_sql_error(loser->done, "40001");
    assert_int_equal(loser->done->outcome, PQR_OUTCOME_EXECUTED);
    assert_int_equal(counter(1), 1);
    app_close(&app);
}

static void deadlock_runs_the_body_again(void **state)
{
    (void)state;
    struct app app = {0};
    const char *const up[] = {"update counter set n = n + 1 where id = 1", "select pg_sleep(0.2)",
        "update counter set n = n + 1 where id = 2", NULL};
    const char *const down[] = {"update counter set n = n + 1 where id = 2", "select pg_sleep(0.2)",
        "update counter set n = n + 1 where id = 1", NULL};
    /* The one that runs again may be faster than the other's wake-up, and meet it once more. */
    struct script one = {.sql = up, .options = {.max_attempts = 20}};
    struct script two = {.sql = down, .options = {.max_attempts = 20}};
    app_start(&app, &cluster, SETTINGS);
    app_tx(&app, &one);
    app_tx(&app, &two);
    assert_ok(app_wait(one.done));
    assert_ok(app_wait(two.done));
    assert_true(one.bodies + two.bodies >= 3); /* a fast second attempt may meet the same deadlock again */
    assert_int_equal(counter(1), 2);
    assert_int_equal(counter(2), 2);
    app_close(&app);
}

static void forgotten_transaction_is_rolled_back(void **state)
{
    (void)state;
    struct app app = {0};
    const char *const sql[] = {"insert into noted values (1)", "update counter set n = 9 where id = 1", NULL};
    struct script script = {.sql = sql, .end = SCRIPT_NOTHING};
    app_start(&app, &cluster, SETTINGS);
    run(&app, &script);
    assert_ended(script.done, PQR_STATUS_TIMEOUT, PQR_OUTCOME_NOT_EXECUTED);
    assert_non_null(strstr(script.done->error, "transaction.idle_timeout"));
    assert_int_equal(noted(), 0);
    assert_ok(app_run(&app, "update counter set n = 5 where id = 1")); /* its lock is gone */
    app_close(&app);
}

static void read_only_transaction_runs_on_a_replica(void **state)
{
    (void)state;
    struct app app = {0};
    const char *const sql[] = {"select inet_server_port()", "show transaction_read_only", NULL};
    const char *const write[] = {"insert into noted values (1)", NULL};
    struct script script = {.sql = sql, .options = {.read_only = true, .target = PQR_TARGET_REPLICA_ONLY}};
    struct script writer = {.sql = write, .options = script.options};
    app_start(&app, &cluster, SETTINGS);
    run(&app, &script);
    assert_ok(script.done);
    assert_int_equal(strtol(answer_value(script.statements[0], 0, 0), NULL, 10), cluster_port(&cluster, 1));
    assert_string_equal(answer_value(script.statements[1], 0, 0), "on");
    run(&app, &writer);
    assert_sql_error(writer.done, "25006");
    pqr_tx_options options = PQR_TX_OPTIONS_INIT;
    options.target = PQR_TARGET_REPLICA; /* not read_only */
    assert_int_equal(
        pqr_tx_run(NULL, app.router, &options, (pqr_tx_body)abort, app_on_reply, NULL), PQR_EINVAL);
    app_close(&app);
}

static void isolation_is_as_asked_for(void **state)
{
    (void)state;
    static const struct {
        pqr_tx_options options;
        const char *expected;
    } cases[] = {
        {{.isolation = PQR_ISOLATION_DEFAULT}, "read committed off off"},
        {{.isolation = PQR_REPEATABLE_READ}, "repeatable read off off"},
        {{.isolation = PQR_SERIALIZABLE, .read_only = true, .deferrable = true}, "serializable on on"},
    };
    struct app app = {0};
    const char *const sql[] = {
        "select concat_ws(' ', current_setting('transaction_isolation'), "
        "current_setting('transaction_read_only'), current_setting('transaction_deferrable'))",
        NULL};
    app_start(&app, &cluster, SETTINGS);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct script script = {.sql = sql, .options = cases[i].options};
        run(&app, &script);
        assert_ok(script.done);
        assert_string_equal(answer_value(script.statements[0], 0, 0), cases[i].expected);
    }
    app_close(&app);
}

static void cancelled_transaction_is_rolled_back(void **state)
{
    (void)state;
    struct app app = {0};
    const char *const sql[] = {
        "insert into noted values (1)", "select pg_sleep(30)", "insert into noted values (2)", NULL};
    struct script script = {.sql = sql};
    app_start(&app, &cluster, SETTINGS);
    app_tx(&app, &script);
    APP_UNTIL(&app, cluster_long(&cluster, 0,
                        "select count(*) from pg_stat_activity where state = 'active' and query = 'select "
                        "pg_sleep(30)'") == 1);
    assert_int_equal(pqr_request_cancel(app.router, script.done->id), 0);
    assert_ended(app_wait(script.done), PQR_STATUS_CANCELLED, PQR_OUTCOME_NOT_EXECUTED);
    assert_ended(script.statements[2], PQR_STATUS_CANCELLED, PQR_OUTCOME_NOT_EXECUTED);
    assert_int_equal(script.bodies, 1);
    assert_int_equal(noted(), 0);
    app_close(&app);
}

static void transaction_past_its_deadline_is_rolled_back(void **state)
{
    (void)state;
    struct app app = {0};
    const char *const sql[] = {"insert into noted values (1)", "select pg_sleep(30)", NULL};
    struct script script = {.sql = sql, .options = {.timeout_ms = 300}};
    app_start(&app, &cluster, SETTINGS);
    run(&app, &script);
    assert_ended(script.done, PQR_STATUS_TIMEOUT, PQR_OUTCOME_NOT_EXECUTED);
    assert_true(script.done->times.total_us >= 300000);
    assert_int_equal(noted(), 0);
    app_close(&app);
}

/* Its backend dies between two statements of the first run. */
static void kill_backend(struct answer *answer, pqr_reply *reply)
{
    char sql[100];
    snprintf(sql, sizeof(sql), "select pg_terminate_backend(%s)", pqr_reply_value(reply, 0, "pid", NULL));
    cluster_exec(&cluster, 0, sql);
    (void)answer;
}

static void killed_once(pqr_tx *tx, unsigned attempt, void *data)
{
    struct answer *done = data;
    done->data = (void *)(uintptr_t)attempt;
    struct answer *answer =
        app_tx_query(done->app, tx, "insert into noted values (1) returning pg_backend_pid() as pid");
    if (attempt == 1)
        answer->then = kill_backend;
    app_tx_query(done->app, tx, "insert into noted select 2 from pg_sleep(0.1)");
    assert_int_equal(pqr_tx_commit(tx), 0);
}

static void connection_lost_before_commit_runs_the_body_again(void **state)
{
    (void)state;
    struct app app = {0};
    app_start(&app, &cluster, SETTINGS);
    struct answer *done = app_answer(&app);
    app_accepted(done, pqr_tx_run(&done->id, app.router, NULL, killed_once, app_on_reply, done));
    assert_ok(app_wait(done));
    assert_int_equal((uintptr_t)done->data, 2);
    assert_int_equal(noted(), 2);
    app_close(&app);
}

static void what_may_not_be_in_a_transaction_is_refused_unsent(void **state)
{
    (void)state;
    struct app app = {0};
    const char *const sql[] = {"insert into noted values (1)", "commit", "begin", "copy noted to stdout",
        "rollback", "insert into noted values (2)", NULL};
    struct script script = {.sql = sql};
    app_start(&app, &cluster, SETTINGS);
    run(&app, &script);
    for (int i = 1; i < 5; i++) {
        assert_ended(script.statements[i], PQR_STATUS_SQL_ERROR, PQR_OUTCOME_NOT_EXECUTED);
        assert_int_equal(script.statements[i]->attempts, 0);
        assert_non_null(strstr(script.statements[i]->error, "pqr_tx_"));
    }
    assert_ok(script.done); /* nothing of it reached the server, which has seen no error */
    assert_int_equal(noted(), 2);
    app_close(&app);
}

static void ends_once(pqr_tx *tx, unsigned attempt, void *data)
{
    struct answer *done = data;
    pqr_query query = PQR_QUERY_INIT;
    query.sql = "select 1";
    (void)attempt;
    assert_int_equal(pqr_tx_rollback(tx), 0);
    assert_int_equal(pqr_tx_commit(tx), PQR_ECLOSED);
    assert_int_equal(pqr_tx_rollback(tx), PQR_ECLOSED);
    assert_int_equal(pqr_tx_query(tx, &query, app_on_reply, done), PQR_ECLOSED);
    assert_int_equal(pqr_tx_query(tx, NULL, app_on_reply, done), PQR_EINVAL);
}

static void transaction_ends_once(void **state)
{
    (void)state;
    struct app app = {0};
    app_start(&app, &cluster, SETTINGS);
    struct answer *done = app_answer(&app);
    app_accepted(done, pqr_tx_run(&done->id, app.router, NULL, ends_once, app_on_reply, done));
    assert_ok(app_wait(done));
    app_close(&app);
}

/* Every pooled connection of the primary at once, the reserved one included. */
static void ask_all(struct app *app, const char *sql, const char *expected)
{
    struct answer *answers[3];
    for (int i = 0; i < 3; i++)
        answers[i] = app_send_to(app, PQR_TARGET_PRIMARY, PQR_ADMIN, sql);
    for (int i = 0; i < 3; i++) {
        assert_ok(app_wait(answers[i]));
        assert_string_equal(answer_value(answers[i], 0, 0), expected);
    }
}

static void nothing_of_the_session_is_left_for_the_next(void **state)
{
    (void)state;
    struct app app = {0};
    const char *const sql[] = {"set work_mem = '9MB'", "set role pg_monitor", "reset role",
        "create temp table mine (n int)", "select pg_advisory_lock(42)", "listen gossip",
        "prepare plan as select 1", "declare held cursor with hold for select 1",
        "select set_config('search_path', 'nowhere', false)", NULL};
    struct script script = {.sql = sql}, again = {.sql = sql, .end = SCRIPT_ROLLBACK};
    cluster_exec(&cluster, 0, "grant pg_monitor to app");
    app_start(&app, &cluster, SETTINGS);
    run(&app, &script);
    for (int i = 0; sql[i]; i++)
        assert_ok(script.statements[i]);
    assert_ok(script.done);
    run(&app, &again);
    assert_ok(again.done);
    app_turn(&app, 200);
    assert_int_equal(
        cluster_long(&cluster, 0, "select count(*) from pg_locks where locktype = 'advisory'"), 0);
    assert_int_equal(cluster_long(&cluster, 0, "select count(*) from pg_class where relname = 'mine'"), 0);
    ask_all(&app, "select current_setting('work_mem'), pg_sleep(0.2)", "4MB");
    ask_all(&app, "select current_setting('search_path'), pg_sleep(0.1)", "\"$user\", public");
    ask_all(&app, "select count(*), pg_sleep(0.1) from pg_listening_channels()", "0");
    ask_all(&app, "select count(*), pg_sleep(0.1) from pg_prepared_statements where name = 'plan'", "0");
    ask_all(&app, "select count(*), pg_sleep(0.1) from pg_cursors where is_holdable", "0");
    app_close(&app);
}

static void init_sql_holds_after_a_session_was_reset(void **state)
{
    (void)state;
    struct app app = {0};
    const char *const sql[] = {"set work_mem = '9MB'", NULL};
    struct script script = {.sql = sql};
    app_start(&app, &cluster, "pool = { min = 3; max = 5; init_sql = [\"set work_mem = '6MB'\"]; };");
    for (int i = 0; i < 6; i++) {
        run(&app, &script);
        assert_ok(script.done);
        script.bodies = 0;
    }
    ask_all(&app, "select current_setting('work_mem'), pg_sleep(0.2)", "6MB");
    app_close(&app);
}

/* More statements than attempts, all of them stale at once. */
static void body_whose_plans_all_went_stale_runs_once_more(void **state)
{
    (void)state;
    struct app app = {0};
    const char *const sql[] = {"select * from shape", "select shape.* from shape", "select * from only shape",
        "select s.* from shape s", "table shape", NULL};
    struct script script = {.sql = sql};
    app_start(&app, &cluster, SETTINGS);
    for (int i = 0; i < 5; i++) {
        script.bodies = 0;
        run(&app, &script);
        assert_int_equal(script.bodies, 1);
    }
    cluster_exec(&cluster, 0, "alter table shape add column b int");
    script.bodies = 0;
    run(&app, &script);
    assert_ok(script.done);
    assert_int_equal(script.bodies, 2);
    app_close(&app);
}

#define TEST(name) cmocka_unit_test_setup(name, zero_counters)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(committed_statements_stay),
        TEST(rolled_back_statements_go),
        TEST(failed_statement_rolls_all_back),
        TEST(an_answer_over_max_result_rolls_all_back_once),
        TEST(savepoint_recovers_from_an_error),
        TEST(deferred_constraint_fails_the_commit),
        TEST(update_conflict_in_repeatable_read_runs_the_body_again),
        TEST(update_conflict_in_serializable_runs_the_body_again),
        TEST(conflict_is_told_after_max_attempts),
        TEST(deadlock_runs_the_body_again),
        TEST(body_whose_plans_all_went_stale_runs_once_more),
        TEST(forgotten_transaction_is_rolled_back),
        TEST(read_only_transaction_runs_on_a_replica),
        TEST(isolation_is_as_asked_for),
        TEST(cancelled_transaction_is_rolled_back),
        TEST(transaction_past_its_deadline_is_rolled_back),
        TEST(connection_lost_before_commit_runs_the_body_again),
        TEST(what_may_not_be_in_a_transaction_is_refused_unsent),
        TEST(transaction_ends_once),
        TEST(nothing_of_the_session_is_left_for_the_next),
        TEST(init_sql_holds_after_a_session_was_reset),
    };
    return SUITE_RUN(tests, 1, tables);
}
