/* Who gets the reads: strategies, zones, the primary's part. On a primary and two replicas. */
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

static const char tables[] = "set role app; create table counted (n int)";

/* The cluster's servers with zones: primary and the first replica in a, the second in b. */
static void open_with_zones(struct app *app, const char *settings)
{
    char text[2000];
    snprintf(text, sizeof(text),
        "connection = \"host=127.0.0.1 user=app dbname=app\";\n"
        "servers = ( { name = \"primary\"; connection = \"port=%d\"; zone = \"a\"; },\n"
        "  { name = \"replica1\"; connection = \"port=%d\"; zone = \"a\"; },\n"
        "  { name = \"replica2\"; connection = \"port=%d\"; zone = \"b\"; } );\n%s",
        cluster_port(&cluster, 0), cluster_port(&cluster, 1), cluster_port(&cluster, 2), settings);
    app_open_text(app, text);
    app_ready(app);
}

static void every_strategy_uses_every_replica(void **state)
{
    (void)state;
    static const char *const strategies[] = {"ewma", "least_outstanding", "round_robin", "random"};
    for (size_t i = 0; i < sizeof(strategies) / sizeof(strategies[0]); i++) {
        char settings[200];
        struct app app = {0};
        snprintf(
            settings, sizeof(settings), "pool = { min = 4; }; reads = { balance = \"%s\"; };", strategies[i]);
        app_start(&app, &cluster, settings);
        APP_UNTIL(&app, app_pool(&app, 1).available >= 4 && app_pool(&app, 2).available >= 4);
        for (int n = 0; n < 30; n++) {
            struct answer *answers[4]; /* at once, for those that look at what is in the air */
            for (int a = 0; a < 4; a++)
                answers[a] = app_send_to(&app, PQR_TARGET_REPLICA, 0, "select pg_sleep(0.002)");
            for (int a = 0; a < 4; a++)
                assert_ok(app_wait(answers[a]));
        }
        assert_int_equal(app_pool(&app, 0).reads, 0);
        for (size_t server = 1; server < 3; server++) {
            assert_true(app_pool(&app, server).reads >= 5);
            assert_true(app_pool(&app, server).recent_us > 0);
        }
        app_close(&app);
    }
}

/* One connection each, which is the administrators': with one request at a time nobody ever waits for a second. */
static void every_replica_serves_though_nobody_ever_waits(void **state)
{
    (void)state;
    static const char *const settings[] = {"pool = { min = 1; };", "pool = { min = 0; resize = false; };"};
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
        struct app app = {0};
        app_start(&app, &cluster, settings[i]);
        for (size_t server = 1; server < 3; server++)
            APP_UNTIL(
                &app, app_run_to(&app, PQR_TARGET_REPLICA, "select 1") && app_pool(&app, server).reads > 0);
        assert_int_equal(app_pool(&app, 0).reads, 0);
        app_close(&app);
    }
}

static void ewma_turns_away_from_a_replica_that_has_become_slow(void **state)
{
    (void)state;
    struct app app = {0};
    app_start(&app, &cluster, "");
    /* What one replica takes 20 ms for and the other nothing: the one that listens on the first's port. */
    char sql[200];
    snprintf(sql, sizeof(sql), "select pg_sleep(case inet_server_port() when %d then 0.02 else 0 end)",
        cluster_port(&cluster, 1));
    for (int n = 0; n < 200; n++)
        assert_ok(app_run_to(&app, PQR_TARGET_REPLICA, sql));
    assert_true(app_pool(&app, 1).reads * 10 < app_pool(&app, 2).reads);
    assert_true(app_pool(&app, 1).recent_us > app_pool(&app, 2).recent_us);
    app_close(&app);
}

static void near_replicas_come_first_and_others_take_what_is_left(void **state)
{
    (void)state;
    struct app app = {0};
    struct answer *answers[4];
    open_with_zones(&app, "reads = { zone = \"b\"; }; pool = { min = 3; max = 4; };");
    APP_UNTIL(&app, app_pool(&app, 1).available == 3 && app_pool(&app, 2).available == 3);
    for (int n = 0; n < 40; n++)
        assert_string_equal(app_run(&app, "select n from counted")->server, "replica2");
    for (int i = 0; i < 4; i++) /* one of three connections is an administrator's */
        answers[i] = app_send_to(&app, PQR_TARGET_REPLICA, 0, "select pg_sleep(0.3)");
    for (int i = 0; i < 4; i++) {
        assert_ok(app_wait(answers[i]));
        assert_string_equal(answers[i]->server, i < 2 ? "replica2" : "replica1");
    }
    app_close(&app);
}

