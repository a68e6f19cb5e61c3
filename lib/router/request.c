/* Requests: made of what the caller gave, ended, answered. */
#include "router/request.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/text.h"
#include "router/batch.h"
#include "router/dispatch.h"
#include "router/pressure.h"
#include "router/statement.h"
#include "router/transaction.h"

static void deadline_due(struct pqr__timer *timer)
{
    struct pqr_reply *request = pqr__container_of(timer, struct pqr_reply, deadline);
    /* A second time it is the end of the grace for the cancel. */
    if (request->cancel_asked && request->cause == PQR__CAUSE_NONE) {
        pqr__request_end(request, PQR__CAUSE_CANCEL);
        return;
    }
    if (!request->slot || request->cause == PQR__CAUSE_NONE) {
        pqr__request_end(request, PQR__CAUSE_DEADLINE);
        return;
    }
    pqr__slot_close(request->slot);
    if (request->state == PQR__REQUEST_HOLDING)
        pqr__tx_overdue(request->tx);
}

static void reset(struct pqr_reply *request)
{
    request->entry = (struct pqr__queue_entry){.bytes = request->entry.bytes};
    request->deadline.due = deadline_due;
    request->cause = PQR__CAUSE_NONE;
    request->cancel_asked = false;
    request->alone = request->shared = request->stale = request->by_text = request->in_whole = false;
    request->slot = NULL;
    request->tx = NULL;
    request->batch = NULL;
    request->server = UINT32_MAX;
    request->route = PQR_ROLE_UNKNOWN;
    request->attempts = 0;
    request->unsent = 0;
    request->uncertain = false;
    request->sent_us = request->settled_us = request->timeout_us = 0;
    request->n_notices = 0;
    request->result = NULL;
    request->sqlstate[0] = '\0';
    request->reply = PQR__REPLY_NONE;
}

/* The text does not show them. */
static void classify_types(struct pqr_reply *request)
{
    const struct pqr__item *item = &request->item;
    if (item->param_types && item->n_params > 0)
        pqr__classify_types(
            &request->verdict, item->param_types, (size_t)item->n_params, &request->router->dialect);
}

static void classify(struct pqr_reply *request, const pqr_query *query)
{
    pqr_router *router = request->router;
    bool unsent = request->bulk == PQR__BULK_REFUSED;
    if (request->item.own != PQR__OWN_NONE || unsent) { /* may be repeated anywhere */
        request->verdict = (struct pqr__verdict){.route = PQR_CLASS_PRIMARY, .effect = PQR__EFFECT_READ};
    } else if (query->statement) {
        request->statement = pqr__statement_ref(query->statement);
        request->known =
            pqr__statement_classify(query->statement, &request->verdict, &router->known, &router->dialect);
    } else {
        request->known = pqr__known_classify(
            &router->known, &request->verdict, query->sql, strlen(query->sql), &router->dialect);
    }
    classify_types(request);
}

void pqr__request_classify(struct pqr_reply *request)
{
    pqr__classify(&request->verdict, request->item.sql, strlen(request->item.sql), &request->router->dialect);
    classify_types(request);
}

struct pqr_reply *pqr__request_new(
    pqr_router *router, const pqr_query *query, enum pqr__own own, pqr_reply_cb cb, void *data)
{
    struct pqr_reply *request = pqr__request_take(router);
    if (!request)
        return NULL;
    if (!pqr__request_copy(request, query)) {
        pqr__request_put(request);
        return NULL;
    }
    reset(request);
    request->state = PQR__REQUEST_ACCEPTED;
    request->target = query->target;
    request->flags = query->flags;
    request->entry.lane = query->flags & PQR_ADMIN   ? PQR__LANE_ADMIN
                          : query->flags & PQR_BATCH ? PQR__LANE_BATCH
                                                     : PQR__LANE_NORMAL;
    request->cb = cb;
    request->data = data;
    request->accepted_us = pqr__router_now(router);
    pqr__queue_time(&router->queue, request->accepted_us);
    request->item.own = own;
    request->entry.exempt = pqr__request_is_own(request);
    if (request->entry.exempt)
        request->entry.bytes = 0;
    else
        router->accepted++;
    classify(request, query);
    return request;
}

void pqr__request_discard(struct pqr_reply *request)
{
    request->router->accepted -= !pqr__request_is_own(request);
    pqr__request_put(request);
}

void pqr__request_arm(struct pqr_reply *request, uint32_t timeout_ms)
{
    uint64_t timeout_us =
        timeout_ms ? (uint64_t)timeout_ms * 1000 : request->router->config->request.timeout_us;
    request->timeout_us = timeout_ms == UINT32_MAX ? 0 : timeout_us;
    if (request->timeout_us)
        pqr__timer_set(request->router, &request->deadline, request->accepted_us + timeout_us);
}

