/* pqrouter check: connects to every server of a configuration and says how they are. */
#include <stdio.h>

#include "args.h"
#include "cli.h"
#include "pqrouter.h"
#include "servers.h"
#include "session.h"

/* Longer than the default connect timeout (10 s), so that a server that swallows packets is told as such. */
#define DEFAULT_TIMEOUT_MS 15000
#define LOOK_MS            100
/* A replica's lag is known once it was probed after the primary, and min is open a moment after the first connection:
   look again so many times. */
#define LOOKS_UNSETTLED 30
/* All servers have answered or refused, and none is the primary: when it looks like that so many times in a row,
   waiting longer tells nothing new. */
#define LOOKS_IN_VAIN 10

const char *const check_help[] = {
    "NAME\n"
    "    pqrouter check - check a configuration against its servers\n"
    "\n"
    "SYNOPSIS\n"
    "    pqrouter check CONFIG [--timeout DURATION] [--verbose]\n"
    "\n"
    "DESCRIPTION\n"
    "    Reads CONFIG, connects to every server in it as an application would, prints a table of them, and\n"
    "    below it each problem with its mend.\n"
    "\n"
    "    CONFIG is a configuration file, or a libpq connection string or URI (anything with = or ://);\n"
    "    several hosts in it are several servers. Others can see a command line: keep passwords in\n"
    "    ~/.pgpass or in the configuration file.\n"
    "\n"
    "    Problems are: a configuration that is not valid (every problem with its file and line), a server\n"
    "    that is down or refuses us, one of another cluster, one that is not what role in the configuration\n"
    "    says, two primaries, no primary.\n"
    "\n"
    "OPTIONS\n"
    "    --timeout DURATION\n"
    "        How long to wait for all servers at most: 500ms, 5s, 2min, 1h, or none; 15s by default.\n"
    "    -v, --verbose\n"
    "        Shows what the router logs on standard error.\n"
    "    -h, --help\n"
    "        Prints this text.\n"
    "\n",
    "OUTPUT\n"
    "    server       its name in the configuration\n"
    "    role         primary, replica, down, wrong_cluster, fenced (a second primary), unknown\n"
    "    version      of PostgreSQL\n"
    "    lag          how far a replica is behind the primary\n"
    "    round trip   of the last probe\n"
    "    connections  open now, the probe's among them\n"
    "    pool         fewest..most connections that the pool may have\n"
    "    address      host and port, or the socket's folder and port\n"
    "\n"
    "EXIT STATUS\n"
    "    0   the configuration is valid and every server is what it should be\n"
    "    1   a server has a problem\n"
    "    2   the command line or the configuration is wrong; nothing was connected to\n"
    "    130, 143\n"
    "        Ctrl-C or SIGTERM\n"
    "\n"
    "EXAMPLES\n"
    "    pqrouter check /etc/shop/pqrouter.cfg\n"
    "    pqrouter check 'host=127.0.0.1,127.0.0.1 port=5432,5433 dbname=shop' --timeout 3s\n"
    "    pqrouter check \"$DATABASE_URL\" && echo ready\n",
    NULL,
};

struct check {
    struct session session;
    uv_timer_t timer;
    bool ready;
    char late[1000]; /* what was still missing when the time was up */
    unsigned looks;
    int status;
};

static void report(struct check *check, const pqr_stats *stats)
{
    size_t servers = pqr_stats_totals(stats)->n_pools;

    servers_print_table(stats);
    printf("\n");
    unsigned problems = servers_print_problems(stats);
    if (problems == 0 && check->late[0]) {
        printf("not ready in time: %s\n    mend: give it more time with --timeout, or raise pool.max\n",
            check->late);
        problems++;
    }
    if (problems > 0)
        printf("\n%zu server%s, %u problem%s\n", servers, servers == 1 ? "" : "s", problems,
            problems == 1 ? "" : "s");
    else
        printf("%zu server%s, no problem\n", servers, servers == 1 ? "" : "s");
    check->status = problems > 0 ? CLI_PROBLEM : CLI_OK;
}

