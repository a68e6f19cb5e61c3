/* Flights: sending them, and making answers out of libpq's results.
 *
 * An item's first result is not its outcome: an error may follow at the Sync (a deferred constraint) and take its
 * place. So the latest answer is held until the next item's begins, the last one until the Sync. A flight that
 * does not follow the order result, end, result, end ..., Sync means that the connection is out of step: it is
 * closed, whatever the results said. */
#include <assert.h>
#include <string.h>

#include "base/text.h"
#include "postgres/conn.h"

/* --- Sending --- */

/* The first flight that is not in the air. */
static struct pqr__flight *next_unsent(const struct pqr__conn *conn)
{
    if (conn->flights.count == conn->n_air)
        return NULL;
    struct pqr__link *link = conn->flights.head.next;
    for (uint32_t i = 0; i < conn->n_air; i++)
        link = link->next;
    return pqr__container_of(link, struct pqr__flight, link);
}

static bool send_with_parameters(PGconn *pg, const struct pqr__item *item)
{
    return PQsendQueryParams(pg, item->sql, item->n_params, item->param_types, item->param_values,
        item->param_lengths, item->param_formats, item->result_format);
}

/* How many items libpq took. */
static uint32_t send_pipeline(PGconn *pg, const struct pqr__flight *flight)
{
    uint32_t n = 0;
    while (n < flight->n_items && send_with_parameters(pg, &flight->items[n]))
        n++;
    return n;
}

static uint32_t send_simple(PGconn *pg, const struct pqr__item *item)
{
    /* Only without parameters may the text hold several statements; and only text comes back. */
    if (item->n_params > 0 || item->result_format != 0)
        return send_with_parameters(pg, item) ? 1 : 0;
    return PQsendQuery(pg, item->sql) ? 1 : 0;
}

/* True: all of it is with libpq. Otherwise sent says whether the server may run any of it: libpq hands over an
   item's Execute last, so that an item it could not even build can't run, unless it was the socket that
   failed. */
static bool take_off(struct pqr__conn *conn, struct pqr__flight *flight)
{
    bool simple = flight->kind == PQR__FLIGHT_SIMPLE;
    if (PQstatus(conn->pg) != CONNECTION_OK || (simple && !PQexitPipelineMode(conn->pg)))
        return false;
    if (simple)
        pqr__conn_move(conn, PQR__CONN_SIMPLE);
    uint32_t n = simple ? send_simple(conn->pg, flight->items) : send_pipeline(conn->pg, flight);
    flight->sent = n > 0 || PQstatus(conn->pg) != CONNECTION_OK;
    return n == flight->n_items && (simple || PQpipelineSync(conn->pg));
}

/* Sends what may be sent. */
static void start_waiting(struct pqr__conn *conn)
{
    struct pqr__flight *flight;
    while (pqr__conn_is_open(conn) && (flight = next_unsent(conn))) {
        bool wait = flight->kind == PQR__FLIGHT_SIMPLE ? conn->n_air > 0 : conn->state == PQR__CONN_SIMPLE;
        if (wait)
            return;
        if (!take_off(conn, flight)) {
            pqr__conn_lose(conn, PQerrorMessage(conn->pg));
            return;
        }
        conn->n_air++;
    }
}

/* Nothing is sent on a connection that should be quiet and is not: there may be more, and the end behind it. */
void pqr__flight_resume(struct pqr__conn *conn)
{
    if (conn->flights.count > conn->n_air && (conn->n_air > 0 || !pqr__wire_stirs(conn)))
        start_waiting(conn);
}

void pqr__flight_send(struct pqr__conn *conn, struct pqr__flight *flight)
{
    enum { CHECK_AFTER_NS = 1000 * 1000 };
    assert(flight->n_items > 0 && (flight->kind == PQR__FLIGHT_PIPELINE || flight->n_items == 1));
    assert(conn->state != PQR__CONN_CONNECTING && conn->state != PQR__CONN_REFUSED);
    flight->n_answered = 0;
    flight->sent = false;
    pqr__link_init(&flight->link);
    pqr__list_push_back(&conn->flights, &flight->link);
    if (!pqr__conn_is_open(conn) || conn->in_libpq)
        return; /* settled as lost soon; sent when libpq has returned */
    /* Whatever has arrived while nothing flew is read first, from the loop: it may be the connection's end, and
       then nothing of this flight must have been sent. */
    bool quiet = conn->n_air == 0 && uv_hrtime() - conn->at_ns > CHECK_AFTER_NS;
    if (quiet && pqr__wire_stirs(conn))
        return;
    start_waiting(conn);
    if (pqr__conn_is_open(conn))
        pqr__wire_arm(conn);
}

/* --- Answers --- */

static enum pqr__answer_kind kind_of(const PGresult *result)
{
    if (PQresultStatus(result) == PGRES_PIPELINE_ABORTED)
        return PQR__ANSWER_ABORTED;
    return pqr__result_is_error(result) ? PQR__ANSWER_ERROR : PQR__ANSWER_OK;
}

static void tell_item(struct pqr__conn *conn, struct pqr__flight *flight)
{
    PGresult *result = conn->held;
    struct pqr__answer answer = {.kind = kind_of(result), .message = "", .result = result};
    if (answer.kind == PQR__ANSWER_ERROR) {
        pqr__result_sqlstate(answer.sqlstate, result);
        answer.message = pqr__result_message(result);
    }
    conn->held = NULL;
    conn->home->base.events->item(conn->context, flight, flight->n_answered++, &answer);
}

