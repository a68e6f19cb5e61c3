/* Printing for examples/shop.c. */
#include "shop_report.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The table is 79 columns wide: a line that wraps would spoil the drawing in place. */

struct text {
    char bytes[32];
};

/* 1234567 as 1,234,567. */
static struct text count_text(uint64_t count)
{
    char digits[24];
    struct text out;
    size_t length = (size_t)snprintf(digits, sizeof(digits), "%" PRIu64, count), o = 0;
    for (size_t i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            out.bytes[o++] = ',';
        out.bytes[o++] = digits[i];
    }
    out.bytes[o] = '\0';
    return out;
}

static struct text time_text(uint64_t us)
{
    struct text out;
    double ms = (double)us / 1000;
    snprintf(out.bytes, sizeof(out.bytes), ms < 10 ? "%.2f ms" : ms < 100 ? "%.1f ms" : "%.0f ms", ms);
    return out;
}

void report_init(struct report *report)
{
    memset(report, 0, sizeof(*report));
    report->terminal = isatty(STDOUT_FILENO) == 1;
}

/* Puts the cursor where the table began and clears from there. */
static void erase_table(struct report *report)
{
    if (report->terminal && report->lines > 0)
        printf("\033[%dA\033[J", report->lines);
    report->lines = 0;
}

void report_event(struct report *report, const char *format, ...)
{
    va_list arguments;
    erase_table(report);
    printf("%5.1f s  ", report->now_s);
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
    fflush(stdout);
}

void report_want_table(struct report *report)
{
    report->drawn_s = -100;
}

static void print_pool(const pqr_pool_stats *pool, uint64_t rate)
{
    printf("  %-9s %-8s %4u %4u %4u %8s %8s %7s %8s %8s\n", pool->server, pqr_role_name(pool->role),
        pool->available, pool->allocated, pool->max, count_text(pool->reads).bytes,
        count_text(pool->writes).bytes, count_text(rate).bytes, time_text(pool->latency.p50_us).bytes,
        time_text(pool->latency.p99_us).bytes);
}

static void count_rates(struct report *report, const pqr_stats *stats)
{
    double passed = report->now_s - report->counted_s;
    if (passed < (report->terminal ? 0.5 : 1))
        return; /* too short to tell */
    for (size_t i = 0; i < pqr_stats_totals(stats)->n_pools && i < REPORT_SERVERS_MAX; i++) {
        uint64_t reads = pqr_stats_pool(stats, i)->reads;
        report->reads_a_second[i] = (uint64_t)((double)(reads - report->counted_reads[i]) / passed);
        report->counted_reads[i] = reads;
    }
    report->counted_s = report->now_s;
}

void report_table(struct report *report, const pqr_stats *stats, const struct summary *summary)
{
    const pqr_router_totals *totals = pqr_stats_totals(stats);
    bool erased = report->terminal && report->lines == 0; /* an event was printed where it was */
    if (!erased && report->now_s - report->drawn_s < (report->terminal ? 0.25 : 5))
        return;
    count_rates(report, stats);
    erase_table(report);
    if (!report->terminal)
        printf("%5.1f s\n", report->now_s);
    printf("  %-9s %-8s %4s %4s %4s %8s %8s %7s %8s %8s\n", "server", "role", "idle", "busy", "max", "reads",
        "writes", "reads/s", "p50", "p99");
    for (size_t i = 0; i < totals->n_pools && i < REPORT_SERVERS_MAX; i++)
        print_pool(pqr_stats_pool(stats, i), report->reads_a_second[i]);
    printf("  %s reads  %s orders  %u waiting  %s failed  %s moved unseen\n",
        count_text(summary->reads).bytes, count_text(summary->orders).bytes, totals->waiting,
        count_text(summary->failed).bytes, count_text(totals->retries).bytes);
    report->lines = (int)totals->n_pools + 2;
    report->drawn_s = report->now_s;
    fflush(stdout);
}

