/* pqrouter exec: statements in, one JSON object a line out. A ring of --jobs slots holds the statements from the
   oldest unprinted one on, so order and bounded memory come from the same place: input is read only while a slot
   is free and the reader of our output keeps up. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "args.h"
#include "cli.h"
#include "pqrouter.h"
#include "reply.h"
#include "session.h"
#include "statements.h"
#include "stream.h"

/* Output that waits for its reader before no more statements are started. */
#define MAX_PENDING ((size_t)1024 * 1024)

const char *const exec_help[] = {
    "NAME\n"
    "    pqrouter exec - run SQL statements, each on the server that fits, and print JSON\n"
    "\n"
    "SYNOPSIS\n"
    "    pqrouter exec CONFIG [--admin] [--target TARGET] [--timeout DURATION] [--jobs N] [--verbose]\n"
    "                  [STATEMENT]\n"
    "\n"
    "DESCRIPTION\n"
    "    Runs the STATEMENT, or those on standard input, each ended by a NUL byte, which the last may lack.\n"
    "    Each goes to the primary or to a replica as its text tells (pqrouter classify). For each one it\n"
    "    prints one line with a JSON object, in the order of the input.\n"
    "\n"
    "    CONFIG is a configuration file, or a libpq connection string or URI (anything with = or ://);\n"
    "    several hosts in it are several servers. Others can see a command line: keep passwords in\n"
    "    ~/.pgpass or in the configuration file.\n"
    "\n"
    "    Every statement is a transaction of its own. Several in one, separated by semicolons, are one\n"
    "    transaction and run on the primary. SET, BEGIN, temporary tables and whatever else needs a session\n"
    "    is answered with an error, unsent.\n"
    "\n"
    "    Input is read as slots become free: memory is that of N statements with their answers.\n"
    "\n",
    "OPTIONS\n"
    "    --admin\n"
    "        Overtakes other requests and may use the connections kept for administrators.\n"
    "    --target TARGET\n"
    "        auto          by the text (the default)\n"
    "        primary       the primary\n"
    "        replica       a replica, or the primary when there is none\n"
    "        replica_only  a replica; waits for one when there is none\n"
    "        any           whichever server is least busy\n"
    "    --timeout DURATION\n"
    "        How long each statement may take, waiting included: 500ms, 5s, 2min, 1h, or none. By default "
    "as\n"
    "        configured (request.timeout).\n"
    "    -j, --jobs N\n"
    "        Up to N statements at once, 1 to 1000; by default 1, which runs them one after the other. With\n"
    "        more, statements may overtake each other on the servers; the lines stay in order.\n"
    "    -v, --verbose\n"
    "        Shows what the router logs on standard error, not only warnings.\n"
    "    -h, --help\n"
    "        Prints this text.\n"
    "\n"
    "    A STATEMENT that begins with - is written after --.\n"
    "\n",
    "OUTPUT\n"
    "    status       ok, sql_error, cancelled, timeout, unavailable, overloaded, lost or closed\n"
    "    sqlstate     five characters, or \"\" when there is none\n"
    "    outcome      executed, not_executed (safe to run again), or unknown (it may have taken effect)\n"
    "    server       the configured name of the server that ran it, \"\" when none did\n"
    "    reason       why it went there\n"
    "    error        what went wrong; only when something did\n"
    "    affected     rows that the command touched or returned; only when it says so\n"
    "    columns      the names of the columns, [] when there are none\n"
    "    rows         arrays of strings as the server spelt them, or null\n"
    "    notice_count, notices\n"
    "                 how many notices came, and the first of them; only when some did\n"
    "\n"
    "    Text is asked for in UTF-8, unless PGCLIENTENCODING or the configuration says otherwise; bytes "
    "that\n"
    "    are no UTF-8 are printed as U+FFFD.\n"
    "\n"
    "EXIT STATUS\n"
    "    0   the status of every statement is ok\n"
    "    1   that of some is not, or input or output failed\n"
    "    2   the command line or the configuration is wrong; nothing was run\n"
    "    130, 143\n"
    "        Ctrl-C or SIGTERM: what ran was cancelled and its line printed. A second one ends the command\n"
    "        at once.\n"
    "\n"
    "EXAMPLES\n"
    "    pqrouter exec pqrouter.cfg 'select * from orders order by id desc limit 3'\n"
    "    pqrouter exec 'host=db1,db2 dbname=shop' --target replica_only 'select count(*) from orders'\n"
    "    find sql -name '*.sql' -exec cat {} \\; -exec printf '\\0' \\; | pqrouter exec pqrouter.cfg --jobs "
    "8\n"
    "    pqrouter exec pqrouter.cfg 'table customers' | jq -r '.rows[] | @tsv'\n",
    NULL,
};

struct slot {
    struct exec *exec;
    struct text line;
    bool done;
};

struct exec {
    struct session session;
    const struct args *args;
    struct statements in;
    struct reader reader;
    struct writer writer;
    struct slot *slots; /* statement n in slots[n % jobs] */
    size_t head, next;  /* the oldest that is not given to the writer; the next to start */
    int status;
};

static void stop(struct exec *exec)
{
    exec->status = CLI_PROBLEM;
    reader_stop(&exec->reader);
    session_close(&exec->session);
}

static void advance(struct exec *exec);

static void on_reply(pqr_reply *reply, void *data)
{
    struct slot *slot = data;
    struct exec *exec = slot->exec;

    reply_json(&slot->line, reply);
    slot->done = true;
    if (pqr_reply_status(reply) != PQR_STATUS_OK)
        exec->status = CLI_PROBLEM;
    advance(exec);
}

