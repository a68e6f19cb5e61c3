/* Statements judged with a catalog at hand, and the same ones without. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "policy/catalog.h"
#include "policy/classifier.h"

static struct pqr__catalog catalog;
static struct pqr__dialect with = {
    .standard_conforming_strings = true, .ascii_safe = true, .catalog = &catalog};
static const struct pqr__dialect without = {.standard_conforming_strings = true, .ascii_safe = true};

#define LONG_NAME "a123456789b123456789c123456789d123456789e123456789f123456789abcd"

static void fill(enum pqr__catalog_kind kind, enum pqr__catalog_answer answer, const char *const *names)
{
    for (; *names; names++)
        assert_true(pqr__catalog_add(&catalog, kind, *names, strlen(*names), answer));
}

#define FILL(kind, answer, ...) \
    fill(PQR__CATALOG_##kind, PQR__CATALOG_##answer, (const char *const[]){__VA_ARGS__, NULL})

static int start(void **state)
{
    (void)state;
    pqr__catalog_init(&catalog, 1 << 20);
    FILL(FUNCTION, HARMLESS, "price", "Mixed", "with\"quote", "set_config", "json_array");
    FILL(FUNCTION, HARMFUL, "touch", "lower", "Nasty", "json_query", "json_table", "bernoulli", "overlay");
    assert_true(pqr__catalog_add_call(&catalog, "half", 4, 2, 3));
    assert_true(pqr__catalog_add_call(&catalog, "round", 5, 2, 2));
    assert_true(pqr__catalog_add_call(&catalog, "setseed", 7, 2, 2));
    assert_true(pqr__catalog_add_call(&catalog, "wide", 4, 1, 50));
    FILL(OPERATOR, HARMLESS, "<->>", "=");
    FILL(OPERATOR, HARMFUL, "+", "<%%>");
    FILL(TYPE, HARMLESS, "mood", "date");
    FILL(TYPE, HARMFUL, "checked", "point");
    FILL(RELATION, HARMFUL, "loud_view", "Orders_seq", "values_log", "user");
    return 0;
}

/* With the sieve, by which most names are not looked up. */
static int start_sealed(void **state)
{
    (void)start(state);
    pqr__catalog_seal(&catalog);
    assert_non_null(catalog.sieve);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    pqr__catalog_finish(&catalog);
    return 0;
}

