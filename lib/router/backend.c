/* A server's role and what follows from its change: who may take from which queue, which connections must go. */
#include "router/backend.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "policy/spread.h"
#include "router/dispatch.h"
#include "router/elastic.h"

static void retry_due(struct pqr__timer *timer)
{
    struct pqr__backend *backend = pqr__container_of(timer, struct pqr__backend, retry);
    pqr__pools_grow(backend->router);
}

void pqr__backend_init(struct pqr__backend *backend, pqr_router *router, uint32_t index,
    const struct pqr_config *config, uint32_t number)
{
    memset(backend, 0, sizeof(*backend));
    backend->router = router;
    backend->index = index;
    backend->stay = PQR__STAY_MEMBER;
    backend->source = pqr__config_ref(config);
    backend->config = &config->servers[number];
    backend->lag_us = -1;
    backend->retry.due = retry_due;
    for (unsigned state = 0; state < PQR__SLOT_STATES; state++)
        pqr__list_init(&backend->slots[state]);
    pqr__probe_init(&backend->probe, backend);
    pqr__elastic_init(backend);
}

void pqr__backend_problem(struct pqr__backend *backend, pqr_log_level level, const char *format, ...)
{
    char text[sizeof(backend->problem)];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (strcmp(text, backend->problem) == 0)
        return;
    memcpy(backend->problem, text, sizeof(text));
    if (text[0])
        pqr__log(&backend->router->log, level, "%s (%s:%s): %s", backend->config->name, backend->config->host,
            backend->config->port, text);
}

bool pqr__backend_serves(const struct pqr__backend *backend, pqr_role role)
{
    if (backend->role != role)
        return false;
    if (role == PQR_ROLE_REPLICA && backend->identity.serializable)
        return false;
    return pqr__pool_open(backend) > 0 || backend->failures == 0;
}

/* Some server is or may turn out to be a replica that serves. */
static bool replicas_serve(const pqr_router *router)
{
    for (uint32_t i = 0; i < router->n_backends; i++) {
        const struct pqr__backend *backend = &router->backends[i];
        if (pqr__backend_serves(backend, PQR_ROLE_REPLICA) || backend->role == PQR_ROLE_UNKNOWN)
            return true;
    }
    return false;
}

static bool primary_reads(const pqr_router *router)
{
    switch (router->config->reads.primary) {
    case PQR__PRIMARY_NEVER:
        return false;
    case PQR__PRIMARY_FALLBACK:
        return !replicas_serve(router);
    case PQR__PRIMARY_ALWAYS:
        break;
    }
    return true;
}

unsigned pqr__backend_roles(const struct pqr__backend *backend)
{
    if (backend->role == PQR_ROLE_PRIMARY)
        return PQR__MASK_PRIMARY | PQR__MASK_ANY |
               (primary_reads(backend->router) ? (unsigned)PQR__MASK_REPLICA : 0);
    if (backend->role == PQR_ROLE_REPLICA && !backend->identity.serializable)
        return PQR__MASK_REPLICA | PQR__MASK_REPLICA_ONLY | PQR__MASK_ANY;
    return 0;
}

bool pqr__backends_hand_back(const pqr_router *router)
{
    uint64_t now_us = pqr__router_now(router);
    bool some = false;
    if (router->config->reads.primary != PQR__PRIMARY_FALLBACK)
        return false;
    for (uint32_t i = 0; i < router->n_backends; i++) {
        const struct pqr__backend *backend = &router->backends[i];
        if (!pqr__backend_serves(backend, PQR_ROLE_REPLICA))
            continue;
        if (backend->since_us == 0 || now_us - backend->since_us >= router->config->reads.slow_start_us)
            return false;
        some = true;
    }
    return some;
}

static void close_all(struct pqr__backend *backend, enum pqr__slot_state first, enum pqr__slot_state last)
{
    for (unsigned state = first; state <= (unsigned)last; state++) {
        pqr__list_each (link, &backend->slots[state])
            pqr__slot_close(pqr__container_of(link, struct pqr__slot, link));
    }
}

static void explain_healthy(struct pqr__backend *backend)
{
    enum pqr__expected_role expected = backend->config->role;
    bool replica = backend->role == PQR_ROLE_REPLICA;
    if (replica && backend->identity.serializable)
        pqr__backend_problem(backend, PQR_LOG_WARNING,
            "default_transaction_isolation is serializable, which a standby refuses: it gets no reads");
    else if (expected != PQR__EXPECT_ANY && replica != (expected == PQR__EXPECT_REPLICA))
        pqr__backend_problem(backend, PQR_LOG_WARNING,
            "is a %s, but the configuration expects a %s; it is used as what it is",
            replica ? "replica" : "primary", replica ? "primary" : "replica");
    else if (backend->failures == 0) /* a probe that answers says nothing of connects that fail after it */
        pqr__backend_problem(backend, PQR_LOG_INFO, "%s", "");
}

static void explain(struct pqr__backend *backend)
{
    switch (backend->role) {
    case PQR_ROLE_WRONG_CLUSTER:
        pqr__backend_problem(backend, PQR_LOG_ERROR,
            "its system identifier is %llu, the others' is %llu; remove it from the servers, or set "
            "system_identifier if the others are wrong",
            (unsigned long long)backend->identity.system_identifier,
            (unsigned long long)backend->router->cluster.system_identifier);
        break;
    case PQR_ROLE_FENCED:
        pqr__backend_problem(backend, PQR_LOG_ERROR,
            "says it is primary on timeline %u, as another server does, or on an older timeline than one "
            "seen "
            "before; it gets nothing until it is a standby or the only one",
            backend->identity.timeline);
        break;
    case PQR_ROLE_PRIMARY:
    case PQR_ROLE_REPLICA:
        explain_healthy(backend);
        break;
    case PQR_ROLE_UNKNOWN:
    case PQR_ROLE_DOWN:
        break;
    }
}

