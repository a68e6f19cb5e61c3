/* Statements of which several executions lock what one of them locks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "policy/catalog.h"
#include "policy/locks.h"

static struct pqr__catalog catalog;
static struct pqr__dialect dialect = {
    .standard_conforming_strings = true, .ascii_safe = true, .catalog = &catalog};

static void add(enum pqr__catalog_kind kind, const char *name)
{
    assert_true(pqr__catalog_add(&catalog, kind, name, strlen(name), PQR__CATALOG_HARMLESS));
}

static int start(void **state)
{
    (void)state;
    pqr__catalog_init(&catalog, 1 << 20);
    add(PQR__CATALOG_VARYING, "parted");
    add(PQR__CATALOG_VARYING, "Two Words");
    add(PQR__CATALOG_FUNCTION, "pick");
    add(PQR__CATALOG_OPERATOR, "@@@");
    return 0;
}

static int stop(void **state)
{
    (void)state;
    pqr__catalog_finish(&catalog);
    return 0;
}

static bool fixed(const char *sql)
{
    return pqr__locks_are_fixed(sql, strlen(sql), &dialect);
}

static void plain_tables_and_built_ins_are_fixed(void **state)
{
    (void)state;
    assert_true(
        fixed("select a.n, count(*) from shop.a join b using (n) where b.m = $1 and lower(b.t) = 'parted'"));
    assert_true(fixed("select /* parted */ \"a\".\"n\" from \"a\""));
}

static void what_a_parameter_may_tell_is_not(void **state)
{
    (void)state;
    assert_false(fixed("select * from parted where n = $1"));
    assert_false(fixed("select * from shop.PARTED"));
    assert_false(fixed("select * from \"Two Words\""));
    assert_false(fixed("select pick($1)"));
    assert_false(fixed("select a.pick from a")); /* attribute notation */
    assert_false(fixed("select a.n @@@ $1 from a"));
    assert_false(fixed("select * from U&\"\\0070arted\""));
}

static void what_cannot_be_told_is_not(void **state)
{
    (void)state;
    struct pqr__dialect none = dialect;
    none.catalog = NULL;
    assert_false(pqr__locks_are_fixed("select 1", 8, &none));
    assert_false(fixed("select 'a"));
    catalog.stale = true;
    assert_false(fixed("select 1"));
    catalog.stale = false;
    assert_true(fixed("select 1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_tables_and_built_ins_are_fixed),
        cmocka_unit_test(what_a_parameter_may_tell_is_not),
        cmocka_unit_test(what_cannot_be_told_is_not),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
