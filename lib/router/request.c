/* Requests: made of what the caller gave. How they end is in request_end.c, how that is told in request_call.c. */
#include "router/request.h"

#include <string.h>

#include "base/seldom.h"
#include "policy/message.h"
#include "router/dispatch.h"
#include "router/statement.h"

/* What its last use left behind. */
static void reset(struct pqr_reply *request)
{
    request->entry = (struct pqr__queue_entry){0};
    request->cause = PQR__CAUSE_NONE;
    request->cancel_asked = request->stale = request->shared = false;
    request->alone = 0;
    request->uncertain = request->in_whole = false;
    request->bulk = PQR__BULK_SMALL;
    request->unsent = 0;
    request->sqlstate[0] = '\0';
    request->slot = NULL;
    request->tx = NULL;
    request->batch = NULL;
    request->known = NULL;
    request->statement = NULL;
    request->label = NULL;
    request->result = NULL;
    request->reply = PQR__REPLY_NONE;
    request->n_notices = 0;
    request->route = PQR_ROLE_UNKNOWN;
    request->attempts = 0;
    request->sent_us = request->settled_us = request->timeout_us = 0;
    request->server = UINT32_MAX;
    request->deadline.due = pqr__request_due;
}

/* The text does not show them. */
static void classify_types(struct pqr_reply *request, int n, const Oid *types)
{
    if (types && n > 0)
        pqr__classify_types(&request->verdict, types, (size_t)n, &request->router->dialect);
}

static bool is_plain(const struct pqr_reply *request)
{
    return (request->verdict.effect == PQR__EFFECT_READ || request->verdict.effect == PQR__EFFECT_WRITE) &&
           !request->verdict.several;
}

/* Under which it may be kept prepared, or 0: statements at once, other texts when they have come often enough. */
static uint64_t number_of(const struct pqr_reply *request, const pqr_query *query)
{
    uint32_t threshold = request->router->config->statements.prepare_threshold;
    if (!request->known || !is_plain(request) || threshold == 0 ||
        (!query->statement && request->known->uses < threshold))
        return 0;
    return pqr__known_number(request->known, query->n_params, query->param_types);
}

static PQR__SELDOM void look_closely(struct pqr_reply *request, const pqr_query *query)
{
    request->item.statement = number_of(request, query);
    classify_types(request, query->n_params, query->param_types);
}

/* As soon as it is known: statements have one, most of the time. */
static inline void number(struct pqr_reply *request, const pqr_query *query)
{
    if (request->known && query->statement && request->router->config->statements.prepare_threshold > 0)
        request->item.statement =
            pqr__known_ready_number(request->known, query->n_params, query->param_types);
    if (request->item.statement == 0)
        look_closely(request, query);
}

/* What is known of its text, and of the types of its parameters. */
static inline void recognise(struct pqr_reply *request, const pqr_query *query, size_t length)
{
    pqr_router *router = request->router;
    request->known =
        query->statement
            ? pqr__statement_classify(query->statement, &request->verdict, &router->known, &router->dialect)
            : pqr__known_classify(&router->known, &request->verdict, query->sql, length, &router->dialect);
    number(request, query);
}

void pqr__request_classify(struct pqr_reply *request)
{
    struct pqr__item *item = &request->item;
    pqr__classify(&request->verdict, item->sql, strlen(item->sql), &request->router->dialect);
    classify_types(request, item->n_params, item->param_types);
    if (!is_plain(request))
        item->statement = 0;
}

/* It is not as most are, and shares no connection. */
static PQR__SELDOM void set_apart(struct pqr_reply *request)
{
    request->alone = PQR__ALONE;
    if (request->item.own != PQR__OWN_NONE ||
        request->bulk == PQR__BULK_REFUSED) /* may be repeated anywhere */
        request->verdict = (struct pqr__verdict){.route = PQR_CLASS_PRIMARY, .effect = PQR__EFFECT_READ};
    if (!pqr__request_is_own(request))
        return;
    request->entry.exempt = true;
    request->entry.bytes = 0;
    request->router->accepted--;
}

static enum pqr__lane lane_of(uint32_t flags)
{
    if (flags == 0)
        return PQR__LANE_NORMAL;
    return flags & PQR_ADMIN ? PQR__LANE_ADMIN : flags & PQR_BATCH ? PQR__LANE_BATCH : PQR__LANE_NORMAL;
}

