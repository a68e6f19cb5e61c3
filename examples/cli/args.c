/* Command lines: getopt_long does the splitting, the words of a complaint are ours, so that each names what is
   wrong and what to write instead. */
#include "args.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

#define MAX_JOBS 1000

static const struct option options[] = {
    {"help", no_argument, NULL, 'h'},
    {"admin", no_argument, NULL, 'a'},
    {"target", required_argument, NULL, 't'},
    {"timeout", required_argument, NULL, 'T'},
    {"jobs", required_argument, NULL, 'j'},
    {"verbose", no_argument, NULL, 'v'},
    {"conninfo", required_argument, NULL, 'c'},
    {"explain", no_argument, NULL, 'e'},
    {NULL, 0, NULL, 0},
};

static unsigned option_bit(int option)
{
    switch (option) {
    case 'a':
        return ARGS_ADMIN;
    case 't':
        return ARGS_TARGET;
    case 'T':
        return ARGS_TIMEOUT;
    case 'j':
        return ARGS_JOBS;
    case 'v':
        return ARGS_VERBOSE;
    case 'c':
        return ARGS_CONNINFO;
    case 'e':
        return ARGS_EXPLAIN;
    default:
        return 0;
    }
}

bool args_duration(const char *text, uint32_t *out_ms)
{
    static const struct {
        const char *unit;
        uint64_t ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"min", 60000}, {"h", 3600000}};

    if (strcmp(text, "none") == 0) {
        *out_ms = UINT32_MAX;
        return true;
    }
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 9)
        return false;
    uint64_t count = strtoull(text, NULL, 10);
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strcmp(text + digits, units[i].unit) != 0)
            continue;
        if (count == 0 || count * units[i].ms >= UINT32_MAX)
            return false;
        *out_ms = (uint32_t)(count * units[i].ms);
        return true;
    }
    return false;
}

static bool parse_target(const char *text, pqr_target *out)
{
    static const char *const names[] = {"auto", "primary", "replica", "replica_only", "any"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(text, names[i]) == 0) {
            *out = (pqr_target)i;
            return true;
        }
    }
    return false;
}

static bool parse_jobs(const char *text, unsigned *out)
{
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 4 || text[digits] != '\0')
        return false;
    unsigned long count = strtoul(text, NULL, 10);
    if (count == 0 || count > MAX_JOBS)
        return false;
    *out = (unsigned)count;
    return true;
}

static int take_option(struct args *out, const char *command, int option)
{
    switch (option) {
    case 'h':
        out->help = true;
        return CLI_OK;
    case 'a':
        out->admin = true;
        return CLI_OK;
    case 'v':
        out->verbose = true;
        return CLI_OK;
    case 'c':
        out->conninfo = optarg;
        return CLI_OK;
    case 'e':
        out->explain = true;
        return CLI_OK;
    case 't':
        if (parse_target(optarg, &out->target))
            return CLI_OK;
        cli_complain(command,
            "--target %s: no such target; write auto, primary, replica, replica_only or any", optarg);
        return CLI_USAGE;
    case 'T':
        if (args_duration(optarg, &out->timeout_ms))
            return CLI_OK;
        cli_complain(command,
            "--timeout %s: not a duration; write a number and a unit, such as 500ms, 5s, 2min or 1h, or none",
            optarg);
        return CLI_USAGE;
    default:
        if (parse_jobs(optarg, &out->jobs))
            return CLI_OK;
        cli_complain(command, "--jobs %s: write a number from 1 to %d", optarg, MAX_JOBS);
        return CLI_USAGE;
    }
}

static const char *option_name(int option)
{
    for (size_t i = 0; options[i].name; i++)
        if (options[i].val == option)
            return options[i].name;
    return NULL;
}

/* option: what getopt_long said. */
static int refuse_option(const char *command, int option, const char *word)
{
    const char *name = option == '?' ? NULL : option_name(option);

    if (option == ':')
        cli_complain(command, "%s needs a value; see pqrouter %s --help", word, command);
    else if (name)
        cli_complain(command, "--%s is no option of it; pqrouter %s --help names them all", name, command);
    else if (optopt && !option_name(optopt))
        cli_complain(command, "-%c: no such option; pqrouter %s --help names them all", optopt, command);
    else
        cli_complain(command, "%s: no such option; pqrouter %s --help names them all", word, command);
    return CLI_USAGE;
}

int args_parse(struct args *out, int argc, char **argv, unsigned allowed)
{
    const char *command = argv[0];
    int option;

    *out = (struct args){.jobs = 1};
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":hvj:", options, NULL)) != -1) {
        if (option != 'h' && !(allowed & option_bit(option)))
            return refuse_option(command, option, argv[optind - 1]);
        if (take_option(out, command, option) != CLI_OK)
            return CLI_USAGE;
    }
    out->words = argv + optind;
    out->n_words = argc - optind;
    return CLI_OK;
}
