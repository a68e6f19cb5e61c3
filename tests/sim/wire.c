#include "wire.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/wheel.h"
#include "checks.h"

enum { CONNECT_RETRY_US = 20000, CANCEL_RETRY_US = 100000, CANCEL_PATIENCE_US = 6000000 };

enum message_kind { SETTLED, ITEM, NOTICE, BROKEN };

/* Something on its way to the router. */
struct message {
    struct pqr__link link;
    struct sim_alarm alarm;
    struct pqr__conn *conn;
    enum message_kind kind;
    struct pqr__flight *flight;
    struct pqr__item *item;
    struct pqr__answer answer;
    struct sim_kept_told told;
    enum pqr__tx_status tx;
    bool in_recovery;
    pqr_notice notice;
};

static struct sim_wire *wire_of(struct pqr__transport *transport)
{
    return (struct sim_wire *)(void *)transport;
}

static const struct pqr__transport_events *events_of(const struct pqr__conn *conn)
{
    return conn->wire->transport.events;
}

/* --- Results ------------------------------------------------------------------------------------------- */

int64_t sim_results;

struct pg_result *sim_result_new(uint64_t nonce, const char *tag)
{
    struct pg_result *result = sim_alloc(sizeof(*result));
    result->nonce = nonce;
    pqr__text_copy(result->tag, sizeof(result->tag), tag);
    sim_results++;
    return result;
}

void sim_result_add(struct pg_result *result, const char *format, ...)
{
    char *value = sim_alloc(64);
    va_list values;
    va_start(values, format);
    vsnprintf(value, 64, format, values);
    va_end(values);
    result->values[result->columns++] = value;
}

void sim_result_free(struct pg_result *result)
{
    if (!result)
        return;
    for (int i = 0; i < result->columns; i++)
        free(result->values[i]);
    free(result);
    sim_results--;
}

static const char *result_value(const struct pg_result *result, int row, int column)
{
    return row == 0 && column >= 0 && column < result->columns ? result->values[column] : NULL;
}

static const char *result_tag(const struct pg_result *result)
{
    return result->tag;
}

/* --- Towards the router -------------------------------------------------------------------------------- */

static void message_free(struct message *message)
{
    sim_alarm_clear(message->conn->wire->world, &message->alarm);
    pqr__list_remove(&message->conn->messages, &message->link);
    sim_result_free(message->answer.result);
    free(message);
}

static void drop_messages(struct pqr__conn *conn)
{
    struct pqr__link *link;
    while ((link = pqr__list_first(&conn->messages)) != NULL)
        message_free(pqr__container_of(link, struct message, link));
}

static void settle_lost(struct pqr__conn *conn)
{
    struct pqr__link *link;
    while ((link = pqr__list_first(&conn->flights)) != NULL) {
        struct pqr__flight *flight = pqr__container_of(link, struct pqr__flight, link);
        pqr__list_remove(&conn->flights, link);
        conn->told = true;
        struct pqr__settled facts = {.lost = true,
            .sent = flight->sent,
            .tx = PQR__TX_UNKNOWN,
            .in_recovery = conn->server->in_recovery,
            .message = "server closed the connection unexpectedly"};
        sim_trace(conn->wire->world, "  c%u lost its flight, %s", conn->id, flight->sent ? "sent" : "unsent");
        sim_check_settled(conn->wire->checks, conn, flight, true, PQR__TX_UNKNOWN);
        events_of(conn)->settled(conn->context, flight, &facts);
    }
}

static void conn_free(struct pqr__conn *conn)
{
    struct sim_world *world = conn->wire->world;
    drop_messages(conn);
    if (conn->backend)
        sim_backend_abandoned(conn->backend, false);
    /* A cancel request on its way arrives although nobody waits for its answer. */
    if (conn->cancelling && conn->server->condition == SIM_UP && !conn->server->frozen &&
        sim_chance(world, 500))
        sim_server_cancel(conn->server, conn->cancel_pid);
    sim_alarm_clear(world, &conn->alarm);
    sim_alarm_clear(world, &conn->cancel);
    pqr__list_remove(&conn->wire->conns, &conn->link);
    pqr__prepared_finish(&conn->books);
    free(conn);
}

static void end(void *context)
{
    struct pqr__conn *conn = context;
    const struct pqr__transport_events *events = events_of(conn);
    void *receiver = conn->context;
    settle_lost(conn);
    sim_trace(conn->wire->world, "  c%u closed", conn->id);
    sim_check_gone(conn->wire->checks, conn);
    conn_free(conn);
    events->closed(receiver);
}