/* --- ends --- */

static char without_memory[] = "out of memory for what is to be said";

void pqr__request_say_instead(struct pqr_reply *request, const char *text)
{
    char *before = request->error;
    request->error = NULL;
    if (text && *text) {
        size_t size = strnlen(text, PQR__ERROR_SIZE - 1) + 1;
        request->error = pqr__malloc(size);
        if (request->error)
            pqr__text_copy(request->error, size, text);
        else
            request->error = without_memory;
    }
    if (before && before != without_memory) /* last: it may be what the text is taken from */
        pqr__free(before);
}

const char *pqr__request_error(const struct pqr_reply *request)
{
    return request->error ? request->error : "";
}

void pqr__request_forget(struct pqr_reply *request)
{
    request->router->ops->result_free(request->result);
    request->result = NULL;
    request->reply = PQR__REPLY_NONE;
    request->sqlstate[0] = '\0';
    request->n_notices = 0;
    pqr__request_say(request, NULL);
}

void pqr__request_finish(struct pqr_reply *request, pqr_status status, pqr_outcome outcome, const char *error)
{
    pqr_router *router = request->router;
    assert(request->state != PQR__REQUEST_FREE && request->state < PQR__REQUEST_FINISHED);
    if (request->state == PQR__REQUEST_QUEUED)
        pqr__queue_remove(&router->queue, &request->entry);
    pqr__timer_clear(&request->deadline);
    request->state = PQR__REQUEST_FINISHED;
    request->slot = NULL;
    if (request->attempts ==
        0) { /* no server has seen it, though it may have been given to a dead connection */
        request->server = UINT32_MAX;
        request->route = PQR_ROLE_UNKNOWN;
        request->sent_us = 0;
    }
    request->status = status;
    /* What went wrong with the last attempt says nothing of an earlier one. */
    request->outcome = request->uncertain && status != PQR_STATUS_OK ? PQR_OUTCOME_UNKNOWN : outcome;
    request->settled_us = pqr__router_now(router);
    if (error)
        pqr__request_say(request, error);
    if (request->batch && pqr__batch_leads(request))
        pqr__batch_tell(request->batch); /* first */
    pqr__list_push_back(&router->finished, &request->link);
    pqr__router_wake(router);
    if (request->batch && !pqr__batch_leads(request))
        pqr__batch_told(request);
}

static void count_answer(const struct pqr_reply *request)
{
    pqr_router *router = request->router;
    uint64_t until_sent = request->sent_us ? request->sent_us : request->settled_us;
    if (pqr__request_is_own(request))
        return;
    router->answered++;
    router->by_status[request->status]++;
    router->by_outcome[request->outcome]++;
    pqr__histogram_record(&router->latency, request->settled_us - request->accepted_us);
    pqr__histogram_record(&router->queued, until_sent - request->accepted_us);
    if (request->server == UINT32_MAX || request->sent_us == 0)
        return;
    struct pqr__backend *backend = &router->backends[request->server];
    pqr__histogram_record(&backend->latency, request->settled_us - request->sent_us);
    if (request->status == PQR_STATUS_OK && request->verdict.effect == PQR__EFFECT_READ && !request->tx &&
        !request->in_whole && request->item.own == PQR__OWN_NONE)
        pqr__ewma_note(&backend->answers, request->settled_us - request->sent_us, request->settled_us);
    if (request->status != PQR_STATUS_OK)
        backend->errors++;
}

static void call(struct pqr_reply *request)
{
    struct pqr_tx *tx = request->tx && request->tx->request == request ? request->tx : NULL;
    pqr_router *router = request->router;
    pqr__log(&router->log, PQR_LOG_DEBUG, "request %s: %s, %s%s%s", request->label ? request->label : "-",
        pqr_status_name(request->status), pqr_outcome_name(request->outcome), request->error ? ": " : "",
        pqr__request_error(request));
    count_answer(request);
    request->state = PQR__REQUEST_CALLED;
    if (tx)
        pqr__tx_free(tx);
    if (request->batch)
        pqr__batch_free(request->batch);
    request->cb(request, request->data);
}

static void put(struct pqr_reply *request)
{
    request->router->ops->result_free(request->result);
    request->result = NULL;
    pqr__request_put(request);
}

/* The results of a flight were made one after the other, and are given back the other way round: so they join what is
   free behind them, where the next flight's are made. In their own order they would leave holes, and each allocation
   would cost a search. */
static void call_some(pqr_router *router, uint32_t n)
{
    struct pqr__link *link;
    struct pqr__list called;
    pqr__list_init(&called);
    while (n-- > 0) {
        link = pqr__list_first(&router->finished);
        assert(link);
        pqr__list_remove(&router->finished, link);
        call(pqr__container_of(link, struct pqr_reply, link));
        pqr__list_push_front(&called, link);
    }
    while ((link = pqr__list_first(&called)) != NULL) {
        pqr__list_remove(&called, link);
        put(pqr__container_of(link, struct pqr_reply, link));
    }
}

