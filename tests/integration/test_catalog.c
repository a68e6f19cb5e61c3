/* What a statement's text can't say, on real servers: where statements that use the database's own functions, types
   and relations run, by the server's own word. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "app.h"

static struct cluster cluster;
static bool has_foreign; /* postgres_fdw is installed */
static bool has_json;    /* JSON_VALUE and its like, since 17 */

#define SETTINGS "pool = { min = 1; max = 6; }; probe = { interval = \"200ms\"; };"

static const char *const objects[] = {
    "create schema other",
    "create table plain (n int, word text)",
    "insert into plain values (1, 'one')",
    "create function calm(n int default 1) returns int language sql stable as 'select 1'",
    "create function cold() returns int language sql immutable as 'select 2'",
    "create function touch(plain) returns int language sql volatile as 'select 3'",
    "create function mixed(n int) returns int language sql stable as 'select 4'",
    "create function other.mixed(word text) returns int language sql volatile as 'select 5'",
    "create function other.lonely() returns int language sql stable as 'select 6'",
    "create function upper(n int) returns text language sql volatile as 'select ''7'''",
    "create function mixed_up(n int, m int default 2) returns int language sql volatile as 'select 9'",
    "create function mixed_up() returns int language sql stable as 'select 10'",
    "create function mixed_up(a int, b int, c int, d int) returns int language sql stable as 'select 11'",
    "create function strpos(text, text, int) returns int language sql as 'select 12'",
    "create function sums(int, variadic int[]) returns int language sql as 'select 13'",
    "create function sums() returns int language sql stable as 'select 14'",
    "create function upper_lies(n int, m int) returns int language sql stable as 'select mixed_up(n, m)'",
    "create function upper_lies(n int) returns int language sql stable as 'select mixed_up()'",
    "create function \"substring\"(int, int) returns text language sql volatile as 'select ''8'''",
    "create sequence counter",
    "create function counted(n bigint default nextval('counter')) returns bigint immutable return n",
    "create function add(int, int) returns int language sql volatile as 'select $1 + $2'",
    "create aggregate total_hidden(int) (sfunc = add, stype = int)",
    "create function add_calm(int, int) returns int language sql immutable as 'select $1 + $2'",
    "create aggregate total_calm(int) (sfunc = add_calm, stype = int)",
    "create operator <~> (function = add_calm, leftarg = int, rightarg = int)",
    "create operator <~~> (function = add, leftarg = int, rightarg = int)",
    /* The nested view is older than what makes it harmful. */
    "create view base as select 8::bigint as n",
    "create view nested as select n from base",
    "create view deeper as select n from nested",
    "create or replace view base as select nextval('counter') as n",
    "create view quiet as select calm(n) as n, count(*) over () from plain where word like 'o%' order by 1",
    "create view shouting as select upper(word) as word from plain", /* the built-in one */
    "create view locking as select n from plain for update",
    "create view sessions as select pid from pg_stat_activity",
    "create unlogged table fleeting (n int)",
    "create table parted (n int) partition by list (n)",
    "create unlogged table part_of_it partition of parted for values in (1)",
    "create table guarded (n int)",
    "alter table guarded enable row level security",
    "create policy guard on guarded using (n < add(1, 2))",
    "create table fenced (n int)",
    "alter table fenced enable row level security",
    "create policy fence on fenced using (n < calm())",
    "create domain loud as int check (value < add(100, 100))",
    "create domain silent as int check (value < 200)",
    "create table of_loud (n int, l loud)",
    "create view of_of_loud as select n from of_loud",
    "create type mood as enum ('happy', 'sad')",
    "create type other.shade as (name text, m mood)",
    /* What is called without being named. */
    "create table cast_away (n int)",
    "create function as_word(cast_away) returns varchar language sql volatile as 'select ''x''::varchar'",
    "create cast (cast_away as varchar) with function as_word(cast_away)",
    "create function less(int, int) returns bool language sql immutable as 'select $1 < $2'",
    "create function not_less(int, int) returns bool language sql volatile as 'select $1 >= $2'",
    "create operator <! (function = less, leftarg = int, rightarg = int)",
    "create operator >=! (function = not_less, leftarg = int, rightarg = int, negator = <!)",
    "create function gives(out n int, out l loud) language plpgsql stable as 'begin n := 1; end'",
    "create function lists() returns table (l loud) language plpgsql stable as 'begin return; end'",
    "create function all_loud() returns setof of_loud language plpgsql stable as 'begin return; end'",
    /* Types that stand in nothing but a list, a constant, an array. */
    "create view rec_of_loud as select 1 as n from json_to_record('{\"a\": 5}') as x (a loud)",
    "create view xml_of_loud as select 1 as n from xmltable('/r' passing xmlparse(document "
    "'<r><a>5</a></r>') "
    "columns a loud path 'a')",
    "create view array_of_loud as select 1 as n where '{5}'::loud[] is not null",
    "create type with_loud as (n int, l loud)",
    "create view null_of_loud as select 1 as n from json_populate_recordset(null::with_loud, '[{\"l\": 5}]')",
    "create function atomic_of_loud() returns int stable begin atomic select n from rec_of_loud; end",
    "create table guarded_by_loud (n int)",
    "alter table guarded_by_loud enable row level security",
    "create policy guard on guarded_by_loud using "
    "(exists (select from json_to_record('{\"a\": 5}') as x (a loud)))",
    /* An = of his own touches what has his type, and nothing else. */
    "create type seal as enum ('wax', 'lead')",
    "create table sealed (n int, kinds seal[])",
    "create function same_seal(seal, seal) returns bool language sql volatile as 'select true'",
    "create operator = (function = same_seal, leftarg = seal, rightarg = seal)",
    "create function any_seal() returns seal language sql stable as 'select null::seal'",
    "create view of_sealed as select n from sealed",
    /* Declared as what they are not. */
    "create function lies() returns bigint language sql immutable as 'select nextval(''public.counter'')'",
    "create function lies_deeper() returns bigint language sql stable as 'select lies()'",
    "create function lies_atomic() returns bigint immutable return nextval('counter')",
    "create function lies_of_view() returns bigint stable begin atomic select max(n) from nested; end",
    "create view of_lies as select lies_deeper() as n",
    "create function lies_sum(bigint, bigint) returns bigint language sql immutable as 'select $1 + lies()'",
    "create aggregate total_lies(bigint) (sfunc = lies_sum, stype = bigint)",
    "create operator <!! (function = lies_sum, leftarg = bigint, rightarg = bigint)",
    /* Calls that planning a read is enough for, where they are declared immutable. */
    "create table indexed_by_lies (n int)",
    "create index on indexed_by_lies (n) where lies() > 0",
    "create table known_by_lies (n int, m int)",
    "create statistics by_lies on (n + lies()), m from known_by_lies",
    "create table parted_by_lies (n bigint) partition by range ((n + lies()))",
    "create table parent (n int)",
    "create table checked_by_lies (check (n > lies())) inherits (parent)",
    "create view of_parent as select n from parent",
    "create table planned (n int check (add(n, 1) < 100))",
    "create index on planned (add_calm(n, 1)) where add_calm(1, 2) = 3",
    /* What is computed in a domain, and what comes out is none. */
    "create aggregate hides_loud(int) (sfunc = trim_array, stype = loud[], initcond = '{5}', finalfunc = "
    "cardinality)",
    /* A body that means another thing where it runs. */
    ("create function quotes() returns int language sql stable set standard_conforming_strings = off as "
     "$$select 'x\\' || ', pg_advisory_lock(1)::text, '--\\''; select 1$$"),
    /* A type that strings are taken for. */
    "reset role; create type line_of_text",
    ("reset role; create function read_line(cstring) returns line_of_text language internal immutable strict "
     "as "
     "'textin'; create function write_line(line_of_text) returns cstring language internal immutable strict "
     "as 'textout';"
     "create type line_of_text (input = read_line, output = write_line, like = text, category = 'S')"),
    "create function apart(line_of_text, line_of_text) returns int language sql volatile as 'select 1'",
    "create operator <-> (function = apart, leftarg = line_of_text, rightarg = line_of_text)",
    "create operator || (function = apart, leftarg = line_of_text, rightarg = line_of_text)",
    ("create function honest(n int) returns bigint language sql stable as "
     "'select count(*) from plain p where p.n = $1 and lower(word) is not null'"),
    "create function honest_atomic(n int) returns bigint stable begin atomic select count(*) from plain; end",
};

