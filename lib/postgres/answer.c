/* Making answers out of libpq's results.
 *
 * An item's first result is not its outcome: an error may follow, that of the last one at the Sync (a deferred
 * constraint), and take its place. So an answer is held until its item's end, the last one until the Sync. A flight
 * that does not follow the order result, end, result, end ..., Sync means that the connection is out of step: it is
 * closed, whatever the results said. So does an error without SQLSTATE, which is libpq's, not the server's.
 *
 * Rows that were asked for in parts are told as they come, and may be followed by an error. */
#include "base/seldom.h"
#include "base/text.h"
#include "postgres/conn.h"
#include "postgres/newer.h"
#include "postgres/rows.h"

static struct pqr__flight *first_of(const struct pqr__conn *conn)
{
    return pqr__container_of(conn->flights.head.next, struct pqr__flight, link);
}

static enum pqr__answer_kind kind_of(const PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);
    if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK)
        return PQR__ANSWER_OK;
    if (status == PGRES_PIPELINE_ABORTED)
        return PQR__ANSWER_ABORTED;
    return pqr__result_is_error(result) ? PQR__ANSWER_ERROR : PQR__ANSWER_OK;
}

static PQR__SELDOM void explain_error(
    struct pqr__conn *conn, const struct pqr__item *item, struct pqr__answer *answer)
{
    pqr__result_sqlstate(answer->sqlstate, answer->result);
    answer->message = pqr__result_message(answer->result);
    answer->stale = pqr__item_is_stale(conn, item, answer->result);
}

static void tell(struct pqr__conn *conn, struct pqr__flight *flight, const struct pqr__answer *answer)
{
    struct pqr__item *item = flight->telling;
    if (item->own == PQR__OWN_DISCARD && answer->kind == PQR__ANSWER_OK)
        pqr__prepared_lost_all(&conn->prepared);
    conn->held = NULL;
    flight->telling = item->next;
    conn->home->base.events->item(conn->context, flight, item, answer);
}

static PQR__SELDOM void tell_closely(struct pqr__conn *conn, struct pqr__flight *flight)
{
    struct pqr__answer answer = {.kind = kind_of(conn->held), .message = "", .result = conn->held};
    if (answer.kind == PQR__ANSWER_ERROR) {
        explain_error(conn, flight->telling, &answer);
        answer.at_sync = conn->at_sync;
        conn->at_sync = false;
    }
    tell(conn, flight, &answer);
}

static void tell_item(struct pqr__conn *conn, struct pqr__flight *flight)
{
    if (!conn->held_well) {
        tell_closely(conn, flight);
        return;
    }
    conn->well.result = conn->held;
    tell(conn, flight, &conn->well);
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

/* libpq compares its way through a list of parameters: of those that follow one another closely not each asks, but one
   that failed does: it may be a write that a primary of the past refused. */
static bool in_recovery(struct pqr__conn *conn)
{
    enum { LOOK_AFTER = 16, LOOK_AFTER_MS = 10 };
    bool lately = conn->n_unlooked < LOOK_AFTER && conn->at_ms - conn->looked_ms < LOOK_AFTER_MS;
    if (lately && !pqr__result_is_error(conn->held)) {
        conn->n_unlooked++;
        return conn->in_recovery;
    }
    const char *standby = PQparameterStatus(conn->pg, "in_hot_standby");
    conn->in_recovery = standby && standby[0] == 'o' && standby[1] == 'n';
    conn->n_unlooked = 0;
    conn->looked_ms = conn->at_ms;
    return conn->in_recovery;
}

/* The flight is complete and its last answer final. */
static void settle(struct pqr__conn *conn, struct pqr__flight *flight)
{
    conn->n_air--;
    conn->at_ms = uv_now(conn->home->loop);
    conn->swollen |= pqr__meter_is_swollen(&conn->meter);
    struct pqr__settled facts = {
        .sent = true,
        .tx = tx_status(conn->pg),
        .in_recovery = in_recovery(conn),
        .swollen = conn->swollen,
        .message = "",
    };
    struct pqr__connect_info info;
    if (flight->kind == PQR__FLIGHT_SIMPLE) {
        info = pqr__conn_info(conn);
        facts.info = &info;
    }
    conn->expects_end = false;
    conn->completed = true;
    pqr__meter_stop(&conn->meter);
    pqr__list_remove(&conn->flights, &flight->link);
    if (conn->preparing == flight)
        conn->preparing = NULL;
    tell_item(conn, flight);
    conn->home->base.events->settled(conn->context, flight, &facts);
}

static PQR__SELDOM void out_of_step(struct pqr__conn *conn, PGresult *result)
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
    conn->held_well = false;
}

