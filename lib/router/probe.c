/* Asks each server what it is, once an interval, and carries pg_cancel_backend.
 *
 * What may go wrong: the connect fails or hangs, the answer never comes (the server stands still), the connection
 * dies (a restart, mostly). Each makes the server DOWN at once or after probe.timeout; the next connect follows
 * one interval after the last one began, and a little more: other routers lost the server at the same moment.
 */
#include "router/probe.h"

#include <stdio.h>
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
    [PQR__PROBE_IDLE] = BIT(ASKING) | BIT(CANCELLING) | BIT(COUNTING) | BIT(CLOSING) | BIT(ABSENT),
    [PQR__PROBE_ASKING] = BIT(IDLE) | BIT(CLOSING),
    [PQR__PROBE_CANCELLING] = BIT(IDLE) | BIT(CLOSING),
    [PQR__PROBE_COUNTING] = BIT(IDLE) | BIT(CLOSING),
    [PQR__PROBE_CLOSING] = BIT(ABSENT),
};

static void move(struct pqr__probe *probe, enum pqr__probe_state to)
{
    assert(allowed[probe->state] >> to & 1);
    pqr__log(&probe->endpoint.router->log, PQR_LOG_DEBUG, "%s: probe %s -> %s", probe->backend->config->name,
        state_names[probe->state], state_names[to]);
    probe->state = to;
}

static bool stopped(const struct pqr__probe *probe)
{
    return probe->endpoint.router->state >= PQR__ROUTER_CLOSING || probe->backend->stay != PQR__STAY_MEMBER;
}

static void set_timeout(struct pqr__probe *probe)
{
    pqr_router *router = probe->endpoint.router;
    pqr__timer_set(router, &probe->timeout, pqr__router_now(router) + router->config->probe.timeout_us);
}

/* --- what is learned --- */

static void learned(struct pqr__probe *probe, bool answering)
{
    struct pqr__backend *backend = probe->backend;
    const struct pqr__identity *identity = &backend->identity;
    pqr_router *router = backend->router;
    backend->seen.probed = true;
    backend->seen.answering = answering;
    if (answering) {
        backend->seen.in_recovery = identity->in_recovery;
        backend->seen.system_identifier = identity->system_identifier;
        backend->seen.timeline = identity->timeline;
        backend->seen.instance = pqr__identity_instance(identity);
    }
    if (!stopped(probe))
        pqr__backends_judge(router);
}

static void measure_lag(struct pqr__backend *backend)
{
    pqr_router *router = backend->router;
    uint64_t now = pqr__router_now(router);
    if (!backend->identity.in_recovery && backend->role == PQR_ROLE_PRIMARY)
        pqr__lsn_history_note(&router->history, now, pqr__lsn_of_insert(backend->identity.lsn));
    backend->lag_us = backend->identity.in_recovery && backend->identity.lsn
                          ? pqr__staleness_us(&router->history, backend->identity.lsn, now)
                          : -1;
}

static void failed(struct pqr__probe *probe, const char *message, const char *sqlstate)
{
    if (stopped(probe))
        return;
    pqr__backend_problem(probe->backend, PQR_LOG_WARNING, "%s%s%s", message, *sqlstate ? " " : "", sqlstate);
    learned(probe, false);
}

/* --- asking --- */

static void send(struct pqr__probe *probe, enum pqr__own own, const char *sql)
{
    probe->item.own = own;
    probe->item.sql = sql;
    probe->flight = (struct pqr__flight){.kind = PQR__FLIGHT_PIPELINE, .n_items = 1, .items = &probe->item};
    probe->asked_us = pqr__router_now(probe->endpoint.router);
    probe->answered = false;
    set_timeout(probe);
    probe->endpoint.router->ops->send(probe->conn, &probe->flight);
}

static void ask(struct pqr__probe *probe)
{
    move(probe, PQR__PROBE_ASKING);
    probe->again = false;
    probe->item = (struct pqr__item){0};
    send(probe, PQR__OWN_PROBE, pqr__identity_sql);
}