static int start(void **state)
{
    (void)state;
    cluster_start(&cluster, 1);
    for (size_t i = 0; i < sizeof(objects) / sizeof(objects[0]); i++) {
        char sql[600];
        snprintf(sql, sizeof(sql), "set role app; %s", objects[i]);
        cluster_exec(&cluster, 0, sql);
    }
    has_foreign = cluster_long(&cluster, 0,
                      "select count(*) from pg_available_extensions where name = 'postgres_fdw'") == 1;
    if (has_foreign) {
        cluster_exec(&cluster, 0, "create extension postgres_fdw");
        cluster_exec(&cluster, 0, "create server away foreign data wrapper postgres_fdw");
        cluster_exec(&cluster, 0, "create foreign table distant (n int) server away");
        cluster_exec(&cluster, 0, "grant all on distant to app");
    }
    has_json = cluster_long(&cluster, 0, "select current_setting('server_version_num')::int") >= 170000;
    if (has_json)
        cluster_exec(&cluster, 0,
            "set role app; create view json_of_loud as select json_value('5', '$' returning loud)::int as n");
    cluster_sync(&cluster, 0);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    cluster_stop(&cluster);
    return 0;
}

static void start_loaded(struct app *app, const char *settings)
{
    app_start(app, &cluster, settings);
    APP_UNTIL(app, app_totals(app).catalog_loads > 0);
}

