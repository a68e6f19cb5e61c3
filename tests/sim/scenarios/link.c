#include "link.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/wheel.h"

enum { OWN_WORK_US = 150 };

struct pg_result {
    char values[9][32];
};

enum conn_state { CONNECTING, OPEN, ENDING };

struct pqr__conn {
    struct link_wire *wire;
    struct link_server *server;
    void *context;
    struct pqr__link link; /* of the server's */
    enum conn_state state;
    bool counted; /* among the server's connections */
    bool asked;   /* to close, by the router */
    uint32_t pid;
    struct pqr__list flights;    /* the first runs, unless it is being answered */
    struct pqr__flight *running; /* NULL: none */
    struct pqr__list answers;
    struct machine_job job;
    struct sim_alarm alarm, cancel;
    char name[40];    /* of its router, as a member of the fleet; "": it was not told */
    char sqlstate[6]; /* of the error that the running flight ends with */
};

/* On its way back. */
struct reply {
    struct pqr__link link;
    struct sim_alarm alarm;
    struct pqr__conn *conn;
    struct pqr__flight *flight;
    char sqlstate[6];
};

static void run_next(struct pqr__conn *conn);
static void finished(void *context);

static const struct pqr__transport_events *events_of(const struct pqr__conn *conn)
{
    return conn->wire->transport.events;
}

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

static double drawn(struct link_server *server, double mean)
{
    double even = ((double)(pqr__random_next(&server->random) >> 11) + 0.5) / 9007199254740992.0;
    return -log(even) * mean;
}

/* --- the end of a connection --- */

