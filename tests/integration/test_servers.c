/* What servers do not let us in, are not there, or are not who they should be; and what people are told of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "app.h"
#include "suite.h"

static void open_at(struct app *app, const char *rest)
{
    char conninfo[300];
    snprintf(conninfo, sizeof(conninfo), "host=127.0.0.1 port=%d %s", cluster_port(&cluster, 0), rest);
    app_open_conninfo(app, conninfo);
}

struct ready {
    int calls, status;
    char why[1000];
};

static void on_ready(pqr_router *router, int status, const char *why, void *data)
{
    struct ready *ready = data;
    (void)router;
    ready->calls++;
    ready->status = status;
    snprintf(ready->why, sizeof(ready->why), "%s", why);
}

static void wrong_password_is_told_and_never_shown(void **state)
{
    (void)state;
    struct app app = {0};
    open_at(&app, "user=scram dbname=app password=canary-4711");
    uint64_t before = app_now_ms();
    struct answer *answer = app_run(&app, "select 1");
    assert_ended(answer, PQR_STATUS_UNAVAILABLE, PQR_OUTCOME_NOT_EXECUTED);
    assert_true(app_now_ms() - before < 20000); /* not for as long as the request may wait */
    assert_non_null(strstr(answer->error, "28P01"));
    assert_non_null(strstr(answer->error, "scram"));
    assert_null(strstr(answer->error, "canary"));
    answer = app_run(&app, "insert into absent values (1)");
    assert_ended(answer, PQR_STATUS_UNAVAILABLE, PQR_OUTCOME_NOT_EXECUTED);
    struct ready ready = {0};
    assert_int_equal(pqr_router_ready(app.router, 200, on_ready, &ready), 0);
    APP_UNTIL(&app, ready.calls == 1);
    assert_int_equal(ready.status, PQR_ETIMEDOUT);
    assert_non_null(strstr(ready.why, "28P01"));
    assert_null(strstr(ready.why, "canary"));
    assert_true(app_logged(&app, "28P01"));
    assert_false(app_logged(&app, "canary"));
    pqr_stats *stats;
    char *json;
    assert_int_equal(pqr_router_stats(app.router, &stats), 0);
    assert_int_equal(pqr_stats_json(stats, &json), 0);
    assert_non_null(strstr(json, "28P01"));
    assert_null(strstr(json, "canary"));
    pqr_free(json);
    pqr_stats_free(stats);
    app_close(&app);
}

static void right_password_lets_in_and_is_never_shown(void **state)
{
    (void)state;
    struct app app = {0};
    open_at(&app, "user=scram dbname=app password=secret");
    app_ready(&app);
    assert_string_equal(app_value(&app, "select current_user"), "scram");
    assert_false(app_logged(&app, "secret"));
    app_close(&app);
}

static int give_password(void *data, const char *server, char *buffer, size_t size)
{
    (void)server;
    const char *password = data;
    snprintf(buffer, size, "%s", password ? password : "");
    return password ? 0 : -1;
}

static void password_comes_from_the_callback(void **state)
{
    (void)state;
    static char password[] = "secret"; /* a connect that was given up may ask once more after the close */
    struct app app = {.callbacks = PQR_CALLBACKS_INIT};
    app.callbacks.password = give_password;
    app.callbacks.data = password;
    open_at(&app, "user=scram dbname=app");
    app_ready(&app);
    assert_string_equal(app_value(&app, "select current_user"), "scram");
    app_close(&app);
}

static void failing_password_callback_is_told(void **state)
{
    (void)state;
    struct app app = {.callbacks = PQR_CALLBACKS_INIT};
    app.callbacks.password = give_password;
    open_at(&app, "user=scram dbname=app");
    pqr_query query = PQR_QUERY_INIT;
    query.sql = "select 1";
    query.timeout_ms = 500;
    struct answer *answer = app_run_query(&app, &query);
    assert_ended(answer, PQR_STATUS_UNAVAILABLE, PQR_OUTCOME_NOT_EXECUTED);
    assert_non_null(strstr(answer->error, "password"));
    app_close(&app);
}

static void wrong_database_is_told_by_name(void **state)
{
    (void)state;
    struct app app = {0};
    open_at(&app, "user=app dbname=nowhere");
    struct answer *answer = app_run(&app, "select 1");
    assert_ended(answer, PQR_STATUS_UNAVAILABLE, PQR_OUTCOME_NOT_EXECUTED);
    assert_non_null(strstr(answer->error, "nowhere"));
    assert_non_null(strstr(answer->error, "3D000"));
    app_close(&app);
}

