/* A new primary: by promotion after the old one's death, and beside one that still lives. */
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

#define SETTINGS                                                                                        \
    "pool = { min = 1; max = 5; backoff_max = \"500ms\"; }; probe = { interval = \"200ms\"; timeout = " \
    "\"1s\"; };"

static const char tables[] = "set role app; create table ledger (nonce int primary key)";

/* Where it ran. */
static const char *write_one(struct app *app, int nonce)
{
    char sql[100];
    snprintf(sql, sizeof(sql), "insert into ledger values (%d) returning inet_server_port()", nonce);
    struct answer *answer = app_run(app, sql);
    assert_ok(answer);
    return answer->server;
}

static void writes_wait_and_run_on_the_promoted_replica(void **state)
{
    (void)state;
    struct app app = {0};
    app_start(&app, &cluster, SETTINGS);
    assert_string_equal(write_one(&app, 1), "primary");
    cluster_sync(&cluster, 0);
    cluster_kill_server(&cluster, 0);
    APP_UNTIL(&app, app_pool(&app, 0).role == PQR_ROLE_DOWN);
    struct answer *waiting = app_send(&app, "insert into ledger values (2) returning inet_server_port()");
    app_turn(&app, 300);
    assert_false(waiting->done);
    cluster_promote(&cluster, 1);
    assert_ok(app_wait(waiting));
    assert_string_equal(waiting->server, "replica1");
    assert_int_equal(strtol(answer_value(waiting, 0, 0), NULL, 10), cluster_port(&cluster, 1));
    assert_string_equal(write_one(&app, 3), "replica1");
    assert_int_equal(app_pool(&app, 1).role, PQR_ROLE_PRIMARY);
    assert_string_equal(app_run_to(&app, PQR_TARGET_REPLICA_ONLY, "select 1")->server, "replica2");
    assert_string_equal(
        cluster_exec(&cluster, 1, "select string_agg(nonce::text, ',' order by nonce) from ledger"), "1,2,3");
    app_close(&app);
}

/* Comes after the test above: server 1 leads on timeline 2, server 0 is down and thinks it is the primary. */
static void old_primary_that_returns_is_fenced(void **state)
{
    (void)state;
    struct app app = {0};
    app_start(&app, &cluster, SETTINGS);
    cluster_start_server(&cluster, 0);
    APP_UNTIL(&app, app_pool(&app, 0).role == PQR_ROLE_FENCED);
    for (int i = 0; i < 10; i++) {
        assert_string_equal(write_one(&app, 10 + i), "replica1");
    }
    assert_string_equal(cluster_exec(&cluster, 0, "select count(*) from ledger where nonce >= 10"), "0");
    assert_int_equal(cluster_sessions(&cluster, 0), 1); /* the probe's */
    app_close(&app);
    app_start(&app, &cluster, SETTINGS); /* a router that begins with both of them */
    assert_int_equal(app_pool(&app, 0).role, PQR_ROLE_FENCED);
    assert_string_equal(write_one(&app, 20), "replica1");
    app_close(&app);
}

/* Both live: the replica is promoted while the primary takes writes. */
static void higher_timeline_wins_and_the_other_is_fenced(void **state)
{
    (void)state;
    static struct cluster pair;
    struct app app = {0};
    cluster_start(&pair, 1);
    cluster_exec(&pair, 0, "set role app; create table ledger (nonce int primary key)");
    cluster_sync(&pair, 0);
    app_start(&app, &pair, SETTINGS);
    assert_string_equal(write_one(&app, 1), "primary");
    struct answer *running = app_send(&app, "insert into ledger select 2 from pg_sleep(3)");
    cluster_promote(&pair, 1);
    APP_UNTIL(&app, app_pool(&app, 0).role == PQR_ROLE_FENCED && app_pool(&app, 1).role == PQR_ROLE_PRIMARY);
    assert_string_equal(write_one(&app, 3), "replica1");
    app_wait(
        running); /* in flight on the fenced one: nobody may call it done where it counts, or repeat it */
    if (running->status != PQR_STATUS_OK)
        assert_ended(running, PQR_STATUS_LOST, PQR_OUTCOME_UNKNOWN);
    assert_int_equal(running->attempts, 1);
    assert_string_equal(cluster_exec(&pair, 0, "select count(*) from ledger where nonce = 3"), "0");
    assert_true(app_logged(&app, "timeline"));
    app_close(&app);
    cluster_stop(&pair);
}

/* The old primary comes back as a standby of the new one, as after pg_rewind: an old name in a new role. */
static void switchover_swaps_the_roles(void **state)
{
    (void)state;
    static struct cluster pair;
    struct app app = {0};
    char sql[700];
    cluster_start(&pair, 1);
    cluster_exec(&pair, 0, "set role app; create table ledger (nonce int primary key)");
    cluster_sync(&pair, 0);
    app_start(&app, &pair, SETTINGS);
    cluster_stop_server(&pair, 0, "fast"); /* the standby has it all */
    /* A connection that is just being opened may look alive until then: what is written to it is lost, and unknown. */
    APP_UNTIL(&app, app_pool(&app, 0).role == PQR_ROLE_DOWN);
    cluster_promote(&pair, 1);
    assert_string_equal(write_one(&app, 1), "replica1");
    snprintf(sql, sizeof(sql),
        "touch %s/primary/standby.signal && echo \"primary_conninfo = 'host=%s port=%d "
        "user=postgres'\" >> %s/primary/postgresql.auto.conf && chown --reference=%s/primary/PG_VERSION "
        "%s/primary/standby.signal",
        pair.dir, pair.sockets, cluster_port(&pair, 1), pair.dir, pair.dir, pair.dir);
    assert_int_equal(system(sql), 0);
    cluster_start_server(&pair, 0);
    APP_UNTIL(&app, app_pool(&app, 0).role == PQR_ROLE_REPLICA && app_pool(&app, 0).available > 0);
    assert_string_equal(app_run(&app, "select 1")->server, "primary"); /* its name, not its role */
    assert_string_equal(write_one(&app, 2), "replica1");
    app_close(&app);
    cluster_stop(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_wait_and_run_on_the_promoted_replica),
        cmocka_unit_test(old_primary_that_returns_is_fenced),
        cmocka_unit_test(higher_timeline_wins_and_the_other_is_fenced),
        cmocka_unit_test(switchover_swaps_the_roles),
    };
    return SUITE_RUN(tests, 2, tables);
}
