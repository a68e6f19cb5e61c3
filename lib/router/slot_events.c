/* What happens to a pooled connection, from connected to closed. What may go wrong: it cannot be opened (backoff, and a
 * probe), it turns out to be another server than the probe's (closed again), it is lost in any state (what flew is
 * settled first), or its cancel comes late (it is not handed out before that is answered).
 */
#include <string.h>

#include "base/seldom.h"
#include "policy/backoff.h"
#include "router/aside.h"
#include "router/dispatch.h"
#include "router/elastic.h"
#include "router/slot.h"
#include "router/transaction.h"
#include "router/warm.h"

/* --- opening --- */

static void failed_to_open(struct pqr__slot *slot, const char *sqlstate, const char *message)
{
    struct pqr__backend *backend = slot->backend;
    pqr_router *router = backend->router;
    const struct pqr_config *config = router->config;
    slot->refused = true;
    if (slot->state == PQR__SLOT_CONNECTING ||
        *sqlstate) /* not when it is only another server than expected */
        pqr__elastic_refused(backend, sqlstate);
    backend->connect_failures++;
    backend->retry_us =
        pqr__router_now(router) + pqr__backoff_us(config->pool.backoff_min_us, config->pool.backoff_max_us,
                                      backend->failures++, &router->random);
    pqr__timer_set(router, &backend->retry, backend->retry_us);
    pqr__backend_problem(backend, PQR_LOG_WARNING, "cannot connect: %s%s%s%s",
        slot->own_item.own == PQR__OWN_INIT ? "pool.init_sql: " : "", message, *sqlstate ? " " : "",
        sqlstate);
    if (pqr__pool_open(backend) == 0) /* nobody may wait for this one because it avoids the others */
        pqr__queue_forgive(&router->queue);
    pqr__probe_now(&backend->probe);
}

static void on_connected(struct pqr__endpoint *endpoint, const struct pqr__connect_info *info)
{
    struct pqr__slot *slot = pqr__container_of(endpoint, struct pqr__slot, endpoint);
    slot->info = *info;
    if (slot->state == PQR__SLOT_CLOSING)
        return;
    if (!slot->config->pool.init_sql) /* which may change it */
        pqr__dispatch_dialect(endpoint->router, info);
    slot->ours_since_us = pqr__router_now(endpoint->router);
    pqr__slot_move(slot, PQR__SLOT_IDENTIFYING);
    pqr__slot_send_own(slot, PQR__OWN_IDENTITY, pqr__identity_sql);
}

static void on_refused(struct pqr__endpoint *endpoint, const struct pqr__refusal *refusal)
{
    struct pqr__slot *slot = pqr__container_of(endpoint, struct pqr__slot, endpoint);
    pqr_router *router = endpoint->router;
    if (router->state < PQR__ROUTER_CLOSING)
        failed_to_open(slot, refusal->sqlstate, refusal->message);
    if (refusal->lingers)
        pqr__slot_move(slot, PQR__SLOT_CLOSING);
    else
        pqr__slot_destroy(slot);
    pqr__room_make(router);
    pqr__dispatch_soon(router); /* reads may fall back to the primary now */
    pqr__pools_grow(router);
}

/* The server that the probe speaks of, in the state that it was found in. */
static bool belongs(const struct pqr__slot *slot)
{
    const struct pqr__identity *own = &slot->identity, *probed = &slot->backend->identity;
    return own->system_identifier == probed->system_identifier && own->in_recovery == probed->in_recovery &&
           strcmp(own->postmaster_start, probed->postmaster_start) == 0;
}

static void enter_pool(struct pqr__slot *slot)
{
    struct pqr__backend *backend = slot->backend;
    pqr_router *router = backend->router;
    const struct pqr_config *config = router->config;
    if (slot->state == PQR__SLOT_IDENTIFYING) {
        uint64_t lifetime =
            pqr__random_jitter(&router->random, config->pool.lifetime_us, config->pool.lifetime_jitter);
        slot->expires_us = config->pool.lifetime_us ? pqr__router_now(router) + lifetime : 0;
        backend->failures = 0;
        backend->retry_us = 0;
        pqr__elastic_connected(backend, pqr__router_now(router) - slot->opened_us);
        backend->connects++;
    }
    pqr__slot_release(slot);
    pqr__pools_grow(router);
    pqr__catalog_wake(router);
}

