/* Another configuration for a running router, on a primary and two replicas; and warm-up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <unistd.h>

#include "app.h"
#include "suite.h"

static const char tables[] = "set role app; create table noted (n int)";

/* servers: the numbers of those in it, "01" is the primary and the first replica. */
static void write_config(
    char *out, size_t size, const char *common, const char *servers, const char *settings)
{
    size_t used = (size_t)snprintf(out, size, "connection = \"host=127.0.0.1 %s\";\nservers = ( ", common);
    for (const char *at = servers; *at; at++)
        used += (size_t)snprintf(out + used, size - used, "%s{ name = \"s%c\"; connection = \"port=%d\"; }",
            at == servers ? "" : ", ", *at, cluster_port(&cluster, *at - '0'));
    snprintf(out + used, size - used, " );\n%s", settings);
}

static pqr_config *load(const char *common, const char *servers, const char *settings)
{
    char path[] = "/tmp/pqr-reload.XXXXXX", text[2000];
    pqr_config *config;
    pqr_error error;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    write_config(text, sizeof(text), common, servers, settings);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    int status = pqr_config_load(&config, path, &error);
    unlink(path);
    if (status != 0)
        fail_msg("pqr_config_load: %s", error.message);
    return config;
}

#define COMMON "user=app dbname=app"

static void open_with(struct app *app, const char *servers, const char *settings)
{
    char text[2000];
    write_config(text, sizeof(text), COMMON, servers, settings);
    app_open_text(app, text);
    app_ready(app);
}

static void reload(struct app *app, const char *common, const char *servers, const char *settings)
{
    pqr_error error;
    pqr_config *config = load(common, servers, settings);
    int status = pqr_router_reload(app->router, config, &error);
    pqr_config_free(config);
    if (status != 0)
        fail_msg("pqr_router_reload: %s", error.message);
}

static void servers_come_and_go(void **state)
{
    (void)state;
    struct app app = {0};
    open_with(&app, "0", "");
    assert_string_equal(app_run(&app, "select n from noted")->server, "s0");
    reload(&app, COMMON, "012", "");
    assert_int_equal(app_totals(&app).n_pools, 3);
    APP_UNTIL(&app, app_pool(&app, 1).available > 1 && app_pool(&app, 2).available > 1);
    assert_string_not_equal(app_run(&app, "select n from noted")->server, "s0");
    reload(&app, COMMON, "20", ""); /* another order, and one less */
    APP_UNTIL(&app, cluster_sessions(&cluster, 1) == 0);
    for (int i = 0; i < 20; i++)
        assert_string_equal(app_run(&app, "select n from noted")->server, "s2");
    assert_int_equal(app_pool(&app, 0).role, PQR_ROLE_REPLICA);
    assert_int_equal(app_pool(&app, 1).role, PQR_ROLE_PRIMARY);
    assert_int_equal(app_totals(&app).n_pools, 2);
    reload(&app, COMMON, "012", "");
    APP_UNTIL(&app, app_pool(&app, 1).role == PQR_ROLE_REPLICA && app_pool(&app, 1).available > 1);
    for (int i = 0; i < 200 && app_pool(&app, 1).reads == 0; i++)
        assert_ok(app_wait(app_send_to(&app, PQR_TARGET_REPLICA, 0, "select pg_sleep(0.001)")));
    app_close(&app);
}

#define QUIET "catalog = { load = false; };" /* no reads but the test's */

static void what_runs_on_a_server_that_leaves_is_finished_there(void **state)
{
    (void)state;
    struct app app = {0};
    struct answer *reads[8];
    open_with(&app, "012", QUIET "pool = { min = 6; };");
    APP_UNTIL(&app, app_pool(&app, 1).available == 6 && app_pool(&app, 2).available == 6);
    unsigned on_first = 0;
    for (int i = 0; i < 8; i++)
        reads[i] = app_send_to(&app, PQR_TARGET_REPLICA, 0, "select pg_sleep(1)");
    APP_UNTIL(&app,
        app_pool(&app, 1).allocated > 0 && app_pool(&app, 1).allocated + app_pool(&app, 2).allocated == 8);
    reload(&app, COMMON, "02", QUIET "pool = { min = 6; };");
    assert_int_equal(app_totals(&app).allocated, 8); /* those that leave count */
    for (int i = 0; i < 8; i++) {
        assert_ok(app_wait(reads[i]));
        assert_int_equal(reads[i]->attempts, 1);
        on_first += strcmp(reads[i]->server, "s1") == 0;
    }
    assert_true(on_first > 0);
    APP_UNTIL(&app, cluster_sessions(&cluster, 1) == 0);
    app_close(&app);
}

