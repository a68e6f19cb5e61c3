/* What happens on a connection, on its way to the router: in order, after the wire's latency; a loss overtakes it. */
#include <stdlib.h>

#include "base/text.h"
#include "checks.h"
#include "wire_parts.h"

enum { CUT_BUSY_US = 1000000, CUT_IDLE_US = 100000 };

enum message_kind { SETTLED, PART, ITEM, NOTICE, BROKEN };

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
        sim_events_of(conn)->settled(conn->context, flight, &facts);
    }
}

static void forsake(struct pqr__conn *conn)
{
    if (!conn->session)
        return;
    sim_trace(conn->wire->world, "  c%u waits no longer for s%u/%u", conn->id, conn->server->index,
        conn->session->pid);
    conn->session->left = NULL;
    conn->session->forsaken = true;
    conn->session = NULL;
}

void sim_conn_free(struct pqr__conn *conn)
{
    struct sim_world *world = conn->wire->world;
    forsake(conn);
    drop_messages(conn);
    if (conn->backend)
        sim_backend_abandoned(conn->backend, false);
    /* A cancel request on its way arrives although nobody waits for its answer. */
    if (conn->cancelling && conn->server->condition == SIM_UP && !conn->server->frozen &&
        sim_chance(world, 500))
        sim_server_cancel(conn->server, conn->cancel_pid);
    sim_alarm_clear(world, &conn->alarm);
    sim_alarm_clear(world, &conn->cancel);
    sim_alarm_clear(world, &conn->blow);
    pqr__list_remove(&conn->wire->conns, &conn->link);
    pqr__prepared_finish(&conn->books);
    free(conn);
}

static void closed(void *context)
{
    struct pqr__conn *conn = context;
    const struct pqr__transport_events *events = sim_events_of(conn);
    void *receiver = conn->context;
    bool left = conn->session && !conn->cut;
    sim_trace(conn->wire->world, "  c%u closed", conn->id);
    forsake(conn);
    sim_check_gone(conn->wire->checks, conn);
    sim_conn_free(conn);
    events->closed(receiver, left);
}

static void end(void *context)
{
    struct pqr__conn *conn = context;
    struct sim_world *world = conn->wire->world;
    uint64_t cut_us = conn->told || conn->flights.count > 0 ? CUT_BUSY_US : CUT_IDLE_US;
    settle_lost(conn);
    sim_trace(world, "  c%u ended%s", conn->id, conn->session ? ", its session goes on" : "");
    conn->ended = true;
    sim_events_of(conn)->ended(conn->context);
    if ((conn->session || conn->cut) && !conn->abandoned)
        sim_alarm_set(
            world, &conn->alarm, world->now_us + (conn->cut ? cut_us : SIM_LINGER_US), closed, conn);
    else
        closed(conn);
}

static void closed_soon(struct pqr__conn *conn, uint64_t within_us)
{
    struct sim_world *world = conn->wire->world;
    sim_alarm_set(world, &conn->alarm, world->now_us + sim_between(world, 0, within_us), closed, conn);
}

void sim_wire_session_over(struct pqr__conn *conn)
{
    conn->session = NULL;
    if (conn->ended && conn->alarm.place != 0 && !conn->cut)
        closed_soon(conn, 2 * conn->server->latency_us);
}

void sim_conn_linger(struct pqr__conn *conn)
{
    conn->state = SIM_ENDING;
    conn->logging_in = conn->ended = true;
    closed_soon(conn, SIM_LINGER_US);
}

void sim_conn_abandon(struct pqr__conn *conn)
{
    conn->abandoned = true;
    if (conn->ended && conn->alarm.place != 0)
        closed_soon(conn, 100);
}

/* What flew is told soon; that the connection has ended, a little later. */
void sim_conn_settle_then_end(void *context)
{
    struct pqr__conn *conn = context;
    struct sim_world *world = conn->wire->world;
    sim_alarm_set(
        world, &conn->alarm, world->now_us + sim_skewed(world, 0, 20 * conn->server->latency_us), end, conn);
    settle_lost(conn);
}

void sim_conn_begin_end(struct pqr__conn *conn)
{
    conn->state = SIM_ENDING;
    drop_messages(conn);
    if (conn->backend) {
        conn->session = conn->backend;
        conn->session->left = conn;
        sim_backend_abandoned(conn->backend, !conn->closed_by_us);
    }
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
    sim_events_of(conn)->notice(conn->context, flight, item, notice);
}

