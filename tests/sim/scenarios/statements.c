/* Statements on a modelled server: they wait, work, and are answered, one flight of a connection after the other. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "link_conn.h"

enum { OWN_WORK_US = 150 };

static void finished(void *context);

static double drawn(struct link_server *server, double mean)
{
    double even = ((double)(pqr__random_next(&server->random) >> 11) + 0.5) / 9007199254740992.0;
    return -log(even) * mean;
}

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
bool link_cancel(struct pqr__conn *conn)
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
        link_events(conn)->item(conn->context, flight, item, &answer);
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
    link_events(conn)->settled(conn->context, flight, &facts);
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
    conn->server->answered++;
    pqr__list_push_back(&conn->answers, &reply->link);
    sim_alarm_set(world, &reply->alarm, world->now_us + conn->server->latency_us, deliver, reply);
    struct pqr__link *next = reply->flight->link.next;
    conn->running = NULL;
    if (next != &conn->flights.head)
        link_run_next(conn);
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
            link_cancel(conn_of(server, (uint32_t)strtoul(item->param_values[0], NULL, 10)));
    }
    machine_run(&server->machine, &conn->job, work_us, finished, conn);
}

/* First what it waits for, then what it works. */
void link_run_next(struct pqr__conn *conn)
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
        sim_alarm_set(conn->wire->world, &conn->alarm,
            conn->wire->world->now_us + conn->server->latency_us + (uint64_t)wait_us, worked, conn);
        return;
    }
}
