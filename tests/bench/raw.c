/* raw NAME=VALUE...: libpq on libuv as one would write it by hand for just this, without a router's safety. Reads go
   to the replicas when there are any, in turn; writes and transactions to the primary. Three shapes:

     depth=1                            a connection runs one request at a time, the next when it is answered
     pipeline=1 depth=D share=1         up to D on a connection, a Sync for each
     pipeline=1 depth=D share=S         what waits is sent together, up to S with one Sync

   A connection gets more when half of its depth is answered: it then gets several at once, which is cheaper, and the
   server does not run dry. A transaction runs a statement at a time; in a pipeline it is sent as one. A write is
   alone on its connection unless write_depth says otherwise. */
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "bench.h"

/* libpq 17 and later: a Sync without a system call of its own. */
extern int PQsendPipelineSync(PGconn *pg) __attribute__((weak));

struct connection {
    PGconn *pg;
    uv_poll_t poll;
    struct bench_job **flying; /* a ring of depth, the first is being answered */
    unsigned first, n_flying, step, syncs;
    bool flushing; /* not all of it is sent */
};

/* The servers that may run a job, and the jobs that wait for one of them. */
struct pool {
    struct connection *connections;
    unsigned n_connections, depth, share;
    struct bench_job **waiting; /* a ring */
    unsigned first, n_waiting, capacity;
};

static struct pool pools[2]; /* 0: the primary's, 1: the replicas' */
static unsigned n_pools = 1;
static uv_prepare_t before_wait;

static void on_ready(uv_poll_t *poll, int status, int events);

static void fail(const struct connection *connection)
{
    bench_fail("%s", PQerrorMessage(connection->pg));
}

static void flush(struct connection *connection)
{
    int left = PQflush(connection->pg);
    if (left < 0)
        fail(connection);
    if (connection->flushing == (left == 1))
        return;
    connection->flushing = left == 1;
    uv_poll_start(&connection->poll, UV_READABLE | (left ? UV_WRITABLE : 0), on_ready);
}

static void send_step(struct connection *connection, const struct bench_job *job, unsigned number)
{
    struct bench_step step;
    bench_step(&step, job, number);
    const struct bench_statement *statement = step.statement;
    int sent = bench_options.prepared ? PQsendQueryPrepared(connection->pg, statement->name,
                                            statement->n_params, step.values, NULL, NULL, 0)
                                      : PQsendQueryParams(connection->pg, statement->sql, statement->n_params,
                                            bench_types, step.values, NULL, NULL, 0);
    if (!sent)
        fail(connection);
}

static void send_sync(struct connection *connection)
{
    connection->syncs++;
    if (!(PQsendPipelineSync ? PQsendPipelineSync(connection->pg) : PQpipelineSync(connection->pg)))
        fail(connection);
}

/* Takes the oldest that wait, up to room, with a Sync for each share of them. */
static void fill(struct pool *pool, struct connection *connection, unsigned room)
{
    for (unsigned sent = 0; room-- > 0 && pool->n_waiting > 0; pool->n_waiting--) {
        struct bench_job *job = pool->waiting[pool->first];
        pool->first = (pool->first + 1) % pool->capacity;
        connection->flying[(connection->first + connection->n_flying++) % pool->depth] = job;
        for (unsigned step = 0; step < (bench_options.pipeline ? job->n_steps : 1); step++)
            send_step(connection, job, step);
        if (bench_options.pipeline && (++sent % pool->share == 0 || room == 0 || pool->n_waiting == 1))
            send_sync(connection);
    }
    flush(connection);
}

static void dispatch(struct pool *pool)
{
    while (pool->n_waiting > 0) {
        struct connection *best = &pool->connections[0];
        for (unsigned i = 1; i < pool->n_connections; i++)
            if (pool->connections[i].n_flying < best->n_flying)
                best = &pool->connections[i];
        if (best->n_flying > pool->depth / 2 || best->n_flying == pool->depth)
            return;
        fill(pool, best, pool->depth - best->n_flying);
    }
}

void peer_send(struct bench_job *job)
{
    struct pool *pool = &pools[n_pools == 2 && !job->write];
    pool->waiting[(pool->first + pool->n_waiting++) % pool->capacity] = job;
}

/* What a turn of the loop asked for goes out together at its end. Sent one by one, the first requests would each have a
   Sync of their own; over TLS, where a read returns one record and so one answer, it would stay like that. */
static void dispatch_all(uv_prepare_t *handle)
{
    (void)handle;
    for (unsigned i = 0; i < n_pools; i++)
        dispatch(&pools[i]);
}