static const char *const for_replicas[] = {
    "select inet_server_port(), calm(), CALM(2), cold()",
    "select inet_server_port(), public.calm(), other.lonely()",
    "select inet_server_port(), total_calm(n) from plain",
    "select inet_server_port(), 1 <~> 2",
    "select inet_server_port(), * from quiet",
    "select inet_server_port(), word from shouting",
    "select inet_server_port(), p.n from plain p",
    "select inet_server_port(), count(*) from fenced",
    "select inet_server_port(), 'sad'::mood, 'sad'::public.mood, mood 'happy', cast('sad' as mood)",
    "select inet_server_port(), ('x', 'sad')::other.shade",
    "select inet_server_port(), 1::silent",
    "select inet_server_port(), lower('X')",
    "select inet_server_port(), honest(1), honest_atomic(1)",
    "select inet_server_port(), count(*) from planned",
    "select inet_server_port(), mixed_up(), public.mixed_up(1, 2, 3, 4), strpos('a', 'b'), upper_lies(1)",
    "select inet_server_port(), 'a' || 'b'",
    "select inet_server_port(), 1 = 2, n in (1, 2), word is distinct from 'x' from plain where 'a' = 'b' or "
    "n > 0",
    "select inet_server_port(), r.word from json_populate_record(null::plain, '{}') r, (select null::quiet) "
    "q",
};

