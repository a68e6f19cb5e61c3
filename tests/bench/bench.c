/* The load: so many clients that each ask again when answered, or requests at a fixed rate, whatever becomes of
   those before them; and the report. At a fixed rate a request's time begins when it was due, so that a stall
   counts for all who would have come meanwhile. */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

enum { TIMES_MAX = 1 << 22, OUTSTANDING_MAX = 20000 };

struct bench_options bench_options = {
    .connections = 4, .depth = 1, .share = 1, .write_depth = 1, .prepared = 1};

static struct {
    const char *work;
    unsigned clients, requests, rate;
    double seconds, warm; /* warm: before them; 0: a tenth as many */
} load = {.work = "point", .clients = 64, .requests = 0, .seconds = 2};

static struct bench_job *jobs, **spare;
static unsigned n_spare, started, answered, measured;
static bool measuring, ending;
static uint64_t begin_ns, from_ns, until_ns; /* begin: the load, from, until: what is measured */
static uint32_t *times_ns;
static struct rusage usage;
static int timer = -1;
static uv_poll_t poll;

static void read_option(const char *name, const char *value)
{
    static const struct {
        const char *name;
        unsigned *value;
    } numbers[] = {
        {"connections", &bench_options.connections},
        {"depth", &bench_options.depth},
        {"share", &bench_options.share},
        {"write_depth", &bench_options.write_depth},
        {"prepared", &bench_options.prepared},
        {"pipeline", &bench_options.pipeline},
        {"unit", &bench_options.unit},
        {"clients", &load.clients},
        {"requests", &load.requests},
        {"rate", &load.rate},
    };
    for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
        if (strcmp(name, numbers[i].name) == 0) {
            *numbers[i].value = bench_number(value);
            return;
        }
    }
    if (strcmp(name, "primary") == 0)
        bench_options.primary = value;
    else if (strcmp(name, "replica") == 0 && bench_options.n_replicas < 4)
        bench_options.replicas[bench_options.n_replicas++] = value;
    else if (strcmp(name, "config") == 0)
        bench_options.config = value;
    else if (strcmp(name, "work") == 0)
        load.work = value;
    else if (strcmp(name, "seconds") == 0)
        load.seconds = strtod(value, NULL);
    else if (strcmp(name, "warm") == 0)
        load.warm = strtod(value, NULL);
    else
        bench_fail("%s is not an option", name);
}

void bench_init(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        char *value = strchr(argv[i], '=');
        if (!value)
            bench_fail("%s: NAME=VALUE was expected", argv[i]);
        *value = '\0';
        read_option(argv[i], value + 1);
    }
    bench_choose(load.work);
    if (load.clients == 0 || bench_options.connections == 0 || bench_options.depth == 0)
        bench_fail("clients, connections and depth begin at 1");
    unsigned count = load.rate ? OUTSTANDING_MAX : load.clients;
    jobs = calloc(count, sizeof(*jobs));
    spare = calloc(count, sizeof(struct bench_job *));
    times_ns = calloc(TIMES_MAX, sizeof(*times_ns)); /* with requests=, for instructions: stays all zero */
    if (!jobs || !spare || !times_ns)
        bench_fail("out of memory");
    while (n_spare < count) {
        spare[n_spare] = &jobs[n_spare];
        n_spare++;
    }
}

static double cpu_us(const struct timeval *now, const struct timeval *then)
{
    return (double)(now->tv_sec - then->tv_sec) * 1e6 + (double)(now->tv_usec - then->tv_usec);
}

static int compare(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    return (a > b) - (a < b);
}

