/* A batch in the air. What may go wrong: a query fails (all is rolled back, and the connection's transaction has to
 * be ended), COMMIT fails, the connection is lost after COMMIT was sent (nobody knows), a conflict (run again whole).
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "policy/sharing.h"
#include "router/aside.h"
#include "router/batch.h"
#include "router/dispatch.h"

/* --- a transaction --- */

/* As part of the lead's flight: in no list of the connection's. */
static void join(struct pqr_reply *query, struct pqr__slot *slot)
{
    const struct pqr_reply *lead = query->batch->lead;
    query->server = lead->server;
    query->route = lead->route;
    query->sent_us = lead->sent_us;
    query->attempts = lead->attempts;
    query->entry.role = lead->entry.role;
    query->in_whole = true;
    pqr__run_make_ready(query, slot);
}

/* A pooler may have its own idea of where a transaction ends. */
static bool may_be_implicit(const struct pqr__batch *batch, const struct pqr__slot *slot)
{
    return batch->plain && !slot->backend->config->pooler;
}

static void fly_whole(struct pqr__batch *batch, struct pqr__slot *slot)
{
    struct pqr_reply *lead = batch->lead;
    struct pqr__item *last = &lead->item;
    batch->implicit = may_be_implicit(batch, slot);
    batch->commit_reply = PQR__REPLY_NONE;
    batch->committed = false;
    pqr__run_take_off(lead, slot);
    for (uint32_t i = 0; i < batch->n; i++) {
        join(batch->queries[i], slot);
        last->next = &batch->queries[i]->item;
        last = last->next;
    }
    if (batch->implicit) {
        pqr__run_send(lead, lead->item.next, batch->n, PQR__FLIGHT_PIPELINE);
    } else {
        batch->commit = (struct pqr__item){.sql = "COMMIT", .own = PQR__OWN_COMMIT};
        last->next = &batch->commit;
        pqr__run_send(lead, &lead->item, batch->n + 2, PQR__FLIGHT_PIPELINE);
    }
    pqr__token_ask(lead, slot);
}

bool pqr__batch_hears(const struct pqr__batch *batch, const struct pqr_reply *query)
{
    return query->in_whole && batch->implicit && query->place + 1 == batch->n;
}

void pqr__batch_committed(struct pqr__batch *batch, const struct pqr__answer *answer)
{
    const struct pqr__transport_ops *ops = batch->lead->router->ops;
    batch->commit_reply = pqr__run_kind(answer);
    batch->committed =
        answer->kind == PQR__ANSWER_OK && strcmp(ops->result_tag(answer->result), "COMMIT") == 0;
    memcpy(batch->commit_sqlstate, answer->sqlstate, sizeof(batch->commit_sqlstate));
    pqr__text_copy(batch->commit_error, sizeof(batch->commit_error), answer->message ? answer->message : "");
    ops->result_free(answer->result);
}

/* The first with an error; the lead's own BEGIN included. NULL: none. */
static struct pqr_reply *first_failed(struct pqr__batch *batch)
{
    batch->failed = batch->n;
    if (batch->lead->reply == PQR__REPLY_ERROR)
        return batch->lead;
    for (batch->failed = 0; batch->failed < batch->n; batch->failed++)
        if (batch->queries[batch->failed]->reply == PQR__REPLY_ERROR)
            return batch->queries[batch->failed];
    return NULL;
}

/* The lead is told as one statement that failed with this error. */
static void blame(struct pqr__batch *batch, const struct pqr_reply *failed)
{
    struct pqr_reply *lead = batch->lead;
    char what[PQR__ERROR_SIZE];
    lead->reply = PQR__REPLY_ERROR;
    if (!failed) {
        const char *text = batch->commit_reply == PQR__REPLY_OK ? "the server rolled back instead of COMMIT"
                                                                : batch->commit_error;
        memcpy(lead->sqlstate, batch->commit_sqlstate, sizeof(lead->sqlstate));
        snprintf(what, sizeof(what), "COMMIT: %s", text);
        pqr__request_say(lead, what);
    } else if (failed != lead) {
        lead->stale = failed->stale;
        if (failed->stale)
            batch->queries[batch->failed]->item.statement = 0;
        memcpy(lead->sqlstate, failed->sqlstate, sizeof(lead->sqlstate));
        snprintf(what, sizeof(what), "query %u of the batch: %.220s", batch->failed + 1,
            pqr__request_error(failed));
        pqr__request_say(lead, what);
    }
}