static const char *const for_the_primary[] = {
    "select inet_server_port(), p.touch from plain p",
    "select inet_server_port(), touch(p) from plain p",
    "select inet_server_port(), mixed(1)",
    "select inet_server_port(), mixed('x')",
    "select inet_server_port(), other.mixed('x')",
    "select inet_server_port(), upper(1)",
    "select inet_server_port(), upper('x')", /* which one it is, is not looked for */
    "select inet_server_port(), substring(5, 2)",
    "select inet_server_port(), mixed_up(1)",
    "select inet_server_port(), mixed_up(1, 2)",
    "select inet_server_port(), public.mixed_up(1, 2)",
    "select inet_server_port(), strpos('a', 'b', 1)",
    "select inet_server_port(), sums(1, 2, 3, 4)",
    "select inet_server_port(), sums()", /* not looked at closer */
    "select inet_server_port(), upper_lies(1, 2)",
    "select inet_server_port(), counted()",
    "select inet_server_port(), total_hidden(n) from plain",
    "select inet_server_port(), 1 <~~> 2",
    "select inet_server_port(), n from base",
    "select inet_server_port(), n from nested",
    "select inet_server_port(), n from deeper",
    "select inet_server_port(), n from locking",
    "select inet_server_port(), count(*) from sessions",
    "select inet_server_port(), count(*) from fleeting",
    "select inet_server_port(), count(*) from \"fleeting\"",
    "select inet_server_port(), count(*) from parted",
    "select inet_server_port(), last_value from counter",
    "select inet_server_port(), c.* from counter c",
    "select inet_server_port(), count(*) from guarded",
    "select inet_server_port(), 1::loud",
    "select inet_server_port(), count(*) from of_loud",
    "select inet_server_port(), count(*) from of_of_loud",
    "select inet_server_port(), n from rec_of_loud",
    "select inet_server_port(), n from xml_of_loud",
    "select inet_server_port(), n from array_of_loud",
    "select inet_server_port(), n from null_of_loud",
    "select inet_server_port(), atomic_of_loud()",
    "select inet_server_port(), n from guarded_by_loud",
    "select inet_server_port(), n from sealed",
    "select inet_server_port(), n from of_sealed",
    "select inet_server_port(), 'wax'::seal = 'lead'",
    "select inet_server_port(), any_seal() = 'wax'",
    "select inet_server_port(), r.n from json_populate_record(null::of_loud, '{}') r",
    "select inet_server_port(), c::varchar from cast_away c",
    "select inet_server_port(), c.varchar from cast_away c",
    "select inet_server_port(), not (1 <! 2)",
    "select inet_server_port(), n from gives()",
    "select inet_server_port(), l from lists()",
    "select inet_server_port(), n from all_loud()",
    "select inet_server_port(), lies()",
    "select inet_server_port(), lies_deeper()",
    "select inet_server_port(), lies_atomic()",
    "select inet_server_port(), lies_of_view()",
    "select inet_server_port(), n from of_lies",
    "select inet_server_port(), total_lies(n) from plain",
    "select inet_server_port(), 1::bigint <!! 2::bigint",
    "select inet_server_port(), count(*) from indexed_by_lies",
    "select inet_server_port(), count(*) from known_by_lies",
    "select inet_server_port(), count(*) from parted_by_lies",
    "select inet_server_port(), count(*) from checked_by_lies",
    "select inet_server_port(), count(*) from parent where n = 1",
    "select inet_server_port(), count(*) from of_parent",
    "select inet_server_port(), hides_loud(n) from plain",
    "select inet_server_port(), quotes()",
    "select inet_server_port(), 'a' <-> 'b'",
    "select inet_server_port(), nobody_knows_it from plain p(nobody_knows_it), calm() as t(nobody)",
    "select inet_server_port(), now_and_then() from (select 1) t",
};

/* Without the safety net: the first server that saw it. */
static void assert_ran_on(struct app *app, const char *sql, int server)
{
    struct answer *answer = app_run(app, sql);
    long port = 0;
    assert_int_equal(answer->attempts, 1);
    if (answer->status != PQR_STATUS_OK) {
        assert_string_equal(answer->server, cluster.servers[server].name);
        return;
    }
    if (answer->rows > 0)
        port = strtol(answer_value(answer, 0, 0), NULL, 10);
    if (answer->rows > 0 ? port != cluster_port(&cluster, server)
                         : strcmp(answer->server, cluster.servers[server].name) != 0)
        fail_msg("%s ran on %s (%s)", sql, answer->server, answer->reason);
}

static void harmless_statements_run_on_a_replica(void **state)
{
    (void)state;
    struct app app = {0};
    start_loaded(&app, SETTINGS);
    for (size_t i = 0; i < sizeof(for_replicas) / sizeof(for_replicas[0]); i++) {
        struct answer *answer = app_run(&app, for_replicas[i]);
        if (answer->status != PQR_STATUS_OK)
            fail_msg("%s: %s", for_replicas[i], answer->error);
        assert_ran_on(&app, for_replicas[i], 1);
    }
    app_close(&app);
}