/* False: the library does not take it; everything stops. */
static bool start(struct exec *exec, const char *sql)
{
    pqr_query query = PQR_QUERY_INIT;
    struct slot *slot = &exec->slots[exec->next % exec->args->jobs];

    slot->exec = exec;
    query.sql = sql;
    query.target = exec->args->target;
    query.flags = exec->args->admin ? PQR_ADMIN : 0;
    query.timeout_ms = exec->args->timeout_ms;
    int code = pqr_query_run(NULL, exec->session.router, &query, on_reply, slot);
    if (code == 0) {
        exec->next++;
        return true;
    }
    cli_complain("exec", "statement %zu is not accepted: %s", exec->next + 1, pqr_error_text(code));
    stop(exec);
    return false;
}

/* Gives the finished lines that are next in order to the writer. */
static void collect(struct exec *exec)
{
    struct text *pending = &exec->writer.pending;

    while (exec->head < exec->next) {
        struct slot *slot = &exec->slots[exec->head % exec->args->jobs];
        if (!slot->done)
            break;
        if (pending->length == 0 && !slot->line.failed) {
            struct text empty = *pending;
            *pending = slot->line;
            slot->line = empty;
        } else {
            text_add(pending, slot->line.bytes, slot->line.length);
        }
        if (slot->line.failed || pending->failed) {
            cli_complain("exec", "out of memory for the answer to statement %zu", exec->head + 1);
            stop(exec);
            pending->failed = false;
            pending->length = 0;
        }
        text_free(&slot->line);
        slot->done = false;
        exec->head++;
    }
    writer_start(&exec->writer);
}

static bool has_room(const struct exec *exec)
{
    return !exec->session.closing && exec->next - exec->head < exec->args->jobs &&
           exec->writer.pending.length < MAX_PENDING;
}

/* Does whatever can be done now. */
static void advance(struct exec *exec)
{
    char *sql = NULL;
    size_t length;

    collect(exec);
    while (has_room(exec) && !exec->reader.reading) {
        if (statements_next(&exec->in, &sql, &length)) {
            if (!start(exec, sql))
                return;
        } else if (exec->in.ended) {
            break;
        } else if (reader_start(&exec->reader) != 0) {
            cli_complain("exec", "standard input cannot be read: %s", statements_too_long);
            stop(exec);
        }
    }
    bool all_read = exec->in.ended && exec->in.begin == exec->in.end;
    if (all_read && exec->head == exec->next && !exec->writer.writing)
        session_close(&exec->session);
}

static void on_read(struct reader *reader)
{
    struct exec *exec = reader->data;

    if (reader->error) {
        cli_complain("exec", "standard input cannot be read: %s", strerror(reader->error));
        exec->status = CLI_PROBLEM;
    }
    advance(exec);
}

static void on_written(struct writer *writer)
{
    struct exec *exec = writer->data;

    if (writer->error) {
        /* A reader that has seen enough (head) is nobody's mistake. */
        if (writer->error != EPIPE)
            cli_complain("exec", "standard output cannot be written: %s", strerror(writer->error));
        stop(exec);
    }
    advance(exec);
}

static void on_interrupt(struct session *session)
{
    struct exec *exec = session->data;

    reader_stop(&exec->reader);
}

static int run(struct exec *exec)
{
    exec->reader.done = on_read;
    exec->reader.data = exec;
    exec->writer = (struct writer){.loop = &exec->session.loop, .done = on_written, .data = exec};
    exec->session.data = exec;
    exec->session.interrupted = on_interrupt;
    if (!exec->in.ended && isatty(STDIN_FILENO))
        cli_complain(
            "exec", "reading statements from the terminal: end each with Ctrl-@, the last with Ctrl-D");
    advance(exec);
    int status = session_run(&exec->session, &exec->status);
    for (size_t i = 0; i < exec->args->jobs; i++)
        text_free(&exec->slots[i].line);
    writer_finish(&exec->writer);
    reader_finish(&exec->reader);
    return status;
}

static int exec_statements(const struct args *args)
{
    struct exec exec = {.args = args, .session = {.command = "exec", .verbose = args->verbose}};
    int status = CLI_PROBLEM;

    exec.slots = calloc(args->jobs, sizeof(*exec.slots));
    if (!exec.slots || (args->n_words > 1 && !statements_init_one(&exec.in, args->words[1]))) {
        cli_complain("exec", "out of memory");
    } else if (!reader_init(&exec.reader, &exec.session.loop, &exec.in)) {
        cli_complain("exec", "no pipe: %s", strerror(errno));
    } else {
        status = session_open(&exec.session, args->words[0]);
        if (status == CLI_OK)
            status = run(&exec);
        else
            reader_finish(&exec.reader);
    }
    statements_free(&exec.in);
    free(exec.slots);
    return status;
}

int exec_main(int argc, char **argv)
{
    struct args args;

    if (args_parse(&args, argc, argv, ARGS_ADMIN | ARGS_TARGET | ARGS_TIMEOUT | ARGS_JOBS | ARGS_VERBOSE) !=
        CLI_OK)
        return CLI_USAGE;
    if (args.help) {
        cli_print_help(exec_help);
        return CLI_OK;
    }
    if (args.n_words == 0) {
        cli_complain("exec", "CONFIG is missing; write pqrouter exec pqrouter.cfg 'select 1', or see --help");
        return CLI_USAGE;
    }
    if (args.n_words > 2) {
        cli_complain("exec",
            "%s: one statement at most; put it in quotes, or write several to standard input, each ended by "
            "a NUL byte",
            args.words[2]);
        return CLI_USAGE;
    }
    /* JSON is UTF-8; the servers do the conversion. */
    (void)setenv("PGCLIENTENCODING", "UTF8", 0);
    return exec_statements(&args);
}
