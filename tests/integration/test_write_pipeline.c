/* writes.pipeline and PQR_PIPELINE on real servers: several writes in the air of one connection. Each is one on its
   own: its error is its own, and what became of it is told as it is, whatever becomes of its neighbours. */
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

enum { MANY = 60, ROUNDS = 20 };

/* On a slow machine, too, they are short. */
#define SLOW "reads = { share_limit = \"5s\"; };"
/* One connection for requests, beside the probe's and the administrator's. */
#define ONE "pool = { min = 1; max = 3; };" SLOW
#define ON  ONE "writes = { pipeline = true; };"

static const char tables[] =
    "set role app; create table counter (id int primary key, n int); create table noted (n int primary "
    "key);"
    "create procedure note(n int) language sql as 'insert into noted values (n)'";

static int zero(void **state)
{
    (void)state;
    cluster_exec(&cluster, 0,
        "truncate noted, counter; insert into counter select n, 0 from generate_series(1, 100) n");
    return 0;
}

static struct answer *add(struct app *app, uint32_t flags, int id, uint32_t timeout_ms)
{
    char text[12];
    const char *values[1] = {text};
    pqr_query query = PQR_QUERY_INIT;
    snprintf(text, sizeof(text), "%d", id);
    query.sql = "update counter set n = n + 1 where id = $1";
    query.n_params = 1;
    query.param_values = values;
    query.flags = flags;
    query.timeout_ms = timeout_ms;
    return app_send_query(app, &query);
}

static struct answer *note(struct app *app, int n)
{
    char text[12];
    const char *values[1] = {text};
    pqr_query query = PQR_QUERY_INIT;
    snprintf(text, sizeof(text), "%d", n);
    query.sql = "insert into noted values ($1)";
    query.n_params = 1;
    query.param_values = values;
    return app_send_query(app, &query);
}

/* Its history begins: of a statement that nothing is known of nobody can say that it is short. */
static void warm(struct app *app)
{
    for (int i = 0; i < 10; i++)
        assert_ok(app_wait(add(app, 0, 100, 0)));
    for (int i = 0; i < 10; i++)
        assert_ok(app_wait(note(app, -1 - i)));
}

static long counter(int id)
{
    char sql[80];
    snprintf(sql, sizeof(sql), "select n from counter where id = %d", id);
    return cluster_long(&cluster, 0, sql);
}

static uint64_t pipelined(struct app *app)
{
    return app_totals(app).pipelined_writes;
}

static void add_many(struct app *app, uint32_t flags)
{
    struct answer *answers[MANY];
    for (int i = 0; i < MANY; i++)
        answers[i] = add(app, flags, 1 + i % 3, 0);
    for (int i = 0; i < MANY; i++) {
        assert_ok(app_wait(answers[i]));
        assert_int_equal(answers[i]->affected, 1);
        assert_int_equal(answers[i]->attempts, 1);
    }
}

static void writes_follow_one_another_when_they_may(void **state)
{
    (void)state;
    struct app app = {0};
    app_start(&app, &cluster, ON);
    warm(&app);
    add_many(&app, 0);
    assert_true(pipelined(&app) > MANY / 2);
    assert_int_equal(counter(1) + counter(2) + counter(3), MANY);
    app_close(&app);
}

static void nothing_of_it_unless_it_is_asked_for(void **state)
{
    (void)state;
    struct app app = {0};
    app_start(&app, &cluster, ONE);
    warm(&app);
    add_many(&app, 0);
    assert_int_equal(pipelined(&app), 0);
    add_many(&app, PQR_PIPELINE);
    assert_true(pipelined(&app) > MANY / 2);
    app_close(&app);
    app = (struct app){0};
    zero(state);
    app_start(&app, &cluster, ON);
    warm(&app);
    add_many(&app, PQR_ALONE);
    assert_int_equal(pipelined(&app), 0);
    app_close(&app);
}

