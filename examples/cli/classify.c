/* pqrouter classify: where statements would go, and why. Connects to nothing. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "args.h"
#include "cli.h"
#include "pqrouter.h"
#include "statements.h"
#include "text.h"

const char *const classify_help[] = {
    "NAME\n"
    "    pqrouter classify - say where SQL statements would run, and why\n"
    "\n"
    "SYNOPSIS\n"
    "    pqrouter classify STATEMENT\n"
    "    pqrouter classify < STATEMENTS\n"
    "\n"
    "DESCRIPTION\n"
    "    Reads SQL statements and prints one line for each, in their order: a word, a space, the reason.\n"
    "\n"
    "    replica   a harmless read: any server may run it\n"
    "    primary   it writes, or is not proven to be harmless\n"
    "    session   it leaves or needs state on its connection (SET, temporary tables, cursors,\n"
    "              advisory locks, BEGIN): it belongs into a transaction of the program, and exec\n"
    "              answers it without sending it\n"
    "\n"
    "    The text alone decides; nothing is connected to. On standard input each statement ends with a NUL\n"
    "    byte, which the last may lack, so that a statement may hold newlines. Any bytes are fine. Lines\n"
    "    are written out before it waits for more input.\n"
    "\n"
    "OPTIONS\n"
    "    -h, --help\n"
    "        Prints this text.\n"
    "\n"
    "    A STATEMENT that begins with - is written after --.\n"
    "\n"
    "EXIT STATUS\n"
    "    0   every statement was classified\n"
    "    1   standard input could not be read or standard output could not be written\n"
    "    2   the command line is wrong\n"
    "\n"
    "EXAMPLES\n"
    "    pqrouter classify 'select * from orders'\n"
    "    printf 'select 1\\0select nextval($$ids$$)' | pqrouter classify\n"
    "    find sql -name '*.sql' -exec cat {} \\; -exec printf '\\0' \\; | pqrouter classify\n",
    NULL,
};

static void classify_all(struct statements *in)
{
    struct text line = {0};
    char *sql;
    size_t length;

    while (statements_next(in, &sql, &length)) {
        pqr_verdict verdict = PQR_VERDICT_INIT;

        (void)pqr_classify(&verdict, sql, length); /* refuses NULL alone */
        line.length = 0;
        text_puts(&line, pqr_class_name(verdict.route));
        text_puts(&line, " ");
        text_line(&line, verdict.reason, strlen(verdict.reason)); /* it quotes the statement */
        text_puts(&line, "\n");
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

static int classify_input(struct statements *in)
{
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
        classify_all(in);
        if (!cli_flush_output("classify"))
            return CLI_PROBLEM;
    }
    return CLI_OK;
}

int classify_main(int argc, char **argv)
{
    struct args args;
    struct statements in = {0};

    if (args_parse(&args, argc, argv, 0) != CLI_OK)
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
    if (args.n_words == 1 && !statements_init_one(&in, args.words[0])) {
        cli_complain("classify", "out of memory");
        return CLI_PROBLEM;
    }
    classify_all(&in);
    int status = classify_input(&in);
    statements_free(&in);
    return status;
}