/* What flew is told soon; that the connection is gone, when the server lets it go. */
static void settle_then_end(void *context)
{
    struct pqr__conn *conn = context;
    struct sim_world *world = conn->wire->world;
    sim_alarm_set(
        world, &conn->alarm, world->now_us + sim_skewed(world, 0, 20 * conn->server->latency_us), end, conn);
    settle_lost(conn);
}

static void begin_end(struct pqr__conn *conn)
{
    conn->state = SIM_ENDING;
    drop_messages(conn);
    if (conn->backend)
        sim_backend_abandoned(conn->backend, !conn->closed_by_us);
    conn->backend = NULL;
}

static void notice(struct pqr__conn *conn, const pqr_notice *notice)
{
    struct pqr__link *first = pqr__list_first(&conn->flights);
    struct pqr__flight *flight = first ? pqr__container_of(first, struct pqr__flight, link) : NULL;
    struct pqr__item *item = flight ? flight->telling : NULL;
    if (flight && !item)
        for (item = flight->items; item->next; item = item->next)
            ;
    events_of(conn)->notice(conn->context, flight, item, notice);
}

static void deliver(void *context)
{
    struct message *message = context;
    struct pqr__conn *conn = message->conn;
    const struct pqr__transport_events *events = events_of(conn);
    struct message copy = *message;
    message->answer.result = NULL;
    message_free(message);
    struct pqr__settled facts = {.sent = true, .tx = copy.tx, .in_recovery = copy.in_recovery, .message = ""};
    switch (copy.kind) {
    case ITEM:
        copy.answer.stale = sim_kept_book(&conn->books, &copy.told.way, copy.told.end);
        if (copy.item->own == PQR__OWN_DISCARD && copy.answer.kind == PQR__ANSWER_OK)
            pqr__prepared_lost_all(&conn->books);
        sim_check_item(conn->wire->checks, conn, copy.flight, copy.item, &copy.answer);
        copy.flight->telling = copy.item->next;
        events->item(conn->context, copy.flight, copy.item, &copy.answer);
        return;
    case SETTLED:
        pqr__list_remove(&conn->flights, &copy.flight->link);
        if (conn->preparing == copy.flight)
            conn->preparing = NULL;
        sim_check_settled(conn->wire->checks, conn, copy.flight, false, copy.tx);
        if (!pqr__list_empty(&conn->flights)) /* what libpq does not show */
            facts.tx = PQR__TX_UNKNOWN;
        events->settled(conn->context, copy.flight, &facts);
        return;
    case NOTICE:
        notice(conn, &copy.notice);
        return;
    case BROKEN:
        begin_end(conn);
        /* Sometimes all in one turn, sometimes the end of the connection comes later. */
        if (pqr__list_empty(&conn->flights) || sim_chance(conn->wire->world, 500))
            end(conn);
        else
            settle_then_end(conn);
        return;
    }
}

static struct message *post(struct pqr__conn *conn, enum message_kind kind, struct pqr__flight *flight)
{
    struct sim_world *world = conn->wire->world;
    struct message *message = sim_alloc(sizeof(*message));
    message->conn = conn;
    message->kind = kind;
    message->flight = flight;
    message->in_recovery = conn->server->in_recovery;
    message->answer.message = "";
    uint64_t at_us =
        world->now_us + sim_skewed(world, conn->server->latency_us, 3 * conn->server->latency_us);
    if (at_us < conn->last_delivery_us)
        at_us = conn->last_delivery_us;
    conn->last_delivery_us = at_us;
    pqr__list_push_back(&conn->messages, &message->link);
    sim_alarm_set(world, &message->alarm, at_us, deliver, message);
    return message;
}

void sim_wire_item(struct pqr__conn *conn, struct pqr__flight *flight, struct pqr__item *item,
    enum pqr__answer_kind kind, const char *sqlstate, struct pg_result *result,
    const struct sim_kept_told *told)
{
    struct message *message = post(conn, ITEM, flight);
    message->item = item;
    message->told = *told;
    /* As when libpq has no memory for it: an error of its own, whatever the server did. */
    bool commit = item->own == PQR__OWN_COMMIT;
    bool fit = told->end == SIM_KEPT_AS_IT_WAS || told->end == SIM_KEPT_PREPARED;
    if (fit && sim_chance(conn->wire->world, conn->wire->answer_lost * (commit ? 60 : 1))) {
        sim_result_free(result);
        result = NULL;
        kind = PQR__ANSWER_ERROR;
        sqlstate = "";
    }
    message->answer.kind = kind;
    message->answer.result = result;
    message->answer.message = kind == PQR__ANSWER_ERROR ? "the simulated server says no" : "";
    pqr__text_copy(message->answer.sqlstate, sizeof(message->answer.sqlstate), sqlstate);
}

