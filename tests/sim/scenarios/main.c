/* scenarios --list            the names, one a line
   scenarios --test NAME [SEED]  ours against its promises, psycopg_pool's and HikariCP's rules
   scenarios --table [NAME]    a row for each way, the best fixed size found by search among them
   scenarios --data DIR NAME   a file of samples for each way, for gnuplot */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run.h"

enum { OURS, PSYCOPG, HIKARI, WAYS };

static const struct way ways[WAYS] = {
    {"pqrouter", NULL, 0}, {"psycopg_pool", &rules_psycopg, 0}, {"HikariCP", &rules_hikari, 0}};
static const uint32_t sizes[] = {1, 2, 3, 4, 6, 8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 50, 60, 80, 98};
enum { N_SIZES = sizeof(sizes) / sizeof(sizes[0]) };

static const struct scenario *find(const char *name)
{
    for (unsigned i = 0; scenarios[i]; i++)
        if (strcmp(scenarios[i]->name, name) == 0)
            return scenarios[i];
    fprintf(stderr, "no scenario \"%s\"; see --list\n", name);
    exit(2);
}

/* --- the table --- */

static void print_head(void)
{
    printf("%-32s %-14s %8s %9s %7s %5s %8s %8s %8s %9s\n", "scenario", "sized by", "goodput", "p99 ms",
        "mean", "most", "opened", "refused", "grown s", "settles s");
}

static void print_row(const struct run *run)
{
    char name[32];
    if (run->way->fixed)
        snprintf(name, sizeof(name), "fixed %u", run->way->fixed);
    else
        snprintf(name, sizeof(name), "%s", run->way->name);
    printf("%-32s %-14s %7.2f%% %9.1f %7.1f %5u %8llu %8llu %8.2f %9.1f\n", run->scenario->name, name,
        100 * run_goodput(run), (double)run_p99_us(run, 0) / 1000, run->mean_connections,
        run->most_connections, (unsigned long long)run->opened, (unsigned long long)run->refused,
        run->grown_s, run->converge_s);
    fflush(stdout);
}

static bool better(const struct run *a, const struct run *b)
{
    double of_a = run_goodput(a), of_b = run_goodput(b);
    if (of_a > of_b + 0.002 || of_a < of_b - 0.002)
        return of_a > of_b;
    return run_p99_us(a, 0) < run_p99_us(b, 0);
}

/* The best goodput; of those within a fifth of a percent the shortest p99. The way is the caller's. */
static struct run *best_fixed(const struct scenario *scenario, struct way *ways_of_sizes)
{
    struct run *best = NULL;
    for (unsigned i = 0; i < N_SIZES; i++) {
        ways_of_sizes[i] = (struct way){.name = "fixed", .sizing = &rules_fixed, .fixed = sizes[i]};
        struct run *run = run_scenario(scenario, &ways_of_sizes[i], 1);
        if (best && !better(run, best)) {
            run_free(run);
            continue;
        }
        if (best)
            run_free(best);
        best = run;
    }
    return best;
}

static void table(const struct scenario *scenario)
{
    for (unsigned i = 0; i < (scenario->no_size_is_best ? 1 : WAYS); i++) {
        struct run *run = run_scenario(scenario, &ways[i], 1);
        print_row(run);
        run_free(run);
    }
    struct way of_sizes[N_SIZES];
    if (scenario->no_size_is_best)
        return;
    struct run *best = best_fixed(scenario, of_sizes);
    print_row(best);
    run_free(best);
}

/* --- the test --- */

static int test(const struct scenario *scenario, uint64_t seed)
{
    struct run *runs[WAYS];
    unsigned n = scenario->no_size_is_best ? 1 : WAYS;
    double best = 0;
    print_head();
    for (unsigned i = 0; i < n; i++) {
        runs[i] = run_scenario(scenario, &ways[i], seed);
        print_row(runs[i]);
        if (i != OURS && run_goodput(runs[i]) > best)
            best = run_goodput(runs[i]);
    }
    bool held = run_goodput(runs[OURS]) >= 0.97 * best;
    if (!held)
        fprintf(stderr, "%s: others serve %.1f%%, ours %.1f%%\n", scenario->name, 100 * best,
            100 * run_goodput(runs[OURS]));
    scenario->check(runs[OURS]);
    for (unsigned i = 0; i < n; i++)
        run_free(runs[i]);
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
    print_head();
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
