/* What is prepared before anybody asks: on each connection, before the router says that it is ready. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "app.h"
#include "suite.h"

static const char tables[] =
    "create table articles (id int primary key, name text); insert into articles values (1, 'tea');"
    "alter table articles owner to app";

#define BY_ID  "select name from articles where id = $1"
#define INSERT "insert into articles values ($1, $2)"

/* How often a connection has run what it has prepared of this text; -1: it has not prepared it. */
#define USES(text)                                                                                  \
    "select coalesce(max(generic_plans + custom_plans), -1) from pg_prepared_statements where not " \
    "from_sql and statement = '" text "'"

/* One connection a server, and nothing but the test's own queries on it. */
#define POOL \
    "pool = { min = 1; max = 4; admin_reserved = 0; resize = false; }; catalog = { load = false; };\n"

static void ready_means_prepared(void **state)
{
    (void)state;
    struct app app = {0};
    app_start(&app, &cluster, POOL "statements = { warm_up = [\"" BY_ID "\", \"" INSERT "\"]; };");
    for (size_t server = 0; server < 2; server++)
        assert_int_equal(app_pool(&app, server).available, 1);
    assert_string_equal(answer_value(app_run_to(&app, PQR_TARGET_PRIMARY, USES(BY_ID)), 0, 0), "0");
    assert_string_equal(answer_value(app_run_to(&app, PQR_TARGET_PRIMARY, USES(INSERT)), 0, 0), "0");
    assert_string_equal(answer_value(app_run_to(&app, PQR_TARGET_REPLICA_ONLY, USES(BY_ID)), 0, 0), "0");
    assert_string_equal(answer_value(app_run_to(&app, PQR_TARGET_REPLICA_ONLY, USES(INSERT)), 0, 0), "0");
    app_close(&app);
}

static struct answer *run_by_id(struct app *app, const pqr_statement *statement, const Oid *types)
{
    static const char *const one[] = {"1"};
    pqr_query query = PQR_QUERY_INIT;
    query.sql = statement ? NULL : BY_ID;
    query.statement = statement;
    query.n_params = 1;
    query.param_types = types;
    query.param_values = one;
    query.target = PQR_TARGET_PRIMARY;
    return app_run_query(app, &query);
}

static void requests_use_what_was_prepared_from_the_first_on(void **state)
{
    (void)state;
    struct app app = {0};
    pqr_statement *statement = NULL;
    app_start(&app, &cluster, POOL "statements = { prepare_threshold = 1000; warm_up = [\"" BY_ID "\"]; };");
    assert_string_equal(answer_value(run_by_id(&app, NULL, NULL), 0, 0), "tea");
    assert_int_equal(pqr_statement_new(&statement, BY_ID), 0);
    assert_string_equal(answer_value(run_by_id(&app, statement, NULL), 0, 0), "tea");
    pqr_statement_free(statement);
    assert_string_equal(answer_value(app_run_to(&app, PQR_TARGET_PRIMARY, USES(BY_ID)), 0, 0), "2");
    app_close(&app);
}

static void replace_connections(struct app *app)
{
    uint64_t connects = app_pool(app, 0).connects;
    cluster_exec(&cluster, 0, "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'app'");
    APP_UNTIL(app, app_pool(app, 0).connects > connects && app_pool(app, 0).available == 1);
}

/* Queries that name their types get a plan of these, and new connections too. */
static void types_that_queries_name_are_those_of_later_connections(void **state)
{
    (void)state;
    static const Oid int8 = 20;
    static const char types_of[] =
        "select max(parameter_types::text) from pg_prepared_statements where statement = '" BY_ID "'";
    struct app app = {0};
    app_start(&app, &cluster, POOL "statements = { warm_up = [\"" BY_ID "\"]; };");
    assert_string_equal(answer_value(app_run_to(&app, PQR_TARGET_PRIMARY, types_of), 0, 0), "{integer}");
    assert_string_equal(answer_value(run_by_id(&app, NULL, &int8), 0, 0), "tea");
    replace_connections(&app);
    assert_string_equal(answer_value(app_run_to(&app, PQR_TARGET_PRIMARY, types_of), 0, 0), "{bigint}");
    app_close(&app);
}

