/* How transactions begin on real servers: with their first statement, on a connection that may have died meanwhile. */
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

#define SETTINGS "pool = { min = 3; max = 5; };"
#define KILL     "select count(pg_terminate_backend(pid)) from pg_stat_activity where usename = 'app'"

static const char tables[] = "set role app; create table noted (n int); create table many (n int);"
                             "create sequence counted;"
                             "insert into many select generate_series(1, 1000)";

static int none_noted(void **state)
{
    (void)state;
    cluster_exec(&cluster, 0, "delete from noted");
    return 0;
}

static long noted(void)
{
    return cluster_long(&cluster, 0, "select count(*) from noted");
}

/* The body's, which runs once. */
struct held {
    struct answer *done;
    pqr_tx *tx;
};

static void hold(pqr_tx *tx, unsigned attempt, void *data)
{
    struct answer *done = data;
    struct held *held = done->data;
    assert_int_equal(attempt, 1);
    held->tx = tx;
}

/* Only what is unseen is run again. */
static void begin(struct app *app, struct held *held, pqr_tx_options *options)
{
    options->max_attempts = 1;
    held->done = app_answer(app);
    held->done->data = held;
    app_accepted(
        held->done, pqr_tx_run(&held->done->id, app->router, options, hold, app_on_reply, held->done));
    APP_UNTIL(app, held->tx != NULL);
}

static void a_connection_killed_before_the_first_statement_is_replaced(void **state)
{
    (void)state;
    struct app app = {0};
    struct held held = {0};
    pqr_tx_options options = PQR_TX_OPTIONS_INIT;
    app_start(&app, &cluster, SETTINGS);
    begin(&app, &held, &options);
    assert_int_equal(
        cluster_long(&cluster, 0, "select count(*) from pg_stat_activity where state like 'idle in%'"), 0);
    assert_true(cluster_long(&cluster, 0, KILL) > 0);
    APP_UNTIL(
        &app, app_totals(&app).retries > 0); /* sent before that is seen, a write would be told as lost */
    struct answer *first = app_tx_query(&app, held.tx, "insert into noted values (1)");
    assert_int_equal(pqr_tx_commit(held.tx), 0);
    assert_ok(app_wait(held.done));
    assert_ok(first);
    assert_int_equal(noted(), 1);
    app_close(&app);
}

#define KILL_ACTIVE(like)                                                         \
    KILL " and state = 'active' and wait_event is not null and query like '" like \
         "' and pid <> pg_backend_pid()"

static const char taking[] = "insert into noted select nextval('counted') + length(pg_sleep(0.5)::text)";

static long taken(void)
{
    return cluster_long(&cluster, 0, "select case when is_called then last_value else 0 end from counted");
}

static void a_first_read_whose_connection_is_killed_runs_on_another(void **state)
{
    (void)state;
    struct app app = {0};
    struct held locks = {0}, reads = {0};
    pqr_tx_options options = PQR_TX_OPTIONS_INIT;
    app_start(&app, &cluster, SETTINGS);
    begin(&app, &locks, &options);
    assert_ok(app_wait(app_tx_query(&app, locks.tx, "lock table noted")));
    begin(&app, &reads, &options);
    struct answer *first = app_tx_query(&app, reads.tx, "select n from noted");
    assert_int_equal(pqr_tx_commit(reads.tx), 0);
    APP_UNTIL(&app, cluster_long(&cluster, 0, KILL_ACTIVE("select n from noted")) == 1);
    assert_int_equal(pqr_tx_rollback(locks.tx), 0);
    assert_ok(app_wait(reads.done));
    assert_ok(first);
    assert_int_equal(first->attempts, 2);
    app_close(&app);
}

/* What a sequence gave is not rolled back. */
static void a_first_write_whose_connection_is_killed_is_told(void **state)
{
    (void)state;
    struct app app = {0};
    struct held held = {0};
    pqr_tx_options options = PQR_TX_OPTIONS_INIT;
    app_start(&app, &cluster, SETTINGS);
    long before = taken();
    begin(&app, &held, &options);
    struct answer *first = app_tx_query(&app, held.tx, taking);
    assert_int_equal(pqr_tx_commit(held.tx), 0);
    APP_UNTIL(&app, cluster_long(&cluster, 0, KILL_ACTIVE("insert into noted%")) == 1);
    assert_ended(app_wait(held.done), PQR_STATUS_LOST, PQR_OUTCOME_NOT_EXECUTED);
    assert_ended(first, PQR_STATUS_LOST, PQR_OUTCOME_NOT_EXECUTED);
    assert_int_equal(taken(), before + 1);
    assert_int_equal(noted(), 0);
    app_close(&app);
}