static PQR__SELDOM void step_over(struct pqr__conn *conn, struct pqr__item *item)
{
    pqr__item_step_over(item);
    bool begins = !pqr__item_is_preceded(item) && !item->refused;
    if (begins && item->rows_at_once != 0 && !pqr__item_ask_for_parts(conn, item))
        pqr__conn_lose(conn, PQerrorMessage(conn->pg));
}

static void take_end(struct pqr__conn *conn, struct pqr__flight *flight)
{
    if (!conn->expects_end) {
        out_of_step(conn, NULL);
        return;
    }
    conn->expects_end = false;
    struct pqr__item *item = flight->running;
    if (!item)
        return;
    if (pqr__item_is_preceded(item)) {
        step_over(conn, item);
        return;
    }
    flight->running = item->next;
    if (item->next)
        tell_item(conn, flight);
}

static void take_first_result(struct pqr__conn *conn, PGresult *result)
{
    if (conn->held) { /* what came before was told at its end */
        out_of_step(conn, result);
        return;
    }
    conn->expects_end = true;
    hold(conn, result);
}

/* Of what the transport sent before the item, on its own account. */
static PQR__SELDOM void take_preceding_result(
    struct pqr__conn *conn, struct pqr__flight *flight, PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);
    bool error = pqr__result_is_error(result);
    if (conn->expects_end || (status != PGRES_COMMAND_OK && status != PGRES_PIPELINE_ABORTED && !error)) {
        out_of_step(conn, result);
        return;
    }
    conn->expects_end = true;
    pqr__item_preceded(conn, flight->running, result);
    if (error)
        take_first_result(conn, result);
    else
        PQclear(result);
}

/* More after an answer: only an error may, and is the last word. */
static PQR__SELDOM void take_further_result(
    struct pqr__conn *conn, const struct pqr__flight *flight, PGresult *result)
{
    if (!pqr__result_is_error(result)) {
        out_of_step(conn, result);
        return;
    }
    conn->at_sync |= conn->held && !pqr__result_is_error(conn->held) && !flight->telling->next;
    hold(conn, result);
    conn->expects_end = true;
}

/* Of an item that was answered by the error of what precedes it. */
static PQR__SELDOM void take_skipped_result(
    struct pqr__conn *conn, const struct pqr__flight *flight, PGresult *result)
{
    if (conn->expects_end || PQresultStatus(result) != PGRES_PIPELINE_ABORTED) {
        take_further_result(conn, flight, result);
        return;
    }
    PQclear(result);
    conn->expects_end = true;
}

static PQR__SELDOM bool weigh(struct pqr__conn *conn, const PGresult *result, size_t memory, uint64_t limit)
{
    conn->swollen |= pqr__result_is_bulky(result, memory);
    return limit != 0 && memory > limit && pqr__result_bytes(result) > limit;
}

/* What arrives faster than it is read is here at once, however large it is. */
static bool is_too_large(struct pqr__conn *conn, const PGresult *result)
{
    enum { MUCH = 1024 * 1024 }; /* below which none is bulky */
    uint64_t limit = conn->home->config->request.max_result_bytes;
    size_t memory = PQresultMemorySize(result);         /* told at once, and more than was sent for it */
    bool small = memory <= MUCH && memory <= limit - 1; /* 0: none, and the highest there is */
    return !small && weigh(conn, result, memory, limit);
}

/* What was sent for it: encryption wraps rows, 29 bytes around each 8 kB that PostgreSQL sends. */
static uint64_t bytes_of(const struct pqr__conn *conn, const PGresult *part)
{
    enum { WRAPPED = 32 };
    uint64_t bytes = pqr__result_bytes(part);
    bool wrapped = PQsslInUse(conn->pg) || PQgssEncInUse(conn->pg);
    return bytes + (wrapped ? bytes / WRAPPED : 0);
}

static bool is_part(ExecStatusType status)
{
    return status == PGRES_SINGLE_TUPLE || status == PQR__TUPLES_CHUNK;
}