void report_mark(const struct report *report, struct reads_mark *mark, const pqr_stats *stats)
{
    mark->taken = true;
    mark->at_s = report->now_s;
    for (size_t i = 0; i < pqr_stats_totals(stats)->n_pools && i < REPORT_SERVERS_MAX; i++)
        mark->reads[i] = pqr_stats_pool(stats, i)->reads;
}

/* What part of all reads between two moments one server ran, in percent. */
static double share(const struct reads_mark *from, const struct reads_mark *to, size_t server)
{
    uint64_t all = 0;
    for (size_t i = 0; i < REPORT_SERVERS_MAX; i++)
        all += to->reads[i] - from->reads[i];
    return all ? 100 * (double)(to->reads[server] - from->reads[server]) / (double)all : 0;
}

static void print_servers(const pqr_stats *stats)
{
    printf("\n  %-9s %10s %10s %17s %12s %12s\n", "server", "reads", "writes", "most connections",
        "half within", "99% within");
    for (size_t i = 0; i < pqr_stats_totals(stats)->n_pools; i++) {
        const pqr_pool_stats *pool = pqr_stats_pool(stats, i);
        char used[32];
        snprintf(used, sizeof(used), "%u of %u", pool->peak_usage, pool->max);
        printf("  %-9s %10s %10s %17s %12s %12s\n", pool->server, count_text(pool->reads).bytes,
            count_text(pool->writes).bytes, used, time_text(pool->latency.p50_us).bytes,
            time_text(pool->latency.p99_us).bytes);
    }
}

static void print_outage(const struct summary *summary, const pqr_stats *stats)
{
    if (!summary->left.taken || !summary->back.taken)
        return;
    printf("\nA replica was stopped and came back\n"
           "  %s was away from %.1f s to %.1f s. Each server's part of the reads:\n\n",
        summary->stopped, summary->left.at_s, summary->back.at_s);
    printf("  %-9s %12s %12s %12s\n", "server", "before", "meanwhile", "afterwards");
    for (size_t i = 0; i < pqr_stats_totals(stats)->n_pools && i < REPORT_SERVERS_MAX; i++) {
        printf("  %-9s %10.0f %% %10.0f %% %10.0f %%\n", pqr_stats_pool(stats, i)->server,
            share(&summary->begin, &summary->left, i), share(&summary->left, &summary->back, i),
            share(&summary->back, &summary->end, i));
    }
    uint64_t retries = pqr_stats_totals(stats)->retries;
    if (retries > 0)
        printf("\n  %s request%s under way on it moved to another server; the shop never saw that.\n",
            count_text(retries).bytes, retries == 1 ? "" : "s");
    else
        printf("\n  No request was under way on it at that moment.\n");
}

static void print_sale(const struct overtaking *sale)
{
    if (!sale->normal_done || !sale->admin_done)
        return;
    printf("\nThe pool was full, and the administrator got through\n"
           "  %s orders came at once. With %s of them waiting, one question was asked twice:\n"
           "    as anybody              answered after %9s, behind the others\n"
           "    as the administrator    answered after %9s, on the connection kept for that\n",
        count_text(sale->orders).bytes, count_text(sale->waiting).bytes, time_text(sale->normal_us).bytes,
        time_text(sale->admin_us).bytes);
}

void report_summary(const struct report *report, const struct summary *summary, const pqr_stats *stats)
{
    printf("\nIn %.0f seconds\n", report->now_s);
    printf("  %s reads and %s orders (transactions of two writes each) done, %s failed.\n",
        count_text(summary->reads).bytes, count_text(summary->orders).bytes,
        count_text(summary->failed).bytes);
    if (summary->failed > 0)
        printf("  The first failure: %s\n", summary->first_failure);
    if (summary->orders_found >= 0)
        printf("  The orders table has %s rows: %s\n", count_text((uint64_t)summary->orders_found).bytes,
            (uint64_t)summary->orders_found == summary->orders ? "none was lost, none was written twice."
                                                               : "NOT what the shop was told.");
    print_servers(stats);
    print_outage(summary, stats);
    print_sale(&summary->sale);
    fflush(stdout);
}