static void wrong_user_is_told_by_name(void **state)
{
    (void)state;
    struct app app = {0};
    open_at(&app, "user=nobody_here dbname=app");
    struct answer *answer = app_run(&app, "select 1");
    assert_ended(answer, PQR_STATUS_UNAVAILABLE, PQR_OUTCOME_NOT_EXECUTED);
    assert_non_null(strstr(answer->error, "nobody_here"));
    app_close(&app);
}

/* Once somebody has mended it, nobody needs to restart the application. */
static void mended_password_is_found(void **state)
{
    (void)state;
    struct app app = {0};
    char text[400];
    cluster_exec(&cluster, 0, "create role late login password 'canary'; grant all on database app to late");
    cluster_exec(&cluster, 0, "alter role late nologin");
    snprintf(text, sizeof(text),
        "servers = ({ name = \"only\"; connection = \"host=127.0.0.1 port=%d user=late dbname=app\"; });"
        "pool = { backoff_max = \"300ms\"; }; probe = { interval = \"200ms\"; };",
        cluster_port(&cluster, 0));
    app_open_text(&app, text);
    assert_ended(app_run(&app, "select 1"), PQR_STATUS_UNAVAILABLE, PQR_OUTCOME_NOT_EXECUTED);
    cluster_exec(&cluster, 0, "alter role late login");
    app_ready(&app);
    assert_string_equal(app_value(&app, "select current_user"), "late");
    app_close(&app);
}

static void with_no_server_at_all_each_is_named(void **state)
{
    (void)state;
    struct app app = {0};
    cluster_stop_server(&cluster, 0, "fast");
    cluster_stop_server(&cluster, 1, "fast");
    app_open(&app, &cluster, "request = { timeout = \"500ms\"; };");
    struct answer *read = app_send(&app, "select 1");
    struct answer *write = app_send(&app, "insert into absent values (1)");
    assert_ended(app_wait(read), PQR_STATUS_UNAVAILABLE, PQR_OUTCOME_NOT_EXECUTED);
    assert_ended(app_wait(write), PQR_STATUS_UNAVAILABLE, PQR_OUTCOME_NOT_EXECUTED);
    assert_non_null(strstr(write->error, "primary is down"));
    assert_non_null(strstr(write->error, "refused"));
    struct ready ready = {0};
    assert_int_equal(pqr_router_ready(app.router, 100, on_ready, &ready), 0);
    APP_UNTIL(&app, ready.calls == 1);
    assert_int_equal(ready.status, PQR_ETIMEDOUT);
    assert_non_null(strstr(ready.why, "primary:"));
    assert_non_null(strstr(ready.why, "replica1:"));
    app_close(&app);
    cluster_start_server(&cluster, 0);
    cluster_start_server(&cluster, 1);
}

static void servers_that_come_later_are_found(void **state)
{
    (void)state;
    struct app app = {0};
    cluster_stop_server(&cluster, 0, "fast");
    cluster_stop_server(&cluster, 1, "fast");
    app_open(&app, &cluster, "pool = { backoff_max = \"500ms\"; }; probe = { interval = \"200ms\"; };");
    struct answer *read = app_send(&app, "select inet_server_port()");
    struct answer *write = app_send(&app, "create table came_later ()");
    app_turn(&app, 500);
    assert_false(read->done);
    assert_false(write->done);
    cluster_start_server(&cluster, 0);
    assert_ok(app_wait(write));
    assert_ok(app_wait(read)); /* there is no replica yet: the primary ran it */
    cluster_start_server(&cluster, 1);
    APP_UNTIL(&app, app_pool(&app, 1).available > 0);
    assert_string_equal(app_run(&app, "select 1")->server, "replica1");
    app_close(&app);
}

static void several_hosts_in_one_connection_string_are_several_servers(void **state)
{
    (void)state;
    struct app app = {0};
    char conninfo[400], name[40];
    cluster_conninfo_all(&cluster, conninfo, sizeof(conninfo));
    app_open_conninfo(&app, conninfo);
    app_ready(&app);
    assert_int_equal(app_totals(&app).n_pools, 2);
    snprintf(name, sizeof(name), "127.0.0.1:%d", cluster_port(&cluster, 1));
    assert_string_equal(app_run(&app, "select 1")->server, name);
    assert_int_equal(strtol(app_value(&app, "/*pqr:primary*/ select inet_server_port()"), NULL, 10),
        cluster_port(&cluster, 0));
    app_close(&app);
}

