/* Reads that share a Sync, on real servers: which do, which never do, and what a neighbour notices. Those under one
   Sync are one transaction to the server, so that now() tells them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "flights.h"
#include "suite.h"

enum { MANY = 48 };

static const char tables[] = "set role app; create table la (n int); create table lb (n int);"
                             "create table shape (a int); insert into shape values (1)";

static void send_many(
    struct app *app, pqr_target target, uint32_t flags, const char *const sql[2], struct answer **answers)
{
    for (int i = 0; i < MANY; i++)
        answers[i] = app_send_to(app, target, flags, sql[i % 2]);
    for (int i = 0; i < MANY; i++)
        app_wait(answers[i]);
}

/* How many pairs shared a Sync; distance 1: different statements, 2: the same. */
static unsigned count_together(struct answer **answers, unsigned distance)
{
    for (int i = 0; i < MANY; i++)
        assert_ok(answers[i]);
    return flights_count(answers, MANY, distance);
}

static void reads_on_a_replica_share(void **state)
{
    (void)state;
    static const char *const sql[2] = {"select now() as a", "select now() as b"};
    struct answer *answers[MANY];
    struct app app = {0};
    app_start(&app, &cluster, FLIGHTS_SLOW);
    flights_warm(&app, PQR_TARGET_REPLICA, sql[0], NULL);
    flights_warm(&app, PQR_TARGET_REPLICA, sql[1], NULL);
    send_many(&app, PQR_TARGET_REPLICA, 0, sql, answers);
    assert_true(count_together(answers, 1) > MANY / 4);
    app_close(&app);
}

static void on_the_primary_one_statement_shares_and_two_never_do(void **state)
{
    (void)state;
    static const char *const same[2] = {"select now() as a", "select now() as a"};
    static const char *const two[2] = {"select now() as a", "select now() as b"};
    struct answer *answers[MANY];
    struct app app = {0};
    app_start(&app, &cluster, FLIGHTS_SLOW);
    flights_warm(&app, PQR_TARGET_PRIMARY, two[0], NULL);
    flights_warm(&app, PQR_TARGET_PRIMARY, two[1], NULL);
    send_many(&app, PQR_TARGET_PRIMARY, 0, same, answers);
    assert_true(count_together(answers, 1) > MANY / 4);
    send_many(&app, PQR_TARGET_PRIMARY, 0, two, answers);
    assert_int_equal(count_together(answers, 1), 0);
    app_close(&app);
}

static void who_wants_to_be_alone_is(void **state)
{
    (void)state;
    static const char *const sql[2] = {"select now() as a", "select now() as a"};
    struct answer *answers[MANY];
    struct app app = {0};
    app_start(&app, &cluster, FLIGHTS_SLOW);
    flights_warm(&app, PQR_TARGET_REPLICA, sql[0], NULL);
    send_many(&app, PQR_TARGET_REPLICA, PQR_ALONE, sql, answers);
    assert_int_equal(count_together(answers, 1), 0);
    app_close(&app);
    app = (struct app){0};
    app_start(&app, &cluster, FLIGHTS_ONE "reads = { share_sync = 1; };");
    flights_warm(&app, PQR_TARGET_REPLICA, sql[0], NULL);
    send_many(&app, PQR_TARGET_REPLICA, 0, sql, answers);
    assert_int_equal(count_together(answers, 1), 0);
    app_close(&app);
}

/* The server may refuse a serializable transaction for the sake of another: reads that are one would all be. */
static void expect_a_sync_each(const char *settings)
{
    static const char *const sql[2] = {"select now() as a", "select now() as a"};
    struct answer *answers[MANY];
    struct app app = {0};
    app_start(&app, &cluster, settings);
    flights_warm(&app, PQR_TARGET_PRIMARY, sql[0], NULL);
    send_many(&app, PQR_TARGET_PRIMARY, 0, sql, answers);
    assert_int_equal(count_together(answers, 1), 0);
    app_close(&app);
}

static void where_serializable_is_the_default_each_has_its_own_sync(void **state)
{
    (void)state;
    cluster_exec(&cluster, 0, "alter role app set default_transaction_isolation = serializable");
    expect_a_sync_each(FLIGHTS_SLOW);
    cluster_exec(&cluster, 0, "alter role app reset default_transaction_isolation");
}