static void primary_that_leaves_makes_writes_wait_for_another(void **state)
{
    (void)state;
    struct app app = {0};
    open_with(&app, "012", "");
    reload(&app, COMMON, "12", "");
    struct answer *write = app_send(&app, "insert into noted values (1)");
    struct answer *read = app_run(&app, "select n from noted");
    assert_ok(read);
    assert_false(write->done);
    reload(&app, COMMON, "012", "");
    assert_ok(app_wait(write));
    assert_string_equal(write->server, "s0");
    app_close(&app);
}

static void sizes_change_in_both_directions(void **state)
{
    (void)state;
    struct app app = {0};
    open_with(&app, "0", "pool = { min = 6; max = 8; };");
    APP_UNTIL(&app, app_pool(&app, 0).available >= 6);
    reload(&app, COMMON, "0", "pool = { min = 2; max = 3; };");
    assert_int_equal(app_pool(&app, 0).max, 3);
    APP_UNTIL(&app, cluster_sessions(&cluster, 0) <= 3);
    reload(&app, COMMON, "0", "pool = { min = 10; max = 12; };");
    APP_UNTIL(&app, app_pool(&app, 0).available >= 10);
    struct answer *busy[5];
    for (int i = 0; i < 5; i++)
        busy[i] = app_send(&app, "select pg_sleep(3), pg_notify('x', '')");
    APP_UNTIL(&app, app_pool(&app, 0).allocated >= 5);
    reload(&app, COMMON, "0", "pool = { min = 2; max = 3; };"); /* those that are busy, when they are done */
    for (int i = 0; i < 5; i++)
        assert_ok(app_wait(busy[i]));
    APP_UNTIL(&app, cluster_sessions(&cluster, 0) <= 3);
    assert_ok(app_run(&app, "insert into noted values (2)"));
    app_close(&app);
}

static void other_parameters_come_with_new_connections(void **state)
{
    (void)state;
    struct app app = {0};
    open_with(&app, "01", "");
    const char *others = "select count(*) from pg_stat_activity where usename = 'app' and "
                         "application_name <> 'renamed'";
    reload(&app, COMMON " application_name=renamed", "01", "");
    assert_ok(app_run(&app, "insert into noted values (3)"));
    APP_UNTIL(&app, cluster_long(&cluster, 0, others) == 0 && cluster_long(&cluster, 1, others) == 0);
    assert_string_equal(
        app_value(&app, "/*pqr:primary*/ select current_setting('application_name')"), "renamed");
    app_close(&app);
}

static void what_cannot_change_is_named_and_nothing_changes(void **state)
{
    (void)state;
    struct app app = {0};
    pqr_error error;
    open_with(&app, "01", "");
    static const struct {
        const char *common, *servers, *settings, *named;
    } table[] = {
        {"user=app dbname=postgres", "0", "", "the database"},
        {"user=postgres dbname=app", "0", "pool = { max = 4; };", "the user"},
        {COMMON, "0", "system_identifier = \"12345\";", "system_identifier"},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        pqr_config *config = load(table[i].common, table[i].servers, table[i].settings);
        assert_int_equal(pqr_router_reload(app.router, config, &error), PQR_ECONFIG);
        assert_non_null(strstr(error.message, table[i].named));
        pqr_config_free(config);
        assert_int_equal(app_totals(&app).n_pools, 2);
        assert_int_equal(app_pool(&app, 0).max, 20);
    }
    assert_int_equal(pqr_router_reload(app.router, NULL, &error), PQR_EINVAL);
    assert_ok(app_run(&app, "insert into noted values (4)"));
    app_close(&app);
}

static void reload_in_answer(struct answer *answer, pqr_reply *reply)
{
    struct app *app = answer->data;
    reload(app, COMMON, "0", "");
    assert_string_equal(pqr_reply_server(reply), "s1"); /* it is still there while the callback runs */
}

static void from_a_callback_it_is_done_when_that_has_returned(void **state)
{
    (void)state;
    struct app app = {0};
    open_with(&app, "01", "");
    struct answer *answer = app_send_to(&app, PQR_TARGET_REPLICA_ONLY, 0, "select 1");
    answer->then = reload_in_answer;
    answer->data = &app;
    assert_ok(app_wait(answer));
    APP_UNTIL(&app, app_totals(&app).n_pools == 1 && cluster_sessions(&cluster, 1) == 0);
    assert_string_equal(app_run(&app, "select n from noted")->server, "s0");
    app_close(&app);
}