/* --- strangers --- */

static void open_with_stranger(struct app *app, const struct cluster *other, const char *settings)
{
    char text[1000];
    snprintf(text, sizeof(text),
        "connection = \"host=127.0.0.1 user=app dbname=app\";"
        "servers = ({ name = \"primary\"; connection = \"port=%d\"; }, { name = \"replica1\"; connection = "
        "\"port=%d\"; },"
        " { name = \"stranger\"; connection = \"port=%d\"; });"
        "probe = { interval = \"200ms\"; }; %s",
        cluster_port(&cluster, 0), cluster_port(&cluster, 1), cluster_port(other, 0), settings);
    app_open_text(app, text);
}

static void servers_of_two_clusters_get_nothing_and_are_named(void **state)
{
    (void)state;
    struct cluster other;
    struct app app = {0};
    cluster_start(&other, 0);
    open_with_stranger(&app, &other, "request = { timeout = \"1s\"; };");
    struct answer *answer = app_run(&app, "create table nowhere ()");
    assert_int_equal(answer->outcome, PQR_OUTCOME_NOT_EXECUTED);
    assert_int_not_equal(answer->status, PQR_STATUS_OK);
    assert_non_null(strstr(answer->error, "wrong_cluster"));
    assert_int_equal(app_pool(&app, 2).role, PQR_ROLE_WRONG_CLUSTER);
    assert_true(app_logged(&app, "system identifier"));
    for (int i = 0; i < 2; i++)
        assert_string_equal(
            cluster_exec(i ? &other : &cluster, 0, "select count(*) from pg_class where relname = 'nowhere'"),
            "0");
    app_close(&app);
    cluster_stop(&other);
}

static void pinned_identifier_keeps_the_stranger_out(void **state)
{
    (void)state;
    struct cluster other;
    struct app app = {0};
    char settings[100];
    cluster_start(&other, 0);
    snprintf(settings, sizeof(settings), "system_identifier = \"%s\";",
        cluster_exec(&cluster, 0, "select system_identifier from pg_control_system()"));
    open_with_stranger(&app, &other, settings);
    app_ready(&app);
    assert_int_equal(app_pool(&app, 2).role, PQR_ROLE_WRONG_CLUSTER);
    assert_ok(app_run(&app, "create table somewhere ()"));
    for (int i = 0; i < 20; i++)
        assert_string_not_equal(app_run(&app, "select 1")->server, "stranger");
    app_turn(&app, 100);
    assert_int_equal(cluster_sessions(&other, 0), 1); /* the probe's */
    assert_string_equal(
        cluster_exec(&other, 0, "select count(*) from pg_class where relname = 'somewhere'"), "0");
    app_close(&app);
    cluster_stop(&other);
}

static void stranger_that_comes_later_is_kept_out(void **state)
{
    (void)state;
    struct cluster other;
    struct app app = {0};
    cluster_start(&other, 0);
    cluster_stop_server(&other, 0, "fast");
    open_with_stranger(&app, &other, "");
    app_ready(&app);
    assert_ok(app_run(&app, "create table before_it ()"));
    cluster_start_server(&other, 0);
    APP_UNTIL(&app, app_pool(&app, 2).role == PQR_ROLE_WRONG_CLUSTER);
    assert_ok(app_run(&app, "create table after_it ()"));
    assert_int_equal(app_pool(&app, 0).role, PQR_ROLE_PRIMARY);
    assert_int_equal(app_pool(&app, 1).role, PQR_ROLE_REPLICA);
    app_close(&app);
    cluster_stop(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_password_is_told_and_never_shown),
        cmocka_unit_test(right_password_lets_in_and_is_never_shown),
        cmocka_unit_test(password_comes_from_the_callback),
        cmocka_unit_test(failing_password_callback_is_told),
        cmocka_unit_test(wrong_database_is_told_by_name),
        cmocka_unit_test(wrong_user_is_told_by_name),
        cmocka_unit_test(mended_password_is_found),
        cmocka_unit_test(with_no_server_at_all_each_is_named),
        cmocka_unit_test(servers_that_come_later_are_found),
        cmocka_unit_test(several_hosts_in_one_connection_string_are_several_servers),
        cmocka_unit_test(servers_of_two_clusters_get_nothing_and_are_named),
        cmocka_unit_test(pinned_identifier_keeps_the_stranger_out),
        cmocka_unit_test(stranger_that_comes_later_is_kept_out),
    };
    return SUITE_RUN(tests, 1, NULL);
}
