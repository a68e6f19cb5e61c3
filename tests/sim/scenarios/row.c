#include "row.h"

static void add(struct row *row, const struct run *run)
{
    double part = 1.0 / row->seeds;
    for (uint32_t i = 0; i < RUN_STREAMS; i++) {
        row->offered += run->offered[i];
        row->good += run->good[i];
    }
    times_join(&row->latency, &run->latency[0]);
    row->mean_connections += part * run->mean_connections;
    row->opened += part * (double)run->opened;
    row->refused += part * (double)run->refused;
    row->grown_s += part * run->grown_s;
    row->converge_s += part * run->converge_s;
    if (run->most_connections > row->most_connections)
        row->most_connections = run->most_connections;
}

void row_make(struct row *row, const struct scenario *scenario, const struct way *way, uint64_t first,
    unsigned seeds, unsigned checked)
{
    *row = (struct row){.scenario = scenario, .way = way, .seeds = seeds};
    for (unsigned i = 0; i < seeds; i++) {
        struct run *run = run_scenario(scenario, way, first + i);
        if (i < checked)
            scenario->check(run);
        add(row, run);
        run_free(run);
    }
}

void row_free(struct row *row)
{
    times_free(&row->latency);
}

double row_goodput(const struct row *row)
{
    return row->offered ? (double)row->good / (double)row->offered : 0;
}

uint64_t row_p99_us(struct row *row)
{
    return times_quantile_us(&row->latency, 99);
}

void row_print_head(void)
{
    printf("%-32s %-14s %8s %9s %7s %5s %8s %8s %8s %9s\n", "scenario", "sized by", "goodput", "p99 ms",
        "mean", "most", "opened", "refused", "grown s", "settles s");
}

void row_print(struct row *row)
{
    char name[32];
    if (row->way->fixed)
        snprintf(name, sizeof(name), "fixed %u", row->way->fixed);
    else
        snprintf(name, sizeof(name), "%s", row->way->name);
    printf("%-32s %-14s %7.2f%% %9.2f %7.1f %5u %8.1f %8.1f %8.2f %9.1f\n", row->scenario->name, name,
        100 * row_goodput(row), (double)row_p99_us(row) / 1000, row->mean_connections, row->most_connections,
        row->opened, row->refused, row->grown_s, row->converge_s);
    fflush(stdout);
}
