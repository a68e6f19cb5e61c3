/* The router as a whole: created, started, woken, closed. Shutdown order: refuse, drain, end what is left, answer
 * everybody, close connections and probes, shut the transport down, free, call back.
 */
#include "router/router.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/text.h"
#include "router/dispatch.h"
#include "router/pressure.h"
#include "router/reload.h"
#include "router/transaction.h"
#include "router/warm.h"

enum { UPKEEP_US = 1000000 };

static const char *const state_names[] = {
#define XX(name, word) #word,
    PQR__ROUTER_MAP(XX)
#undef XX
};

static void move(pqr_router *router, enum pqr__router_state to)
{
    enum pqr__router_state from = router->state;
    assert(to > from);
    router->state = to;
    pqr__log(&router->log, PQR_LOG_DEBUG, "router: %s -> %s", state_names[from], state_names[to]);
}

/* --- time --- */

static void arm(pqr_router *router, uint64_t at_us)
{
    if (at_us >= router->armed_us)
        return;
    router->armed_us = at_us;
    router->ops->timer_set(router->transport, at_us);
}

void pqr__timer_set(pqr_router *router, struct pqr__timer *timer, uint64_t at_us)
{
    pqr__wheel_set(&router->wheel, &timer->alarm, at_us);
    if (at_us < router->due_us)
        router->due_us = at_us;
    arm(router, at_us);
}

void pqr__timer_clear(struct pqr__timer *timer)
{
    pqr__wheel_clear(&timer->alarm);
}

void pqr__router_wake(pqr_router *router)
{
    if (!router->in_event) /* its end does all that a wake-up would */
        arm(router, 0);
}

static void upkeep_due(struct pqr__timer *timer)
{
    pqr_router *router = pqr__container_of(timer, pqr_router, upkeep);
    if (router->state >= PQR__ROUTER_CLOSING)
        return;
    for (uint32_t i = 0; i < router->n_backends; i++)
        if (router->backends[i].stay != PQR__STAY_GONE)
            pqr__pool_trim(&router->backends[i]);
    pqr__pools_grow(router);
    pqr__timer_set(router, &router->upkeep, pqr__router_now(router) + UPKEEP_US);
}

/* --- closing --- */

static void end_all(pqr_router *router)
{
    move(router, PQR__ROUTER_ENDING);
    pqr__timer_clear(&router->drain);
    for (uint32_t i = 0; i < router->store.count; i++)
        pqr__request_end(router->store.all[i], PQR__CAUSE_CLOSE);
}

static void close_connections(pqr_router *router)
{
    move(router, PQR__ROUTER_CLOSING);
    pqr__timer_clear(&router->drain);
    pqr__timer_clear(&router->upkeep);
    pqr__timer_clear(&router->resize);
    for (uint32_t i = 0; i < router->n_backends; i++) {
        struct pqr__backend *backend = &router->backends[i];
        pqr__timer_clear(&backend->retry);
        for (unsigned state = 0; state < PQR__SLOT_CLOSING; state++) {
            pqr__list_each (link, &backend->slots[state])
                pqr__slot_close(pqr__container_of(link, struct pqr__slot, link));
        }
        pqr__probe_stop(&backend->probe);
    }
}

static bool all_closed(const pqr_router *router)
{
    for (uint32_t i = 0; i < router->n_backends; i++) {
        const struct pqr__backend *backend = &router->backends[i];
        if (backend->probe.state != PQR__PROBE_ABSENT)
            return false;
        for (unsigned state = 0; state < PQR__SLOT_STATES; state++)
            if (!pqr__list_empty(&backend->slots[state]))
                return false;
    }
    return true;
}

/* As far as it can go now. */
static void advance_close(pqr_router *router)
{
    if (router->state == PQR__ROUTER_DRAINING && router->drain_over)
        end_all(router);
    if (router->state == PQR__ROUTER_DRAINING && router->store.active == 0)
        move(router, PQR__ROUTER_ENDING);
    if (router->state == PQR__ROUTER_ENDING) {
        pqr__ready_call(router);
        if (router->store.active == 0)
            close_connections(router);
    }
    if (router->state == PQR__ROUTER_CLOSING && all_closed(router)) {
        move(router, PQR__ROUTER_DOWN);
        router->ops->timer_set(router->transport, PQR__NEVER);
        router->ops->shutdown(router->transport);
    }
}

static void drain_due(struct pqr__timer *timer)
{
    pqr__container_of(timer, pqr_router, drain)->drain_over = true;
}

void pqr_router_close(pqr_router *router, uint32_t drain_ms, pqr_close_cb cb, void *data)
{
    if (!router || router->state > PQR__ROUTER_DRAINING)
        return;
    uint64_t at = pqr__router_now(router) + (uint64_t)drain_ms * 1000;
    if (router->state == PQR__ROUTER_RUNNING) {
        router->close_cb = cb;
        router->close_data = data;
        router->drain_at_us = UINT64_MAX;
        pqr__catalog_stop(router);
        move(router, PQR__ROUTER_DRAINING);
    }
    if (at >= router->drain_at_us)
        return;
    router->drain_at_us = at;
    if (drain_ms == 0)
        router->drain_over = true;
    pqr__timer_set(router, &router->drain, at);
    pqr__router_wake(router);
}

