/* More than a real server can do: who is served, who is refused and how that is told. */
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

#define SLEEP "select pg_sleep(0.01), pg_notify('x', '')" /* a write for all that is known: never shared */

/* Sends so many each millisecond, whatever becomes of them. */
struct stream {
    struct app *app;
    uv_timer_t timer;
    unsigned each, sent, ok, overloaded, timeout, others;
    uint64_t ok_longest_us;
};

static void stream_answered(struct answer *answer, pqr_reply *reply)
{
    struct stream *stream = answer->data;
    switch (pqr_reply_status(reply)) {
    case PQR_STATUS_OK:
        stream->ok++;
        if (answer->times.queued_us > stream->ok_longest_us)
            stream->ok_longest_us = answer->times.queued_us;
        break;
    case PQR_STATUS_OVERLOADED:
        stream->overloaded++;
        break;
    case PQR_STATUS_TIMEOUT:
        stream->timeout++;
        break;
    case PQR_STATUS_SQL_ERROR:
    case PQR_STATUS_CANCELLED:
    case PQR_STATUS_UNAVAILABLE:
    case PQR_STATUS_LOST:
    case PQR_STATUS_CLOSED:
    default:
        stream->others++;
        break;
    }
}

static void stream_due(uv_timer_t *timer)
{
    struct stream *stream = timer->data;
    for (unsigned i = 0; i < stream->each; i++) {
        struct answer *answer = app_send(stream->app, SLEEP);
        answer->then = stream_answered;
        answer->data = stream;
        stream->sent++;
    }
}

static void stream_start(struct stream *stream, struct app *app, unsigned each)
{
    *stream = (struct stream){.app = app, .each = each};
    uv_timer_init(&app->loop, &stream->timer);
    stream->timer.data = stream;
    uv_timer_start(&stream->timer, stream_due, 0, 5);
}

static void stream_stop(struct stream *stream)
{
    uv_timer_stop(&stream->timer);
    uv_close((uv_handle_t *)&stream->timer, NULL);
}

/* --- pressure --- */

static struct {
    unsigned calls;
    bool seen[3];
    pqr_pressure last;
} told;

static void pressed(void *data, const pqr_pressure *pressure)
{
    (void)data;
    told.calls++;
    told.seen[pressure->level] = true;
    told.last = *pressure;
}

static pqr_pressure pressure_of(struct app *app)
{
    pqr_pressure pressure = PQR_PRESSURE_INIT;
    assert_int_equal(pqr_router_pressure(app->router, &pressure), 0);
    return pressure;
}

/* Goodput goes on, and whoever of the next 200 is served waited for the target at most, and a turn of the loop. Those
   that came before are turned away meanwhile, and a busy machine may need another try; without shedding all wait for
   seconds. */
static bool served_soon(struct stream *stream)
{
    unsigned ok = stream->ok;
    stream->ok_longest_us = 0;
    APP_UNTIL(stream->app, stream->ok >= ok + 200);
    return stream->ok_longest_us <= 100000 + 50000;
}

/* Two connections serve 200 a second; 2,000 come. */
static void ten_times_the_load_is_shed_and_the_rest_is_served_soon(void **state)
{
    (void)state;
    struct app app = {.callbacks = PQR_CALLBACKS_INIT};
    struct stream stream;
    app.callbacks.pressure = pressed;
    memset(&told, 0, sizeof(told));
    app_start(&app, &cluster,
        "pool = { min = 3; max = 4; admin_reserved = 1; }; request = { timeout = \"10s\"; };"
        "queue = { target = \"100ms\"; interval = \"300ms\"; };");
    assert_int_equal(pressure_of(&app).level, PQR_PRESSURE_CALM);
    stream_start(&stream, &app, 10);
    APP_UNTIL(&app, told.seen[PQR_PRESSURE_SHEDDING]);
    assert_true(told.seen[PQR_PRESSURE_BUSY]); /* it was told before the first was turned away */
    assert_true(told.last.waiting > 0 && told.last.in_use == told.last.max);
    APP_UNTIL(&app, served_soon(&stream));
    pqr_pressure pressure = pressure_of(&app);
    assert_int_equal(pressure.level, PQR_PRESSURE_SHEDDING);
    stream_stop(&stream);
    APP_UNTIL(&app, stream.ok + stream.overloaded + stream.timeout == stream.sent);
    assert_int_equal(stream.timeout + stream.others, 0);
    assert_int_equal(app_totals(&app).shed + app_totals(&app).refused, stream.overloaded);
    APP_UNTIL(&app, told.last.level == PQR_PRESSURE_CALM);
    assert_ok(app_run(&app, SLEEP));
    app_close(&app);
}

