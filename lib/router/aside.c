/* Statements of ours beside what flies for a request, and what becomes of tokens.
 *
 * A token has to lie behind the commit: asked for under the same Sync it lay before the commit's record, always; as the
 * insert position, since what is written or flushed lags behind it under synchronous_commit = off. Whatever goes wrong
 * with it (an error, a lost connection, a deadline) takes nothing from the write, which is answered without a token.
 */
#include "router/aside.h"

#include <stdlib.h>
#include <string.h>

#include "base/seldom.h"
#include "policy/token.h"
#include "router/dispatch.h"

/* Where a primary's history is: the insert position, and the name of its WAL file, which begins with the timeline. */
static const char token_sql[] = "select i.lsn, pg_catalog.pg_walfile_name(i.lsn) from"
                                " (select pg_catalog.pg_current_wal_insert_lsn() as lsn offset 0) i";
static const char replayed_sql[] = "select pg_catalog.pg_last_wal_replay_lsn()";

PQR__SELDOM struct pqr__causal *pqr__causal_of(const struct pqr_reply *request)
{
    if (!(request->flags & PQR__CAUSAL))
        return NULL;
    size_t before = request->item.rows_at_once ? sizeof(struct pqr__parts) : 0;
    return (struct pqr__causal *)(void *)(request->buffer + before);
}

PQR__SELDOM void pqr__aside_send(struct pqr__slot *slot, struct pqr_reply *request, enum pqr__own own)
{
    pqr_router *router = slot->backend->router;
    struct pqr__aside *aside = &slot->aside;
    bool token = own == PQR__OWN_TOKEN;
    assert(!aside->flies);
    aside->item = (struct pqr__item){.sql = token ? token_sql : replayed_sql, .own = own};
    if (router->config->statements.prepare_threshold > 0)
        aside->item.statement = token ? router->token_number : router->replayed_number;
    aside->flight = (struct pqr__flight){.kind = PQR__FLIGHT_PIPELINE, .n_items = 1, .items = &aside->item};
    aside->request = request;
    aside->flies = true;
    router->ops->send(slot->conn, &aside->flight);
}

/* --- tokens --- */

static bool wants(const struct pqr_reply *request, const struct pqr__slot *slot)
{
    return (request->flags & PQR_TOKEN) != 0 && slot && slot->backend->role == PQR_ROLE_PRIMARY &&
           slot->state != PQR__SLOT_CLOSING && pqr__causal_of(request);
}

PQR__SELDOM void pqr__token_ask(struct pqr_reply *request, struct pqr__slot *slot)
{
    if (!wants(request, slot))
        return;
    struct pqr__causal *causal = pqr__causal_of(request);
    causal->token = (pqr_token){0};
    causal->awaits = slot;
    pqr__aside_send(slot, request, PQR__OWN_TOKEN);
}

PQR__SELDOM void pqr__token_ask_late(struct pqr_reply *request, struct pqr__slot *slot)
{
    bool single = !request->tx && !request->batch && pqr__request_writes(request);
    if (single && wants(request, slot) && !pqr__token_awaited(request) && pqr__list_empty(&slot->air) &&
        !slot->aside.flies && !slot->doomed && !slot->cancel_pending)
        pqr__token_ask(request, slot);
}

PQR__SELDOM bool pqr__token_awaited(const struct pqr_reply *request)
{
    const struct pqr__causal *causal = pqr__causal_of(request);
    return causal && causal->awaits;
}

PQR__SELDOM bool pqr__token_holds(struct pqr_reply *request, pqr_status status, pqr_outcome outcome)
{
    if (!pqr__token_awaited(request))
        return false;
    if (status != PQR_STATUS_OK || outcome != PQR_OUTCOME_EXECUTED || request->cause != PQR__CAUSE_NONE) {
        pqr__token_forget(request);
        return false;
    }
    request->slot = NULL;
    request->state = PQR__REQUEST_AWAITING;
    return true;
}

PQR__SELDOM void pqr__token_forget(struct pqr_reply *request)
{
    struct pqr__causal *causal = pqr__causal_of(request);
    if (!causal)
        return;
    if (causal->awaits)
        causal->awaits->aside.request = NULL;
    causal->awaits = NULL;
    causal->checked = false;
}

static void read_token(
    const struct pqr__slot *slot, struct pqr__causal *causal, const struct pg_result *result)
{
    enum { TIMELINE_DIGITS = 8 };
    const struct pqr__transport_ops *ops = slot->backend->router->ops;
    const char *file = ops->result_value(result, 0, 1);
    char digits[TIMELINE_DIGITS + 1] = "";
    uint64_t lsn;
    if (!file || strlen(file) < TIMELINE_DIGITS || !pqr__lsn_parse(&lsn, ops->result_value(result, 0, 0)))
        return;
    memcpy(digits, file, TIMELINE_DIGITS);
    pqr_token token = {.system_identifier = slot->identity.system_identifier,
        .timeline = (uint32_t)strtoul(digits, NULL, 16),
        .lsn = pqr__lsn_of_insert(lsn)};
    if (token.system_identifier == 0 || token.timeline == 0)
        return;
    causal->token = token;
    slot->backend->router->tokens++;
}

/* --- what comes of them --- */

static void note_replayed(struct pqr__slot *slot, struct pqr__causal *causal, const struct pg_result *result)
{
    struct pqr__backend *backend = slot->backend;
    uint64_t lsn;
    if (!pqr__lsn_parse(&lsn, backend->router->ops->result_value(result, 0, 0)))
        return;
    if (lsn > backend->replayed_lsn)
        backend->replayed_lsn = lsn;
    if (causal)
        causal->there = lsn >= causal->after.lsn;
}

PQR__SELDOM void pqr__aside_item(struct pqr__slot *slot, const struct pqr__answer *answer)
{
    struct pqr__aside *aside = &slot->aside;
    struct pqr__causal *causal = aside->request ? pqr__causal_of(aside->request) : NULL;
    if (answer->kind == PQR__ANSWER_OK && aside->item.own == PQR__OWN_REPLAYED)
        note_replayed(slot, causal, answer->result);
    else if (answer->kind == PQR__ANSWER_OK && causal)
        read_token(slot, causal, answer->result);
    slot->backend->router->ops->result_free(answer->result);
}

/* It is over for whoever waits. */
static void tell(struct pqr_reply *request)
{
    bool ended = request->state == PQR__REQUEST_AWAITING;
    pqr__token_forget(request);
    if (ended)
        pqr__request_finish(request, PQR_STATUS_OK, PQR_OUTCOME_EXECUTED, NULL);
}

PQR__SELDOM void pqr__aside_settled(struct pqr__slot *slot, const struct pqr__settled *facts)
{
    struct pqr__aside *aside = &slot->aside;
    struct pqr_reply *request = aside->request;
    aside->flies = false;
    aside->request = NULL;
    if (aside->item.own == PQR__OWN_REPLAYED) {
        const struct pqr__causal *causal = request ? pqr__causal_of(request) : NULL;
        if (causal && !causal->there)
            slot->backend->behind_us = pqr__router_now(slot->backend->router);
        return; /* the read follows */
    }
    if (!facts->lost && facts->tx == PQR__TX_FAILED) /* by what it was to be the token of */
        slot->aborted = true;
    else if (facts->tx != PQR__TX_IDLE)
        slot->doomed = true;
    if (request)
        tell(request);
    if (pqr__list_empty(&slot->air) && !slot->tx)
        pqr__slot_release(slot);
}
