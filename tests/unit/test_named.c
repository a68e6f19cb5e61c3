/* The functions that a configuration names: patterns, and what the classifier makes of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "policy/classifier.h"
#include "policy/named.h"

static bool matches(const char *glob, const char *text)
{
    return pqr__glob_matches(glob, strlen(glob), text, strlen(text));
}

static void patterns_match_whole_names(void **state)
{
    (void)state;
    assert_true(matches("price", "price"));
    assert_false(matches("price", "prices"));
    assert_false(matches("price", "pric"));
    assert_false(matches("price", "Price"));
    assert_true(matches("*", ""));
    assert_true(matches("*", "anything"));
    assert_true(matches("get_*", "get_"));
    assert_true(matches("get_*_of_*", "get_a_of_of_b"));
    assert_false(matches("get_*_of", "get_a_of_b"));
    assert_true(matches("*a*b", "xaayab"));
    assert_true(matches("p?", "pq"));
    assert_false(matches("p?", "p"));
    assert_false(matches("", "p"));
    assert_true(matches("**?", "p"));
}

/* Every star takes what it can, and gives it back one by one: no pattern takes more than text times pattern. */
static void stars_cost_no_power(void **state)
{
    char glob[64], text[64];
    (void)state;
    for (size_t i = 0; i < 62; i += 2)
        memcpy(glob + i, "*a", 2);
    memset(text, 'a', 63);
    assert_false(pqr__glob_matches(glob, 62, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaab", 30));
    assert_true(pqr__glob_matches(glob, 62, text, 63));
}

static enum pqr__catalog_answer find(const struct pqr__named *named, const char *schema, const char *name)
{
    if (!schema)
        return pqr__named_find_bare(named, name, strlen(name));
    return pqr__named_find(named, schema, strlen(schema), name, strlen(name));
}

static void harmful_patterns_win(void **state)
{
    struct pqr__named named;
    (void)state;
    assert_true(pqr__named_init(
        &named, "shop.*\n*.calm\nother.one", "shop.write_*\n*.loud\nother.one\npg_catalog.ran*"));
    assert_int_equal(find(&named, "shop", "read"), PQR__CATALOG_HARMLESS);
    assert_int_equal(find(&named, "shop", "write_it"), PQR__CATALOG_HARMFUL);
    assert_int_equal(find(&named, "shop", "loud"), PQR__CATALOG_HARMFUL);
    assert_int_equal(find(&named, "other", "one"), PQR__CATALOG_HARMFUL);
    assert_int_equal(find(&named, "other", "two"), PQR__CATALOG_ABSENT);
    assert_int_equal(find(&named, NULL, "calm"), PQR__CATALOG_HARMLESS);
    assert_int_equal(find(&named, NULL, "read"), PQR__CATALOG_ABSENT); /* it may be another schema's */
    assert_int_equal(find(&named, NULL, "one"), PQR__CATALOG_HARMFUL);
    assert_int_equal(find(&named, NULL, "write_it"), PQR__CATALOG_ABSENT);
    assert_int_equal(find(&named, NULL, "random"), PQR__CATALOG_HARMFUL);
    pqr__named_finish(&named);
    assert_true(pqr__named_init(&named, NULL, NULL));
    assert_int_equal(find(&named, "shop", "read"), PQR__CATALOG_ABSENT);
    pqr__named_finish(&named);
}

static const struct {
    const char *sql;
    pqr_class route;
    const char *reason; /* NULL: whatever */
} cases[] = {
    {"select shop.price(1)", PQR_CLASS_REPLICA, "read"},
    {"select SHOP.Price(1), \"shop\".\"price\"(2), db.shop.price(3)", PQR_CLASS_REPLICA, "read"},
    {"select shop.\"Price\"(1)", PQR_CLASS_PRIMARY, NULL},
    {"select price(1)", PQR_CLASS_PRIMARY, "unknown function price"},
    {"select other.price(1)", PQR_CLASS_PRIMARY, NULL},
    {"select calm(1), anywhere.calm(2)", PQR_CLASS_REPLICA, NULL},
    {"select random()", PQR_CLASS_PRIMARY, "reads.harmful_functions: random"},
    {"select pg_catalog.random()", PQR_CLASS_PRIMARY, "reads.harmful_functions: random"},
    {"select lower('X')", PQR_CLASS_REPLICA, NULL},
    {"select shop.audit()", PQR_CLASS_PRIMARY, "reads.harmful_functions: audit"},
    {"select t.audit from shop.t", PQR_CLASS_PRIMARY, NULL}, /* it may be called so */
    {"select t.other from shop.t", PQR_CLASS_REPLICA, NULL},
    /* Nothing makes harmless what the text calls a write. */
    {"select nextval('s')", PQR_CLASS_PRIMARY, "volatile function nextval"},
    {"select pg_catalog.nextval('s')", PQR_CLASS_PRIMARY, NULL},
    {"select pg_advisory_lock(1)", PQR_CLASS_SESSION, NULL},
    {"select shop.price(1) for update", PQR_CLASS_PRIMARY, NULL},
    {"insert into t select shop.price(1)", PQR_CLASS_PRIMARY, "INSERT"},
    {"call shop.price(1)", PQR_CLASS_PRIMARY, NULL},
    {"with x as (delete from t returning shop.price(a)) select * from x", PQR_CLASS_PRIMARY, NULL},
    {"select shop.price(nextval('s'))", PQR_CLASS_PRIMARY, NULL},
    {"select * from t tablesample shop.price(1)", PQR_CLASS_PRIMARY, NULL},
};

static void classifier_applies_them(void **state)
{
    struct pqr__named named;
    struct pqr__dialect dialect = {.standard_conforming_strings = true, .ascii_safe = true, .named = &named};
    (void)state;
    assert_true(
        pqr__named_init(&named, "shop.price\n*.calm\n*.nextval\n*.pg_*", "pg_catalog.random\n*.audit"));
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pqr__verdict verdict;
        char reason[120];
        pqr__classify(&verdict, cases[i].sql, strlen(cases[i].sql), &dialect);
        pqr__verdict_text(&verdict, cases[i].sql, reason, sizeof(reason));
        if (verdict.route != cases[i].route || (cases[i].reason && strcmp(reason, cases[i].reason) != 0))
            fail_msg("%s: %s (%s)", cases[i].sql, pqr_class_name(verdict.route), reason);
    }
    pqr__named_finish(&named);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patterns_match_whole_names),
        cmocka_unit_test(stars_cost_no_power),
        cmocka_unit_test(harmful_patterns_win),
        cmocka_unit_test(classifier_applies_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
