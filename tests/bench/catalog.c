/* What loading a large catalog costs the loop: see tests/bench/catalog.

     bench_catalog CONNINFO    one line: names, bytes, seconds, turns of the loop, the longest and how many over 5 ms

   A turn is what runs between two waits for the servers; it is what others on the loop wait for. */
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

#include "pqrouter.h"

struct bench {
    pqr_router *router;
    uv_prepare_t prepare;
    uv_check_t check;
    uv_timer_t timer;
    uint64_t begun_ns, began_ns; /* the whole; this turn */
    uint64_t turns, long_turns, longest_ns, busy_ns;
};

static void on_turn_begins(uv_check_t *check)
{
    struct bench *bench = check->data;
    bench->began_ns = uv_hrtime();
}

static void on_turn_ends(uv_prepare_t *prepare)
{
    struct bench *bench = prepare->data;
    uint64_t took_ns = bench->began_ns ? uv_hrtime() - bench->began_ns : 0;
    bench->turns++;
    bench->busy_ns += took_ns;
    bench->long_turns += took_ns > 5000000;
    if (took_ns > bench->longest_ns)
        bench->longest_ns = took_ns;
}

static void report(const struct bench *bench, const pqr_router_totals *totals)
{
    printf("%llu names, %llu bytes, %.2f s, %llu turns, busy %.0f ms, longest turn %.2f ms, %llu over 5 ms\n",
        (unsigned long long)totals->catalog_entries, (unsigned long long)totals->catalog_bytes,
        (double)(uv_hrtime() - bench->begun_ns) / 1e9, (unsigned long long)bench->turns,
        (double)bench->busy_ns / 1e6, (double)bench->longest_ns / 1e6, (unsigned long long)bench->long_turns);
}

static void on_timer(uv_timer_t *timer)
{
    struct bench *bench = timer->data;
    pqr_stats *stats;
    if (pqr_router_stats(bench->router, &stats) != 0)
        return;
    const pqr_router_totals *totals = pqr_stats_totals(stats);
    if (totals->catalog_loads > 0) {
        report(bench, totals);
        uv_close((uv_handle_t *)&bench->prepare, NULL);
        uv_close((uv_handle_t *)&bench->check, NULL);
        uv_close((uv_handle_t *)timer, NULL);
        pqr_router_close(bench->router, 0, NULL, NULL);
    }
    pqr_stats_free(stats);
}

static void on_log(void *data, pqr_log_level level, const char *text)
{
    (void)data;
    fprintf(stderr, "%s: %s\n", pqr_log_level_name(level), text);
}

int main(int argc, char **argv)
{
    static struct bench bench;
    static pqr_error error;
    pqr_callbacks callbacks = PQR_CALLBACKS_INIT;
    pqr_config *config = NULL;
    uv_loop_t *loop = uv_default_loop();
    callbacks.log = on_log;
    callbacks.log_level = PQR_LOG_WARNING;
    if (argc != 2 || pqr_config_conninfo(&config, argv[1], &error) != 0 ||
        pqr_router_open(&bench.router, loop, config, &callbacks, &error) != 0) {
        fprintf(stderr, "%s\n", argc == 2 ? error.message : "usage: bench_catalog CONNINFO");
        return 2;
    }
    pqr_config_free(config);
    bench.begun_ns = uv_hrtime();
    bench.prepare.data = bench.check.data = bench.timer.data = &bench;
    uv_prepare_init(loop, &bench.prepare);
    uv_check_init(loop, &bench.check);
    uv_timer_init(loop, &bench.timer);
    uv_prepare_start(&bench.prepare, on_turn_ends);
    uv_check_start(&bench.check, on_turn_begins);
    uv_timer_start(&bench.timer, on_timer, 20, 20);
    uv_run(loop, UV_RUN_DEFAULT);
    return uv_loop_close(loop) == 0 ? 0 : 1;
}
