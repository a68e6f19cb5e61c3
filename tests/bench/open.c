/* open config=FILE... stream=NAME,FLAG,TARGET,TIMEOUT_MS,RATES,SQL... NAME=VALUE...: requests that come when they are
   due, whatever becomes of those before them, and a record of each; a router for each file, every stream to every
   router. RATES: "100@0+1000@10", a second, from that second on. FLAG: normal, admin, batch. TARGET: auto, primary,
   replica. A request's time begins when it was due, so that a stall counts for all who would have come meanwhile.

   seconds=S of load; closed=N: instead of the rates so many of each stream are kept under way; settle=S before.
   Prints "begin" when the load does, and in the end a line for each request (r) and sample (s); overload.py reads
   them. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <uv.h>

#include "pqrouter.h"

enum { ROUTERS = 4, STREAMS = 4, RATES = 8, SAMPLE_US = 20000, RECORDS = 1 << 20, SAMPLES = 1 << 16 };

struct stream {
    char name[16];
    struct {
        double rate, from_s;
    } rates[RATES];
    pqr_statement *statement;
    uint32_t flags, timeout_ms;
    pqr_target target;
    unsigned n_rates;
};

struct source {
    unsigned router, stream;
    uint64_t random;
    double due_us; /* since the beginning */
};

struct record {
    struct source *source;
    uint64_t due_us, done_us;
    pqr_times times;
    pqr_status status;
    char server[16];
};

struct sample {
    uint64_t at_us, stall_us, work_us, connects, failures;
    unsigned router, pool;
    uint32_t total, in_use, wanted, ceiling, waiting;
};

static pqr_router *routers[ROUTERS];
static struct stream streams[STREAMS];
static struct source sources[ROUTERS * STREAMS];
static struct record *records;
static struct sample *samples;
static unsigned n_routers, n_streams, n_ready, n_records, n_samples, under_way, closed;
static double seconds = 5, settle = 0.5;
static bool over;
static uint64_t begin_ns, sampled_us;
static struct {
    uint64_t tick_ns, work_ns;  /* when the timer ran last, and the thread's processor time then */
    uint64_t stall_us, most_us; /* the longest since the last sample */
} loop;
static uv_timer_t tick;

static _Noreturn void give_up(const char *what, const char *why)
{
    fprintf(stderr, "open: %s: %s\n", what, why);
    exit(1);
}

static uint64_t now_us(void)
{
    return (uv_hrtime() - begin_ns) / 1000;
}

/* --- requests --- */

static void ask(struct source *source, uint64_t due_us);

static void answered(pqr_reply *reply, void *data)
{
    struct record *record = data;
    record->done_us = now_us();
    record->times = pqr_reply_times(reply);
    record->status = pqr_reply_status(reply);
    snprintf(record->server, sizeof(record->server), "%s", pqr_reply_server(reply));
    under_way--;
    if (closed > 0 && !over)
        ask(record->source, record->done_us);
}

static void ask(struct source *source, uint64_t due_us)
{
    const struct stream *stream = &streams[source->stream];
    pqr_query query = PQR_QUERY_INIT;
    if (n_records == RECORDS)
        give_up("too many requests", "make it shorter");
    struct record *record = &records[n_records++];
    *record = (struct record){.source = source, .due_us = due_us};
    query.statement = stream->statement;
    query.flags = stream->flags;
    query.target = stream->target;
    query.timeout_ms = stream->timeout_ms;
    int status = pqr_query_run(NULL, routers[source->router], &query, answered, record);
    if (status != 0)
        give_up("pqr_query_run", pqr_error_text(status));
    under_way++;
}

static double rate_at(const struct stream *stream, double at_us)
{
    double rate = 0;
    for (unsigned i = 0; i < stream->n_rates; i++)
        rate = at_us >= stream->rates[i].from_s * 1e6 ? stream->rates[i].rate : rate;
    return rate;
}

/* xorshift64 (Marsaglia, 2003), the same arrivals in each run. Where the rate may change it is drawn anew. */
static void draw(struct source *source)
{
    source->random ^= source->random << 13;
    source->random ^= source->random >> 7;
    source->random ^= source->random << 17;
    double even = ((double)(source->random >> 11) + 0.5) / 9007199254740992.0;
    double rate = rate_at(&streams[source->stream], source->due_us);
    source->due_us += rate > 0 ? -log(even) / rate * 1e6 : 1000;
}

