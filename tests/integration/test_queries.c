/* What goes into a request and what comes back, against a real server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>
#include <cmocka.h>

#include "app.h"
#include "suite.h"

#define SETTINGS "pool = { min = 1; max = 4; };"

static const char tables[] =
    "set role app; create table parent (n int primary key);"
    "create table child (n int references parent deferrable initially deferred, check (n < 1000))";

static void parameters_arrive_as_text_binary_and_null(void **state)
{
    (void)state;
    struct app app = {0};
    app_start(&app, &cluster, SETTINGS);
    uint32_t number = htonl(42);
    const char bytes[] = {'a', '\0', 'b'};
    const char *values[] = {"it's", (const char *)&number, NULL, bytes, "{1,2}"};
    const Oid types[] = {0, 23, 0, 17, 0};
    const int lengths[] = {0, 4, 0, 3, 0}, formats[] = {0, 1, 0, 1, 0};
    pqr_query query = PQR_QUERY_INIT;
    query.sql = "select $1::text as word, $2 + 1 as number, $3::text is null as none, length($4) as bytes, "
                "($5::int[])[2] as item";
    query.n_params = 5;
    query.param_values = values;
    query.param_types = types;
    query.param_lengths = lengths;
    query.param_formats = formats;
    struct answer *answer = app_send_query(&app, &query);
    number = 0; /* copied: the caller may reuse all of it */
    values[0] = "changed";
    app_wait(answer);
    assert_ok(answer);
    static const char *const expected[] = {"it's", "43", "t", "3", "2"};
    for (int i = 0; i < 5; i++)
        assert_string_equal(answer_value(answer, 0, i), expected[i]);
    app_close(&app);
}

static void a_statement_runs_many_times_and_may_be_given_up_meanwhile(void **state)
{
    (void)state;
    struct app app = {0};
    pqr_statement *statement = NULL;
    struct answer *answers[20];
    app_start(&app, &cluster, SETTINGS);
    assert_int_equal(pqr_statement_new(&statement, "select $1::int * 2, inet_server_port()"), 0);
    for (int i = 0; i < 20; i++) {
        char text[12];
        const char *values[] = {text};
        pqr_query query = PQR_QUERY_INIT;
        query.statement = statement;
        query.n_params = 1;
        query.param_values = values;
        snprintf(text, sizeof(text), "%d", i);
        answers[i] = app_send_query(&app, &query);
    }
    pqr_statement_free(statement);
    for (int i = 0; i < 20; i++) {
        assert_ok(app_wait(answers[i]));
        assert_int_equal(strtol(answer_value(answers[i], 0, 0), NULL, 10), 2 * i);
        assert_string_equal(answers[i]->reason, "read");
    }
    app_close(&app);
}

static void look_by_name(struct answer *answer, pqr_reply *reply)
{
    int length = -1;
    assert_int_equal(pqr_reply_rows(reply), 2);
    assert_int_equal(pqr_reply_columns(reply), 3);
    assert_int_equal(pqr_reply_column(reply, "Word"), 1);
    assert_int_equal(pqr_reply_column(reply, "word"), -1);
    assert_string_equal(pqr_reply_value(reply, 1, "n", &length), "22");
    assert_int_equal(length, 2);
    assert_null(pqr_reply_value(reply, 0, "none", NULL));
    assert_null(pqr_reply_value(reply, 2, "n", NULL));
    assert_null(pqr_reply_value(reply, 0, "absent", NULL));
    assert_null(pqr_reply_value_at(reply, 0, 3, NULL));
    assert_null(pqr_reply_value_at(reply, -1, 0, NULL));
    assert_string_equal(pqr_reply_value_at(reply, 0, 1, NULL), "w");
    assert_int_equal(pqr_reply_affected(reply), 2);
    answer->data = answer; /* it was called */
}

static void rows_are_found_by_name_and_number(void **state)
{
    (void)state;
    struct app app = {0};
    app_start(&app, &cluster, SETTINGS);
    struct answer *answer =
        app_send(&app, "select n, 'w' as \"Word\", null as none from (values (11), (22)) as v(n)");
    answer->then = look_by_name;
    assert_ok(app_wait(answer));
    assert_ptr_equal(answer->data, answer);
    app_close(&app);
}