/* --- events --- */

/* Flights that end in the same turn of the loop make room for one larger one: unless all is quiet, or more would not
   fit, what waits is given out in the next turn, before anything is waited for. */
static bool turn_is_over(const pqr_router *router)
{
    if (pqr__queue_any(&router->queue))
        for (uint32_t i = 0; i < router->n_backends; i++)
            if (router->backends[i].flying > 0)
                return false;
    return true;
}

static void end_event(pqr_router *router, bool of_turn)
{
    if (pqr__dispatch_is_worth_it(router))
        pqr__dispatch_due(router);
    pqr__pressure_shed(router);
    pqr__backends_tell(router);
    pqr__pressure_tell(router);
    pqr__requests_call(router);
    if (of_turn || turn_is_over(router) || pqr__dispatch_is_worth_it(router))
        pqr__dispatch_due(router); /* with what the callbacks asked for: it may share flights */
    if (router->waiters.count > 0)
        pqr__ready_call(router);
    pqr__reload_advance(router);
    if (router->state != PQR__ROUTER_RUNNING)
        advance_close(router);
    router->in_event = false;
    if ((router->poked || !pqr__list_empty(&router->finished)) && router->state < PQR__ROUTER_DOWN)
        pqr__router_wake(router);
}

static void enter(pqr_router *router)
{
    assert(!router->in_event);
    router->event_us = router->ops->now_us(router->transport);
    pqr__queue_time(&router->queue, router->event_us);
    router->in_event = true;
}

static struct pqr__endpoint *begin_event(void *context)
{
    struct pqr__endpoint *endpoint = context;
    enter(endpoint->router);
    return endpoint;
}

static void on_connected(void *context, const struct pqr__connect_info *info)
{
    struct pqr__endpoint *endpoint = begin_event(context);
    pqr_router *router = endpoint->router;
    endpoint->ops->connected(endpoint, info);
    end_event(router, false);
}

static void on_refused(void *context, const struct pqr__refusal *refusal)
{
    struct pqr__endpoint *endpoint = begin_event(context);
    pqr_router *router = endpoint->router;
    endpoint->ops->refused(endpoint, refusal);
    end_event(router, false);
}

static void on_item(
    void *context, struct pqr__flight *flight, struct pqr__item *item, const struct pqr__answer *answer)
{
    struct pqr__endpoint *endpoint = context;
    endpoint->ops->item(
        endpoint, flight, item, answer); /* nothing is settled by it: no callback can be due */
}

static void on_settled(void *context, struct pqr__flight *flight, const struct pqr__settled *facts)
{
    struct pqr__endpoint *endpoint = begin_event(context);
    pqr_router *router = endpoint->router;
    endpoint->ops->settled(endpoint, flight, facts);
    end_event(router, false);
}

static void on_notice(
    void *context, struct pqr__flight *flight, struct pqr__item *item, const pqr_notice *notice)
{
    struct pqr__endpoint *endpoint = context;
    endpoint->ops->notice(endpoint, flight, item, notice);
}

static void on_cancelled(void *context, bool delivered)
{
    struct pqr__endpoint *endpoint = begin_event(context);
    pqr_router *router = endpoint->router;
    endpoint->ops->cancelled(endpoint, delivered);
    end_event(router, false);
}

static void on_closed(void *context)
{
    struct pqr__endpoint *endpoint = begin_event(context);
    pqr_router *router = endpoint->router;
    endpoint->ops->closed(endpoint);
    end_event(router, false);
}

static void ring(pqr_router *router)
{
    struct pqr__link *link;
    struct pqr__list due;
    pqr__list_init(&due);
    pqr__wheel_turn(&router->wheel, pqr__router_now(router), &due);
    while ((link = pqr__list_first(&due)) != NULL) {
        struct pqr__alarm *alarm = pqr__container_of(link, struct pqr__alarm, link);
        struct pqr__timer *timer = pqr__container_of(alarm, struct pqr__timer, alarm);
        pqr__wheel_clear(alarm);
        timer->due(timer);
    }
}

/* Most of the time it is but a wake-up, and no timer is due. */
static void on_timer(void *data)
{
    pqr_router *router = data;
    enter(router);
    bool rings = pqr__router_now(router) >= router->due_us;
    if (rings)
        ring(router);
    router->armed_us = PQR__NEVER;
    end_event(router, true);
    if (router->state >= PQR__ROUTER_DOWN)
        return;
    if (rings)
        router->due_us = pqr__wheel_next_us(&router->wheel);
    arm(router, router->due_us);
}

static void on_down(void *data)
{
    pqr_router *router = data;
    pqr_close_cb cb = router->close_cb;
    void *close_data = router->close_data;
    pqr__router_free(router);
    if (cb)
        cb(close_data);
}

