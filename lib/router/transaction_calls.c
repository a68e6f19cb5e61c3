/* The application's calls on transactions. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "router/dispatch.h"
#include "router/transaction.h"

const char *pqr__begin_text(pqr_isolation isolation)
{
    switch (isolation) {
    case PQR_READ_COMMITTED:
        return "BEGIN ISOLATION LEVEL READ COMMITTED";
    case PQR_REPEATABLE_READ:
        return "BEGIN ISOLATION LEVEL REPEATABLE READ";
    case PQR_SERIALIZABLE:
        return "BEGIN ISOLATION LEVEL SERIALIZABLE";
    case PQR_ISOLATION_DEFAULT:
        break;
    }
    return "BEGIN";
}

enum { BEGIN_SIZE = 96 };

static const char *begin_of(char room[BEGIN_SIZE], const pqr_tx_options *options)
{
    const char *begin = pqr__begin_text(options->isolation);
    if (!options->read_only && !options->deferrable)
        return begin;
    snprintf(room, BEGIN_SIZE, "%s%s%s", begin, options->read_only ? " READ ONLY" : "",
        options->deferrable ? " DEFERRABLE" : "");
    return room;
}

/* What is wrong, for people; NULL: nothing. */
static const char *flaw_of(const pqr_tx_options *options)
{
    bool replica = options->target == PQR_TARGET_REPLICA || options->target == PQR_TARGET_REPLICA_ONLY ||
                   options->target == PQR_TARGET_ANY;
    if ((unsigned)options->isolation > PQR_SERIALIZABLE)
        return "options.isolation is no pqr_isolation";
    if ((unsigned)options->target > PQR_TARGET_ANY)
        return "options.target is no pqr_target";
    if (options->flags & ~(uint32_t)(PQR_ADMIN | PQR_BATCH | PQR_TOKEN))
        return "options.flags has another bit than PQR_ADMIN, PQR_BATCH or PQR_TOKEN";
    if (options->flags & PQR_ADMIN && options->flags & PQR_BATCH)
        return "options.flags has PQR_ADMIN and PQR_BATCH; choose one";
    if (replica && !options->read_only)
        return "options.target may be a replica only with read_only";
    if (options->deferrable && !(options->read_only && options->isolation == PQR_SERIALIZABLE))
        return "options.deferrable wants read_only and PQR_SERIALIZABLE";
    return NULL;
}

/* The same. */
static const char *options_read(pqr_tx_options *out, const pqr_tx_options *given)
{
    *out = (pqr_tx_options)PQR_TX_OPTIONS_INIT;
    if (given) {
        if (given->struct_size < offsetof(pqr_tx_options, label) || given->struct_size > 4096)
            return "options do not begin as PQR_TX_OPTIONS_INIT";
        memcpy(out, given, given->struct_size < sizeof(*out) ? given->struct_size : sizeof(*out));
    }
    const char *flaw = flaw_of(out);
    if (out->target == PQR_TARGET_AUTO)
        out->target = PQR_TARGET_PRIMARY;
    return flaw;
}

static void idle_due(struct pqr__timer *timer)
{
    struct pqr_tx *tx = pqr__container_of(timer, struct pqr_tx, idle);
    if (tx->poked) {
        pqr__tx_advance(tx);
        return;
    }
    tx->idled = true;
    pqr__request_end(tx->request, PQR__CAUSE_DEADLINE);
}

static struct pqr_tx *tx_new(
    pqr_router *router, const pqr_tx_options *options, pqr_tx_body body, pqr_reply_cb done, void *data)
{
    struct pqr_tx *tx = pqr__calloc(1, sizeof(*tx));
    if (!tx)
        return NULL;
    char room[BEGIN_SIZE];
    pqr_query query = PQR_QUERY_INIT;
    query.sql = begin_of(room, options);
    query.target = options->target;
    query.flags = options->flags;
    query.label = options->label;
    query.after = options->after;
    tx->request = pqr__request_new(router, &query, PQR__OWN_BEGIN, done, data);
    if (!tx->request) {
        pqr__free(tx);
        return NULL;
    }
    tx->max_attempts =
        options->max_attempts ? options->max_attempts : router->config->transaction.max_attempts;
    tx->body = body;
    tx->data = data;
    tx->idle.due = idle_due;
    pqr__list_init(&tx->statements);
    tx->request->tx = tx;
    return tx;
}

