/* How a transaction begins. As soon as it has a connection its body runs; BEGIN goes out with the body's first
 * statement, in one flight: when BEGIN fails, the server skips what comes before the Sync (PostgreSQL manual,
 * 55.2.3), and nothing runs outside of the transaction.
 *
 * What may go wrong: BEGIN is refused, or the connection is lost. What the server skipped, or what was never sent,
 * goes to another connection unseen. So does what was lost on its way if the statement is a harmless read, or vouched
 * for; any other may have run, and though it was rolled back, not all that it did may have been (nextval): the
 * application is told, or the body runs again, as when a transaction is lost later. A statement that may have done
 * more than is rolled back, or that needs a flight for itself, waits for BEGIN's answer; and so does a write on a
 * connection that was quiet for a while.
 */
#include <assert.h>
#include <string.h>

#include "policy/sharing.h"
#include "router/dispatch.h"
#include "router/transaction.h"

void pqr__tx_given(struct pqr_tx *tx, struct pqr__slot *slot)
{
    struct pqr_reply *request = tx->request;
    request->slot = tx->slot = slot;
    slot->tx = tx;
    request->server = slot->backend->index;
    request->route = slot->backend->role;
    request->sent_us = pqr__router_now(request->router);
    request->state = PQR__REQUEST_HOLDING;
    pqr__tx_move(tx, PQR__TX_READY_STATE);
    if (tx->called) {
        pqr__tx_advance(tx);
    } else {
        pqr__list_push_back(&request->router->bodies, &request->link);
        pqr__router_wake(request->router);
    }
}

static void run_body(struct pqr_tx *tx)
{
    if (tx->request->cause != PQR__CAUSE_NONE)
        return; /* it waits for its connection's end */
    tx->called = true;
    tx->attempt++;
    pqr__tx_advance(tx); /* sets the idle timer: the body may do nothing at all */
    tx->body(tx, tx->attempt, tx->data);
}

void pqr__tx_bodies_run(pqr_router *router)
{
    while (router->bodies.count > 0) {
        struct pqr_reply *request = pqr__container_of(router->bodies.head.next, struct pqr_reply, link);
        assert(pqr__link_listed(&request->link));
        pqr__list_remove(&router->bodies, &request->link);
        run_body(request->tx);
    }
}

static bool goes_along(const struct pqr_reply *statement, const struct pqr__slot *slot)
{
    bool vouched = (statement->flags & PQR_IDEMPOTENT) != 0;
    uint64_t quiet_us = pqr__router_now(statement->router) - slot->answered_us;
    return statement->item.rows_at_once == 0 && pqr__sharing_begins(&statement->verdict, vouched, quiet_us);
}

void pqr__tx_begin(struct pqr_tx *tx)
{
    struct pqr_reply *request = tx->request;
    struct pqr_reply *first = pqr__container_of(tx->statements.head.next, struct pqr_reply, link);
    pqr__tx_move(tx, PQR__TX_BEGINNING_STATE);
    request->item.next = NULL;
    if (!goes_along(first, tx->slot)) {
        pqr__run_take_off(request, tx->slot);
        pqr__run_send(request, &request->item, 1, PQR__FLIGHT_PIPELINE);
        return;
    }
    request->attempts++;
    pqr__run_take_off(pqr__tx_take(tx), tx->slot);
    pqr__run_make_ready(first, tx->slot);
    request->item.next = &first->item;
    pqr__run_send(first, &request->item, 2, PQR__FLIGHT_PIPELINE);
}

/* BEGIN's error is the first statement's, which is told so with this status. */
static void refuse_first(struct pqr_tx *tx, pqr_status status)
{
    struct pqr_reply *request = tx->request, *first = tx->current;
    tx->current = NULL;
    first->tx = NULL;
    pqr__request_forget(first);
    memcpy(first->sqlstate, request->sqlstate, sizeof(first->sqlstate));
    pqr__request_finish(first, status, PQR_OUTCOME_NOT_EXECUTED, pqr__request_error(request));
}

/* And the end of all, unless the body may run again because the connection is lost. Why the statement was to end is
   nothing of the whole's. */
static void refuse(struct pqr_tx *tx, pqr_status status, bool lost)
{
    struct pqr_reply *request = tx->request;
    bool told = !lost && request->sqlstate[0] != '\0', with_first = tx->current != NULL;
    if (with_first)
        refuse_first(tx, status);
    if (with_first && lost && pqr__tx_may_repeat(tx, true)) {
        pqr__tx_lost(tx);
        return;
    }
    status =
        told && request->cause == PQR__CAUSE_NONE ? PQR_STATUS_SQL_ERROR : pqr__cause_status(request->cause);
    pqr__tx_finish(tx, status, PQR_OUTCOME_NOT_EXECUTED, NULL);
}

static void did_not_begin(struct pqr_tx *tx, const struct pqr__settled *settled)
{
    struct pqr__decision decision = pqr__run_decide(tx->request, tx->slot->backend, settled);
    if (decision.again) {
        if (tx->current)
            tx->current->attempts -= settled->lost && !settled->sent;
        if (tx->current)
            pqr__tx_put_back(tx);
        pqr__tx_wait(tx, decision.to_primary, decision.avoid);
    } else if (tx->request->reply == PQR__REPLY_ERROR) {
        tx->slot->doomed |= settled->tx != PQR__TX_IDLE;
        refuse(tx, decision.status, settled->lost);
    } else if (tx->current) {
        pqr__tx_statement_settled(tx, settled);
    } else {
        pqr__tx_lost(tx);
    }
}

void pqr__tx_begin_settled(struct pqr_tx *tx, const struct pqr__settled *settled)
{
    struct pqr_reply *request = tx->request;
    request->state = PQR__REQUEST_HOLDING;
    if (settled->lost || request->reply != PQR__REPLY_OK) {
        did_not_begin(tx, settled);
        return;
    }
    pqr__request_forget(request);
    pqr__tx_move(tx, PQR__TX_RUNNING_STATE);
    if (tx->current)
        pqr__tx_statement_settled(tx, settled);
    else
        pqr__tx_advance(tx);
}