/* The queue is told the time with it. */
static uint64_t now_of(pqr_router *router)
{
    if (router->event_us)
        return router->event_us;
    uint64_t now_us = pqr__router_now(router);
    pqr__queue_time(&router->queue, now_us);
    return now_us;
}

static inline struct pqr_reply *begin(
    pqr_router *router, const pqr_query *query, enum pqr__own own, pqr_reply_cb cb, void *data)
{
    struct pqr_reply *request = pqr__request_take(router);
    if (!request)
        return NULL;
    reset(request);
    request->target = query->target;
    request->flags = query->flags;
    request->entry.lane = (uint8_t)lane_of(query->flags);
    request->cb = cb;
    request->data = data;
    request->item = (struct pqr__item){.own = own};
    return request;
}

static inline struct pqr_reply *accept(struct pqr_reply *request)
{
    request->accepted_us = now_of(request->router);
    request->router->accepted++;
    return request;
}

static __attribute__((noinline)) struct pqr_reply *copy(
    struct pqr_reply *request, const pqr_query *query, size_t length)
{
    if (!pqr__request_copy(request, query, length)) {
        pqr__request_put(request);
        return NULL;
    }
    accept(request);
    if (request->bulk != PQR__BULK_SMALL || request->item.own != PQR__OWN_NONE || query->rows ||
        query->flags & (PQR_ADMIN | PQR_ALONE | PQR_TOKEN))
        set_apart(request);
    else if (request->flags & PQR__CAUSAL)
        request->alone = PQR__ALONE_UNLESS_THERE;
    return request;
}

struct pqr_reply *pqr__request_new(
    pqr_router *router, const pqr_query *query, enum pqr__own own, pqr_reply_cb cb, void *data)
{
    struct pqr_reply *request = begin(router, query, own, cb, data);
    if (!request)
        return NULL;
    size_t length = query->statement ? query->statement->length : strlen(query->sql);
    if (own == PQR__OWN_NONE && length <= PQR__MESSAGE_MAX)
        recognise(request, query, length);
    return copy(request, query, length);
}

/* As most are: shorter, and no other. */
static inline struct pqr_reply *new_plain(
    pqr_router *router, const pqr_query *query, pqr_reply_cb cb, void *data)
{
    const struct pqr_statement *statement = query->statement;
    struct pqr_reply *request = begin(router, query, PQR__OWN_NONE, cb, data);
    if (!request)
        return NULL;
    request->known = pqr__statement_classify(statement, &request->verdict, &router->known, &router->dialect);
    number(request, query);
    if (request->item.statement != 0 && pqr__request_copy_plain(request, query))
        return accept(request);
    return copy(request, query, statement->length);
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

static int run(pqr_request_id *out, struct pqr_reply *request, uint32_t timeout_ms)
{
    if (!request)
        return PQR_ENOMEM;
    if (out)
        out->value = request->id;
    pqr__request_arm(request, timeout_ms);
    pqr__dispatch(request);
    return 0;
}

static __attribute__((noinline)) int check_and_run(
    pqr_request_id *out, pqr_router *router, const pqr_query *query, pqr_reply_cb cb, void *data)
{
    pqr_query room;
    const char *flaw = NULL;
    const pqr_query *checked = pqr__query_check(&room, query, &flaw);
    if (!router || !cb || !checked)
        return pqr__misused(router, "pqr_query_run", cb ? flaw : "cb is NULL");
    if (router->state != PQR__ROUTER_RUNNING)
        return PQR_ECLOSED;
    pqr__call_begin(router);
    int failed = run(out, pqr__request_new(router, checked, PQR__OWN_NONE, cb, data), checked->timeout_ms);
    pqr__call_end(router);
    return failed;
}

int pqr_query_run(
    pqr_request_id *out, pqr_router *router, const pqr_query *query, pqr_reply_cb cb, void *data)
{
    bool plain = pqr__query_is_plain(query) && router && cb && router->state == PQR__ROUTER_RUNNING;
    if (!plain || !router->in_event)
        return check_and_run(out, router, query, cb, data);
    return run(out, new_plain(router, query, cb, data), query->timeout_ms);
}
