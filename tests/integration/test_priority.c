/* Lanes on a real server: what administrators, normal and batch requests get of one pool. */
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

#define SLEEP "select pg_sleep(0.005), pg_notify('x', '')" /* a write for all that is known: never shared */

/* A crowd of equal requests that is kept at its size. */
struct crowd {
    struct app *app;
    uint32_t flags;
    bool ends;
    unsigned in_air, ok, others;
    uint64_t longest_us;
};

static void crowd_send(struct crowd *crowd);

static void crowd_answered(struct answer *answer, pqr_reply *reply)
{
    struct crowd *crowd = answer->data;
    crowd->in_air--;
    if (pqr_reply_status(reply) == PQR_STATUS_OK)
        crowd->ok++;
    else
        crowd->others++;
    if (answer->times.queued_us > crowd->longest_us)
        crowd->longest_us = answer->times.queued_us;
    if (!crowd->ends)
        crowd_send(crowd);
}

static void crowd_send(struct crowd *crowd)
{
    struct answer *answer = app_send_to(crowd->app, PQR_TARGET_PRIMARY, crowd->flags, SLEEP);
    answer->then = crowd_answered;
    answer->data = crowd;
    crowd->in_air++;
}

static void crowd_gather(struct crowd *crowd, struct app *app, uint32_t flags, unsigned size)
{
    *crowd = (struct crowd){.app = app, .flags = flags};
    while (crowd->in_air < size)
        crowd_send(crowd);
}

static void flags_that_contradict_each_other_are_refused(void **state)
{
    (void)state;
    struct app app = {0};
    pqr_query query = PQR_QUERY_INIT;
    pqr_tx_options options = PQR_TX_OPTIONS_INIT;
    struct answer none = {0};
    app_start(&app, &cluster, "");
    query.sql = "select 1";
    query.flags = options.flags = PQR_ADMIN | PQR_BATCH;
    assert_int_equal(pqr_query_run(NULL, app.router, &query, app_on_reply, &none), PQR_EINVAL);
    assert_int_equal(
        pqr_tx_run(NULL, app.router, &options, (pqr_tx_body)(void (*)(void))abort, app_on_reply, &none),
        PQR_EINVAL);
    query.flags = PQR_BATCH;
    assert_ok(app_run_query(&app, &query));
    app_close(&app);
}

static void flood_of_administrators_leaves_normal_requests_their_share(void **state)
{
    (void)state;
    struct app app = {0};
    struct crowd admins, normals;
    app_start(
        &app, &cluster, "pool = { min = 6; max = 6; admin_reserved = 1; }; queue = { normal_share = 30; };");
    APP_UNTIL(&app, app_pool(&app, 0).available == 5);
    crowd_gather(&admins, &app, PQR_ADMIN, 20);
    crowd_gather(&normals, &app, 0, 20);
    APP_UNTIL(&app, normals.ok + admins.ok >= 1000);
    unsigned share = normals.ok * 1000 / (normals.ok + admins.ok);
    assert_in_range(share, 285, 315); /* 5% of the share */
    assert_int_equal(normals.others + admins.others, 0);
    admins.ends = normals.ends = true;
    APP_UNTIL(&app, admins.in_air + normals.in_air == 0);
    app_close(&app);
}

static void batch_runs_when_nobody_else_waits_and_shares_once_it_has_aged(void **state)
{
    (void)state;
    struct app app = {0};
    struct crowd normals, batch;
    app_start(&app, &cluster,
        "pool = { min = 4; max = 4; }; queue = { batch_share = 20; batch_age = \"1s\"; target = \"none\"; "
        "};");
    APP_UNTIL(&app, app_pool(&app, 0).available == 3);
    crowd_gather(&normals, &app, 0, 12);
    crowd_gather(&batch, &app, PQR_BATCH, 12);
    APP_UNTIL(&app, normals.ok >= 100);
    assert_int_equal(batch.ok, 0);
    assert_int_equal(app_totals(&app).batch_waiting, 12);
    APP_UNTIL(&app, batch.ok > 0);
    assert_true(batch.longest_us >= 1000000);
    normals.ends = true;
    APP_UNTIL(&app, normals.in_air == 0);
    unsigned alone = batch.ok;
    APP_UNTIL(&app, batch.ok >= alone + 200); /* which the share of the aged would not be soon */
    batch.ends = true;
    APP_UNTIL(&app, batch.in_air == 0);
    assert_int_equal(normals.others + batch.others, 0);
    app_close(&app);
}

static void administrators_do_not_wait_for_a_flood_of_normal_and_batch_requests(void **state)
{
    (void)state;
    struct app app = {0};
    struct answer *long_ones[6];
    struct crowd batch;
    app_start(&app, &cluster, "pool = { min = 4; max = 4; admin_reserved = 1; };");
    APP_UNTIL(&app, app_pool(&app, 0).available == 3);
    for (int i = 0; i < 6; i++)
        long_ones[i] = app_send(&app, "select pg_sleep(1.5), pg_notify('x', '')");
    crowd_gather(&batch, &app, PQR_BATCH, 20);
    for (int i = 0; i < 20; i++) {
        assert_ok(app_wait(app_send_to(&app, PQR_TARGET_PRIMARY, PQR_ADMIN, SLEEP)));
        assert_false(long_ones[0]->done);
    }
    assert_int_equal(batch.ok, 0);
    batch.ends = true;
    for (int i = 0; i < 6; i++)
        assert_ok(app_wait(long_ones[i]));
    APP_UNTIL(&app, batch.in_air == 0);
    assert_int_equal(batch.ok, 20);
    app_close(&app);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flags_that_contradict_each_other_are_refused),
        cmocka_unit_test(flood_of_administrators_leaves_normal_requests_their_share),
        cmocka_unit_test(batch_runs_when_nobody_else_waits_and_shares_once_it_has_aged),
        cmocka_unit_test(administrators_do_not_wait_for_a_flood_of_normal_and_batch_requests),
    };
    return SUITE_RUN(tests, 0, NULL);
}
