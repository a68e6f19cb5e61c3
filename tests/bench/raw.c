/* raw CONNINFO CONNECTIONS CLIENTS REQUESTS: point reads by libpq on libuv as one would write it by hand: every
   client waits for its answer and asks again; a connection runs one request at a time, no pipelining, the
   statement unnamed. What comes over from a request to the next is what pqrouter is measured against. */
#include <libpq-fe.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

#include "bench.h"

struct connection {
    PGconn *pg;
    uv_poll_t poll;
    unsigned id;   /* what the running request reads */
    int client;    /* whose it is, -1: idle */
    bool flushing; /* not all of it is sent */
};

static struct connection *connections;
static unsigned n_connections, n_clients, wanted, warm_up, asked, answered;
static int *idle, *waiting; /* a stack of connections, a ring of clients */
static unsigned n_idle, first_waiting, n_waiting;

static void on_ready(uv_poll_t *poll, int status, int events);

static void flush(struct connection *connection)
{
    int left = PQflush(connection->pg);
    if (left < 0)
        bench_fail("%s", PQerrorMessage(connection->pg));
    if (connection->flushing == (left == 1))
        return;
    connection->flushing = left == 1;
    uv_poll_start(&connection->poll, UV_READABLE | (left ? UV_WRITABLE : 0), on_ready);
}

static void send_read(struct connection *connection, int client)
{
    static const Oid types[] = {BENCH_INT4};
    char text[16];
    connection->client = client;
    connection->id = bench_next_id();
    snprintf(text, sizeof(text), "%u", connection->id);
    const char *values[] = {text};
    if (!PQsendQueryParams(connection->pg, BENCH_SQL, 1, types, values, NULL, NULL, 0))
        bench_fail("%s", PQerrorMessage(connection->pg));
    flush(connection);
}

static void ask(int client)
{
    if (asked == warm_up + wanted)
        return;
    asked++;
    if (n_idle > 0)
        send_read(&connections[idle[--n_idle]], client);
    else
        waiting[(first_waiting + n_waiting++) % n_clients] = client;
}

static void give_back(struct connection *connection)
{
    if (n_waiting == 0) {
        idle[n_idle++] = (int)(connection - connections);
        return;
    }
    int client = waiting[first_waiting];
    first_waiting = (first_waiting + 1) % n_clients;
    n_waiting--;
    send_read(connection, client);
}

static void finish(struct connection *connection)
{
    int client = connection->client;
    connection->client = -1;
    if (++answered == warm_up)
        bench_start();
    give_back(connection);
    ask(client);
    if (answered < warm_up + wanted)
        return;
    bench_report(wanted);
    for (unsigned i = 0; i < n_connections; i++)
        uv_close((uv_handle_t *)&connections[i].poll, NULL);
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
    struct connection *connection = poll->data;
    if (status < 0)
        bench_fail("poll: %s", uv_strerror(status));
    if (events & UV_WRITABLE)
        flush(connection);
    if (!(events & UV_READABLE))
        return;
    if (!PQconsumeInput(connection->pg))
        bench_fail("%s", PQerrorMessage(connection->pg));
    while (connection->client >= 0 && !PQisBusy(connection->pg)) {
        PGresult *result = PQgetResult(connection->pg);
        if (!result) {
            finish(connection);
            return;
        }
        if (PQresultStatus(result) != PGRES_TUPLES_OK)
            bench_fail("%s", PQresultErrorMessage(result));
        bench_check(connection->id, PQntuples(result) == 1 ? PQgetvalue(result, 0, 0) : NULL);
        PQclear(result);
    }
}

static void open_connection(struct connection *connection, const char *conninfo)
{
    connection->pg = PQconnectdb(conninfo);
    if (PQstatus(connection->pg) != CONNECTION_OK || PQsetnonblocking(connection->pg, 1) != 0)
        bench_fail("%s", PQerrorMessage(connection->pg));
    connection->client = -1;
    connection->poll.data = connection;
    uv_poll_init(uv_default_loop(), &connection->poll, PQsocket(connection->pg));
    uv_poll_start(&connection->poll, UV_READABLE, on_ready);
    idle[n_idle++] = (int)(connection - connections);
}

int main(int argc, char **argv)
{
    if (argc != 5)
        bench_fail("usage: raw CONNINFO CONNECTIONS CLIENTS REQUESTS");
    n_connections = bench_number(argv[2]);
    n_clients = bench_number(argv[3]);
    wanted = bench_number(argv[4]);
    warm_up = wanted / 10 + 1;
    connections = calloc(n_connections, sizeof(*connections));
    idle = calloc(n_connections, sizeof(*idle));
    waiting = calloc(n_clients, sizeof(*waiting));
    if (!connections || !idle || !waiting)
        bench_fail("out of memory");
    for (unsigned i = 0; i < n_connections; i++)
        open_connection(&connections[i], argv[1]);
    for (unsigned i = 0; i < n_clients; i++)
        ask((int)i);
    uv_run(uv_default_loop(), UV_RUN_DEFAULT);
    for (unsigned i = 0; i < n_connections; i++)
        PQfinish(connections[i].pg);
    uv_loop_close(uv_default_loop());
    free(connections);
    free(idle);
    free(waiting);
    return answered == warm_up + wanted ? 0 : 1;
}
