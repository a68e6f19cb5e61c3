/* Requests: made of what the caller gave. How they end is in request_end.c, how that is told in request_call.c. */
#include "router/request.h"

#include <string.h>

#include "router/dispatch.h"
#include "router/statement.h"

static void reset(struct pqr_reply *request)
{
    request->entry = (struct pqr__queue_entry){0};
    request->deadline.due = pqr__request_due;
    request->cause = PQR__CAUSE_NONE;
    request->cancel_asked = false;
    request->shared = request->stale = request->by_text = request->in_whole = false;
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

/* Nothing but its statement would let it fly with others. */
static bool is_unsociable(const struct pqr_reply *request)
{
    return request->bulk != PQR__BULK_SMALL || request->item.own != PQR__OWN_NONE ||
           request->flags & (PQR_ADMIN | PQR_ALONE);
}

struct pqr_reply *pqr__request_new(
    pqr_router *router, const pqr_query *query, enum pqr__own own, pqr_reply_cb cb, void *data)
{
    struct pqr_reply *request = pqr__request_take(router);
    if (!request)
        return NULL;
    reset(request);
    request->target = query->target;
    request->flags = query->flags;
    request->entry.lane = query->flags & PQR_ADMIN   ? PQR__LANE_ADMIN
                          : query->flags & PQR_BATCH ? PQR__LANE_BATCH
                                                     : PQR__LANE_NORMAL;
    request->cb = cb;
    request->data = data;
    if (!pqr__request_copy(request, query)) {
        pqr__request_put(request);
        return NULL;
    }
    request->accepted_us = pqr__router_now(router);
    pqr__queue_time(&router->queue, request->accepted_us);
    request->item.own = own;
    request->alone = is_unsociable(request);
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

int pqr_query_run(
    pqr_request_id *out, pqr_router *router, const pqr_query *query, pqr_reply_cb cb, void *data)
{
    pqr_query room;
    const char *flaw;
    const pqr_query *checked = pqr__query_check(&room, query, &flaw);
    if (!router || !cb || !checked)
        return pqr__misused(router, "pqr_query_run", cb ? flaw : "cb is NULL");
    if (router->state != PQR__ROUTER_RUNNING)
        return PQR_ECLOSED;
    struct pqr_reply *request = pqr__request_new(router, checked, PQR__OWN_NONE, cb, data);
    if (!request)
        return PQR_ENOMEM;
    if (out)
        out->value = request->id;
    pqr__request_arm(request, checked->timeout_ms);
    pqr__dispatch(request);
    return 0;
}