static void harmful_statements_run_on_the_primary(void **state)
{
    (void)state;
    struct app app = {0};
    start_loaded(&app, SETTINGS);
    for (size_t i = 0; i < sizeof(for_the_primary) / sizeof(for_the_primary[0]) - 2; i++)
        assert_ran_on(&app, for_the_primary[i], 0);
    if (has_foreign)
        assert_string_equal(app_run(&app, "select n from distant")->server, "primary");
    if (has_json)
        assert_ran_on(&app, "select inet_server_port(), n from json_of_loud", 0);
    app_close(&app);
}

static void reasons_name_what_the_catalog_knew(void **state)
{
    (void)state;
    struct app app = {0};
    start_loaded(&app, SETTINGS);
    assert_string_equal(app_run(&app, "select p.touch from plain p")->reason, "volatile function touch");
    assert_non_null(strstr(app_run(&app, "select n from deeper")->reason, "relation deeper"));
    assert_non_null(strstr(app_run(&app, "select 1::loud")->reason, "type loud"));
    app_close(&app);
}

/* They count more than the catalog: two that it calls volatile, one that it calls stable. */
static void configured_functions_count_more_than_the_catalog(void **state)
{
    (void)state;
    struct app app = {0};
    start_loaded(&app, SETTINGS "reads = { harmless_functions = [\"public.add\", \"*.touch\"]; "
                                "harmful_functions = [\"public.calm\", \"pg_catalog.lower\"]; };");
    assert_ran_on(&app, "select inet_server_port(), add(1, 2), public.add(3, 4)", 1);
    assert_ran_on(&app, "select inet_server_port(), p.touch from plain p", 1);
    assert_ran_on(&app, "select inet_server_port(), 1::loud", 1); /* its check calls add() */
    assert_ran_on(&app, "select inet_server_port(), calm()", 0);
    assert_ran_on(&app, "select inet_server_port(), * from quiet", 0); /* it calls calm() */
    assert_ran_on(&app, "select inet_server_port(), lower('X')", 0);
    assert_ran_on(&app, "select inet_server_port(), cold()", 1);
    app_close(&app);
}

static void without_catalog_what_is_unknown_goes_to_the_primary(void **state)
{
    (void)state;
    struct app app = {0};
    app_start(&app, &cluster, SETTINGS "catalog = { load = false; };");
    assert_ran_on(&app, "select inet_server_port(), calm()", 0);
    assert_ran_on(&app, "select inet_server_port(), 'sad'::mood", 0);
    assert_ran_on(&app, "select inet_server_port(), lower('X')", 1);
    assert_int_equal(app_totals(&app).catalog_loads, 0);
    assert_int_equal(app_totals(&app).catalog_bytes, 0);
    app_close(&app);
}

static void catalog_that_does_not_fit_is_not_used(void **state)
{
    (void)state;
    struct app app = {0};
    for (int i = 0; i < 2; i++) {
        char sql[300];
        snprintf(sql, sizeof(sql),
            "set role app; do $$ begin for i in 1..4000 loop execute format('create function large_%d_%%s() "
            "returns int language sql stable as ''select 1''', i); end loop; end $$",
            i);
        cluster_exec(&cluster, 0, sql);
    }
    app_start(&app, &cluster, SETTINGS "catalog = { max_size = \"64kB\"; };");
    APP_UNTIL(&app, app_logged(&app, "the catalog could not be read"));
    assert_ran_on(&app, "select inet_server_port(), calm()", 0);
    assert_int_equal(app_totals(&app).catalog_loads, 0);
    app_close(&app);
}

