/* The snapshot as JSON text. Its words are the member names of the public structs, from one list each, so that
   a word and its value cannot part. system_identifier is a string: it does not fit the 53 bits that many readers
   of JSON keep of a number. */
#include <inttypes.h>
#include <string.h>

#include "base/text.h"
#include "observe/stats.h"

static void number(struct pqr__text *text, const char *name, uint64_t value)
{
    pqr__text_printf(text, "\"%s\":%" PRIu64 ",", name, value);
}

static void string(struct pqr__text *text, const char *name, const char *value)
{
    pqr__text_printf(text, "\"%s\":", name);
    pqr__text_json(text, value, strlen(value));
    pqr__text_puts(text, ",");
}

static void latency(struct pqr__text *text, const char *name, const pqr_latency *value)
{
    pqr__text_printf(text,
        "\"%s\":{\"count\":%" PRIu64 ",\"p50_us\":%" PRIu64 ",\"p90_us\":%" PRIu64 ",\"p99_us\":%" PRIu64
        ",\"max_us\":%" PRIu64 "},",
        name, value->count, value->p50_us, value->p90_us, value->p99_us, value->max_us);
}

/* A comma too many, left by the last member, becomes the closing bracket. */
static void close_with(struct pqr__text *text, char bracket)
{
    if (!text->failed)
        text->bytes[text->length - 1] = bracket;
}

static void by_status(struct pqr__text *text, const pqr_router_totals *totals)
{
    pqr__text_puts(text, "\"by_status\":{");
#define XX(name, word) number(text, #word, totals->by_status[PQR_STATUS_##name]);
    PQR_STATUS_MAP(XX)
#undef XX
    close_with(text, '}');
    pqr__text_puts(text, ",");
}

static void by_outcome(struct pqr__text *text, const pqr_router_totals *totals)
{
    pqr__text_puts(text, "\"by_outcome\":{");
#define XX(name, word) number(text, #word, totals->by_outcome[PQR_OUTCOME_##name]);
    PQR_OUTCOME_MAP(XX)
#undef XX
    close_with(text, '}');
    pqr__text_puts(text, ",");
}

static void totals_json(struct pqr__text *text, const pqr_router_totals *totals)
{
#define NUMBER(member) number(text, #member, totals->member)
    NUMBER(uptime_us);
    NUMBER(available);
    NUMBER(allocated);
    NUMBER(peak_usage);
    NUMBER(total_connections);
    NUMBER(max_total);
    NUMBER(waiting);
    NUMBER(admin_waiting);
    NUMBER(waiting_bytes);
    NUMBER(accepted);
    NUMBER(answered);
    by_status(text, totals);
    by_outcome(text, totals);
    NUMBER(routed_replica);
    NUMBER(routed_primary);
    NUMBER(fallback_primary);
    NUMBER(retries);
    NUMBER(misroutes);
    latency(text, "latency", &totals->latency);
    latency(text, "queued", &totals->queued);
    NUMBER(n_pools);
    NUMBER(catalog_entries);
    NUMBER(catalog_bytes);
    NUMBER(catalog_loads);
    NUMBER(batch_waiting);
    NUMBER(refused);
    NUMBER(shed);
    NUMBER(pipelined_writes);
    NUMBER(batches);
    NUMBER(batch_queries);
    NUMBER(tokens);
    NUMBER(token_checks);
    NUMBER(token_misses);
#undef NUMBER
}

static void pool_json(struct pqr__text *text, const pqr_pool_stats *pool)
{
#define NUMBER(member) number(text, #member, pool->member)
#define STRING(member) string(text, #member, pool->member)
    pqr__text_puts(text, "{");
    STRING(server);
    STRING(host);
    STRING(port);
    string(text, "role", pqr_role_name(pool->role));
    string(text, "expected", pool->expected == PQR_ROLE_UNKNOWN ? "any" : pqr_role_name(pool->expected));
    NUMBER(available);
    NUMBER(allocated);
    NUMBER(peak_usage);
    NUMBER(total_connections);
    NUMBER(min);
    NUMBER(max);
    NUMBER(connecting);
    NUMBER(connects);
    NUMBER(connect_failures);
    NUMBER(reads);
    NUMBER(writes);
    NUMBER(errors);
    NUMBER(rtt_us);
    pqr__text_printf(text, "\"lag_us\":%" PRId64 ",", pool->lag_us);
    NUMBER(server_version);
    NUMBER(timeline);
    pqr__text_printf(text, "\"system_identifier\":\"%" PRIu64 "\",", pool->system_identifier);
    latency(text, "latency", &pool->latency);
    STRING(problem);
    NUMBER(wanted);
    NUMBER(ceiling);
    STRING(sizing);
    NUMBER(recent_us);
    STRING(zone);
    NUMBER(fleet_members);
    NUMBER(fleet_share);
    NUMBER(closing);
    NUMBER(left_behind);
    close_with(text, '}');
#undef NUMBER
#undef STRING
}

int pqr_stats_json(const pqr_stats *stats, char **out)
{
    if (!stats || !out)
        return PQR_EINVAL;
    struct pqr__text text = {0};
    pqr__text_puts(&text, "{");
    totals_json(&text, &stats->totals);
    pqr__text_puts(&text, "\"pools\":[");
    for (size_t i = 0; i < stats->totals.n_pools; i++) {
        pool_json(&text, &stats->pools[i]);
        pqr__text_puts(&text, ",");
    }
    if (stats->totals.n_pools > 0)
        close_with(&text, ']');
    else
        pqr__text_puts(&text, "]");
    pqr__text_puts(&text, "}");
    char *json = pqr__text_take(&text);
    if (!json)
        return PQR_ENOMEM;
    *out = json;
    return 0;
}
