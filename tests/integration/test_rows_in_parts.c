/* Large results that are read in parts, from a primary and its replica: to the end, not to the end, and when something
   goes wrong in between. */
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

#define SETTINGS "pool = { min = 1; max = 4; }; "

static const char tables[] =
    "set role app; create table parent (n int primary key);"
    "create table child (n int references parent deferrable initially deferred);"
    "create table filled as select n, repeat('x', 100) as text from generate_series(1, 100000) n";

/* What the rows callback saw of the one request that a test has at a time. */
static struct seen {
    struct app *app;
    struct answer *answer;
    unsigned parts, largest;
    long rows, last;                                 /* last: the number in the last row */
    long at;                                         /* from this row on, once: */
    int (*then)(struct seen *seen, pqr_reply *part); /* its answer is the callback's */
} seen;

/* Rows are numbered from 1 in their first column. */
static int on_rows(pqr_reply *part, void *data)
{
    int n = pqr_reply_rows(part);
    assert_ptr_equal(data, seen.answer);
    assert_false(seen.answer->done);
    assert_true(n > 0);
    seen.parts++;
    seen.largest = (unsigned)n > seen.largest ? (unsigned)n : seen.largest;
    seen.rows += n;
    for (int i = 0; i < n; i++)
        assert_int_equal(strtol(pqr_reply_value_at(part, i, 0, NULL), NULL, 10), ++seen.last);
    int (*then)(struct seen *, pqr_reply *) = seen.then;
    if (!then || seen.rows < seen.at)
        return 0;
    seen.then = NULL;
    return then(&seen, part);
}

static void look_for(long at, int (*then)(struct seen *seen, pqr_reply *part))
{
    seen.at = at;
    seen.then = then;
}

static struct answer *send_query(struct app *app, pqr_query *query)
{
    seen = (struct seen){.app = app, .at = seen.at, .then = seen.then};
    seen.answer = app_answer(app);
    query->rows = on_rows;
    return app_accepted(
        seen.answer, pqr_query_run(&seen.answer->id, app->router, query, app_on_reply, seen.answer));
}

static struct answer *run_on(struct app *app, pqr_target target, const char *sql)
{
    pqr_query query = PQR_QUERY_INIT;
    query.sql = sql;
    query.target = target;
    struct answer *answer = app_wait(send_query(app, &query));
    look_for(0, NULL);
    return answer;
}

static struct answer *run(struct app *app, const char *sql)
{
    return run_on(app, PQR_TARGET_AUTO, sql);
}

static void check_columns(struct answer *answer, pqr_reply *reply)
{
    assert_int_equal(pqr_reply_rows(reply), 0);
    assert_int_equal(pqr_reply_columns(reply), 2);
    assert_int_equal(pqr_reply_column(reply, "text"), 1);
    answer->data = answer;
}

/* Ten megabytes, of which no more than a hundred kilobytes are held at a time. */
static void a_result_far_above_max_result_is_read_to_its_end(void **state)
{
    (void)state;
    static const uint32_t at_once[] = {0, 1, 7, 500};
    struct app app = {0};
    app_start(&app, &cluster, SETTINGS "request = { max_result = \"100kB\"; };");
    for (size_t i = 0; i < sizeof(at_once) / sizeof(*at_once); i++) {
        pqr_query query = PQR_QUERY_INIT;
        query.sql = "select n, text from filled order by n";
        query.rows_at_once = at_once[i];
        struct answer *answer = send_query(&app, &query);
        answer->then = check_columns;
        assert_ok(app_wait(answer));
        assert_ptr_equal(answer->data, answer);
        assert_int_equal(seen.rows, 100000);
        assert_int_equal(answer->rows, 0);
        assert_int_equal(answer->affected, 100000);
        assert_string_equal(answer->reason, "read");
        assert_in_range(seen.largest, 1, at_once[i] ? at_once[i] : 100);
    }
    app_close(&app);
}

