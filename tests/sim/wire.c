/* Sending, cancelling and closing; the timer, the clock and the end of it all. */
#include "wire.h"

#include <stdlib.h>
#include <string.h>

#include "base/wheel.h"
#include "checks.h"
#include "wire_parts.h"

enum { CANCEL_RETRY_US = 100000, CANCEL_PATIENCE_US = 6000000, OWN_US = 150 };

struct sim_wire *sim_wire_of(struct pqr__transport *transport)
{
    return (struct sim_wire *)(void *)transport;
}

const struct pqr__transport_events *sim_events_of(const struct pqr__conn *conn)
{
    return conn->wire->transport.events;
}

/* --- Sending ------------------------------------------------------------------------------------------- */

/* By its text, by its number, or prepared first. Of the flights in the air only one may do that. */
static struct sim_way way_of(struct pqr__conn *conn, struct pqr__flight *flight, struct pqr__item *item)
{
    struct sim_way way = {.how = PQR__PREPARED_TEXT, .number = item->statement};
    item->given_up = 0;
    if (item->statement == 0 || flight->kind != PQR__FLIGHT_PIPELINE)
        return way;
    sim_check_statement(conn->wire->checks, item);
    bool may_prepare = !conn->preparing || conn->preparing == flight;
    way.how = pqr__prepared_use(&conn->books, item->statement, may_prepare, &way.given_up);
    if (way.how == PQR__PREPARED_PARSE)
        conn->preparing = flight;
    sim_check_way(conn->wire->checks, way.how);
    return way;
}

static struct sim_job *pack(struct pqr__conn *conn, struct pqr__flight *flight)
{
    struct sim_job *job = sim_alloc(sizeof(*job) + flight->n_items * sizeof(struct sim_statement));
    job->flight = flight;
    job->n_items = flight->n_items;
    pqr__prepared_next_flight(&conn->books);
    struct sim_statement *statement = job->items;
    for (struct pqr__item *item = flight->items; item; item = item->next, statement++) {
        statement->item = item;
        statement->own = item->own;
        statement->in_parts = item->rows_at_once != 0;
        statement->way = way_of(conn, flight, item);
        if (item->own == PQR__OWN_NONE)
            statement->entry = sim_ledger_find(
                conn->server->ledger, item->sql, item->n_params > 0 ? item->param_values[0] : NULL);
        statement->read_only = item->own == PQR__OWN_BEGIN && strstr(item->sql, "READ ONLY");
        statement->serializable = item->own == PQR__OWN_BEGIN && strstr(item->sql, "SERIALIZABLE");
        if (item->own == PQR__OWN_CANCEL && item->n_params > 0 && item->param_values[0])
            statement->cancel_pid = (uint32_t)strtoul(item->param_values[0], NULL, 10);
    }
    return job;
}

/* On its way, or when it is done and nobody knows yet. */
static void endanger(struct pqr__conn *conn, const struct sim_job *job)
{
    struct sim_world *world = conn->wire->world;
    bool commits = job->items[job->n_items - 1].own == PQR__OWN_COMMIT ||
                   sim_is_implicit(conn->wire->checks, job->flight);
    bool begins = job->items[0].own == PQR__OWN_BEGIN;
    unsigned lost = commits ? conn->wire->commit_lost : begins ? conn->wire->commit_lost / 4 : 0;
    if (!sim_chance(world, lost))
        return;
    uint64_t done_us = job->arrives_us;
    for (uint32_t i = 0; i < job->n_items; i++)
        done_us += job->items[i].entry ? job->items[i].entry->service_us * conn->server->slowness : OWN_US;
    uint64_t after_us = conn->server->latency_us + 2 * OWN_US;
    uint64_t at_us = sim_chance(world, 300) ? sim_between(world, world->now_us, done_us)
                                            : sim_between(world, done_us, done_us + after_us);
    sim_alarm_set(world, &conn->blow, at_us, sim_conn_hurt, conn);
}

static void op_send(struct pqr__conn *conn, struct pqr__flight *flight)
{
    struct sim_wire *wire = conn->wire;
    struct sim_world *world = wire->world;
    if (conn->state == SIM_CONNECTING || conn->closed_by_us || conn->told)
        sim_fail(world, "send on connection c%u, which is not open", conn->id);
    sim_check_send(wire->checks, conn, flight);
    pqr__list_push_back(&conn->flights, &flight->link);
    flight->telling = flight->items;
    flight->sent = conn->state == SIM_OPEN;
    if (conn->doomed && conn->state == SIM_OPEN) {
        sim_wire_broken(conn, false);
        return;
    }
    if (!conn->backend)
        return;
    if (sim_chance(world, wire->send_lost)) {
        flight->sent = false;
        sim_server_disturbed(conn->server);
        sim_wire_reset(conn);
        return;
    }
    struct sim_job *job = pack(conn, flight);
    job->arrives_us =
        world->now_us + sim_skewed(world, conn->server->latency_us, 3 * conn->server->latency_us);
    if (job->arrives_us < conn->last_arrival_us)
        job->arrives_us = conn->last_arrival_us;
    conn->last_arrival_us = job->arrives_us;
    endanger(conn, job);
    if (sim_chance(world, wire->notices))
        sim_wire_notice(conn, flight, "01000", "WARNING");
    sim_backend_take(conn->backend, job);
}

/* --- Cancelling and closing ---------------------------------------------------------------------------- */

static void cancel_done(struct pqr__conn *conn, bool delivered)
{
    conn->cancelling = false;
    sim_events_of(conn)->cancelled(conn->context, delivered);
}

