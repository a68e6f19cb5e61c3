/* What the programs of this folder share: the table they read, and how they report. */
#ifndef PQR_TESTS_BENCH_H
#define PQR_TESTS_BENCH_H

#include <stdint.h>

/* create table bench (id int primary key, value int), value = 7 * id, ids 1 .. BENCH_ROWS. */
enum { BENCH_ROWS = 10000, BENCH_INT4 = 23 };
#define BENCH_SQL "select value from bench where id = $1"

/* Ends the program with a message. */
_Noreturn void bench_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A number of an argument, at least 1. */
unsigned bench_number(const char *text);

/* The id of the next read, the same row of ids in each program. */
unsigned bench_next_id(void);
/* Ends the program when value is not what stands at id. */
void bench_check(unsigned id, const char *value);

/* The clock and the process's CPU time start. */
void bench_start(void);
/* Prints "requests a second" and "CPU microseconds a request, user and system" since then. */
void bench_report(unsigned requests);

#endif
