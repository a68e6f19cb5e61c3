/* Reads on the primary that fly together, against a migration. Those under one Sync hold their tables' locks until it:
   reads of two tables would deadlock with a migration that takes the tables in the other order (measured), so that on
   the primary only one statement's executions fly together. The migration runs again and again while reads come without
   a pause; whether the server ever met a deadlock, resolved by one of ours or not, it says itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>

#include "flights.h"

enum { MIGRATIONS = 40, OUTSTANDING = 48 };

static struct cluster cluster;

static int start(void **state)
{
    (void)state;
    cluster_start(&cluster, 0);
    cluster_exec(&cluster, 0,
        "set role app; create table la (n int); create table lb (n int);"
        "insert into la values (1); insert into lb values (1);"
        "create table parted (n int) partition by list (n);"
        "create table part1 partition of parted for values in (1);"
        "create table part2 partition of parted for values in (2);"
        "create view over_parts as select n from parted;"
        "create function pick(n int) returns bigint stable language plpgsql as $$begin if n = 1 then"
        " return (select count(*) from la); else return (select count(*) from lb); end if; end$$");
    cluster_exec(&cluster, 0, "alter role app set plan_cache_mode = force_custom_plan");
    cluster_exec(&cluster, 0, "alter role app set deadlock_timeout = '20ms'");
    return 0;
}

static int stop(void **state)
{
    (void)state;
    cluster_stop(&cluster);
    return 0;
}

/* --- the migration, on a connection and a thread of its own --- */

struct migration {
    const char *sql;
    pthread_t thread;
    atomic_bool done;
    int failed;
    char message[200];
};

static void migrate_once(struct migration *migration, PGconn *conn)
{
    PGresult *result = PQexec(conn, migration->sql);
    if (PQresultStatus(result) != PGRES_COMMAND_OK) {
        migration->failed++;
        snprintf(migration->message, sizeof(migration->message), "%s", PQerrorMessage(conn));
        PQclear(PQexec(conn, "rollback"));
    }
    PQclear(result);
}

static void *migrate(void *data)
{
    struct migration *migration = data;
    PGconn *conn = PQconnectdb(cluster_conninfo(&cluster, 0));
    for (int i = 0; i < MIGRATIONS; i++)
        migrate_once(migration, conn);
    PQfinish(conn);
    atomic_store(&migration->done, true);
    return NULL;
}

static void begin_migration(struct migration *migration, const char *sql)
{
    *migration = (struct migration){.sql = sql};
    assert_int_equal(pthread_create(&migration->thread, NULL, migrate, migration), 0);
}

/* The server's log tells of each, whoever was its victim; the statistics come when the sessions have ended. */
static void expect_no_deadlock(struct migration *migration)
{
    char sql[200];
    pthread_join(migration->thread, NULL);
    if (migration->failed)
        fail_msg("%d migrations failed: %s", migration->failed, migration->message);
    snprintf(sql, sizeof(sql), "select pg_read_file('%s/%s.log') ~ 'deadlock detected'", cluster.dir,
        cluster.servers[0].name);
    assert_string_equal(cluster_exec(&cluster, 0, sql), "f");
    while (cluster_sessions(&cluster, 0) > 0)
        uv_sleep(10);
    assert_int_equal(
        cluster_long(&cluster, 0, "select deadlocks from pg_stat_database where datname = 'app'"), 0);
}

/* --- reads, always as many under way --- */

struct load {
    struct app *app;
    const char *const *sql;       /* two, in turn */
    const char *const *parameter; /* of each */
    struct migration *migration;
    unsigned sent, answered, most_attempts;
    unsigned together; /* answers that came of one Sync with the one before */
    char last_now[40];
};

static void read_next(struct load *load);

static void on_read(struct answer *answer, pqr_reply *reply)
{
    struct load *load = answer->data;
    const char *now = pqr_reply_value_at(reply, 0, 0, NULL);
    assert_ok(answer);
    load->most_attempts = answer->attempts > load->most_attempts ? answer->attempts : load->most_attempts;
    load->answered++;
    load->together += strcmp(now, load->last_now) == 0;
    snprintf(load->last_now, sizeof(load->last_now), "%s", now);
    if (!atomic_load(&load->migration->done))
        read_next(load);
}

