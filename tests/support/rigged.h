/* The transport on the cluster of a suite, with one connection, new for each test. Needs cmocka's headers before it. */
#ifndef PQR_TESTS_RIGGED_H
#define PQR_TESTS_RIGGED_H

#include "rig.h"
#include "suite.h"

extern struct rig rig;
extern struct party party;

#define RIGGED(name) cmocka_unit_test_setup_teardown(name, rigged_join, rigged_leave)
/* As SUITE_RUN without replicas; no thread is left after it. */
#define RIGGED_RUN(tests, sql) rigged_end(SUITE_RUN(tests, 0, sql))

int rigged_join(void **state);
/* What is not closed yet is. */
int rigged_leave(void **state);
int rigged_end(int failed);
/* Leaves, and joins again as conninfo says. */
void rigged_rejoin(const char *conninfo);
/* The same with TLS, which the server has from now on. more: what else the conninfo says. */
void rigged_rejoin_with_tls(const char *more);

#endif
