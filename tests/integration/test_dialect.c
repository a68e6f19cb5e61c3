/* What a text means depends on the server's settings: where quotes end, and which bytes are quotes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "app.h"
#include "suite.h"

#define SETTINGS "pool = { min = 1; max = 4; }; probe = { interval = \"200ms\"; };"

/* Two strings, and nothing else, where a backslash is a character like any other; a sequence's next value where it
   hides the quote behind it. */
#define TWO_MEANINGS "select 'a\\'' || nextval(' as s, ') --'"

static void set_conforming(int server, const char *value)
{
    char sql[80];
    snprintf(sql, sizeof(sql), "alter system set standard_conforming_strings = %s", value);
    cluster_exec(&cluster, server, sql);
    cluster_exec(&cluster, server, "select pg_reload_conf()");
    while (strcmp(cluster_exec(&cluster, server, "show standard_conforming_strings"), value) != 0)
        ;
}

static int conform_again(void **state)
{
    (void)state;
    set_conforming(0, "on");
    set_conforming(1, "on");
    return 0;
}

static void conforming_strings_are_read_as_such(void **state)
{
    (void)state;
    struct app app = {0};
    app_start(&app, &cluster, SETTINGS);
    assert_int_equal(app_run(&app, TWO_MEANINGS)->route, PQR_ROLE_REPLICA);
    app_close(&app);
}

/* What waits was classified before any server had told what it goes by. */
static void a_backslash_hides_a_quote_where_all_servers_say_so(void **state)
{
    (void)state;
    struct app app = {0};
    set_conforming(0, "off");
    set_conforming(1, "off");
    app_open(&app, &cluster, SETTINGS);
    struct answer *early = app_send(&app, TWO_MEANINGS), *harmless = app_send(&app, "select '\\'' as quote");
    app_wait(early);
    assert_int_equal(early->route, PQR_ROLE_PRIMARY);
    assert_sql_error(early, "42602"); /* the sequence has an impossible name */
    app_wait(harmless);
    assert_ok(harmless);
    assert_int_equal(harmless->route, PQR_ROLE_REPLICA);
    assert_string_equal(answer_value(harmless, 0, 0), "'");
    app_close(&app);
}

static void nothing_is_harmless_where_servers_disagree(void **state)
{
    (void)state;
    struct app app = {0};
    set_conforming(1, "off");
    app_open(&app, &cluster, SETTINGS);
    struct answer *early = app_send(&app, TWO_MEANINGS);
    app_ready(&app);
    APP_UNTIL(&app, app_run(&app, "select 1")->route == PQR_ROLE_PRIMARY);
    app_wait(early);
    assert_int_equal(app_run(&app, TWO_MEANINGS)->route, PQR_ROLE_PRIMARY);
    assert_non_null(strstr(app_run(&app, "select 2")->reason, "disagree"));
    app_close(&app);
}

/* The second byte of a character may be a backslash or a quote. */
static void nothing_is_harmless_in_an_unsafe_encoding(void **state)
{
    (void)state;
    struct app app = {0};
    char text[600];
    snprintf(text, sizeof(text),
        "servers = ({ connection = \"%s client_encoding=SJIS\"; }, { connection = \"%s "
        "client_encoding=SJIS\"; });" SETTINGS,
        cluster_conninfo(&cluster, 0), cluster_conninfo(&cluster, 1));
    app_open_text(&app, text);
    app_ready(&app);
    struct answer *answer = app_run(&app, "select 1");
    assert_ok(answer);
    assert_int_equal(answer->route, PQR_ROLE_PRIMARY);
    app_close(&app);
}

/* As a program does that was built with an older header. */
static void a_shorter_query_has_the_defaults(void **state)
{
    (void)state;
    struct app app = {0};
    pqr_query query = PQR_QUERY_INIT;
    app_start(&app, &cluster, SETTINGS);
    query.sql = "select 1";
    query.label = "beyond its end";
    query.struct_size = offsetof(pqr_query, label);
    struct answer *answer = app_run_query(&app, &query);
    assert_ok(answer);
    assert_int_equal(answer->route, PQR_ROLE_REPLICA);
    query.struct_size = offsetof(pqr_query, label) - 1;
    assert_int_equal(pqr_query_run(NULL, app.router, &query, app_on_reply, NULL), PQR_EINVAL);
    app_close(&app);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conforming_strings_are_read_as_such),
        cmocka_unit_test_teardown(a_backslash_hides_a_quote_where_all_servers_say_so, conform_again),
        cmocka_unit_test_teardown(nothing_is_harmless_where_servers_disagree, conform_again),
        cmocka_unit_test(nothing_is_harmless_in_an_unsafe_encoding),
        cmocka_unit_test(a_shorter_query_has_the_defaults),
    };
    return SUITE_RUN(tests, 1, NULL);
}
