/* What reads in one flight notice of each other on real servers: nothing. One fails, is slow, is cancelled or passes its
   deadline, raises notices, is in the way of a standby's replay, meets a plan that went stale, or the server ends its
   connection: the others get their rows all the same, and each is answered once, which app_close asserts. */
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

enum { GROUP = 12, MANY = 48 };

static const char tables[] =
    "set role app; create table shape (a int); insert into shape values (1);"
    "create table victim (n int); insert into victim select generate_series(1, 1000);"
    "create function noisy(n int) returns int stable language plpgsql as"
    " $$begin for i in 1..n % 3 loop raise notice 'of %', n; end loop; return 10 / (n - 7); end$$;"
    "create function forget() returns void language plpgsql as $$begin execute 'deallocate all'; end$$";

static void wait_all(struct answer *const *answers, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        app_wait(answers[i]);
}

/* --- failures --- */

#define COUNTED "select now(), 10 / $1::int as counted"

/* Each execution is a line of the server's log (log_statement), whether it failed or not. */
static long count_executed(void)
{
    char sql[200];
    snprintf(sql, sizeof(sql),
        "select count(*) from regexp_matches(pg_read_file('%s/%s.log'), 'execute [^\n]*as counted', 'g')",
        cluster.dir, cluster.servers[0].name);
    return cluster_long(&cluster, 0, sql);
}

static bool divides_by_zero(unsigned turn)
{
    return turn % 4 == 3;
}

static void flood(struct app *app, struct answer **answers)
{
    for (unsigned i = 0; i < MANY; i++)
        answers[i] = flights_send(app, PQR_TARGET_PRIMARY, COUNTED, divides_by_zero(i) ? "0" : "1");
    wait_all(answers, MANY);
    for (unsigned i = 0; i < MANY; i++) {
        if (divides_by_zero(i))
            assert_sql_error(answers[i], "22012");
        else
            assert_ok(answers[i]);
    }
}

/* Between the waves it proves itself anew, so that each finds it among those that share. */
static void a_flood_of_failures_costs_no_execution_more(void **state)
{
    (void)state;
    enum { WAVES = 25, WARMING = 10 };
    struct answer *answers[MANY];
    struct app app = {0};
    cluster_exec(&cluster, 0, "alter role app set log_statement = 'all'");
    app_start(&app, &cluster, FLIGHTS_SLOW);
    for (int wave = 0; wave < WAVES; wave++) {
        uint64_t retries = app_totals(&app).retries;
        flights_warm(&app, PQR_TARGET_PRIMARY, COUNTED, "1");
        flood(&app, answers);
        assert_true(app_totals(&app).retries > retries); /* some had a neighbour that failed */
    }
    long sent = WAVES * (WARMING + MANY);
    assert_in_range(count_executed(), sent, sent + WAVES * MANY / 10);
    app_close(&app);
    cluster_exec(&cluster, 0, "alter role app reset log_statement");
}

/* --- notices --- */

static void notices_belong_to_who_raised_them(void **state)
{
    (void)state;
    static const char sql[] = "select now(), noisy($1::int)";
    struct answer *answers[MANY];
    char number[12], text[20];
    struct app app = {0};
    app_start(&app, &cluster, FLIGHTS_SLOW);
    flights_warm(&app, PQR_TARGET_REPLICA, sql, "0");
    for (int i = 0; i < MANY; i++) {
        snprintf(number, sizeof(number), "%d", i);
        answers[i] = flights_send(&app, PQR_TARGET_REPLICA, sql, number);
    }
    wait_all(answers, MANY);
    for (int i = 0; i < MANY; i++) {
        snprintf(text, sizeof(text), "of %d", i);
        if (i == 7)
            assert_sql_error(answers[i], "22012");
        else
            assert_ok(answers[i]);
        assert_int_equal(answers[i]->notices, i % 3);
        assert_string_equal(answers[i]->notice.text, i % 3 ? text : "");
    }
    assert_true(flights_count(answers, MANY, 1) > MANY / 4);
    app_close(&app);
}

/* --- time --- */

#define SLEEP "select now(), pg_sleep($1::float8)"

static void send_group(struct app *app, struct answer **answers, const char *seconds, int other,
    const char *others_seconds, uint32_t others_timeout_ms)
{
    pqr_query query = PQR_QUERY_INIT;
    query.sql = SLEEP;
    query.n_params = 1;
    query.target = PQR_TARGET_PRIMARY; /* there is one, with one connection: the first flies alone */
    for (int i = 0; i < GROUP; i++) {
        query.param_values = i == other ? &others_seconds : &seconds;
        query.timeout_ms = i == other ? others_timeout_ms : 0;
        answers[i] = app_send_query(app, &query);
    }
}

static void start_sleeping(struct app *app)
{
    app_start(app, &cluster, FLIGHTS_SLOW);
    flights_warm(app, PQR_TARGET_PRIMARY, SLEEP, "0.001");
}

