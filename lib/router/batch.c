#include "router/batch.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/text.h"
#include "router/dispatch.h"

/* --- what it is --- */

static bool is_for_replicas(const struct pqr_reply *query)
{
    if (query->verdict.hint != PQR__HINT_NONE)
        return query->verdict.hint == PQR__HINT_REPLICA;
    return query->verdict.route == PQR_CLASS_REPLICA && !(query->known && query->known->refused);
}

/* It is the same in an implicit transaction as between BEGIN and COMMIT. */
static bool is_plain(const struct pqr__verdict *verdict)
{
    return verdict->query && (verdict->effect == PQR__EFFECT_READ || verdict->effect == PQR__EFFECT_WRITE);
}

void pqr__batch_judge(struct pqr__batch *batch)
{
    struct pqr__verdict *verdict = &batch->lead->verdict;
    bool replica = batch->isolation != PQR_SERIALIZABLE; /* which a standby refuses */
    bool hinted = true, reads = true, plain = true, defines = false;
    for (uint32_t i = 0; i < batch->n; i++) {
        const struct pqr_reply *query = batch->queries[i];
        replica &= is_for_replicas(query);
        hinted &= query->verdict.hint == PQR__HINT_REPLICA;
        reads &= query->verdict.effect == PQR__EFFECT_READ;
        plain &= is_plain(&query->verdict);
        defines |= query->verdict.defines;
    }
    *verdict = (struct pqr__verdict){.route = replica ? PQR_CLASS_REPLICA : PQR_CLASS_PRIMARY,
        .effect = reads ? PQR__EFFECT_READ : PQR__EFFECT_WRITE,
        .hint = replica && hinted ? PQR__HINT_REPLICA : PQR__HINT_NONE,
        .defines = defines};
    batch->whole = !reads || batch->isolation != PQR_ISOLATION_DEFAULT;
    batch->plain = plain && batch->isolation == PQR_ISOLATION_DEFAULT;
}

void pqr__batch_reclassify(struct pqr__batch *batch)
{
    for (uint32_t i = 0; i < batch->n; i++)
        pqr__request_classify(batch->queries[i]);
    pqr__batch_judge(batch);
}

/* --- its end --- */

/* What a query is told when the whole went wrong, other than the one that did it. */
static void explain(const struct pqr__batch *batch, char *out, size_t size)
{
    const struct pqr_reply *lead = batch->lead;
    if (batch->fate == PQR__FATE_ROLLED_BACK)
        snprintf(out, size, "all of the batch is rolled back: %.200s", pqr__request_error(lead));
    else
        pqr__text_copy(out, size, pqr__request_error(lead));
}

/* The whole was committed. Of a query whose answer got lost that much is known. */
static void tell_committed(struct pqr_reply *query)
{
    bool answered = query->reply != PQR__REPLY_ERROR;
    pqr__request_finish(query, answered ? PQR_STATUS_OK : PQR_STATUS_LOST, PQR_OUTCOME_EXECUTED, NULL);
}

static void tell(struct pqr__batch *batch, uint32_t i)
{
    const struct pqr_reply *lead = batch->lead;
    struct pqr_reply *query = batch->queries[i];
    char why[PQR__ERROR_SIZE];
    query->uncertain = lead->uncertain && lead->status != PQR_STATUS_OK; /* of a committed one nothing is */
    query->attempts = lead->attempts;
    if (lead->status == PQR_STATUS_OK) {
        tell_committed(query);
        return;
    }
    if (i == batch->failed && lead->status == PQR_STATUS_SQL_ERROR && lead->outcome == PQR_OUTCOME_EXECUTED) {
        pqr__request_finish(query, PQR_STATUS_SQL_ERROR, PQR_OUTCOME_EXECUTED, NULL);
        return;
    }
    explain(batch, why, sizeof(why));
    if (i != batch->failed) /* rows that were rolled back are none */
        pqr__request_forget(query);
    pqr__request_finish(query, lead->status,
        lead->outcome == PQR_OUTCOME_UNKNOWN ? PQR_OUTCOME_UNKNOWN : PQR_OUTCOME_NOT_EXECUTED, why);
}

