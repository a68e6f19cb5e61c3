/* scenarios --list            the names, one a line
   scenarios --test NAME [SEED]  ours against its promises, psycopg_pool's and HikariCP's rules, the best fixed size
   scenarios --table [NAME]    a row for each way, the best fixed size found by search among them
   scenarios --data DIR NAME   a file of samples for each way, for gnuplot */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "row.h"

enum { OURS, PSYCOPG, HIKARI, WAYS, FIXED = WAYS, ROWS };

static const struct way ways[WAYS] = {
    {"pqrouter", NULL, 0}, {"psycopg_pool", &rules_psycopg, 0}, {"HikariCP", &rules_hikari, 0}};
static const uint32_t sizes[] = {1, 2, 3, 4, 6, 8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 50, 60, 80, 98};
enum { N_SIZES = sizeof(sizes) / sizeof(sizes[0]), SEEDS = 20, CHECKED_SEEDS = 10, SEARCH_SEEDS = 5 };

static const struct scenario *find(const char *name)
{
    for (unsigned i = 0; scenarios[i]; i++)
        if (strcmp(scenarios[i]->name, name) == 0)
            return scenarios[i];
    fprintf(stderr, "no scenario \"%s\"; see --list\n", name);
    exit(2);
}

/* --- the table --- */

static bool better(struct row *a, struct row *b)
{
    double of_a = row_goodput(a), of_b = row_goodput(b);
    if (of_a > of_b + 0.002 || of_a < of_b - 0.002)
        return of_a > of_b;
    return (double)row_p99_us(a) < 0.998 * (double)row_p99_us(b);
}

/* The best goodput; of those within a fifth of a percent the shortest p99, and then the fewest connections. The way is
   the caller's. */
static void best_fixed(struct row *best, const struct scenario *scenario, struct way *ways_of_sizes)
{
    for (unsigned i = 0; i < N_SIZES; i++) {
        struct row row;
        ways_of_sizes[i] = (struct way){.name = "fixed", .sizing = &rules_fixed, .fixed = sizes[i]};
        row_make(&row, scenario, &ways_of_sizes[i], 1, SEARCH_SEEDS, 0);
        if (i > 0 && !better(&row, best)) {
            row_free(&row);
            continue;
        }
        if (i > 0)
            row_free(best);
        *best = row;
    }
}

static void table(const struct scenario *scenario)
{
    struct row row;
    for (unsigned i = 0; i < (scenario->no_size_is_best ? 1 : WAYS); i++) {
        row_make(&row, scenario, &ways[i], 1, scenario->no_size_is_best ? 1 : SEEDS, 0);
        row_print(&row);
        row_free(&row);
    }
    struct way of_sizes[N_SIZES];
    if (scenario->no_size_is_best)
        return;
    best_fixed(&row, scenario, of_sizes);
    const struct way *way = row.way;
    row_free(&row);
    if (way->fixed != scenario->best_fixed)
        fprintf(stderr, "%s: the best fixed size is %u, the test knows of %u\n", scenario->name, way->fixed,
            scenario->best_fixed);
    row_make(&row, scenario, way, 1, SEEDS, 0);
    row_print(&row);
    row_free(&row);
}

/* --- the test --- */

/* How many were answered in time, and the p99 of them. */
static bool within(struct row *ours, struct row *other, double part, double times)
{
    double goodput = row_goodput(other), our_goodput = row_goodput(ours);
    double p99_ms = (double)row_p99_us(other) / 1000, our_p99_ms = (double)row_p99_us(ours) / 1000;
    bool held = our_goodput >= part * goodput && our_p99_ms <= times * p99_ms;
    if (!held)
        fprintf(stderr,
            "%s: %s serves %.1f%% and has a p99 of %.2f ms, ours %.1f%% and %.2f ms; no more than %.2f times "
            "that is demanded\n",
            ours->scenario->name, other->way->name, 100 * goodput, p99_ms, 100 * our_goodput, our_p99_ms,
            times);
    return held;
}

/* Within 3% of pools that people use, and within 10% of the size that nobody knows beforehand. */
static bool holds(struct row *rows)
{
    bool held = within(&rows[OURS], &rows[FIXED], 0.9, 1.1);
    for (unsigned i = OURS + 1; i < WAYS; i++)
        held &= within(&rows[OURS], &rows[i], 0.97, 1.03);
    return held;
}

static void make(struct row *row, const struct scenario *scenario, const struct way *way, uint64_t seed)
{
    unsigned seeds = scenario->no_size_is_best ? 1 : SEEDS;
    row_make(row, scenario, way, seed, seeds, way == &ways[OURS] ? CHECKED_SEEDS : 0);
    row_print(row);
}

static int test(const struct scenario *scenario, uint64_t seed)
{
    struct row rows[ROWS];
    const struct way fixed = {.name = "fixed", .sizing = &rules_fixed, .fixed = scenario->best_fixed};
    unsigned n = scenario->no_size_is_best ? 1 : ROWS;
    row_print_head();
    for (unsigned i = 0; i < n; i++)
        make(&rows[i], scenario, i == FIXED ? &fixed : &ways[i], seed);
    bool held = n == 1 || holds(rows);
    for (unsigned i = 0; i < n; i++)
        row_free(&rows[i]);
    return held ? 0 : 1;
}

static void write_data(const char *folder, const struct scenario *scenario)
{
    for (unsigned i = 0; i < WAYS; i++) {
        char path[500];
        snprintf(path, sizeof(path), "%s/%s.dat", folder, ways[i].name);
        FILE *to = fopen(path, "w");
        if (!to) {
            perror(path);
            exit(1);
        }
        struct run *run = run_scenario(scenario, &ways[i], 1);
        run_write(run, to);
        fclose(to);
        run_free(run);
    }
}

static int list(void)
{
    for (unsigned i = 0; scenarios[i]; i++)
        puts(scenarios[i]->name);
    return 0;
}

static int tables(const struct scenario *only)
{
    row_print_head();
    for (unsigned i = 0; scenarios[i]; i++)
        if (!only || scenarios[i] == only)
            table(scenarios[i]);
    return 0;
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    if (argc == 2 && strcmp(what, "--list") == 0)
        return list();
    if ((argc == 2 || argc == 3) && strcmp(what, "--table") == 0)
        return tables(argc == 3 ? find(argv[2]) : NULL);
    if ((argc == 3 || argc == 4) && strcmp(what, "--test") == 0)
        return test(find(argv[2]), argc == 4 ? strtoull(argv[3], NULL, 10) : 1);
    if (argc == 4 && strcmp(what, "--data") == 0) {
        write_data(argv[2], find(argv[3]));
        return 0;
    }
    fputs("scenarios --list | --test NAME [SEED] | --table [NAME] | --data FOLDER NAME\n", stderr);
    return 2;
}
