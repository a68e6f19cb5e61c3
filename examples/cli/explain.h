/* A statement's verdict in words, and the steps to it. */
#ifndef CLI_EXPLAIN_H
#define CLI_EXPLAIN_H

#include "pqrouter.h"
#include "text.h"

/* Replaces line with the statement's: a word, a space, the reason; steps: and one indented line a step. router may
   be NULL. */
void explain_statement(
    struct text *line, const pqr_router *router, const char *sql, size_t length, bool steps);

#endif