/* The Sync brought no error, so that what the last query was told holds for the commit: well, or not run. Unless it
   left a transaction open, which it can't by any text that we know: followed by its token's question, that much has to
   do. */
static void conclude_implicit(struct pqr__batch *batch, const struct pqr__settled *settled)
{
    const struct pqr_reply *last = batch->queries[batch->n - 1];
    bool followed = settled->tx == PQR__TX_UNKNOWN && !settled->lost && pqr__token_awaited(batch->lead);
    bool closed = settled->tx == PQR__TX_IDLE || followed;
    batch->commit_reply = closed ? last->reply : PQR__REPLY_ERROR;
    batch->committed = batch->commit_reply == PQR__REPLY_OK;
    batch->commit_sqlstate[0] = '\0';
    pqr__text_copy(batch->commit_error, sizeof(batch->commit_error),
        closed ? pqr__request_error(last) : "the transaction was left open");
}

void pqr__batch_settle(struct pqr__batch *batch, struct pqr__settled *settled)
{
    struct pqr_reply *lead = batch->lead;
    if (batch->implicit && batch->commit_reply == PQR__REPLY_NONE)
        conclude_implicit(batch, settled);
    const struct pqr_reply *failed = first_failed(batch);
    lead->router->ops->result_free(lead->result); /* BEGIN's */
    lead->result = NULL;
    struct pqr__unit_facts facts = {
        .lost = settled->lost,
        .sent = settled->sent,
        .failed = failed != NULL,
        .sqlstate = failed ? failed->sqlstate : "",
        .commit = batch->commit_reply,
        .commit_sqlstate = batch->commit_sqlstate,
        .committed = batch->committed,
    };
    batch->fate = pqr__settle_unit(&facts);
    switch (batch->fate) {
    case PQR__FATE_COMMITTED:
        batch->failed = batch->n;
        lead->reply = PQR__REPLY_OK;
        return;
    case PQR__FATE_ROLLED_BACK: /* a connection that was lost after that changes nothing */
        settled->lost = false;
        blame(batch, failed);
        return;
    case PQR__FATE_UNKNOWN:
        if (!settled->lost)
            blame(batch, NULL);
        lead->sqlstate[0] = '\0';
        return;
    case PQR__FATE_NOT_SENT:
        return;
    }
}

/* --- reads --- */

/* How many from here on share a Sync. */
static uint32_t group_of(const struct pqr__batch *batch, uint32_t from, bool primary)
{
    const struct pqr_reply *first = batch->queries[from];
    uint32_t n = 1, most = first->router->config->reads.share_sync;
    while (from + n < batch->n && n < most && (first->known || !primary) &&
           pqr__sharing_groups(first->known, batch->queries[from + n]->known, primary))
        n++;
    return n;
}

static void scatter(struct pqr__batch *batch, struct pqr__list *group, uint32_t from, uint32_t n)
{
    const struct pqr_reply *lead = batch->lead;
    pqr__list_init(group);
    for (uint32_t i = from; i < from + n; i++) {
        struct pqr_reply *query = batch->queries[i];
        query->entry.role = lead->entry.role;
        query->entry.lane = lead->entry.lane;
        query->state = PQR__REQUEST_ACCEPTED;
        query->in_whole = false;
        pqr__list_push_back(group, &query->entry.link);
    }
}

static void fly_apart(struct pqr__batch *batch, struct pqr__slot *slot)
{
    struct pqr_reply *lead = batch->lead;
    bool primary = slot->backend->role == PQR_ROLE_PRIMARY;
    lead->server = slot->backend->index;
    lead->route = slot->backend->role;
    lead->sent_us = pqr__router_now(lead->router);
    lead->attempts++;
    lead->state = PQR__REQUEST_HOLDING;
    batch->scattered = true;
    for (uint32_t i = 0, n; i < batch->n; i += n) {
        struct pqr__list group;
        n = group_of(batch, i, primary);
        scatter(batch, &group, i, n);
        pqr__run_group(&group, slot);
    }
}

void pqr__batch_fly(struct pqr__batch *batch, struct pqr__slot *slot)
{
    assert(pqr__list_empty(&slot->air));
    slot->swollen |= batch->lead->bulk == PQR__BULK_SWELLING;
    if (batch->whole)
        fly_whole(batch, slot);
    else
        fly_apart(batch, slot);
}
