#include "vary.h"

#include <stdio.h>

#include "base/alloc.h"
#include "base/text.h"
#include "config/config.h"
#include "server.h"

uint32_t sim_pick(struct sim_world *world, uint32_t low, uint32_t high)
{
    return (uint32_t)sim_skewed(world, low, high);
}

/* Prepared on each connection; the servers refuse some of them. */
static char *warm_up(struct sim_world *world)
{
    struct pqr__text texts = {0};
    for (uint64_t n = sim_between(world, 1, 5); n > 0; n--) {
        pqr__text_printf(&texts, "select %d where $%d", (int)n, (int)n);
        pqr__text_append(&texts, "", 1);
    }
    if (sim_chance(world, 500)) { /* one that is asked for, too */
        pqr__text_printf(&texts, "select v from r0 where k = $1");
        pqr__text_append(&texts, "", 1);
    }
    return pqr__text_take(&texts);
}

static void vary_limits(struct sim_world *world, struct pqr_config *config)
{
    uint32_t least = config->pool.admin_reserved + 2;
    for (uint32_t i = 0; i < config->n_servers; i++) {
        struct pqr__server_config *server = &config->servers[i];
        server->max = sim_pick(world, least, least + 6);
        server->min = sim_pick(world, 0, server->max - least + 1);
        server->weight = sim_pick(world, 1, 300);
    }
    if (sim_chance(world, 300))
        config->pool.max_total = config->n_servers * least + sim_pick(world, 0, 8);
}

static void vary_pool(struct sim_world *world, struct pqr_config *config)
{
    config->pool.admin_reserved = (uint32_t)sim_between(world, 0, 2);
    vary_limits(world, config);
    config->pool.connects_at_once = sim_pick(world, 1, 3);
    config->pool.connect_timeout_us = sim_skewed(world, 100000, 2000000);
    config->pool.idle_timeout_us = sim_skewed(world, 20000, 10000000);
    config->pool.lifetime_us = sim_chance(world, 400) ? sim_skewed(world, 100000, 10000000) : 0;
    config->pool.backoff_min_us = sim_skewed(world, 5000, 100000);
    config->pool.backoff_max_us = config->pool.backoff_min_us * sim_between(world, 1, 10);
    config->pool.resize = sim_chance(world, 800);
    config->pool.target_utilisation = sim_pick(world, 10, 100);
    config->pool.window_us = sim_skewed(world, 100000, 60000000);
    config->fleet.enabled = sim_chance(world, 300);
    config->fleet.interval_us = sim_skewed(world, 100000, 10000000);
    config->fleet.margin = sim_pick(world, 0, 5);
    if (sim_chance(world, 200))
        config->pool.init_sql = pqr__strdup("set a = 1; set b = 2");
    if (sim_chance(world, 200))
        config->statements.warm_up = warm_up(world);
}

static void vary_reads(struct sim_world *world, struct pqr_config *config)
{
    config->reads.balance = (enum pqr__balance)sim_between(world, 0, PQR__BALANCE_EWMA);
    config->reads.slow_start_us = sim_chance(world, 500) ? sim_skewed(world, 1000, 5000000) : 0;
    config->reads.fallback_max = (uint32_t)sim_between(world, 1, 100);
    if (sim_chance(world, 200))
        config->reads.primary = PQR__PRIMARY_ALWAYS;
    else if (config->n_servers > 2 && sim_chance(world, 200)) /* one may be of another cluster */
        config->reads.primary = PQR__PRIMARY_NEVER;
}

static void vary_sharing(struct sim_world *world, struct pqr_config *config)
{
    config->pool.pipeline_depth = sim_chance(world, 150) ? 1 : (uint32_t)sim_between(world, 2, 64);
    config->reads.share_sync = sim_chance(world, 150) ? 1 : (uint32_t)sim_between(world, 2, 32);
    config->reads.share_limit_us = sim_skewed(world, 1000, 50000);
    config->writes.pipeline = sim_chance(world, 300);
    config->statements.prepare_threshold = sim_pick(world, 0, 4);
    config->statements.max_prepared = sim_chance(world, 500) ? sim_pick(world, 1, 6) : 256;
}

