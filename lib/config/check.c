/* What contradicts what. Each problem names the line of a setting that people wrote, whichever side it is. */
#include <stdio.h>
#include <string.h>

#include "base/units.h"
#include "config/draft.h"

/* Connections that a server needs beside the reserved ones: the probe's, and one for everybody. */
enum { BESIDE_RESERVED = 2 };

/* One pool's bounds, as people wrote them. */
struct bounds {
    const char *path; /* "pool." or "servers[2]." */
    uint32_t min, max;
    uint32_t line;
};

static void check_bounds(struct pqr__draft *draft, const struct bounds *bounds)
{
    char of_min[60] = "";
    char of_reserved[60] = "";
    uint32_t least = draft->config.pool.admin_reserved + BESIDE_RESERVED;
    bool below_min = bounds->max < bounds->min;
    bool below_reserved = bounds->max < least;
    if (!below_min && !below_reserved)
        return;
    if (below_min)
        snprintf(of_min, sizeof(of_min), "at least %smin (%u)", bounds->path, (unsigned)bounds->min);
    if (below_reserved)
        snprintf(of_reserved, sizeof(of_reserved), "at least pool.admin_reserved + 2 (%u)", (unsigned)least);
    pqr__problem_add(&draft->problems, bounds->line, "%smax is %u; it must be %s%s%s", bounds->path,
        (unsigned)bounds->max, of_min, below_min && below_reserved ? " and " : "", of_reserved);
}

static uint32_t first_line(uint32_t a, uint32_t b, uint32_t c)
{
    return a ? a : b ? b : c;
}

static void check_pool(struct pqr__draft *draft)
{
    const uint32_t *lines = draft->lines;
    struct bounds bounds = {.path = "pool.",
        .min = draft->config.pool.min,
        .max = draft->config.pool.max,
        .line = first_line(
            lines[PQR__KEY_POOL_MAX], lines[PQR__KEY_POOL_MIN], lines[PQR__KEY_POOL_ADMIN_RESERVED])};
    check_bounds(draft, &bounds);
}

static void check_entry(struct pqr__draft *draft, struct pqr__draft_entry *entry)
{
    const uint32_t *lines = entry->lines;
    char path[32];
    snprintf(path, sizeof(path), "servers[%u].", (unsigned)entry->index);
    struct bounds bounds = {.path = path,
        .min = lines[PQR__ENTRY_KEY_MIN] ? entry->min : draft->config.pool.min,
        .max = lines[PQR__ENTRY_KEY_MAX] ? entry->max : draft->config.pool.max,
        .line = first_line(lines[PQR__ENTRY_KEY_MAX], lines[PQR__ENTRY_KEY_MIN], entry->line)};
    /* An entry that sets neither has pool's bounds, and pool's problems. */
    if (lines[PQR__ENTRY_KEY_MIN] || lines[PQR__ENTRY_KEY_MAX])
        check_bounds(draft, &bounds);
}

static void check_total(struct pqr__draft *draft)
{
    const struct pqr_config *config = &draft->config;
    uint32_t each = config->pool.admin_reserved + BESIDE_RESERVED;
    uint32_t n = config->n_servers > draft->n_entries ? config->n_servers : draft->n_entries;
    uint64_t least = (uint64_t)each * n;
    uint64_t mins = 0;
    for (uint32_t i = 0; i < config->n_servers; i++)
        mins += config->servers[i].min;
    uint32_t line = first_line(draft->lines[PQR__KEY_POOL_MAX_TOTAL], 0, 0);
    if (config->pool.max_total == 0)
        return;
    if (config->pool.max_total < least)
        pqr__problem_add(&draft->problems, line,
            "pool.max_total is %u; it must be at least %llu: %u servers, each with a probe, "
            "pool.admin_reserved (%u) "
            "and one connection for everybody",
            (unsigned)config->pool.max_total, (unsigned long long)least, (unsigned)n,
            (unsigned)config->pool.admin_reserved);
    if (config->pool.max_total < mins)
        pqr__problem_add(&draft->problems, line,
            "pool.max_total is %u; it must be at least %llu, the sum of all servers' min",
            (unsigned)config->pool.max_total, (unsigned long long)mins);
}

static void check_backoff(struct pqr__draft *draft)
{
    char low[32];
    char high[32];
    const struct pqr_config *config = &draft->config;
    if (config->pool.backoff_min_us <= config->pool.backoff_max_us)
        return;
    pqr__duration_format(low, sizeof(low), config->pool.backoff_min_us);
    pqr__duration_format(high, sizeof(high), config->pool.backoff_max_us);
    pqr__problem_add(&draft->problems,
        first_line(draft->lines[PQR__KEY_POOL_BACKOFF_MAX], draft->lines[PQR__KEY_POOL_BACKOFF_MIN], 0),
        "pool.backoff_max is %s; it must be at least pool.backoff_min (%s)", high, low);
}

