/* What a probe asks of its server, what is learned from the answers, and pg_cancel_backend. */
#include <stdio.h>

#include "base/text.h"
#include "router/backend.h"
#include "router/dispatch.h"
#include "router/probe.h"
#include "router/router.h"

/* --- what is learned --- */

static void learned(struct pqr__probe *probe, bool answering)
{
    struct pqr__backend *backend = probe->backend;
    const struct pqr__identity *identity = &backend->identity;
    pqr_router *router = backend->router;
    backend->seen.probed = true;
    backend->seen.answering = answering;
    backend->replayed_lsn = answering && identity->in_recovery ? identity->lsn : 0;
    if (answering) {
        backend->seen.in_recovery = identity->in_recovery;
        backend->seen.system_identifier = identity->system_identifier;
        backend->seen.timeline = identity->timeline;
        backend->seen.instance = pqr__identity_instance(identity);
    }
    if (!pqr__probe_stopped(probe))
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

void pqr__probe_failed(struct pqr__probe *probe, const char *message, const char *sqlstate)
{
    if (pqr__probe_stopped(probe))
        return;
    pqr__backend_problem(probe->backend, PQR_LOG_WARNING, "%s%s%s", message, *sqlstate ? " " : "", sqlstate);
    learned(probe, false);
}

/* --- asking --- */

void pqr__probe_send(struct pqr__probe *probe, enum pqr__own own, const char *sql)
{
    probe->item.own = own;
    probe->item.sql = sql;
    probe->flight = (struct pqr__flight){.kind = PQR__FLIGHT_PIPELINE, .n_items = 1, .items = &probe->item};
    probe->asked_us = pqr__router_now(probe->endpoint.router);
    probe->answered = false;
    pqr__probe_set_timeout(probe);
    probe->endpoint.router->ops->send(probe->conn, &probe->flight);
}

void pqr__probe_ask(struct pqr__probe *probe)
{
    pqr__probe_move(probe, PQR__PROBE_ASKING);
    probe->again = false;
    probe->item = (struct pqr__item){0};
    pqr__probe_send(probe, PQR__OWN_PROBE, pqr__identity_sql);
}

bool pqr__probe_cancel(struct pqr__probe *probe, struct pqr__slot *slot)
{
    if (probe->state != PQR__PROBE_IDLE || probe->cancelled || slot->identity.backend_pid == 0)
        return false;
    if (probe->backend->config->pooler) /* who runs on that backend by now, nobody knows */
        return false;
    snprintf(probe->pid, sizeof(probe->pid), "%u", slot->identity.backend_pid);
    probe->values[0] = probe->pid;
    pqr__text_copy(probe->start, sizeof(probe->start), slot->identity.backend_start);
    probe->values[1] = probe->start;
    probe->item = (struct pqr__item){.n_params = 2, .param_values = probe->values};
    probe->cancelled = slot;
    pqr__probe_move(probe, PQR__PROBE_CANCELLING);
    pqr__probe_send(probe, PQR__OWN_CANCEL, pqr__cancel_sql);
    return true;
}

void pqr__probe_cancel_over(struct pqr__probe *probe, bool safe)
{
    struct pqr__slot *slot = probe->cancelled;
    probe->cancelled = NULL;
    if (slot)
        pqr__run_cancelled(slot, safe);
}

/* --- answers --- */

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

void pqr__probe_item(struct pqr__endpoint *endpoint, struct pqr__flight *flight, struct pqr__item *item,
    const struct pqr__answer *answer)
{
    struct pqr__probe *probe = probe_of(endpoint);
    struct pqr__backend *backend = probe->backend;
    const struct pqr__transport_ops *ops = endpoint->router->ops;
    (void)flight;
    (void)item;
    pqr__probe_more_item(probe, answer);
    if (probe->state == PQR__PROBE_ASKING && answer->kind == PQR__ANSWER_OK) {
        probe->answered = pqr__identity_read(&backend->identity, ops, answer->result);
        backend->rtt_us = pqr__router_now(endpoint->router) - probe->asked_us;
    }
    if (probe->state == PQR__PROBE_ASKING && !probe->answered && !pqr__probe_stopped(probe))
        pqr__backend_problem(
            backend, PQR_LOG_ERROR, "the probe's query failed: %s %s", answer->message, answer->sqlstate);
    ops->result_free(answer->result);
}

void pqr__probe_settled(
    struct pqr__endpoint *endpoint, struct pqr__flight *flight, const struct pqr__settled *facts)
{
    struct pqr__probe *probe = probe_of(endpoint);
    bool asked = probe->item.own == PQR__OWN_PROBE;
    (void)flight;
    if (probe->item.own == PQR__OWN_CANCEL)
        pqr__probe_cancel_over(probe, !facts->lost);
    if (facts->lost || probe->state == PQR__PROBE_CLOSING)
        return; /* closed follows */
    pqr__timer_clear(&probe->timeout);
    pqr__probe_move(probe, PQR__PROBE_IDLE);
    schedule_next(probe);
    if (probe->item.own == PQR__OWN_FLEET && !pqr__probe_stopped(probe))
        pqr__pools_grow(endpoint->router);
    if (!asked)
        return;
    learned(probe, probe->answered);
    if (probe->answered)
        measure_lag(probe->backend);
    if (probe->answered && probe->state == PQR__PROBE_IDLE && !pqr__probe_stopped(probe))
        pqr__probe_more(probe);
}
