#include "bench.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

static double started_s, started_user_s, started_system_s;

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
    unsigned long number = strtoul(text, &end, 10);
    if (number == 0 || number > 100000000 || *end)
        bench_fail("%s is not a number from 1 to 100000000", text);
    return (unsigned)number;
}

unsigned bench_next_id(void)
{
    static unsigned id;
    id = (id + 7919) % BENCH_ROWS; /* a prime: every id comes, in no order that helps the server */
    return id + 1;
}

void bench_check(unsigned id, const char *value)
{
    if (!value || strtoul(value, NULL, 10) != 7ul * id)
        bench_fail("id %u: %s was read instead of %u", id, value ? value : "nothing", 7 * id);
}

static double seconds(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

void bench_start(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    started_user_s = seconds(usage.ru_utime);
    started_system_s = seconds(usage.ru_stime);
    started_s = now_s();
}

void bench_report(unsigned requests)
{
    struct rusage usage;
    double elapsed_s = now_s() - started_s;
    getrusage(RUSAGE_SELF, &usage);
    printf("%.0f %.2f %.2f\n", requests / elapsed_s,
        (seconds(usage.ru_utime) - started_user_s) * 1e6 / requests,
        (seconds(usage.ru_stime) - started_system_s) * 1e6 / requests);
}