/* After the answer to a question: how many routers there are, if that is due. */
static void count_fleet(struct pqr__probe *probe)
{
    pqr_router *router = probe->endpoint.router;
    uint64_t now = pqr__router_now(router);
    if (!router->config->fleet.enabled || now < probe->counts_us || !probe->answered)
        return;
    if (!probe->name[0])
        snprintf(probe->name, sizeof(probe->name), PQR__FLEET_PREFIX "%016llx",
            (unsigned long long)pqr__random_next(&router->random));
    /* The second count comes soon: two have to agree before the part is taken. */
    uint64_t interval_us = router->config->fleet.interval_us;
    probe->counts_us = now + pqr__random_jitter(&router->random,
                                 probe->backend->fleet.members ? interval_us : interval_us / 5, 20);
    probe->values[0] = probe->name;
    probe->item = (struct pqr__item){.n_params = 1, .param_values = probe->values};
    move(probe, PQR__PROBE_COUNTING);
    send(probe, PQR__OWN_FLEET, pqr__fleet_sql);
}

static void counted(struct pqr__probe *probe, const struct pqr__answer *answer)
{
    struct pqr__fleet_count count;
    pqr_router *router = probe->endpoint.router;
    if (answer->kind != PQR__ANSWER_OK || !pqr__fleet_read(&count, router->ops, answer->result)) {
        pqr__log(&router->log, PQR_LOG_WARNING, "%s: the fleet cannot be counted: %s %s",
            probe->backend->config->name, answer->message, answer->sqlstate);
        return;
    }
    pqr__fleet_counted(&probe->backend->fleet, &count);
    pqr__pool_fit(probe->backend);
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
        failed(probe, "cannot connect: no memory, or no thread", "");
        return;
    }
    move(probe, PQR__PROBE_CONNECTING);
    set_timeout(probe);
}

static void next_due(struct pqr__timer *timer)
{
    struct pqr__probe *probe = pqr__container_of(timer, struct pqr__probe, next);
    if (stopped(probe) || (probe->state == PQR__PROBE_ABSENT && probe->waits))
        return;
    if (probe->state == PQR__PROBE_ABSENT)
        open_connection(probe);
    else if (probe->state == PQR__PROBE_IDLE)
        ask(probe);
    else
        probe->again = true;
}

static void close_connection(struct pqr__probe *probe)
{
    if (probe->state == PQR__PROBE_ABSENT)
        return;
    if (probe->state != PQR__PROBE_CLOSING)
        move(probe, PQR__PROBE_CLOSING);
    pqr__timer_clear(&probe->timeout);
    probe->endpoint.router->ops->close(probe->conn);
}

static void timeout_due(struct pqr__timer *timer)
{
    struct pqr__probe *probe = pqr__container_of(timer, struct pqr__probe, timeout);
    if (probe->state != PQR__PROBE_CONNECTING) /* a slow connect may still succeed */
        close_connection(probe);
    failed(probe, "does not answer the probe within probe.timeout", "");
}

/* Whoever waits for the cancel in the air: it is over; safe: it can hit nothing any more. */
static void cancel_over(struct pqr__probe *probe, bool safe)
{
    struct pqr__slot *slot = probe->cancelled;
    probe->cancelled = NULL;
    if (slot)
        pqr__run_cancelled(slot, safe);
}

void pqr__probe_now(struct pqr__probe *probe)
{
    pqr_router *router = probe->endpoint.router;
    if (stopped(probe))
        return;
    uint64_t now = pqr__router_now(router);
    bool later = probe->state == PQR__PROBE_ABSENT && probe->not_before_us > now;
    pqr__timer_set(router, &probe->next, later ? probe->not_before_us : now);
}

bool pqr__probe_cancel(struct pqr__probe *probe, struct pqr__slot *slot)
{
    if (probe->state != PQR__PROBE_IDLE || probe->cancelled || slot->identity.backend_pid == 0)
        return false;
    if (probe->backend->config->pooler) /* who runs on that backend by now, nobody knows */
        return false;
    snprintf(probe->pid, sizeof(probe->pid), "%u", slot->identity.backend_pid);
    probe->values[0] = probe->pid;
    probe->values[1] = slot->identity.backend_start;
    probe->item = (struct pqr__item){.n_params = 2, .param_values = probe->values};
    probe->cancelled = slot;
    move(probe, PQR__PROBE_CANCELLING);
    send(probe, PQR__OWN_CANCEL, pqr__cancel_sql);
    return true;
}

/* --- events --- */

static struct pqr__probe *probe_of(struct pqr__endpoint *endpoint)
{
    return pqr__container_of(endpoint, struct pqr__probe, endpoint);
}

