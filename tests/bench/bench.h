/* What the C programs of this folder share: the requests they make, the load that makes them, and the report.

   A program is a peer: it calls bench_init, opens its connections, calls bench_run, and then gets jobs by peer_send,
   which it gives back by bench_done when the last of their steps was answered and checked. A job is what one client
   asks for at a time: a statement, or the seven of a transaction. */
#ifndef PQR_TESTS_BENCH_H
#define PQR_TESTS_BENCH_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

/* create table bench (id int primary key, value int, hits int), value = 7 * id, ids 1 .. BENCH_ROWS. */
enum { BENCH_ROWS = 10000, BENCH_INT4 = 23 };
#define BENCH_SQL "select value from bench where id = $1"

enum { BENCH_STEPS = 7, BENCH_STATEMENTS = 11 };

struct bench_statement {
    const char *name, *sql;
    int n_params;
};
extern const struct bench_statement bench_statements[BENCH_STATEMENTS];
extern const Oid bench_types[2];

struct bench_job {
    uint64_t started_ns;
    unsigned id;
    bool write;
    unsigned n_steps;
    int first;     /* its first step's place in bench_statements; the others follow */
    unsigned step; /* the program's: which is being answered */
};

struct bench_step {
    const struct bench_statement *statement;
    const char *values[2];
    char text[2][12];
};

struct bench_options {
    const char *primary;     /* conninfo */
    const char *replicas[4]; /* conninfo */
    const char *config;      /* of pqrouter */
    unsigned n_replicas;
    unsigned connections, depth, share, write_depth; /* a server */
    unsigned prepared, pipeline, unit;
};
extern struct bench_options bench_options;

/* Ends the program with a message. */
_Noreturn void bench_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* A number of an argument. */
unsigned bench_number(const char *text);

/* Reads the arguments, NAME=VALUE each; the names are in bench.c. */
void bench_init(int argc, char **argv);
/* Starts the load; call it once, when all connections stand. It ends by peer_close. */
void bench_run(void);
void bench_done(struct bench_job *job);

/* The statement and its values; they live in step. */
void bench_step(struct bench_step *step, const struct bench_job *job, unsigned number);
/* Ends the program when this is not what the step has to give. */
void bench_check(const struct bench_job *job, unsigned step, const PGresult *result);
/* The next job of the work that was asked for; and whether the work has this statement. */
void bench_choose(const char *work);
void bench_next(struct bench_job *job);
bool bench_uses(unsigned statement);

/* Of each program: never calls bench_done from inside. */
void peer_send(struct bench_job *job);
/* No job is out any more: close everything, so that the loop ends. */
void peer_close(void);

#endif
