/* pqr_batch_run on real servers, of harmless reads alone: in one go, on a replica, each for itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "app.h"
#include "batches.h"
#include "suite.h"

enum { REPLICA = 1 };

#define ONE "pool = { min = 1; max = 3; };"

/* On the replica. */
static void wait_for_sleep(struct app *app)
{
    APP_UNTIL(app,
        cluster_long(&cluster, REPLICA,
            "select count(*) from pg_stat_activity where usename = 'app' and wait_event = 'PgSleep'") > 0);
}

static void reads_go_to_a_replica_in_one(void **state)
{
    (void)state;
    static const char *const sql[] = {
        "select now() as a", "select now() as b", "select now(), pg_is_in_recovery()", NULL};
    struct app app = {0};
    struct batch batch = {.sql = sql};
    app_start(&app, &cluster, ONE);
    batch_run(&app, &batch);
    batch_assert_all(&batch, PQR_STATUS_OK, PQR_OUTCOME_EXECUTED);
    assert_string_equal(batch.done->server, "replica1");
    assert_string_equal(answer_value(batch.answers[2], 0, 1), "t");
    for (int i = 1; i < 3; i++) /* under one Sync */
        assert_string_equal(answer_value(batch.answers[i], 0, 0), answer_value(batch.answers[0], 0, 0));
    app_close(&app);
}

/* Different texts under one Sync would hold their locks together there. */
static void on_the_primary_each_has_its_own_sync(void **state)
{
    (void)state;
    static const char *const sql[] = {
        "select now(), pg_backend_pid() as a", "select now(), pg_backend_pid() as b", NULL};
    struct app app = {0};
    struct batch batch = {.sql = sql, .options = {.target = PQR_TARGET_PRIMARY}};
    app_start(&app, &cluster, ONE);
    batch_run(&app, &batch);
    batch_assert_all(&batch, PQR_STATUS_OK, PQR_OUTCOME_EXECUTED);
    assert_string_not_equal(answer_value(batch.answers[0], 0, 0), answer_value(batch.answers[1], 0, 0));
    assert_string_equal(answer_value(batch.answers[0], 0, 1), answer_value(batch.answers[1], 0, 1));
    app_close(&app);
}

static void a_read_that_fails_takes_nothing_from_the_others(void **state)
{
    (void)state;
    static const char *const sql[] = {
        "select 1 as a", "select 1 / 0", "select 3 as c", "select 4 as d", NULL};
    struct app app = {0};
    struct batch batch = {.sql = sql};
    app_start(&app, &cluster, ONE);
    batch_start(&app, &batch);
    app_wait(batch.done);
    assert_sql_error(batch.answers[1], "22012");
    assert_ok(batch.answers[0]);
    assert_ok(batch.answers[2]);
    assert_ok(batch.answers[3]);
    assert_string_equal(answer_value(batch.answers[3], 0, 0), "4");
    assert_sql_error(batch.done, "22012");
    assert_string_equal(batch.done->error, "query 2 of the batch: division by zero");
    app_close(&app);
}

static void reads_move_when_their_server_dies(void **state)
{
    (void)state;
    static const char *const sql[] = {
        "select pg_sleep(case when pg_is_in_recovery() then 30 else 0 end), pg_is_in_recovery()",
        "select 2 as b", NULL};
    struct app app = {0};
    struct batch batch = {.sql = sql};
    app_start(&app, &cluster, ONE "probe = { interval = \"200ms\"; };");
    batch_start(&app, &batch);
    wait_for_sleep(&app);
    cluster_kill_server(&cluster, REPLICA);
    app_wait(batch.done);
    batch_assert_all(&batch, PQR_STATUS_OK, PQR_OUTCOME_EXECUTED);
    assert_string_equal(answer_value(batch.answers[0], 0, 1), "f");
    app_close(&app);
    cluster_start_server(&cluster, REPLICA);
}

static void reads_of_one_snapshot_when_an_isolation_asks_for_it(void **state)
{
    (void)state;
    static const char *const sql[] = {
        "select now(), current_setting('transaction_isolation')", "select now(), pg_is_in_recovery()", NULL};
    struct app app = {0};
    struct batch batch = {.sql = sql, .options = {.isolation = PQR_REPEATABLE_READ}};
    app_start(&app, &cluster, ONE);
    batch_run(&app, &batch);
    batch_assert_all(&batch, PQR_STATUS_OK, PQR_OUTCOME_EXECUTED);
    assert_string_equal(answer_value(batch.answers[0], 0, 1), "repeatable read");
    assert_string_equal(answer_value(batch.answers[1], 0, 1), "t");
    app_close(&app);
}

static void cancelled_reads_end(void **state)
{
    (void)state;
    static const char *const sql[] = {"select pg_sleep(50)", "select 2 as b", "select pg_sleep(51)", NULL};
    struct app app = {0};
    struct batch batch = {.sql = sql};
    app_start(&app, &cluster, ONE);
    batch_start(&app, &batch);
    wait_for_sleep(&app);
    assert_int_equal(pqr_request_cancel(app.router, batch.done->id), 0);
    app_wait(batch.done);
    for (unsigned i = 0; i < batch.n; i++)
        if (batch.answers[i]->status != PQR_STATUS_OK)
            assert_int_equal(batch.answers[i]->status, PQR_STATUS_CANCELLED);
    assert_int_equal(batch.done->status, PQR_STATUS_CANCELLED);
    batch = (struct batch){.sql = sql, .options = {.target = PQR_TARGET_PRIMARY, .timeout_ms = 300}};
    batch_start(&app, &batch);
    app_wait(batch.done);
    assert_int_equal(batch.done->status, PQR_STATUS_TIMEOUT);
    app_close(&app);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_go_to_a_replica_in_one),
        cmocka_unit_test(on_the_primary_each_has_its_own_sync),
        cmocka_unit_test(a_read_that_fails_takes_nothing_from_the_others),
        cmocka_unit_test(reads_of_one_snapshot_when_an_isolation_asks_for_it),
        cmocka_unit_test(cancelled_reads_end),
        cmocka_unit_test(reads_move_when_their_server_dies),
    };
    return SUITE_RUN(tests, 1, NULL);
}