/* The very next request knows. */
static void definition_that_this_router_ran_counts_at_once(void **state)
{
    (void)state;
    struct app app = {0};
    start_loaded(&app, SETTINGS "catalog = { refresh = \"none\"; };");
    assert_ok(app_run(&app, "create function turns() returns int language sql stable as 'select 1'"));
    APP_UNTIL(&app, app_totals(&app).catalog_loads > 1);
    cluster_sync(&cluster, 0);
    assert_ran_on(&app, "select inet_server_port(), turns()", 1);
    assert_ok(
        app_run(&app, "create or replace function turns() returns int language sql volatile as 'select 2'"));
    assert_ran_on(&app, "select inet_server_port(), turns()", 0);
    assert_ran_on(&app, "select inet_server_port(), deeper.n from deeper", 0);
    assert_ran_on(&app, "select inet_server_port(), lower('X')", 1);
    APP_UNTIL(&app, app_totals(&app).catalog_loads > 2);
    assert_ran_on(&app, "select inet_server_port(), turns()", 0);
    assert_ran_on(&app, "select inet_server_port(), calm()", 1);
    app_close(&app);
}

static void definition_in_a_transaction_counts_after_its_commit(void **state)
{
    (void)state;
    struct app app = {0};
    static const char *const statements[] = {
        "create or replace function swings() returns int language sql volatile as 'select 2'", NULL};
    struct script script = {.sql = statements, .options = PQR_TX_OPTIONS_INIT, .end = SCRIPT_COMMIT};
    cluster_exec(
        &cluster, 0, "set role app; create function swings() returns int language sql stable as 'select 1'");
    cluster_sync(&cluster, 0);
    start_loaded(&app, SETTINGS "catalog = { refresh = \"none\"; };");
    assert_ran_on(&app, "select inet_server_port(), swings()", 1);
    assert_ok(app_wait(app_tx(&app, &script)));
    assert_ran_on(&app, "select inet_server_port(), swings()", 0);
    APP_UNTIL(&app, app_totals(&app).catalog_loads > 1);
    assert_ran_on(&app, "select inet_server_port(), swings()", 0);
    app_close(&app);
}

/* Somebody else's, with psql. */
static void definition_of_others_is_noticed_by_the_timer(void **state)
{
    (void)state;
    struct app app = {0};
    start_loaded(&app, SETTINGS "catalog = { refresh = \"1s\"; };");
    assert_ran_on(&app, "select inet_server_port(), 'sad'::mood, news()", 0);
    cluster_exec(
        &cluster, 0, "set role app; create function news() returns int language sql stable as 'select 1'");
    cluster_sync(&cluster, 0);
    APP_UNTIL(&app, strcmp(app_run(&app, "select news()")->server, "replica1") == 0);
    app_close(&app);
}

static void define_sudden(const char *what)
{
    char sql[128];
    snprintf(sql, sizeof(sql), "set role app; create or replace view sudden as select %s as n", what);
    cluster_exec(&cluster, 0, sql);
}

/* Long before that, from PostgreSQL 15 on: what they wrote to the catalogs is counted. */
static void definition_of_others_is_noticed_by_the_probe(void **state)
{
    (void)state;
    struct app app = {0};
    if (cluster_long(&cluster, 0, "select current_setting('server_version_num')::bigint") < 150000)
        skip();
    start_loaded(&app, SETTINGS "catalog = { refresh = \"1h\"; };");
    APP_UNTIL(&app, (define_sudden("calm()"), app_totals(&app).catalog_loads > 1)); /* from now on it looks */
    cluster_sync(&cluster, 0);
    APP_UNTIL(&app, strcmp(app_run(&app, "select n from sudden")->server, "replica1") == 0);
    define_sudden("add(1, 2)");
    cluster_sync(&cluster, 0);
    APP_UNTIL(&app, strcmp(app_run(&app, "select n from sudden")->server, "primary") == 0);
    app_close(&app);
}