void pqr__requests_call(pqr_router *router)
{
    /* Those that finish meanwhile, refused by the very callback that asked, have their turn after the loop's. */
    enum { AT_ONCE = 32 }; /* what they hold is kept no longer than for so many callbacks */
    for (uint32_t due = router->finished.count, n; due > 0; due -= n) {
        n = due < AT_ONCE ? due : AT_ONCE;
        call_some(router, n);
    }
    if (!pqr__list_empty(&router->finished))
        pqr__router_wake(router);
}

/* A server that might run it is known, so that it waited for its turn and not for a server. */
static bool could_run(const struct pqr_reply *request)
{
    for (uint32_t i = 0; i < request->router->n_backends; i++)
        if (pqr__backend_roles(&request->router->backends[i]) >> request->entry.role & 1)
            return true;
    return false;
}

void pqr__request_refuse_size(struct pqr_reply *request)
{
    char why[PQR__ERROR_SIZE];
    pqr__request_explain_size(request->entry.bytes, why, sizeof(why));
    memcpy(request->sqlstate, PQR__SQLSTATE_TOO_LARGE, sizeof(request->sqlstate));
    pqr__request_finish(request, PQR_STATUS_SQL_ERROR, PQR_OUTCOME_NOT_EXECUTED, why);
}

void pqr__request_give_up(struct pqr_reply *request)
{
    char why[PQR__ERROR_SIZE];
    pqr__waiting_explain(request, false, why, sizeof(why));
    pqr__request_finish(request, PQR_STATUS_UNAVAILABLE, PQR_OUTCOME_NOT_EXECUTED, why);
}

static void end_waiting(struct pqr_reply *request)
{
    char why[PQR__ERROR_SIZE] = "";
    pqr_status status = pqr__cause_status(request->cause);
    if (request->cause == PQR__CAUSE_DEADLINE && !could_run(request)) {
        pqr__request_give_up(request);
        return;
    }
    if (request->cause == PQR__CAUSE_DEADLINE)
        pqr__waiting_explain(request, true, why, sizeof(why));
    pqr__request_finish(request, status, PQR_OUTCOME_NOT_EXECUTED, *why ? why : pqr_status_name(status));
}

void pqr__request_end(struct pqr_reply *request, enum pqr__cause cause)
{
    if (request->cause != PQR__CAUSE_NONE || request->state >= PQR__REQUEST_FINISHED)
        return;
    request->cause = cause;
    switch (request->state) {
    case PQR__REQUEST_QUEUED:
        end_waiting(request);
        break;
    case PQR__REQUEST_FLYING:
        request->state = PQR__REQUEST_CANCELLING;
        pqr__run_cancel(request);
        break;
    case PQR__REQUEST_HOLDING:
        if (request->tx)
            pqr__tx_end(request->tx);
        else
            pqr__batch_end(request->batch);
        break;
    case PQR__REQUEST_ACCEPTED: /* a statement in its transaction's list */
        pqr__tx_drop(request->tx, request);
        break;
    case PQR__REQUEST_FREE:
    case PQR__REQUEST_BOUND:
    case PQR__REQUEST_CANCELLING:
    case PQR__REQUEST_FINISHED:
    case PQR__REQUEST_CALLED:
    case PQR__REQUEST_STATES:
        break;
    }
}

/* --- the public calls --- */

int pqr_query_run(
    pqr_request_id *out, pqr_router *router, const pqr_query *query, pqr_reply_cb cb, void *data)
{
    pqr_query checked;
    if (!router || !cb || pqr__query_check(&checked, query) != 0)
        return PQR_EINVAL;
    if (router->state != PQR__ROUTER_RUNNING)
        return PQR_ECLOSED;
    struct pqr_reply *request = pqr__request_new(router, &checked, PQR__OWN_NONE, cb, data);
    if (!request)
        return PQR_ENOMEM;
    if (out)
        out->value = request->id;
    pqr__request_arm(request, checked.timeout_ms);
    pqr__dispatch(request);
    return 0;
}

int pqr_request_cancel(pqr_router *router, pqr_request_id id)
{
    if (!router)
        return PQR_EINVAL;
    struct pqr_reply *request = pqr__request_find(router, id.value);
    if (!request)
        return PQR_ENOENT;
    if (!router->in_log) {
        pqr__request_end(request, PQR__CAUSE_CANCEL);
    } else if (request->cause == PQR__CAUSE_NONE) { /* it may be in the middle of anything */
        request->cancel_asked = true;
        pqr__timer_set(router, &request->deadline, pqr__router_now(router));
    }
    return 0;
}
