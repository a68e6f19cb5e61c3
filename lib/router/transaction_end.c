/* The end of a transaction: the first error decides what is told. What may go wrong: the connection is lost (all is
 * rolled back, unless COMMIT was sent: then nobody knows), the server ends it for a conflict (the body runs again), the
 * body forgets to end it (idle_timeout), a deadline or cancel (rollback).
 */
#include <string.h>

#include "base/text.h"
#include "router/dispatch.h"
#include "router/transaction.h"

static void keep_first_error(struct pqr_tx *tx, const char *sqlstate, const char *message)
{
    if (tx->failed)
        return;
    tx->failed = true;
    memcpy(tx->request->sqlstate, sqlstate, sizeof(tx->request->sqlstate));
    pqr__request_say(tx->request, message);
}

static bool is_conflict(const char *sqlstate)
{
    return strcmp(sqlstate, "40001") == 0 || strcmp(sqlstate, "40P01") == 0;
}

bool pqr__tx_may_repeat(const struct pqr_tx *tx, bool lost)
{
    bool conflict =
        tx->failed && (tx->stale || is_conflict(tx->request->sqlstate) || is_conflict(tx->end_sqlstate));
    return tx->request->cause == PQR__CAUSE_NONE && tx->attempt < tx->max_attempts && (lost || conflict);
}

static void detach(struct pqr_tx *tx)
{
    struct pqr__slot *slot = tx->slot;
    pqr__timer_clear(&tx->idle);
    tx->slot = NULL;
    tx->request->slot = NULL;
    if (pqr__link_listed(&tx->request->link)) /* its body was due */
        pqr__list_remove(&tx->request->router->bodies, &tx->request->link);
    if (!slot)
        return;
    slot->tx = NULL;
    pqr__slot_release(slot);
}

void pqr__tx_wait(struct pqr_tx *tx, bool to_primary, bool avoid)
{
    struct pqr_reply *request = tx->request;
    pqr__tx_move(tx, PQR__TX_WAITING_STATE);
    detach(tx);
    request->router->retries++;
    pqr__request_forget(request);
    pqr__dispatch_again(request, to_primary, avoid);
}

/* The body runs again. */
static void repeat(struct pqr_tx *tx)
{
    tx->by_text |= tx->stale;
    tx->called = false;
    tx->stale = tx->failed = tx->aborted = tx->defines = tx->want_commit = tx->want_rollback = false;
    tx->end_sqlstate[0] = '\0';
    pqr__tx_wait(tx, false, false);
}

void pqr__tx_finish(struct pqr_tx *tx, pqr_status status, pqr_outcome outcome, const char *error)
{
    pqr__tx_move(tx, PQR__TX_ENDED_STATE);
    if (tx->defines && outcome != PQR_OUTCOME_NOT_EXECUTED)
        pqr__catalog_outdated(tx->request->router);
    detach(tx);
    pqr__tx_drop_all(
        tx, status == PQR_STATUS_OK ? PQR_STATUS_SQL_ERROR : status, "the transaction ended before it");
    pqr__request_finish(tx->request, status, outcome, error);
}

void pqr__tx_rolled_back(struct pqr_tx *tx, bool lost)
{
    enum pqr__cause cause = tx->request->cause;
    if (pqr__tx_may_repeat(tx, lost))
        repeat(tx);
    else if (cause != PQR__CAUSE_NONE)
        pqr__tx_finish(tx, pqr__cause_status(cause), PQR_OUTCOME_NOT_EXECUTED,
            tx->idled ? "nothing was in the air for transaction.idle_timeout: rolled back" : "rolled back");
    else if (tx->failed && !lost)
        pqr__tx_finish(tx, PQR_STATUS_SQL_ERROR, PQR_OUTCOME_EXECUTED, NULL);
    else if (lost)
        pqr__tx_finish(tx, PQR_STATUS_LOST, PQR_OUTCOME_NOT_EXECUTED,
            "the connection was lost before COMMIT: rolled back");
    else
        pqr__tx_finish(tx, PQR_STATUS_OK, PQR_OUTCOME_EXECUTED, NULL);
}

/* What is not recognised may be a COMMIT: in an encoding whose texts are not read, or in a version to come. */
static bool may_have_committed(const struct pqr_reply *statement, const struct pqr__settled *settled)
{
    if (statement->verdict.effect != PQR__EFFECT_UNKNOWN)
        return false;
    if (settled->lost)
        return settled->sent;
    return statement->reply == PQR__REPLY_OK && statement->result &&
           strcmp(statement->router->ops->result_tag(statement->result), "COMMIT") == 0;
}

/* A statement's own status and outcome. */
static struct pqr__decision decide(struct pqr__facts facts, const struct pqr__settled *settled)
{
    facts.max_attempts = 0; /* never run again by itself */
    struct pqr__decision decision = pqr__settle(&facts);
    if (settled->lost && decision.outcome == PQR_OUTCOME_UNKNOWN &&
        (facts.effect == PQR__EFFECT_READ || facts.effect == PQR__EFFECT_WRITE))
        decision.outcome = PQR_OUTCOME_NOT_EXECUTED; /* COMMIT was never sent */
    return decision;
}

/* What of a statement's end counts for the whole. */
static void note(
    struct pqr_tx *tx, const struct pqr_reply *statement, const struct pqr__settled *settled, bool fine)
{
    tx->defines |= statement->verdict.defines;
    if (!fine && !tx->failed)
        tx->stale = statement->stale;
    if (!fine)
        keep_first_error(
            tx, statement->sqlstate, settled->lost ? settled->message : pqr__request_error(statement));
    tx->aborted = settled->tx == PQR__TX_FAILED;
}

