/* What an application seldom does: statements without a row, a column or a word, a loop that stands still, ten thousand
   requests at once, calls of everything from within everything. */
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
    "set role app; create table kept (n int, b bytea); insert into kept values (1, 'x');"
    "create table bare (); insert into bare default values;";

/* --- statements ------------------------------------------------------------------------------------------- */

static void a_statement_may_have_no_row_column_or_word(void **state)
{
    static const struct {
        const char *sql;
        int rows;
        int columns;
    } table[] = {{"", 0, 0}, {";", 0, 0}, {" -- nothing\n", 0, 0}, {"/* */;;", 0, 0}, {"select", 1, 0},
        {"select from kept", 1, 0}, {"select * from bare", 1, 0}, {"table kept limit 0", 0, 2},
        {"values (null::int)", 1, 1}, {"select 1;", 1, 1}, {";;select 1", 1, 1}};
    struct app app = {0};
    (void)state;
    app_start(&app, &cluster, "");
    for (unsigned round = 0; round < 8; round++) { /* by text, prepared, and with others */
        for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
            struct answer *first = app_send(&app, table[i].sql), *second = app_send(&app, table[i].sql);
            assert_ok(app_wait(first));
            assert_ok(app_wait(second));
            assert_int_equal(second->rows, table[i].rows);
            assert_int_equal(PQnfields(second->result), table[i].columns);
        }
    }
    app_close(&app);
}

static void a_binary_value_may_be_empty_or_have_any_byte(void **state)
{
    static const char bytes[] = "\0a\0\377";
    static const int lengths[] = {sizeof(bytes) - 1, 0, 77}, formats[] = {1, 1, 1};
    const char *const values[] = {bytes, "", NULL}; /* a length means nothing where there is no value */
    static const Oid types[] = {17, 17, 17};
    struct app app = {0};
    pqr_query query = PQR_QUERY_INIT;
    (void)state;
    app_start(&app, &cluster, "");
    query.sql = "select $1, $2, $3";
    query.n_params = 3;
    query.param_values = values;
    query.param_lengths = lengths;
    query.param_formats = formats;
    query.param_types = types;
    query.result_format = 1;
    for (unsigned i = 0; i < 4; i++) {
        struct answer *answer = app_run_query(&app, &query);
        assert_ok(answer);
        assert_int_equal(PQgetlength(answer->result, 0, 0), 4);
        assert_memory_equal(PQgetvalue(answer->result, 0, 0), bytes, 4);
        assert_int_equal(PQgetlength(answer->result, 0, 1), 0);
        assert_int_equal(PQgetisnull(answer->result, 0, 1), 0);
        assert_int_equal(PQgetisnull(answer->result, 0, 2), 1);
    }
    app_close(&app);
}

static void as_many_parameters_as_the_protocol_has_go_out(void **state)
{
    enum { N = 65535 };
    static const char *values[N];
    static char sql[N * 8];
    struct app app = {0};
    pqr_query query = PQR_QUERY_INIT;
    size_t length = (size_t)snprintf(sql, sizeof(sql), "select n from kept where n in ($1");
    (void)state;
    for (int i = 0; i < N; i++)
        values[i] = i % 2 ? "1" : NULL;
    for (int i = 2; i <= N; i++)
        length += (size_t)snprintf(sql + length, sizeof(sql) - length, ",$%d", i);
    snprintf(sql + length, sizeof(sql) - length, ")");
    app_start(&app, &cluster, "");
    query.sql = sql;
    query.n_params = N;
    query.param_values = values;
    assert_ok(app_run_query(&app, &query));
    app_close(&app);
}

/* --- time ------------------------------------------------------------------------------------------------- */

/* What had arrived in time when the loop looked again was in time. */
static void a_loop_that_stands_still_is_no_servers_fault(void **state)
{
    struct app app = {0};
    (void)state;
    app_start(&app, &cluster,
        "pool = { min = 2; max = 4; }; probe = { interval = \"10ms\"; timeout = \"200ms\"; };"
        "request = { timeout = \"400ms\"; };");
    app_turn(&app, 200);
    unsigned changes = app.role_changes;
    for (unsigned i = 0; i < 5; i++) {
        struct answer *read = app_send(&app, "select 1"), *write = app_send(&app, "update kept set n = 1");
        app_turn(&app, 1 + i);
        uv_sleep(700);
        assert_ok(app_wait(read));
        assert_ok(app_wait(write));
        app_turn(&app, 30);
    }
    assert_int_equal(app.role_changes, changes);
    assert_false(app_logged(&app, "probe.timeout"));
    app_close(&app);
}

