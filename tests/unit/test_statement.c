/* A statement's verdict is kept, and read anew when its router knows more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "router/statement.h"

static const struct pqr__dialect standard = {.standard_conforming_strings = true, .ascii_safe = true};
static const struct pqr__dialect old = {.standard_conforming_strings = false, .ascii_safe = true};

static void the_text_is_copied(void **state)
{
    (void)state;
    char sql[] = "select 1";
    pqr_statement *statement = NULL;
    assert_int_equal(pqr_statement_new(&statement, sql), 0);
    sql[0] = 'X';
    assert_string_equal(statement->sql, "select 1");
    pqr_statement_free(statement);
    pqr_statement_free(NULL);
    assert_int_equal(pqr_statement_new(&statement, NULL), PQR_EINVAL);
    assert_int_equal(pqr_statement_new(NULL, "select 1"), PQR_EINVAL);
}

static void the_verdict_is_kept_until_its_router_knows_more(void **state)
{
    (void)state;
    static struct pqr__known_table table, other;
    pqr_statement *statement = NULL;
    struct pqr__verdict verdict;
    pqr__known_init(&table, 2, 1000);
    pqr__known_init(&other, 77, 1000);
    assert_int_equal(pqr_statement_new(&statement, "select '\\'; delete from t --'"), 0);
    pqr__known_unref(pqr__statement_classify(statement, &verdict, &table, &old));
    assert_int_equal(verdict.route, PQR_CLASS_REPLICA);
    /* The same state of knowledge: not read again, whatever the dialect given. */
    pqr__known_unref(pqr__statement_classify(statement, &verdict, &table, &standard));
    assert_int_equal(verdict.route, PQR_CLASS_REPLICA);
    pqr__known_outdate(&table);
    pqr__known_unref(pqr__statement_classify(statement, &verdict, &table, &standard));
    assert_int_equal(verdict.route, PQR_CLASS_PRIMARY);
    pqr__known_unref(pqr__statement_classify(statement, &verdict, &other, &old));
    assert_int_equal(verdict.route, PQR_CLASS_REPLICA);
    pqr_statement_free(statement);
    pqr__known_finish(&table);
    pqr__known_finish(&other);
}

static void who_runs_it_keeps_it(void **state)
{
    (void)state;
    pqr_statement *statement = NULL;
    assert_int_equal(pqr_statement_new(&statement, "select 1"), 0);
    struct pqr_statement *kept = pqr__statement_ref(statement);
    pqr_statement_free(statement);
    assert_string_equal(kept->sql, "select 1");
    pqr_statement_free(kept);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_text_is_copied),
        cmocka_unit_test(the_verdict_is_kept_until_its_router_knows_more),
        cmocka_unit_test(who_runs_it_keeps_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
