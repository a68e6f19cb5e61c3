/* A transaction is a request (BEGIN) that keeps its connection. Its statements are requests too, sent one at a
 * time in the order of the calls. Here is its way to COMMIT or ROLLBACK; how it begins and ends is in
 * transaction_begin.c and transaction_end.c.
 */
#include "router/transaction.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "router/aside.h"
#include "router/dispatch.h"

static const char *const state_names[] = {
#define XX(name, word) #word,
    PQR__TX_MAP(XX)
#undef XX
};

#define BIT(state) (1u << PQR__TX_##state##_STATE)

static const unsigned allowed[PQR__TX_STATES] = {
    [PQR__TX_WAITING_STATE] = BIT(READY) | BIT(ENDED),
    [PQR__TX_READY_STATE] = BIT(BEGINNING) | BIT(WAITING) | BIT(ENDED),
    [PQR__TX_BEGINNING_STATE] = BIT(RUNNING) | BIT(WAITING) | BIT(ENDED),
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

/* In the air it would have failed the transaction: neither goes on without it. */
void pqr__tx_drop(struct pqr_tx *tx, struct pqr_reply *statement)
{
    enum pqr__cause cause = statement->cause;
    remove_statement(tx, statement);
    statement->tx = NULL;
    pqr__request_finish(statement, pqr__cause_status(cause), PQR_OUTCOME_NOT_EXECUTED,
        tx->state >= PQR__TX_RUNNING_STATE ? "it waited for the statements before it in its transaction"
                                           : "its transaction had not begun yet");
    if (tx->state >= PQR__TX_BEGINNING_STATE)
        pqr__request_end(tx->request, cause);
    else
        pqr__tx_finish(tx, pqr__cause_status(cause), PQR_OUTCOME_NOT_EXECUTED,
            "a statement of it ended before it began");
}

struct pqr_reply *pqr__tx_take(struct pqr_tx *tx)
{
    tx->current = pqr__container_of(tx->statements.head.next, struct pqr_reply, link);
    remove_statement(tx, tx->current);
    return tx->current;
}

void pqr__tx_put_back(struct pqr_tx *tx)
{
    struct pqr_reply *statement = tx->current;
    tx->current = NULL;
    statement->slot = NULL;
    statement->state = PQR__REQUEST_ACCEPTED;
    pqr__request_forget(statement);
    pqr__list_push_front(&tx->statements, &statement->link);
    tx->bytes += statement->entry.bytes;
}

static void send_statement(struct pqr_tx *tx)
{
    pqr__timer_clear(&tx->idle);
    if (tx->state == PQR__TX_READY_STATE)
        pqr__tx_begin(tx);
    else
        pqr__run(pqr__tx_take(tx), tx->slot);
}

static void send_end(struct pqr_tx *tx, bool commit)
{
    if (tx->state == PQR__TX_READY_STATE) { /* of what has not begun there is nothing to end */
        pqr__tx_rolled_back(tx, false);
        return;
    }
    pqr__timer_clear(&tx->idle);
    pqr__tx_move(tx, commit ? PQR__TX_COMMITTING_STATE : PQR__TX_ROLLING_BACK_STATE);
    pqr__slot_send_own(
        tx->slot, commit ? PQR__OWN_COMMIT : PQR__OWN_ROLLBACK, commit ? "COMMIT" : "ROLLBACK");
    if (commit)
        pqr__token_ask(tx->request, tx->slot);
}

/* The next step, when nothing is in the air. */
void pqr__tx_advance(struct pqr_tx *tx)
{
    pqr_router *router = tx->request->router;
    bool open = tx->state == PQR__TX_READY_STATE || tx->state == PQR__TX_RUNNING_STATE;
    if (!open || tx->current || tx->slot->cancel_pending || tx->slot->state == PQR__SLOT_CLOSING)
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

void pqr__tx_settled(struct pqr_tx *tx, const struct pqr__settled *settled)
{
    if (tx->state == PQR__TX_BEGINNING_STATE)
        pqr__tx_begin_settled(tx, settled);
    else
        pqr__tx_statement_settled(tx, settled);
}

void pqr__tx_free(struct pqr_tx *tx)
{
    tx->request->tx = NULL;
    pqr__free(tx);
}