static void schedule_next(struct pqr__probe *probe)
{
    pqr_router *router = probe->endpoint.router;
    uint64_t now = pqr__router_now(router);
    uint64_t interval = pqr__random_jitter(&router->random, router->config->probe.interval_us, 5);
    pqr__timer_set(router, &probe->next, probe->again ? now : now + interval);
}

static void on_connected(struct pqr__endpoint *endpoint, const struct pqr__connect_info *info)
{
    struct pqr__probe *probe = probe_of(endpoint);
    if (probe->state == PQR__PROBE_CLOSING)
        return;
    probe->backend->refused_for_good = false;
    pqr__dispatch_dialect(endpoint->router, info);
    move(probe, PQR__PROBE_IDLE);
    ask(probe);
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
    move(probe, PQR__PROBE_ABSENT);
    if (!stopped(probe))
        pqr__timer_set(router, &probe->next, at_us);
    pqr__room_make(router);
}

static void on_refused(struct pqr__endpoint *endpoint, const struct pqr__refusal *refusal)
{
    struct pqr__probe *probe = probe_of(endpoint);
    const char *sqlstate = refusal->sqlstate;
    probe->backend->refused_for_good = strncmp(sqlstate, "28", 2) == 0 || strcmp(sqlstate, "3D000") == 0;
    gone(probe);
    failed(probe, refusal->message, sqlstate);
    if (!stopped(probe) && pqr__backends_hopeless(endpoint->router))
        pqr__dispatch_give_up(endpoint->router);
}

static void on_item(struct pqr__endpoint *endpoint, struct pqr__flight *flight, struct pqr__item *item,
    const struct pqr__answer *answer)
{
    struct pqr__probe *probe = probe_of(endpoint);
    struct pqr__backend *backend = probe->backend;
    const struct pqr__transport_ops *ops = endpoint->router->ops;
    (void)flight;
    (void)item;
    if (probe->state == PQR__PROBE_COUNTING)
        counted(probe, answer);
    if (probe->state == PQR__PROBE_ASKING && answer->kind == PQR__ANSWER_OK) {
        probe->answered = pqr__identity_read(&backend->identity, ops, answer->result);
        backend->rtt_us = pqr__router_now(endpoint->router) - probe->asked_us;
    }
    if (probe->state == PQR__PROBE_ASKING && !probe->answered && !stopped(probe))
        pqr__backend_problem(
            backend, PQR_LOG_ERROR, "the probe's query failed: %s %s", answer->message, answer->sqlstate);
    ops->result_free(answer->result);
}

static void on_settled(
    struct pqr__endpoint *endpoint, struct pqr__flight *flight, const struct pqr__settled *facts)
{
    struct pqr__probe *probe = probe_of(endpoint);
    bool asked = probe->item.own == PQR__OWN_PROBE;
    (void)flight;
    if (probe->item.own == PQR__OWN_CANCEL)
        cancel_over(probe, !facts->lost);
    if (facts->lost || probe->state == PQR__PROBE_CLOSING)
        return; /* closed follows */
    pqr__timer_clear(&probe->timeout);
    move(probe, PQR__PROBE_IDLE);
    schedule_next(probe);
    if (probe->item.own == PQR__OWN_FLEET && !stopped(probe))
        pqr__pools_grow(endpoint->router);
    if (!asked)
        return;
    learned(probe, probe->answered);
    if (probe->answered)
        measure_lag(probe->backend);
    if (probe->state == PQR__PROBE_IDLE && !stopped(probe))
        count_fleet(probe);
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

static void on_closed(struct pqr__endpoint *endpoint)
{
    struct pqr__probe *probe = probe_of(endpoint);
    bool unasked = probe->state != PQR__PROBE_CLOSING;
    cancel_over(probe, false);
    if (probe->state == PQR__PROBE_ASKING || probe->state == PQR__PROBE_CANCELLING ||
        probe->state == PQR__PROBE_COUNTING)
        move(probe, PQR__PROBE_CLOSING);
    gone(probe);
    if (!unasked || stopped(probe))
        return;
    /* If it had been good until now, gone() looks again soon. The server counts as down until it answers. */
    failed(probe, "the probe's connection was lost", "");
}

static const struct pqr__endpoint_ops probe_ops = {
    .connected = on_connected,
    .refused = on_refused,
    .item = on_item,
    .settled = on_settled,
    .notice = on_notice,
    .cancelled = on_cancelled,
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