static void a_part_above_max_result_is_an_error(void **state)
{
    (void)state;
    struct app app = {0};
    app_start(&app, &cluster, SETTINGS "request = { max_result = \"100kB\"; };");
    struct answer *answer = run(&app,
        "select n, repeat('x', case when n < 50 then 10 else 200000 end) from generate_series(1, 60) n");
    assert_int_equal(answer->status, PQR_STATUS_LOST);
    assert_string_equal(answer->sqlstate, "54000");
    assert_non_null(strstr(answer->error, "max_result"));
    assert_int_equal(answer->attempts, 1);
    assert_ok(app_run(&app, "select 1"));
    app_close(&app);
}

static int enough(struct seen *now, pqr_reply *part)
{
    (void)now;
    (void)part;
    return 1;
}

static int cancel(struct seen *now, pqr_reply *part)
{
    (void)part;
    assert_int_equal(pqr_request_cancel(now->app->router, now->answer->id), 0);
    return 0;
}

static void who_has_enough_is_shown_no_more(void **state)
{
    (void)state;
    int (*const ways[])(struct seen *, pqr_reply *) = {enough, cancel};
    struct app app = {0};
    app_start(&app, &cluster, SETTINGS);
    for (size_t i = 0; i < 2; i++) {
        look_for(1000, ways[i]);
        struct answer *answer = run(&app, "select generate_series(1, 100000000)");
        assert_ended(answer, PQR_STATUS_CANCELLED, PQR_OUTCOME_NOT_EXECUTED);
        assert_in_range(seen.rows, 1000, 1099);
        assert_ok(app_run(&app, "select 1"));
    }
    app_close(&app);
}

/* The last part was shown when it said so: there is nothing to be withheld. */
static void enough_at_the_end_is_the_end(void **state)
{
    (void)state;
    struct app app = {0};
    app_start(&app, &cluster, SETTINGS);
    look_for(10, enough);
    assert_ok(run(&app, "select n from generate_series(1, 10) n"));
    assert_int_equal(seen.rows, 10);
    app_close(&app);
}

static void an_error_in_the_middle_is_the_answer(void **state)
{
    (void)state;
    struct app app = {0};
    app_start(&app, &cluster, SETTINGS);
    struct answer *answer = run(&app, "select n, 1 / (5000 - n) from generate_series(1, 100000) n");
    assert_sql_error(answer, "22012");
    assert_int_equal(answer->outcome, PQR_OUTCOME_EXECUTED);
    assert_int_equal(answer->attempts, 1);
    assert_in_range(seen.rows, 4900, 4999);
    app_close(&app);
}

static int terminate(struct seen *now, pqr_reply *part)
{
    (void)now;
    (void)part;
    for (int i = 0; i < cluster.count; i++)
        cluster_exec(&cluster, i,
            "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'app' and query like "
            "'%filled%'");
    return 0;
}

/* Nobody knows what the rest would have been, and what was shown can't be taken back. */
static void a_connection_lost_in_the_middle_is_told(void **state)
{
    (void)state;
    static const char sql[] = "select generate_series(1, 1000000000) /* filled */";
    struct app app = {0};
    app_start(&app, &cluster, SETTINGS "reads = { primary = \"fallback\"; };");
    for (int i = 0; i < 2; i++) {
        look_for(1, terminate);
        struct answer *answer = run_on(&app, i ? PQR_TARGET_PRIMARY : PQR_TARGET_AUTO, sql);
        assert_ended(answer, PQR_STATUS_LOST, PQR_OUTCOME_UNKNOWN);
        assert_int_equal(answer->attempts, 1);
        assert_true(seen.rows > 0);
        APP_UNTIL(&app, app_run(&app, "select 1")->status == PQR_STATUS_OK);
    }
    app_close(&app);
}

/* Its session ends while it sorts: nothing was shown, and it runs again. */
static void a_connection_lost_before_the_first_row_is_not_seen(void **state)
{
    (void)state;
    struct app app = {0};
    pqr_query query = PQR_QUERY_INIT;
    app_start(&app, &cluster, SETTINGS);
    query.sql =
        "select n from filled where pg_sleep(case when n = 1 then 1 else 0 end) is not null order by n";
    query.target = PQR_TARGET_REPLICA;
    struct answer *answer = send_query(&app, &query);
    while (
        cluster_long(&cluster, 1,
            "select count(*) from pg_stat_activity where wait_event = 'PgSleep' and query like '%filled%'") ==
        0)
        app_turn(&app, 5);
    assert_int_equal(seen.rows, 0);
    terminate(&seen, NULL);
    assert_ok(app_wait(answer));
    assert_int_equal(seen.rows, 100000);
    assert_int_equal(answer->attempts, 2);
    app_close(&app);
}