static void result_format_is_as_asked_for(void **state)
{
    (void)state;
    struct app app = {0};
    app_start(&app, &cluster, SETTINGS);
    pqr_query query = PQR_QUERY_INIT;
    query.sql = "select 258::int4";
    query.result_format = 1;
    struct answer *answer = app_run_query(&app, &query);
    assert_ok(answer);
    assert_int_equal(PQgetlength(answer->result, 0, 0), 4);
    assert_memory_equal(PQgetvalue(answer->result, 0, 0), "\0\0\1\2", 4);
    query.result_format = 0;
    assert_string_equal(answer_value(app_run_query(&app, &query), 0, 0), "258");
    app_close(&app);
}

static void notices_come_with_the_reply(void **state)
{
    (void)state;
    struct app app = {0};
    app_start(&app, &cluster, SETTINGS);
    struct answer *answer = app_run(&app, "do $$begin raise warning 'first' using errcode = '01ABC'; for i "
                                          "in 1..9 loop raise notice 'more'; end loop; end$$");
    assert_ok(answer);
    assert_int_equal(answer->notices, 10);
    assert_string_equal(answer->notice.sqlstate, "01ABC");
    assert_string_equal(answer->notice.severity, "WARNING");
    assert_string_equal(answer->notice.text, "first");
    assert_int_equal(app_run(&app, "select 1")->notices, 0); /* not those of before */
    app_close(&app);
}

static void affected_rows_are_counted(void **state)
{
    (void)state;
    struct app app = {0};
    app_start(&app, &cluster, SETTINGS);
    assert_int_equal(app_run(&app, "insert into parent select generate_series(1, 5)")->affected, 5);
    assert_int_equal(app_run(&app, "delete from parent where n > 3")->affected, 2);
    assert_int_equal(app_run(&app, "create table nothing ()")->affected, -1);
    app_close(&app);
}

static void statement_errors_carry_their_sqlstate(void **state)
{
    (void)state;
    static const struct {
        const char *sql, *sqlstate;
    } cases[] = {
        {"selec 1", "42601"},
        {"select * from absent_table", "42P01"},
        {"select 1/0", "22012"},
        {"insert into parent values (1)", "23505"},
        {"insert into child values (5000)", "23514"},
        {"select 'x'::int", "22P02"},
        {"drop table absent_table", "42P01"},
        {"alter system set work_mem = '1MB'", "42501"},
    };
    struct app app = {0};
    app_start(&app, &cluster, SETTINGS);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct answer *answer = app_run(&app, cases[i].sql);
        assert_sql_error(answer, cases[i].sqlstate);
        assert_true(answer->error[0] != '\0');
        assert_int_equal(answer->attempts, 1);
    }
    assert_string_equal(app_value(&app, "select 1"), "1"); /* the connections are as good as before */
    pqr_pool_stats pool = app_pool(&app, 0);
    assert_int_equal(pool.connects, pool.available + pool.allocated); /* the catalog may be being read */
    app_close(&app);
}

/* The server says INSERT 0 1 first and refuses at the commit. */
static void deferred_constraint_error_is_the_outcome_of_an_insert(void **state)
{
    (void)state;
    struct app app = {0};
    app_start(&app, &cluster, SETTINGS);
    struct answer *answer = app_run(&app, "insert into child values (999)");
    assert_sql_error(answer, "23503");
    assert_int_equal(answer->outcome, PQR_OUTCOME_EXECUTED);
    assert_string_equal(app_value(&app, "select count(*) from child"), "0");
    app_close(&app);
}

static void hundred_thousand_rows_come_whole(void **state)
{
    (void)state;
    struct app app = {0};
    app_start(&app, &cluster, SETTINGS);
    struct answer *answer =
        app_run(&app, "select n, 'row number ' || n from generate_series(1, 100000) as n");
    assert_ok(answer);
    assert_int_equal(answer->rows, 100000);
    assert_string_equal(answer_value(answer, 99999, 1), "row number 100000");
    app_close(&app);
}

