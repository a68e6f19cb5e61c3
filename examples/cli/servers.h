/* Servers for people: the table of check, and what is wrong with each. */
#ifndef CLI_SERVERS_H
#define CLI_SERVERS_H

#include "pqrouter.h"

void servers_print_table(const pqr_stats *stats);
/* One paragraph a problem, each with its mend; how many there were. */
unsigned servers_print_problems(const pqr_stats *stats);

#endif