static void ask_due(struct source *source, uint64_t until_us)
{
    while (source->due_us <= (double)until_us && source->due_us < seconds * 1e6) {
        if (rate_at(&streams[source->stream], source->due_us) > 0)
            ask(source, (uint64_t)source->due_us);
        draw(source);
    }
}

/* --- samples --- */

static void look_at(unsigned router, uint64_t at_us)
{
    pqr_stats *stats = NULL;
    if (pqr_router_stats(routers[router], &stats) != 0)
        give_up("pqr_router_stats", "out of memory");
    for (size_t i = 0; i < pqr_stats_totals(stats)->n_pools && n_samples < SAMPLES; i++) {
        const pqr_pool_stats *pool = pqr_stats_pool(stats, i);
        samples[n_samples++] = (struct sample){.at_us = at_us,
            .stall_us = loop.stall_us,
            .work_us = loop.most_us,
            .router = router,
            .pool = (unsigned)i,
            .total = pool->total_connections,
            .in_use = pool->allocated,
            .wanted = pool->wanted,
            .ceiling = pool->ceiling,
            .connects = pool->connects,
            .failures = pool->connect_failures,
            .waiting = pqr_stats_totals(stats)->waiting};
    }
    pqr_stats_free(stats);
}

/* A timer of a millisecond: how much later than that it runs, and how much work the loop's thread did in between. */
static void note_stall(void)
{
    enum { NS = 1000, TICK_NS = 1000 * NS };
    struct timespec used;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    uint64_t now_ns = uv_hrtime(), work_ns = (uint64_t)used.tv_sec * 1000000000 + (uint64_t)used.tv_nsec;
    uint64_t gap_ns = loop.tick_ns ? now_ns - loop.tick_ns : 0;
    uint64_t late_us = gap_ns > TICK_NS ? (gap_ns - TICK_NS) / NS : 0;
    uint64_t worked_us = loop.tick_ns ? (work_ns - loop.work_ns) / NS : 0;
    loop.tick_ns = now_ns;
    loop.work_ns = work_ns;
    loop.stall_us = late_us > loop.stall_us ? late_us : loop.stall_us;
    loop.most_us = worked_us > loop.most_us ? worked_us : loop.most_us;
}

static void look(uint64_t at_us)
{
    if (at_us < sampled_us + SAMPLE_US)
        return;
    sampled_us = at_us;
    for (unsigned i = 0; i < n_routers; i++)
        look_at(i, at_us);
    loop.stall_us = loop.most_us = 0;
}

/* --- beginning and end --- */

static void finish(void)
{
    uv_close((uv_handle_t *)&tick, NULL);
    for (unsigned i = 0; i < n_routers; i++)
        pqr_router_close(routers[i], 0, NULL, NULL);
}

static void on_tick(uv_timer_t *timer)
{
    (void)timer;
    uint64_t at_us = now_us();
    note_stall();
    over = (double)at_us >= seconds * 1e6;
    for (unsigned i = 0; closed == 0 && i < n_routers * n_streams; i++)
        ask_due(&sources[i], at_us);
    look(at_us);
    if (over && under_way == 0)
        finish();
}

static void begin(uv_timer_t *timer)
{
    begin_ns = uv_hrtime();
    puts("begin");
    fflush(stdout);
    uv_timer_start(timer, on_tick, 0, 1);
    for (unsigned i = 0; i < n_routers * n_streams; i++)
        for (unsigned n = 0; n < closed; n++)
            ask(&sources[i], 0);
}

static void on_ready(pqr_router *router, int status, const char *why, void *data)
{
    (void)router;
    (void)data;
    if (status != 0)
        give_up("not ready", why);
    if (++n_ready == n_routers)
        uv_timer_start(&tick, begin, (uint64_t)(settle * 1000), 0);
}

static void on_log(void *data, pqr_log_level level, const char *text)
{
    (void)data;
    fprintf(
        stderr, "%7.3f %s: %s\n", begin_ns ? (double)now_us() / 1e6 : 0.0, pqr_log_level_name(level), text);
}

static void open_router(const char *file)
{
    pqr_config *config = NULL;
    pqr_error error;
    pqr_callbacks callbacks = PQR_CALLBACKS_INIT;
    callbacks.log = getenv("OPEN_LOG") ? on_log : NULL;
    if (n_routers == ROUTERS || pqr_config_load(&config, file, &error) != 0 ||
        pqr_router_open(&routers[n_routers], uv_default_loop(), config, &callbacks, &error) != 0)
        give_up(file, error.message);
    pqr_config_free(config);
    if (pqr_router_ready(routers[n_routers++], 30000, on_ready, NULL) != 0)
        give_up(file, "pqr_router_ready");
}

