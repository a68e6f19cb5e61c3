/* The flights given to a connection: when they may be sent, how, and what becomes of them when it is lost.
 *
 * They are sent in order. A simple flight waits for an empty air, and everything behind it waits for it. What may go
 * wrong: libpq refuses to take an item, which ends the connection, since half a flight cannot be taken
 * back. */
#include <assert.h>
#include <string.h>

#include "postgres/conn.h"
#include "postgres/newer.h"

/* The first flight that is not in the air. */
static struct pqr__flight *next_unsent(const struct pqr__conn *conn)
{
    if (conn->flights.count == conn->n_air)
        return NULL;
    struct pqr__link *link = pqr__list_last(&conn->flights);
    for (uint32_t n = conn->flights.count - conn->n_air; n > 1; n--)
        link = link->prev;
    return pqr__container_of(link, struct pqr__flight, link);
}

/* With a libpq that has it, without a system call: what is sent in one turn of the loop goes out together. */
static bool send_sync(PGconn *pg)
{
#if PQR__HAVE_NEWER
    if (PQsendPipelineSync)
        return PQsendPipelineSync(pg);
#endif
    return PQpipelineSync(pg);
}

/* How many items libpq took. */
static uint32_t send_pipeline(struct pqr__conn *conn, struct pqr__flight *flight)
{
    uint32_t n = 0;
    pqr__prepared_next_flight(&conn->prepared);
    for (struct pqr__item *item = flight->items; item && pqr__item_send(conn, flight, item);
         item = item->next)
        n++;
    return n;
}

static uint32_t send_simple(struct pqr__conn *conn, struct pqr__flight *flight)
{
    struct pqr__item *item = flight->items;
    /* Only without parameters may the text hold several statements; and only text comes back. */
    if (item->n_params > 0 || item->result_format != 0)
        return pqr__item_send(conn, flight, item) ? 1 : 0;
    return PQsendQuery(conn->pg, item->sql) ? 1 : 0;
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
    uint32_t n = simple ? send_simple(conn, flight) : send_pipeline(conn, flight);
    flight->sent = n > 0 || PQstatus(conn->pg) != CONNECTION_OK;
    if (n != flight->n_items || (!simple && !send_sync(conn->pg)))
        return false;
    const struct pqr__item *first = flight->items;
    return first->rows_at_once == 0 || pqr__item_is_preceded(first) || pqr__item_ask_for_parts(conn, first);
}

/* Sends what may be sent. */
static void start_waiting(struct pqr__conn *conn)
{
    struct pqr__flight *flight;
    while (pqr__conn_is_open(conn) && (flight = next_unsent(conn))) {
        bool wait = flight->kind == PQR__FLIGHT_SIMPLE ? conn->n_air > 0 : conn->state == PQR__CONN_SIMPLE;
        if (wait)
            return;
        pqr__cork_begin(conn);
        if (!take_off(conn, flight)) {
            pqr__conn_lose(conn, PQerrorMessage(conn->pg));
            return;
        }
        if (conn->n_air++ == 0)
            pqr__meter_stop(&conn->meter);
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
    enum { CHECK_AFTER_MS = 2, NS_PER_MS = 1000000 };
    assert(flight->n_items > 0 && (flight->kind == PQR__FLIGHT_PIPELINE || flight->n_items == 1));
    assert(pqr__conn_is_open(conn) || conn->state == PQR__CONN_CLOSING);
    flight->running = flight->items;
    flight->telling = flight->items;
    flight->sent = false;
    pqr__link_init(&flight->link);
    pqr__list_push_back(&conn->flights, &flight->link);
    if (!pqr__conn_is_open(conn) || conn->in_libpq)
        return; /* settled as lost soon; sent when libpq has returned */
    /* Whatever has arrived while nothing flew is read first, from the loop: it may be the connection's end, and
       then nothing of this flight must have been sent. The loop's time stands still while the application is busy,
       which is when it matters. */
    bool quiet =
        conn->n_air == 0 && !conn->reading && uv_hrtime() / NS_PER_MS - conn->at_ms >= CHECK_AFTER_MS;
    if (quiet && pqr__wire_stirs(conn))
        return;
    start_waiting(conn);
    if (pqr__conn_is_open(conn))
        pqr__wire_arm_soon(conn);
}

void pqr__flight_settle_lost(struct pqr__conn *conn)
{
    struct pqr__link *link;
    for (bool behind = false; (link = pqr__list_first(&conn->flights)); behind = true) {
        struct pqr__flight *flight = pqr__container_of(link, struct pqr__flight, link);
        pqr__list_remove(&conn->flights, link);
        struct pqr__settled facts = {
            .lost = true,
            .sent = flight->sent,
            .behind = behind,
            .tx = PQR__TX_UNKNOWN,
            .message = conn->message,
        };
        memcpy(facts.sqlstate, conn->sqlstate, sizeof(facts.sqlstate));
        conn->home->base.events->settled(conn->context, flight, &facts);
    }
}
