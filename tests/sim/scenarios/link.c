/* Connections: opened, closed, cancelled; and the rest of the seam. */
#include "link_conn.h"

#include <stdlib.h>

#include "base/text.h"
#include "base/wheel.h"
#include "config/config.h"

static void set(struct pqr__conn *conn, uint64_t in_us, void (*fire)(void *))
{
    sim_alarm_set(conn->wire->world, &conn->alarm, conn->wire->world->now_us + in_us, fire, conn);
}

/* --- servers --- */

void link_server_init(struct link_server *server, struct sim_world *world, uint64_t seed)
{
    *server = (struct link_server){
        .world = world, .max_connections = 100, .next_pid = 1000, .starts = 1, .latency_us = 100};
    machine_init(&server->machine, world);
    pqr__random_seed(&server->random, seed);
    pqr__list_init(&server->conns);
}

/* --- the end of a connection --- */

static void forget_replies(struct pqr__conn *conn)
{
    pqr__list_each (link, &conn->answers) {
        struct reply *reply = pqr__container_of(link, struct reply, link);
        pqr__list_remove(&conn->answers, link);
        sim_alarm_clear(conn->wire->world, &reply->alarm);
        free(reply);
    }
}

static void free_conn(struct pqr__conn *conn)
{
    forget_replies(conn);
    machine_drop(&conn->server->machine, &conn->job);
    sim_alarm_clear(conn->wire->world, &conn->alarm);
    sim_alarm_clear(conn->wire->world, &conn->cancel);
    pqr__list_remove(&conn->server->conns, &conn->link);
    conn->server->connections -= conn->counted;
    free(conn);
}

static void gone(void *context)
{
    struct pqr__conn *conn = context;
    const struct pqr__transport_events *events = link_events(conn);
    struct pqr__settled facts = {.lost = true, .sent = true, .tx = PQR__TX_UNKNOWN, .message = "it is gone"};
    struct pqr__link *link;
    void *receiver = conn->context;
    while ((link = pqr__list_first(&conn->flights)) != NULL) {
        struct pqr__flight *flight = pqr__container_of(link, struct pqr__flight, link);
        pqr__list_remove(&conn->flights, link);
        events->settled(receiver, flight, &facts);
    }
    events->ended(receiver);
    free_conn(conn);
    events->closed(receiver, false);
}

static void end(struct pqr__conn *conn)
{
    if (conn->state == ENDING)
        return;
    conn->state = ENDING;
    conn->running = NULL;
    forget_replies(conn);
    machine_drop(&conn->server->machine, &conn->job);
    sim_alarm_clear(conn->wire->world, &conn->cancel);
    set(conn, conn->server->latency_us, gone);
}

/* --- connecting --- */

static void refuse(struct pqr__conn *conn, const char *sqlstate)
{
    struct pqr__refusal refusal = {.message = *sqlstate ? "too many clients already" : "nobody listens"};
    const struct pqr__transport_events *events = link_events(conn);
    void *receiver = conn->context;
    pqr__text_copy(refusal.sqlstate, sizeof(refusal.sqlstate), sqlstate);
    conn->server->refusals++;
    free_conn(conn);
    events->refused(receiver, &refusal);
}

static void refuse_full(void *context)
{
    refuse(context, "53300");
}

static void connected(void *context)
{
    struct pqr__conn *conn = context;
    struct pqr__connect_info info = {.backend_pid = conn->pid,
        .server_version = 150004,
        .in_recovery = conn->server->in_recovery,
        .standard_conforming_strings = true,
        .encoding_ascii_safe = true};
    if (conn->server->down) {
        refuse(conn, "");
        return;
    }
    conn->state = OPEN;
    link_events(conn)->connected(conn->context, &info);
}

static void logged_in(void *context)
{
    struct pqr__conn *conn = context;
    set(conn, conn->server->latency_us + conn->server->connect_wait_us, connected);
}

/* The server forks, checks the password, loads what a backend needs: work like any other. */
static void arrived(void *context)
{
    struct pqr__conn *conn = context;
    struct link_server *server = conn->server;
    if (server->down) {
        refuse(conn, "");
    } else if (server->connections >= server->max_connections) {
        set(conn, server->latency_us, refuse_full);
    } else {
        server->connections++;
        server->accepted++;
        conn->counted = true;
        machine_run(&server->machine, &conn->job, server->connect_work_us, logged_in, conn);
    }
}