/* The answer travels a while; the signal has been sent when it sets out. */
static void cancel_answered(void *context)
{
    cancel_done(context, true);
}

static void cancel_arrives(void *context)
{
    struct pqr__conn *conn = context;
    struct sim_server *server = conn->server;
    struct sim_world *world = conn->wire->world;
    if (server->frozen || server->condition == SIM_BLACKHOLE) {
        uint64_t waited_us = world->now_us - conn->cancel_since_us;
        if (waited_us > CANCEL_PATIENCE_US)
            cancel_done(conn, false);
        else
            sim_alarm_set(world, &conn->cancel, world->now_us + CANCEL_RETRY_US, cancel_arrives, conn);
    } else if (server->condition == SIM_ABSENT || sim_chance(world, conn->wire->cancel_lost)) {
        cancel_done(conn, false);
    } else {
        sim_server_cancel(server, conn->cancel_pid);
        sim_alarm_set(world, &conn->cancel, world->now_us + sim_between(world, 1, server->latency_us),
            cancel_answered, conn);
    }
}

static int op_cancel(struct pqr__conn *conn)
{
    struct sim_world *world = conn->wire->world;
    if (conn->state == SIM_CONNECTING)
        sim_fail(world, "cancel on connection c%u, which is not open", conn->id);
    if (conn->cancelling)
        sim_fail(world, "a second cancel on connection c%u", conn->id);
    if (conn->state == SIM_ENDING || sim_chance(world, conn->wire->connect_no_memory))
        return PQR_ENOMEM;
    sim_trace(world, "  c%u cancel", conn->id);
    conn->cancelling = true;
    conn->cancel_since_us = world->now_us;
    conn->cancel_pid = conn->backend ? conn->backend->pid : 0;
    if (sim_chance(world, conn->wire->cancel_stuck)) /* the thread that carries it hangs for ever */
        return 0;
    uint64_t takes_us = sim_skewed(world, conn->server->latency_us, 10 * conn->server->connect_us);
    sim_alarm_set(world, &conn->cancel, world->now_us + takes_us, cancel_arrives, conn);
    return 0;
}

static void op_close(struct pqr__conn *conn)
{
    struct sim_world *world = conn->wire->world;
    if (conn->state == SIM_ENDING)
        return;
    sim_trace(world, "  c%u close", conn->id);
    conn->closed_by_us = true;
    sim_conn_begin_end(conn);
    sim_alarm_set(
        world, &conn->alarm, world->now_us + sim_between(world, 0, 1000), sim_conn_settle_then_end, conn);
}

static void op_abandon(struct pqr__conn *conn)
{
    sim_trace(conn->wire->world, "  c%u is abandoned", conn->id);
    op_close(conn);
    sim_conn_abandon(conn);
}

/* --- Timer, clock, the end ------------------------------------------------------------------------------ */

static void timer_due(void *context)
{
    struct sim_wire *wire = context;
    wire->transport.events->timer(wire->transport.router);
}

static void op_timer_set(struct pqr__transport *transport, uint64_t at_us)
{
    struct sim_wire *wire = sim_wire_of(transport);
    if (wire->shut)
        sim_fail(wire->world, "timer set after shutdown");
    if (at_us == PQR__NEVER)
        sim_alarm_clear(wire->world, &wire->timer);
    else
        sim_alarm_set(wire->world, &wire->timer, at_us, timer_due, wire);
}

static uint64_t op_now_us(struct pqr__transport *transport)
{
    return sim_wire_of(transport)->world->now_us;
}

static void is_down(void *context)
{
    struct sim_wire *wire = context;
    wire->gone = true;
    wire->transport.events->down(wire->transport.router);
}

static void op_shutdown(struct pqr__transport *transport)
{
    struct sim_wire *wire = sim_wire_of(transport);
    if (wire->shut || wire->conns.count > 0)
        sim_fail(
            wire->world, "shutdown with %u connections%s", wire->conns.count, wire->shut ? ", twice" : "");
    wire->shut = true;
    sim_alarm_clear(wire->world, &wire->timer);
    sim_alarm_set(
        wire->world, &wire->down, wire->world->now_us + sim_between(wire->world, 0, 1000), is_down, wire);
}

/* Servers are known by their host: s0, s1 ... */
static void op_configure(
    struct pqr__transport *transport, uint32_t number, const struct pqr_config *config, uint32_t entry)
{
    sim_wire_of(transport)->server_of[number] = (uint32_t)strtoul(config->servers[entry].host + 1, NULL, 10);
}

static const struct pqr__transport_ops sim_ops = {
    .configure = op_configure,
    .connect = sim_wire_connect,
    .send = op_send,
    .cancel = op_cancel,
    .close = op_close,
    .abandon = op_abandon,
    .timer_set = op_timer_set,
    .now_us = op_now_us,
    .shutdown = op_shutdown,
    .result_free = sim_result_free,
    .result_value = sim_result_value,
    .result_tag = sim_result_tag,
};

void sim_wire_init(struct sim_wire *wire, struct sim_world *world, struct sim_checks *checks)
{
    *wire = (struct sim_wire){.transport.ops = &sim_ops, .world = world, .checks = checks};
    pqr__list_init(&wire->conns);
    for (uint32_t i = 0; i < 64; i++)
        wire->server_of[i] = i;
}

void sim_wire_finish(struct sim_wire *wire)
{
    sim_alarm_clear(wire->world, &wire->timer);
    sim_alarm_clear(wire->world, &wire->down);
    struct pqr__link *link;
    while ((link = pqr__list_first(&wire->conns)) != NULL)
        sim_conn_free(pqr__container_of(link, struct pqr__conn, link));
}