static const struct {
    const char *sql;
    pqr_class route;
    const char *reason; /* NULL: whatever */
} cases[] = {
    /* functions */
    {"select price(1)", PQR_CLASS_REPLICA, "read"},
    {"select PRICE(1), shop.price(2), \"shop\".\"price\"(3), db.shop.price(4)", PQR_CLASS_REPLICA, NULL},
    {"select \"Mixed\"(1), shop.\"Mixed\"(1)", PQR_CLASS_REPLICA, NULL},
    {"select Mixed(1)", PQR_CLASS_PRIMARY, "unknown function Mixed"},
    {"select \"with\"\"quote\"(1)", PQR_CLASS_REPLICA, NULL},
    {"select touch()", PQR_CLASS_PRIMARY, "volatile function touch"},
    {"select shop.touch()", PQR_CLASS_PRIMARY, "volatile function touch"},
    {"select t.touch from t", PQR_CLASS_PRIMARY, "volatile function touch"},
    {"select (t).Touch from t", PQR_CLASS_PRIMARY, NULL},
    {"select touch from t", PQR_CLASS_REPLICA, NULL},
    {"select a, touch, b as touch, touch.a from t where a + touch = 1 order by touch", PQR_CLASS_PRIMARY,
        "volatile operator +"},
    {"select a, t.b as c, t.position, t.TOUCH as d from t", PQR_CLASS_PRIMARY, "volatile function TOUCH"},
    {"select a, t.lower as b from t", PQR_CLASS_PRIMARY, "volatile function lower"},
    {"select a, lower, b as lower, lower.b from lower", PQR_CLASS_REPLICA, NULL},
    {"select t.price from t", PQR_CLASS_REPLICA, NULL},
    {"select t.other from t", PQR_CLASS_REPLICA, NULL},
    {"select \"Nasty\"()", PQR_CLASS_PRIMARY, NULL},
    {"select lower('X')", PQR_CLASS_PRIMARY, "volatile function lower"},
    {"select upper('X')", PQR_CLASS_REPLICA, NULL},
    {"select nobody(1)", PQR_CLASS_PRIMARY, "unknown function nobody"},
    /* key words, and yet calls of what has their name */
    {"select overlay(1, 2)", PQR_CLASS_PRIMARY, "volatile function overlay"},
    {"select 1 from t where SUBSTRING(a, 2) = 'b'", PQR_CLASS_REPLICA, NULL},
    {"select coalesce(a, b) from t", PQR_CLASS_REPLICA, NULL},
    /* since 16 and 17 these are the grammar's own, when no function has their name */
    {"select json_value(a, '$.b' returning int), json_array(1, 2), json_scalar(1) from t", PQR_CLASS_REPLICA,
        NULL},
    {"select uuidv7(), any_value(a), pg_catalog.casefold(b) from t", PQR_CLASS_REPLICA, NULL},
    {"select json_objectagg(a value escape 'x'), value like 'x' from t", PQR_CLASS_PRIMARY,
        "unknown type escape"},
    {"select json_query(a, '$.b') from t", PQR_CLASS_PRIMARY, "volatile function json_query"},
    {"select json_value(a, '$.b' returning checked) from t", PQR_CLASS_PRIMARY, NULL},
    {"select * from json_table('[]', '$' columns (a int, b mood, c shop.mood))", PQR_CLASS_REPLICA, NULL},
    {"select * from json_table('[]', '$' columns (a int, b checked))", PQR_CLASS_PRIMARY, NULL},
    {"select * from json_table('[]', '$')", PQR_CLASS_PRIMARY, NULL},
    {"select * from xmltable('/r' passing 'x' columns a mood, b int)", PQR_CLASS_REPLICA, NULL},
    {"select * from xmltable('/r' passing 'x' columns a checked, b int)", PQR_CLASS_PRIMARY, NULL},
    {"select treat(a as mood) from t", PQR_CLASS_PRIMARY, NULL},
    {"select shop.nobody(1)", PQR_CLASS_PRIMARY, NULL},
    {"select shop.upper('x')", PQR_CLASS_PRIMARY, NULL}, /* it is not the built-in one */
    {"select * from t tablesample shop.price(10)", PQR_CLASS_PRIMARY, NULL},
    {"select * from t tablesample price(10)", PQR_CLASS_PRIMARY, NULL},
    {"select * from t tablesample system(10)", PQR_CLASS_REPLICA, NULL},
    {"select * from t tablesample bernoulli(10)", PQR_CLASS_PRIMARY, NULL},
    /* overloads of one name by the number of their arguments: half takes two or three where it is harmful */
    {"select half(), half(1), HALF(a), \"half\"(1), shop.half(1), half(1, 2, 3, 4) from t", PQR_CLASS_REPLICA,
        NULL},
    {"select half(1, 2)", PQR_CLASS_PRIMARY, "volatile function half"},
    {"select Half(1, 2, 3)", PQR_CLASS_PRIMARY, "volatile function Half"},
    {"select shop.half(1, 2)", PQR_CLASS_PRIMARY, NULL},
    {"select \"half\"(1, 2)", PQR_CLASS_PRIMARY, NULL},
    {"select half ( /*)*/ 1 -- ,\n , 2 )", PQR_CLASS_PRIMARY, NULL},
    {"select * from t, half(1) h, half(2) as i", PQR_CLASS_REPLICA, NULL},
    {"select * from t, half(1, 2) h", PQR_CLASS_PRIMARY, NULL},
    {"select half(array[1, 2]), half((1, 2)), half('a,b'), half(upper(a, b)), half(a[1, 2][3]) from t",
        PQR_CLASS_REPLICA, NULL},
    {"select half(array[1, 2], 3)", PQR_CLASS_PRIMARY, NULL},
    {"select half(array[[1], array[2, 3]], 4)", PQR_CLASS_PRIMARY, NULL},
    {"select half((1, 2), 3)", PQR_CLASS_PRIMARY, NULL},
    {"select half(half(half(1)))", PQR_CLASS_REPLICA, NULL},
    {"select half(half(half(1, 2)))", PQR_CLASS_PRIMARY, NULL},
    {"select half(half(1), half(2))", PQR_CLASS_PRIMARY, NULL},
    {"select half(a::numeric(3, 2)), half(cast(b as numeric(3, 2))) from t", PQR_CLASS_REPLICA, NULL},
    {"select half(cast(b as numeric(3, 2)), a) from t", PQR_CLASS_PRIMARY, NULL},
    {"select half(a::int[], b) from t", PQR_CLASS_PRIMARY, NULL},
    {"select half(case when a then b else c end), half((select 1 from t, u)) from t", PQR_CLASS_REPLICA,
        NULL},
    {"select half(a) over (partition by b, c), half(a) filter (where b) from t", PQR_CLASS_REPLICA, NULL},
    {"select half(distinct a), half(x => 1) from t", PQR_CLASS_REPLICA, NULL},
    {"select half(distinct a, b) from t", PQR_CLASS_PRIMARY, NULL},
    {"select half(x => 1, y := 2)", PQR_CLASS_PRIMARY, NULL},
    {"select half(a order by b) from t", PQR_CLASS_PRIMARY, NULL}, /* not looked at closer */
    {"select half(t.order, b) from t", PQR_CLASS_PRIMARY, NULL},
    {"select half(t.order) from t", PQR_CLASS_REPLICA, NULL},
    {"select half(*) from t", PQR_CLASS_PRIMARY, NULL},
    {"select half(t.*) from t", PQR_CLASS_REPLICA, NULL},
    {"select half(a]) from t", PQR_CLASS_PRIMARY, NULL},
    {"select half(1, 2", PQR_CLASS_PRIMARY, NULL},
    {"select t.half from t", PQR_CLASS_PRIMARY, NULL}, /* likewise */
    {"select half(1, nextval('s'))", PQR_CLASS_PRIMARY, NULL},
    {"select half(nextval('s'))", PQR_CLASS_PRIMARY, "volatile function nextval"},
    {"select half(1), touch()", PQR_CLASS_PRIMARY, "volatile function touch"},
    {"select wide(1)", PQR_CLASS_PRIMARY, NULL},
    {"select wide()", PQR_CLASS_PRIMARY, NULL},
    {"select round(1.5), pg_catalog.round(2.5), sum(round(a)) from t", PQR_CLASS_REPLICA, NULL},
    {"select round(1.5, 1)", PQR_CLASS_PRIMARY, "volatile function round"},
    {"select setseed(1)", PQR_CLASS_SESSION, NULL}, /* the built-in one */
    {"select shop.setseed(1)", PQR_CLASS_SESSION, NULL},
    {"create table x as select half(1, 2)", PQR_CLASS_PRIMARY, NULL},
    /* what the text says stays */
    {"select set_config('a', 'b', false)", PQR_CLASS_SESSION, NULL},
    {"select pg_catalog.set_config('a', 'b', false)", PQR_CLASS_SESSION, NULL},
    {"select db.pg_catalog.set_config('a', 'b', false)", PQR_CLASS_SESSION, NULL},
    {"insert into t values (price(1))", PQR_CLASS_PRIMARY, "INSERT"},
    {"with x as (delete from t returning price(a)) select * from x", PQR_CLASS_PRIMARY, NULL},
    {"select price(1) for update", PQR_CLASS_PRIMARY, NULL},
    {"select price(1) into t", PQR_CLASS_PRIMARY, NULL},
    {"select price(1); delete from t", PQR_CLASS_PRIMARY, NULL},
    {"select price(nextval('s'))", PQR_CLASS_PRIMARY, "volatile function nextval"},
    /* operators */
    {"select 1 <->> 2", PQR_CLASS_REPLICA, NULL},
    {"select 1 operator(shop.<->>) 2", PQR_CLASS_PRIMARY, NULL},
    {"select 1 <<->> 2", PQR_CLASS_PRIMARY, NULL},
    {"select 1 + 2", PQR_CLASS_PRIMARY, "volatile operator +"},
    {"select 1 = 2", PQR_CLASS_REPLICA, NULL},
    {"select 1 <%%> 2", PQR_CLASS_PRIMARY, "volatile operator <%%>"},
    /* types */
    {"select 'a'::mood", PQR_CLASS_REPLICA, NULL},
    {"select 'a'::shop.mood, 'b'::\"mood\"[], cast('c' as shop.mood), mood 'd', shop.mood 'e'",
        PQR_CLASS_REPLICA, NULL},
    {"select 'a'::db.shop.mood", PQR_CLASS_REPLICA, NULL},
    {"select 'a'::mood.mood.nobody", PQR_CLASS_PRIMARY, NULL},
    {"select 'a'::Mood::text || 'x'", PQR_CLASS_REPLICA, NULL},
    {"select 'a'::\"Mood\"", PQR_CLASS_PRIMARY, NULL},
    {"select 'a'::nobody", PQR_CLASS_PRIMARY, NULL},
    {"select 'a'::nobody, 1", PQR_CLASS_PRIMARY, "unknown type nobody"},
    {"select 'a'::shop.", PQR_CLASS_PRIMARY, NULL},
    {"select 'a'::shop.date", PQR_CLASS_REPLICA, NULL},
    {"select 'a'::shop.int4", PQR_CLASS_PRIMARY, NULL},
    {"select 'a'::pg_catalog.int4", PQR_CLASS_REPLICA, NULL},
    {"select 1::checked", PQR_CLASS_PRIMARY, "type checked: volatile functions"},
    {"select checked '1'", PQR_CLASS_PRIMARY, NULL},
    {"select shop.checked '1'", PQR_CLASS_PRIMARY, NULL},
    {"select checked(1)", PQR_CLASS_PRIMARY, NULL},
    {"select (t.a).checked from t", PQR_CLASS_PRIMARY, NULL},
    {"select '(1,2)'::point", PQR_CLASS_PRIMARY, NULL},
    {"select * from f() as (a mood)", PQR_CLASS_PRIMARY, NULL}, /* f is unknown */
    {"select * from price(1) as (a mood, b checked)", PQR_CLASS_PRIMARY, NULL},
    {"select * from price(1) as (a mood, b int)", PQR_CLASS_REPLICA, NULL},
    {"select '{1}'::_int4, cast('{a}' as pg_catalog._text), b::_INT8 from t", PQR_CLASS_REPLICA, NULL},
    {"select '{}'::_point", PQR_CLASS_PRIMARY, "type point: volatile functions"},
    {"select '{1}'::shop._int4", PQR_CLASS_PRIMARY, NULL},
    {"select '{1}'::_integer", PQR_CLASS_PRIMARY, NULL}, /* no such type: a user's */
    {"select '{1}'::_nobody", PQR_CLASS_PRIMARY, NULL},
    {"select '{1}'::_pg_node_tree", PQR_CLASS_PRIMARY, NULL},
    {"select '{1}'::__int4", PQR_CLASS_PRIMARY, NULL},
    /* relations */
    {"select * from loud_view", PQR_CLASS_PRIMARY,
        "relation loud_view: a volatile view, sequence, foreign or unlogged table"},
    {"select * from shop.LOUD_VIEW v join t using (a)", PQR_CLASS_PRIMARY, NULL},
    {"table loud_view", PQR_CLASS_PRIMARY, NULL},
    {"select a, b from t, quiet_table, loud_view, t u where a = b", PQR_CLASS_PRIMARY, NULL},
    {"select a as loud_view, b from t", PQR_CLASS_REPLICA, NULL},
    {"select loud_view, t.loud_view, count(loud_view) over (order by loud_view) from t where loud_view = 1 "
     "and "
     "loud_view in (1, 2) group by loud_view having max(loud_view) > 1 order by loud_view limit 1",
        PQR_CLASS_REPLICA, NULL},
    {"with loud_view as (select 1 as a) select loud_view from t", PQR_CLASS_REPLICA, NULL},
    {"select a from t join u on true where b = loud_view", PQR_CLASS_REPLICA, NULL},
    {"select extract(year from now()), loud_view is distinct from 1 as b, loud_view from t",
        PQR_CLASS_REPLICA, NULL},
    {"select a from only loud_view", PQR_CLASS_PRIMARY, NULL},
    {"select a from only (loud_view)", PQR_CLASS_PRIMARY, NULL},
    {"select a from t, only(loud_view)", PQR_CLASS_PRIMARY, NULL},
    {"table only loud_view", PQR_CLASS_PRIMARY, NULL},
    {"table only (loud_view)", PQR_CLASS_PRIMARY, NULL},
    {"table shop.loud_view order by 1", PQR_CLASS_PRIMARY, NULL},
    {"select 1 union table loud_view", PQR_CLASS_PRIMARY, NULL},
    {"select a = any (table loud_view) from t", PQR_CLASS_PRIMARY, NULL},
    {"select a from t where b = (select 1) and c in (table loud_view)", PQR_CLASS_PRIMARY, NULL},
    {"select a from (t cross join loud_view)", PQR_CLASS_PRIMARY, NULL},
    {"select a from ((t join u on (f = 1)) left join (loud_view v join w on true) on true)",
        PQR_CLASS_PRIMARY, NULL},
    {"select a from t left outer join (u natural join loud_view) on true", PQR_CLASS_PRIMARY, NULL},
    {"select a from t join u on extract(day from b) = 1, loud_view", PQR_CLASS_PRIMARY, NULL},
    {"select a from t join u on t.b is distinct from u.b, loud_view", PQR_CLASS_PRIMARY, NULL},
    {"select a from t join u on case when b then c end in (1, 2) join loud_view on true", PQR_CLASS_PRIMARY,
        NULL},
    {"select a from t as x (b, c), loud_view as y (d)", PQR_CLASS_PRIMARY, NULL},
    {"select a from t tablesample system (1) repeatable (2), loud_view", PQR_CLASS_PRIMARY, NULL},
    {"select a from lateral (select 1) x, rows from (upper('x')) with ordinality y, loud_view",
        PQR_CLASS_PRIMARY, NULL},
    {"select a from collation for ('x') c, loud_view", PQR_CLASS_PRIMARY, NULL},
    {"select a from t join u on substring(b from 1 for 2) = 'x', loud_view", PQR_CLASS_PRIMARY, NULL},
    {"select from loud_view", PQR_CLASS_PRIMARY, NULL},
    {"select distinct from loud_view", PQR_CLASS_PRIMARY, NULL},
    {"select a is distinct from b from loud_view", PQR_CLASS_PRIMARY, NULL},
    {"select a is not distinct from b from loud_view", PQR_CLASS_PRIMARY, NULL},
    {"select 1 from t where exists (select from t u where u.a = t.a union all select from loud_view)",
        PQR_CLASS_PRIMARY, NULL},
    {"select (select a from t order by b limit 1), c from loud_view", PQR_CLASS_PRIMARY, NULL},
    {"select a, b from t order by a offset 1; select a from loud_view", PQR_CLASS_PRIMARY, NULL},
    {"copy (select a from loud_view) to stdout", PQR_CLASS_PRIMARY, NULL},
    {"copy (table loud_view) to stdout", PQR_CLASS_PRIMARY, NULL},
    {"select null::loud_view", PQR_CLASS_PRIMARY, NULL}, /* the type of its rows */
    {"select loud_view '(1)'", PQR_CLASS_PRIMARY, NULL},
    {"select cast(null as shop.loud_view)", PQR_CLASS_PRIMARY, NULL},
    {"select * from json_to_record('{}') as x (a loud_view)", PQR_CLASS_PRIMARY, NULL},
    {"select a from t join Values_Log on true", PQR_CLASS_PRIMARY, NULL},
    {"copy loud_view to stdout", PQR_CLASS_PRIMARY, NULL},
    {"select * from orders_seq", PQR_CLASS_REPLICA, NULL},
    {"select * from \"Orders_seq\"", PQR_CLASS_PRIMARY, NULL},
    {"select * from t where a in (select a from loud_view)", PQR_CLASS_PRIMARY, NULL},
    {"select user", PQR_CLASS_REPLICA, NULL}, /* reserved: no name */
    {"select * from \"user\"", PQR_CLASS_PRIMARY, NULL},
    {"select * from shop.user", PQR_CLASS_PRIMARY, NULL},
    {"select * from quiet_table", PQR_CLASS_REPLICA, NULL},
    {"explain select * from loud_view", PQR_CLASS_PRIMARY, NULL},
    /* the server cuts these names, so that nobody knows what they are */
    {"select * from " LONG_NAME, PQR_CLASS_PRIMARY, NULL},
    {"select a, b from t, " LONG_NAME " where a = b", PQR_CLASS_PRIMARY, NULL},
    {"select " LONG_NAME ", b from t where a = b", PQR_CLASS_REPLICA, NULL},
    {"show search_path", PQR_CLASS_REPLICA, NULL},
};