/* A log callback may run in the middle of anything: one that reloads at every eleventh line, in turn with one server and
   with two, while connections are opened, queries run and servers leave. */
struct log_reloads {
    struct app app;
    pqr_config *configs[2];
    unsigned lines, done, refused;
    bool ends;
};

static void reload_in_log(void *data, pqr_log_level level, const char *text)
{
    struct log_reloads *reloads = data;
    pqr_error error;
    (void)level;
    (void)text;
    if (++reloads->lines % 11 || !reloads->app.router || reloads->ends)
        return;
    int status = pqr_router_reload(reloads->app.router, reloads->configs[reloads->lines % 2], &error);
    reloads->done += status == 0;
    reloads->refused += status != 0;
}

static void from_the_log_callback_it_is_done_after_the_event(void **state)
{
    (void)state;
    static struct log_reloads reloads;
    struct app *app = &reloads.app;
    reloads.configs[0] = load(COMMON, "0", "pool = { max = 6; };");
    reloads.configs[1] = load(COMMON, "01", "pool = { max = 8; };");
    app->callbacks = (pqr_callbacks)PQR_CALLBACKS_INIT;
    app->callbacks.data = &reloads;
    app->callbacks.log = reload_in_log;
    app->callbacks.log_level = PQR_LOG_DEBUG;
    open_with(app, "01", "");
    for (int i = 0; i < 60; i++) {
        assert_ok(app_run(app, "update noted set n = n where n < 0"));
        assert_ok(app_run_to(app, PQR_TARGET_REPLICA, "select count(*) from noted"));
    }
    assert_true(reloads.done > 10);
    assert_int_equal(reloads.refused, 0);
    reloads.ends = true;
    reload(app, COMMON, "0", ""); /* from outside: the last word */
    APP_UNTIL(app, app_totals(app).n_pools == 1 && cluster_sessions(&cluster, 1) == 0);
    assert_ok(app_run(app, "update noted set n = n where n < 0"));
    app_close(app);
    pqr_config_free(reloads.configs[0]);
    pqr_config_free(reloads.configs[1]);
}

static void a_load_notices_nothing_of_many_reloads(void **state)
{
    (void)state;
    struct app app = {0};
    struct answer *answers[400];
    static const char *const servers[] = {"012", "02", "01", "0", "210"};
    open_with(&app, "012", "pool = { min = 3; };");
    for (int i = 0; i < 400; i++) {
        answers[i] = i % 2 ? app_send(&app, "insert into noted values (5)")
                           : app_send_to(&app, PQR_TARGET_REPLICA, 0, "select pg_sleep(0.002)");
        if (i % 10 == 0)
            reload(
                &app, COMMON, servers[i / 10 % 5], i % 20 ? "pool = { min = 3; };" : "pool = { max = 6; };");
        uv_run(&app.loop, UV_RUN_NOWAIT);
    }
    for (int i = 0; i < 400; i++)
        assert_ok(app_wait(answers[i]));
    assert_int_equal(cluster_long(&cluster, 0, "select count(*) from noted where n = 5"), 200);
    app_close(&app);
}

static void warm_up_is_ready_when_min_is_open_everywhere(void **state)
{
    (void)state;
    struct app app = {0};
    open_with(&app, "012", "pool = { min = 8; max = 12; warm_up = true; connects_at_once = 1; };");
    for (size_t i = 0; i < 3; i++) {
        pqr_pool_stats pool = app_pool(&app, i);
        assert_true(pool.available + pool.allocated >= 8); /* the catalog is read on one, perhaps */
        assert_int_equal(app_pool(&app, i).role, i == 0 ? PQR_ROLE_PRIMARY : PQR_ROLE_REPLICA);
    }
    app_close(&app);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(servers_come_and_go),
        cmocka_unit_test(what_runs_on_a_server_that_leaves_is_finished_there),
        cmocka_unit_test(primary_that_leaves_makes_writes_wait_for_another),
        cmocka_unit_test(sizes_change_in_both_directions),
        cmocka_unit_test(other_parameters_come_with_new_connections),
        cmocka_unit_test(what_cannot_change_is_named_and_nothing_changes),
        cmocka_unit_test(from_a_callback_it_is_done_when_that_has_returned),
        cmocka_unit_test(from_the_log_callback_it_is_done_after_the_event),
        cmocka_unit_test(a_load_notices_nothing_of_many_reloads),
        cmocka_unit_test(warm_up_is_ready_when_min_is_open_everywhere),
    };
    return SUITE_RUN(tests, 2, tables);
}
