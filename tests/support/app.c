/* See app.h. Asserts by cmocka: a failed assertion leaves the loop as it is, and the test ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "app.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* --- what hangs --- */

static void on_alarm(int signal_number)
{
    static const char text[] = "app: a test hangs\n";
    (void)signal_number;
    if (write(2, text, sizeof(text) - 1) < 0)
        _exit(2);
    _exit(1); /* the servers go away with the pipe that holds them */
}

uint64_t app_now_ms(void)
{
    return uv_hrtime() / 1000000;
}

static void on_tick(uv_timer_t *tick)
{
    *(bool *)tick->data = true;
}

void app_turn(struct app *app, unsigned ms)
{
    bool over = false;
    app->tick.data = &over;
    assert_int_equal(uv_timer_start(&app->tick, on_tick, ms, 0), 0);
    while (!over)
        uv_run(&app->loop, UV_RUN_ONCE);
}

/* --- opening --- */

static void on_log(void *data, pqr_log_level level, const char *text)
{
    struct app *app = data;
    fprintf(app->log_stream, "%s: %s\n", pqr_log_level_name(level), text);
    if (getenv("APP_LOG"))
        fprintf(stderr, "%llu %s: %s\n", (unsigned long long)app_now_ms() % 1000000,
            pqr_log_level_name(level), text);
}

static void on_role_change(void *data, const char *server, pqr_role from, pqr_role to)
{
    struct app *app = data;
    (void)server;
    (void)from;
    (void)to;
    app->role_changes++;
}

static void open_router(struct app *app)
{
    pqr_error error = {0};
    signal(SIGALRM, on_alarm);
    alarm(APP_HANG_S);
    app->answers = NULL;
    app->accepted = app->answered = app->closed = app->role_changes = 0;
    app->log_stream = open_memstream(&app->log, &app->log_size);
    assert_non_null(app->log_stream);
    assert_int_equal(uv_loop_init(&app->loop), 0);
    assert_int_equal(uv_timer_init(&app->loop, &app->tick), 0);
    uv_unref((uv_handle_t *)&app->tick);
    pqr_callbacks callbacks = PQR_CALLBACKS_INIT;
    callbacks.data = app;
    callbacks.log = on_log;
    callbacks.log_level = PQR_LOG_DEBUG;
    callbacks.role_change = on_role_change;
    if (app->callbacks.struct_size)
        callbacks = app->callbacks;
    if (pqr_router_open(&app->router, &app->loop, app->config, &callbacks, &error) != 0)
        fail_msg("pqr_router_open: %s", error.message);
    pqr_config_free(app->config);
}

void app_open_text(struct app *app, const char *text)
{
    char path[] = "/tmp/pqr-app.XXXXXX";
    pqr_error error = {0};
    mode_t mask = umask(077);
    int fd = mkstemp(path);
    umask(mask);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    int status = pqr_config_load(&app->config, path, &error);
    unlink(path);
    if (status != 0)
        fail_msg("pqr_config_load: %s", error.message);
    open_router(app);
}

void app_open_conninfo(struct app *app, const char *conninfo)
{
    pqr_error error = {0};
    if (pqr_config_conninfo(&app->config, conninfo, &error) != 0)
        fail_msg("pqr_config_conninfo: %s", error.message);
    open_router(app);
}

void app_open(struct app *app, const struct cluster *cluster, const char *settings)
{
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    assert_non_null(stream);
    fputs("connection = \"user=app dbname=app\";\nservers = (", stream);
    for (int i = 0; i < cluster->count; i++)
        fprintf(stream, "%s\n{ name = \"%s\"; connection = \"host=127.0.0.1 port=%d\"; }", i ? "," : "",
            cluster->servers[i].name, cluster->servers[i].port);
    fprintf(stream, ");\n%s\n", settings);
    fclose(stream);
    app_open_text(app, text);
    free(text);
}

struct ready {
    bool done;
    int status;
    char why[1000];
};

static void on_ready(pqr_router *router, int status, const char *why, void *data)
{
    struct ready *ready = data;
    (void)router;
    ready->done = true;
    ready->status = status;
    snprintf(ready->why, sizeof(ready->why), "%s", why);
}

void app_ready(struct app *app)
{
    struct ready ready = {0};
    assert_int_equal(pqr_router_ready(app->router, 20000, on_ready, &ready), 0);
    while (!ready.done)
        uv_run(&app->loop, UV_RUN_ONCE);
    if (ready.status != 0)
        fail_msg("not ready: %s", ready.why);
}

void app_start(struct app *app, const struct cluster *cluster, const char *settings)
{
    app_open(app, cluster, settings);
    app_ready(app);
}

/* --- closing --- */

static void on_closed(void *data)
{
    struct app *app = data;
    app->closed++;
    assert_int_equal(app->answered, app->accepted);
}

static void free_answers(struct app *app)
{
    struct answer *answer;
    while ((answer = app->answers) != NULL) {
        app->answers = answer->next;
        PQclear(answer->result);
        free(answer);
    }
}

void app_ended(struct app *app)
{
    while (uv_loop_alive(&app->loop))
        uv_run(&app->loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&app->tick, NULL);
    uv_run(&app->loop, UV_RUN_DEFAULT);
    for (const struct answer *answer = app->answers; answer; answer = answer->next)
        assert_int_equal(answer->calls, 1);
    assert_int_equal(app->answered, app->accepted);
    assert_int_equal(uv_loop_close(&app->loop), 0);
    free_answers(app);
    fclose(app->log_stream);
    free(app->log);
    app->log = NULL;
    alarm(0);
}

void app_close_now(struct app *app)
{
    pqr_router_close(app->router, 0, on_closed, app);
}

void app_closed(struct app *app)
{
    app_ended(app);
    assert_int_equal(app->closed, 1);
}

void app_drain(struct app *app, uint32_t drain_ms)
{
    pqr_router_close(app->router, drain_ms, on_closed, app);
    while (app->closed == 0)
        uv_run(&app->loop, UV_RUN_ONCE);
    assert_false(uv_loop_alive(&app->loop)); /* the callback comes last */
    app_closed(app);
}

void app_close(struct app *app)
{
    app_drain(app, 5000);
}

/* --- what is seen --- */

pqr_pool_stats app_pool(struct app *app, size_t index)
{
    pqr_stats *stats;
    assert_int_equal(pqr_router_stats(app->router, &stats), 0);
    assert_non_null(pqr_stats_pool(stats, index));
    pqr_pool_stats pool = *pqr_stats_pool(stats, index);
    pool.server = pool.host = pool.port = pool.problem = pool.zone = pool.sizing =
        NULL; /* gone with the snapshot */
    pqr_stats_free(stats);
    return pool;
}

pqr_router_totals app_totals(struct app *app)
{
    pqr_stats *stats;
    assert_int_equal(pqr_router_stats(app->router, &stats), 0);
    pqr_router_totals totals = *pqr_stats_totals(stats);
    pqr_stats_free(stats);
    return totals;
}

bool app_logged(struct app *app, const char *text)
{
    fflush(app->log_stream);
    return strstr(app->log, text) != NULL;
}

long cluster_long(struct cluster *cluster, int server, const char *sql)
{
    return strtol(cluster_exec(cluster, server, sql), NULL, 10);
}

long cluster_sessions(struct cluster *cluster, int server)
{
    return cluster_long(cluster, server, "select count(*) from pg_stat_activity where usename = 'app'");
}
