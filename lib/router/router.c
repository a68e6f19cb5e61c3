/* The router as a whole: created from a configuration, started, freed, and its upkeep. What happens to it in between
 * comes through events.c; shutdown.c closes it.
 */
#include "router/router.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "router/batch.h"
#include "router/breadth.h"
#include "router/sizing.h"
#include "router/warm.h"

enum { UPKEEP_US = 1000000 };

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
    router->drain.due = pqr__router_drain_due;
    router->n_backends = config->n_servers;
    router->cluster.system_identifier = config->system_identifier;
    router->log = (struct pqr__log){.write = router->callbacks.log,
        .data = router->callbacks.data,
        .level = router->callbacks.log_level,
        .busy = &router->in_log};
    pqr__random_seed(&router->random, seed);
    pqr__balancer_init(&router->balancer, config->reads.balance, &router->random);
    pqr__breadths_init(router);
    pqr__queue_init(&router->queue, config->queue.max_requests, config->queue.max_bytes);
    pqr__known_init(&router->known, pqr__random_next(&router->random), PQR__KNOWN_BYTES);
    router->token_number = ++router->known.last_number;
    router->replayed_number = ++router->known.last_number;
    pqr__catalog_start(router);
    pqr__request_store_init(&router->store);
    pqr__list_init(&router->finished);
    pqr__list_init(&router->bodies);
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

int pqr__misused(const pqr_router *router, const char *call, const char *flaw)
{
    if (router)
        pqr__log(&router->log, PQR_LOG_ERROR, "%s: %s", call, flaw);
    return PQR_EINVAL;
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
    pqr__batch_store_finish(&router->batch_store);
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