static void what_cannot_be_prepared_is_named_and_holds_nothing_up(void **state)
{
    (void)state;
    struct app app = {0};
    app_start(&app, &cluster,
        POOL "statements = { warm_up = [\"select 1 from no_such_table\", \"selec 2\", \"" BY_ID "\"]; };");
    assert_true(
        app_logged(&app, "statements.warm_up: not prepared: \"select 1 from no_such_table\": relation "
                         "\"no_such_table\" does not exist 42P01"));
    assert_true(app_logged(&app, "statements.warm_up: not prepared: \"selec 2\": syntax error"));
    assert_string_equal(answer_value(app_run_to(&app, PQR_TARGET_PRIMARY, USES(BY_ID)), 0, 0), "0");
    assert_int_equal(app_pool(&app, 0).connect_failures, 0);
    app_close(&app);
}

static void a_table_that_is_locked_holds_ready_up_for_a_while_only(void **state)
{
    (void)state;
    struct app app = {0};
    PGconn *migration = PQconnectdb(cluster_conninfo(&cluster, 0));
    PQclear(PQexec(migration, "begin; lock table articles in access exclusive mode"));
    assert_int_equal(PQtransactionStatus(migration), PQTRANS_INTRANS);
    app_open(&app, &cluster, POOL "statements = { warm_up = [\"" BY_ID "\"]; };");
    app_ready(&app);
    assert_true(app_logged(&app, "primary: statements.warm_up: it takes too long"));
    assert_string_equal(answer_value(app_run_to(&app, PQR_TARGET_PRIMARY, USES(BY_ID)), 0, 0), "-1");
    PQfinish(migration);
    app_close(&app);
}

/* Names would be found by others, or by nobody. */
static void behind_a_pooler_nothing_is_prepared(void **state)
{
    (void)state;
    struct app app = {0};
    char text[500];
    snprintf(text, sizeof(text),
        "servers = ( { connection = \"%s\"; pooler = true; } );\n"
        "statements = { warm_up = [\"" BY_ID "\"]; };",
        cluster_conninfo(&cluster, 0));
    app_open_text(&app, text);
    app_ready(&app);
    assert_string_equal(answer_value(app_run_to(&app, PQR_TARGET_PRIMARY, USES(BY_ID)), 0, 0), "-1");
    app_close(&app);
}

static void a_new_configuration_names_others_for_connections_to_come(void **state)
{
    (void)state;
    struct app app = {0};
    pqr_config *config = NULL;
    pqr_error error;
    char text[700];
    snprintf(text, sizeof(text),
        "servers = ( { connection = \"%s\"; } );\npool = { min = 1; max = 4; admin_reserved = 0; resize = "
        "false; "
        "};\nstatements = { warm_up = [\"" INSERT "\"]; };",
        cluster_conninfo(&cluster, 0));
    app_open_text(&app, text);
    app_ready(&app);
    snprintf(strstr(text, "warm_up"), 100, "warm_up = [\"" BY_ID "\"]; };");
    FILE *file = tmpfile();
    assert_non_null(file);
    char path[64];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fileno(file));
    fputs(text, file);
    fflush(file);
    assert_int_equal(pqr_config_load(&config, path, &error), 0);
    fclose(file);
    assert_int_equal(pqr_router_reload(app.router, config, &error), 0);
    pqr_config_free(config);
    replace_connections(&app);
    assert_string_equal(answer_value(app_run_to(&app, PQR_TARGET_PRIMARY, USES(BY_ID)), 0, 0), "0");
    assert_string_equal(answer_value(app_run_to(&app, PQR_TARGET_PRIMARY, USES(INSERT)), 0, 0), "-1");
    app_close(&app);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ready_means_prepared),
        cmocka_unit_test(requests_use_what_was_prepared_from_the_first_on),
        cmocka_unit_test(types_that_queries_name_are_those_of_later_connections),
        cmocka_unit_test(what_cannot_be_prepared_is_named_and_holds_nothing_up),
        cmocka_unit_test(a_table_that_is_locked_holds_ready_up_for_a_while_only),
        cmocka_unit_test(behind_a_pooler_nothing_is_prepared),
        cmocka_unit_test(a_new_configuration_names_others_for_connections_to_come),
    };
    return SUITE_RUN(tests, 1, tables);
}