static void primary_always_reads_as_one_of_them(void **state)
{
    (void)state;
    struct app app = {0};
    app_start(&app, &cluster,
        "pool = { min = 4; }; reads = { primary = \"always\"; balance = \"round_robin\"; slow_start = "
        "\"none\"; };"
        "catalog = { load = false; };");
    for (size_t server = 0; server < 3; server++) /* none is passed over for want of room */
        APP_UNTIL(&app, app_pool(&app, server).available >= 4);
    for (int n = 0; n < 30; n++)
        assert_ok(app_run(&app, "select n from counted"));
    for (size_t server = 0; server < 3; server++)
        assert_in_range(app_pool(&app, server).reads, 9, 11);
    assert_int_equal(app_totals(&app).fallback_primary, 0);
    assert_string_not_equal(app_run_to(&app, PQR_TARGET_REPLICA_ONLY, "select 1")->server, "primary");
    app_close(&app);
}

static void without_replicas(void (*body)(struct app *app), const char *settings)
{
    struct app app = {0};
    app_start(&app, &cluster, settings);
    cluster_stop_server(&cluster, 1, "fast");
    cluster_stop_server(&cluster, 2, "fast");
    APP_UNTIL(&app, app_pool(&app, 1).role == PQR_ROLE_DOWN && app_pool(&app, 2).role == PQR_ROLE_DOWN);
    body(&app);
    app_close(&app);
    cluster_start_server(&cluster, 1);
    cluster_start_server(&cluster, 2);
    cluster_sync(&cluster, 0);
}

static void reads_wait_for_a_replica(struct app *app)
{
    pqr_query query = PQR_QUERY_INIT;
    query.sql = "select n from counted";
    query.timeout_ms = 300;
    struct answer *read = app_run_query(app, &query);
    assert_ended(read, PQR_STATUS_UNAVAILABLE, PQR_OUTCOME_NOT_EXECUTED);
    assert_non_null(strstr(read->error, "reads.primary"));
    assert_ok(app_run(app, "insert into counted values (1)"));
}

static void primary_never_reads(void **state)
{
    (void)state;
    without_replicas(reads_wait_for_a_replica, "reads = { primary = \"never\"; };");
}

/* Of the primary's 6 usable connections at most 3 are given to reads; a write finds room at once. */
static void reads_leave_room_for_writes(struct app *app)
{
    struct answer *reads[12];
    APP_UNTIL(app, app_pool(app, 0).available >= 7);
    for (int i = 0; i < 12; i++)
        reads[i] = app_send_to(app, PQR_TARGET_REPLICA, 0, "select pg_sleep(0.5)");
    APP_UNTIL(app, app_pool(app, 0).allocated == 3);
    assert_ok(app_run(app, "insert into counted values (2)"));
    assert_false(reads[0]->done);
    assert_ok(
        app_wait(app_send_to(app, PQR_TARGET_REPLICA, PQR_ADMIN, "select 1"))); /* nor is this one held up */
    assert_false(reads[0]->done);
    for (int i = 0; i < 12; i++) {
        assert_ok(app_wait(reads[i]));
        assert_true(app_pool(app, 0).allocated <= 3);
    }
    assert_int_equal(app_totals(app).fallback_primary, 13);
}

static void fallback_to_the_primary_is_capped(void **state)
{
    (void)state;
    without_replicas(
        reads_leave_room_for_writes, "pool = { min = 7; max = 8; }; reads = { fallback_max = 50; };");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_strategy_uses_every_replica),
        cmocka_unit_test(every_replica_serves_though_nobody_ever_waits),
        cmocka_unit_test(ewma_turns_away_from_a_replica_that_has_become_slow),
        cmocka_unit_test(near_replicas_come_first_and_others_take_what_is_left),
        cmocka_unit_test(primary_always_reads_as_one_of_them),
        cmocka_unit_test(primary_never_reads),
        cmocka_unit_test(fallback_to_the_primary_is_capped),
    };
    return SUITE_RUN(tests, 2, tables);
}
