/* The application's call: checked, copied, and refused as a whole when one of the queries can't be part of a unit. */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "policy/message.h"
#include "router/batch.h"
#include "router/dispatch.h"
#include "router/statement.h"
#include "router/transaction.h"

enum { QUERIES_MAX = 65535 };

/* Each: what is wrong, for people; NULL: nothing. */
static const char *options_read(pqr_batch_options *out, const pqr_batch_options *given)
{
    *out = (pqr_batch_options)PQR_BATCH_OPTIONS_INIT;
    if (given) {
        if (given->struct_size < offsetof(pqr_batch_options, label) || given->struct_size > 4096)
            return "options do not begin as PQR_BATCH_OPTIONS_INIT";
        memcpy(out, given, given->struct_size < sizeof(*out) ? given->struct_size : sizeof(*out));
    }
    if ((unsigned)out->isolation > PQR_SERIALIZABLE)
        return "options.isolation is no pqr_isolation";
    if ((unsigned)out->target > PQR_TARGET_ANY)
        return "options.target is no pqr_target";
    if (out->flags & ~(uint32_t)(PQR_ADMIN | PQR_BATCH | PQR_IDEMPOTENT | PQR_TOKEN))
        return "options.flags has another bit than PQR_ADMIN, PQR_BATCH, PQR_IDEMPOTENT or PQR_TOKEN";
    if (out->flags & PQR_ADMIN && out->flags & PQR_BATCH)
        return "options.flags has PQR_ADMIN and PQR_BATCH; choose one";
    return NULL;
}

static const char *flaw_of(const pqr_batch_query *queries, size_t n)
{
    pqr_query room;
    const char *flaw;
    if (!queries || n == 0 || n > QUERIES_MAX)
        return "queries is NULL, or n not from 1 to 65535";
    for (size_t i = 0; i < n; i++) {
        const pqr_query *query = pqr__query_check(&room, queries[i].query, &flaw);
        if (!query)
            return flaw;
        if (query->rows)
            return "query.rows is set, and a batch's answers come whole; run that query by itself";
    }
    return NULL;
}

static void on_unwanted_reply(pqr_reply *reply, void *data)
{
    (void)reply;
    (void)data;
}

/* Never accepted: nobody is told. */
static void discard(pqr_router *router, struct pqr__batch *batch)
{
    for (uint32_t i = 0; i < batch->n; i++)
        pqr__request_discard(batch->queries[i]);
    pqr__request_discard(batch->lead);
    pqr__batch_put(router, batch);
}

/* libpq keeps all that was not sent yet in one buffer, and counts it in an int: no more than one message may be. */
static void weigh(
    struct pqr__batch *batch, const struct pqr_reply *query, const struct pqr_statement *statement)
{
    enum { AROUND = 200 };
    struct pqr_reply *lead = batch->lead;
    if (lead->bulk == PQR__BULK_REFUSED)
        return;
    batch->bytes += query->entry.bytes + (statement ? statement->length : 0) + AROUND;
    lead->bulk = (uint8_t)pqr__bulk_of(batch->bytes);
    batch->failed = query->place;
}

/* As the batch has it. */
static pqr_query query_of(
    const struct pqr__batch *batch, const pqr_query *given, const pqr_batch_options *options)
{
    const char *flaw;
    pqr_query room, query;
    if (batch->lead->bulk == PQR__BULK_REFUSED) { /* nor is what comes behind that kept */
        query = (pqr_query)PQR_QUERY_INIT;
        query.sql = "";
        query.label = pqr__query_check(&room, given, &flaw)->label;
    } else if (given->struct_size == sizeof(query)) { /* it was found to be without a flaw */
        query = *given;
    } else {
        query = *pqr__query_check(&room, given, &flaw);
    }
    query.target = options->target;
    query.flags = options->flags & ~(uint32_t)PQR_TOKEN; /* the whole's */
    query.after = options->after;                        /* a read may have to run again, by itself */
    return query;
}

static bool add_query(
    struct pqr__batch *batch, const pqr_batch_query *given, const pqr_batch_options *options)
{
    const pqr_query query = query_of(batch, given->query, options);
    struct pqr_reply *request = pqr__request_new(
        batch->lead->router, &query, PQR__OWN_NONE, given->cb ? given->cb : on_unwanted_reply, given->data);
    if (!request)
        return false;
    request->state = PQR__REQUEST_BOUND;
    request->batch = batch;
    request->place = batch->n;
    batch->queries[batch->n++] = request;
    batch->lead->entry.bytes += request->entry.bytes + sizeof(*request);
    weigh(batch, request, query.statement);
    return true;
}

static struct pqr_reply *lead_new(
    pqr_router *router, const pqr_batch_options *options, pqr_reply_cb done, void *data)
{
    pqr_query query = PQR_QUERY_INIT;
    query.sql = pqr__begin_text(options->isolation);
    query.target = options->target;
    query.flags = options->flags;
    query.label = options->label;
    query.after = options->after;
    return pqr__request_new(router, &query, PQR__OWN_BEGIN, done, data);
}

