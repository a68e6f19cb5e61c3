/* What is said of a request, and the callbacks that are due: from the loop alone, the last of all. */
#include <assert.h>
#include <string.h>

#include "base/alloc.h"
#include "base/seldom.h"
#include "base/text.h"
#include "router/batch.h"
#include "router/dispatch.h"
#include "router/transaction.h"

static char without_memory[] = "out of memory for what is to be said";

PQR__SELDOM void pqr__request_say_instead(struct pqr_reply *request, const char *text)
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

static void give_up_result(struct pqr_reply *request)
{
    request->router->ops->result_free(request->result);
    request->result = NULL;
}

void pqr__request_forget(struct pqr_reply *request)
{
    give_up_result(request);
    request->reply = PQR__REPLY_NONE;
    request->stale = false; /* the lead of a batch without BEGIN has no answer of its own that would say so */
    request->sqlstate[0] = '\0';
    request->n_notices = 0;
    pqr__request_say(request, NULL);
}

void pqr__request_count_served(struct pqr__backend *backend, uint32_t n, uint64_t took_us, uint64_t now_us)
{
    pqr__histogram_record_many(&backend->latency, n, took_us);
    pqr__ewma_note_many(&backend->answers, n, took_us, now_us);
}

static void count_served(const struct pqr_reply *request)
{
    struct pqr__backend *backend = &request->router->backends[request->server];
    bool read = request->verdict.effect == PQR__EFFECT_READ && !request->tx && !request->in_whole &&
                request->item.own == PQR__OWN_NONE && request->item.rows_at_once == 0;
    uint64_t took_us = request->settled_us - request->sent_us;
    if (request->status == PQR_STATUS_OK && read) {
        pqr__request_count_served(backend, 1, took_us, request->settled_us);
    } else {
        pqr__histogram_record(&backend->latency, took_us);
        backend->errors += request->status != PQR_STATUS_OK;
    }
}

static void count_times(pqr_router *router, const struct pqr_reply *request, uint64_t until_sent_us)
{
    pqr__histogram_record(&router->latency, request->settled_us - request->accepted_us);
    pqr__histogram_record(&router->queued, until_sent_us - request->accepted_us);
}

static void count_answer(const struct pqr_reply *request)
{
    pqr_router *router = request->router;
    if (pqr__request_is_own(request))
        return;
    router->by_status[request->status]++;
    router->by_outcome[request->outcome]++;
    count_times(router, request, request->sent_us ? request->sent_us : request->settled_us);
    if (request->server != UINT32_MAX && request->sent_us != 0)
        count_served(request);
}

static PQR__SELDOM void log_answer(const struct pqr_reply *request)
{
    pqr__log_write(&request->router->log, PQR_LOG_DEBUG, "request %s: %s, %s%s%s",
        request->label ? request->label : "-", pqr_status_name(request->status),
        pqr_outcome_name(request->outcome), request->error ? ": " : "", pqr__request_error(request));
}

static void call(struct pqr_reply *request)
{
    struct pqr_tx *tx = pqr__tx_leads(request) ? request->tx : NULL;
    if (pqr__log_takes(&request->router->log, PQR_LOG_DEBUG))
        log_answer(request);
    count_answer(request);
    request->state = PQR__REQUEST_CALLED;
    if (tx)
        pqr__tx_free(tx);
    if (request->batch)
        pqr__batch_free(request->batch);
    request->cb(request, request->data);
}

void pqr__request_call(struct pqr_reply *request)
{
    call(request);
    give_up_result(request);
}

void pqr__request_answer(struct pqr_reply *request)
{
    pqr_router *router = request->router;
    assert(request->state == PQR__REQUEST_FLYING && !request->batch && !request->tx);
    pqr__timer_clear(&request->deadline);
    request->slot = NULL;
    request->status = PQR_STATUS_OK;
    request->outcome = PQR_OUTCOME_EXECUTED;
    request->settled_us = pqr__router_now(router);
    request->state = PQR__REQUEST_CALLED;
    if (pqr__log_takes(&router->log, PQR_LOG_DEBUG))
        log_answer(request);
    router->answered_in_air++;
    count_times(router, request, request->sent_us);
    request->cb(request, request->data);
    give_up_result(request);
}

void pqr__requests_call(pqr_router *router)
{
    /* Those that finish meanwhile, refused by the very callback that asked, have their turn after the loop's. */
    for (uint32_t due = router->finished.count; due > 0; due--) {
        struct pqr_reply *request = pqr__container_of(router->finished.head.next, struct pqr_reply, link);
        pqr__list_remove(&router->finished, &request->link);
        pqr__request_call(request);
        pqr__request_put(request);
    }
    if (!pqr__list_empty(&router->finished))
        pqr__router_wake(router);
}
