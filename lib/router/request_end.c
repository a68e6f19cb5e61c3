/* Requests end: answered, cancelled, too late, too large. Wherever one is, it ends here, once. */
#include <assert.h>
#include <string.h>

#include "base/seldom.h"
#include "router/aside.h"
#include "router/batch.h"
#include "router/dispatch.h"
#include "router/pressure.h"
#include "router/transaction.h"

static void conclude(struct pqr_reply *request, pqr_status status, pqr_outcome outcome, const char *error)
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
}

void pqr__request_finish(struct pqr_reply *request, pqr_status status, pqr_outcome outcome, const char *error)
{
    pqr_router *router = request->router;
    if (request->flags & PQR__CAUSAL && pqr__token_holds(request, status, outcome))
        return;
    conclude(request, status, outcome, error);
    if (request->batch && pqr__batch_leads(request))
        pqr__batch_tell(request->batch); /* first */
    if (pqr__tx_leads(request))
        pqr__tx_over(request->tx, status); /* likewise */
    pqr__list_push_back(&router->finished, &request->link);
    pqr__router_wake(router);
    if (request->batch && !pqr__batch_leads(request))
        pqr__batch_told(request);
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

PQR__SELDOM void pqr__request_give_up(struct pqr_reply *request)
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
    case PQR__REQUEST_AWAITING: /* what it did is done */
        pqr__token_forget(request);
        pqr__request_finish(request, PQR_STATUS_OK, PQR_OUTCOME_EXECUTED, NULL);
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

void pqr__request_due(struct pqr__timer *timer)
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
