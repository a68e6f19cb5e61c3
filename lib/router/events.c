/* What reaches the router from its transport, the turns of its timing wheel included; and what the end of every
 * event does: room is filled, callbacks that became due run, closing goes a step further.
 */
#include "base/seldom.h"
#include "router/dispatch.h"
#include "router/pressure.h"
#include "router/reload.h"
#include "router/router.h"
#include "router/transaction.h"

/* --- time --- */

static void arm(pqr_router *router, uint64_t at_us)
{
    if (at_us >= router->armed_us)
        return;
    router->armed_us = at_us;
    router->ops->timer_set(router->transport, at_us);
}

PQR__OFTEN void pqr__timer_set(pqr_router *router, struct pqr__timer *timer, uint64_t at_us)
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

static void be_out(pqr_router *router)
{
    router->in_event = false;
    router->event_us = 0;
}

static void end_event(pqr_router *router, bool of_turn)
{
    pqr__dispatch_full(router);
    pqr__pressure_shed(router);
    pqr__backends_tell(router);
    pqr__pressure_tell(router);
    pqr__requests_call(router);
    if (of_turn || turn_is_over(router))
        pqr__dispatch_due(router); /* with what the callbacks asked for: it may share flights */
    else
        pqr__dispatch_full(router);
    pqr__tx_bodies_run(router);
    if (router->waiters.count > 0)
        pqr__ready_call(router);
    pqr__reload_advance(router);
    if (router->state != PQR__ROUTER_RUNNING)
        pqr__router_advance_close(router);
    be_out(router);
    if ((router->poked || !pqr__list_empty(&router->finished)) && router->state < PQR__ROUTER_DOWN)
        pqr__router_wake(router);
}

static bool in_read(const pqr_router *router)
{
    return router->transport->read_us != 0;
}

/* All that one read brings is one event. */
static void enter(pqr_router *router)
{
    if (router->in_event) {
        assert(in_read(router));
        return;
    }
    router->event_us = router->ops->now_us(router->transport);
    pqr__queue_time(&router->queue, router->event_us);
    router->in_event = true;
}

/* Of what gives no room and makes no callback due. What its own callback asked for is seen to in the loop's next turn,
   or when the read is over. */
static void leave(pqr_router *router)
{
    if (in_read(router))
        return;
    be_out(router);
    pqr__router_wake(router);
}

void pqr__event_answer(struct pqr_reply *request)
{
    pqr_router *router = request->router;
    enter(router);
    pqr__request_answer(request);
    leave(router);
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

/* The callbacks that become due by it wait until what has been read is told. */
static void on_part(void *context, struct pqr__flight *flight, struct pqr__item *item, struct pg_result *part,
    int64_t affected)
{
    pqr_router *router = begin_event(context)->router;
    (void)flight;
    pqr__parts_take(pqr__container_of(item, struct pqr_reply, item), part, affected);
    leave(router);
}

static void on_item(
    void *context, struct pqr__flight *flight, struct pqr__item *item, const struct pqr__answer *answer)
{
    struct pqr__endpoint *endpoint = context;
    endpoint->ops->item(
        endpoint, flight, item, answer); /* settles nothing: what is answered by it is an event of its own */
}

static void on_settled(void *context, struct pqr__flight *flight, const struct pqr__settled *facts)
{
    struct pqr__endpoint *endpoint = begin_event(context);
    pqr_router *router = endpoint->router;
    endpoint->ops->settled(endpoint, flight, facts);
    if (in_read(router)) {
        pqr__requests_call(router); /* in the order of the answers */
        pqr__dispatch_full(router); /* servers have that to do while the rest is read */
    } else {
        end_event(router, false);
    }
}

static void on_read(void *data)
{
    pqr_router *router = data;
    if (router->in_event)
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

static void on_ended(void *context)
{
    struct pqr__endpoint *endpoint = begin_event(context);
    pqr_router *router = endpoint->router;
    endpoint->ops->ended(endpoint);
    end_event(router, false);
}

static void on_closed(void *context, bool left)
{
    struct pqr__endpoint *endpoint = begin_event(context);
    pqr_router *router = endpoint->router;
    endpoint->ops->closed(endpoint, left);
    end_event(router, false);
}

static void ring(pqr_router *router)
{
    struct pqr__link due;
    pqr__ring_init(&due);
    pqr__wheel_turn(&router->wheel, pqr__router_now(router), &due);
    while (!pqr__ring_empty(&due)) {
        struct pqr__alarm *alarm = pqr__container_of(due.next, struct pqr__alarm, link);
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
    .part = on_part,
    .item = on_item,
    .settled = on_settled,
    .read = on_read,
    .notice = on_notice,
    .cancelled = on_cancelled,
    .ended = on_ended,
    .closed = on_closed,
    .timer = on_timer,
    .down = on_down,
};
