/* A router on real servers to which everything happens, and books that must agree with what is in the database
   afterwards. Its parts: the load, its books, the faults, the program. */
#ifndef PQR_TESTS_CHAOS_H
#define PQR_TESTS_CHAOS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "cluster.h"
#include "pqrouter.h"

/* A connection limit that is never changed, so that the servers can be asked whether it is kept. */
enum { CHAOS_MAX = 8, CHAOS_CLIENTS = 40, CHAOS_STEPS = 3 };

/* Splitmix64. */
uint64_t chaos_next(uint64_t *random);
/* Below a bound; true so often in a hundred. */
unsigned chaos_below(uint64_t *random, unsigned bound);
bool chaos_percent(uint64_t *random, unsigned percent);

/* Ends the program: a promise is broken, or the program cannot do its work. */
_Noreturn void chaos_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* --- the load: clients that ask, and ask again when they are answered --- */

void load_start(uint64_t seed);
/* Asks for all clients that have nothing in the air, but the ones of a router that is closing. */
void load_run(pqr_router *router);
/* A client or two changes its mind. */
void load_cancel(pqr_router *router);
/* Requests that were not answered. */
unsigned load_outstanding(void);
void load_finish(void);

/* Holds what was answered against the database; prints what there was. */
void books_verify(struct cluster *cluster);

/* --- the faults: a thread of their own, as they block --- */

void faults_start(struct cluster *cluster, uint64_t seed);
/* Returns when all servers are as they were. */
void faults_stop(void);
/* Another router has begun, beside which the last one's sessions may still end. */
void faults_router_began(void);
void faults_print(void);

#endif
