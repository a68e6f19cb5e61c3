/* What a probe asks beside who its server is, when that is answered and the other is due: how many routers there are,
 * and, on the primary, whether anybody has changed a definition (policy/changes.h).
 */
#include <stdio.h>
#include <stdlib.h>

#include "router/backend.h"
#include "router/catalog_sql.h"
#include "router/probe.h"
#include "router/router.h"

enum {
    WATCH_US = 1000 * 1000,
    WATCHABLE = 150000
}; /* server_version_num: before, statistics go through a file */

static bool count_fleet(struct pqr__probe *probe)
{
    pqr_router *router = probe->endpoint.router;
    uint64_t now = pqr__router_now(router);
    if (!router->config->fleet.enabled || now < probe->counts_us)
        return false;
    if (!probe->name[0])
        snprintf(probe->name, sizeof(probe->name), PQR__FLEET_PREFIX "%016llx",
            (unsigned long long)pqr__random_next(&router->random));
    /* The second count comes soon: two have to agree before the part is taken. */
    uint64_t interval_us = router->config->fleet.interval_us;
    probe->counts_us = now + pqr__random_jitter(&router->random,
                                 probe->backend->fleet.members ? interval_us : interval_us / 5, 20);
    probe->values[0] = probe->name;
    probe->item = (struct pqr__item){.n_params = 1, .param_values = probe->values};
    pqr__probe_move(probe, PQR__PROBE_COUNTING);
    pqr__probe_send(probe, PQR__OWN_FLEET, pqr__fleet_sql);
    return true;
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

/* The count is the same for all who look at this server, so that it is the server's, not the connection's. */
static void watch(struct pqr__probe *probe)
{
    const struct pqr__backend *backend = probe->backend;
    pqr_router *router = probe->endpoint.router;
    struct pqr__catalog_loader *loader = &router->catalog;
    if (backend->role != PQR_ROLE_PRIMARY || !pqr__catalog_wanted(router) ||
        !router->config->catalog.refresh_us || backend->identity.server_version < WATCHABLE ||
        pqr__router_now(router) < loader->watch_us)
        return;
    loader->watch_us = pqr__router_now(router) + WATCH_US;
    probe->item = (struct pqr__item){0};
    pqr__probe_move(probe, PQR__PROBE_WATCHING);
    pqr__probe_send(probe, PQR__OWN_CHANGES, pqr__catalog_changes_sql);
}

static void watched(struct pqr__probe *probe, const struct pqr__answer *answer)
{
    pqr_router *router = probe->endpoint.router;
    const char *count =
        answer->kind == PQR__ANSWER_OK ? router->ops->result_value(answer->result, 0, 0) : NULL;
    if (!count) {
        pqr__log(&router->log, PQR_LOG_DEBUG, "%s: the catalogs cannot be watched: %s %s",
            probe->backend->config->name, answer->message, answer->sqlstate);
        return;
    }
    if (pqr__changes_note(&router->catalog.changes, strtoull(count, NULL, 10),
            router->config->catalog.refresh_us, pqr__router_now(router)))
        pqr__catalog_outdated(router);
}

void pqr__probe_more(struct pqr__probe *probe)
{
    if (!count_fleet(probe))
        watch(probe);
}

void pqr__probe_more_item(struct pqr__probe *probe, const struct pqr__answer *answer)
{
    if (probe->state == PQR__PROBE_COUNTING)
        counted(probe, answer);
    else if (probe->state == PQR__PROBE_WATCHING)
        watched(probe, answer);
}
