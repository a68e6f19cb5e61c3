/* scenarios --list            the names, one a line
   scenarios --test NAME [SEED]  ours against its promises, psycopg_pool's and HikariCP's rules
   scenarios --table [NAME]    a row for each way, the best fixed size found by search among them
   scenarios --data DIR NAME   a file of samples for each way, for gnuplot */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "row.h"

enum { OURS, PSYCOPG, HIKARI, WAYS };

static const struct way ways[WAYS] = {
    {"pqrouter", NULL, 0}, {"psycopg_pool", &rules_psycopg, 0}, {"HikariCP", &rules_hikari, 0}};
static const uint32_t sizes[] = {1, 2, 3, 4, 6, 8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 50, 60, 80, 98};
enum { N_SIZES = sizeof(sizes) / sizeof(sizes[0]), SEEDS = 20, TEST_SEEDS = 10, SEARCH_SEEDS = 5 };

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
    return row_p99_us(a) < row_p99_us(b);
}

/* The best goodput; of those within a fifth of a percent the shortest p99. The way is the caller's. */
static void best_fixed(struct row *best, const struct scenario *scenario, struct way *ways_of_sizes)
{
    for (unsigned i = 0; i < N_SIZES; i++) {
        struct row row;
        ways_of_sizes[i] = (struct way){.name = "fixed", .sizing = &rules_fixed, .fixed = sizes[i]};
        row_make(&row, scenario, &ways_of_sizes[i], 1, SEARCH_SEEDS, false);
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
        row_make(&row, scenario, &ways[i], 1, scenario->no_size_is_best ? 1 : SEEDS, false);
        row_print(&row);
        row_free(&row);
    }
    struct way of_sizes[N_SIZES];
    if (scenario->no_size_is_best)
        return;
    best_fixed(&row, scenario, of_sizes);
    const struct way *way = row.way;
    row_free(&row);
    row_make(&row, scenario, way, 1, SEEDS, false);
    row_print(&row);
    row_free(&row);
}

/* --- the test --- */

/* How many were answered in time, and the p99 of them: within 3% of the best. */
static bool holds(struct row *rows, unsigned n)
{
    double goodput = 0;
    uint64_t p99_us = UINT64_MAX;
    for (unsigned i = OURS + 1; i < n; i++) {
        goodput = row_goodput(&rows[i]) > goodput ? row_goodput(&rows[i]) : goodput;
        p99_us = row_p99_us(&rows[i]) < p99_us ? row_p99_us(&rows[i]) : p99_us;
    }
    bool held = row_goodput(&rows[OURS]) >= 0.97 * goodput &&
                (double)row_p99_us(&rows[OURS]) <= 1.03 * (double)p99_us;
    if (!held)
        fprintf(stderr, "%s: others serve %.1f%% and have a p99 of %.2f ms, ours %.1f%% and %.2f ms\n",
            rows->scenario->name, 100 * goodput, (double)p99_us / 1000, 100 * row_goodput(&rows[OURS]),
            (double)row_p99_us(&rows[OURS]) / 1000);
    return held;
}

static int test(const struct scenario *scenario, uint64_t seed)
{
    struct row rows[WAYS];
    bool alone = scenario->no_size_is_best;
    unsigned n = alone ? 1 : WAYS;
    row_print_head();
    for (unsigned i = 0; i < n; i++) {
        row_make(&rows[i], scenario, &ways[i], seed, alone ? 1 : TEST_SEEDS, i == OURS);
        row_print(&rows[i]);
    }
    bool held = holds(rows, n);
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