static void ten_megabyte_parameter_goes_out_and_back(void **state)
{
    (void)state;
    enum { SIZE = 10 * 1024 * 1024 };
    struct app app = {0};
    app_start(&app, &cluster, SETTINGS);
    char *big = malloc(SIZE + 1);
    assert_non_null(big);
    for (size_t i = 0; i < SIZE; i++)
        big[i] = (char)('a' + i % 26);
    big[SIZE] = '\0';
    const char *values[] = {big};
    pqr_query query = PQR_QUERY_INIT;
    query.sql = "select $1::text";
    query.n_params = 1;
    query.param_values = values;
    struct answer *answer = app_run_query(&app, &query);
    assert_ok(answer);
    assert_string_equal(answer_value(answer, 0, 0), big);
    free(big);
    app_close(&app);
}

static void answer_over_max_result_is_cut_off_by_an_error(void **state)
{
    (void)state;
    struct app app = {0};
    app_start(&app, &cluster, SETTINGS "request = { max_result = \"1MB\"; };");
    struct answer *answer = app_run(&app, "select repeat('x', 1000) from generate_series(1, 100000)");
    assert_ended(answer, PQR_STATUS_LOST, PQR_OUTCOME_UNKNOWN);
    assert_string_equal(answer->sqlstate, "54000");
    assert_non_null(strstr(answer->error, "max_result"));
    assert_int_equal(answer->rows, 0);
    assert_int_equal(answer->attempts, 1); /* it would be as large the next time */
    answer = app_run(&app, "select repeat('x', 1000) from generate_series(1, 500)");
    assert_ok(answer);
    assert_int_equal(answer->rows, 500);
    app_close(&app);
}

/* libpq has all of it with its first read, when nothing could be measured yet. */
static void an_answer_that_is_there_at_once_is_measured_too(void **state)
{
    (void)state;
    static const char *const sql[] = {
        "select repeat('x', 12000)", "select repeat('x', 100) from generate_series(1, 100)"};
    struct app app = {0};
    app_start(&app, &cluster, SETTINGS "request = { max_result = \"8kB\"; };");
    for (int i = 0; i < 2; i++) {
        struct answer *answer = app_run(&app, sql[i]);
        assert_ended(answer, PQR_STATUS_LOST, PQR_OUTCOME_UNKNOWN);
        assert_string_equal(answer->sqlstate, "54000");
        assert_non_null(strstr(answer->error, "8192 bytes"));
        assert_int_equal(answer->rows, 0);
    }
    assert_ok(app_run(&app, "select repeat('x', 8000)"));
    /* What libpq makes of short rows is several times as large; what was sent counts. */
    assert_ok(app_run(&app, "select n from generate_series(1, 500) as n"));
    app_close(&app);
}

/* The buffer that a row of 20 MB was read into is libpq's for ever. */
static void a_connection_that_a_row_has_made_large_is_not_kept(void **state)
{
    (void)state;
    struct app app = {0};
    app_start(&app, &cluster, SETTINGS);
    const char *sql = "select pg_backend_pid()";
    struct answer *answer =
        app_run_to(&app, PQR_TARGET_PRIMARY, "select pg_backend_pid(), repeat('x', 20000000)");
    assert_ok(answer);
    for (int i = 0; i < 10; i++)
        assert_string_not_equal(
            answer_value(app_run_to(&app, PQR_TARGET_PRIMARY, sql), 0, 0), answer_value(answer, 0, 0));
    app_close(&app);
}

/* And leaves nothing behind for the next one on the only connection there is. */
static void what_needs_a_session_runs_on_the_primary_where_that_is_configured(void **state)
{
    (void)state;
    struct app app = {0};
    app_start(&app, &cluster, "pool = { min = 1; max = 3; }; reads = { session = \"primary\"; };");
    for (int i = 0; i < 3; i++) {
        struct answer *answer = app_run(&app, "set work_mem = '7777kB'");
        assert_ok(answer);
        assert_string_equal(answer->server, "primary");
        assert_ok(app_run(&app, "create temp table left_behind (n int)"));
        assert_ok(app_run(&app, "select pg_advisory_lock(77)"));
        answer = app_run(&app, "/*pqr:primary*/ select current_setting('work_mem'), "
                               "to_regclass('left_behind') is null, (select count(*) "
                               "from pg_locks where locktype = 'advisory')");
        assert_ok(answer);
        assert_string_not_equal(answer_value(answer, 0, 0), "7777kB");
        assert_string_equal(answer_value(answer, 0, 1), "t");
        assert_string_equal(answer_value(answer, 0, 2), "0");
    }
    assert_int_equal(app_run(&app, "begin")->status, PQR_STATUS_SQL_ERROR);
    assert_int_equal(app_run(&app, "copy parent to stdout")->status, PQR_STATUS_SQL_ERROR);
    app_close(&app);
}

