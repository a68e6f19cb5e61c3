/* The load: step after step, chunk after chunk. What is made of other things (views, defaults, checks) is harmful
   when one of them is; those steps are repeated until a pass finds nothing more, which takes as many passes as
   definitions point forward in the order of their creation. What may go wrong: no primary, no memory, a bound, a
   query that fails, a server that always has one more row. Then the load is given up and tried again later; meanwhile
   the catalog in use stays. */
#include "router/catalog.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "router/catalog_sql.h"
#include "router/dispatch.h"

enum {
    FIRST_OID = 16383,
    SOON_US = 100 * 1000,
    RETRY_US = 1000 * 1000,
    TIMEOUT_US =
        5 * 1000 * 1000, /* of one chunk, if requests are not given less: it has a connection to itself */
};

static void ask(pqr_router *router);

static void drop(struct pqr__catalog **catalog)
{
    if (*catalog)
        pqr__catalog_finish(*catalog);
    pqr__free(*catalog);
    *catalog = NULL;
}

static void plan(pqr_router *router, uint64_t in_us)
{
    pqr__timer_set(router, &router->catalog.timer, pqr__router_now(router) + in_us);
}

static void plan_refresh(pqr_router *router)
{
    struct pqr__catalog_loader *loader = &router->catalog;
    if (loader->outdated)
        plan(router, SOON_US);
    else if (router->config->catalog.refresh_us)
        plan(router, router->config->catalog.refresh_us);
}

static void fail(pqr_router *router, const char *why)
{
    struct pqr__catalog_loader *loader = &router->catalog;
    drop(&loader->building);
    if (router->state != PQR__ROUTER_RUNNING)
        return;
    if (!loader->told)
        pqr__log(&router->log, PQR_LOG_WARNING,
            "the catalog could not be read, unknown functions go to the primary: %s", why);
    loader->told = true;
    plan(router, (uint64_t)RETRY_US << (loader->failures < 8 ? loader->failures++ : 8));
}

/* --- the load --- */

static void complete(pqr_router *router)
{
    struct pqr__catalog_loader *loader = &router->catalog;
    pqr__catalog_seal(loader->building);
    drop(&loader->current);
    loader->current = loader->building;
    loader->building = NULL;
    loader->current->stale = loader->outdated;
    loader->loads++;
    loader->failures = 0;
    loader->told = false;
    router->dialect.catalog = loader->current;
    pqr__log(&router->log, PQR_LOG_DEBUG, "catalog: %u names, %zu bytes, %u passes", loader->current->count,
        pqr__catalog_bytes(loader->current), loader->pass);
    pqr__dispatch_reclassify(router);
    plan_refresh(router);
}

/* The next step, or the next pass over those that depend on others. */
static void advance(pqr_router *router)
{
    struct pqr__catalog_loader *loader = &router->catalog;
    loader->after = FIRST_OID;
    if (++loader->step == PQR__CATALOG_FIRST_STEPS)
        loader->found = false;
    if (loader->step == PQR__CATALOG_STEPS && !loader->found) {
        complete(router);
        return;
    }
    if (loader->step == PQR__CATALOG_STEPS) {
        loader->step = PQR__CATALOG_FIRST_STEPS;
        loader->pass++;
        loader->found = false;
    }
    ask(router);
}

static bool is_late(const pqr_router *router)
{
    uint64_t timeout_us = router->config->catalog.timeout_us;
    return timeout_us && pqr__router_now(router) - router->catalog.began_us > timeout_us;
}

static void on_chunk(pqr_reply *reply, void *data)
{
    pqr_router *router = data;
    struct pqr__catalog_loader *loader = &router->catalog;
    loader->request = NULL;
    if (router->state != PQR__ROUTER_RUNNING || reply->status != PQR_STATUS_OK) {
        fail(router, pqr__request_error(reply));
        return;
    }
    int rows = 0;
    const char *why = pqr__catalog_take(router, reply->result, &rows);
    if (why)
        fail(router, why);
    else if (is_late(router))
        fail(router, "it takes longer than catalog.timeout");
    else if (rows == 0)
        advance(router);
    else
        ask(router);
}