static int run(pqr_request_id *out, struct pqr_tx *tx, uint32_t timeout_ms)
{
    if (!tx)
        return PQR_ENOMEM;
    if (out)
        out->value = tx->request->id;
    pqr__request_arm(tx->request, timeout_ms);
    pqr__dispatch(tx->request);
    return 0;
}

int pqr_tx_run(pqr_request_id *out, pqr_router *router, const pqr_tx_options *options, pqr_tx_body body,
    pqr_reply_cb done, void *data)
{
    pqr_tx_options checked;
    const char *flaw = options_read(&checked, options);
    if (!router || !body || !done || flaw)
        return pqr__misused(router, "pqr_tx_run", body && done ? flaw : "body or done is NULL");
    if (router->state != PQR__ROUTER_RUNNING)
        return PQR_ECLOSED;
    pqr__call_begin(router);
    int failed = run(out, tx_new(router, &checked, body, done, data), checked.timeout_ms);
    pqr__call_end(router);
    return failed;
}

static const char *refusal_of(const struct pqr_reply *statement)
{
    if (statement->verdict.effect == PQR__EFFECT_TRANSACTION)
        return "a transaction is ended with pqr_tx_commit or pqr_tx_rollback, not by a statement";
    if (statement->verdict.effect == PQR__EFFECT_COPY)
        return "COPY from or to the client is not supported in pqr_tx_run; load rows with INSERT, read them "
               "with SELECT";
    return pqr__parts_refusal(statement);
}

static bool is_full(const struct pqr_tx *tx, const struct pqr_reply *statement)
{
    const struct pqr_config *config = statement->router->config;
    return tx->statements.count >= config->queue.max_requests ||
           tx->bytes + statement->entry.bytes > config->queue.max_bytes;
}

/* True: it was, and is told so. */
static bool refused(const struct pqr_tx *tx, struct pqr_reply *statement)
{
    const char *refusal = refusal_of(statement);
    if (statement->bulk == PQR__BULK_REFUSED) {
        pqr__request_refuse_size(statement);
    } else if (is_full(tx, statement)) {
        pqr__request_finish(statement, PQR_STATUS_OVERLOADED, PQR_OUTCOME_NOT_EXECUTED,
            "its transaction has as many statements waiting as queue.max_requests or queue.max_bytes allow");
    } else if (refusal) {
        memcpy(statement->sqlstate, "0A000", 6);
        pqr__request_finish(statement, PQR_STATUS_SQL_ERROR, PQR_OUTCOME_NOT_EXECUTED, refusal);
    } else {
        return false;
    }
    return true;
}

/* Not before its body runs, as a log line on the way there is about to be told: what is asked for then is meant for the
   attempt before. */
static bool is_open(const pqr_tx *tx)
{
    return tx->called && tx->state <= PQR__TX_RUNNING_STATE && !tx->want_commit && !tx->want_rollback &&
           tx->request->cause == PQR__CAUSE_NONE;
}

int pqr_tx_query(pqr_tx *tx, const pqr_query *query, pqr_reply_cb cb, void *data)
{
    pqr_query room;
    const char *flaw;
    const pqr_query *checked = pqr__query_check(&room, query, &flaw);
    if (!tx || !cb || !checked)
        return pqr__misused(tx ? tx->request->router : NULL, "pqr_tx_query", cb ? flaw : "cb is NULL");
    if (!is_open(tx))
        return PQR_ECLOSED;
    pqr_query own = *checked;
    own.flags &= ~(uint32_t)PQR_TOKEN; /* the whole's */
    own.after = NULL;
    struct pqr_reply *statement = pqr__request_new(tx->request->router, &own, PQR__OWN_NONE, cb, data);
    if (!statement)
        return PQR_ENOMEM;
    statement->entry.lane = tx->request->entry.lane;
    if (refused(tx, statement))
        return 0;
    statement->tx = tx;
    if (checked->timeout_ms != 0) /* by default the transaction's own timeout is enough */
        pqr__request_arm(statement, checked->timeout_ms);
    pqr__tx_add(tx, statement);
    pqr__tx_advance(tx);
    return 0;
}

static int ask_end(pqr_tx *tx, bool commit)
{
    if (!tx)
        return PQR_EINVAL;
    if (!is_open(tx))
        return PQR_ECLOSED;
    tx->want_commit = commit;
    tx->want_rollback = !commit;
    pqr__tx_advance(tx);
    return 0;
}

int pqr_tx_commit(pqr_tx *tx)
{
    return ask_end(tx, true);
}

int pqr_tx_rollback(pqr_tx *tx)
{
    return ask_end(tx, false);
}