static void a_timeout_counts_until_the_last_row(void **state)
{
    (void)state;
    struct app app = {0};
    pqr_query query = PQR_QUERY_INIT;
    app_start(&app, &cluster, SETTINGS);
    query.sql = "select generate_series(1, 1000000000)";
    query.timeout_ms = 300;
    struct answer *answer = app_wait(send_query(&app, &query));
    assert_int_equal(answer->status, PQR_STATUS_TIMEOUT);
    assert_true(seen.rows > 0);
    assert_ok(app_run(&app, "select 1"));
    app_close(&app);
}

/* Its rows are shown before it is committed. */
static void a_write_may_fail_behind_its_rows(void **state)
{
    (void)state;
    struct app app = {0};
    app_start(&app, &cluster, SETTINGS);
    struct answer *answer = run(&app, "insert into child select generate_series(1, 500) returning n");
    assert_sql_error(answer, "23503");
    assert_int_equal(seen.rows, 500);
    assert_string_equal(app_value(&app, "/*pqr:primary*/ select count(*) from child"), "0");
    answer = run(&app, "insert into parent select generate_series(1, 505) returning n");
    assert_ok(answer);
    assert_int_equal(seen.rows, 505);
    assert_int_equal(answer->affected, 505);
    answer = run(&app, "delete from parent where n = -1 returning n");
    assert_ok(answer);
    assert_int_equal(answer->affected, 0);
    assert_int_equal(seen.rows, 0);
    answer = run(&app, "delete from parent");
    assert_ok(answer);
    assert_int_equal(answer->affected, 505);
    app_close(&app);
}

static struct answer *statements[3];

static void body(pqr_tx *tx, unsigned attempt, void *data)
{
    struct answer *done = data;
    pqr_query query = PQR_QUERY_INIT;
    assert_int_equal(attempt, 1);
    statements[0] = app_tx_query(done->app, tx, "insert into parent values (1)");
    seen = (struct seen){.app = done->app};
    seen.answer = statements[1] = app_answer(done->app);
    query.sql = "select n from filled order by n";
    query.rows = on_rows;
    app_accepted(statements[1], pqr_tx_query(tx, &query, app_on_reply, statements[1]));
    statements[2] = app_tx_query(done->app, tx, "delete from parent returning n");
    assert_int_equal(pqr_tx_commit(tx), 0);
}

static void a_transaction_goes_on_behind_its_rows(void **state)
{
    (void)state;
    struct app app = {0};
    app_start(&app, &cluster, SETTINGS "request = { max_result = \"100kB\"; };");
    struct answer *done = app_answer(&app);
    app_accepted(done, pqr_tx_run(&done->id, app.router, NULL, body, app_on_reply, done));
    assert_ok(app_wait(done));
    assert_int_equal(seen.rows, 100000);
    for (int i = 0; i < 3; i++)
        assert_ok(statements[i]);
    assert_string_equal(answer_value(statements[2], 0, 0), "1");
    app_close(&app);
}

static void a_text_that_is_prepared_has_parts(void **state)
{
    (void)state;
    struct app app = {0};
    pqr_statement *statement = NULL;
    app_start(&app, &cluster, "pool = { min = 1; max = 3; };");
    assert_int_equal(pqr_statement_new(&statement, "select generate_series(1, $1::int)"), 0);
    for (int i = 0; i < 6; i++) {
        static const char *const values[] = {"2345"};
        pqr_query query = PQR_QUERY_INIT;
        query.statement = statement;
        query.n_params = 1;
        query.param_values = values;
        query.target = PQR_TARGET_PRIMARY;
        assert_ok(app_wait(send_query(&app, &query)));
        assert_int_equal(seen.rows, 2345);
        assert_int_equal(seen.answer->affected, 2345);
    }
    pqr_statement_free(statement);
    app_close(&app);
}

