/* A router on real servers to which everything happens: see chaos.h. Which faults, and which requests, follows from the
   seed; when they meet does not.

     chaos SECONDS [SEED] */
#include "chaos.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

enum { REPLICAS = 2, HANG_S = 60 };

static struct cluster cluster;
static uv_loop_t loop;
static pqr_router *router; /* NULL: one is closing, or not begun */
static uv_timer_t clients, changes;
static uint64_t random_state;
static unsigned routers, reloads;
static bool ending;

/* --- what all need --- */

uint64_t chaos_next(uint64_t *random)
{
    uint64_t mixed = *random += UINT64_C(0x9E3779B97F4A7C15);
    mixed = (mixed ^ mixed >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94D049BB133111EB);
    return mixed ^ mixed >> 31;
}

unsigned chaos_below(uint64_t *random, unsigned bound)
{
    return (unsigned)(chaos_next(random) % bound);
}

bool chaos_percent(uint64_t *random, unsigned percent)
{
    return chaos_below(random, 100) < percent;
}

void chaos_fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("chaos: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    _exit(1); /* the servers go away with the pipe that holds them */
}

/* --- the router --- */

static pqr_config *new_config(void)
{
    static const char *const modes[] = {"}; reads = { share_sync = 1; };",
        "}; writes = { pipeline = true; };", "pipeline_depth = 1; };",
        "}; statements = { prepare_threshold = 0; };", "};"};
    char path[] = "/tmp/pqr-chaos.XXXXXX";
    pqr_error error = {0};
    pqr_config *config = NULL;
    int fd = mkstemp(path);
    FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (!file)
        chaos_fail("%s cannot be written", path);
    fputs("connection = \"user=app dbname=app\";\nservers = (", file);
    for (int i = 0; i < cluster.count; i++)
        fprintf(file, "%s { name = \"%s\"; connection = \"host=127.0.0.1 port=%d\"; }", i ? "," : "",
            cluster.servers[i].name, cluster.servers[i].port);
    fprintf(file,
        ");\nprobe = { interval = \"200ms\"; timeout = \"1s\"; }; request = { timeout = \"5s\"; };\n"
        "pool = { min = %u; max = %d; backoff_max = \"500ms\"; %s\n",
        chaos_below(&random_state, CHAOS_MAX / 2), CHAOS_MAX,
        modes[chaos_below(&random_state, sizeof(modes) / sizeof(*modes))]);
    fclose(file);
    int failed = pqr_config_load(&config, path, &error);
    unlink(path);
    if (failed)
        chaos_fail("%s", error.message);
    return config;
}

static void open_router(void)
{
    pqr_error error = {0};
    pqr_config *config = new_config();
    if (pqr_router_open(&router, &loop, config, NULL, &error) != 0)
        chaos_fail("%s", error.message);
    pqr_config_free(config);
    routers++;
    faults_router_began();
}

static void on_closed(void *data)
{
    (void)data;
    if (load_outstanding() > 0)
        chaos_fail("%u requests were not answered by the close", load_outstanding());
    if (!ending)
        open_router();
}

static void close_router(void)
{
    pqr_router *closing = router;
    router = NULL;
    pqr_router_close(
        closing, chaos_below(&random_state, 2) * chaos_below(&random_state, 1000), on_closed, NULL);
}

static void reload(void)
{
    pqr_error error = {0};
    pqr_config *config = new_config();
    if (pqr_router_reload(router, config, &error) != 0)
        chaos_fail("%s", error.message);
    pqr_config_free(config);
    reloads++;
}

/* --- the loop --- */

static void on_clients(uv_timer_t *timer)
{
    (void)timer;
    alarm(HANG_S);
    if (router)
        load_run(router);
}

static void on_changes(uv_timer_t *timer)
{
    (void)timer;
    if (!router)
        return;
    load_cancel(router);
    if (chaos_below(&random_state, 1000) == 0)
        close_router();
    else if (chaos_below(&random_state, 100) == 0)
        reload();
}

static void turn_for(unsigned seconds)
{
    uint64_t until = uv_hrtime() + seconds * UINT64_C(1000000000);
    while (uv_hrtime() < until)
        uv_run(&loop, UV_RUN_ONCE);
}

static void end(void)
{
    uv_close((uv_handle_t *)&clients, NULL);
    uv_close((uv_handle_t *)&changes, NULL);
    ending = true;
    if (router)
        close_router();
    uv_run(&loop, UV_RUN_DEFAULT);
    if (uv_loop_close(&loop) != 0)
        chaos_fail("something is left on the loop");
}

int main(int argc, char **argv)
{
    unsigned seconds = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 0;
    random_state = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    if (seconds == 0)
        chaos_fail("usage: chaos SECONDS [SEED]");
    cluster_start(&cluster, REPLICAS);
    cluster_exec(&cluster, 0, "set role app; create table chaos (id bigint); create index on chaos (id)");
    cluster_sync(&cluster, 0);
    uv_loop_init(&loop);
    load_start(chaos_next(&random_state));
    open_router();
    uv_timer_init(&loop, &clients);
    uv_timer_init(&loop, &changes);
    uv_timer_start(&clients, on_clients, 0, 1);
    uv_timer_start(&changes, on_changes, 20, 20);
    faults_start(&cluster, chaos_next(&random_state));
    turn_for(seconds);
    faults_stop();
    end();
    faults_print();
    printf("%10u  routers, %u reloads\n", routers, reloads);
    load_finish();
    books_verify(&cluster);
    cluster_stop(&cluster);
    return 0;
}