static bool has_zone(const struct pqr_config *config, const char *zone)
{
    for (uint32_t i = 0; i < config->n_servers; i++)
        if (strcmp(config->servers[i].zone, zone) == 0)
            return true;
    return false;
}

static void check_zone(struct pqr__draft *draft)
{
    const char *zone = draft->config.reads.zone;
    if (zone && *zone && !has_zone(&draft->config, zone))
        pqr__problem_add(&draft->problems, draft->lines[PQR__KEY_READS_ZONE],
            "reads.zone is \"%.60s\", and no server is of that zone; set zone in the entries of servers",
            zone);
}

static const char *address(const struct pqr__server_config *server)
{
    const char *numeric = pqr__server_config_value(server, "hostaddr");
    return numeric ? numeric : server->host;
}

static bool same_server(const struct pqr__server_config *a, const struct pqr__server_config *b)
{
    return strcmp(address(a), address(b)) == 0 && strcmp(a->port, b->port) == 0 &&
           strcmp(a->dbname, b->dbname) == 0;
}

/* The line of the entry that a server came from. */
static uint32_t entry_line(const struct pqr__draft *draft, uint32_t server)
{
    return draft->n_entries ? draft->entries[draft->server_entry[server]].line
                            : draft->lines[PQR__KEY_CONNECTION];
}

/* Servers are told by their number: a host may be a misplaced secret. */
static void check_pair(struct pqr__draft *draft, uint32_t first, uint32_t second)
{
    const struct pqr__server_config *servers = draft->config.servers;
    uint32_t line = entry_line(draft, second);
    const char *what = "same host, port and dbname; remove one";
    bool written = draft->n_entries > 0;
    unsigned a = written ? draft->entries[draft->server_entry[first]].index : first;
    unsigned b = written ? draft->entries[draft->server_entry[second]].index : second;
    if (!same_server(&servers[first], &servers[second])) {
        if (strcmp(servers[first].name, servers[second].name) != 0)
            return;
        what = "same name; give each a name of its own";
    }
    if (written)
        pqr__problem_add(&draft->problems, line, "servers[%u] is a duplicate of servers[%u]: %s", b, a, what);
    else
        pqr__problem_add(
            &draft->problems, line, "%s names its host number %u twice: %s", draft->subject, a + 1, what);
}

static void check_duplicates(struct pqr__draft *draft)
{
    for (uint32_t second = 1; second < draft->config.n_servers; second++)
        for (uint32_t first = 0; first < second; first++)
            check_pair(draft, first, second);
}

static bool same_text(const char *a, const char *b)
{
    return strcmp(a ? a : "", b ? b : "") == 0;
}

/* A read may run on any server: in another database, or as somebody else, it would find other rows. */
static void check_one_database(struct pqr__draft *draft)
{
    static const char mend[] = "write it once, in the common connection";
    const struct pqr__server_config *servers = draft->config.servers;
    for (uint32_t i = 1; draft->n_entries > 0 && i < draft->config.n_servers; i++) {
        unsigned first = draft->entries[draft->server_entry[0]].index;
        unsigned index = draft->entries[draft->server_entry[i]].index;
        if (!same_text(servers[i].dbname, servers[0].dbname))
            pqr__problem_add(&draft->problems, entry_line(draft, i),
                "servers[%u] has another dbname than servers[%u]; a router is for one database: %s", index,
                first, mend);
        if (!same_text(
                pqr__server_config_value(&servers[i], "user"), pqr__server_config_value(&servers[0], "user")))
            pqr__problem_add(&draft->problems, entry_line(draft, i),
                "servers[%u] has another user than servers[%u]; a router is for one user: %s", index, first,
                mend);
    }
}

static void check_warm_up(struct pqr__draft *draft)
{
    const struct pqr_config *config = &draft->config;
    uint32_t n = 0;
    for (const char *text = config->statements.warm_up; text && *text; text += strlen(text) + 1)
        n++;
    if (n > config->statements.max_prepared)
        pqr__problem_add(&draft->problems, draft->lines[PQR__KEY_STATEMENTS_WARM_UP],
            "statements.warm_up has %u statements; it may have at most statements.max_prepared (%u)",
            (unsigned)n, (unsigned)config->statements.max_prepared);
    if (n > 0 && config->statements.prepare_threshold == 0)
        pqr__problem_add(&draft->problems, draft->lines[PQR__KEY_STATEMENTS_WARM_UP],
            "statements.warm_up has %u statements, and statements.prepare_threshold is 0, which keeps none "
            "prepared; set it to at least 1",
            (unsigned)n);
}

void pqr__draft_check(struct pqr__draft *draft)
{
    check_pool(draft);
    for (uint32_t i = 0; i < draft->n_entries; i++)
        check_entry(draft, &draft->entries[i]);
    check_total(draft);
    check_backoff(draft);
    check_zone(draft);
    check_warm_up(draft);
    check_duplicates(draft);
    check_one_database(draft);
}
