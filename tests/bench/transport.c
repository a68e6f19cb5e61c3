/* transport primary=CONNINFO NAME=VALUE...: the same reads through lib/postgres alone, without a router above it, in
   the shape of raw's third: what the library's own transport costs over libpq by hand. depth/share flights of share
   items are in the air on a connection; work=point, ten or thousand. */
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "base/log.h"
#include "bench.h"
#include "config/config.h"
#include "postgres/postgres.h"

/* A job while it is out, and the flight of which it is the first. */
struct ride {
    struct pqr__item item;
    struct pqr__flight flight;
    struct bench_step step;
    struct bench_job *job;
    struct ride *next; /* in line, or free */
};

struct connection {
    struct pqr__conn *conn;
    unsigned n_flying;
};

static struct pqr__transport *transport;
static struct connection *connections;
static unsigned n_connected;
static struct ride *first, **last = &first, *unused;
static bool busy; /* an event is being taken: what is new waits until it is over */

static struct ride *ride_new(void)
{
    struct ride *ride = unused;
    if (ride)
        unused = ride->next;
    else if (!(ride = calloc(1, sizeof(*ride))))
        bench_fail("out of memory");
    return ride;
}

static void fly(struct connection *connection)
{
    struct ride *head = first, *ride = first, *next = NULL;
    unsigned n = 0;
    for (; ride; ride = next) {
        next = ride->next;
        bool more = ++n < bench_options.share && next && n + connection->n_flying < bench_options.depth;
        ride->item.next = more ? &next->item : NULL;
        if (!more)
            break;
    }
    first = next;
    if (!first)
        last = &first;
    connection->n_flying += n;
    head->flight = (struct pqr__flight){.kind = PQR__FLIGHT_PIPELINE, .n_items = n, .items = &head->item};
    transport->ops->send(connection->conn, &head->flight);
}

static void dispatch(void)
{
    while (first) {
        struct connection *best = &connections[0];
        for (unsigned i = 1; i < bench_options.connections; i++)
            if (connections[i].n_flying < best->n_flying)
                best = &connections[i];
        if (best->n_flying > bench_options.depth / 2 || best->n_flying == bench_options.depth)
            return;
        while (first && best->n_flying < bench_options.depth)
            fly(best);
    }
}

void peer_send(struct bench_job *job)
{
    struct ride *ride = ride_new();
    bench_step(&ride->step, job, 0);
    ride->job = job;
    ride->item = (struct pqr__item){
        .statement = bench_options.prepared ? 1 + (uint64_t)(ride->step.statement - bench_statements) : 0,
        .sql = ride->step.statement->sql,
        .n_params = ride->step.statement->n_params,
        .param_types = bench_types,
        .param_values = ride->step.values};
    ride->next = NULL;
    *last = ride;
    last = &ride->next;
    if (!busy)
        dispatch();
}

static void on_item(
    void *context, struct pqr__flight *flight, struct pqr__item *item, const struct pqr__answer *answer)
{
    struct ride *ride = pqr__container_of(item, struct ride, item);
    (void)context;
    (void)flight;
    bench_check(ride->job, 0, answer->result);
    transport->ops->result_free(answer->result);
}

static void on_settled(void *context, struct pqr__flight *flight, const struct pqr__settled *facts)
{
    struct connection *connection = context;
    if (facts->lost)
        bench_fail("%s", facts->message);
    busy = true;
    for (struct pqr__item *item = flight->items, *next; item; item = next) {
        struct ride *ride = pqr__container_of(item, struct ride, item);
        next = item->next;
        connection->n_flying--;
        ride->next = unused;
        unused = ride;
        bench_done(ride->job);
    }
    busy = false;
    dispatch();
}

static void on_read(void *router)
{
    (void)router;
}

static void on_connected(void *context, const struct pqr__connect_info *info)
{
    (void)context;
    (void)info;
    if (++n_connected == bench_options.connections)
        bench_run();
}

static void on_refused(void *context, const struct pqr__refusal *refusal)
{
    (void)context;
    bench_fail("%s", refusal->message);
}

static void on_notice(
    void *context, struct pqr__flight *flight, struct pqr__item *item, const pqr_notice *notice)
{
    (void)context;
    (void)flight;
    (void)item;
    (void)notice;
}

static void on_ended(void *context)
{
    (void)context;
}

static void on_closed(void *context)
{
    (void)context;
    if (--n_connected == 0)
        transport->ops->shutdown(transport);
}

static void on_down(void *router)
{
    (void)router;
}

void peer_close(void)
{
    for (unsigned i = 0; i < bench_options.connections; i++)
        transport->ops->close(connections[i].conn);
}

int main(int argc, char **argv)
{
    static const struct pqr__log log = {.write = NULL};
    static const struct pqr__transport_events events = {.connected = on_connected,
        .refused = on_refused,
        .item = on_item,
        .settled = on_settled,
        .read = on_read,
        .notice = on_notice,
        .ended = on_ended,
        .closed = on_closed,
        .down = on_down};
    struct pqr_config *config = NULL;
    pqr_error error;
    bench_init(argc, argv);
    if (!bench_options.primary)
        bench_fail("usage: transport primary=CONNINFO [NAME=VALUE]...");
    if (pqr_config_conninfo(&config, bench_options.primary, &error) != 0 ||
        pqr__postgres_open(&transport, uv_default_loop(), config, &events, NULL, NULL, &log) != 0)
        bench_fail("it does not open");
    pqr_config_free(config);
    connections = calloc(bench_options.connections, sizeof(*connections));
    for (unsigned i = 0; connections && i < bench_options.connections; i++)
        if (transport->ops->connect(transport, 0, 10000000, &connections[i], &connections[i].conn) != 0)
            bench_fail("out of memory");
    uv_run(uv_default_loop(), UV_RUN_DEFAULT);
    free(connections);
    while ((first = unused)) {
        unused = first->next;
        free(first);
    }
    return uv_loop_close(uv_default_loop());
}