static void the_body_of_a_first_write_whose_connection_is_killed_runs_again(void **state)
{
    (void)state;
    struct app app = {0};
    const char *const sql[] = {taking, NULL};
    struct script script = {.sql = sql, .options = {.max_attempts = 2}};
    app_start(&app, &cluster, SETTINGS);
    long before = taken();
    app_tx(&app, &script);
    APP_UNTIL(&app, cluster_long(&cluster, 0, KILL_ACTIVE("insert into noted%")) == 1);
    assert_ok(app_wait(script.done));
    assert_int_equal(script.bodies, 2);
    assert_int_equal(taken(), before + 2);
    assert_int_equal(noted(), 1);
    app_close(&app);
}

static void one_killed_behind_an_answer_is_told(void **state)
{
    (void)state;
    struct app app = {0};
    struct held held = {0};
    pqr_tx_options options = PQR_TX_OPTIONS_INIT;
    app_start(&app, &cluster, SETTINGS);
    begin(&app, &held, &options);
    assert_ok(app_wait(app_tx_query(&app, held.tx, "insert into noted values (1)")));
    assert_true(cluster_long(&cluster, 0, KILL) > 0);
    assert_ended(app_wait(held.done), PQR_STATUS_LOST, PQR_OUTCOME_NOT_EXECUTED);
    assert_int_equal(noted(), 0);
    app_close(&app);
}

static void without_statements_the_servers_hear_nothing(void **state)
{
    (void)state;
    struct app app = {0};
    const char *const sql[] = {NULL};
    struct script script = {.sql = sql}, other = {.sql = sql, .end = SCRIPT_ROLLBACK};
    app_start(&app, &cluster, SETTINGS);
    assert_ended(app_wait(app_tx(&app, &script)), PQR_STATUS_OK, PQR_OUTCOME_EXECUTED);
    assert_ended(app_wait(app_tx(&app, &other)), PQR_STATUS_OK, PQR_OUTCOME_EXECUTED);
    assert_int_equal(script.done->attempts, 0);
    assert_string_equal(script.done->server, "");
    assert_ok(app_run(&app, "insert into noted values (1)"));
    app_close(&app);
}

/* PostgreSQL manual, 27.4.5. */
static void what_a_standby_refuses_to_begin_is_told_or_moves(void **state)
{
    (void)state;
    struct app app = {0};
    const char *const sql[] = {"select inet_server_port()", "select 2", NULL};
    struct script script = {.sql = sql,
        .options = {.isolation = PQR_SERIALIZABLE, .read_only = true, .target = PQR_TARGET_REPLICA_ONLY}};
    app_start(&app, &cluster, SETTINGS);
    app_wait(app_tx(&app, &script));
    assert_ended(script.done, PQR_STATUS_SQL_ERROR, PQR_OUTCOME_NOT_EXECUTED);
    assert_string_equal(script.done->sqlstate, "0A000");
    assert_ended(script.statements[0], PQR_STATUS_SQL_ERROR, PQR_OUTCOME_NOT_EXECUTED);
    assert_string_equal(script.statements[0]->sqlstate, "0A000");
    assert_non_null(strstr(script.statements[0]->error, "serializable"));
    assert_ended(script.statements[1], PQR_STATUS_SQL_ERROR, PQR_OUTCOME_NOT_EXECUTED);
    script.options.target = PQR_TARGET_REPLICA;
    script.bodies = 0;
    assert_ok(app_wait(app_tx(&app, &script)));
    assert_int_equal(script.bodies, 1);
    assert_int_equal(strtol(answer_value(script.statements[0], 0, 0), NULL, 10), cluster_port(&cluster, 0));
    app_close(&app);
}