static void and_where_init_sql_makes_it_the_default(void **state)
{
    (void)state;
    expect_a_sync_each(
        "pool = { min = 1; max = 3; init_sql = \"set default_transaction_isolation = serializable\"; };"
        "reads = { share_limit = \"1h\"; };");
}

static void a_statement_without_a_history_is_alone(void **state)
{
    (void)state;
    static const char *const sql[2] = {"select now() as new", "select now() as new"};
    struct answer *answers[MANY];
    struct app app = {0};
    app_start(&app, &cluster, FLIGHTS_ONE);
    for (int i = 0; i < 3; i++)
        answers[i] = app_send_to(&app, PQR_TARGET_REPLICA, 0, sql[0]);
    for (int i = 0; i < 3; i++)
        assert_ok(app_wait(answers[i]));
    assert_false(flights_together(answers[0], answers[1]));
    assert_false(flights_together(answers[1], answers[2]));
    app_close(&app);
}

static struct answer *divide(struct app *app, const char *by)
{
    return flights_send(app, PQR_TARGET_REPLICA, "select 1 / $1::int", by);
}

static void the_neighbours_of_one_that_fails_do_not_notice(void **state)
{
    (void)state;
    struct answer *answers[MANY];
    struct app app = {0};
    app_start(&app, &cluster, FLIGHTS_ONE);
    for (int i = 0; i < 10; i++)
        assert_ok(app_wait(divide(&app, "1")));
    for (int i = 0; i < MANY; i++)
        answers[i] = divide(&app, i % 12 == 5 ? "0" : "1");
    for (int i = 0; i < MANY; i++) {
        app_wait(answers[i]);
        if (i % 12 == 5)
            assert_sql_error(answers[i], "22012");
        else
            assert_ok(answers[i]);
    }
    app_close(&app);
}

static void a_prepared_statement_that_went_stale_is_parsed_anew(void **state)
{
    (void)state;
    struct app app = {0};
    app_start(&app, &cluster, FLIGHTS_ONE);
    flights_warm(&app, PQR_TARGET_PRIMARY, "select * from shape", NULL);
    assert_int_equal(app_run_to(&app, PQR_TARGET_PRIMARY, "select * from shape")->attempts, 1);
    uint64_t retries = app_totals(&app).retries;
    cluster_exec(&cluster, 0, "alter table shape add column b int default 7");
    struct answer *answer = app_run_to(&app, PQR_TARGET_PRIMARY, "select * from shape");
    assert_ok(answer);
    assert_string_equal(answer_value(answer, 0, 1), "7");
    assert_int_equal(answer->attempts, 1); /* nothing ran */
    assert_int_equal(app_totals(&app).retries, retries + 1);
    app_close(&app);
}

static void cancelling_one_leaves_the_others_their_answers(void **state)
{
    (void)state;
    static const char sql[] =
        "select now(), pg_sleep(case when clock_timestamp() - now() < '1s' then 0 else 0 end)";
    struct answer *answers[MANY];
    struct app app = {0};
    app_start(&app, &cluster, FLIGHTS_ONE);
    flights_warm(&app, PQR_TARGET_REPLICA, sql, NULL);
    for (int i = 0; i < MANY; i++)
        answers[i] = app_send_to(&app, PQR_TARGET_REPLICA, 0, sql);
    for (int i = 0; i < MANY; i += 7)
        pqr_request_cancel(app.router, answers[i]->id);
    for (int i = 0; i < MANY; i++) {
        app_wait(answers[i]);
        if (i % 7 != 0 || answers[i]->status == PQR_STATUS_OK)
            assert_ok(answers[i]);
        else
            assert_ended(answers[i], PQR_STATUS_CANCELLED, PQR_OUTCOME_NOT_EXECUTED);
    }
    app_close(&app);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_on_a_replica_share),
        cmocka_unit_test(on_the_primary_one_statement_shares_and_two_never_do),
        cmocka_unit_test(who_wants_to_be_alone_is),
        cmocka_unit_test(where_serializable_is_the_default_each_has_its_own_sync),
        cmocka_unit_test(and_where_init_sql_makes_it_the_default),
        cmocka_unit_test(a_statement_without_a_history_is_alone),
        cmocka_unit_test(the_neighbours_of_one_that_fails_do_not_notice),
        cmocka_unit_test(a_prepared_statement_that_went_stale_is_parsed_anew),
        cmocka_unit_test(cancelling_one_leaves_the_others_their_answers),
    };
    return SUITE_RUN(tests, 1, tables);
}
