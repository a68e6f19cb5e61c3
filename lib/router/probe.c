/* The connection that asks each server what it is, once an interval; what it asks and learns is in probe_ask.c and
 * probe_more.c.
 *
 * What may go wrong: the connect fails or hangs, the answer never comes (the server stands still), the connection
 * dies (a restart, mostly). Each makes the server DOWN at once or after probe.timeout; the next connect follows
 * one interval after the last one began, and a little more: other routers lost the server at the same moment.
 *
 * Before that the session of the last one is given probe.timeout to end: it counts in the limits. No longer, as pooled
 * connections are, since a server that is gone does not answer to that either, and is to be found again soon, at
 * another address perhaps; and what a probe asks is no statement that goes on for long. */
#include "router/probe.h"

#include <string.h>

#include "router/backend.h"
#include "router/dispatch.h"
#include "router/router.h"

static const char *const state_names[] = {
#define XX(name, word) #word,
    PQR__PROBE_MAP(XX)
#undef XX
};

#define BIT(state) (1u << PQR__PROBE_##state)

static const unsigned allowed[PQR__PROBE_STATES] = {
    [PQR__PROBE_ABSENT] = BIT(CONNECTING),
    [PQR__PROBE_CONNECTING] = BIT(IDLE) | BIT(CLOSING) | BIT(ABSENT),
    [PQR__PROBE_IDLE] = BIT(ASKING) | BIT(CANCELLING) | BIT(COUNTING) | BIT(WATCHING) | BIT(CLOSING),
    [PQR__PROBE_ASKING] = BIT(IDLE) | BIT(CLOSING),
    [PQR__PROBE_CANCELLING] = BIT(IDLE) | BIT(CLOSING),
    [PQR__PROBE_COUNTING] = BIT(IDLE) | BIT(CLOSING),
    [PQR__PROBE_WATCHING] = BIT(IDLE) | BIT(CLOSING),
    [PQR__PROBE_CLOSING] = BIT(ABSENT),
};

void pqr__probe_move(struct pqr__probe *probe, enum pqr__probe_state to)
{
    assert(allowed[probe->state] >> to & 1);
    pqr__log(&probe->endpoint.router->log, PQR_LOG_DEBUG, "%s: probe %s -> %s", probe->backend->config->name,
        state_names[probe->state], state_names[to]);
    probe->state = to;
}

bool pqr__probe_stopped(const struct pqr__probe *probe)
{
    return probe->endpoint.router->state >= PQR__ROUTER_CLOSING || probe->backend->stay != PQR__STAY_MEMBER;
}

void pqr__probe_set_timeout(struct pqr__probe *probe)
{
    pqr_router *router = probe->endpoint.router;
    pqr__timer_set(router, &probe->timeout, pqr__router_now(router) + router->config->probe.timeout_us);
}

static void open_connection(struct pqr__probe *probe)
{
    pqr_router *router = probe->endpoint.router;
    uint64_t now = pqr__router_now(router), interval_us = router->config->probe.interval_us;
    /* One connect an interval at most: a dead server must not be stormed by those who noticed. */
    probe->not_before_us = now + interval_us + pqr__random_below(&router->random, interval_us / 4);
    probe->again = false;
    int error = router->ops->connect(router->transport, probe->backend->index,
        router->config->pool.connect_timeout_us, &probe->endpoint, &probe->conn);
    if (error) {
        pqr__timer_set(router, &probe->next, probe->not_before_us);
        pqr__probe_failed(probe, "cannot connect: no memory, or no thread", "");
        return;
    }
    pqr__probe_move(probe, PQR__PROBE_CONNECTING);
    pqr__probe_set_timeout(probe);
}

static void next_due(struct pqr__timer *timer)
{
    struct pqr__probe *probe = pqr__container_of(timer, struct pqr__probe, next);
    if (pqr__probe_stopped(probe) ||
        (probe->state == PQR__PROBE_ABSENT && !pqr__room_for_probe(probe->backend)))
        return;
    if (probe->state == PQR__PROBE_ABSENT)
        open_connection(probe);
    else if (probe->state == PQR__PROBE_IDLE)
        pqr__probe_ask(probe);
    else
        probe->again = true;
}

static void close_connection(struct pqr__probe *probe)
{
    if (probe->state == PQR__PROBE_ABSENT)
        return;
    if (probe->state != PQR__PROBE_CLOSING)
        pqr__probe_move(probe, PQR__PROBE_CLOSING);
    pqr__timer_clear(&probe->timeout);
    if (probe->endpoint.router->state >= PQR__ROUTER_CLOSING) {
        probe->endpoint.router->ops->abandon(probe->conn);
        return;
    }
    probe->endpoint.router->ops->close(probe->conn);
    pqr__probe_set_timeout(probe);
}

static void timeout_due(struct pqr__timer *timer)
{
    struct pqr__probe *probe = pqr__container_of(timer, struct pqr__probe, timeout);
    if (probe->state == PQR__PROBE_CLOSING) {
        probe->endpoint.router->ops->abandon(probe->conn);
        return;
    }
    if (probe->state != PQR__PROBE_CONNECTING) /* a slow connect may still succeed */
        close_connection(probe);
    pqr__probe_failed(probe, "does not answer the probe within probe.timeout", "");
}