const struct pqr__transport_events pqr__router_events = {
    .connected = on_connected,
    .refused = on_refused,
    .item = on_item,
    .settled = on_settled,
    .notice = on_notice,
    .cancelled = on_cancelled,
    .closed = on_closed,
    .timer = on_timer,
    .down = on_down,
};

/* --- creating --- */

static bool callbacks_read(pqr_callbacks *out, const pqr_callbacks *given)
{
    *out = (pqr_callbacks)PQR_CALLBACKS_INIT;
    if (!given)
        return true;
    if (given->struct_size < offsetof(pqr_callbacks, password) || given->struct_size > 4096)
        return false;
    memcpy(out, given, given->struct_size < sizeof(*out) ? given->struct_size : sizeof(*out));
    return true;
}

void pqr__router_tune(pqr_router *router)
{
    const struct pqr_config *config = router->config;
    pqr__balancer_use(&router->balancer, config->reads.balance);
    router->sizing = config->pool.resize ? &pqr__sizing_elastic : &pqr__sizing_plain;
    for (uint32_t i = 0; i < router->n_backends; i++)
        if (router->backends[i].stay == PQR__STAY_MEMBER)
            pqr__elastic_tune(&router->backends[i]);
    pqr__warm_tune(router);
    router->queue.max_entries = config->queue.max_requests;
    router->queue.max_bytes = config->queue.max_bytes;
    router->queue.tuning = (struct pqr__queue_tuning){
        .normal_share = config->queue.normal_share,
        .batch_share = config->queue.batch_share,
        .batch_age_us = config->queue.batch_age_us,
        .target_us = config->queue.target_us,
        .interval_us = config->queue.interval_us,
    };
}

static void init(pqr_router *router, uint64_t seed)
{
    const struct pqr_config *config = router->config;
    router->dialect = (struct pqr__dialect){.standard_conforming_strings = true,
        .ascii_safe = true,
        .named = router->named.count > 0 ? &router->named : NULL};
    router->armed_us = router->due_us = PQR__NEVER;
    router->upkeep.due = upkeep_due;
    router->resize.due = pqr__elastic_due;
    router->resize_us = PQR__NEVER;
    router->drain.due = drain_due;
    router->n_backends = config->n_servers;
    router->cluster.system_identifier = config->system_identifier;
    router->log = (struct pqr__log){.write = router->callbacks.log,
        .data = router->callbacks.data,
        .level = router->callbacks.log_level,
        .busy = &router->in_log};
    pqr__random_seed(&router->random, seed);
    pqr__balancer_init(&router->balancer, config->reads.balance, &router->random);
    pqr__queue_init(&router->queue, config->queue.max_requests, config->queue.max_bytes);
    pqr__known_init(&router->known, pqr__random_next(&router->random), PQR__KNOWN_BYTES);
    pqr__catalog_start(router);
    pqr__request_store_init(&router->store);
    pqr__list_init(&router->finished);
    pqr__list_init(&router->waiters);
    for (uint32_t i = 0; i < router->n_backends; i++)
        pqr__backend_init(&router->backends[i], router, i, config, i);
    pqr__router_tune(router);
}

int pqr__router_create(pqr_router **out, const struct pqr_config *config, const pqr_callbacks *callbacks,
    uint64_t seed, pqr_error *error)
{
    pqr_callbacks checked;
    if (!callbacks_read(&checked, callbacks))
        return pqr__error_set(
            error, PQR_EINVAL, "callbacks: struct_size is not set; begin with PQR_CALLBACKS_INIT");
    pqr_router *router = pqr__calloc(1, sizeof(*router));
    struct pqr__backend *backends = pqr__calloc(PQR__SERVERS_MAX, sizeof(*backends));
    if (!router || !backends ||
        !pqr__named_init(&router->named, config->reads.harmless_functions, config->reads.harmful_functions)) {
        pqr__free(router);
        pqr__free(backends);
        return pqr__error_set(error, PQR_ENOMEM, "out of memory");
    }
    router->callbacks = checked;
    router->backends = backends;
    router->config = pqr__config_ref(config);
    init(router, seed);
    *out = router;
    return 0;
}

void pqr__router_start(pqr_router *router, struct pqr__transport *transport)
{
    router->transport = transport;
    router->ops = transport->ops;
    router->opened_us = pqr__router_now(router);
    pqr__wheel_init(&router->wheel, router->opened_us);
    for (uint32_t i = 0; i < router->n_backends; i++)
        pqr__probe_now(&router->backends[i].probe);
    pqr__timer_set(router, &router->upkeep, router->opened_us + UPKEEP_US);
}

void pqr__router_free(pqr_router *router)
{
    pqr__request_store_finish(&router->store);
    pqr__known_finish(&router->known);
    pqr__catalog_free(router);
    pqr__named_finish(&router->named);
    for (uint32_t i = 0; i < router->n_backends; i++)
        pqr_config_free(router->backends[i].source);
    pqr__free(router->backends);
    pqr_config_free(router->pending);
    pqr_config_free(router->config);
    pqr__free(router);
}
