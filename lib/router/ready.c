/* pqr_router_ready: who waits for it, and what is still missing. */
#include <string.h>

#include "base/alloc.h"
#include "base/text.h"
#include "router/router.h"

struct waiter {
    struct pqr__link link;
    struct pqr__timer timeout;
    pqr_router *router;
    pqr_ready_cb cb;
    void *data;
    int status; /* 1: not known yet */
};

/* Connections that a server that is up must have; its reserve is never missing while it has as many. */
static uint32_t wanted_ready(const struct pqr__backend *backend)
{
    const struct pqr_config *config = backend->router->config;
    return config->pool.warm_up && backend->config->min > 1 ? backend->config->min : 1;
}

static bool is_up(const struct pqr__backend *backend)
{
    return backend->role == PQR_ROLE_PRIMARY || backend->role == PQR_ROLE_REPLICA;
}

/* Up, and without all the connections that it must have. */
static bool lacks(const struct pqr__backend *backend)
{
    return is_up(backend) && pqr__pool_open(backend) < wanted_ready(backend);
}

static void drop_separator(struct pqr__text *text)
{
    if (text->length >= 2 && strcmp(text->bytes + text->length - 2, "; ") == 0)
        text->bytes[text->length - 2] = '\0';
}

/* with_problem: what keeps a server from being up counts too. */
static void add_missing(struct pqr__text *text, const struct pqr__backend *backend, bool with_problem)
{
    if (!backend->seen.probed)
        pqr__text_printf(text, "%s has not answered yet; ", backend->config->name);
    else if (lacks(backend))
        pqr__text_printf(text, "%s has %u of %u connections ready; ", backend->config->name,
            pqr__pool_open(backend), wanted_ready(backend));
    else if (!is_up(backend) && backend->problem[0] && with_problem)
        pqr__text_printf(text, "%s: %s; ", backend->config->name, backend->problem);
}

/* What is still missing, "" when nothing is. */
static void missing(const pqr_router *router, char *out, size_t size)
{
    struct pqr__text text = {0};
    bool primary = false;
    for (uint32_t i = 0; i < router->n_backends; i++) {
        const struct pqr__backend *backend = &router->backends[i];
        if (backend->stay != PQR__STAY_MEMBER)
            continue;
        primary |= backend->role == PQR_ROLE_PRIMARY;
        add_missing(&text, backend, !primary);
    }
    if (!primary)
        pqr__text_puts(&text, "no server is known to be the primary");
    drop_separator(&text);
    pqr__text_copy(out, size, text.failed || !text.bytes ? "not every server is ready yet" : text.bytes);
    if (primary && text.length == 0 && !text.failed)
        out[0] = '\0';
    pqr__text_finish(&text);
}

static bool is_ready(const pqr_router *router)
{
    bool primary = false;
    for (uint32_t i = 0; i < router->n_backends; i++) {
        const struct pqr__backend *backend = &router->backends[i];
        if (backend->stay == PQR__STAY_MEMBER && (!backend->seen.probed || lacks(backend)))
            return false;
        primary |= backend->stay == PQR__STAY_MEMBER && backend->role == PQR_ROLE_PRIMARY;
    }
    return primary;
}

static void answer_waiter(struct waiter *waiter, int status)
{
    char why[1000] = "";
    if (status != 0)
        missing(waiter->router, why, sizeof(why));
    pqr__timer_clear(&waiter->timeout);
    waiter->cb(waiter->router, status, why, waiter->data);
    pqr__free(waiter);
}

void pqr__ready_call(pqr_router *router)
{
    uint32_t due = router->waiters.count;
    bool ready = due > 0 && is_ready(router);
    while (due-- > 0) {
        struct pqr__link *link = pqr__list_first(&router->waiters);
        struct waiter *waiter = pqr__container_of(link, struct waiter, link);
        int status = router->state >= PQR__ROUTER_ENDING ? PQR_ECLOSED : ready ? 0 : waiter->status;
        pqr__list_remove(&router->waiters, link);
        if (status == 1)
            pqr__list_push_back(&router->waiters, link);
        else
            answer_waiter(waiter, status);
    }
}

static void waiter_due(struct pqr__timer *timer)
{
    pqr__container_of(timer, struct waiter, timeout)->status = PQR_ETIMEDOUT;
}

int pqr_router_ready(pqr_router *router, uint32_t timeout_ms, pqr_ready_cb cb, void *data)
{
    if (!router || !cb)
        return PQR_EINVAL;
    if (router->state != PQR__ROUTER_RUNNING)
        return PQR_ECLOSED;
    struct waiter *waiter = pqr__calloc(1, sizeof(*waiter));
    if (!waiter)
        return PQR_ENOMEM;
    *waiter = (struct waiter){.router = router, .cb = cb, .data = data, .status = 1};
    waiter->timeout.due = waiter_due;
    if (timeout_ms != UINT32_MAX)
        pqr__timer_set(router, &waiter->timeout, pqr__router_now(router) + (uint64_t)timeout_ms * 1000);
    pqr__list_push_back(&router->waiters, &waiter->link);
    router->poked = true; /* a connection to each server is wanted */
    pqr__router_wake(router);
    return 0;
}
