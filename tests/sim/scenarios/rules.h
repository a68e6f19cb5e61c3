/* Other ways of sizing a pool, to be compared with: the router is the same, and so is all but the size. */
#ifndef SCENARIO_RULES_H
#define SCENARIO_RULES_H

#include "router/elastic.h"
#include "router/router.h"

/* Always that many; the best number is found by search. */
extern uint32_t rules_fixed_size;
extern const struct pqr__sizing rules_fixed;

/* psycopg_pool's documentation (psycopg.org/psycopg3, "Connection pools"): at least min_size (4) are kept; who finds
   none waits, and the pool grows towards max_size, one worker's connect after the other's; a connection above
   min_size that the pool did not need for max_idle (10 min) is closed. */
extern const struct pqr__sizing rules_psycopg;

/* HikariCP's README: minimumIdle (10, that of maximumPoolSize by default) idle ones are kept in reserve as far as
   maximumPoolSize allows; whoever waits makes it add one; one that was idle for idleTimeout (10 min) goes, but for
   minimumIdle. */
extern const struct pqr__sizing rules_hikari;

#endif