/* Those that were found when the router began start together, and need no slow start. */
static void begin_role(struct pqr__backend *backend, pqr_role from)
{
    const pqr_router *router = backend->router;
    uint64_t now_us = pqr__router_now(router);
    bool first = from == PQR_ROLE_UNKNOWN && now_us - router->opened_us < router->config->reads.slow_start_us;
    backend->since_us = first ? 0 : now_us;
    backend->answers = (struct pqr__ewma){0};
}

static void set_role(struct pqr__backend *backend, pqr_role role)
{
    pqr_router *router = backend->router;
    pqr_role from = backend->role;
    backend->role = role;
    explain(backend);
    if (from == role)
        return;
    begin_role(backend, from);
    pqr__log(&router->log, role == PQR_ROLE_DOWN ? PQR_LOG_WARNING : PQR_LOG_INFO, "%s (%s:%s): %s -> %s",
        backend->config->name, backend->config->host, backend->config->port, pqr_role_name(from),
        pqr_role_name(role));
    if (role == PQR_ROLE_WRONG_CLUSTER || role == PQR_ROLE_FENCED)
        close_all(backend, PQR__SLOT_CONNECTING, PQR__SLOT_CANCELLING);
}

void pqr__backends_tell(pqr_router *router)
{
    for (uint32_t i = 0; i < router->n_backends; i++) {
        struct pqr__backend *backend = &router->backends[i];
        pqr_role from = backend->told;
        backend->told = backend->role;
        if (backend->stay == PQR__STAY_GONE)
            continue;
        if (from != backend->role && router->callbacks.role_change)
            router->callbacks.role_change(router->callbacks.data, backend->config->name, from, backend->role);
    }
}

/* It was primary, fell silent, and the others have a newer timeline since: it would be fenced if it answered, and
   what it still commits to those connected is lost with it. */
static bool was_replaced(const struct pqr__backend *backend)
{
    const struct pqr__identity *identity = &backend->identity;
    return backend->role == PQR_ROLE_DOWN && identity->known && !identity->in_recovery &&
           identity->timeline < backend->router->cluster.highest_timeline;
}

bool pqr__backends_hopeless(const pqr_router *router)
{
    for (uint32_t i = 0; i < router->n_backends; i++)
        if (router->backends[i].stay == PQR__STAY_MEMBER && !router->backends[i].refused_for_good)
            return false;
    return true;
}

static unsigned served_roles(const pqr_router *router)
{
    unsigned roles = 0;
    for (uint32_t i = 0; i < router->n_backends; i++)
        roles |= pqr__backend_roles(&router->backends[i]);
    return roles;
}

/* Everybody who lost the servers at the same moment finds them again at the same moment. */
static void spread_connects(pqr_router *router)
{
    uint64_t now_us = pqr__router_now(router);
    uint64_t outage_us = now_us - router->unserved_us;
    for (uint32_t i = 0; i < router->n_backends; i++) {
        struct pqr__backend *backend = &router->backends[i];
        uint64_t at_us = now_us + pqr__spread_us(outage_us, &router->random);
        if (backend->retry_us >= at_us)
            continue;
        backend->retry_us = at_us;
        pqr__timer_set(router, &backend->retry, at_us);
    }
}

static void note_served(pqr_router *router)
{
    unsigned before = router->served;
    router->served = served_roles(router);
    pqr__queue_refresh(&router->queue, router->served & ~before);
    if (before && !router->served)
        router->unserved_us = pqr__router_now(router);
    if (!before && router->served && router->was_served)
        spread_connects(router);
    router->was_served |= router->served != 0;
}

/* Those that leave by a reload too, though something runs on them to its end. */
static void close_replaced(pqr_router *router)
{
    for (uint32_t i = 0; i < router->n_backends; i++)
        if (router->backends[i].stay != PQR__STAY_GONE && was_replaced(&router->backends[i]))
            close_all(&router->backends[i], PQR__SLOT_CONNECTING, PQR__SLOT_CANCELLING);
}

/* True when one is another than before. */
static bool decide(pqr_router *router)
{
    struct pqr__observation seen[PQR__SERVERS_MAX] = {{0}};
    pqr_role roles[PQR__SERVERS_MAX];
    struct pqr__backend *members[PQR__SERVERS_MAX];
    uint32_t n = 0;
    bool changed = false;
    for (uint32_t i = 0; i < router->n_backends; i++) {
        struct pqr__backend *backend = &router->backends[i];
        if (backend->stay == PQR__STAY_LEAVING)
            set_role(backend, PQR_ROLE_DOWN);
        if (backend->stay != PQR__STAY_MEMBER)
            continue;
        seen[n] = backend->seen;
        members[n++] = backend;
    }
    pqr__roles_decide(&router->cluster, seen, n, roles);
    for (uint32_t i = 0; i < n; i++) {
        changed |= members[i]->role != roles[i];
        set_role(members[i], roles[i]);
    }
    close_replaced(router);
    return changed;
}

void pqr__backends_judge(pqr_router *router)
{
    bool changed = decide(router);
    note_served(router);
    if (changed)
        pqr__queue_forgive(&router->queue);
    pqr__dispatch_soon(router);
    pqr__pools_grow(router);
}
