/* pqr_explain: the steps that it tells, and that it says what pqr_classify says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "policy/catalog.h"
#include "policy/classifier.h"
#include "policy/named.h"

struct told {
    const char *sql;
    char text[2000];
};

static void tell(const pqr_finding *finding, void *data)
{
    struct told *told = data;
    size_t used = strlen(told->text);
    (void)snprintf(told->text + used, sizeof(told->text) - used, "%s %.*s", finding->kind,
        (int)finding->length, told->sql + finding->offset);
    used = strlen(told->text);
    if (finding->reason)
        (void)snprintf(told->text + used, sizeof(told->text) - used, ": %s %s\n",
            pqr_class_name(finding->route), finding->reason);
    else
        (void)snprintf(told->text + used, sizeof(told->text) - used, ": %s %s %s\n",
            finding->builtin ? finding->builtin : "-", finding->catalog ? finding->catalog : "-",
            finding->configured ? finding->configured : "-");
}

static void every_name_and_rule_is_told(void **state)
{
    struct told told = {.sql = "select price(a) + lower(b) from t where c = nextval('s') for update"};
    pqr_verdict verdict = PQR_VERDICT_INIT;
    (void)state;
    assert_int_equal(pqr_explain(&verdict, NULL, told.sql, strlen(told.sql), tell, &told), 0);
    assert_int_equal(verdict.route, PQR_CLASS_PRIMARY);
    assert_string_equal(verdict.reason, "unknown function price");
    assert_string_equal(told.text, "function price: - - -\n"
                                   "rule price: primary unknown function price\n"
                                   "operator +: harmless - -\n"
                                   "function lower: harmless - -\n"
                                   "relation t: - - -\n"
                                   "operator =: harmless - -\n"
                                   "function nextval: volatile - -\n"
                                   "rule nextval: primary volatile function nextval\n"
                                   "rule update: primary FOR UPDATE\n");
}

static void what_the_catalog_and_the_configuration_say_is_told(void **state)
{
    struct told told = {.sql = "select price(a), shop.calm(1), 'x'::mood from loud, quiet"};
    struct pqr__catalog catalog;
    struct pqr__named named;
    struct pqr__verdict verdict;
    struct pqr__dialect dialect = {
        .standard_conforming_strings = true, .ascii_safe = true, .catalog = &catalog, .named = &named};
    (void)state;
    pqr__catalog_init(&catalog, 1 << 20);
    assert_true(pqr__catalog_add(&catalog, PQR__CATALOG_FUNCTION, "price", 5, PQR__CATALOG_HARMLESS));
    assert_true(pqr__catalog_add(&catalog, PQR__CATALOG_TYPE, "mood", 4, PQR__CATALOG_HARMLESS));
    assert_true(pqr__catalog_add(&catalog, PQR__CATALOG_RELATION, "loud", 4, PQR__CATALOG_HARMFUL));
    assert_true(pqr__named_init(&named, "shop.calm", NULL));
    pqr__classify_explained(&verdict, told.sql, strlen(told.sql), &dialect, tell, &told);
    assert_int_equal(verdict.route, PQR_CLASS_PRIMARY);
    assert_string_equal(told.text,
        "function price: - harmless -\n"
        "function calm: - unknown -\n" /* an attribute, as far as is known then */
        "function calm: - unknown harmless\n"
        "type mood: - harmless -\n"
        "relation loud: - harmful -\n"
        "rule loud: primary relation loud: a volatile view, sequence, foreign or unlogged table\n"
        "relation quiet: - unknown -\n");
    pqr__named_finish(&named);
    pqr__catalog_finish(&catalog);
}

/* Without a catalog it may be a user's, so it is not called harmless beside the rule that says so. */
static void function_of_some_versions_is_told_as_such(void **state)
{
    struct told told = {.sql = "select uuidv7()"};
    pqr_verdict out = PQR_VERDICT_INIT;
    struct pqr__catalog catalog;
    struct pqr__verdict verdict;
    struct pqr__dialect dialect = {
        .standard_conforming_strings = true, .ascii_safe = true, .catalog = &catalog};
    (void)state;
    assert_int_equal(pqr_explain(&out, NULL, told.sql, strlen(told.sql), tell, &told), 0);
    assert_string_equal(told.text, "function uuidv7: harmless (not in every version) - -\n"
                                   "rule uuidv7: primary unknown function uuidv7\n");
    pqr__catalog_init(&catalog, 1 << 20);
    told = (struct told){.sql = told.sql};
    pqr__classify_explained(&verdict, told.sql, strlen(told.sql), &dialect, tell, &told);
    assert_string_equal(told.text, "function uuidv7: harmless unknown -\n");
    pqr__catalog_finish(&catalog);
}

static void asking_changes_no_answer(void **state)
{
    static const char *const texts[] = {"", ";", "select 1", "insert into t values (1); select 2", "select '",
        "/*pqr:replica*/ select f()", "begin", "select ((((", "with a as (delete from t) select 1"};
    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct told told = {.sql = texts[i]};
        pqr_verdict one = PQR_VERDICT_INIT, other = PQR_VERDICT_INIT;
        assert_int_equal(pqr_classify(&one, texts[i], strlen(texts[i])), 0);
        assert_int_equal(pqr_explain(&other, NULL, texts[i], strlen(texts[i]), tell, &told), 0);
        assert_int_equal(one.route, other.route);
        assert_string_equal(one.reason, other.reason);
        assert_int_equal(pqr_explain(&other, NULL, texts[i], strlen(texts[i]), NULL, NULL), 0);
    }
    assert_int_equal(pqr_explain(NULL, NULL, "", 0, NULL, NULL), PQR_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_name_and_rule_is_told),
        cmocka_unit_test(what_the_catalog_and_the_configuration_say_is_told),
        cmocka_unit_test(function_of_some_versions_is_told_as_such),
        cmocka_unit_test(asking_changes_no_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