static void ask(pqr_router *router)
{
    struct pqr__catalog_loader *loader = &router->catalog;
    const struct pqr__catalog_step *step = &pqr__catalog_steps[loader->step];
    uint64_t timeout_us = router->config->request.timeout_us;
    char after[24];
    (void)snprintf(after, sizeof(after), "%" PRIu32, loader->after);
    const char *values[] = {after, loader->building->harmful[PQR__CATALOG_TYPE] > 0 ? "t" : "f"};
    pqr_query query = PQR_QUERY_INIT;
    query.sql = step->sql;
    query.n_params = step->typed ? 2 : 1;
    query.param_values = values;
    query.target = loader->anywhere ? PQR_TARGET_ANY : PQR_TARGET_PRIMARY;
    query.label = "catalog";
    loader->request = pqr__request_new(router, &query, PQR__OWN_CATALOG, on_chunk, router);
    if (!loader->request) {
        fail(router, "out of memory");
        return;
    }
    pqr__request_arm(loader->request, timeout_us && timeout_us < TIMEOUT_US ? 0 : TIMEOUT_US / 1000);
    pqr__dispatch(loader->request);
}

static void begin(pqr_router *router)
{
    struct pqr__catalog_loader *loader = &router->catalog;
    loader->building = pqr__malloc(sizeof(*loader->building));
    if (!loader->building) {
        fail(router, "out of memory");
        return;
    }
    pqr__catalog_init(loader->building, (size_t)router->config->catalog.max_bytes);
    loader->began_us = pqr__router_now(router);
    loader->step = loader->pass = 0;
    loader->outdated = false;
    loader->after = FIRST_OID;
    ask(router);
}

/* --- from outside --- */

static bool is_open(const pqr_router *router, pqr_role role)
{
    for (uint32_t i = 0; i < router->n_backends; i++)
        if (router->backends[i].role == role && pqr__pool_open(&router->backends[i]) > 0)
            return true;
    return false;
}

static void due(struct pqr__timer *timer)
{
    struct pqr__catalog_loader *loader = pqr__container_of(timer, struct pqr__catalog_loader, timer);
    pqr_router *router = pqr__container_of(loader, pqr_router, catalog);
    if (router->state != PQR__ROUTER_RUNNING || loader->building)
        return;
    loader->anywhere = !is_open(router, PQR_ROLE_PRIMARY);
    if (!loader->anywhere || is_open(router, PQR_ROLE_REPLICA))
        begin(router);
    else
        plan(router, RETRY_US);
}

void pqr__catalog_start(pqr_router *router)
{
    router->catalog.timer.due = due;
}

bool pqr__catalog_wanted(const pqr_router *router)
{
    return router->config->catalog.load && router->config->reads.mode != PQR__READS_EXPLICIT;
}

void pqr__catalog_wake(pqr_router *router)
{
    struct pqr__catalog_loader *loader = &router->catalog;
    if (!pqr__catalog_wanted(router) || router->state != PQR__ROUTER_RUNNING || loader->loads > 0 ||
        loader->failures > 0 || loader->building)
        return;
    if (is_open(router, PQR_ROLE_PRIMARY))
        plan(router, 0);
    else if (!pqr__wheel_is_set(&loader->timer.alarm)) /* a replica will do when there is none */
        plan(router, RETRY_US);
}

void pqr__catalog_outdated(pqr_router *router)
{
    struct pqr__catalog_loader *loader = &router->catalog;
    if (loader->outdated || (!loader->current && !loader->building) || router->state != PQR__ROUTER_RUNNING)
        return;
    loader->outdated = true; /* a load under way may have read what was before */
    if (!loader->building)
        plan(router, SOON_US);
    if (loader->current && !loader->current->stale) {
        loader->current->stale = true;
        pqr__dispatch_reclassify(router);
    }
}

int pqr_catalog_refresh(pqr_router *router)
{
    if (!router)
        return PQR_EINVAL;
    if (router->state != PQR__ROUTER_RUNNING)
        return PQR_ECLOSED;
    pqr__catalog_outdated(router);
    return 0;
}

void pqr__catalog_stop(pqr_router *router)
{
    struct pqr__catalog_loader *loader = &router->catalog;
    pqr__timer_clear(&loader->timer);
    if (!loader->request)
        return;
    if (loader->request->state == PQR__REQUEST_QUEUED)
        pqr__request_end(loader->request, PQR__CAUSE_CLOSE);
    else if (loader->request->state == PQR__REQUEST_FLYING) /* it is answered sooner than cancelled */
        pqr__timer_set(router, &loader->request->deadline,
            pqr__router_now(router) + router->config->request.cancel_grace_us);
}

void pqr__catalog_free(pqr_router *router)
{
    drop(&router->catalog.building);
    drop(&router->catalog.current);
}