/* A lag is not known yet, or whether a connection more is let in. */
static bool unsettled(const pqr_stats *stats)
{
    const pqr_pool_stats *pool;

    for (size_t i = 0; (pool = pqr_stats_pool(stats, i)); i++)
        if (pool->connecting > 0 || (pool->role == PQR_ROLE_REPLICA && pool->lag_us < 0))
            return true;
    return false;
}

static bool in_vain(const pqr_stats *stats)
{
    const pqr_pool_stats *pool;

    for (size_t i = 0; (pool = pqr_stats_pool(stats, i)); i++)
        if (pool->role == PQR_ROLE_UNKNOWN || pool->role == PQR_ROLE_PRIMARY)
            return false;
    return true;
}

static bool worth_waiting(struct check *check, const pqr_stats *stats)
{
    if (check->late[0])
        return false;
    if (check->ready)
        return unsettled(stats) && ++check->looks < LOOKS_UNSETTLED;
    check->looks = in_vain(stats) ? check->looks + 1 : 0;
    return check->looks < LOOKS_IN_VAIN;
}

/* Reports and closes, or comes again. */
static void on_timer(uv_timer_t *timer)
{
    struct check *check = timer->data;
    pqr_stats *stats = NULL;

    if (pqr_router_stats(check->session.router, &stats) != 0) {
        cli_complain("check", "out of memory");
        check->status = CLI_PROBLEM;
    } else if (worth_waiting(check, stats)) {
        pqr_stats_free(stats);
        return;
    } else {
        report(check, stats);
        pqr_stats_free(stats);
    }
    uv_close((uv_handle_t *)timer, NULL);
    session_close(&check->session);
}

static void on_ready(pqr_router *router, int status, const char *why, void *data)
{
    struct check *check = data;

    (void)router;
    if (check->session.closing)
        return;
    check->ready = status == 0;
    check->looks = 0;
    if (status != 0)
        snprintf(check->late, sizeof(check->late), "%s", why[0] ? why : pqr_error_text(status));
}

static void on_interrupt(struct session *session)
{
    struct check *check = session->data;

    uv_close((uv_handle_t *)&check->timer, NULL);
}

static int check_servers(const char *config, const struct args *args)
{
    struct check check = {.session = {.command = "check", .quiet = true, .verbose = args->verbose}};
    uint32_t timeout_ms = args->timeout_ms ? args->timeout_ms : DEFAULT_TIMEOUT_MS;
    int status = session_open(&check.session, config);

    if (status != CLI_OK)
        return status;
    check.session.data = &check;
    check.session.interrupted = on_interrupt;
    (void)uv_timer_init(&check.session.loop, &check.timer);
    check.timer.data = &check;
    (void)uv_timer_start(&check.timer, on_timer, 0, LOOK_MS);
    int code = pqr_router_ready(check.session.router, timeout_ms, on_ready, &check);
    if (code != 0) {
        cli_complain("check", "%s", pqr_error_text(code));
        check.status = CLI_PROBLEM;
        uv_close((uv_handle_t *)&check.timer, NULL);
        session_close(&check.session);
    }
    return session_run(&check.session, &check.status);
}

int check_main(int argc, char **argv)
{
    struct args args;

    if (args_parse(&args, argc, argv, ARGS_TIMEOUT | ARGS_VERBOSE) != CLI_OK)
        return CLI_USAGE;
    if (args.help) {
        cli_print_help(check_help);
        return CLI_OK;
    }
    if (args.n_words != 1) {
        cli_complain("check", "%s; write pqrouter check pqrouter.cfg, or see pqrouter check --help",
            args.n_words == 0 ? "CONFIG is missing" : "one CONFIG only");
        return CLI_USAGE;
    }
    return check_servers(args.words[0], &args);
}