/* All but one got their rows. */
static void expect_rows_but(struct answer **answers, int one)
{
    wait_all(answers, GROUP);
    for (int i = 0; i < GROUP; i++)
        if (i != one)
            assert_ok(answers[i]);
}

static bool sleeps(void)
{
    return cluster_long(&cluster, 0,
               "select count(*) from pg_stat_activity where usename = 'app' and wait_event = 'PgSleep'"
               " and clock_timestamp() - state_change > '100ms'") > 0;
}

static void set_statement_timeout(const char *timeout)
{
    char sql[80];
    snprintf(sql, sizeof(sql), "alter role app set statement_timeout = '%s'", timeout);
    cluster_exec(&cluster, 0, sql);
    cluster_sync(&cluster, 0);
}

static void the_servers_timeout_counts_for_each_alone(void **state)
{
    (void)state;
    struct answer *answers[GROUP];
    struct app app = {0};
    set_statement_timeout("1s");
    start_sleeping(&app);
    send_group(&app, answers, "0.3", -1, NULL, 0); /* together they take longer */
    expect_rows_but(answers, -1);
    assert_true(flights_count(answers, GROUP, 1) >= GROUP / 2);
    send_group(&app, answers, "0.001", 3, "60", 0);
    expect_rows_but(answers, 3);
    assert_sql_error(answers[3], "57014");
    app_close(&app);
    set_statement_timeout("0");
}

static void who_is_cancelled_while_running_ends_alone(void **state)
{
    (void)state;
    struct answer *answers[GROUP];
    struct app app = {0};
    start_sleeping(&app);
    send_group(&app, answers, "0.001", 3, "60", 0);
    APP_UNTIL(&app, sleeps());
    assert_int_equal(pqr_request_cancel(app.router, answers[3]->id), 0);
    expect_rows_but(answers, 3);
    assert_ended(answers[3], PQR_STATUS_CANCELLED, PQR_OUTCOME_NOT_EXECUTED);
    app_close(&app);
}

/* The cancel ends what runs, which is another one: that runs again. */
static void who_is_cancelled_behind_another_ends_alone(void **state)
{
    (void)state;
    struct answer *answers[GROUP];
    struct app app = {0};
    start_sleeping(&app);
    send_group(&app, answers, "0.001", 2, "2", 0);
    APP_UNTIL(&app, sleeps());
    int behind = GROUP - 1; /* in the same flight */
    assert_int_equal(pqr_request_cancel(app.router, answers[behind]->id), 0);
    expect_rows_but(answers, behind);
    assert_ended(answers[behind], PQR_STATUS_CANCELLED, PQR_OUTCOME_NOT_EXECUTED);
    app_close(&app);
}

static void whose_deadline_passes_ends_alone(void **state)
{
    (void)state;
    struct answer *answers[GROUP];
    struct app app = {0};
    start_sleeping(&app);
    send_group(&app, answers, "0.001", 3, "60", 500);
    expect_rows_but(answers, 3);
    assert_ended(answers[3], PQR_STATUS_TIMEOUT, PQR_OUTCOME_NOT_EXECUTED);
    app_close(&app);
}

/* --- a standby that replays --- */

#define COUNT "select now(), count(*), pg_sleep($1::float8) from victim"

static void set_standby_delay(const char *delay)
{
    char sql[80];
    snprintf(sql, sizeof(sql), "alter system set max_standby_streaming_delay = '%s'", delay);
    for (int replica = 1; replica <= 2; replica++) {
        cluster_exec(&cluster, replica, sql);
        cluster_exec(&cluster, replica, "select pg_reload_conf()");
    }
}

/* Groups on the standbys, again and again, until what happens on the primary has driven reads away three times. */
static void drive_away(const char *seconds, void (*happen)(void))
{
    struct answer *answers[2 * GROUP];
    struct app app = {0};
    set_standby_delay("0");
    app_start(&app, &cluster, FLIGHTS_SLOW);
    flights_warm(&app, PQR_TARGET_REPLICA, COUNT, "0.001");
    for (unsigned driven = 0, round = 0; driven < 3; round++) {
        assert_true(round < 100);
        uint64_t retries = app_totals(&app).retries;
        for (int i = 0; i < 2 * GROUP; i++)
            answers[i] = flights_send(&app, PQR_TARGET_REPLICA, COUNT, seconds);
        app_turn(&app, 20);
        happen();
        wait_all(answers, 2 * GROUP);
        for (int i = 0; i < 2 * GROUP; i++)
            assert_ok(answers[i]);
        driven += app_totals(&app).retries > retries;
    }
    app_close(&app);
    set_standby_delay("30s");
}

static void lock_victim(void)
{
    cluster_exec(&cluster, 0, "begin; lock table victim in access exclusive mode; commit");
}

static void vacuum_victim(void)
{
    cluster_exec(&cluster, 0, "update victim set n = n + 1");
    cluster_exec(&cluster, 0, "vacuum victim");
}

