/* pqrouter classify: where statements would go, and why. Connects to nothing, unless a catalog is asked for; then the
   loop turns until a router has read it, and everything else is done before it is closed. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "args.h"
#include "cli.h"
#include "explain.h"
#include "pqrouter.h"
#include "session.h"
#include "statements.h"
#include "text.h"

const char *const classify_help[] = {
    "NAME\n"
    "    pqrouter classify - say where SQL statements would run, and why\n"
    "\n"
    "SYNOPSIS\n"
    "    pqrouter classify [--conninfo CONFIG [--timeout DURATION] [--verbose]] [--explain] [STATEMENT]\n"
    "\n"
    "DESCRIPTION\n"
    "    Reads the STATEMENT, or those on standard input, and prints one line for each, in their order: a\n"
    "    word, a space, the reason.\n"
    "\n"
    "    replica   a harmless read: any server may run it\n"
    "    primary   it writes, or is not proven to be harmless\n"
    "    session   it leaves or needs state on its connection (SET, temporary tables, cursors,\n"
    "              advisory locks, BEGIN): it belongs in a transaction of the program, and exec\n"
    "              answers it without sending it\n"
    "\n"
    "    The text alone decides and nothing is connected to, unless --conninfo is given. On standard input\n"
    "    each statement ends with a NUL byte, which the last may lack, so that a statement may hold\n"
    "    newlines. Any bytes are fine. Lines are written out before it waits for more input.\n"
    "\n",
    "OPTIONS\n"
    "    --conninfo CONFIG\n"
    "        Reads the catalog of that database first: its own functions, operators, types and relations\n"
    "        then count, as they do for the library. CONFIG is a libpq connection string or URI (anything\n"
    "        with = or ://), or a configuration file, whose reads.mode and lists of functions count too.\n"
    "    --timeout DURATION\n"
    "        How long the catalog may take: 500ms, 5s, 2min, 1h, or none; by default 10s.\n"
    "    -v, --verbose\n"
    "        Shows what the router logs on standard error, not only warnings.\n"
    "    --explain\n"
    "        Below each line the steps to it, indented, in the order of the text: each name that was looked\n"
    "        up, with what is known of PostgreSQL's own one, what the catalog says and what the\n"
    "        configuration says; and each rule that asked for more than a replica. The strictest rule\n"
    "        decided, of those the first.\n"
    "    -h, --help\n"
    "        Prints this text.\n"
    "\n"
    "    A STATEMENT that begins with - is written after --.\n"
    "\n"
    "EXIT STATUS\n"
    "    0   every statement was classified\n"
    "    1   the catalog or standard input could not be read or standard output could not be written\n"
    "    2   the command line or the configuration is wrong\n"
    "\n"
    "EXAMPLES\n"
    "    pqrouter classify 'select * from orders'\n"
    "    pqrouter classify --conninfo 'host=db1 dbname=shop' --explain 'select price(id) from items'\n"
    "    printf 'select 1\\0select nextval($$ids$$)' | pqrouter classify\n"
    "    find sql -name '*.sql' -exec cat {} \\; -exec printf '\\0' \\; | pqrouter classify\n",
    NULL,
};

struct classify {
    struct session session;
    const struct args *args;
    struct statements in;
    uv_timer_t timer;
    uint64_t deadline_ms; /* of the catalog; UINT64_MAX: none */
    int status;
};

static void classify_all(struct classify *work)
{
    struct text line = {0};
    char *sql;
    size_t length;

    while (statements_next(&work->in, &sql, &length)) {
        explain_statement(&line, work->session.router, sql, length, work->args->explain);
        fwrite(line.bytes, 1, line.length, stdout);
    }
    text_free(&line);
}

/* Bytes read, 0 at the end, -1 with errno. */
static ssize_t read_some(char *room, size_t size)
{
    for (;;) {
        ssize_t n = read(STDIN_FILENO, room, size);

        if (n >= 0)
            return n;
        if (errno == EAGAIN) {
            struct pollfd wait = {.fd = STDIN_FILENO, .events = POLLIN};
            (void)poll(&wait, 1, -1);
        } else if (errno != EINTR) {
            return -1;
        }
    }
}

static int classify_input(struct classify *work)
{
    struct statements *in = &work->in;

    classify_all(work);
    while (!in->ended) {
        size_t size;
        char *room = statements_room(in, &size);
        ssize_t n = room ? read_some(room, size) : -1;

        if (n < 0) {
            cli_complain("classify", "standard input cannot be read: %s",
                room ? strerror(errno) : statements_too_long);
            return CLI_PROBLEM;
        }
        statements_added(in, (size_t)n);
        classify_all(work);
        if (!cli_flush_output("classify"))
            return CLI_PROBLEM;
    }
    return CLI_OK;
}

/* --- with a catalog --- */

static bool has_catalog(const pqr_router *router)
{
    pqr_stats *stats = NULL;

    if (pqr_router_stats(router, &stats) != 0)
        return false;
    bool loaded = pqr_stats_totals(stats)->catalog_loads > 0;
    pqr_stats_free(stats);
    return loaded;
}

static void end(struct classify *work, int status)
{
    work->status = status;
    uv_timer_stop(&work->timer);
    uv_close((uv_handle_t *)&work->timer, NULL);
    session_close(&work->session);
}

static void on_timer(uv_timer_t *timer)
{
    struct classify *work = timer->data;

    if (has_catalog(work->session.router)) {
        end(work, classify_input(work));
    } else if (uv_now(&work->session.loop) >= work->deadline_ms) {
        cli_complain("classify",
            "the catalog was not read in time (--timeout); see pqrouter check, and whether catalog.load is "
            "true and reads.mode is auto");
        end(work, CLI_PROBLEM);
    }
}

static void on_interrupt(struct session *session)
{
    struct classify *work = session->data;

    uv_close((uv_handle_t *)&work->timer, NULL);
}

static int classify_with_catalog(struct classify *work)
{
    const struct args *args = work->args;
    int status = session_open(&work->session, args->conninfo);

    if (status != CLI_OK)
        return status;
    uv_update_time(&work->session.loop);
    work->deadline_ms = args->timeout_ms == UINT32_MAX
                            ? UINT64_MAX
                            : uv_now(&work->session.loop) + (args->timeout_ms ? args->timeout_ms : 10000);
    work->session.data = work;
    work->session.interrupted = on_interrupt;
    (void)uv_timer_init(&work->session.loop, &work->timer);
    work->timer.data = work;
    (void)uv_timer_start(&work->timer, on_timer, 0, 10);
    return session_run(&work->session, &work->status);
}

int classify_main(int argc, char **argv)
{
    struct args args;
    struct classify work = {.args = &args, .session = {.command = "classify"}};

    if (args_parse(&args, argc, argv, ARGS_CONNINFO | ARGS_EXPLAIN | ARGS_TIMEOUT | ARGS_VERBOSE) != CLI_OK)
        return CLI_USAGE;
    if (args.help) {
        cli_print_help(classify_help);
        return CLI_OK;
    }
    if (args.n_words > 1) {
        cli_complain("classify",
            "%s: one statement at most; put it in quotes, or write several to standard input, each ended by "
            "a NUL byte",
            args.words[1]);
        return CLI_USAGE;
    }
    if (args.n_words == 1 && !statements_init_one(&work.in, args.words[0])) {
        cli_complain("classify", "out of memory");
        return CLI_PROBLEM;
    }
    work.session.verbose = args.verbose;
    int status = args.conninfo ? classify_with_catalog(&work) : classify_input(&work);
    statements_free(&work.in);
    return status;
}