/* --- many ------------------------------------------------------------------------------------------------- */

enum { MANY = 10000 };

static struct answer *many[MANY];

static void send_many(struct app *app)
{
    for (int i = 0; i < MANY; i++)
        many[i] = app_send(app, i % 2 ? "select 1" : "update kept set n = n + 1");
}

static void count_many(unsigned counts[2])
{
    counts[0] = counts[1] = 0;
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(many[i]->calls, 1);
        counts[0] += many[i]->status == PQR_STATUS_OK;
        counts[1] += many[i]->outcome == PQR_OUTCOME_NOT_EXECUTED;
    }
}

static void cancel_all(struct answer *answer, pqr_reply *reply)
{
    (void)reply;
    for (int i = 0; i < MANY; i++)
        pqr_request_cancel(answer->app->router, many[i]->id);
}

static void ten_thousand_are_cancelled_by_the_first(void **state)
{
    struct app app = {0};
    unsigned counts[2];
    (void)state;
    app_start(&app, &cluster, "queue = { max_requests = 20000; target = \"none\"; };");
    send_many(&app);
    many[0]->then = cancel_all;
    for (int i = 0; i < MANY; i++)
        app_wait(many[i]);
    count_many(counts);
    assert_true(counts[0] > 0 && counts[0] + counts[1] == MANY);
    app_close(&app);
}

static void ten_thousand_are_told_of_the_end(void **state)
{
    struct app app = {0};
    (void)state;
    app_start(&app, &cluster, "queue = { max_requests = 20000; target = \"none\"; };");
    send_many(&app);
    app_turn(&app, 1);
    app_drain(&app, 0); /* asserts that each is called once */
}

/* --- everything from within everything -------------------------------------------------------------------- */

static struct {
    struct app app;
    pqr_config *configs[2];
    pqr_statement *statement;
    struct answer *latest[8];
    unsigned dice, acts, calls;
    bool closing;
} play;

static unsigned below(unsigned n)
{
    play.dice = play.dice * 1664525u + 1013904223u;
    return (play.dice >> 16) % n;
}

static void act(void);

static void then_act(struct answer *answer, pqr_reply *reply)
{
    (void)answer;
    if (below(8) == 0)
        PQclear(pqr_reply_take(reply));
    act();
    act();
}

static void on_ready(pqr_router *router, int status, const char *why, void *data)
{
    (void)router, (void)status, (void)why, (void)data;
    act();
}

/* Refused, it is never called back. NULL then. */
static struct answer *accepted(struct answer *answer, int status, bool may_be_closed)
{
    if (status == 0)
        return app_accepted(answer, status);
    assert_int_equal(status, PQR_ECLOSED);
    assert_true(may_be_closed);
    free(answer);
    return NULL;
}

static void body(pqr_tx *tx, unsigned attempt, void *data)
{
    pqr_query query = PQR_QUERY_INIT;
    struct answer *answer = app_answer(&play.app);
    (void)attempt, (void)data;
    act();
    query.sql = below(4) == 0 ? "nonsense" : "update kept set n = 1";
    answer->then = then_act;
    accepted(answer, pqr_tx_query(tx, &query, app_on_reply, answer), true); /* it may be cancelled */
    act();
    if (below(4) > 0)
        pqr_tx_commit(tx);
    else if (below(2) > 0)
        pqr_tx_rollback(tx);
    act();
}

static void ask(void)
{
    static const char *const sql[] = {"select 1", "update kept set n = 2", "select pg_sleep(0.01)",
        "nonsense", "listen x", "select 1; select 2", ""};
    struct app *app = &play.app;
    struct answer *answer = app_answer(app);
    pqr_query query = PQR_QUERY_INIT;
    pqr_batch_query two[2] = {{&query, NULL, NULL}, {&query, NULL, NULL}};
    answer->then = then_act;
    query.sql = sql[below(7)];
    query.flags = below(4) == 0 ? PQR_ADMIN : below(4) == 0 ? PQR_BATCH : below(4) == 0 ? PQR_PIPELINE : 0;
    if (play.statement && below(4) == 0) {
        query.sql = NULL;
        query.statement = play.statement;
    }
    unsigned what = below(8);
    int status;
    if (what == 0)
        status = pqr_tx_run(&answer->id, app->router, NULL, body, app_on_reply, answer);
    else if (what == 1)
        status = pqr_batch_run(&answer->id, app->router, NULL, two, 2, app_on_reply, answer);
    else
        status = pqr_query_run(&answer->id, app->router, &query, app_on_reply, answer);
    play.latest[below(8)] = accepted(answer, status, play.closing);
}

