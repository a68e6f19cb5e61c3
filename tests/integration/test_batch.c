/* pqr_batch_run on real servers, where it is one transaction: all or nothing, and what everybody is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "app.h"
#include "batches.h"
#include "suite.h"

enum { PRIMARY, REPLICA, ROUNDS = 20 };

#define ONE "pool = { min = 1; max = 3; };"

static const char tables[] =
    "set role app; create table counter (id int primary key, n int); create table noted (n int);"
    "create table shape (a int); create table parent (n int primary key);"
    "create table child (n int references parent deferrable initially deferred);"
    "create procedure note(n int) language sql as 'insert into noted values (n)'";

static int zero(void **state)
{
    (void)state;
    cluster_exec(&cluster, 0,
        "truncate noted, counter, shape, child, parent; insert into counter values (1, 0), (2, 0);"
        "insert into shape values (1)");
    cluster_sync(&cluster, 0);
    return 0;
}

static long count(const char *table)
{
    char sql[80];
    snprintf(sql, sizeof(sql), "select count(*) from %s", table);
    return cluster_long(&cluster, 0, sql);
}

/* --- transactions --- */

static void writes_are_one_transaction(void **state)
{
    (void)state;
    static const char *const sql[] = {
        "insert into noted values (1) returning pg_current_xact_id(), pg_backend_pid()",
        "update counter set n = n + 5 where id = 1",
        "select n, pg_current_xact_id() from counter where id = 1", NULL};
    struct app app = {0};
    struct batch batch = {.sql = sql};
    app_start(&app, &cluster, ONE);
    batch_run(&app, &batch);
    batch_assert_all(&batch, PQR_STATUS_OK, PQR_OUTCOME_EXECUTED);
    assert_string_equal(batch.done->error, "");
    assert_string_equal(batch.done->server, "primary");
    assert_int_equal(batch.answers[1]->affected, 1);
    assert_string_equal(answer_value(batch.answers[2], 0, 0), "5");
    assert_string_equal(answer_value(batch.answers[2], 0, 1), answer_value(batch.answers[0], 0, 0));
    assert_int_equal(count("noted"), 1);
    assert_int_equal(app_totals(&app).batches, 1);
    assert_int_equal(app_totals(&app).batch_queries, 3);
    app_close(&app);
}

static void one_that_fails_rolls_all_back(void **state)
{
    (void)state;
    static const char *const sql[] = {
        "insert into noted values (1) returning n", "select 1 / 0", "insert into noted values (2)", NULL};
    struct app app = {0};
    struct batch batch = {.sql = sql};
    app_start(&app, &cluster, ONE);
    batch_run(&app, &batch);
    assert_sql_error(batch.done, "22012");
    assert_int_equal(batch.done->outcome, PQR_OUTCOME_EXECUTED);
    assert_string_equal(batch.done->error, "query 2 of the batch: division by zero");
    assert_ended(batch.answers[0], PQR_STATUS_SQL_ERROR, PQR_OUTCOME_NOT_EXECUTED);
    assert_int_equal(batch.answers[0]->rows, 0);
    assert_sql_error(batch.answers[1], "22012");
    assert_string_equal(batch.answers[1]->error, "division by zero");
    assert_ended(batch.answers[2], PQR_STATUS_SQL_ERROR, PQR_OUTCOME_NOT_EXECUTED);
    assert_string_equal(
        batch.answers[2]->error, "all of the batch is rolled back: query 2 of the batch: division by zero");
    assert_int_equal(count("noted"), 0);
    uint64_t connects = app_pool(&app, 0).connects;
    assert_ok(
        app_run(&app, "insert into noted values (3)")); /* on the same connection, which was rolled back */
    assert_int_equal(app_pool(&app, 0).connects, connects);
    assert_int_equal(count("noted"), 1);
    app_close(&app);
}

static void a_deferred_constraint_fails_the_whole(void **state)
{
    (void)state;
    static const char *const sql[] = {"insert into noted values (1)", "insert into child values (77)", NULL};
    struct app app = {0};
    struct batch batch = {.sql = sql};
    app_start(&app, &cluster, ONE);
    batch_run(&app, &batch);
    assert_sql_error(batch.done, "23503");
    assert_non_null(strstr(batch.done->error, "COMMIT: "));
    for (int i = 0; i < 2; i++)
        assert_ended(batch.answers[i], PQR_STATUS_SQL_ERROR, PQR_OUTCOME_NOT_EXECUTED);
    assert_int_equal(count("noted") + count("child"), 0);
    app_close(&app);
}

