/* pqrouter, the command: finds the command named and hands over. */
#include <errno.h>
#include <fcntl.h>
#include <libpq-fe.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <uv.h>

#include "cli.h"
#include "pqrouter.h"

static const struct {
    const char *name;
    int (*main)(int argc, char **argv);
    const char *const *help;
} commands[] = {
    {"check", check_main, check_help},
    {"classify", classify_main, classify_help},
    {"exec", exec_main, exec_help},
};

#define N_COMMANDS (sizeof(commands) / sizeof(commands[0]))

void cli_complain(const char *command, const char *format, ...)
{
    va_list args;

    fprintf(stderr, command ? "pqrouter %s: " : "pqrouter: ", command);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}

bool cli_flush_output(const char *command)
{
    static bool told;

    if (fflush(stdout) == 0 && !ferror(stdout))
        return true;
    /* A reader that has seen enough (head) is nobody's mistake. */
    if (!told && errno != EPIPE)
        cli_complain(command, "standard output cannot be written: %s", strerror(errno));
    told = true;
    return false;
}

static int finish_output(const char *command, int status)
{
    return cli_flush_output(command) || status != CLI_OK ? status : CLI_PROBLEM;
}

void cli_print_help(const char *const *help)
{
    for (; *help; help++)
        fputs(*help, stdout);
}

static int print_version(void)
{
    int libpq = PQlibVersion();

    printf("pqrouter %s (libpq %d.%d, libuv %s)\n", pqr_version(), libpq / 10000, libpq % 10000,
        uv_version_string());
    return CLI_OK;
}

static size_t find_command(const char *name)
{
    size_t i = 0;

    while (i < N_COMMANDS && strcmp(commands[i].name, name) != 0)
        i++;
    return i;
}

static int print_help(const char *name)
{
    size_t i = name ? find_command(name) : N_COMMANDS;

    if (name && i == N_COMMANDS) {
        cli_complain("help", "%s: no such command; the commands are check, classify and exec", name);
        return CLI_USAGE;
    }
    cli_print_help(name ? commands[i].help : main_help);
    return CLI_OK;
}

/* A standard stream that the caller closed would lend its number to a socket. Opened the wrong way round, using it
   is an error that can be told. */
static void hold_standard_streams(void)
{
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0)
            (void)open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY);
}

int main(int argc, char **argv)
{
    const char *word = argc > 1 ? argv[1] : NULL;

    hold_standard_streams();
    /* A closed pipe is an error of the write, not the end of the process: connections are closed first. */
    (void)signal(SIGPIPE, SIG_IGN);
    if (!word) {
        cli_complain(NULL, "no command; write pqrouter check, classify or exec, or see pqrouter --help");
        return CLI_USAGE;
    }
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0)
        return finish_output("help", print_help(argc > 2 ? argv[2] : NULL));
    if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0)
        return finish_output("--version", print_version());

    size_t i = find_command(word);
    if (i == N_COMMANDS) {
        cli_complain(NULL, "%s: no such command; the commands are check, classify and exec", word);
        return CLI_USAGE;
    }
    return finish_output(word, commands[i].main(argc - 1, argv + 1));
}