static void vary_overload(struct sim_world *world, struct pqr_config *config)
{
    config->queue.normal_share = (uint32_t)sim_between(world, 0, 90);
    config->queue.batch_share = (uint32_t)sim_between(world, 0, 50);
    config->queue.batch_age_us = sim_skewed(world, 1000, 10000000);
    config->queue.target_us = sim_chance(world, 300) ? 0 : sim_skewed(world, 1000, 1000000);
    config->queue.interval_us = sim_skewed(world, 1000, 2000000);
}

static void vary_rest(struct sim_world *world, struct pqr_config *config)
{
    config->probe.interval_us = sim_skewed(world, 50000, 1000000);
    config->probe.timeout_us = sim_skewed(world, 50000, 1000000);
    vary_reads(world, config);
    vary_overload(world, config);
    vary_sharing(world, config);
    if (sim_chance(world, 300))
        config->queue.max_requests = sim_pick(world, 1, 30);
    if (sim_chance(world, 200))
        config->queue.max_bytes = sim_pick(world, 2000, 6000);
    config->request.timeout_us = sim_chance(world, 100) ? 0 : sim_skewed(world, 50000, 10000000);
    config->request.cancel_grace_us = sim_skewed(world, 1000, 500000);
    config->request.max_retries = (uint32_t)sim_between(world, 0, 4);
    config->transaction.idle_timeout_us = sim_skewed(world, 20000, 2000000);
    config->transaction.max_attempts = (uint32_t)sim_between(world, 1, 4);
    config->catalog.load = sim_chance(world, 700);
    config->catalog.refresh_us = sim_skewed(world, 50000, 2000000);
}

/* What both have in common: all that was varied, and often other limits. */
static int copy_rules(struct sim_world *world, struct pqr_config *fewer, const struct pqr_config *config)
{
    for (uint32_t i = 0; i < fewer->n_servers; i++) {
        fewer->servers[i].min = config->servers[i].min;
        fewer->servers[i].max = config->servers[i].max;
        fewer->servers[i].weight = config->servers[i].weight;
    }
    fewer->pool = config->pool;
    fewer->pool.init_sql = config->pool.init_sql ? pqr__strdup(config->pool.init_sql) : NULL;
    if (sim_chance(world, 700))
        vary_limits(world, fewer);
    if (sim_chance(world, 300)) /* far less than is open may be too much */
        for (uint32_t i = 0; i < fewer->n_servers; i++) {
            fewer->servers[i].max = fewer->pool.admin_reserved + 2;
            fewer->servers[i].min = 0;
        }
    fewer->probe = config->probe;
    fewer->reads = config->reads;
    fewer->writes = config->writes;
    fewer->queue = config->queue;
    fewer->request = config->request;
    fewer->transaction = config->transaction;
    fewer->catalog = config->catalog;
    fewer->statements.prepare_threshold = config->statements.prepare_threshold;
    fewer->statements.max_prepared = config->statements.max_prepared;
    return config->pool.init_sql && !fewer->pool.init_sql ? PQR_ENOMEM : 0;
}

static int make(struct pqr_config **out, uint32_t n_servers)
{
    static const char *const hosts[SIM_MAX_SERVERS] = {"s0", "s0,s1", "s0,s1,s2", "s0,s1,s2,s3"};
    char conninfo[120];
    pqr_error error;
    snprintf(conninfo, sizeof(conninfo), "host=%s port=5432 dbname=sim user=sim", hosts[n_servers - 1]);
    return pqr_config_conninfo(out, conninfo, &error);
}

int sim_vary(
    struct sim_world *world, uint32_t n_servers, struct pqr_config **config, struct pqr_config **fewer)
{
    int status = make(config, n_servers);
    if (status != 0)
        return status;
    vary_pool(world, *config);
    vary_rest(world, *config);
    if (n_servers < 2)
        return 0;
    status = make(fewer, n_servers - 1);
    return status ? status : copy_rules(world, *fewer, *config);
}