static void end_connections(void)
{
    for (int replica = 1; replica <= 2; replica++)
        cluster_exec(&cluster, replica,
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where usename = 'app' and wait_event = 'PgSleep'");
}

static void a_lock_that_a_standby_replays_is_not_seen(void **state)
{
    (void)state;
    drive_away("0.02", lock_victim);
}

static void a_vacuum_that_a_standby_replays_is_not_seen(void **state)
{
    (void)state;
    drive_away("0.2", vacuum_victim); /* a snapshot that is older than the update, and still in use */
}

static void a_connection_that_the_server_ends_is_not_seen(void **state)
{
    (void)state;
    drive_away("0.02", end_connections);
}

/* --- prepared statements that are of no use any more --- */

static void send_many(struct app *app, struct answer **answers, const char *sql)
{
    for (int i = 0; i < MANY; i++)
        answers[i] = flights_send(app, PQR_TARGET_PRIMARY, sql, NULL);
    wait_all(answers, MANY);
    for (int i = 0; i < MANY; i++)
        assert_ok(answers[i]);
}

/* Each of many connections has it prepared when its rows become others. */
static void plans_that_went_stale_in_many_connections_are_not_seen(void **state)
{
    (void)state;
    static const char sql[] = "select now(), * from shape";
    struct answer *answers[MANY];
    struct app app = {0};
    char alter[60];
    app_start(&app, &cluster, "pool = { min = 8; max = 10; warm_up = true; };");
    flights_warm(&app, PQR_TARGET_PRIMARY, sql, NULL);
    for (int column = 1; column <= 20; column++) {
        send_many(&app, answers, sql);
        uint64_t retries = app_totals(&app).retries;
        snprintf(alter, sizeof(alter), "alter table shape add column c%d int default %d", column, column);
        cluster_exec(&cluster, 0, alter);
        send_many(&app, answers, sql);
        for (int i = 0; i < MANY; i++)
            assert_int_equal(PQnfields(answers[i]->result), 2 + column);
        assert_true(app_totals(&app).retries > retries);
    }
    app_close(&app);
}

/* Of a function that nobody could see through. */
static void statements_that_a_function_forgot_are_not_seen(void **state)
{
    (void)state;
    static const char sql[] = "select now() as remembered";
    struct answer *answers[MANY];
    struct app app = {0};
    app_start(&app, &cluster, FLIGHTS_SLOW);
    flights_warm(&app, PQR_TARGET_PRIMARY, sql, NULL);
    uint64_t retries = app_totals(&app).retries;
    assert_ok(app_run(&app, "select forget()"));
    send_many(&app, answers, sql);
    assert_true(app_totals(&app).retries > retries);
    assert_true(flights_count(answers, MANY, 1) > 0);
    app_close(&app);
}

/* --- size --- */

/* Each with its own Sync: the connection ends by the large one, and those behind it are not to blame. It is larger than a
   socket buffer: what is read at once is complete, and nothing is left to be spared. */
static void an_answer_that_is_too_large_ends_alone(void **state)
{
    (void)state;
    static const char sql[] = "select now(), repeat('x', $1::int)";
    struct answer *answers[GROUP];
    struct app app = {0};
    app_start(&app, &cluster,
        FLIGHTS_ONE
        "reads = { share_limit = \"1h\"; share_sync = 1; }; request = { max_result = \"1MB\"; };");
    flights_warm(&app, PQR_TARGET_PRIMARY, sql, "1");
    for (int i = 0; i < GROUP; i++)
        answers[i] = flights_send(&app, PQR_TARGET_PRIMARY, sql, i == 1 ? "60000000" : "1");
    wait_all(answers, GROUP);
    for (int i = 0; i < GROUP; i++) {
        if (i == 1)
            assert_ended(answers[i], PQR_STATUS_LOST, PQR_OUTCOME_UNKNOWN);
        else
            assert_ok(answers[i]);
    }
    assert_string_equal(answers[1]->sqlstate, "54000");
    assert_true(app_totals(&app).retries > 0); /* some flew behind it */
    app_close(&app);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_flood_of_failures_costs_no_execution_more),
        cmocka_unit_test(notices_belong_to_who_raised_them),
        cmocka_unit_test(the_servers_timeout_counts_for_each_alone),
        cmocka_unit_test(who_is_cancelled_while_running_ends_alone),
        cmocka_unit_test(who_is_cancelled_behind_another_ends_alone),
        cmocka_unit_test(whose_deadline_passes_ends_alone),
        cmocka_unit_test(a_lock_that_a_standby_replays_is_not_seen),
        cmocka_unit_test(a_vacuum_that_a_standby_replays_is_not_seen),
        cmocka_unit_test(a_connection_that_the_server_ends_is_not_seen),
        cmocka_unit_test(plans_that_went_stale_in_many_connections_are_not_seen),
        cmocka_unit_test(statements_that_a_function_forgot_are_not_seen),
        cmocka_unit_test(an_answer_that_is_too_large_ends_alone),
    };
    return SUITE_RUN(tests, 2, tables);
}