static void read_next(struct load *load)
{
    unsigned turn = load->sent++ % 2;
    struct answer *answer =
        flights_send(load->app, PQR_TARGET_PRIMARY, load->sql[turn], load->parameter[turn]);
    answer->then = on_read;
    answer->data = load;
}

static struct load read_while_migrating(
    const char *const sql[2], const char *const parameter[2], const char *migration_sql)
{
    struct migration migration;
    struct app app = {0};
    struct load load = {.app = &app, .sql = sql, .parameter = parameter, .migration = &migration};
    app_start(
        &app, &cluster, "pool = { min = 8; max = 10; resize = false; }; reads = { share_limit = \"1h\"; };");
    flights_warm(&app, PQR_TARGET_PRIMARY, sql[0], parameter[0]);
    flights_warm(&app, PQR_TARGET_PRIMARY, sql[1], parameter[1]);
    begin_migration(&migration, migration_sql);
    for (int i = 0; i < OUTSTANDING; i++)
        read_next(&load);
    APP_UNTIL(&app, load.answered == load.sent && atomic_load(&migration.done));
    app_close(&app);
    expect_no_deadlock(&migration);
    return load;
}

#define LA           "select now(), count(*) from la"
#define LB           "select now(), count(*) from lb"
#define ALTER(table) "alter table " table " alter n set default 1; "

static void two_statements_in_turn_never_deadlock_with_it(void **state)
{
    (void)state;
    static const char *const none[2] = {NULL, NULL};
    static const char *const sql[2] = {LA, LB};
    read_while_migrating(sql, none, "begin; " ALTER("lb") ALTER("la") "commit");
    read_while_migrating(sql, none, "begin; " ALTER("la") ALTER("lb") "commit");
}

static void one_statement_flies_together_and_does_not_either(void **state)
{
    (void)state;
    static const char *const none[2] = {NULL, NULL};
    static const char *const sql[2] = {LA, LA};
    assert_true(read_while_migrating(sql, none, "begin; " ALTER("lb") ALTER("la") "commit").together > 0);
}

/* Which partitions are locked, and what a function reads, depends on the parameter. */
static void a_statement_whose_locks_depend_on_its_parameter_never_deadlocks_with_it(void **state)
{
    (void)state;
    static const char *const texts[] = {"select now(), count(*) from parted where n = $1",
        "select now(), count(*) from \"over_parts\" where n = $1", "select now(), pick($1::int)"};
    static const char *const parameters[2] = {"1", "2"};
    for (int i = 0; i < 3; i++) {
        const char *const sql[2] = {texts[i], texts[i]};
        bool function = i == 2;
        read_while_migrating(sql, parameters,
            function ? "begin; " ALTER("lb") ALTER("la") "commit"
                     : "begin; " ALTER("part2") ALTER("part1") "commit");
        read_while_migrating(sql, parameters,
            function ? "begin; " ALTER("la") ALTER("lb") "commit"
                     : "begin; " ALTER("part1") ALTER("part2") "commit");
    }
}

/* Each change makes what every connection has prepared of it useless, faster than they all find out. */
static void rows_that_change_again_and_again_are_read_all_the_same(void **state)
{
    (void)state;
    static const char *const none[2] = {NULL, NULL};
    static const char *const sql[2] = {"select now(), * from la", "select now(), la.* from la"};
    struct load load = read_while_migrating(sql, none,
        "begin; alter table la add column m int; commit; begin; alter table la drop column m; commit");
    assert_int_equal(load.most_attempts, 1); /* what never ran is no attempt */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_statements_in_turn_never_deadlock_with_it),
        cmocka_unit_test(one_statement_flies_together_and_does_not_either),
        cmocka_unit_test(a_statement_whose_locks_depend_on_its_parameter_never_deadlocks_with_it),
        cmocka_unit_test(rows_that_change_again_and_again_are_read_all_the_same),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