/* Requests a second; p50 and p99 in us; this process's CPU in us a request, user and system. */
static void report(void)
{
    struct rusage now;
    getrusage(RUSAGE_SELF, &now);
    double seconds = (double)(uv_hrtime() - from_ns) / 1e9;
    unsigned kept = measured < TIMES_MAX ? measured : TIMES_MAX;
    if (kept == 0)
        bench_fail("nothing was answered");
    qsort(times_ns, load.requests ? 0 : kept, sizeof(*times_ns), compare);
    printf("%.0f %.1f %.1f %.3f %.3f\n", measured / seconds, times_ns[kept / 2] / 1e3,
        times_ns[(size_t)kept * 99 / 100] / 1e3, cpu_us(&now.ru_utime, &usage.ru_utime) / measured,
        cpu_us(&now.ru_stime, &usage.ru_stime) / measured);
}

static void start(uint64_t now_ns)
{
    struct bench_job *job = spare[--n_spare];
    started++;
    bench_next(job);
    job->started_ns = now_ns;
    peer_send(job);
}

static bool more(uint64_t now_ns)
{
    if (load.requests)
        return started < load.requests + load.requests / 10 + 1;
    return now_ns < until_ns;
}

/* The first tenth warms up: a share of the requests, or of the time where nothing else is asked for. */
static void count(const struct bench_job *job, uint64_t now_ns)
{
    answered++;
    if (!measuring) {
        if (load.requests ? answered > load.requests / 10 : now_ns >= from_ns) {
            measuring = true;
            from_ns = now_ns;
            getrusage(RUSAGE_SELF, &usage);
        }
    } else if (!ending) {
        if (measured < TIMES_MAX && !load.requests)
            times_ns[measured] =
                (uint32_t)(now_ns - job->started_ns < UINT32_MAX ? now_ns - job->started_ns : UINT32_MAX);
        measured++;
    }
}

/* The load is over, and everything is answered. */
static void close_all(void)
{
    if (timer >= 0)
        uv_close((uv_handle_t *)&poll, NULL);
    peer_close();
}

static void end(void)
{
    if (!ending && (!load.requests || answered == started)) {
        ending = true;
        report();
    }
    if (answered == started)
        close_all();
}

void bench_done(struct bench_job *job)
{
    uint64_t now_ns = uv_hrtime();
    count(job, now_ns);
    spare[n_spare++] = job;
    if (!more(now_ns))
        end();
    else if (!load.rate)
        start(now_ns);
}

static uint64_t due_ns(unsigned number)
{
    return begin_ns + (uint64_t)number * 1000000000u / load.rate;
}

/* Starts all that are due, and sets the clock to the next, or to the end. */
static void on_due(uv_poll_t *handle, int status, int events)
{
    (void)handle;
    (void)status;
    (void)events;
    uint64_t now_ns = uv_hrtime(), next_ns;
    while ((next_ns = due_ns(started)) <= now_ns && next_ns < until_ns) {
        if (n_spare == 0)
            bench_fail("%u requests a second are too many: %u wait", load.rate, OUTSTANDING_MAX);
        start(next_ns);
    }
    if (now_ns >= until_ns) { /* the last may have been answered before, and nobody comes after it */
        if (answered == started)
            end();
        else
            uv_poll_stop(&poll);
        return;
    }
    next_ns = next_ns < until_ns ? next_ns : until_ns;
    struct itimerspec when = {.it_value = {(time_t)(next_ns / 1000000000u), (long)(next_ns % 1000000000u)}};
    timerfd_settime(timer, TFD_TIMER_ABSTIME, &when, NULL);
}

void bench_run(void)
{
    begin_ns = uv_hrtime();
    from_ns = begin_ns + (uint64_t)((load.warm > 0 ? load.warm : load.seconds / 10) * 1e9);
    until_ns = from_ns + (uint64_t)(load.seconds * 1e9);
    if (!load.rate) {
        while (n_spare > 0 && more(begin_ns))
            start(begin_ns);
        return;
    }
    timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (timer < 0)
        bench_fail("timerfd_create failed");
    uv_poll_init(uv_default_loop(), &poll, timer);
    uv_poll_start(&poll, UV_READABLE, on_due);
    on_due(&poll, 0, 0);
}
