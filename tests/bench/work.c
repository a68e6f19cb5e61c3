/* The requests of the measurements: point reads, ten and a thousand rows, single writes, a mix of reads and writes,
   and a transaction in the manner of TPC-B. Every program makes the same requests in the same order. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

enum { POINT, TEN, THOUSAND, WRITE, TPCB }; /* the first four are statements as well */
enum { BRANCHES = 50, TELLERS = 500, ACCOUNTS = 100000 };

const Oid bench_types[2] = {BENCH_INT4, BENCH_INT4};

const struct bench_statement bench_statements[BENCH_STATEMENTS] = {
    {"point", BENCH_SQL, 1},
    {"ten", "select id, value from bench where id between $1 and $2 order by id", 2},
    {"thousand", "select id, value from bench where id between $1 and $2 order by id", 2},
    {"write", "update bench set hits = hits + 1 where id = $1", 1},
    {"t0", "begin", 0},
    {"t1", "update accounts set balance = balance + $1 where id = $2", 2},
    {"t2", "select balance from accounts where id = $1", 1},
    {"t3", "update tellers set balance = balance + $1 where id = $2", 2},
    {"t4", "update branches set balance = balance + $1 where id = $2", 2},
    {"t5", "insert into history (delta, account) values ($1, $2)", 2},
    {"t6", "commit", 0},
};

static int work;
static bool mixed;

void bench_fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
}

unsigned bench_number(const char *text)
{
    char *end = NULL;
    unsigned long value = strtoul(text, &end, 10);
    if (end == text || value > 100000000 || *end)
        bench_fail("%s is not a number up to 100000000", text);
    return (unsigned)value;
}

void bench_choose(const char *name)
{
    static const char *const names[] = {"point", "ten", "thousand", "write", "tpcb"};
    mixed = strcmp(name, "mix") == 0;
    for (work = 0; !mixed && strcmp(name, names[work]) != 0;)
        if (++work == sizeof(names) / sizeof(*names))
            bench_fail("work=%s: there are point, ten, thousand, write, mix and tpcb", name);
}

bool bench_uses(unsigned statement)
{
    if (work == TPCB)
        return statement >= TPCB;
    return statement == (unsigned)work || (mixed && statement == WRITE);
}

void bench_next(struct bench_job *job)
{
    static unsigned id, count;
    id = (id + 7919) % BENCH_ROWS; /* a prime: every id comes, in no order that helps the server */
    count++;
    job->id = id + 1;
    job->first = mixed && count % 5 == 0 ? WRITE : work;
    job->write = job->first >= WRITE;
    job->n_steps = job->first == TPCB ? BENCH_STEPS : 1;
}

static void number(struct bench_step *step, int which, unsigned value)
{
    char *text = step->text[which] + sizeof(step->text[which]) - 1;
    *text = '\0';
    do
        *--text = (char)('0' + value % 10);
    while ((value /= 10) > 0);
    step->values[which] = text;
}

/* The two numbers of a transaction's step: the change and the row, of which there are so many. */
static void change(struct bench_step *step, const struct bench_job *job, unsigned rows)
{
    number(step, 0, job->id % 997);
    number(step, 1, (job->id * 7919u) % rows + 1);
}

void bench_step(struct bench_step *step, const struct bench_job *job, unsigned which)
{
    static const unsigned rows[BENCH_STEPS] = {1, ACCOUNTS, ACCOUNTS, TELLERS, BRANCHES, ACCOUNTS, 1};
    step->statement = &bench_statements[(unsigned)job->first + which];
    if (job->first == TPCB)
        change(step, job, rows[which]);
    else
        number(step, 0, job->id);
    if (job->first == TEN)
        number(step, 1, job->id + 9);
    else if (job->first == THOUSAND)
        number(step, 1, job->id + 999);
    else if (job->first == TPCB && which == 2)
        step->values[0] = step->values[1];
}

/* id and value of the last row of count. */
static void check_rows(const struct bench_job *job, const PGresult *result, unsigned count)
{
    int row = PQntuples(result) - 1;
    unsigned id = job->id + count - 1 > BENCH_ROWS ? BENCH_ROWS : job->id + count - 1;
    if (row != (int)(id - job->id) || strtoul(PQgetvalue(result, row, 1), NULL, 10) != 7ul * id)
        bench_fail(
            "from id %u on: %d rows were read, not the %u expected", job->id, row + 1, id - job->id + 1);
}

void bench_check(const struct bench_job *job, unsigned step, const PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
        bench_fail("%s", PQresultErrorMessage(result));
    if (job->first == TEN || job->first == THOUSAND)
        check_rows(job, result, job->first == TEN ? 10 : 1000);
    else if (job->first == POINT &&
             (PQntuples(result) != 1 || strtoul(PQgetvalue(result, 0, 0), NULL, 10) != 7ul * job->id))
        bench_fail("id %u: its value was not read", job->id);
    else if (job->first == TPCB && step == 2 && PQntuples(result) != 1)
        bench_fail("a transaction has lost its account");
}
