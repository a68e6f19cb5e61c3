/* memory CONFIG CONNECTIONS REQUESTS: bytes of pqrouter's own heap (what libpq and libuv take is not in it), as
   five numbers: in use by a router that has no connection yet, then when that many connections stand idle, then a
   queued request, of it the text and the parameters themselves, then when all of them are answered. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "bench.h"
#include "pqrouter.h"

/* In front of each block, its size; as wide as malloc aligns. */
enum { HEAD = 16 };
#define PARAMETER "1234"

static atomic_size_t in_use;

static void *take(char *block, size_t size)
{
    if (!block)
        return NULL;
    memcpy(block, &size, sizeof(size));
    atomic_fetch_add(&in_use, size);
    return block + HEAD;
}

static void *own_malloc(size_t size)
{
    return take(malloc(size + HEAD), size);
}

static void *own_calloc(size_t count, size_t size)
{
    return take(calloc(1, count * size + HEAD), count * size);
}

static void own_free(void *memory)
{
    size_t size = 0;
    if (!memory)
        return;
    memcpy(&size, (char *)memory - HEAD, sizeof(size));
    atomic_fetch_sub(&in_use, size);
    free((char *)memory - HEAD);
}

static void *own_realloc(void *memory, size_t size)
{
    size_t old = 0;
    void *grown = own_malloc(size);
    if (!grown || !memory)
        return grown;
    memcpy(&old, (char *)memory - HEAD, sizeof(old));
    memcpy(grown, memory, old < size ? old : size);
    own_free(memory);
    return grown;
}

static pqr_router *router;
static unsigned expected, n_requests, answered;
static size_t router_bytes, idle_bytes, queued_bytes;
static uv_timer_t timer;

static void on_reply(pqr_reply *reply, void *data)
{
    (void)data;
    if (pqr_reply_status(reply) != PQR_STATUS_OK)
        bench_fail("%s: %s", pqr_status_name(pqr_reply_status(reply)), pqr_reply_error(reply));
    if (++answered == 2 * n_requests)
        uv_timer_again(&timer);
}

static void ask(unsigned how_many)
{
    static const Oid types[] = {BENCH_INT4};
    static const char *const values[] = {PARAMETER};
    pqr_query query = PQR_QUERY_INIT;
    query.sql = BENCH_SQL;
    query.n_params = 1;
    query.param_types = types;
    query.param_values = values;
    while (how_many-- > 0)
        if (pqr_query_run(NULL, router, &query, on_reply, NULL))
            bench_fail("pqr_query_run failed");
}

static unsigned available(void)
{
    pqr_stats *stats = NULL;
    if (pqr_router_stats(router, &stats))
        bench_fail("pqr_router_stats failed");
    unsigned count = pqr_stats_totals(stats)->available;
    pqr_stats_free(stats);
    return count;
}

/* Until all connections stand idle; then the requests; then once more when all of them are answered. */
static void on_timer(uv_timer_t *handle)
{
    if (answered == 0) {
        if (available() < expected)
            return;
        uv_timer_stop(handle);
        idle_bytes = in_use;
        ask(n_requests);
        size_t one_lot = in_use;
        ask(n_requests);
        queued_bytes = (in_use - one_lot) / n_requests;
        return;
    }
    printf("%zu %zu %zu %zu %zu\n", router_bytes, idle_bytes, queued_bytes,
        sizeof(BENCH_SQL) + sizeof(PARAMETER), (size_t)in_use);
    uv_close((uv_handle_t *)handle, NULL);
    pqr_router_close(router, 0, NULL, NULL);
}

int main(int argc, char **argv)
{
    if (argc != 4)
        bench_fail("usage: memory CONFIG CONNECTIONS REQUESTS");
    expected = bench_number(argv[2]);
    n_requests = bench_number(argv[3]);
    pqr_config *config = NULL;
    pqr_error error;
    if (pqr_set_allocator(own_malloc, own_calloc, own_realloc, own_free))
        bench_fail("pqr_set_allocator failed");
    if (pqr_config_load(&config, argv[1], &error) ||
        pqr_router_open(&router, uv_default_loop(), config, NULL, &error))
        bench_fail("%s", error.message);
    router_bytes = in_use;
    pqr_config_free(config);
    uv_timer_init(uv_default_loop(), &timer);
    uv_timer_start(&timer, on_timer, 20, 20);
    uv_run(uv_default_loop(), UV_RUN_DEFAULT);
    if (uv_loop_close(uv_default_loop()) || in_use)
        bench_fail("%zu bytes are still in use after the close", (size_t)in_use);
    return 0;
}