static void finish_step(struct connection *connection, const struct pool *pool)
{
    struct bench_job *job = connection->flying[connection->first];
    if (++connection->step < job->n_steps) {
        if (!bench_options.pipeline) {
            send_step(connection, job, connection->step);
            flush(connection);
        }
        return;
    }
    connection->step = 0;
    connection->first = (connection->first + 1) % pool->depth;
    connection->n_flying--;
    bench_done(job);
}

/* A statement's result is followed by NULL, a flight's by that of its Sync. */
static void read_results(struct connection *connection, const struct pool *pool)
{
    while ((bench_options.pipeline ? connection->syncs : connection->n_flying) > 0 &&
           !PQisBusy(connection->pg)) {
        PGresult *result = PQgetResult(connection->pg);
        if (!result && !bench_options.pipeline)
            finish_step(connection, pool);
        if (!result)
            continue;
        if (PQresultStatus(result) == PGRES_PIPELINE_SYNC) {
            connection->syncs--;
        } else {
            bench_check(connection->flying[connection->first], connection->step, result);
            if (bench_options.pipeline)
                finish_step(connection, pool);
        }
        PQclear(result);
    }
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
    struct connection *connection = poll->data;
    const struct pool *pool = &pools[n_pools - 1];
    if (status < 0)
        bench_fail("poll: %s", uv_strerror(status));
    if (events & UV_WRITABLE)
        flush(connection);
    if (!(events & UV_READABLE))
        return;
    if (!PQconsumeInput(connection->pg))
        fail(connection);
    if (connection < pool->connections || connection >= pool->connections + pool->n_connections)
        pool = &pools[0];
    read_results(connection, pool);
    dispatch_all(NULL);
}

static void prepare(struct connection *connection)
{
    for (unsigned i = 0; i < BENCH_STATEMENTS; i++) {
        const struct bench_statement *statement = &bench_statements[i];
        if (!bench_uses(i))
            continue;
        PGresult *result =
            PQprepare(connection->pg, statement->name, statement->sql, statement->n_params, bench_types);
        if (PQresultStatus(result) != PGRES_COMMAND_OK)
            fail(connection);
        PQclear(result);
    }
}

static void open_connection(struct connection *connection, const char *conninfo, unsigned depth)
{
    connection->flying = calloc(depth, sizeof(struct bench_job *));
    connection->pg = PQconnectdb(conninfo);
    if (!connection->flying || PQstatus(connection->pg) != CONNECTION_OK)
        fail(connection);
    if (bench_options.prepared)
        prepare(connection);
    if (PQsetnonblocking(connection->pg, 1) != 0 ||
        (bench_options.pipeline && !PQenterPipelineMode(connection->pg)))
        fail(connection);
    connection->poll.data = connection;
    uv_poll_init(uv_default_loop(), &connection->poll, PQsocket(connection->pg));
    uv_poll_start(&connection->poll, UV_READABLE, on_ready);
}

static void open_pool(struct pool *pool, const char *const *servers, unsigned n_servers, bool writes)
{
    pool->n_connections = bench_options.connections * n_servers;
    pool->depth = writes ? bench_options.write_depth : bench_options.depth;
    pool->share = writes ? 1 : bench_options.share;
    pool->capacity = 20000;
    pool->connections = calloc(pool->n_connections, sizeof(*pool->connections));
    pool->waiting = calloc(pool->capacity, sizeof(struct bench_job *));
    if (!pool->connections || !pool->waiting)
        bench_fail("out of memory");
    for (unsigned i = 0; i < pool->n_connections; i++)
        open_connection(&pool->connections[i], servers[i % n_servers], pool->depth);
}

void peer_close(void)
{
    uv_close((uv_handle_t *)&before_wait, NULL);
    for (unsigned i = 0; i < n_pools; i++)
        for (unsigned k = 0; k < pools[i].n_connections; k++)
            uv_close((uv_handle_t *)&pools[i].connections[k].poll, NULL);
}

int main(int argc, char **argv)
{
    bench_init(argc, argv);
    if (!bench_options.primary)
        bench_fail("usage: raw primary=CONNINFO [replica=CONNINFO]... [NAME=VALUE]...");
    open_pool(&pools[0], &bench_options.primary, 1,
        bench_options.n_replicas > 0 || bench_uses(BENCH_STATEMENTS - 1));
    if (bench_options.n_replicas > 0)
        open_pool(&pools[n_pools++], bench_options.replicas, bench_options.n_replicas, false);
    uv_prepare_init(uv_default_loop(), &before_wait);
    uv_prepare_start(&before_wait, dispatch_all);
    bench_run();
    uv_run(uv_default_loop(), UV_RUN_DEFAULT);
    for (unsigned i = 0; i < n_pools; i++) {
        for (unsigned k = 0; k < pools[i].n_connections; k++)
            PQfinish(pools[i].connections[k].pg);
        free(pools[i].connections);
        free(pools[i].waiting);
    }
    return uv_loop_close(uv_default_loop());
}
