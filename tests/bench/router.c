/* router config=FILE NAME=VALUE...: the same requests through pqrouter; connections, depth and the like are the
   file's. A transaction is a pqr_tx_run with a statement at a time, or with unit=1 one pqr_batch_run. */
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

#include "bench.h"
#include "pqrouter.h"

static pqr_router *router;
static pqr_statement *statements[BENCH_STATEMENTS];

static void set_query(pqr_query *query, struct bench_step *step, const struct bench_job *job, unsigned number)
{
    bench_step(step, job, number);
    query->statement = statements[step->statement - bench_statements];
    query->n_params = step->statement->n_params;
    query->param_types = bench_types;
    query->param_values = step->values;
}

static void check(pqr_reply *reply, const struct bench_job *job, unsigned step)
{
    if (pqr_reply_status(reply) != PQR_STATUS_OK)
        bench_fail("%s: %s", pqr_status_name(pqr_reply_status(reply)), pqr_reply_error(reply));
    if (step < job->n_steps)
        bench_check(job, step, pqr_reply_result(reply));
}

static void on_reply(pqr_reply *reply, void *data)
{
    struct bench_job *job = data;
    check(reply, job, 0);
    bench_done(job);
}

/* The first and the last statement of a transaction's job are BEGIN and COMMIT, which pqr_tx_run sends. */
static void send_next(pqr_tx *tx, struct bench_job *job);

struct open_tx {
    pqr_tx *tx;
    struct bench_job *job;
};

static void on_step(pqr_reply *reply, void *data)
{
    struct open_tx *open = data;
    check(reply, open->job, open->job->step);
    pqr_tx *tx = open->tx;
    struct bench_job *job = open->job;
    free(open);
    job->step++;
    send_next(tx, job);
}

static void send_next(pqr_tx *tx, struct bench_job *job)
{
    struct bench_step step;
    pqr_query query = PQR_QUERY_INIT;
    if (job->step + 1 == job->n_steps) {
        pqr_tx_commit(tx);
        return;
    }
    struct open_tx *open = malloc(sizeof(*open));
    if (!open)
        bench_fail("out of memory");
    *open = (struct open_tx){tx, job};
    set_query(&query, &step, job, job->step);
    int code = pqr_tx_query(tx, &query, on_step, open);
    if (code)
        bench_fail("pqr_tx_query: %s", pqr_error_text(code));
}

static void body(pqr_tx *tx, unsigned attempt, void *data)
{
    struct bench_job *job = data;
    (void)attempt;
    job->step = 1;
    send_next(tx, job);
}

static void on_committed(pqr_reply *reply, void *data)
{
    struct bench_job *job = data;
    check(reply, job, job->n_steps);
    bench_done(job);
}

/* As one unit: BEGIN and COMMIT are the router's. */
static void on_unit_step(pqr_reply *reply, void *data)
{
    struct bench_job *job = data;
    check(reply, job, ++job->step);
}

static int send_unit(struct bench_job *job)
{
    struct bench_step steps[BENCH_STEPS];
    pqr_query queries[BENCH_STEPS];
    pqr_batch_query list[BENCH_STEPS];
    unsigned n = job->n_steps - 2;
    for (unsigned i = 0; i < n; i++) {
        queries[i] = (pqr_query)PQR_QUERY_INIT;
        set_query(&queries[i], &steps[i], job, i + 1);
        list[i] = (pqr_batch_query){&queries[i], on_unit_step, job};
    }
    job->step = 0;
    return pqr_batch_run(NULL, router, NULL, list, n, on_committed, job);
}

void peer_send(struct bench_job *job)
{
    struct bench_step step;
    pqr_query query = PQR_QUERY_INIT;
    int code = 0;
    if (job->n_steps > 1 && bench_options.unit) {
        code = send_unit(job);
    } else if (job->n_steps > 1) {
        code = pqr_tx_run(NULL, router, NULL, body, on_committed, job);
    } else {
        set_query(&query, &step, job, 0);
        code = pqr_query_run(NULL, router, &query, on_reply, job);
    }
    if (code)
        bench_fail("%s", pqr_error_text(code));
}

void peer_close(void)
{
    pqr_stats *stats = NULL;
    if (pqr_router_stats(router, &stats) == 0)
        fprintf(stderr, "connections used at once: %u\n", pqr_stats_totals(stats)->peak_usage);
    pqr_stats_free(stats);
    pqr_router_close(router, 0, NULL, NULL);
}

/* Every connection that the file wants stands, every server's role is known, and the catalog, without which nothing
   shares a Sync on the primary. */
static void on_timer(uv_timer_t *timer)
{
    pqr_stats *stats = NULL;
    bool ready = pqr_router_stats(router, &stats) == 0 && pqr_stats_totals(stats)->catalog_loads > 0;
    for (size_t i = 0; ready && i < pqr_stats_totals(stats)->n_pools; i++) {
        const pqr_pool_stats *pool = pqr_stats_pool(stats, i);
        ready = pool->role != PQR_ROLE_UNKNOWN && pool->available >= pool->min;
    }
    pqr_stats_free(stats);
    if (!ready)
        return;
    uv_close((uv_handle_t *)timer, NULL);
    bench_run();
}

int main(int argc, char **argv)
{
    pqr_config *config = NULL;
    pqr_error error;
    uv_timer_t timer;
    bench_init(argc, argv);
    if (!bench_options.config)
        bench_fail("usage: router config=FILE [NAME=VALUE]...");
    for (unsigned i = 0; i < BENCH_STATEMENTS; i++)
        if (pqr_statement_new(&statements[i], bench_statements[i].sql))
            bench_fail("out of memory");
    if (pqr_config_load(&config, bench_options.config, &error) ||
        pqr_router_open(&router, uv_default_loop(), config, NULL, &error))
        bench_fail("%s", error.message);
    pqr_config_free(config);
    uv_timer_init(uv_default_loop(), &timer);
    uv_timer_start(&timer, on_timer, 10, 10);
    uv_run(uv_default_loop(), UV_RUN_DEFAULT);
    for (unsigned i = 0; i < BENCH_STATEMENTS; i++)
        pqr_statement_free(statements[i]);
    return uv_loop_close(uv_default_loop());
}
