/* The load: step after step, chunk after chunk. What is made of other things (views, defaults, checks) is harmful
   when one of them is; those steps are repeated until a pass finds nothing more, which takes as many passes as
   definitions point forward in the order of their creation. What may go wrong: no primary, no memory, a bound, a
   query that fails. Then the load is given up and tried again later; meanwhile the catalog in use stays. */
#include "router/catalog.h"

#include <string.h>

#include "base/alloc.h"
#include "base/text.h"
#include "router/catalog_sql.h"
#include "router/dispatch.h"

enum {
    PASSES_MAX = 12, /* then everything that is made of anything is harmful */
    SOON_US = 100 * 1000,
    RETRY_US = 1000 * 1000,
    TIMEOUT_US =
        5 * 1000 * 1000, /* of one chunk, if requests are not given less: it has a connection to itself */
};

static const char first_oid[] = "16383";

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

/* --- one row --- */

enum column {
    OID_COLUMN,
    KIND,
    NAME,
    HARMFUL,
    PART_KIND,
    PART_NAME,
    PART_BUILTIN,
    PART_VOLATILITY,
    SCHEMA, /* of functions alone */
    COLUMNS
};

static bool is_true(const char *value)
{
    return value && value[0] == 't';
}

static enum pqr__catalog_answer find(
    const struct pqr__catalog *catalog, enum pqr__catalog_kind kind, const char *name)
{
    return pqr__catalog_find(catalog, kind, name, strlen(name));
}

/* What the configuration says of a function. */
static enum pqr__catalog_answer configured(const pqr_router *router, const char *schema, const char *name)
{
    if (router->named.count == 0 || !schema)
        return PQR__CATALOG_ABSENT;
    return pqr__named_find(&router->named, schema, strlen(schema), name, strlen(name));
}

/* The body of a function in SQL. */
static bool query_is_harmful(const pqr_router *router, const char *sql)
{
    struct pqr__dialect dialect = router->dialect;
    struct pqr__verdict verdict;
    dialect.catalog = router->catalog.building;
    pqr__classify(&verdict, sql, strlen(sql), &dialect);
    return verdict.route != PQR_CLASS_REPLICA;
}

/* What something is made of. */
static bool part_is_harmful(const pqr_router *router, const char *const row[COLUMNS])
{
    const struct pqr__catalog *catalog = router->catalog.building;
    const char *name = row[PART_NAME], *volatility = row[PART_VOLATILITY];
    bool builtin = is_true(row[PART_BUILTIN]);
    if (!name) /* it is gone, or locks rows */
        return true;
    switch (row[PART_KIND][0]) {
    case 'f':
        return builtin ? configured(router, "pg_catalog", name) == PQR__CATALOG_HARMFUL ||
                             !pqr__catalog_builtin_is_harmless(name, *(volatility ? volatility : "v"))
                       : find(catalog, PQR__CATALOG_FUNCTION, name) != PQR__CATALOG_HARMLESS;
    case 'o':
        return find(catalog, PQR__CATALOG_OPERATOR, name) != PQR__CATALOG_HARMLESS;
    case 't': /* of a relation's rows it has that one's name */
        return find(catalog, PQR__CATALOG_TYPE, name) == PQR__CATALOG_HARMFUL ||
               find(catalog, PQR__CATALOG_RELATION, name) == PQR__CATALOG_HARMFUL;
    case 'q':
        return query_is_harmful(router, name);
    case 'r':
        return builtin ? pqr__catalog_is_server_view(name)
                       : find(catalog, PQR__CATALOG_RELATION, name) == PQR__CATALOG_HARMFUL;
    default:
        return true;
    }
}

static enum pqr__catalog_kind kind_of(char letter)
{
    return letter == 'f'   ? PQR__CATALOG_FUNCTION
           : letter == 'o' ? PQR__CATALOG_OPERATOR
           : letter == 't' ? PQR__CATALOG_TYPE
           : letter == 'm' ? PQR__CATALOG_VARYING
                           : PQR__CATALOG_RELATION;
}

/* False: it does not fit. */
static bool take_row(pqr_router *router, const char *const row[COLUMNS])
{
    struct pqr__catalog_loader *loader = &router->catalog;
    struct pqr__catalog *catalog = loader->building;
    bool first = loader->step < PQR__CATALOG_FIRST_STEPS;
    enum pqr__catalog_answer known_better = configured(router, row[SCHEMA], row[NAME]);
    bool harmful = is_true(row[HARMFUL]) || known_better == PQR__CATALOG_HARMFUL;
    if (known_better == PQR__CATALOG_HARMLESS)
        harmful = false;
    else if (!harmful && row[PART_KIND])
        harmful = loader->pass >= PASSES_MAX || part_is_harmful(router, row);
    if (row[KIND][0] == 's') {
        catalog->spoiled |= harmful;
        return true;
    }
    if (row[KIND][0] == 'e') {
        catalog->folds = harmful;
        return true;
    }
    enum pqr__catalog_kind kind = kind_of(row[KIND][0]);
    if (!harmful && (!first || kind == PQR__CATALOG_RELATION))
        return true;
    if (harmful && find(catalog, kind, row[NAME]) == PQR__CATALOG_HARMFUL)
        return true;
    loader->found = true;
    return pqr__catalog_add(
        catalog, kind, row[NAME], strlen(row[NAME]), harmful ? PQR__CATALOG_HARMFUL : PQR__CATALOG_HARMLESS);
}

/* The number of rows; -1: they do not fit. */
static int take_rows(pqr_router *router, const struct pg_result *result)
{
    const char *row[COLUMNS];
    int n = 0;
    for (; (row[0] = router->ops->result_value(result, n, 0)) != NULL; n++) {
        for (int column = 1; column < COLUMNS; column++)
            row[column] = router->ops->result_value(result, n, column);
        if (!row[KIND] || !row[NAME] || !take_row(router, row))
            return -1;
        pqr__text_copy(router->catalog.after, sizeof(router->catalog.after), row[0]);
    }
    return n;
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
    memcpy(loader->after, first_oid, sizeof(first_oid));
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

static void on_chunk(pqr_reply *reply, void *data)
{
    pqr_router *router = data;
    struct pqr__catalog_loader *loader = &router->catalog;
    loader->request = NULL;
    if (router->state != PQR__ROUTER_RUNNING || reply->status != PQR_STATUS_OK) {
        fail(router, pqr__request_error(reply));
        return;
    }
    int rows = take_rows(router, reply->result);
    if (rows < 0)
        fail(router, "it would take more than catalog.max_size, or memory is short");
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
    const char *values[] = {loader->after, loader->building->harmful[PQR__CATALOG_TYPE] > 0 ? "t" : "f"};
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
    loader->step = loader->pass = 0;
    loader->outdated = false;
    memcpy(loader->after, first_oid, sizeof(first_oid));
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

void pqr__catalog_wake(pqr_router *router)
{
    struct pqr__catalog_loader *loader = &router->catalog;
    const struct pqr_config *config = router->config;
    if (!config->catalog.load || config->reads.mode == PQR__READS_EXPLICIT ||
        router->state != PQR__ROUTER_RUNNING || loader->loads > 0 || loader->failures > 0 || loader->building)
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