static void what_needs_a_session_is_refused_unsent(void **state)
{
    (void)state;
    static const char *const statements[] = {
        "begin",
        "commit",
        "set search_path = x",
        "create temp table t (n int)",
        "listen channel",
        "declare c cursor for select 1",
        "prepare p as select 1",
        "copy parent to stdout",
        "copy parent from stdin",
        "savepoint s",
    };
    struct app app = {0};
    app_start(&app, &cluster, SETTINGS);
    for (size_t i = 0; i < sizeof(statements) / sizeof(statements[0]); i++) {
        struct answer *answer = app_run(&app, statements[i]);
        if (!strstr(answer->error, "pqr_tx_run"))
            fail_msg("%s: %s", statements[i], answer->error);
        assert_ended(answer, PQR_STATUS_SQL_ERROR, PQR_OUTCOME_NOT_EXECUTED);
        assert_string_equal(answer->sqlstate, "0A000");
        assert_int_equal(answer->attempts, 0);
        assert_string_equal(answer->server, "");
    }
    app_close(&app);
}

static void init_sql_runs_on_each_connection(void **state)
{
    (void)state;
    struct app app = {0};
    app_start(&app, &cluster,
        "pool = { min = 3; max = 6; init_sql = [\"set work_mem = '7MB'\", \"set search_path = public, "
        "pg_catalog\"]; };");
    struct answer *answers[4];
    for (int i = 0; i < 4; i++)
        answers[i] = app_send(&app, "select current_setting('work_mem'), pg_sleep(0.2)");
    for (int i = 0; i < 4; i++) {
        assert_ok(app_wait(answers[i]));
        assert_string_equal(answer_value(answers[i], 0, 0), "7MB");
    }
    app_close(&app);
}

static void failing_init_sql_keeps_connections_out_and_says_so(void **state)
{
    (void)state;
    static const struct {
        const char *sql, *says;
    } table[] = {
        {"set no_such_setting = 1",
            "pool.init_sql: unrecognized configuration parameter \"no_such_setting\""},
        {"begin", "pool.init_sql: it leaves a transaction open"},
        {"copy (select 1) to stdout", "pool.init_sql: COPY from or to the client is not supported"},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct app app = {0};
        char settings[200];
        snprintf(settings, sizeof(settings),
            "pool = { init_sql = [\"%s\"]; }; request = { timeout = \"1s\"; };", table[i].sql);
        app_open(&app, &cluster, settings);
        struct answer *answer = app_run(&app, "select 1");
        assert_int_equal(answer->outcome, PQR_OUTCOME_NOT_EXECUTED);
        assert_int_not_equal(answer->status, PQR_STATUS_OK);
        if (!strstr(answer->error, table[i].says))
            fail_msg("for %s: %s", table[i].sql, answer->error);
        app_close(&app);
    }
}

static void application_name_is_pqrouter_unless_given(void **state)
{
    (void)state;
    struct app app = {0};
    char conninfo[200];
    app_start(&app, &cluster, SETTINGS);
    assert_string_equal(app_value(&app, "select current_setting('application_name')"), "pqrouter");
    assert_true(cluster_long(&cluster, 0,
                    "select count(*) from pg_stat_activity where usename = 'app' and application_name = "
                    "'pqrouter'") >= 2);
    app_close(&app);
    snprintf(conninfo, sizeof(conninfo), "%s application_name=shop", cluster_conninfo(&cluster, 0));
    app_open_conninfo(&app, conninfo);
    app_ready(&app);
    assert_string_equal(app_value(&app, "select current_setting('application_name')"), "shop");
    app_close(&app);
}