static void tell(struct message *message)
{
    struct pqr__conn *conn = message->conn;
    const struct pqr__transport_events *events = sim_events_of(conn);
    struct message copy = *message;
    message->answer.result = NULL;
    message_free(message);
    struct pqr__settled facts = {.sent = true, .tx = copy.tx, .in_recovery = copy.in_recovery, .message = ""};
    switch (copy.kind) {
    case PART:
        sim_check_part(conn->wire->checks, conn, copy.flight, copy.item, copy.answer.result);
        events->part(conn->context, copy.flight, copy.item, copy.answer.result, -1);
        return;
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
        sim_conn_begin_end(conn);
        /* Sometimes all in one turn, sometimes the end of the connection comes later. */
        if (pqr__list_empty(&conn->flights) || sim_chance(conn->wire->world, 500))
            end(conn);
        else
            sim_conn_settle_then_end(conn);
        return;
    }
}

/* The next of what came with this, if it is of the same read. */
static struct message *next_of_read(const struct pqr__conn *conn)
{
    struct pqr__link *first = pqr__list_first(&conn->messages);
    struct message *next = first ? pqr__container_of(first, struct message, link) : NULL;
    bool here = next && next->kind != BROKEN && next->alarm.at_us <= conn->wire->world->now_us;
    return here ? next : NULL;
}

/* Sometimes all that is here is one read, sometimes each is told by itself. */
static void deliver(void *context)
{
    struct message *message = context;
    struct pqr__conn *conn = message->conn;
    struct pqr__transport *transport = &conn->wire->transport;
    if (message->kind == BROKEN || sim_chance(conn->wire->world, 500)) {
        tell(message);
        return;
    }
    transport->read_us = conn->wire->world->now_us;
    for (; message; message = next_of_read(conn))
        tell(message);
    transport->read_us = 0;
    transport->events->read(transport->router);
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

void sim_wire_part(
    struct pqr__conn *conn, struct pqr__flight *flight, struct pqr__item *item, struct pg_result *part)
{
    struct sim_world *world = conn->wire->world;
    struct message *message = post(conn, PART, flight);
    message->item = item;
    message->answer.result = part;
    if (sim_chance(world, conn->wire->part_lost))
        sim_alarm_set(world, &conn->blow, world->now_us + sim_between(world, 0, 5 * conn->server->latency_us),
            sim_conn_hurt, conn);
}

void sim_wire_item(struct pqr__conn *conn, struct pqr__flight *flight, struct pqr__item *item,
    enum pqr__answer_kind kind, const char *sqlstate, struct pg_result *result,
    const struct sim_kept_told *told, bool at_sync)
{
    struct message *message = post(conn, ITEM, flight);
    message->item = item;
    message->told = *told;
    /* As when libpq has no memory for it: an error of its own, whatever the server did. */
    bool commit =
        item->own == PQR__OWN_COMMIT || (!item->next && sim_is_implicit(conn->wire->checks, flight));
    bool fit = told->end == SIM_KEPT_AS_IT_WAS || told->end == SIM_KEPT_PREPARED;
    if (fit && sim_chance(conn->wire->world, conn->wire->answer_lost * (commit ? 60 : 1))) {
        sim_result_free(result);
        result = NULL;
        kind = PQR__ANSWER_ERROR;
        sqlstate = "";
    }
    message->answer.kind = kind;
    message->answer.at_sync = at_sync;
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
    if (conn->backend) {
        conn->session = conn->backend;
        conn->session->left = conn;
        sim_backend_abandoned(conn->backend, sim_chance(conn->wire->world, 500));
    }
    conn->cut = true;
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

void sim_wire_hurt(struct pqr__conn *conn)
{
    struct sim_world *world = conn->wire->world;
    if (conn->state != SIM_OPEN || !conn->backend)
        return;
    uint64_t how = sim_between(world, 0, 4);
    static const char *const names[] = {"is reset", "has its backend killed", "has its backend terminated",
        "dies", "has its backend stopped"};
    sim_trace(world, "chaos: c%u %s", conn->id, names[how]);
    sim_server_disturbed(conn->server);
    if (how == 0)
        sim_wire_reset(conn);
    else if (how == 3)
        sim_wire_doom(conn);
    else if (how == 4)
        conn->backend->stopped = true;
    else
        sim_backend_die(conn->backend, how == 2);
}

void sim_conn_hurt(void *conn)
{
    sim_wire_hurt(conn);
}
