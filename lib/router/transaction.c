/* A transaction is a request (BEGIN) that keeps its connection. Its statements are requests too, sent one at a
 * time in the order of the calls. Here is its way to COMMIT or ROLLBACK; how it ends is in transaction_end.c.
 */
#include "router/transaction.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "router/dispatch.h"

static const char *const state_names[] = {
#define XX(name, word) #word,
    PQR__TX_MAP(XX)
#undef XX
};

#define BIT(state) (1u << PQR__TX_##state##_STATE)

static const unsigned allowed[PQR__TX_STATES] = {
    [PQR__TX_WAITING_STATE] = BIT(RUNNING) | BIT(ENDED),
    [PQR__TX_RUNNING_STATE] = BIT(COMMITTING) | BIT(ROLLING_BACK) | BIT(WAITING) | BIT(ENDED),
    [PQR__TX_COMMITTING_STATE] = BIT(WAITING) | BIT(ENDED),
    [PQR__TX_ROLLING_BACK_STATE] = BIT(WAITING) | BIT(ENDED),
    [PQR__TX_ENDED_STATE] = 0,
};

void pqr__tx_move(struct pqr_tx *tx, enum pqr__tx_state to)
{
    enum pqr__tx_state from = tx->state;
    assert(allowed[from] >> to & 1);
    tx->state = to;
    pqr__log(&tx->request->router->log, PQR_LOG_DEBUG, "transaction %s: %s -> %s",
        tx->request->label ? tx->request->label : "-", state_names[from], state_names[to]);
}

void pqr__tx_add(struct pqr_tx *tx, struct pqr_reply *statement)
{
    pqr__list_push_back(&tx->statements, &statement->link);
    if (tx->by_text)
        statement->item.statement = 0;
    tx->bytes += statement->entry.bytes;
}

static void remove_statement(struct pqr_tx *tx, struct pqr_reply *statement)
{
    pqr__list_remove(&tx->statements, &statement->link);
    tx->bytes -= statement->entry.bytes;
}

void pqr__tx_drop_all(struct pqr_tx *tx, pqr_status status, const char *why)
{
    struct pqr__link *link;
    while ((link = pqr__list_first(&tx->statements)) != NULL) {
        struct pqr_reply *statement = pqr__container_of(link, struct pqr_reply, link);
        remove_statement(tx, statement);
        statement->tx = NULL;
        pqr__request_finish(statement, status, PQR_OUTCOME_NOT_EXECUTED, why);
    }
}

void pqr__tx_drop(struct pqr_tx *tx, struct pqr_reply *statement)
{
    remove_statement(tx, statement);
    statement->tx = NULL;
    pqr__request_finish(statement, pqr__cause_status(statement->cause), PQR_OUTCOME_NOT_EXECUTED,
        "it waited for the statements before it in its transaction");
}

static void send_statement(struct pqr_tx *tx)
{
    struct pqr__link *link = pqr__list_first(&tx->statements);
    tx->current = pqr__container_of(link, struct pqr_reply, link);
    remove_statement(tx, tx->current);
    pqr__timer_clear(&tx->idle);
    pqr__run(tx->current, tx->slot);
}

static void send_end(struct pqr_tx *tx, bool commit)
{
    pqr__timer_clear(&tx->idle);
    pqr__tx_move(tx, commit ? PQR__TX_COMMITTING_STATE : PQR__TX_ROLLING_BACK_STATE);
    pqr__slot_send_own(
        tx->slot, commit ? PQR__OWN_COMMIT : PQR__OWN_ROLLBACK, commit ? "COMMIT" : "ROLLBACK");
}

/* The next step, when nothing is in the air. */
void pqr__tx_advance(struct pqr_tx *tx)
{
    pqr_router *router = tx->request->router;
    if (tx->state != PQR__TX_RUNNING_STATE || tx->current || tx->slot->cancel_pending ||
        tx->slot->state == PQR__SLOT_CLOSING)
        return;
    if (router->in_log) { /* the loop comes back to it */
        tx->poked = true;
        pqr__timer_set(router, &tx->idle, pqr__router_now(router));
        return;
    }
    tx->poked = false;
    if (tx->request->cause != PQR__CAUSE_NONE)
        send_end(tx, false);
    else if (!pqr__list_empty(&tx->statements))
        send_statement(tx);
    else if (tx->want_commit || tx->want_rollback)
        send_end(tx, tx->want_commit);
    else
        pqr__timer_set(
            router, &tx->idle, pqr__router_now(router) + router->config->transaction.idle_timeout_us);
}

void pqr__tx_begun(struct pqr_tx *tx, struct pqr__slot *slot)
{
    tx->slot = slot;
    tx->attempt++;
    slot->tx = tx;
    pqr__tx_move(tx, PQR__TX_RUNNING_STATE);
    tx->request->state = PQR__REQUEST_HOLDING;
    pqr__request_forget(tx->request);
    pqr__tx_advance(tx); /* sets the idle timer: the body may do nothing at all */
    tx->body(tx, tx->attempt, tx->data);
}

void pqr__tx_free(struct pqr_tx *tx)
{
    tx->request->tx = NULL;
    pqr__free(tx);
}