static void an_error_of_the_first_statement_is_its_own(void **state)
{
    (void)state;
    struct app app = {0};
    const char *const sql[] = {"select 1/0", "insert into noted values (1)", NULL};
    struct script script = {.sql = sql};
    app_start(&app, &cluster, SETTINGS);
    app_wait(app_tx(&app, &script));
    assert_sql_error(script.statements[0], "22012");
    assert_int_equal(script.statements[0]->outcome, PQR_OUTCOME_EXECUTED);
    assert_sql_error(script.statements[1], "25P02"); /* it was in the transaction, not behind it */
    assert_sql_error(script.done, "22012");
    assert_int_equal(noted(), 0);
    app_close(&app);
}

static void what_waits_for_begin_is_in_the_transaction_too(void **state)
{
    (void)state;
    struct app app = {0};
    const char *const firsts[] = {"do 'begin insert into noted values (1); end'",
        "insert into noted values (1); insert into noted values (2)", "set local work_mem = '1MB'"};
    for (size_t i = 0; i < sizeof(firsts) / sizeof(*firsts); i++) {
        const char *const sql[] = {firsts[i], "insert into noted values (3)", NULL};
        struct script script = {.sql = sql, .end = SCRIPT_ROLLBACK};
        app_start(&app, &cluster, SETTINGS);
        assert_ok(app_wait(app_tx(&app, &script)));
        assert_ok(script.statements[0]);
        assert_ok(script.statements[1]);
        assert_int_equal(noted(), 0);
        app_close(&app);
        app = (struct app){0};
    }
}

/* The standby may not put off what the primary has cleared away. */
static void a_conflict_with_recovery_runs_the_body_again(void **state)
{
    (void)state;
    struct app app = {0};
    const char *const sql[] = {"select count(*), pg_sleep(1) from many", NULL};
    struct script script = {.sql = sql,
        .options = {.isolation = PQR_REPEATABLE_READ, .read_only = true, .target = PQR_TARGET_REPLICA}};
    cluster_exec(&cluster, 1, "alter system set max_standby_streaming_delay = 0; ");
    cluster_exec(&cluster, 1, "select pg_reload_conf()");
    app_start(&app, &cluster, SETTINGS);
    app_tx(&app, &script);
    APP_UNTIL(&app, cluster_long(&cluster, 1,
                        "select count(*) from pg_stat_activity where state = 'active' and query like "
                        "'%from many'") == 1);
    cluster_exec(&cluster, 0, "delete from many where n <= 500");
    cluster_exec(&cluster, 0, "vacuum many");
    assert_ok(app_wait(script.done));
    assert_int_equal(cluster_long(&cluster, 1,
                         "select confl_snapshot from pg_stat_database_conflicts where "
                         "datname = 'app'"),
        1);
    assert_int_equal(script.bodies, 2);
    cluster_exec(&cluster, 1, "alter system reset max_standby_streaming_delay");
    app_close(&app);
}

static void behind_a_pooler_it_begins_likewise(void **state)
{
    (void)state;
    struct app app = {0};
    char text[300];
    const char *const sql[] = {"insert into noted values (1)", "insert into noted values (2)", NULL};
    struct script script = {.sql = sql};
    snprintf(text, sizeof(text), "servers = ( { connection = \"%s\"; pooler = true; } );",
        cluster_conninfo(&cluster, 0));
    app_open_text(&app, text);
    app_ready(&app);
    assert_ok(app_wait(app_tx(&app, &script)));
    assert_int_equal(noted(), 2);
    app_close(&app);
}

#define TEST(name) cmocka_unit_test_setup(name, none_noted)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_connection_killed_before_the_first_statement_is_replaced),
        TEST(a_first_read_whose_connection_is_killed_runs_on_another),
        TEST(a_first_write_whose_connection_is_killed_is_told),
        TEST(the_body_of_a_first_write_whose_connection_is_killed_runs_again),
        TEST(one_killed_behind_an_answer_is_told),
        TEST(without_statements_the_servers_hear_nothing),
        TEST(what_a_standby_refuses_to_begin_is_told_or_moves),
        TEST(an_error_of_the_first_statement_is_its_own),
        TEST(what_waits_for_begin_is_in_the_transaction_too),
        TEST(a_conflict_with_recovery_runs_the_body_again),
        TEST(behind_a_pooler_it_begins_likewise),
    };
    return SUITE_RUN(tests, 1, tables);
}