static void depth_one_is_one_at_a_time(void **state)
{
    (void)state;
    struct app app = {0};
    app_start(&app, &cluster,
        "pool = { min = 1; max = 3; pipeline_depth = 1; }; writes = { pipeline = true; };" SLOW);
    warm(&app);
    add_many(&app, 0);
    assert_int_equal(pipelined(&app), 0);
    app_close(&app);
}

static void the_error_of_one_is_its_own(void **state)
{
    (void)state;
    struct app app = {0};
    struct answer *answers[MANY];
    app_start(&app, &cluster, ON);
    warm(&app);
    for (int i = 0; i < MANY; i++)
        answers[i] = note(&app, i % 20 == 7 ? 7 : i); /* 27 and 47 become a second and a third 7 */
    for (int i = 0; i < MANY; i++) {
        app_wait(answers[i]);
        if (i % 20 == 7 && i > 7)
            assert_sql_error(answers[i], "23505");
        else
            assert_ok(answers[i]);
    }
    assert_true(pipelined(&app) > 0);
    assert_int_equal(cluster_long(&cluster, 0, "select count(*) from noted where n >= 0"), MANY - 2);
    app_close(&app);
}

/* What may leave more behind than it shows, or takes locks on definitions, has its connection for itself. */
static void others_never_do(void **state)
{
    (void)state;
    static const char *const sql[] = {"call note($1)", "do 'begin perform 1; end'", "begin; select 1; commit",
        "create table if not exists made (n int)", "vacuum noted"};
    struct app app = {0};
    app_start(&app, &cluster, ON);
    for (size_t i = 0; i < sizeof(sql) / sizeof(sql[0]); i++) {
        struct answer *answers[MANY];
        for (int n = 0; n < MANY; n++) {
            char text[12];
            const char *values[1] = {text};
            pqr_query query = PQR_QUERY_INIT;
            snprintf(text, sizeof(text), "%d", n + 1000);
            query.sql = sql[i];
            query.n_params = i == 0;
            query.param_values = values;
            query.flags = PQR_PIPELINE;
            answers[n] = app_send_query(&app, &query);
        }
        for (int n = 0; n < MANY; n++)
            assert_true(
                app_wait(answers[n])->status == PQR_STATUS_OK || i == 2); /* refused: it is a transaction */
    }
    assert_int_equal(pipelined(&app), 0);
    assert_int_equal(cluster_long(&cluster, 0, "select count(*) from noted where n >= 1000"), MANY);
    app_close(&app);
}

/* Promises 4 and 5, wherever the connection ends. */
static void a_lost_connection_leaves_no_outcome_guessed(void **state)
{
    (void)state;
    unsigned unknown = 0;
    struct app app = {0};
    app_start(&app, &cluster, ON);
    warm(&app);
    for (int round = 0; round < ROUNDS; round++) {
        struct answer *answers[MANY];
        for (int i = 0; i < MANY; i++)
            answers[i] = note(&app, round * MANY + i);
        app_wait(answers[round * 2]);
        cluster_exec(&cluster, 0,
            "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'app' and query like "
            "'insert into noted%'");
        for (int i = 0; i < MANY; i++) {
            char sql[80];
            snprintf(sql, sizeof(sql), "select count(*) from noted where n = %d", round * MANY + i);
            app_wait(answers[i]);
            long there = cluster_long(&cluster, 0, sql);
            if (answers[i]->outcome == PQR_OUTCOME_UNKNOWN)
                assert_int_equal(answers[i]->status, PQR_STATUS_LOST);
            else
                assert_int_equal(there, answers[i]->outcome == PQR_OUTCOME_EXECUTED);
            assert_true(there <= 1);
            unknown += answers[i]->outcome == PQR_OUTCOME_UNKNOWN;
        }
    }
    assert_true(unknown > 0);
    app_close(&app);
}

static PGconn *lock_row(int id)
{
    char sql[80];
    PGconn *pg = PQconnectdb(cluster_conninfo(&cluster, 0));
    snprintf(sql, sizeof(sql), "begin; select from counter where id = %d for update", id);
    PQclear(PQexec(pg, sql));
    assert_int_equal(PQtransactionStatus(pg), PQTRANS_INTRANS);
    return pg;
}