void pqr__probe_now(struct pqr__probe *probe)
{
    pqr_router *router = probe->endpoint.router;
    if (pqr__probe_stopped(probe))
        return;
    uint64_t now = pqr__router_now(router);
    bool later = probe->state == PQR__PROBE_ABSENT && probe->not_before_us > now;
    pqr__timer_set(router, &probe->next, later ? probe->not_before_us : now);
}

/* --- events --- */

static struct pqr__probe *probe_of(struct pqr__endpoint *endpoint)
{
    return pqr__container_of(endpoint, struct pqr__probe, endpoint);
}

static void on_connected(struct pqr__endpoint *endpoint, const struct pqr__connect_info *info)
{
    struct pqr__probe *probe = probe_of(endpoint);
    if (probe->state == PQR__PROBE_CLOSING)
        return;
    probe->backend->refused_for_good = false;
    if (!endpoint->router->config->pool.init_sql) /* else it is not what statements meet */
        pqr__dispatch_dialect(endpoint->router, info);
    pqr__probe_move(probe, PQR__PROBE_IDLE);
    pqr__probe_ask(probe);
}

/* The connection is gone: the next one an interval after this one began, or very soon when it had been good. */
static void gone(struct pqr__probe *probe)
{
    enum { SOON = 20, PERCENT = 20 }; /* SOON: part of an interval */
    pqr_router *router = probe->endpoint.router;
    uint64_t now = pqr__router_now(router);
    uint64_t soon = now + pqr__random_below(&router->random, router->config->probe.interval_us / SOON);
    if (probe->not_before_us < soon)
        probe->not_before_us = soon;
    uint64_t at_us = probe->not_before_us;
    if (probe->backend->refused_for_good)
        at_us = now + pqr__random_jitter(&router->random, router->config->pool.backoff_max_us, PERCENT);
    probe->conn = NULL;
    pqr__timer_clear(&probe->timeout);
    pqr__probe_move(probe, PQR__PROBE_ABSENT);
    if (!pqr__probe_stopped(probe))
        pqr__timer_set(router, &probe->next, at_us);
    pqr__room_make(router);
}

/* For its session to end. */
static void give_time(struct pqr__probe *probe)
{
    pqr__probe_move(probe, PQR__PROBE_CLOSING);
    pqr__probe_set_timeout(probe);
}

static void on_refused(struct pqr__endpoint *endpoint, const struct pqr__refusal *refusal)
{
    struct pqr__probe *probe = probe_of(endpoint);
    const char *sqlstate = refusal->sqlstate;
    probe->backend->refused_for_good = strncmp(sqlstate, "28", 2) == 0 || strcmp(sqlstate, "3D000") == 0;
    if (refusal->lingers)
        give_time(probe);
    else
        gone(probe);
    pqr__probe_failed(probe, refusal->message, sqlstate);
    if (!pqr__probe_stopped(probe) && pqr__backends_hopeless(endpoint->router))
        pqr__dispatch_give_up(endpoint->router);
}

static void on_notice(struct pqr__endpoint *endpoint, struct pqr__flight *flight, struct pqr__item *item,
    const pqr_notice *notice)
{
    (void)endpoint;
    (void)flight;
    (void)item;
    (void)notice;
}

static void on_cancelled(struct pqr__endpoint *endpoint, bool delivered)
{
    (void)endpoint;
    (void)delivered;
}

static void on_ended(struct pqr__endpoint *endpoint)
{
    struct pqr__probe *probe = probe_of(endpoint);
    pqr__probe_cancel_over(probe, false);
    if (probe->state == PQR__PROBE_CLOSING)
        return;
    give_time(probe);
    /* If it had been good until now, gone() looks again soon. The server counts as down until it answers. */
    pqr__probe_failed(probe, "the probe's connection was lost", "");
}

static void on_closed(struct pqr__endpoint *endpoint, bool left)
{
    struct pqr__probe *probe = probe_of(endpoint);
    probe->backend->left_behind += left;
    gone(probe);
}

static const struct pqr__endpoint_ops probe_ops = {
    .connected = on_connected,
    .refused = on_refused,
    .item = pqr__probe_item,
    .settled = pqr__probe_settled,
    .notice = on_notice,
    .cancelled = on_cancelled,
    .ended = on_ended,
    .closed = on_closed,
};

void pqr__probe_init(struct pqr__probe *probe, struct pqr__backend *backend)
{
    *probe = (struct pqr__probe){
        .endpoint = {.ops = &probe_ops, .router = backend->router},
        .backend = backend,
        .next = {.due = next_due},
        .timeout = {.due = timeout_due},
    };
}

void pqr__probe_renew(struct pqr__probe *probe)
{
    close_connection(probe); /* the next follows an interval after this one began */
}

void pqr__probe_stop(struct pqr__probe *probe)
{
    pqr__timer_clear(&probe->next);
    close_connection(probe);
}
