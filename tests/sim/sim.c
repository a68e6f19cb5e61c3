/* The simulator's command: runs seeds, or one seed with every allocation failing in turn. */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "heap.h"
#include "scenario.h"

/* A crash is reported with its seed, whatever else reports it. */
#if defined(__SANITIZE_ADDRESS__)
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "abort_on_error=1:handle_abort=0";
}
const char *__ubsan_default_options(void);
const char *__ubsan_default_options(void)
{
    return "halt_on_error=1:abort_on_error=1:print_stacktrace=1";
}
#endif

static char replay[120];

static void crashed(int signal)
{
    ssize_t ignored = write(STDERR_FILENO, replay, strlen(replay));
    (void)ignored;
    _exit(128 + signal);
}

static void run(uint64_t seed, struct sim_options *options, struct sim_summary *summary)
{
    char more[60] = "";
    if (options->fail_at > 0)
        snprintf(more, sizeof(more), " --fail-at %llu%s", (unsigned long long)options->fail_at,
            options->fail_on ? " --fail-on" : "");
    snprintf(replay, sizeof(replay), "crashed; to see it again: sim --seed %llu --trace%s\n",
        (unsigned long long)seed, more);
    options->replay = more;
    sim_scenario_run(seed, options, summary);
    options->replay = NULL;
}

static void fail_each_allocation(uint64_t seed, struct sim_summary *summary)
{
    struct sim_options options = {0};
    run(seed, &options, summary);
    uint64_t allocations = summary->allocations;
    for (int on = 0; on < 2; on++) {
        for (uint64_t n = 1; n <= allocations; n++) {
            options.fail_at = n;
            options.fail_on = on != 0;
            run(seed, &options, summary);
        }
    }
    printf("seed %llu: each of %llu allocations failed alone, and with all after it\n",
        (unsigned long long)seed, (unsigned long long)allocations);
}

/* The next seeds whose history is short, and has requests that fly together and prepared statements that go stale. */
static void fail_allocations_of_flights(uint64_t seed, uint64_t n, struct sim_summary *summary)
{
    enum { STEPS_MAX = 1500, SEEDS_MAX = 20000 };
    for (uint64_t last = seed + SEEDS_MAX; n > 0 && seed < last; seed++) {
        struct sim_options options = {0};
        struct sim_summary one = {0};
        run(seed, &options, &one);
        if (one.steps > STEPS_MAX || one.flights.groups == 0 || one.flights.stale == 0)
            continue;
        fail_each_allocation(seed, summary);
        n--;
    }
    if (n > 0) {
        fputs("no such seeds\n", stderr);
        exit(1);
    }
}

/* What the checks of flights are about; each has to occur, or they show nothing. */
static bool report(const struct sim_flights *flights)
{
    const struct {
        const char *what;
        uint64_t times;
    } lines[] = {
        {"groups under one Sync", flights->groups},
        {"requests in them", flights->members},
        {"in the largest", flights->largest},
        {"groups on a primary", flights->on_primary},
        {"groups of several texts", flights->mixed},
        {"flights sent behind another", flights->behind},
        {"of them writes", flights->writes_behind},
        {"transactions sent as one", flights->wholes},
        {"of them without BEGIN and COMMIT", flights->implicit},
        {"statements sent with BEGIN", flights->begins},
        {"of them once more", flights->begun_again},
        {"of them for nothing, since BEGIN failed", flights->refused},
        {"batches", flights->batches},
        {"of them committed as one", flights->batches_ok},
        {"requests aborted by a neighbour", flights->aborted},
        {"of them run again, alone", flights->apart},
        {"requests hit by the cancel of a neighbour", flights->hit},
        {"statements prepared", flights->prepared},
        {"statements sent by name", flights->by_name},
        {"statements that had gone stale", flights->stale},
        {"of them writes", flights->stale_writes},
        {"of them in a group", flights->stale_in_group},
        {"of them in a transaction", flights->stale_in_tx},
        {"parts shown", flights->parts},
        {"requests that had one", flights->in_parts},
        {"that had enough of them", flights->enough},
        {"tokens asked for", flights->asked},
        {"tokens told", flights->tokens},
        {"reads after a token", flights->after},
        {"of them on a standby", flights->after_on_standby},
        {"standbys asked how far they are", flights->checked},
        {"reads sent again when they were not there", flights->missed},
        {"lost behind a part", flights->parts_lost},
        {"run again before the first", flights->parts_again},
    };
    bool all = true;
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        printf("%9llu %s\n", (unsigned long long)lines[i].times, lines[i].what);
        all &= lines[i].times > 0;
    }
    return all;
}

static const char usage[] =
    "usage: sim [--seeds N] [--from SEED] [--seed SEED] [--all] [--trace] [--oom] [--fail-at N [--fail-on]]\n"
    "Runs the router on simulated servers and a virtual clock, one history a seed.\n"
    "  --seeds N    that many seeds (default 100), from --from (default 1)\n"
    "  --seed SEED  one seed\n"
    "  --all        ends with 1 when something that is checked has not occurred\n"
    "  --trace      print what happens\n"
    "  --oom        each seed once for each allocation, which fails: alone, and with all after it\n"
    "               (with --all: only seeds in which requests fly together, and few steps are taken)\n"
    "  --fail-at N  the Nth allocation fails; --fail-on: and all after it\n"
    "Ends with 1, and the command that shows it again, when a promise is broken.\n";

int main(int argc, char **argv)
{
    static const struct option known[] = {{"seeds", required_argument, NULL, 'n'},
        {"from", required_argument, NULL, 'f'}, {"seed", required_argument, NULL, 's'},
        {"all", no_argument, NULL, 'e'}, {"trace", no_argument, NULL, 't'}, {"oom", no_argument, NULL, 'o'},
        {"fail-at", required_argument, NULL, 'a'}, {"fail-on", no_argument, NULL, 'p'},
        {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
    uint64_t from = 1, seeds = 100;
    struct sim_options options = {0};
    bool each = false, all = false;
    for (int option; (option = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        uint64_t number = optarg ? strtoull(optarg, NULL, 10) : 0;
        switch (option) {
        case 'n':
            seeds = number;
            break;
        case 's':
            seeds = 1;
            from = number;
            break;
        case 'f':
            from = number;
            break;
        case 'e':
            all = true;
            break;
        case 't':
            options.trace = true;
            break;
        case 'o':
            each = true;
            break;
        case 'a':
            options.fail_at = number;
            break;
        case 'p':
            options.fail_on = true;
            break;
        default:
            fputs(usage, option == 'h' ? stdout : stderr);
            return option == 'h' ? 0 : 2;
        }
    }
    signal(SIGABRT, crashed);
    signal(SIGSEGV, crashed);
    sim_heap_install();
    struct sim_summary summary = {0};
    if (each && all)
        fail_allocations_of_flights(from, seeds, &summary);
    for (uint64_t seed = from; seed < from + seeds && !(each && all); seed++) {
        if (each)
            fail_each_allocation(seed, &summary);
        else
            run(seed, &options, &summary);
    }
    printf("%llu seeds, %llu steps, %llu requests, %llu of them ok\n", (unsigned long long)seeds,
        (unsigned long long)summary.steps, (unsigned long long)summary.requests,
        (unsigned long long)summary.ok);
    if (report(&summary.flights) || !all || each)
        return 0;
    fputs("not all of it has occurred\n", stderr);
    return 1;
}
