/* One cluster for all the tests of a file. Needs cmocka's headers before it.

       int main(void)
       {
           const struct CMUnitTest tests[] = {...};
           return SUITE_RUN(tests, 1, "set role app; create table ...");
       } */
#ifndef PQR_TESTS_SUITE_H
#define PQR_TESTS_SUITE_H

#include "cluster.h"

extern struct cluster cluster;

/* Starts it with so many replicas, runs sql (or NULL) as the superuser on the primary, waits until all have that, runs
   the tests and stops it. */
#define SUITE_RUN(tests, replicas, sql) \
    (suite_wants(replicas, sql), cmocka_run_group_tests(tests, suite_start, suite_stop))

void suite_wants(int replicas, const char *sql);
int suite_start(void **state);
int suite_stop(void **state);

#endif