/* Queries alone are an implicit transaction; these ask for a transaction block, or end in it. */
static void what_wants_a_transaction_block_is_part_of_one(void **state)
{
    (void)state;
    static const char *const sql[] = {"lock table noted", "insert into noted values (1)",
        "declare one cursor for select 7", "fetch one", "savepoint here", NULL};
    static const char *const all[] = {"insert into noted values (2)", "set constraints all immediate",
        "insert into child values (77)", NULL};
    struct app app = {0};
    struct batch batch = {.sql = sql}, immediate = {.sql = all};
    app_start(&app, &cluster, ONE);
    batch_run(&app, &batch);
    batch_assert_all(&batch, PQR_STATUS_OK, PQR_OUTCOME_EXECUTED);
    assert_string_equal(answer_value(batch.answers[3], 0, 0), "7");
    batch_run(&app, &immediate);
    assert_sql_error(immediate.answers[2], "23503");
    assert_int_equal(count("noted"), 1);
    app_close(&app);
}

static void a_deadlock_runs_one_of_them_again(void **state)
{
    (void)state;
    static const char *const up[] = {"update counter set n = n + 1 where id = 1", "select pg_sleep(0.5)",
        "update counter set n = n + 1 where id = 2", NULL};
    static const char *const down[] = {"update counter set n = n + 1 where id = 2", "select pg_sleep(0.5)",
        "update counter set n = n + 1 where id = 1", NULL};
    struct app app = {0};
    struct batch one = {.sql = up}, two = {.sql = down};
    app_start(&app, &cluster, "pool = { min = 3; max = 5; };");
    APP_UNTIL(&app, app_pool(&app, PRIMARY).available >= 3);
    batch_send(&app, &one);
    batch_send(&app, &two);
    app_wait(one.done);
    app_wait(two.done);
    batch_assert_all(&one, PQR_STATUS_OK, PQR_OUTCOME_EXECUTED);
    batch_assert_all(&two, PQR_STATUS_OK, PQR_OUTCOME_EXECUTED);
    assert_true(one.done->attempts + two.done->attempts >= 3); /* both may be taken for the victim */
    assert_int_equal(cluster_long(&cluster, 0, "select sum(n) from counter"), 4);
    app_close(&app);
}

static void a_conflict_is_told_after_max_attempts(void **state)
{
    (void)state;
    static const char *const sql[] = {"select n from counter where id = 1", "select pg_sleep(0.5)",
        "update counter set n = n + 1 where id = 1", NULL};
    struct app app = {0};
    struct batch one = {.sql = sql, .options = {.isolation = PQR_REPEATABLE_READ, .max_attempts = 1}},
                 two = one;
    app_start(&app, &cluster, "pool = { min = 3; max = 5; };");
    APP_UNTIL(&app, app_pool(&app, PRIMARY).available >= 3);
    batch_send(&app, &one);
    batch_send(&app, &two);
    app_wait(one.done);
    app_wait(two.done);
    struct batch *winner = one.done->status == PQR_STATUS_OK ? &one : &two;
    assert_ok(winner->done);
    assert_sql_error((winner == &one ? &two : &one)->done, "40001");
    assert_int_equal(cluster_long(&cluster, 0, "select n from counter where id = 1"), 1);
    app_close(&app);
}

static void wait_for_sleep(struct app *app)
{
    APP_UNTIL(app,
        cluster_long(&cluster, 0,
            "select count(*) from pg_stat_activity where usename = 'app' and wait_event = 'PgSleep'") > 0);
}

static void cancelled_it_has_no_effect(void **state)
{
    (void)state;
    static const char *const sql[] = {
        "insert into noted values (1)", "select pg_sleep(50)", "insert into noted values (2)", NULL};
    struct app app = {0};
    struct batch batch = {.sql = sql};
    app_start(&app, &cluster, ONE);
    batch_send(&app, &batch);
    wait_for_sleep(&app);
    assert_int_equal(pqr_request_cancel(app.router, batch.done->id), 0);
    app_wait(batch.done);
    batch_assert_all(&batch, PQR_STATUS_CANCELLED, PQR_OUTCOME_NOT_EXECUTED);
    assert_int_equal(count("noted"), 0);
    batch = (struct batch){.sql = sql, .options = {.timeout_ms = 300}};
    batch_run(&app, &batch);
    batch_assert_all(&batch, PQR_STATUS_TIMEOUT, PQR_OUTCOME_NOT_EXECUTED);
    assert_int_equal(count("noted"), 0);
    app_close(&app);
}