static void forget_replies(struct pqr__conn *conn)
{
    struct pqr__link *link;
    while ((link = pqr__list_first(&conn->answers)) != NULL) {
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
    const struct pqr__transport_events *events = events_of(conn);
    struct pqr__settled facts = {.lost = true, .sent = true, .tx = PQR__TX_UNKNOWN, .message = "it is gone"};
    struct pqr__link *link;
    void *receiver = conn->context;
    while ((link = pqr__list_first(&conn->flights)) != NULL) {
        struct pqr__flight *flight = pqr__container_of(link, struct pqr__flight, link);
        pqr__list_remove(&conn->flights, link);
        events->settled(receiver, flight, &facts);
    }
    free_conn(conn);
    events->closed(receiver);
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
    const struct pqr__transport_events *events = events_of(conn);
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
    events_of(conn)->connected(conn->context, &info);
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
    conn->server = &wire->servers[number];
    conn->context = context;
    conn->pid = conn->server->next_pid++;
    pqr__list_init(&conn->flights);
    pqr__list_init(&conn->answers);
    pqr__list_push_back(&conn->server->conns, &conn->link);
    set(conn, conn->server->latency_us, arrived);
    *out = conn;
    return 0;
}

/* --- statements --- */

static struct pqr__conn *conn_of(const struct link_server *server, uint32_t pid)
{
    pqr__list_each (link, &server->conns) {
        struct pqr__conn *conn = pqr__container_of(link, struct pqr__conn, link);
        if (conn->pid == pid)
            return conn;
    }
    return NULL;
}

/* 57014 to what runs there. */
static bool cancel(struct pqr__conn *conn)
{
    if (!conn || !conn->running || conn->state != OPEN)
        return false;
    pqr__text_copy(conn->sqlstate, sizeof(conn->sqlstate), "57014");
    machine_drop(&conn->server->machine, &conn->job);
    finished(conn);
    return true;
}

static struct pg_result *identity(const struct pqr__conn *conn)
{
    struct pg_result *result = sim_alloc(sizeof(*result));
    const struct link_server *server = conn->server;
    snprintf(result->values[0], sizeof(result->values[0]), "7300000000000000001");
    snprintf(result->values[1], sizeof(result->values[1]), server->in_recovery ? "t" : "f");
    snprintf(result->values[2], sizeof(result->values[2]), "0/3000000");
    snprintf(result->values[3], sizeof(result->values[3]), "1");
    snprintf(result->values[4], sizeof(result->values[4]), "start %u", server->starts);
    snprintf(result->values[5], sizeof(result->values[5]), "%u", conn->pid);
    snprintf(result->values[6], sizeof(result->values[6]), "backend %u", conn->pid);
    snprintf(result->values[7], sizeof(result->values[7]), "read committed");
    snprintf(result->values[8], sizeof(result->values[8]), "150004");
    return result;
}

/* As pg_stat_activity shows them: by the name that a session took. */
static struct pg_result *count_members(struct pqr__conn *conn, const struct pqr__item *item)
{
    struct pg_result *result = sim_alloc(sizeof(*result));
    uint32_t others = 0, before = 0;
    pqr__text_copy(conn->name, sizeof(conn->name), item->param_values[0]);
    pqr__list_each (link, &conn->server->conns) {
        const struct pqr__conn *other = pqr__container_of(link, struct pqr__conn, link);
        int order = strcmp(other->name, conn->name);
        if (other->state != OPEN || !other->name[0] || order == 0)
            continue;
        others++;
        before += order < 0;
    }
    for (int i = 1; i <= 3; i++)
        snprintf(result->values[i], sizeof(result->values[i]), "%u", others);
    snprintf(result->values[4], sizeof(result->values[4]), "%u", before);
    snprintf(result->values[5], sizeof(result->values[5]), "%u", conn->server->max_connections);
    snprintf(result->values[6], sizeof(result->values[6]), "0");
    snprintf(result->values[7], sizeof(result->values[7]), "-1");
    snprintf(result->values[8], sizeof(result->values[8]), "-1");
    return result;
}

static struct pg_result *result_of(struct pqr__conn *conn, const struct pqr__item *item)
{
    if (item->own == PQR__OWN_IDENTITY || item->own == PQR__OWN_PROBE)
        return identity(conn);
    return item->own == PQR__OWN_FLEET ? count_members(conn, item) : sim_alloc(sizeof(struct pg_result));
}

static void tell_items(struct pqr__conn *conn, struct pqr__flight *flight, const char *sqlstate)
{
    bool failed = *sqlstate != '\0';
    for (struct pqr__item *item = flight->items; item; item = item->next) {
        struct pqr__answer answer = {.kind = PQR__ANSWER_OK, .message = ""};
        if (failed) {
            answer.kind = item == flight->items ? PQR__ANSWER_ERROR : PQR__ANSWER_ABORTED;
            answer.message = "canceling statement due to user request";
            pqr__text_copy(answer.sqlstate, sizeof(answer.sqlstate), sqlstate);
        } else {
            answer.result = result_of(conn, item);
        }
        flight->running = flight->telling = item->next;
        events_of(conn)->item(conn->context, flight, item, &answer);
    }
}

static void deliver(void *context)
{
    struct reply *reply = context;
    struct pqr__conn *conn = reply->conn;
    struct pqr__flight *flight = reply->flight;
    struct pqr__settled facts = {
        .sent = true, .tx = PQR__TX_IDLE, .in_recovery = conn->server->in_recovery, .message = ""};
    char sqlstate[6];
    pqr__text_copy(sqlstate, sizeof(sqlstate), reply->sqlstate);
    pqr__list_remove(&conn->answers, &reply->link);
    free(reply);
    tell_items(conn, flight, sqlstate);
    pqr__list_remove(&conn->flights, &flight->link);
    events_of(conn)->settled(conn->context, flight, &facts);
}

static void finished(void *context)
{
    struct pqr__conn *conn = context;
    struct sim_world *world = conn->wire->world;
    struct reply *reply = sim_alloc(sizeof(*reply));
    sim_alarm_clear(world, &conn->alarm);
    reply->conn = conn;
    reply->flight = conn->running;
    pqr__text_copy(reply->sqlstate, sizeof(reply->sqlstate), conn->sqlstate);
    conn->sqlstate[0] = '\0';
    pqr__list_push_back(&conn->answers, &reply->link);
    sim_alarm_set(world, &reply->alarm, world->now_us + conn->server->latency_us, deliver, reply);
    struct pqr__link *next = reply->flight->link.next;
    conn->running = NULL;
    if (next != &conn->flights.head)
        run_next(conn);
}

static double work_of(const struct pqr__conn *conn, const struct pqr__item *item, double *wait_us)
{
    struct link_server *server = conn->server;
    if (item->own != PQR__OWN_NONE || item->n_params == 0)
        return OWN_WORK_US;
    const struct link_class *class = &server->classes[item->param_values[0][0] - '0'];
    *wait_us += drawn(server, class->wait_us);
    return drawn(server, class->work_us);
}

static void worked(void *context)
{
    struct pqr__conn *conn = context;
    struct link_server *server = conn->server;
    double work_us = 0, none = 0;
    for (const struct pqr__item *item = conn->running->items; item; item = item->next) {
        work_us += work_of(conn, item, &none);
        if (item->own == PQR__OWN_CANCEL && item->n_params > 0)
            cancel(conn_of(server, (uint32_t)strtoul(item->param_values[0], NULL, 10)));
    }
    machine_run(&server->machine, &conn->job, work_us, finished, conn);
}

/* First what it waits for, then what it works. */
static void run_next(struct pqr__conn *conn)
{
    for (struct pqr__link *link = pqr__list_first(&conn->flights); link && link != &conn->flights.head;
         link = link->next) {
        struct pqr__flight *flight = pqr__container_of(link, struct pqr__flight, link);
        if (flight->sent)
            continue;
        double wait_us = 0;
        flight->sent = true;
        conn->running = flight;
        for (const struct pqr__item *item = flight->items; item; item = item->next)
            work_of(conn, item, &wait_us);
        set(conn, conn->server->latency_us + (uint64_t)wait_us, worked);
        return;
    }
}

static void op_send(struct pqr__conn *conn, struct pqr__flight *flight)
{
    pqr__list_push_back(&conn->flights, &flight->link);
    flight->sent = false;
    flight->running = flight->telling = flight->items;
    if (conn->state == OPEN && !conn->running)
        run_next(conn);
}

/* --- cancelling, closing, time --- */

static void cancelled(void *context)
{
    struct pqr__conn *conn = context;
    cancel(conn);
    events_of(conn)->cancelled(conn->context, true);
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

static const struct pqr__transport_ops link_ops = {
    .connect = op_connect,
    .send = op_send,
    .cancel = op_cancel,
    .close = op_close,
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