/* --- arguments --- */

static unsigned word(const char *text, const char *const *words)
{
    for (unsigned i = 0; words[i]; i++)
        if (strcmp(words[i], text) == 0)
            return i;
    give_up(text, "no such word");
}

static void read_rates(struct stream *stream, char *text)
{
    for (char *rate = strtok(text, "+"); rate; rate = strtok(NULL, "+")) {
        if (stream->n_rates == RATES)
            give_up(text, "too many rates");
        char *at = strchr(rate, '@');
        stream->rates[stream->n_rates].rate = strtod(rate, NULL);
        stream->rates[stream->n_rates++].from_s = at ? strtod(at + 1, NULL) : 0;
    }
}

static void read_stream(char *text)
{
    static const char *const lanes[] = {"normal", "admin", "batch", NULL};
    static const char *const targets[] = {"auto", "primary", "replica", NULL};
    static const uint32_t flags[] = {0, PQR_ADMIN, PQR_BATCH};
    char *fields[6] = {text};
    for (unsigned i = 1; i < 6; i++) {
        char *comma = strchr(fields[i - 1], ',');
        if (!comma || n_streams == STREAMS)
            give_up(text, "NAME,FLAG,TARGET,TIMEOUT_MS,RATES,SQL was expected");
        *comma = '\0';
        fields[i] = comma + 1;
    }
    struct stream *stream = &streams[n_streams++];
    snprintf(stream->name, sizeof(stream->name), "%s", fields[0]);
    stream->flags = flags[word(fields[1], lanes)];
    stream->target = (pqr_target)word(fields[2], targets);
    stream->timeout_ms = (uint32_t)strtoul(fields[3], NULL, 10);
    read_rates(stream, fields[4]);
    if (pqr_statement_new(&stream->statement, fields[5]) != 0)
        give_up(fields[5], "out of memory");
}

static void read_argument(char *argument)
{
    char *value = strchr(argument, '=');
    if (!value)
        give_up(argument, "NAME=VALUE was expected");
    *value++ = '\0';
    if (strcmp(argument, "config") == 0)
        open_router(value);
    else if (strcmp(argument, "stream") == 0)
        read_stream(value);
    else if (strcmp(argument, "seconds") == 0)
        seconds = strtod(value, NULL);
    else if (strcmp(argument, "settle") == 0)
        settle = strtod(value, NULL);
    else if (strcmp(argument, "closed") == 0)
        closed = (unsigned)strtoul(value, NULL, 10);
    else
        give_up(argument, "no such option");
}

static void print(void)
{
    for (unsigned i = 0; i < n_records; i++) {
        const struct record *record = &records[i];
        printf("r %s %u %llu %llu %s %llu %llu %s\n", streams[record->source->stream].name,
            record->source->router, (unsigned long long)record->due_us, (unsigned long long)record->done_us,
            pqr_status_name(record->status), (unsigned long long)record->times.queued_us,
            (unsigned long long)record->times.server_us, record->server[0] ? record->server : "-");
    }
    for (unsigned i = 0; i < n_samples; i++) {
        const struct sample *sample = &samples[i];
        printf("s %llu %u %u %u %u %u %u %u %llu %llu %llu %llu\n", (unsigned long long)sample->at_us,
            sample->router, sample->pool, sample->total, sample->in_use, sample->wanted, sample->ceiling,
            sample->waiting, (unsigned long long)sample->connects, (unsigned long long)sample->failures,
            (unsigned long long)sample->stall_us, (unsigned long long)sample->work_us);
    }
}

int main(int argc, char **argv)
{
    records = calloc(RECORDS, sizeof(*records));
    samples = calloc(SAMPLES, sizeof(*samples));
    if (!records || !samples)
        give_up("start", "out of memory");
    uv_timer_init(uv_default_loop(), &tick);
    for (int i = 1; i < argc; i++)
        read_argument(argv[i]);
    for (unsigned i = 0; i < n_routers * n_streams; i++) {
        sources[i] = (struct source){
            .router = i / n_streams, .stream = i % n_streams, .random = 88172645463325252u + i};
        draw(&sources[i]);
    }
    uv_run(uv_default_loop(), UV_RUN_DEFAULT);
    print();
    for (unsigned i = 0; i < n_streams; i++)
        pqr_statement_free(streams[i].statement);
    free(records);
    free(samples);
    return uv_loop_close(uv_default_loop());
}
