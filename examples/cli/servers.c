/* The table of servers and the list of their problems, from one snapshot of the router. */
#include "servers.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "mend.h"

enum { N_COLUMNS = 8, CELL = 96 };

static const char *const titles[N_COLUMNS] = {
    "server", "role", "version", "lag", "round trip", "connections", "pool", "address"};

static void format_time(char *out, int64_t us)
{
    if (us < 0)
        snprintf(out, CELL, "-");
    else if (us < 1000)
        snprintf(out, CELL, "%" PRId64 " us", us);
    else if (us < 1000000)
        snprintf(out, CELL, "%.1f ms", (double)us / 1e3);
    else
        snprintf(out, CELL, "%.1f s", (double)us / 1e6);
}

static bool is_up(pqr_role role)
{
    return role == PQR_ROLE_PRIMARY || role == PQR_ROLE_REPLICA;
}

static void fill_row(char cells[N_COLUMNS][CELL], const pqr_pool_stats *pool)
{
    bool up = is_up(pool->role);

    snprintf(cells[0], CELL, "%s", pool->server);
    snprintf(cells[1], CELL, "%s", pqr_role_name(pool->role));
    if (pool->server_version)
        snprintf(cells[2], CELL, "%u.%u", pool->server_version / 10000, pool->server_version % 10000);
    else
        snprintf(cells[2], CELL, "-");
    format_time(cells[3], pool->role == PQR_ROLE_REPLICA ? pool->lag_us : -1);
    format_time(cells[4], up ? (int64_t)pool->rtt_us : -1);
    snprintf(cells[5], CELL, "%u", pool->total_connections);
    snprintf(cells[6], CELL, "%u..%u", pool->min, pool->max);
    snprintf(cells[7], CELL, pool->host[0] == '/' ? "%s port %s" : "%s:%s", pool->host, pool->port);
}

static void measure(int widths[N_COLUMNS], const pqr_stats *stats)
{
    const pqr_pool_stats *pool;
    char cells[N_COLUMNS][CELL];

    for (int c = 0; c < N_COLUMNS; c++)
        widths[c] = (int)strlen(titles[c]);
    for (size_t i = 0; (pool = pqr_stats_pool(stats, i)); i++) {
        fill_row(cells, pool);
        for (int c = 0; c < N_COLUMNS; c++)
            if (widths[c] < (int)strlen(cells[c]))
                widths[c] = (int)strlen(cells[c]);
    }
}

void servers_print_table(const pqr_stats *stats)
{
    const pqr_pool_stats *pool;
    char cells[N_COLUMNS][CELL];
    int widths[N_COLUMNS];

    measure(widths, stats);
    for (int c = 0; c < N_COLUMNS; c++)
        printf("%-*s%s", c + 1 < N_COLUMNS ? widths[c] : 0, titles[c], c + 1 < N_COLUMNS ? "  " : "\n");
    for (size_t i = 0; (pool = pqr_stats_pool(stats, i)); i++) {
        fill_row(cells, pool);
        for (int c = 0; c < N_COLUMNS; c++)
            printf("%-*s%s", c + 1 < N_COLUMNS ? widths[c] : 0, cells[c], c + 1 < N_COLUMNS ? "  " : "\n");
    }
}

/* The server whose cluster counts as the right one; NULL when none is known. */
static const pqr_pool_stats *reference(const pqr_stats *stats)
{
    const pqr_pool_stats *pool;
    const pqr_pool_stats *found = NULL;

    for (size_t i = 0; (pool = pqr_stats_pool(stats, i)); i++) {
        if (pool->role == PQR_ROLE_PRIMARY)
            return pool;
        if (pool->role == PQR_ROLE_REPLICA && !found)
            found = pool;
    }
    return found;
}

static void print_wrong_cluster(const pqr_pool_stats *pool, const pqr_pool_stats *right)
{
    printf("%s belongs to another cluster: its system identifier is %" PRIu64, pool->server,
        pool->system_identifier);
    if (right)
        printf(", that of %s is %" PRIu64, right->server, right->system_identifier);
    printf("\n");
}

static bool print_problem(const pqr_pool_stats *pool, const pqr_stats *stats)
{
    const char *role = pqr_role_name(pool->role);
    bool up = is_up(pool->role);

    if (pool->role == PQR_ROLE_WRONG_CLUSTER)
        print_wrong_cluster(pool, reference(stats));
    else if (up && pool->expected != PQR_ROLE_UNKNOWN && pool->expected != pool->role)
        printf("%s is %s, but is configured as %s\n", pool->server, role, pqr_role_name(pool->expected));
    else if (pool->problem[0])
        printf("%s is %s: %s\n", pool->server, role, pool->problem);
    else if (!up)
        printf("%s is %s\n", pool->server, role);
    else
        return false;
    printf("    mend: %s\n", mend_for(pool));
    return true;
}

/* No problem: all but reads after a token run there as well. */
static void print_old_timeline(const pqr_pool_stats *pool, const pqr_stats *stats)
{
    const pqr_pool_stats *primary = reference(stats);

    if (pool->role == PQR_ROLE_REPLICA && primary && primary->role == PQR_ROLE_PRIMARY &&
        pool->timeline > 0 && pool->timeline < primary->timeline)
        printf("note: %s shows timeline %" PRIu32 ", and %s is on %" PRIu32
               ": it has not followed yet, or the role may "
               "not see it.\n    Until it does, reads that are after a token (PQR_TOKEN) run on the primary "
               "instead\n"
               "    mend: grant pg_monitor to the role that connects\n",
            pool->server, pool->timeline, primary->server, primary->timeline);
}

unsigned servers_print_problems(const pqr_stats *stats)
{
    const pqr_pool_stats *pool;
    unsigned problems = 0;
    bool primary_may_be = false; /* one is, or a server that has another problem */

    for (size_t i = 0; (pool = pqr_stats_pool(stats, i)); i++) {
        primary_may_be = primary_may_be || pool->role == PQR_ROLE_PRIMARY || !is_up(pool->role);
        problems += print_problem(pool, stats);
        print_old_timeline(pool, stats);
    }
    if (!primary_may_be) {
        printf("no server is the primary: writes wait, and end with unavailable or timeout\n"
               "    mend: promote a replica, or name the primary among the servers of the configuration\n");
        problems++;
    }
    return problems;
}