static void warm_up(struct pqr__slot *slot)
{
    if (slot->state != PQR__SLOT_IDENTIFYING || !pqr__warm_begin(slot))
        enter_pool(slot);
}

/* By what init SQL has made of it, its texts are read; and its default isolation decides what it may share. A standby
   is not asked again: it has no serializable transactions, and answers nothing where they are the default. */
static void initialised(struct pqr__slot *slot, const struct pqr__connect_info *info)
{
    pqr__dispatch_dialect(slot->backend->router, info ? info : &slot->info);
    slot->initialised = true;
    if (slot->state == PQR__SLOT_IDENTIFYING && !slot->identity.in_recovery)
        pqr__slot_send_own(slot, PQR__OWN_IDENTITY, pqr__identity_sql);
    else
        warm_up(slot);
}

static void identified(struct pqr__slot *slot)
{
    const char *init_sql = slot->config->pool.init_sql;
    if (!belongs(slot)) {
        failed_to_open(slot, "", "the connection reached another server, or a restarted one, than the probe");
        pqr__slot_close(slot);
        return;
    }
    pqr__after_learn(slot->backend, slot->identity.lsn); /* after a crash a standby has less than it had */
    if (init_sql && !slot->initialised)
        pqr__slot_send_own(slot, PQR__OWN_INIT, init_sql);
    else
        warm_up(slot);
}

/* --- what flies --- */

static PQR__SELDOM void own_item(
    struct pqr__slot *slot, struct pqr__item *item, const struct pqr__answer *answer)
{
    const struct pqr__transport_ops *ops = slot->backend->router->ops;
    if (slot->warming) {
        pqr__warm_item(slot, item, answer);
        ops->result_free(answer->result);
        return;
    }
    slot->own_failed = answer->kind != PQR__ANSWER_OK;
    if (slot->tx && (slot->own_item.own == PQR__OWN_COMMIT || slot->own_item.own == PQR__OWN_ROLLBACK))
        pqr__tx_own_item(slot->tx, answer);
    else if (slot->own_failed && slot->state == PQR__SLOT_IDENTIFYING)
        failed_to_open(slot, answer->sqlstate, answer->message);
    else if (slot->own_item.own == PQR__OWN_IDENTITY)
        slot->own_failed = !pqr__identity_read(&slot->identity, ops, answer->result);
    ops->result_free(answer->result);
}

static void on_item(struct pqr__endpoint *endpoint, struct pqr__flight *flight, struct pqr__item *item,
    const struct pqr__answer *answer)
{
    struct pqr__slot *slot = pqr__container_of(endpoint, struct pqr__slot, endpoint);
    if (flight == &slot->own_flight)
        own_item(slot, item, answer);
    else if (flight == &slot->aside.flight)
        pqr__aside_item(slot, answer);
    else
        pqr__run_item(slot, item, answer);
}

/* What comes after one of our own statements that went well. */
static void go_on(struct pqr__slot *slot, enum pqr__own after, const struct pqr__settled *facts)
{
    const char *init_sql = slot->config->pool.init_sql;
    if (after == PQR__OWN_IDENTITY)
        identified(slot);
    else if (after == PQR__OWN_DISCARD && init_sql)
        pqr__slot_send_own(slot, PQR__OWN_INIT, init_sql);
    else if (after == PQR__OWN_INIT)
        initialised(slot, facts->info);
    else
        enter_pool(slot);
}

static const char *why_useless(const struct pqr__settled *facts)
{
    if (facts->lost)
        return facts->message;
    return facts->tx != PQR__TX_IDLE ? "it leaves a transaction open" : "it does not say which server it is";
}