static struct pqr__batch *batch_new(pqr_router *router, const pqr_batch_options *options,
    const pqr_batch_query *queries, size_t n, pqr_reply_cb done, void *data)
{
    struct pqr__batch *batch = pqr__batch_take(router, n);
    if (!batch)
        return NULL;
    batch->isolation = options->isolation;
    batch->max_attempts =
        options->max_attempts ? options->max_attempts : router->config->transaction.max_attempts;
    batch->fate = PQR__FATE_NOT_SENT;
    batch->lead = lead_new(router, options, done, data);
    if (!batch->lead) {
        pqr__batch_put(router, batch);
        return NULL;
    }
    for (size_t i = 0; i < n; i++) {
        if (!add_query(batch, &queries[i], options)) {
            discard(router, batch);
            return NULL;
        }
    }
    batch->open = batch->n;
    if (batch->lead->bulk != PQR__BULK_REFUSED)
        batch->failed = batch->n;
    batch->lead->batch = batch;
    return batch;
}

/* What can't be part of a unit: why, or NULL. */
static const char *refusal_of(const struct pqr_reply *query)
{
    if (query->verdict.several)
        return "several statements in one text; give each as a query of its own";
    switch (query->verdict.effect) {
    case PQR__EFFECT_READ:
    case PQR__EFFECT_WRITE:
    case PQR__EFFECT_SESSION:
        return NULL;
    case PQR__EFFECT_TRANSACTION:
        return "transaction control; a batch is a transaction by itself";
    case PQR__EFFECT_COPY:
        return "COPY from or to the client; load rows with INSERT, read them with SELECT";
    case PQR__EFFECT_PARTIAL:
        return "it may commit in parts (CALL, DO, VACUUM, CONCURRENTLY); run it with pqr_query_run";
    case PQR__EFFECT_UNKNOWN:
        break;
    }
    return "it is not recognised, and might not roll back; run it with pqr_query_run or in pqr_tx_run";
}

/* Everybody is told. */
static void refuse(struct pqr__batch *batch, uint32_t i, const char *sqlstate, const char *refusal)
{
    char why[PQR__ERROR_SIZE];
    snprintf(
        why, sizeof(why), "query %u of the batch can't be sent in one, and so none was: %s", i + 1, refusal);
    memcpy(batch->queries[i]->sqlstate, sqlstate, 6);
    memcpy(batch->lead->sqlstate, sqlstate, 6);
    batch->failed = i;
    pqr__request_finish(batch->lead, PQR_STATUS_SQL_ERROR, PQR_OUTCOME_NOT_EXECUTED, why);
}

static void refuse_size(struct pqr__batch *batch)
{
    char why[180]; /* refuse puts words before it */
    const struct pqr_reply *query = batch->queries[batch->failed];
    if (query->bulk == PQR__BULK_REFUSED)
        pqr__request_explain_size(query->entry.bytes, why, sizeof(why));
    else
        snprintf(why, sizeof(why),
            "up to it they have %llu bytes, of %llu (1 GB) at most; make it several batches",
            (unsigned long long)batch->bytes, (unsigned long long)PQR__MESSAGE_MAX);
    refuse(batch, batch->failed, PQR__SQLSTATE_TOO_LARGE, why);
}

/* True: it was, and everybody is told. */
static bool refused(struct pqr__batch *batch)
{
    if (batch->lead->bulk == PQR__BULK_REFUSED) {
        refuse_size(batch);
        return true;
    }
    for (uint32_t i = 0; i < batch->n; i++) {
        const char *refusal = refusal_of(batch->queries[i]);
        if (!refusal)
            continue;
        refuse(batch, i, "0A000", refusal);
        return true;
    }
    return false;
}

static int run(pqr_request_id *out, pqr_router *router, struct pqr__batch *batch, uint32_t timeout_ms)
{
    if (!batch)
        return PQR_ENOMEM;
    router->batches++;
    router->batch_queries += batch->n;
    if (out)
        out->value = batch->lead->id;
    pqr__batch_judge(batch);
    if (refused(batch))
        return 0;
    pqr__request_arm(batch->lead, timeout_ms);
    pqr__dispatch(batch->lead);
    return 0;
}

int pqr_batch_run(pqr_request_id *out, pqr_router *router, const pqr_batch_options *options,
    const pqr_batch_query *queries, size_t n, pqr_reply_cb done, void *data)
{
    pqr_batch_options checked;
    const char *flaw = options_read(&checked, options);
    if (!flaw)
        flaw = done ? flaw_of(queries, n) : "done is NULL";
    if (!router || flaw)
        return pqr__misused(router, "pqr_batch_run", flaw);
    if (router->state != PQR__ROUTER_RUNNING)
        return PQR_ECLOSED;
    pqr__call_begin(router);
    int failed = run(out, router, batch_new(router, &checked, queries, n, done, data), checked.timeout_ms);
    pqr__call_end(router);
    return failed;
}