static bool check(size_t i, const struct pqr__dialect *dialect)
{
    struct pqr__verdict verdict;
    char reason[120];
    pqr__classify(&verdict, cases[i].sql, strlen(cases[i].sql), dialect);
    pqr__verdict_text(&verdict, cases[i].sql, reason, sizeof(reason));
    if (verdict.route == cases[i].route && (!cases[i].reason || strcmp(reason, cases[i].reason) == 0))
        return true;
    print_error("%s\n  is %s, \"%s\"\n", cases[i].sql, pqr_class_name(verdict.route), reason);
    return false;
}

enum { CASES = sizeof(cases) / sizeof(cases[0]) };

static void every_statement_gets_its_answer(void **state)
{
    (void)state;
    unsigned wrong = 0;
    for (size_t i = 0; i < CASES; i++)
        wrong += !check(i, &with);
    assert_int_equal(wrong, 0);
}

static pqr_class route_of(const char *sql, const struct pqr__dialect *dialect)
{
    struct pqr__verdict verdict;
    pqr__classify(&verdict, sql, strlen(sql), dialect);
    return verdict.route;
}

/* A new definition may have made anything volatile. */
static void stale_catalog_makes_nothing_harmless(void **state)
{
    (void)state;
    catalog.stale = true;
    for (size_t i = 0; i < CASES; i++) {
        pqr_class route = route_of(cases[i].sql, &with);
        assert_true(route != PQR_CLASS_REPLICA || route_of(cases[i].sql, &without) == PQR_CLASS_REPLICA);
        assert_true(route == cases[i].route || cases[i].route == PQR_CLASS_REPLICA);
    }
    assert_int_equal(route_of("select price(1)", &with), PQR_CLASS_PRIMARY);
    assert_int_equal(route_of("select uuidv7()", &with), PQR_CLASS_PRIMARY);
    assert_int_equal(route_of("select json_value(a, '$')", &with), PQR_CLASS_PRIMARY);
    assert_int_equal(route_of("select * from loud_view", &with), PQR_CLASS_PRIMARY);
    catalog.stale = false;
}

