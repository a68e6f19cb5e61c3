/* The command line of one command. */
#ifndef CLI_ARGS_H
#define CLI_ARGS_H

#include <stdbool.h>
#include <stdint.h>

#include "pqrouter.h"

/* Options a command may allow; --help every command has. */
enum {
    ARGS_ADMIN = 1u << 0,
    ARGS_TARGET = 1u << 1,
    ARGS_TIMEOUT = 1u << 2,
    ARGS_JOBS = 1u << 3,
    ARGS_VERBOSE = 1u << 4,
    ARGS_CONNINFO = 1u << 5,
    ARGS_EXPLAIN = 1u << 6,
};

struct args {
    bool help, admin, verbose, explain;
    const char *conninfo; /* NULL: not given */
    pqr_target target;
    uint32_t timeout_ms; /* 0: not given, UINT32_MAX: none */
    unsigned jobs;       /* 1 when not given */
    int n_words;
    char **words; /* what is no option, in order */
};

/* Fills out, or complains on standard error and gives CLI_USAGE. */
int args_parse(struct args *out, int argc, char **argv, unsigned allowed);

/* "500ms", "5s", "2min", "1h", "none" (UINT32_MAX). False when it is none of these. */
bool args_duration(const char *text, uint32_t *out_ms);

#endif