/* Beneath us: what became of it nobody knows. */
static void ended_by_statement(struct pqr_tx *tx, bool lost)
{
    tx->slot->doomed = true;
    pqr__tx_finish(tx, pqr__cause_status(tx->request->cause), PQR_OUTCOME_UNKNOWN,
        lost ? "the connection was lost, and a statement may have ended the transaction by itself"
             : "a statement ended the transaction by itself");
}

void pqr__tx_statement_settled(struct pqr_tx *tx, const struct pqr__settled *settled)
{
    struct pqr_reply *statement = tx->current;
    struct pqr__facts facts = pqr__run_facts(statement, settled);
    struct pqr__decision decision = decide(facts, settled);
    bool ended = may_have_committed(statement, settled);
    note(tx, statement, settled, decision.status == PQR_STATUS_OK);
    tx->current = NULL;
    statement->tx = NULL;
    pqr__request_finish(
        statement, decision.status, decision.outcome, settled->lost ? settled->message : NULL);
    if (facts.cut_off)
        tx->max_attempts = tx->attempt; /* it would be as large the next time */
    if (ended || (!settled->lost && settled->tx == PQR__TX_IDLE))
        ended_by_statement(tx, settled->lost);
    else if (settled->lost)
        pqr__tx_lost(tx);
    else
        pqr__tx_advance(tx);
}

void pqr__tx_own_item(struct pqr_tx *tx, const struct pqr__answer *answer)
{
    const struct pqr__transport_ops *ops = tx->request->router->ops;
    memcpy(tx->end_sqlstate, answer->sqlstate, sizeof(tx->end_sqlstate));
    tx->commit_unclear = answer->kind != PQR__ANSWER_OK && answer->sqlstate[0] == '\0' && !tx->aborted;
    if (answer->kind == PQR__ANSWER_OK)
        pqr__text_copy(tx->commit_tag, sizeof(tx->commit_tag), ops->result_tag(answer->result));
    else
        keep_first_error(tx, answer->sqlstate, answer->message);
}

static void commit_settled(struct pqr_tx *tx, const struct pqr__settled *settled)
{
    enum pqr__cause cause = tx->request->cause;
    if (settled->lost && (tx->aborted || !settled->sent))
        pqr__tx_rolled_back(tx, true);
    else if (settled->lost)
        pqr__tx_finish(
            tx, pqr__cause_status(cause), PQR_OUTCOME_UNKNOWN, "the connection was lost during COMMIT");
    else if (tx->commit_unclear)
        pqr__tx_finish(tx, PQR_STATUS_LOST, PQR_OUTCOME_UNKNOWN, NULL);
    else if (!tx->slot->own_failed && strcmp(tx->commit_tag, "COMMIT") == 0)
        pqr__tx_finish(tx, PQR_STATUS_OK, PQR_OUTCOME_EXECUTED, NULL);
    else if (tx->failed || cause != PQR__CAUSE_NONE)
        pqr__tx_rolled_back(tx, false);
    else
        pqr__tx_finish(
            tx, PQR_STATUS_SQL_ERROR, PQR_OUTCOME_EXECUTED, "the server rolled back instead of COMMIT");
}

void pqr__tx_own_settled(struct pqr_tx *tx, const struct pqr__settled *settled)
{
    bool committing = tx->state == PQR__TX_COMMITTING_STATE;
    bool followed = settled->tx == PQR__TX_UNKNOWN && !settled->lost && tx->slot->aside.flies;
    tx->slot->doomed |= settled->tx != PQR__TX_IDLE && !followed;
    if (committing)
        commit_settled(tx, settled);
    else
        pqr__tx_rolled_back(tx, false);
}

void pqr__tx_lost(struct pqr_tx *tx)
{
    if (tx->state == PQR__TX_READY_STATE && tx->request->cause == PQR__CAUSE_NONE) {
        pqr__tx_wait(tx, false, true);
        return;
    }
    pqr__tx_drop_all(tx, PQR_STATUS_LOST, "the connection was lost before it was sent");
    pqr__tx_rolled_back(tx, true);
}

void pqr__tx_overdue(struct pqr_tx *tx)
{
    /* What flies is settled soon, and tells the end. With nothing in the air only `ended` would. */
    if ((tx->state == PQR__TX_READY_STATE || tx->state == PQR__TX_RUNNING_STATE) && !tx->current)
        pqr__tx_lost(tx);
}

void pqr__tx_over(struct pqr_tx *tx, pqr_status status)
{
    if (tx->state == PQR__TX_ENDED_STATE)
        return;
    pqr__tx_move(tx, PQR__TX_ENDED_STATE);
    pqr__tx_drop_all(tx, status, "the transaction ended before it");
}

void pqr__tx_end(struct pqr_tx *tx)
{
    pqr_router *router = tx->request->router;
    pqr__tx_drop_all(tx, pqr__cause_status(tx->request->cause), "its transaction was ended");
    pqr__timer_clear(&tx->idle);
    pqr__timer_set(router, &tx->request->deadline,
        pqr__router_now(router) + 2 * router->config->request.cancel_grace_us);
    if (tx->current)
        pqr__request_end(tx->current, tx->request->cause);
    else
        pqr__tx_advance(tx);
}