static void refuses(struct app *app, const pqr_query *query, pqr_reply_cb cb, const char *flaw)
{
    char line[200];
    assert_int_equal(pqr_query_run(NULL, app->router, query, cb, NULL), PQR_EINVAL);
    snprintf(line, sizeof(line), "pqr_query_run: %s\n", flaw);
    fflush(app->log_stream);
    size_t length = strlen(line);
    assert_true(app->log_size >= length);
    assert_string_equal(app->log + app->log_size - length, line);
}

static void bad_arguments_are_refused_at_once(void **state)
{
    (void)state;
    struct app app = {0};
    app_start(&app, &cluster, SETTINGS);
    pqr_query query = PQR_QUERY_INIT;
    const char *value = "x";
    int binary = 1, short_of = -1;
    refuses(&app, NULL, app_on_reply, "query is NULL, or does not begin as PQR_QUERY_INIT");
    refuses(&app, &(pqr_query){.sql = "select 1"}, app_on_reply,
        "query is NULL, or does not begin as PQR_QUERY_INIT");
    refuses(&app, &query, app_on_reply, "query.sql and query.statement: set one of the two");
    query.sql = "select 1";
    refuses(&app, &query, NULL, "cb is NULL");
    query.n_params = 1;
    refuses(&app, &query, app_on_reply, "query.n_params is set, and query.param_values is NULL");
    query.param_values = &value;
    query.param_formats = &binary;
    refuses(&app, &query, app_on_reply, "a binary parameter has no length in query.param_lengths");
    query.param_formats = &short_of;
    refuses(&app, &query, app_on_reply,
        "query.param_formats has a number that is neither 0 (text) nor 1 (binary)");
    query.n_params = -1;
    refuses(&app, &query, app_on_reply, "query.n_params is not from 0 to 65535");
    query.n_params = 0;
    query.flags = 1u << 30;
    refuses(&app, &query, app_on_reply, "query.flags has a bit that is no flag of a query");
    query.flags = PQR_ADMIN | PQR_BATCH;
    refuses(&app, &query, app_on_reply, "query.flags has PQR_ADMIN and PQR_BATCH; choose one");
    query.flags = 0;
    query.target = (pqr_target)17;
    refuses(&app, &query, app_on_reply, "query.target is no pqr_target");
    query.target = PQR_TARGET_AUTO;
    query.result_format = 2;
    refuses(&app, &query, app_on_reply, "query.result_format is neither 0 (text) nor 1 (binary)");
    assert_int_equal(pqr_request_cancel(app.router, (pqr_request_id){0}), PQR_ENOENT);
    assert_int_equal(pqr_request_cancel(app.router, (pqr_request_id){UINT64_MAX}), PQR_ENOENT);
    app_close(&app);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parameters_arrive_as_text_binary_and_null),
        cmocka_unit_test(a_statement_runs_many_times_and_may_be_given_up_meanwhile),
        cmocka_unit_test(rows_are_found_by_name_and_number),
        cmocka_unit_test(result_format_is_as_asked_for),
        cmocka_unit_test(notices_come_with_the_reply),
        cmocka_unit_test(affected_rows_are_counted),
        cmocka_unit_test(statement_errors_carry_their_sqlstate),
        cmocka_unit_test(deferred_constraint_error_is_the_outcome_of_an_insert),
        cmocka_unit_test(hundred_thousand_rows_come_whole),
        cmocka_unit_test(ten_megabyte_parameter_goes_out_and_back),
        cmocka_unit_test(answer_over_max_result_is_cut_off_by_an_error),
        cmocka_unit_test(an_answer_that_is_there_at_once_is_measured_too),
        cmocka_unit_test(a_connection_that_a_row_has_made_large_is_not_kept),
        cmocka_unit_test(what_needs_a_session_is_refused_unsent),
        cmocka_unit_test(what_needs_a_session_runs_on_the_primary_where_that_is_configured),
        cmocka_unit_test(init_sql_runs_on_each_connection),
        cmocka_unit_test(failing_init_sql_keeps_connections_out_and_says_so),
        cmocka_unit_test(application_name_is_pqrouter_unless_given),
        cmocka_unit_test(bad_arguments_are_refused_at_once),
    };
    return SUITE_RUN(tests, 0, tables);
}
