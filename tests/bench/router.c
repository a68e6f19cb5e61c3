/* router CONFIG CLIENTS REQUESTS: the same point reads through pqrouter. The configuration gives one server and
   as many connections for requests as raw has. */
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

#include "bench.h"
#include "pqrouter.h"

static pqr_router *router;
static unsigned n_clients, wanted, warm_up, asked, answered;
static unsigned *ids; /* what each client reads */

static void on_reply(pqr_reply *reply, void *data);

static void ask(unsigned *id)
{
    static const Oid types[] = {BENCH_INT4};
    if (asked == warm_up + wanted)
        return;
    asked++;
    char text[16];
    *id = bench_next_id();
    snprintf(text, sizeof(text), "%u", *id);
    const char *values[] = {text};
    pqr_query query = PQR_QUERY_INIT;
    query.sql = BENCH_SQL;
    query.n_params = 1;
    query.param_types = types;
    query.param_values = values;
    int code = pqr_query_run(NULL, router, &query, on_reply, id);
    if (code)
        bench_fail("pqr_query_run: %s", pqr_error_text(code));
}

static void finish(void)
{
    pqr_stats *stats = NULL;
    bench_report(wanted);
    if (pqr_router_stats(router, &stats) == 0)
        fprintf(stderr, "connections used at once: %u\n", pqr_stats_totals(stats)->peak_usage);
    pqr_stats_free(stats);
    pqr_router_close(router, 0, NULL, NULL);
}

static void on_reply(pqr_reply *reply, void *data)
{
    unsigned *id = data;
    if (pqr_reply_status(reply) != PQR_STATUS_OK)
        bench_fail("%s: %s", pqr_status_name(pqr_reply_status(reply)), pqr_reply_error(reply));
    bench_check(*id, pqr_reply_value_at(reply, 0, 0, NULL));
    if (++answered == warm_up)
        bench_start();
    ask(id);
    if (answered == warm_up + wanted)
        finish();
}

static void on_ready(pqr_router *ready, int status, const char *why, void *data)
{
    (void)ready;
    (void)data;
    if (status)
        bench_fail("not ready: %s", why);
    for (unsigned i = 0; i < n_clients; i++)
        ask(&ids[i]);
}

int main(int argc, char **argv)
{
    if (argc != 4)
        bench_fail("usage: router CONFIG CLIENTS REQUESTS");
    n_clients = bench_number(argv[2]);
    wanted = bench_number(argv[3]);
    warm_up = wanted / 10 + 1;
    ids = calloc(n_clients, sizeof(*ids));
    if (!ids)
        bench_fail("out of memory");
    pqr_config *config = NULL;
    pqr_error error;
    if (pqr_config_load(&config, argv[1], &error))
        bench_fail("%s", error.message);
    if (pqr_router_open(&router, uv_default_loop(), config, NULL, &error))
        bench_fail("%s", error.message);
    pqr_config_free(config);
    if (pqr_router_ready(router, 60000, on_ready, NULL))
        bench_fail("pqr_router_ready failed");
    uv_run(uv_default_loop(), UV_RUN_DEFAULT);
    int left = uv_loop_close(uv_default_loop());
    free(ids);
    return left == 0 && answered == warm_up + wanted ? 0 : 1;
}