void sim_wire_settled(struct pqr__conn *conn, struct pqr__flight *flight, enum pqr__tx_status tx)
{
    post(conn, SETTLED, flight)->tx = tx;
}

void sim_wire_notice(
    struct pqr__conn *conn, struct pqr__flight *flight, const char *sqlstate, const char *severity)
{
    struct message *message = post(conn, NOTICE, flight);
    pqr__text_copy(message->notice.sqlstate, sizeof(message->notice.sqlstate), sqlstate);
    pqr__text_copy(message->notice.severity, sizeof(message->notice.severity), severity);
    pqr__text_copy(message->notice.text, sizeof(message->notice.text), "a simulated notice");
}

void sim_wire_broken(struct pqr__conn *conn, bool at_once)
{
    if (conn->state != SIM_OPEN)
        return;
    if (at_once) {
        drop_messages(conn);
        conn->last_delivery_us = 0;
    }
    post(conn, BROKEN, NULL);
}

void sim_wire_reset(struct pqr__conn *conn)
{
    if (conn->state != SIM_OPEN)
        return;
    if (conn->backend)
        sim_backend_abandoned(conn->backend, sim_chance(conn->wire->world, 500));
    conn->backend = NULL;
    sim_wire_broken(conn, true);
}

void sim_wire_doom(struct pqr__conn *conn)
{
    struct sim_backend *backend = conn->backend;
    if (conn->state != SIM_OPEN || !backend)
        return;
    backend->conn = NULL;
    conn->backend = NULL;
    conn->doomed = true;
    sim_backend_die(backend, false);
    if (!pqr__list_empty(&conn->flights))
        sim_wire_broken(conn, true);
}

/* --- Connecting ---------------------------------------------------------------------------------------- */

static void refuse(struct pqr__conn *conn, const char *sqlstate, bool timeout)
{
    struct pqr__refusal refusal = {.message = "the simulated server does not want us", .timeout = timeout};
    pqr__text_copy(refusal.sqlstate, sizeof(refusal.sqlstate), sqlstate);
    const struct pqr__transport_events *events = events_of(conn);
    void *receiver = conn->context;
    sim_trace(conn->wire->world, "  c%u refused%s %s", conn->id, timeout ? ", too late" : "", sqlstate);
    sim_server_disturbed(conn->server);
    sim_check_gone(conn->wire->checks, conn);
    conn_free(conn);
    events->refused(receiver, &refusal);
}

static void connected(struct pqr__conn *conn)
{
    conn->state = SIM_OPEN;
    conn->began_in_recovery = conn->server->in_recovery;
    conn->backend = sim_backend_start(conn->server, conn);
    sim_trace(
        conn->wire->world, "  c%u connected to s%u/%u", conn->id, conn->server->index, conn->backend->pid);
    struct pqr__connect_info info = {
        .backend_pid = conn->backend->pid,
        .server_version = 150004,
        .in_recovery = conn->server->in_recovery,
        .standard_conforming_strings = true,
        .encoding_ascii_safe = true,
    };
    events_of(conn)->connected(conn->context, &info);
}

static void try(void *context)
{
    struct pqr__conn *conn = context;
    struct sim_server *server = conn->server;
    struct sim_world *world = conn->wire->world;
    if (world->now_us >= conn->give_up_us)
        refuse(conn, "", true);
    else if (server->condition == SIM_BLACKHOLE || server->frozen) {
        uint64_t at_us = world->now_us + CONNECT_RETRY_US;
        sim_alarm_set(world, &conn->alarm, at_us < conn->give_up_us ? at_us : conn->give_up_us, try, conn);
    } else if (server->condition == SIM_ABSENT || sim_chance(world, conn->wire->connect_lost))
        refuse(conn, "", false);
    else if (server->condition == SIM_REFUSING)
        refuse(conn, server->sqlstate, false);
    else if (server->backends.count >= server->max_backends)
        refuse(conn, "53300", false);
    else
        connected(conn);
}