static int op_connect(struct pqr__transport *transport, uint32_t number, uint64_t timeout_us, void *context,
    struct pqr__conn **out)
{
    struct link_wire *wire = pqr__container_of(transport, struct link_wire, transport);
    struct pqr__conn *conn = sim_alloc(sizeof(*conn));
    (void)timeout_us;
    conn->wire = wire;
    conn->server = &wire->servers[wire->server_of[number]];
    conn->context = context;
    conn->pid = conn->server->next_pid++;
    pqr__list_init(&conn->flights);
    pqr__list_init(&conn->answers);
    pqr__list_push_back(&conn->server->conns, &conn->link);
    set(conn, conn->server->latency_us, arrived);
    *out = conn;
    return 0;
}

/* --- cancelling, closing, time --- */

static void op_send(struct pqr__conn *conn, struct pqr__flight *flight)
{
    pqr__list_push_back(&conn->flights, &flight->link);
    flight->sent = false;
    flight->running = flight->telling = flight->items;
    if (conn->state == OPEN && !conn->running)
        link_run_next(conn);
}

static void cancelled(void *context)
{
    struct pqr__conn *conn = context;
    link_cancel(conn);
    link_events(conn)->cancelled(conn->context, true);
}

static int op_cancel(struct pqr__conn *conn)
{
    struct sim_world *world = conn->wire->world;
    if (conn->state == ENDING)
        return PQR_ENOMEM;
    sim_alarm_set(world, &conn->cancel, world->now_us + 2 * conn->server->latency_us, cancelled, conn);
    return 0;
}

static void op_close(struct pqr__conn *conn)
{
    conn->asked = true;
    end(conn);
}

static void timer_due(void *context)
{
    struct link_wire *wire = context;
    wire->transport.events->timer(wire->transport.router);
}

static void op_timer_set(struct pqr__transport *transport, uint64_t at_us)
{
    struct link_wire *wire = pqr__container_of(transport, struct link_wire, transport);
    if (at_us == PQR__NEVER)
        sim_alarm_clear(wire->world, &wire->timer);
    else
        sim_alarm_set(wire->world, &wire->timer, at_us, timer_due, wire);
}

static uint64_t op_now_us(struct pqr__transport *transport)
{
    return pqr__container_of(transport, struct link_wire, transport)->world->now_us;
}

static void is_down(void *context)
{
    struct link_wire *wire = context;
    wire->gone = true;
    wire->transport.events->down(wire->transport.router);
}

static void op_shutdown(struct pqr__transport *transport)
{
    struct link_wire *wire = pqr__container_of(transport, struct link_wire, transport);
    sim_alarm_clear(wire->world, &wire->timer);
    sim_alarm_set(wire->world, &wire->shut, wire->world->now_us, is_down, wire);
}

static void result_free(struct pg_result *result)
{
    free(result);
}

static const char *result_value(const struct pg_result *result, int row, int column)
{
    return row == 0 && column < 9 ? result->values[column] : NULL;
}

static const char *result_tag(const struct pg_result *result)
{
    (void)result;
    return "";
}

/* Servers are known by their host: s0, s1 ... */
static void op_configure(
    struct pqr__transport *transport, uint32_t number, const struct pqr_config *config, uint32_t entry)
{
    struct link_wire *wire = pqr__container_of(transport, struct link_wire, transport);
    wire->server_of[number] = (uint32_t)strtoul(config->servers[entry].host + 1, NULL, 10);
}

static const struct pqr__transport_ops link_ops = {
    .configure = op_configure,
    .connect = op_connect,
    .send = op_send,
    .cancel = op_cancel,
    .close = op_close,
    .abandon = op_close,
    .timer_set = op_timer_set,
    .now_us = op_now_us,
    .shutdown = op_shutdown,
    .result_free = result_free,
    .result_value = result_value,
    .result_tag = result_tag,
};

void link_wire_init(struct link_wire *wire, struct sim_world *world, struct link_server *servers)
{
    *wire = (struct link_wire){.transport.ops = &link_ops, .world = world, .servers = servers};
    for (uint32_t i = 0; i < 64; i++)
        wire->server_of[i] = i;
}

void link_wire_finish(struct link_wire *wire)
{
    sim_alarm_clear(wire->world, &wire->timer);
    sim_alarm_clear(wire->world, &wire->shut);
}

void link_server_stop(struct link_server *server)
{
    server->down = true;
    pqr__list_each (link, &server->conns) {
        struct pqr__conn *conn = pqr__container_of(link, struct pqr__conn, link);
        if (conn->state == OPEN)
            end(conn);
    }
}

void link_server_start(struct link_server *server)
{
    server->down = false;
    server->starts++;
}

void link_server_finish(struct link_server *server)
{
    struct pqr__link *link;
    while ((link = pqr__list_first(&server->conns)) != NULL)
        free_conn(pqr__container_of(link, struct pqr__conn, link));
    machine_finish(&server->machine);
}
