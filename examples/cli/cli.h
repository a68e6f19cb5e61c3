/* What the files of the pqrouter command share: its exit statuses, its commands and its way to complain. */
#ifndef CLI_H
#define CLI_H

#include <stdbool.h>

enum cli_status {
    CLI_OK = 0,
    CLI_PROBLEM = 1, /* a server, a statement or the output had a problem */
    CLI_USAGE = 2,   /* the command line or the configuration is wrong: nothing was done */
};

/* "pqrouter check: text" and a newline on standard error. */
void cli_complain(const char *command, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Writes out what standard output still holds. False, and said on standard error, when that failed. */
bool cli_flush_output(const char *command);

/* The commands; argv[0] is the command's own name. Each gives the exit status. */
int check_main(int argc, char **argv);
int classify_main(int argc, char **argv);
int exec_main(int argc, char **argv);

/* Their manual pages, in pieces (C promises 4,095 bytes a string), NULL at the end. */
extern const char *const main_help[];
extern const char *const check_help[];
extern const char *const classify_help[];
extern const char *const exec_help[];
void cli_print_help(const char *const *help);

#endif