/* COMMIT is on its way: nobody can know, and here nothing was done. */
static void lost_it_is_unknown(void **state)
{
    (void)state;
    static const char *const sql[] = {"insert into noted values (1)", "select pg_sleep(50)", NULL};
    struct app app = {0};
    struct batch batch = {.sql = sql};
    app_start(&app, &cluster, ONE);
    batch_send(&app, &batch);
    wait_for_sleep(&app);
    cluster_exec(&cluster, 0,
        "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'app' and wait_event = "
        "'PgSleep'");
    app_wait(batch.done);
    batch_assert_all(&batch, PQR_STATUS_LOST, PQR_OUTCOME_UNKNOWN);
    assert_int_equal(count("noted"), 0);
    app_close(&app);
}

/* Promises 4 and 5, wherever the connection ends: all or nothing, and what is told is so. */
static void whenever_it_is_lost_it_is_all_or_nothing(void **state)
{
    (void)state;
    static const char *const sql[] = {
        "insert into noted values (1)", "insert into noted values (2)", "insert into noted values (3)", NULL};
    enum { MANY = 20 };
    struct app app = {0};
    app_start(&app, &cluster, "pool = { min = 2; max = 4; };");
    for (int round = 0; round < ROUNDS; round++) {
        struct batch batches[MANY];
        long executed = 0, unknown = 0;
        for (int i = 0; i < MANY; i++) {
            batches[i] = (struct batch){.sql = sql};
            batch_send(&app, &batches[i]);
        }
        app_wait(batches[round % MANY].done);
        cluster_exec(&cluster, 0,
            "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'app' and (query like "
            "'insert into noted%' or query = 'COMMIT' or query = 'BEGIN')");
        for (int i = 0; i < MANY; i++) {
            app_wait(batches[i].done);
            batch_assert_all(&batches[i], batches[i].done->status, batches[i].done->outcome);
            executed += batches[i].done->outcome == PQR_OUTCOME_EXECUTED;
            unknown += batches[i].done->outcome == PQR_OUTCOME_UNKNOWN;
        }
        long there = count("noted");
        assert_int_equal(there % 3, 0);
        assert_true(there / 3 >= executed && there / 3 <= executed + unknown);
        zero(state);
    }
    app_close(&app);
}

static void what_cannot_be_part_of_it_is_refused_with_all(void **state)
{
    (void)state;
    static const char *const bad[] = {"commit", "copy noted from stdin", "call note(1)", "select 1; select 2",
        "vacuum noted", "do 'begin perform 1; end'", "gibberish"};
    struct app app = {0};
    app_start(&app, &cluster, ONE);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        const char *const sql[] = {"insert into noted values (1)", bad[i], NULL};
        struct batch batch = {.sql = sql};
        batch_run(&app, &batch);
        batch_assert_all(&batch, PQR_STATUS_SQL_ERROR, PQR_OUTCOME_NOT_EXECUTED);
        assert_sql_error(batch.done, "0A000");
        assert_sql_error(batch.answers[1], "0A000");
        assert_non_null(
            strstr(batch.done->error, "query 2 of the batch can't be sent in one, and so none was: "));
    }
    assert_int_equal(count("noted"), 0);
    app_close(&app);
}

static void session_state_is_left_to_nobody(void **state)
{
    (void)state;
    static const char *const sql[] = {"set local statement_timeout = '77s'", "set search_path = nowhere",
        "select current_setting('statement_timeout')", NULL};
    struct app app = {0};
    struct batch batch = {.sql = sql};
    app_start(&app, &cluster, ONE);
    batch_run(&app, &batch);
    batch_assert_all(&batch, PQR_STATUS_OK, PQR_OUTCOME_EXECUTED);
    assert_string_equal(answer_value(batch.answers[2], 0, 0), "77s");
    assert_ok(app_run(&app, "insert into noted values (1)"));
    app_close(&app);
}

static void a_prepared_statement_that_went_stale_is_healed(void **state)
{
    (void)state;
    static const char *const sql[] = {"insert into noted values (1)", "", NULL};
    struct app app = {0};
    pqr_statement *statement = NULL;
    assert_int_equal(pqr_statement_new(&statement, "select * from shape"), 0);
    app_start(&app, &cluster, ONE);
    for (int i = 0; i < 5; i++) {
        struct batch batch = {.sql = sql, .statement = statement};
        batch_run(&app, &batch);
        assert_ok(batch.done);
    }
    assert_true(cluster_long(&cluster, 0, "select 1") == 1);
    cluster_exec(&cluster, 0, "alter table shape add column b int default 7");
    struct batch batch = {.sql = sql, .statement = statement};
    batch_run(&app, &batch);
    cluster_exec(&cluster, 0, "alter table shape drop column b");
    batch_assert_all(&batch, PQR_STATUS_OK, PQR_OUTCOME_EXECUTED);
    assert_string_equal(answer_value(batch.answers[1], 0, 1), "7");
    assert_true(app_totals(&app).retries > 0);
    assert_int_equal(count("noted"), 6);
    app_close(&app);
    pqr_statement_free(statement);
}