void pqr__batch_tell(struct pqr__batch *batch)
{
    assert(!batch->scattered || batch->open == 0);
    for (uint32_t i = 0; i < batch->n; i++)
        if (batch->queries[i])
            tell(batch, i);
}

/* The first that went wrong, in the order of the queries, is what the lead tells of reads. */
static void keep_worst(struct pqr__batch *batch, const struct pqr_reply *query)
{
    struct pqr_reply *lead = batch->lead;
    if (query->status == PQR_STATUS_OK || query->place >= batch->failed)
        return;
    batch->failed = query->place;
    batch->worst = query->status;
    batch->worst_outcome = query->outcome;
    memcpy(lead->sqlstate, query->sqlstate, sizeof(lead->sqlstate));
    char what[PQR__ERROR_SIZE];
    snprintf(
        what, sizeof(what), "query %u of the batch: %.220s", query->place + 1, pqr__request_error(query));
    pqr__request_say(lead, what);
}

void pqr__batch_told(struct pqr_reply *query)
{
    struct pqr__batch *batch = query->batch;
    struct pqr_reply *lead = batch->lead;
    assert(batch->queries[query->place] == query && batch->open > 0);
    query->batch = NULL;
    batch->queries[query->place] = NULL;
    batch->open--;
    if (!batch->scattered)
        return;
    keep_worst(batch, query);
    if (batch->open > 0)
        return;
    if (batch->failed == batch->n)
        pqr__request_finish(lead, PQR_STATUS_OK, PQR_OUTCOME_EXECUTED, NULL);
    else
        pqr__request_finish(lead, batch->worst, batch->worst_outcome, NULL);
}

void pqr__batch_forget(struct pqr__batch *batch)
{
    batch->failed = batch->n;
    batch->fate = PQR__FATE_NOT_SENT;
    for (uint32_t i = 0; i < batch->n; i++)
        if (batch->queries[i])
            pqr__request_forget(batch->queries[i]);
}

void pqr__batch_end(struct pqr__batch *batch)
{
    for (uint32_t i = 0; i < batch->n; i++)
        if (batch->queries[i])
            pqr__request_end(batch->queries[i], batch->lead->cause);
}

/* --- its memory --- */

enum {
    ROOM_KEPT = 16,    /* queries; a larger one is not recycled */
    BATCHES_KEPT = 256 /* nor are more than this */
};

struct pqr__batch *pqr__batch_take(pqr_router *router, size_t n)
{
    struct pqr__batch_store *store = &router->batch_store;
    struct pqr__batch *batch = store->free;
    size_t room = n < ROOM_KEPT ? ROOM_KEPT : n;
    if (!batch || room > ROOM_KEPT) {
        batch = pqr__malloc(sizeof(*batch) + room * sizeof(struct pqr_reply *));
        if (!batch)
            return NULL;
    } else {
        store->free = batch->next;
        store->n_free--;
    }
    *batch = (struct pqr__batch){.room = (uint32_t)room};
    return batch;
}

void pqr__batch_put(pqr_router *router, struct pqr__batch *batch)
{
    struct pqr__batch_store *store = &router->batch_store;
    if (batch->room > ROOM_KEPT || store->n_free >= BATCHES_KEPT) {
        pqr__free(batch);
        return;
    }
    batch->next = store->free;
    store->free = batch;
    store->n_free++;
}

void pqr__batch_free(struct pqr__batch *batch)
{
    struct pqr_reply *lead = batch->lead;
    assert(batch->open == 0);
    lead->batch = NULL;
    pqr__batch_put(lead->router, batch);
}

void pqr__batch_store_finish(struct pqr__batch_store *store)
{
    for (struct pqr__batch *batch = store->free, *next; batch; batch = next) {
        next = batch->next;
        pqr__free(batch);
    }
}