static void a_burst_is_served_in_full(void **state)
{
    (void)state;
    struct app app = {0};
    struct answer *answers[100];
    app_start(&app, &cluster, "pool = { min = 3; max = 4; };");
    for (int i = 0; i < 100; i++)
        answers[i] = app_send(&app, SLEEP);
    for (int i = 0; i < 100; i++)
        assert_ok(app_wait(answers[i]));
    assert_int_equal(app_totals(&app).shed + app_totals(&app).refused, 0);
    app_close(&app);
}

static void what_would_miss_its_deadline_is_refused_at_once_with_the_numbers(void **state)
{
    (void)state;
    struct app app = {0};
    struct answer *answers[400];
    app_start(&app, &cluster, "pool = { min = 3; max = 4; }; queue = { target = \"none\"; };");
    APP_UNTIL(&app, app_pool(&app, 0).available == 3);
    for (int i = 0; i < 400; i++)
        answers[i] = app_send(&app, SLEEP);
    APP_UNTIL(&app, answers[60]->done); /* now it is known how fast that goes: 340 take more than a second */
    pqr_query query = PQR_QUERY_INIT;
    query.sql = SLEEP;
    query.timeout_ms = 500;
    struct answer *refused = app_run_query(&app, &query);
    assert_ended(refused, PQR_STATUS_OVERLOADED, PQR_OUTCOME_NOT_EXECUTED);
    assert_false(answers[399]->done);
    assert_true(refused->times.total_us < 500000);
    assert_non_null(strstr(refused->error, "it would wait for"));
    assert_non_null(strstr(refused->error, "2 of 2 connections in use"));
    assert_non_null(strstr(refused->error, "waiting, oldest"));
    assert_non_null(strstr(refused->error, "timeout 0.5 s"));
    query.flags = PQR_ADMIN; /* has its own lane */
    assert_ok(app_run_query(&app, &query));
    query.flags = 0;
    query.timeout_ms = UINT32_MAX; /* waits for as long as it takes */
    assert_ok(app_run_query(&app, &query));
    for (int i = 0; i < 400; i++)
        assert_ok(app_wait(answers[i]));
    assert_int_equal(app_totals(&app).refused, 1);
    app_close(&app);
}

static void a_timeout_in_the_queue_tells_the_numbers(void **state)
{
    (void)state;
    struct app app = {0};
    app_start(&app, &cluster, "pool = { min = 3; max = 4; };");
    APP_UNTIL(&app, app_pool(&app, 0).available == 3);
    for (int i = 0; i < 4; i++)
        app_send(&app, "select pg_sleep(1), pg_notify('x', '')");
    pqr_query query = PQR_QUERY_INIT;
    query.sql = SLEEP;
    query.timeout_ms = 200;
    struct answer *late = app_run_query(&app, &query);
    assert_ended(late, PQR_STATUS_TIMEOUT, PQR_OUTCOME_NOT_EXECUTED);
    assert_non_null(strstr(late->error, "2 of 2 connections in use, 3 waiting, oldest 0.2 s, timeout 0.2 s"));
    app_close(&app);
}

static void writes_that_waited_for_a_server_are_not_turned_away_when_it_is_back(void **state)
{
    (void)state;
    struct app app = {0};
    struct answer *answers[50];
    app_start(&app, &cluster,
        "pool = { min = 3; max = 4; }; queue = { target = \"100ms\"; interval = \"300ms\"; };");
    cluster_stop_server(&cluster, 0, "fast");
    APP_UNTIL(&app, app_pool(&app, 0).role == PQR_ROLE_DOWN);
    for (int i = 0; i < 50; i++) /* 250 ms of work, but they wait for longer than a second */
        answers[i] = app_send(&app, "select pg_sleep(0.005), pg_notify('x', '')");
    app_turn(&app, 1000);
    cluster_start_server(&cluster, 0);
    for (int i = 0; i < 50; i++)
        assert_ok(app_wait(answers[i]));
    assert_int_equal(app_totals(&app).shed, 0);
    app_close(&app);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ten_times_the_load_is_shed_and_the_rest_is_served_soon),
        cmocka_unit_test(a_burst_is_served_in_full),
        cmocka_unit_test(what_would_miss_its_deadline_is_refused_at_once_with_the_numbers),
        cmocka_unit_test(a_timeout_in_the_queue_tells_the_numbers),
        cmocka_unit_test(writes_that_waited_for_a_server_are_not_turned_away_when_it_is_back),
    };
    return SUITE_RUN(tests, 0, NULL);
}