static void definition_of_others_is_noticed_on_demand(void **state)
{
    (void)state;
    struct app app = {0};
    start_loaded(&app, SETTINGS "catalog = { refresh = \"none\"; };");
    uint64_t loads = app_totals(&app).catalog_loads;
    cluster_exec(&cluster, 0,
        "set role app; create function on_demand() returns int language sql stable as 'select 1'");
    cluster_sync(&cluster, 0);
    assert_ran_on(&app, "select inet_server_port(), on_demand()", 0);
    assert_int_equal(pqr_catalog_refresh(app.router), 0);
    assert_ran_on(&app, "select inet_server_port(), calm()", 0); /* who knows what it is by now */
    assert_int_equal(pqr_catalog_refresh(app.router), 0);
    APP_UNTIL(&app, app_totals(&app).catalog_loads > loads);
    assert_ran_on(&app, "select inet_server_port(), on_demand(), calm()", 1);
    assert_int_equal(pqr_catalog_refresh(NULL), PQR_EINVAL);
    app_close(&app);
}

/* No name in the text tells. */
static void type_of_a_parameter_counts(void **state)
{
    (void)state;
    struct app app = {0};
    const char *values[] = {"5"};
    char number[24];
    start_loaded(&app, SETTINGS);
    snprintf(number, sizeof(number), "%ld", cluster_long(&cluster, 0, "select 'loud'::regtype::oid::bigint"));
    Oid users[] = {(Oid)strtoul(number, NULL, 10)}, builtin[] = {23};
    pqr_query query = PQR_QUERY_INIT;
    query.sql = "select inet_server_port(), $1";
    query.n_params = 1;
    query.param_values = values;
    query.param_types = builtin;
    assert_string_equal(app_run_query(&app, &query)->server, "replica1");
    query.param_types = users;
    struct answer *answer = app_run_query(&app, &query);
    assert_string_equal(answer->server, "primary");
    assert_string_equal(answer->reason, "type with volatile functions");
    app_close(&app);
}

/* A function that only an index can call is not looked at: its volatility is what nobody chose. */
static void support_functions_of_indexes_do_not_count(void **state)
{
    (void)state;
    static const char *const made[] = {
        "create extension if not exists btree_gist",
        "create type flag as enum ('up', 'down')",
        "create table flags (n int, f flag)",
        "create function flag_consistent(internal, flag, int2, oid, internal) returns bool language c "
        "as '$libdir/btree_gist', 'gbt_enum_consistent'",
        "create operator class flag_ops for type flag using gist as operator 3 =(anyenum, anyenum), "
        "function 1 flag_consistent(internal, flag, int2, oid, internal)",
        "grant select on flags to app",
    };
    struct app app = {0};
    if (cluster_long(&cluster, 0, "select count(*) from pg_available_extensions where name = 'btree_gist'") ==
        0)
        skip();
    for (size_t i = 0; i < sizeof(made) / sizeof(made[0]); i++)
        cluster_exec(&cluster, 0, made[i]);
    cluster_sync(&cluster, 0);
    start_loaded(&app, SETTINGS);
    assert_ran_on(&app, "select inet_server_port(), f from flags where f = 'up'", 1);
    app_close(&app);
}

/* No name in a statement tells that it sorts, and by what. */
static void operator_class_of_a_built_in_type_touches_everything(void **state)
{
    (void)state;
    static const char *const made[] = {"create function json_less(json, json) returns bool language sql "
                                       "immutable as 'select $1::text < $2::text'",
        "create function json_order(json, json) returns int language sql volatile as 'select 0'",
        "create operator <## (function = json_less, leftarg = json, rightarg = json)",
        "create operator class sortable default for type json using btree as operator 1 <##, "
        "function 1 json_order(json, json)"};
    struct app app = {0};
    start_loaded(&app, SETTINGS "catalog = { refresh = \"none\"; };");
    assert_ran_on(&app, "select inet_server_port(), '1'::json::text", 1);
    for (size_t i = 0; i < sizeof(made) / sizeof(made[0]); i++)
        cluster_exec(&cluster, 0, made[i]);
    assert_int_equal(pqr_catalog_refresh(app.router), 0);
    APP_UNTIL(&app, app_totals(&app).catalog_loads > 1);
    assert_ran_on(&app, "select inet_server_port() from (select '1'::json as j) t order by j", 0);
    cluster_exec(&cluster, 0, "drop operator family sortable using btree cascade");
    assert_int_equal(pqr_catalog_refresh(app.router), 0);
    APP_UNTIL(&app, app_totals(&app).catalog_loads > 2);
    assert_ran_on(&app, "select inet_server_port(), '1'::json::text", 1);
    app_close(&app);
}