static void answers_that_are_too_large_leave_it_unknown(void **state)
{
    (void)state;
    static const char *const sql[] = {
        "insert into noted values (1)", "select repeat('x', 1000) from generate_series(1, 20000)", NULL};
    struct app app = {0};
    struct batch batch = {.sql = sql};
    app_start(&app, &cluster, ONE "request = { max_result = \"1MB\"; };");
    batch_run(&app, &batch);
    assert_ended(batch.done, PQR_STATUS_LOST, PQR_OUTCOME_UNKNOWN);
    assert_string_equal(batch.done->sqlstate, "54000");
    app_close(&app);
}

/* --- what is asked for wrongly, and the end --- */

static void what_makes_no_sense_is_refused_without_a_callback(void **state)
{
    (void)state;
    struct app app = {0};
    app_start(&app, &cluster, ONE);
    pqr_query good = PQR_QUERY_INIT, bad = PQR_QUERY_INIT;
    good.sql = "select 1";
    struct answer *done = app_answer(&app);
    pqr_batch_query list[2] = {{&good, app_on_reply, done}, {&bad, app_on_reply, done}};
    pqr_batch_options options = PQR_BATCH_OPTIONS_INIT;
    assert_int_equal(pqr_batch_run(NULL, app.router, NULL, list, 0, app_on_reply, done), PQR_EINVAL);
    assert_int_equal(pqr_batch_run(NULL, app.router, NULL, NULL, 1, app_on_reply, done), PQR_EINVAL);
    assert_int_equal(pqr_batch_run(NULL, app.router, NULL, list, 2, app_on_reply, done), PQR_EINVAL);
    assert_int_equal(pqr_batch_run(NULL, app.router, NULL, list, 1, NULL, done), PQR_EINVAL);
    assert_int_equal(pqr_batch_run(NULL, NULL, NULL, list, 1, app_on_reply, done), PQR_EINVAL);
    options.flags = PQR_ADMIN | PQR_BATCH;
    assert_int_equal(pqr_batch_run(NULL, app.router, &options, list, 1, app_on_reply, done), PQR_EINVAL);
    app_turn(&app, 50);
    assert_int_equal(done->calls, 0);
    list[0].cb = NULL; /* nobody asks for its reply */
    app_accepted(done, pqr_batch_run(NULL, app.router, NULL, list, 1, app_on_reply, done));
    assert_ok(app_wait(done));
    app_close(&app);
}

static void closing_answers_everybody(void **state)
{
    (void)state;
    static const char *const slow[] = {"insert into noted values (1)", "select pg_sleep(50)", NULL};
    static const char *const reads[] = {"select pg_sleep(50)", "select pg_sleep(51)", NULL};
    struct app app = {0};
    struct batch flying = {.sql = slow}, waiting = {.sql = slow}, read = {.sql = reads};
    app_start(&app, &cluster, ONE);
    batch_send(&app, &flying);
    batch_send(&app, &waiting);
    batch_start(&app, &read);
    wait_for_sleep(&app);
    pqr_router_close(app.router, 0, NULL, NULL);
    app_wait(flying.done);
    app_wait(read.done);
    batch_assert_all(&waiting, PQR_STATUS_CLOSED, PQR_OUTCOME_NOT_EXECUTED);
    assert_int_equal(flying.done->status, PQR_STATUS_CLOSED);
    assert_int_equal(read.done->status, PQR_STATUS_CLOSED);
    app_ended(&app);
    assert_int_equal(count("noted"), 0);
}

#define TEST(name) cmocka_unit_test_setup(name, zero)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(writes_are_one_transaction),
        TEST(one_that_fails_rolls_all_back),
        TEST(a_deferred_constraint_fails_the_whole),
        TEST(what_wants_a_transaction_block_is_part_of_one),
        TEST(a_deadlock_runs_one_of_them_again),
        TEST(a_conflict_is_told_after_max_attempts),
        TEST(cancelled_it_has_no_effect),
        TEST(lost_it_is_unknown),
        TEST(whenever_it_is_lost_it_is_all_or_nothing),
        TEST(what_cannot_be_part_of_it_is_refused_with_all),
        TEST(session_state_is_left_to_nobody),
        TEST(a_prepared_statement_that_went_stale_is_healed),
        TEST(answers_that_are_too_large_leave_it_unknown),
        TEST(what_makes_no_sense_is_refused_without_a_callback),
        TEST(closing_answers_everybody),
    };
    return SUITE_RUN(tests, 1, tables);
}