static void spoiled_catalog_leaves_nothing_to_replicas(void **state)
{
    (void)state;
    catalog.spoiled = true;
    assert_int_equal(route_of("select 1", &with), PQR_CLASS_PRIMARY);
    assert_int_equal(route_of("(table t)", &with), PQR_CLASS_PRIMARY);
    assert_int_equal(route_of("show all", &with), PQR_CLASS_REPLICA);
    assert_int_equal(route_of("set a = 1", &with), PQR_CLASS_SESSION);
    catalog.spoiled = false;
    assert_int_equal(route_of("select 1", &with), PQR_CLASS_REPLICA);
}

static void letters_that_the_server_folds_are_not_guessed(void **state)
{
    (void)state;
    assert_int_equal(route_of("select * from \xc3\x84pfel", &with), PQR_CLASS_REPLICA);
    catalog.folds = true;
    assert_int_equal(route_of("select * from \xc3\x84pfel", &with), PQR_CLASS_PRIMARY);
    assert_int_equal(route_of("select * from \"\xc3\x84pfel\"", &with), PQR_CLASS_REPLICA);
    assert_int_equal(
        route_of("select a from a_relation_with_a_long_name_\xc3\x84, t", &with), PQR_CLASS_PRIMARY);
    assert_int_equal(
        route_of("select a from \"not short\xc3\x84 \xc3\x84\xc3\x84\"", &with), PQR_CLASS_PRIMARY);
    assert_int_equal(route_of("select a from \"a relation with a long name\"", &with), PQR_CLASS_REPLICA);
    catalog.folds = false;
}

static bool defines(const char *sql)
{
    struct pqr__verdict verdict;
    pqr__classify(&verdict, sql, strlen(sql), &without);
    return verdict.defines;
}

static void definitions_are_told(void **state)
{
    (void)state;
    assert_true(defines("create or replace function f() returns int language sql as 'select 1'"));
    assert_true(defines("select 1; alter function f() volatile"));
    assert_true(defines("drop view v"));
    assert_true(defines("import foreign schema s from server x into y"));
    assert_true(defines("do $$ begin execute 'create table t (a int)'; end $$"));
    assert_false(defines("create temp table t (a int)"));
    assert_false(defines("insert into t values (1)"));
    assert_false(defines("select 1"));
    assert_false(defines("truncate t"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_statement_gets_its_answer),
        cmocka_unit_test(stale_catalog_makes_nothing_harmless),
        cmocka_unit_test(spoiled_catalog_leaves_nothing_to_replicas),
        cmocka_unit_test(letters_that_the_server_folds_are_not_guessed),
        cmocka_unit_test(definitions_are_told),
    };
    return cmocka_run_group_tests_name("not sealed", tests, start, stop) +
           cmocka_run_group_tests_name("sealed", tests, start_sealed, stop);
}
