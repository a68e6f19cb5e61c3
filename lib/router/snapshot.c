/* The router's books as a pqr_stats. Reads only. */
#include "observe/stats.h"
#include "router/router.h"
#include "router/sizing.h"

#include <string.h>

enum { SIZING_TEXT = 360 };

static pqr_role expected_role(enum pqr__expected_role role)
{
    switch (role) {
    case PQR__EXPECT_PRIMARY:
        return PQR_ROLE_PRIMARY;
    case PQR__EXPECT_REPLICA:
        return PQR_ROLE_REPLICA;
    case PQR__EXPECT_ANY:
        break;
    }
    return PQR_ROLE_UNKNOWN;
}

static void fill_pool(pqr_pool_stats *out, struct pqr_stats *stats, const struct pqr__backend *backend)
{
    const struct pqr__list *slots = backend->slots;
    char sizing[SIZING_TEXT];
    pqr__elastic_explain(backend, sizing, sizeof(sizing));
    *out = (pqr_pool_stats){
        .server = pqr__stats_text(stats, backend->config->name),
        .host = pqr__stats_text(stats, backend->config->host),
        .port = pqr__stats_text(stats, backend->config->port),
        .problem = pqr__stats_text(stats, backend->problem),
        .wanted = backend->resizer.wanted,
        .ceiling = backend->router->sizing->ceiling(backend),
        .fleet_members = backend->fleet.members,
        .fleet_share = backend->fleet.members ? backend->fleet.share : 0,
        .sizing = pqr__stats_text(stats, sizing),
        .zone = pqr__stats_text(stats, backend->config->zone),
        .role = backend->role,
        .expected = expected_role(backend->config->role),
        .available = slots[PQR__SLOT_IDLE].count,
        .allocated = pqr__pool_in_use(backend),
        .peak_usage = backend->peak_usage,
        .total_connections = pqr__pool_total(backend) - (backend->probe.state == PQR__PROBE_ABSENT),
        .min = backend->config->min,
        .max = backend->config->max,
        .connecting = slots[PQR__SLOT_CONNECTING].count + slots[PQR__SLOT_IDENTIFYING].count,
        .closing = slots[PQR__SLOT_CLOSING].count + (uint32_t)(backend->probe.state == PQR__PROBE_CLOSING),
        .connects = backend->connects,
        .connect_failures = backend->connect_failures,
        .left_behind = backend->left_behind,
        .reads = backend->reads,
        .writes = backend->writes,
        .errors = backend->errors,
        .rtt_us = backend->rtt_us,
        .lag_us = backend->role == PQR_ROLE_REPLICA ? backend->lag_us : -1,
        .server_version = backend->identity.server_version,
        .timeline = backend->identity.timeline,
        .system_identifier = backend->identity.system_identifier,
    };
    out->recent_us = pqr__ewma_read(&backend->answers, pqr__router_now(backend->router));
    pqr__histogram_summary(&backend->latency, &out->latency);
}

static void fill_totals(pqr_router_totals *out, const pqr_router *router)
{
    const unsigned all = (1u << PQR__QUEUE_ROLES) - 1;
    *out = (pqr_router_totals){
        .struct_size = sizeof(*out),
        .uptime_us = pqr__router_now(router) - router->opened_us,
        .peak_usage = router->peak_usage,
        .max_total = router->config->pool.max_total,
        .waiting = pqr__queue_count(&router->queue),
        .admin_waiting = pqr__queue_waiting(&router->queue, all, PQR__LANE_ADMIN),
        .batch_waiting = pqr__queue_waiting(&router->queue, all, PQR__LANE_BATCH),
        .accepted = router->accepted,
        .routed_primary = router->arrivals[PQR__QUEUE_PRIMARY].came,
        .fallback_primary = router->fallback_primary,
        .retries = router->retries,
        .misroutes = router->misroutes,
        .refused = router->refused,
        .shed = router->shed,
        .pipelined_writes = router->pipelined_writes,
        .batches = router->batches,
        .batch_queries = router->batch_queries,
        .tokens = router->tokens,
        .token_checks = router->token_checks,
        .token_misses = router->token_misses,
        .n_pools = router->config->n_servers,
        .catalog_loads = router->catalog.loads,
    };
    for (unsigned role = 0; role < PQR__QUEUE_ROLES; role++)
        out->routed_replica += role == PQR__QUEUE_PRIMARY ? 0 : router->arrivals[role].came;
    for (unsigned lane = 0; lane < PQR__LANES; lane++)
        out->waiting_bytes += router->queue.bytes[lane];
    if (router->catalog.current) {
        out->catalog_entries = router->catalog.current->count;
        out->catalog_bytes = pqr__catalog_bytes(router->catalog.current);
    }
    memcpy(out->by_status, router->by_status, sizeof(out->by_status));
    memcpy(out->by_outcome, router->by_outcome, sizeof(out->by_outcome));
    out->by_status[PQR_STATUS_OK] += router->answered_in_air;
    out->by_outcome[PQR_OUTCOME_EXECUTED] += router->answered_in_air;
    for (unsigned outcome = 0; outcome < sizeof(out->by_outcome) / sizeof(*out->by_outcome); outcome++)
        out->answered += out->by_outcome[outcome];
    pqr__histogram_summary(&router->latency, &out->latency);
    pqr__histogram_summary(&router->queued, &out->queued);
}

static size_t text_size(const pqr_router *router)
{
    size_t size = 0;
    for (uint32_t i = 0; i < router->n_backends; i++) {
        const struct pqr__backend *backend = &router->backends[i];
        if (backend->stay == PQR__STAY_MEMBER)
            size += strlen(backend->config->name) + strlen(backend->config->host) +
                    strlen(backend->config->port) + strlen(backend->problem) + strlen(backend->config->zone) +
                    SIZING_TEXT + 5;
    }
    return size;
}

/* Of the configuration's server number `number`; NULL: there is none. */
static const struct pqr__backend *member(const pqr_router *router, uint32_t number)
{
    for (uint32_t i = 0; i < router->n_backends; i++) {
        const struct pqr__backend *backend = &router->backends[i];
        if (backend->stay == PQR__STAY_MEMBER && backend->config == &backend->source->servers[number])
            return backend;
    }
    return NULL;
}

/* Connections of servers that have left count until they are closed. */
static void add_leaving(pqr_router_totals *out, const pqr_router *router)
{
    for (uint32_t i = 0; i < router->n_backends; i++) {
        const struct pqr__backend *backend = &router->backends[i];
        if (backend->stay != PQR__STAY_LEAVING)
            continue;
        out->allocated += pqr__pool_in_use(backend);
        out->total_connections += pqr__pool_total(backend);
    }
}

int pqr_router_stats(const pqr_router *router, pqr_stats **out)
{
    struct pqr_stats *stats;
    if (!router || !out)
        return PQR_EINVAL;
    int error = pqr__stats_new(&stats, router->config->n_servers, text_size(router));
    if (error)
        return error;
    fill_totals(&stats->totals, router);
    for (uint32_t i = 0; i < router->config->n_servers; i++) {
        const struct pqr__backend *backend = member(router, i);
        pqr_pool_stats *pool = &stats->pools[i];
        if (!backend) /* asked from the log callback in the middle of a reload */
            continue;
        fill_pool(pool, stats, backend);
        stats->totals.available += pool->available;
        stats->totals.allocated += pool->allocated;
        stats->totals.total_connections += pool->total_connections;
    }
    add_leaving(&stats->totals, router);
    *out = stats;
    return 0;
}