static PQR__SELDOM void take_part(struct pqr__conn *conn, struct pqr__flight *flight, PGresult *part)
{
    if (is_too_large(conn, part)) {
        PQclear(part);
        pqr__wire_cut_off(conn);
        return;
    }
    if (conn->meter.running)
        pqr__meter_part(&conn->meter, bytes_of(conn, part));
    conn->home->base.events->part(conn->context, flight, flight->running, part, pqr__rows_affected(part));
}

static void take_pipelined(
    struct pqr__conn *conn, struct pqr__flight *flight, PGresult *result, ExecStatusType status)
{
    bool complete = !flight->running;
    if (status == PGRES_PIPELINE_SYNC) {
        if (complete) {
            PQclear(result);
            settle(conn, flight);
        } else {
            out_of_step(conn, result);
        }
    } else if (!complete && pqr__item_is_preceded(flight->running)) {
        take_preceding_result(conn, flight, result);
    } else if (!complete && flight->running->refused) {
        take_skipped_result(conn, flight, result);
    } else if (complete || conn->expects_end) {
        take_further_result(conn, flight, result);
    } else if (flight->running->rows_at_once != 0 && is_part(status)) {
        take_part(conn, flight, result);
    } else {
        take_first_result(conn, result);
    }
}

static PQR__SELDOM void take_simple(struct pqr__conn *conn, struct pqr__flight *flight, PGresult *result)
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

static bool is_copy(ExecStatusType status)
{
    return status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH;
}

/* libpq's own: about a lost connection, a reply that makes no sense, or no memory for it. Whether the server did what
   it was asked is not known then, and what it sends next may belong to anything. */
static bool is_made_up(const PGconn *pg, const PGresult *result, ExecStatusType status)
{
    if (result && (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK))
        return false;
    if (PQstatus(pg) == CONNECTION_BAD)
        return true;
    return pqr__result_is_error(result) && !PQresultErrorField(result, PG_DIAG_SQLSTATE);
}

static PQR__SELDOM void lose_by(struct pqr__conn *conn, PGresult *result)
{
    char message[sizeof(conn->message)];
    pqr__text_copy(message, sizeof(message), result ? pqr__result_message(result) : "");
    PQclear(result);
    pqr__conn_lose(conn, message[0] ? message : PQerrorMessage(conn->pg));
}

static bool went_well(ExecStatusType status)
{
    return status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK;
}

/* All that has to be asked of nearly every result, and it was not expected to be an end; the other questions are
   pqr__answer_take's. */
bool pqr__answer_hold(struct pqr__conn *conn, PGresult *result)
{
    const struct pqr__flight *flight = first_of(conn);
    const struct pqr__item *item = flight->running;
    bool first = conn->state == PQR__CONN_PIPELINE && item && !conn->held;
    if (!first || (item->steps | item->refused | item->rows_at_once | conn->meter.running) != 0 ||
        !went_well(PQresultStatus(result)) || is_too_large(conn, result))
        return false;
    conn->held = result;
    conn->held_well = true;
    conn->expects_end = true;
    return true;
}

void pqr__answer_take(struct pqr__conn *conn, PGresult *result)
{
    struct pqr__flight *flight = first_of(conn);
    bool answered = conn->expects_end && conn->held_well; /* whatever has become of the connection since */
    if (!result && conn->state == PQR__CONN_PIPELINE && (answered || PQstatus(conn->pg) != CONNECTION_BAD)) {
        take_end(conn, flight);
        return;
    }
    ExecStatusType status = result ? PQresultStatus(result) : PGRES_COMMAND_OK;
    if (conn->meter.running && !is_part(status))
        pqr__meter_result(&conn->meter, PQresultMemorySize(result));
    if (is_made_up(conn->pg, result, status)) {
        lose_by(conn, result);
    } else if (is_copy(status)) {
        PQclear(result);
        PQclear(conn->held);
        conn->held = NULL;
        pqr__conn_lose(conn, "COPY from or to the client is not supported");
    } else if (status == PGRES_TUPLES_OK && is_too_large(conn, result)) {
        PQclear(result);
        pqr__wire_cut_off(conn);
    } else if (conn->state == PQR__CONN_SIMPLE) {
        take_simple(conn, flight, result);
    } else {
        take_pipelined(conn, flight, result, status);
    }
}