static void its_own_questions_are_in_no_statistics(void **state)
{
    (void)state;
    struct app app = {0};
    start_loaded(&app, SETTINGS);
    assert_ok(app_run(&app, "select 1"));
    pqr_router_totals totals = app_totals(&app);
    assert_int_equal(totals.accepted, 1);
    assert_int_equal(totals.answered, 1);
    assert_int_equal(totals.by_status[PQR_STATUS_OK], 1);
    assert_int_equal(totals.routed_replica + totals.routed_primary, 1);
    assert_int_equal(totals.latency.count, 1);
    assert_int_equal(app_pool(&app, 0).reads + app_pool(&app, 0).writes, 0);
    assert_true(totals.catalog_entries > 20);
    assert_true(totals.catalog_bytes > 1000);
    app_close(&app);
}

static unsigned turns;

static void on_turn(uv_prepare_t *prepare)
{
    (void)prepare;
    turns++;
}

static void many_functions_load_in_chunks_while_the_loop_turns(void **state)
{
    (void)state;
    struct app app = {0};
    uv_prepare_t prepare;
    cluster_exec(&cluster, 0,
        "set role app; do $$ begin for i in 1..20000 loop execute format('create function many_%s() "
        "returns int language sql stable as ''select 1''', i); end loop; end $$");
    cluster_sync(&cluster, 0);
    app_start(&app, &cluster, SETTINGS);
    uv_prepare_init(&app.loop, &prepare);
    uv_prepare_start(&prepare, on_turn);
    turns = 0;
    APP_UNTIL(&app, app_totals(&app).catalog_loads > 0);
    uv_close((uv_handle_t *)&prepare, NULL);
    assert_true(turns > 10); /* a chunk has 2,000, an answer is read in one turn at the earliest */
    assert_true(app_totals(&app).catalog_entries > 20000);
    assert_ran_on(&app, "select inet_server_port(), many_1(), many_20000()", 1);
    app_close(&app);
}

/* The other way round: the one who answers is the replica alone. */
static void replica_alone_can_be_asked(void **state)
{
    (void)state;
    struct app app = {0};
    char text[300];
    snprintf(text, sizeof(text), "%s", cluster_conninfo(&cluster, 1));
    app_open_conninfo(&app, text);
    APP_UNTIL(&app, app_totals(&app).catalog_loads > 0);
    assert_string_equal(app_value(&app, "select calm()"), "1");
    app_close(&app);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(harmless_statements_run_on_a_replica),
        cmocka_unit_test(harmful_statements_run_on_the_primary),
        cmocka_unit_test(reasons_name_what_the_catalog_knew),
        cmocka_unit_test(configured_functions_count_more_than_the_catalog),
        cmocka_unit_test(without_catalog_what_is_unknown_goes_to_the_primary),
        cmocka_unit_test(definition_that_this_router_ran_counts_at_once),
        cmocka_unit_test(definition_in_a_transaction_counts_after_its_commit),
        cmocka_unit_test(definition_of_others_is_noticed_by_the_timer),
        cmocka_unit_test(definition_of_others_is_noticed_by_the_probe),
        cmocka_unit_test(definition_of_others_is_noticed_on_demand),
        cmocka_unit_test(type_of_a_parameter_counts),
        cmocka_unit_test(support_functions_of_indexes_do_not_count),
        cmocka_unit_test(operator_class_of_a_built_in_type_touches_everything),
        cmocka_unit_test(its_own_questions_are_in_no_statistics),
        cmocka_unit_test(replica_alone_can_be_asked),
        cmocka_unit_test(many_functions_load_in_chunks_while_the_loop_turns),
        cmocka_unit_test(catalog_that_does_not_fit_is_not_used),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