static void on_closed(void *data)
{
    (void)data;
    play.app.closed++;
    act();
}

static void close_now(void)
{
    play.closing = true;
    pqr_router_close(play.app.router, below(2) * 20, on_closed, NULL);
}

static void change_statement(void)
{
    pqr_statement_free(play.statement);
    play.statement = NULL;
    pqr_statement_new(&play.statement, below(2) ? "select 3" : "update kept set n = 3");
}

static void look(void)
{
    pqr_stats *stats = NULL;
    pqr_pressure pressure = PQR_PRESSURE_INIT;
    pqr_verdict verdict = PQR_VERDICT_INIT;
    assert_int_equal(pqr_router_stats(play.app.router, &stats), 0);
    pqr_stats_free(stats);
    pqr_router_pressure(play.app.router, &pressure);
    pqr_explain(&verdict, play.app.router, "select f(1)", 11, NULL, NULL);
}

/* Any call there is, from wherever this is called. */
static void act(void)
{
    struct app *app = &play.app;
    const struct answer *one = play.latest[below(8)];
    if (app->closed > 0 || !app->router || play.acts == 0)
        return;
    play.acts--;
    play.calls++;
    switch (below(16)) {
    case 0:
        pqr_router_ready(app->router, below(100), on_ready, NULL);
        break;
    case 1:
        look();
        break;
    case 2:
        pqr_catalog_refresh(app->router);
        break;
    case 3:
        pqr_router_reload(app->router, play.configs[below(2)], NULL);
        break;
    case 4:
    case 5:
    case 6:
        if (one)
            pqr_request_cancel(app->router, one->id);
        break;
    case 7:
        change_statement();
        break;
    case 8:
        if (below(6) == 0)
            close_now();
        break;
    default:
        ask();
    }
}

static void on_log(void *data, pqr_log_level level, const char *text)
{
    (void)data, (void)level, (void)text;
    if (below(10) == 0)
        act();
}

static void on_role_change(void *data, const char *server, pqr_role from, pqr_role to)
{
    (void)data, (void)server, (void)from, (void)to;
    act();
}

static void on_pressure(void *data, const pqr_pressure *pressure)
{
    (void)data, (void)pressure;
    act();
}

static void play_once(unsigned seed, char conninfo[2][500])
{
    struct app *app = &play.app;
    memset(&play, 0, sizeof(play));
    play.dice = seed * 2654435761u;
    play.acts = 20 + below(300);
    for (unsigned i = 0; i < 2; i++) /* another value of a parameter: connections are made anew */
        assert_int_equal(pqr_config_conninfo(&play.configs[i], conninfo[i], NULL), 0);
    app->callbacks = (pqr_callbacks)PQR_CALLBACKS_INIT;
    app->callbacks.log_level = PQR_LOG_DEBUG;
    app->callbacks.log = below(3) ? NULL : on_log;
    app->callbacks.role_change = on_role_change;
    app->callbacks.pressure = on_pressure;
    app_open_conninfo(app, conninfo[0]);
    for (unsigned i = 0; i < 10; i++)
        act();
    for (unsigned i = 0; i < 300 && !play.closing; i++) {
        uv_sleep(below(4));
        uv_run(&app->loop, UV_RUN_NOWAIT);
        act();
    }
    play.acts = 0;
    if (!play.closing)
        close_now();
    app_ended(app);
    pqr_statement_free(play.statement);
    pqr_config_free(play.configs[0]);
    pqr_config_free(play.configs[1]);
}

static void any_call_may_be_made_from_any_callback(void **state)
{
    char conninfo[2][500];
    unsigned calls = 0;
    (void)state;
    cluster_conninfo_all(&cluster, conninfo[0], 400);
    snprintf(conninfo[1], sizeof(conninfo[1]), "%.400s application_name=other", conninfo[0]);
    for (unsigned seed = 1; seed <= 40; seed++) {
        play_once(seed, conninfo);
        calls += play.calls;
    }
    print_message("%u calls\n", calls);
    assert_true(calls > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_statement_may_have_no_row_column_or_word),
        cmocka_unit_test(a_binary_value_may_be_empty_or_have_any_byte),
        cmocka_unit_test(as_many_parameters_as_the_protocol_has_go_out),
        cmocka_unit_test(a_loop_that_stands_still_is_no_servers_fault),
        cmocka_unit_test(ten_thousand_are_cancelled_by_the_first),
        cmocka_unit_test(ten_thousand_are_told_of_the_end),
        cmocka_unit_test(any_call_may_be_made_from_any_callback),
    };
    return SUITE_RUN(tests, 1, tables);
}
