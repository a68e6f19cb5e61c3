/* Other ways of sizing a pool, to be compared with: the router is the same, and so is all but the size. */
#ifndef SCENARIO_RULES_H
#define SCENARIO_RULES_H

#include "router/sizing.h"
#include "router/router.h"

/* Always that many; the best number is found by search. */
extern uint32_t rules_fixed_size;
extern const struct pqr__sizing rules_fixed;

/* psycopg_pool (its manual, "Pool connection and sizing", and pool.py of 3.1): at least min_size (4) are kept; who
   finds none waits, and the pool grows towards max_size, a connect when the one before has ended and somebody still
   waits. Every max_idle (10 min) one connection is closed when some were unused all the while: no run is that long, so
   here one goes that was idle for as long. */
extern const struct pqr__sizing rules_psycopg;

/* HikariCP (its README, and HikariPool.java of 5): whoever waits makes it add one, by a single thread; every
   30 seconds a housekeeper adds as many as are idle too few, of minimumIdle (10; by default as many as
   maximumPoolSize, which makes it a pool of a fixed size, the other row); one that was idle for idleTimeout (10 min)
   goes, but for minimumIdle. */
extern const struct pqr__sizing rules_hikari;

#endif
