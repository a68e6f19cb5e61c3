/* The transport's own life, its clock and its one timer. Connections are in conn.c. */
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/wheel.h"
#include "postgres/conn.h"
#include "postgres/mailbox.h"
#include "postgres/postgres.h"
#include "postgres/rows.h"

static struct pqr__postgres *postgres_of(struct pqr__transport *transport)
{
    return (struct pqr__postgres *)transport;
}

/* What is read at once came at once, however many answers it is. */
static uint64_t now_us(struct pqr__transport *transport)
{
    return transport->read_us ? transport->read_us : pqr__clock_us();
}

/* libuv runs timers before it looks at sockets. Where the loop was held up for long, what has arrived meanwhile is told
   first: it was in time, and a server is not down because the application was busy. */
static bool comes_late(struct pqr__postgres *postgres)
{
    enum { LATE_MS = 50 };
    bool late = !postgres->timer_waited && uv_now(postgres->loop) > postgres->timer_due_ms + LATE_MS;
    postgres->timer_waited = late;
    return late;
}

static void on_timer(uv_timer_t *timer)
{
    struct pqr__postgres *postgres = timer->data;
    if (comes_late(postgres)) {
        uv_timer_start(timer, on_timer, 1, 0);
        return;
    }
    postgres->timer_at_ms = PQR__NEVER;
    postgres->base.events->timer(postgres->base.router);
}

/* The loop's time is the same clock, cut to milliseconds and read once a turn: when it has reached at_ms, at_us has
   passed. */
static void timer_set(struct pqr__transport *transport, uint64_t at_us)
{
    struct pqr__postgres *postgres = postgres_of(transport);
    uint64_t at_ms = at_us == PQR__NEVER ? PQR__NEVER : at_us / 1000 + (at_us % 1000 != 0);
    if (at_ms == postgres->timer_at_ms)
        return;
    postgres->timer_at_ms = at_ms;
    if (at_ms == PQR__NEVER) {
        uv_timer_stop(&postgres->timer);
        return;
    }
    uint64_t loop_ms = uv_now(postgres->loop);
    postgres->timer_due_ms = at_ms > loop_ms ? at_ms : loop_ms;
    uv_timer_start(&postgres->timer, on_timer, at_ms > loop_ms ? at_ms - loop_ms : 0, 0);
}

static void on_handle_closed(void *data)
{
    struct pqr__postgres *postgres = data;
    if (--postgres->n_handles > 0)
        return;
    postgres->base.events->down(postgres->base.router);
    for (uint32_t i = 0; i < 64; i++)
        pqr_config_free(postgres->servers[i].config);
    pqr_config_free(postgres->config);
    pqr__free(postgres);
}

static void on_own_handle_closed(uv_handle_t *handle)
{
    on_handle_closed(handle->data);
}

static void shut_down(struct pqr__transport *transport)
{
    struct pqr__postgres *postgres = postgres_of(transport);
    postgres->n_handles = 3;
    uv_close((uv_handle_t *)&postgres->timer, on_own_handle_closed);
    uv_close((uv_handle_t *)&postgres->flusher, on_own_handle_closed);
    pqr__mailbox_close(postgres->mailbox, on_handle_closed, postgres);
}

static const char *result_value(const struct pg_result *result, int row, int column)
{
    return pqr__rows_value(result, row, column, NULL);
}

static void replace_config(struct pqr_config **held, const struct pqr_config *config)
{
    struct pqr_config *before = *held;
    *held = pqr__config_ref(config);
    pqr_config_free(before);
}

static void configure(
    struct pqr__transport *transport, uint32_t server, const struct pqr_config *config, uint32_t entry)
{
    struct pqr__postgres *postgres = postgres_of(transport);
    replace_config(&postgres->config, config);
    replace_config(&postgres->servers[server].config, config);
    postgres->servers[server].entry = entry;
    postgres->servers[server].plain = false;
}

static const struct pqr__transport_ops ops = {
    .configure = configure,
    .connect = pqr__conn_connect,
    .send = pqr__flight_send,
    .cancel = pqr__conn_cancel,
    .close = pqr__conn_close,
    .abandon = pqr__conn_abandon,
    .timer_set = timer_set,
    .now_us = now_us,
    .shutdown = shut_down,
    .result_free = pqr__rows_free,
    .result_value = result_value,
    .result_tag = pqr__rows_tag,
};

/* The callbacks struct may be an older, shorter one. */
static void copy_callbacks(pqr_callbacks *out, const pqr_callbacks *callbacks)
{
    if (callbacks)
        memcpy(out, callbacks, callbacks->struct_size < sizeof(*out) ? callbacks->struct_size : sizeof(*out));
}

int pqr__postgres_open(struct pqr__transport **out, struct uv_loop_s *loop, const struct pqr_config *config,
    const struct pqr__transport_events *events, void *router, const pqr_callbacks *callbacks,
    const struct pqr__log *log)
{
    struct pqr__postgres *postgres = pqr__calloc(1, sizeof(*postgres));
    if (!postgres)
        return PQR_ENOMEM;
    int failed = pqr__mailbox_open(&postgres->mailbox, loop);
    if (failed) {
        pqr__free(postgres);
        return failed;
    }
    postgres->base.ops = &ops;
    postgres->base.events = events;
    postgres->base.router = router;
    postgres->loop = loop;
    for (uint32_t i = 0; i < config->n_servers; i++)
        configure(&postgres->base, i, config, i);
    postgres->log = *log;
    postgres->pid = getpid();
    copy_callbacks(&postgres->callbacks, callbacks);
    uv_timer_init(loop, &postgres->timer);
    postgres->timer.data = postgres;
    postgres->timer_at_ms = PQR__NEVER;
    uv_idle_init(loop, &postgres->flusher);
    postgres->flusher.data = postgres;
    pqr__list_init(&postgres->unflushed);
    *out = &postgres->base;
    return 0;
}