static enum pqr__tx_status tx_status(const PGconn *pg)
{
    switch (PQtransactionStatus(pg)) {
    case PQTRANS_IDLE:
        return PQR__TX_IDLE;
    case PQTRANS_INTRANS:
        return PQR__TX_OPEN;
    case PQTRANS_INERROR:
        return PQR__TX_FAILED;
    case PQTRANS_ACTIVE: /* another flight is in the air already: libpq does not show what this one left */
    case PQTRANS_UNKNOWN:
    default:
        return PQR__TX_UNKNOWN;
    }
}

/* The flight is complete and its last answer final. */
static void settle(struct pqr__conn *conn, struct pqr__flight *flight)
{
    const char *standby = PQparameterStatus(conn->pg, "in_hot_standby");
    struct pqr__settled facts = {
        .sent = true,
        .tx = tx_status(conn->pg),
        .in_recovery = standby && standby[0] == 'o' && standby[1] == 'n',
        .message = "",
    };
    conn->n_air--;
    conn->n_ended = 0;
    conn->expects_end = false;
    pqr__meter_stop(&conn->meter);
    pqr__list_remove(&conn->flights, &flight->link);
    conn->at_ns = uv_hrtime();
    tell_item(conn, flight);
    conn->home->base.events->settled(conn->context, flight, &facts);
}

static void out_of_step(struct pqr__conn *conn, PGresult *result)
{
    PQclear(result);
    PQclear(conn->held);
    conn->held = NULL;
    pqr__conn_lose(conn, "the server's replies were out of step with the statements");
}

static void hold(struct pqr__conn *conn, PGresult *result)
{
    PQclear(conn->held);
    conn->held = result;
}

static void take_pipelined(struct pqr__conn *conn, struct pqr__flight *flight, PGresult *result)
{
    if (!result) {
        if (!conn->expects_end) {
            out_of_step(conn, NULL);
            return;
        }
        conn->expects_end = false;
        if (conn->n_ended < flight->n_items)
            conn->n_ended++;
    } else if (PQresultStatus(result) == PGRES_PIPELINE_SYNC) {
        if (conn->n_ended < flight->n_items) {
            out_of_step(conn, result);
            return;
        }
        PQclear(result);
        settle(conn, flight);
    } else if (conn->expects_end || conn->n_ended == flight->n_items) {
        /* More after an answer: only an error may, and is the last word. */
        if (!pqr__result_is_error(result)) {
            out_of_step(conn, result);
            return;
        }
        hold(conn, result);
        conn->expects_end = true;
    } else {
        conn->expects_end = true;
        PGresult *earlier = conn->held;
        if (earlier)
            tell_item(conn, flight);
        if (pqr__conn_is_open(conn))
            conn->held = result;
        else
            PQclear(result);
    }
}

static void take_simple(struct pqr__conn *conn, struct pqr__flight *flight, PGresult *result)
{
    if (result) {
        if (conn->held && pqr__result_is_error(conn->held))
            PQclear(result);
        else
            hold(conn, result);
        return;
    }
    if (!conn->held) {
        out_of_step(conn, NULL);
        return;
    }
    if (!PQenterPipelineMode(conn->pg)) {
        pqr__conn_lose(conn, PQerrorMessage(conn->pg));
        return;
    }
    pqr__conn_move(conn, PQR__CONN_PIPELINE);
    settle(conn, flight);
}

static bool is_copy(const PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);
    return status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH;
}

void pqr__flight_take(struct pqr__conn *conn, PGresult *result)
{
    struct pqr__flight *flight = pqr__container_of(pqr__list_first(&conn->flights), struct pqr__flight, link);
    if (PQstatus(conn->pg) == CONNECTION_BAD) {
        /* What libpq makes up about the loss. An error of the server's that came before says more. */
        char message[sizeof(conn->message)];
        pqr__text_copy(message, sizeof(message), result ? pqr__result_message(result) : "");
        PQclear(result);
        pqr__conn_lose(conn, message[0] ? message : PQerrorMessage(conn->pg));
    } else if (is_copy(result)) {
        PQclear(result);
        PQclear(conn->held);
        conn->held = NULL;
        pqr__conn_lose(conn, "COPY from or to the client is not supported");
    } else if (conn->state == PQR__CONN_SIMPLE) {
        take_simple(conn, flight, result);
    } else {
        take_pipelined(conn, flight, result);
    }
}

void pqr__flight_settle_lost(struct pqr__conn *conn)
{
    struct pqr__link *link;
    while ((link = pqr__list_first(&conn->flights))) {
        struct pqr__flight *flight = pqr__container_of(link, struct pqr__flight, link);
        pqr__list_remove(&conn->flights, link);
        struct pqr__settled facts = {
            .lost = true,
            .sent = flight->sent,
            .tx = PQR__TX_UNKNOWN,
            .message = conn->message,
        };
        memcpy(facts.sqlstate, conn->sqlstate, sizeof(facts.sqlstate));
        conn->home->base.events->settled(conn->context, flight, &facts);
    }
}