/* entering: it was not in the pool yet. */
static void own_settled(struct pqr__slot *slot, const struct pqr__settled *facts, bool entering)
{
    enum pqr__own own = slot->own_item.own;
    if (slot->tx && (own == PQR__OWN_COMMIT || own == PQR__OWN_ROLLBACK)) {
        pqr__tx_own_settled(slot->tx, facts);
        return;
    }
    if (slot->warming && pqr__warm_settled(slot, facts, entering))
        return;
    if (slot->own_failed || facts->lost || facts->tx != PQR__TX_IDLE) {
        if (entering && !slot->refused)
            failed_to_open(slot, "", why_useless(facts));
        pqr__slot_close(slot);
    } else if (slot->state != PQR__SLOT_CLOSING) {
        go_on(slot, own, facts);
    }
}

static void on_settled(
    struct pqr__endpoint *endpoint, struct pqr__flight *flight, const struct pqr__settled *facts)
{
    struct pqr__slot *slot = pqr__container_of(endpoint, struct pqr__slot, endpoint);
    bool entering = slot->state == PQR__SLOT_IDENTIFYING;
    slot->answered_us = pqr__router_now(endpoint->router);
    if (facts->lost && slot->state != PQR__SLOT_CLOSING)
        pqr__slot_move(slot, PQR__SLOT_CLOSING);
    if (facts->lost)
        slot->backend->replayed_lsn = 0;
    if (flight == &slot->own_flight)
        own_settled(slot, facts, entering);
    else if (flight == &slot->aside.flight)
        pqr__aside_settled(slot, facts);
    else
        pqr__run_settled(slot, flight, facts);
}

static void on_notice(struct pqr__endpoint *endpoint, struct pqr__flight *flight, struct pqr__item *item,
    const pqr_notice *notice)
{
    struct pqr__slot *slot = pqr__container_of(endpoint, struct pqr__slot, endpoint);
    if (flight && flight != &slot->own_flight && flight != &slot->aside.flight && item)
        pqr__run_notice(pqr__run_owner(item), notice);
    else if (slot->tx && flight == &slot->own_flight) /* COMMIT: of a standby that did not confirm, perhaps */
        pqr__run_notice(slot->tx->request, notice);
    pqr__log(&endpoint->router->log, PQR_LOG_DEBUG, "%s: %s %s: %s", slot->backend->config->name,
        notice->severity, notice->sqlstate, notice->text);
}

static void on_cancelled(struct pqr__endpoint *endpoint, bool delivered)
{
    /* The server answers a cancel request (by EOF) when it has sent the signal, so that it can't hit what is sent
       from now on; of one that failed on the way nobody knows. */
    pqr__run_cancelled(pqr__container_of(endpoint, struct pqr__slot, endpoint), delivered);
}

/* Whoever waited for it learns so now; its place is free only when the server's session is over too. */
static void on_ended(struct pqr__endpoint *endpoint)
{
    struct pqr__slot *slot = pqr__container_of(endpoint, struct pqr__slot, endpoint);
    struct pqr__backend *backend = slot->backend;
    bool unasked = slot->state != PQR__SLOT_CLOSING;
    assert(pqr__list_empty(&slot->air));
    if (unasked) {
        pqr__slot_move(slot, PQR__SLOT_CLOSING);
        backend->replayed_lsn = 0;
    }
    if (slot->tx)
        pqr__tx_lost(slot->tx);
    if (unasked)
        pqr__probe_now(&backend->probe);
    pqr__dispatch_soon(backend->router); /* reads may fall back to the primary now */
    pqr__pools_grow(backend->router);
}

static void on_closed(struct pqr__endpoint *endpoint, bool left)
{
    struct pqr__slot *slot = pqr__container_of(endpoint, struct pqr__slot, endpoint);
    pqr_router *router = endpoint->router;
    slot->backend->left_behind += left;
    pqr__slot_destroy(slot);
    pqr__room_make(router);
    pqr__pools_grow(router);
}

const struct pqr__endpoint_ops pqr__slot_ops = {
    .connected = on_connected,
    .refused = on_refused,
    .item = on_item,
    .settled = on_settled,
    .notice = on_notice,
    .cancelled = on_cancelled,
    .ended = on_ended,
    .closed = on_closed,
};