static PGresult *kept;

static int keep(struct seen *now, pqr_reply *part)
{
    (void)now;
    kept = pqr_reply_take(part);
    assert_int_equal(pqr_reply_rows(part), 0);
    return 0;
}

static void a_part_may_be_kept(void **state)
{
    (void)state;
    struct app app = {0};
    app_start(&app, &cluster, SETTINGS);
    look_for(1, keep);
    assert_ok(run(&app, "select n from generate_series(1, 1000) n"));
    assert_int_equal(seen.rows, 1000);
    assert_string_equal(PQgetvalue(kept, 0, 0), "1");
    PQclear(kept);
    app_close(&app);
}

static int close_router(struct seen *now, pqr_reply *part)
{
    (void)part;
    app_close_now(now->app);
    return 0;
}

static void the_router_may_be_closed_inside_a_part(void **state)
{
    (void)state;
    struct app app = {0};
    app_start(&app, &cluster, SETTINGS);
    look_for(1000, close_router);
    struct answer *answer = run(&app, "select generate_series(1, 100000000)");
    assert_int_equal(answer->status, PQR_STATUS_CLOSED);
    app_closed(&app);
}

static struct answer *others[40];

static int ask_others(struct seen *now, pqr_reply *part)
{
    (void)part;
    for (int i = 0; i < 40; i++)
        others[i] = app_send(now->app, "select 1");
    return 0;
}

/* However long it takes, nobody waits behind it. */
static void others_are_answered_meanwhile(void **state)
{
    (void)state;
    struct app app = {0};
    app_start(&app, &cluster, SETTINGS);
    look_for(1, ask_others);
    pqr_query query = PQR_QUERY_INIT;
    query.sql = "select generate_series(1, 1000000000)";
    struct answer *answer = send_query(&app, &query);
    while (!others[0])
        app_turn(&app, 1);
    for (int i = 0; i < 40; i++)
        assert_ok(app_wait(others[i]));
    assert_false(answer->done);
    assert_int_equal(pqr_request_cancel(app.router, answer->id), 0);
    assert_int_equal(app_wait(answer)->status, PQR_STATUS_CANCELLED);
    look_for(0, NULL);
    app_close(&app);
}

static void several_statements_and_batches_have_none(void **state)
{
    (void)state;
    struct app app = {0};
    app_start(&app, &cluster, SETTINGS);
    struct answer *answer = run(&app, "select 1; select 2");
    assert_sql_error(answer, "0A000");
    assert_int_equal(answer->outcome, PQR_OUTCOME_NOT_EXECUTED);
    assert_non_null(strstr(answer->error, "query.rows"));
    pqr_query query = PQR_QUERY_INIT;
    query.sql = "select 1";
    query.rows = on_rows;
    pqr_batch_query one = {.query = &query};
    assert_int_equal(pqr_batch_run(NULL, app.router, NULL, &one, 1, app_on_reply, NULL), PQR_EINVAL);
    assert_true(app_logged(&app, "query.rows is set, and a batch's answers come whole"));
    app_close(&app);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_result_far_above_max_result_is_read_to_its_end),
        cmocka_unit_test(a_part_above_max_result_is_an_error),
        cmocka_unit_test(who_has_enough_is_shown_no_more),
        cmocka_unit_test(enough_at_the_end_is_the_end),
        cmocka_unit_test(an_error_in_the_middle_is_the_answer),
        cmocka_unit_test(a_connection_lost_in_the_middle_is_told),
        cmocka_unit_test(a_connection_lost_before_the_first_row_is_not_seen),
        cmocka_unit_test(a_timeout_counts_until_the_last_row),
        cmocka_unit_test(a_write_may_fail_behind_its_rows),
        cmocka_unit_test(a_transaction_goes_on_behind_its_rows),
        cmocka_unit_test(a_text_that_is_prepared_has_parts),
        cmocka_unit_test(a_part_may_be_kept),
        cmocka_unit_test(the_router_may_be_closed_inside_a_part),
        cmocka_unit_test(others_are_answered_meanwhile),
        cmocka_unit_test(several_statements_and_batches_have_none),
    };
    return SUITE_RUN(tests, 1, tables);
}