static int op_connect(struct pqr__transport *transport, uint32_t number, uint64_t timeout_us, void *context,
    struct pqr__conn **out)
{
    struct sim_wire *wire = wire_of(transport);
    struct sim_world *world = wire->world;
    if (wire->shut || number >= 64 || wire->server_of[number] >= wire->n_servers)
        sim_fail(world, "connect to server %u%s", number, wire->shut ? " after shutdown" : "");
    number = wire->server_of[number];
    if (sim_chance(world, wire->connect_no_memory)) {
        sim_server_disturbed(&wire->servers[number]);
        return PQR_ENOMEM;
    }
    struct pqr__conn *conn = sim_alloc(sizeof(*conn));
    conn->wire = wire;
    conn->server = &wire->servers[number];
    conn->context = context;
    conn->id = ++wire->next_id;
    pqr__prepared_init(&conn->books, wire->checks->config->statements.max_prepared);
    pqr__list_init(&conn->flights);
    pqr__list_init(&conn->messages);
    pqr__list_push_back(&wire->conns, &conn->link);
    sim_trace(world, "  c%u connects to s%u", conn->id, number);
    sim_check_connect(wire->checks, conn);
    conn->give_up_us = world->now_us + timeout_us;
    uint64_t takes_us = sim_skewed(world, conn->server->connect_us, 5 * conn->server->connect_us);
    sim_alarm_set(
        world, &conn->alarm, world->now_us + (takes_us < timeout_us ? takes_us : timeout_us), try, conn);
    *out = conn;
    return 0;
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
        statement->way = way_of(conn, flight, item);
        if (item->own == PQR__OWN_NONE)
            statement->entry = sim_ledger_find(
                conn->server->ledger, item->sql, item->n_params > 0 ? item->param_values[0] : NULL);
        else if (item->own == PQR__OWN_BEGIN)
            statement->read_only = strstr(item->sql, "READ ONLY") != NULL;
        else if (item->own == PQR__OWN_CANCEL && item->n_params > 0 && item->param_values[0])
            statement->cancel_pid = (uint32_t)strtoul(item->param_values[0], NULL, 10);
    }
    return job;
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
    if (sim_chance(world, wire->notices))
        sim_wire_notice(conn, flight, "01000", "WARNING");
    sim_backend_take(conn->backend, job);
}

/* --- Cancelling and closing ---------------------------------------------------------------------------- */

static void cancel_done(struct pqr__conn *conn, bool delivered)
{
    conn->cancelling = false;
    events_of(conn)->cancelled(conn->context, delivered);
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
    begin_end(conn);
    sim_alarm_set(world, &conn->alarm, world->now_us + sim_between(world, 0, 1000), settle_then_end, conn);
}

/* --- Timer, clock, the end ------------------------------------------------------------------------------ */

static void timer_due(void *context)
{
    struct sim_wire *wire = context;
    wire->transport.events->timer(wire->transport.router);
}

static void op_timer_set(struct pqr__transport *transport, uint64_t at_us)
{
    struct sim_wire *wire = wire_of(transport);
    if (wire->shut)
        sim_fail(wire->world, "timer set after shutdown");
    if (at_us == PQR__NEVER)
        sim_alarm_clear(wire->world, &wire->timer);
    else
        sim_alarm_set(wire->world, &wire->timer, at_us, timer_due, wire);
}

static uint64_t op_now_us(struct pqr__transport *transport)
{
    return wire_of(transport)->world->now_us;
}

static void is_down(void *context)
{
    struct sim_wire *wire = context;
    wire->gone = true;
    wire->transport.events->down(wire->transport.router);
}

static void op_shutdown(struct pqr__transport *transport)
{
    struct sim_wire *wire = wire_of(transport);
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
    wire_of(transport)->server_of[number] = (uint32_t)strtoul(config->servers[entry].host + 1, NULL, 10);
}

static const struct pqr__transport_ops sim_ops = {
    .configure = op_configure,
    .connect = op_connect,
    .send = op_send,
    .cancel = op_cancel,
    .close = op_close,
    .timer_set = op_timer_set,
    .now_us = op_now_us,
    .shutdown = op_shutdown,
    .result_free = sim_result_free,
    .result_value = result_value,
    .result_tag = result_tag,
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
        conn_free(pqr__container_of(link, struct pqr__conn, link));
}