static void wait_for_a_lock(struct app *app)
{
    APP_UNTIL(app,
        cluster_long(&cluster, 0,
            "select count(*) from pg_stat_activity where usename = 'app' and wait_event_type = 'Lock'") > 0);
}

/* The cancel hits the one before it, which rolls back and is run again. */
static void cancelling_one_leaves_its_neighbours_their_effect_once(void **state)
{
    (void)state;
    struct app app = {0};
    app_start(&app, &cluster, ON);
    warm(&app);
    PGconn *holder = lock_row(1);
    struct answer *before = add(&app, 0, 100, 0); /* the others, which wait for it, go out together */
    struct answer *first = add(&app, 0, 1, 0), *second = add(&app, 0, 2, 0), *third = add(&app, 0, 3, 0);
    assert_ok(app_wait(before));
    wait_for_a_lock(&app);
    assert_true(pipelined(&app) > 0);
    pqr_request_cancel(app.router, second->id);
    app_wait(second);
    assert_false(first->done);
    PQfinish(holder); /* the third may have been hit as well: it then comes again behind the first */
    assert_ok(app_wait(third));
    assert_ok(app_wait(first));
    if (second->status != PQR_STATUS_OK)
        assert_ended(second, PQR_STATUS_CANCELLED, PQR_OUTCOME_NOT_EXECUTED);
    assert_int_equal(counter(1), 1);
    assert_int_equal(counter(2), second->status == PQR_STATUS_OK);
    assert_int_equal(counter(3), 1);
    app_close(&app);
}

/* Two wait for the row before the one that is to end: each is cancelled in its turn. */
static void several_that_run_out_of_time_come_to_a_clear_end(void **state)
{
    (void)state;
    struct app app = {0};
    app_start(&app, &cluster, ON "request = { cancel_grace = \"5s\"; };");
    warm(&app);
    PGconn *holder = lock_row(1);
    struct answer *answers[4], *before = add(&app, 0, 100, 0);
    for (int i = 0; i < 4; i++)
        answers[i] = add(&app, 0, 1, 300);
    assert_ok(app_wait(before));
    assert_true(pipelined(&app) > 0);
    for (int i = 0; i < 4; i++)
        assert_ended(app_wait(answers[i]), PQR_STATUS_TIMEOUT, PQR_OUTCOME_NOT_EXECUTED);
    PQfinish(holder);
    assert_ok(app_wait(add(&app, 0, 2, 0)));
    assert_int_equal(counter(1), 0);
    app_close(&app);
}

static void reads_of_the_primary_join_writes(void **state)
{
    (void)state;
    struct app app = {0};
    struct answer *answers[MANY];
    app_start(&app, &cluster, ON);
    warm(&app);
    for (int i = 0; i < 10; i++)
        app_run_to(&app, PQR_TARGET_PRIMARY, "select n from counter where id = 1");
    for (int i = 0; i < MANY; i++)
        answers[i] = i % 2 ? add(&app, 0, 1, 0)
                           : app_send_to(&app, PQR_TARGET_PRIMARY, 0, "select n from counter where id = 1");
    for (int i = 0; i < MANY; i++)
        assert_ok(app_wait(answers[i]));
    assert_int_equal(counter(1), MANY / 2);
    assert_true(pipelined(&app) > 0);
    app_close(&app);
}

#define TEST(name) cmocka_unit_test_setup(name, zero)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(writes_follow_one_another_when_they_may),
        TEST(nothing_of_it_unless_it_is_asked_for),
        TEST(depth_one_is_one_at_a_time),
        TEST(the_error_of_one_is_its_own),
        TEST(others_never_do),
        TEST(a_lost_connection_leaves_no_outcome_guessed),
        TEST(cancelling_one_leaves_its_neighbours_their_effect_once),
        TEST(several_that_run_out_of_time_come_to_a_clear_end),
        TEST(reads_of_the_primary_join_writes),
    };
    return SUITE_RUN(tests, 0, tables);
}
