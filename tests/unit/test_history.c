/* A statement's history: what is fast, and how soon that is forgotten. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/random.h"
#include "policy/history.h"

static void an_unknown_statement_is_not_fast(void **state)
{
    (void)state;
    struct pqr__history history = {0};
    assert_true(pqr__history_bound_us(&history) == UINT64_MAX);
    assert_false(pqr__history_is_fast(&history, UINT64_MAX));
    for (int i = 0; i < PQR__HISTORY_CLEAN; i++) {
        assert_false(pqr__history_is_fast(&history, 1000));
        pqr__history_done(&history, 100);
    }
    assert_true(pqr__history_is_fast(&history, 1000));
}

static void many_are_noted_as_one_by_one(void **state)
{
    enum { ROUNDING = 8 }; /* each of a row of executions may round by one, of eight to a microsecond */
    (void)state;
    struct pqr__history many = {0}, single = {0};
    for (uint32_t i = 0; i < 3000; i++) {
        uint64_t took_us = i * 2654435761u % 5000;
        pqr__history_done_many(&many, i % 20 + 1, took_us);
        for (uint32_t n = i % 20 + 1; n > 0; n--)
            pqr__history_done(&single, took_us);
        if (i % 50 == 0) {
            pqr__history_failed(&many);
            pqr__history_failed(&single);
        }
        assert_in_range(many.mean_us_8 + ROUNDING - single.mean_us_8, 0, 2 * ROUNDING);
        assert_in_range(many.deviation_us_4 + ROUNDING - single.deviation_us_4, 0, 2 * ROUNDING);
        assert_int_equal(many.clean, single.clean);
    }
}

static void an_error_makes_it_prove_itself_again(void **state)
{
    (void)state;
    struct pqr__history history = {0};
    for (int i = 0; i < 100; i++)
        pqr__history_done(&history, 100);
    pqr__history_failed(&history);
    for (int i = 0; i < PQR__HISTORY_CLEAN; i++) {
        assert_false(pqr__history_is_fast(&history, 1000));
        pqr__history_done(&history, 100);
    }
    assert_true(pqr__history_is_fast(&history, 1000));
}

static void a_slow_execution_is_remembered_for_a_while(void **state)
{
    (void)state;
    struct pqr__history history = {0};
    unsigned n = 0;
    for (int i = 0; i < 100; i++)
        pqr__history_done(&history, 100);
    pqr__history_done(&history, 1000000);
    for (; !pqr__history_is_fast(&history, 5000); n++)
        pqr__history_done(&history, 100);
    assert_in_range(n, 10, 100);
}

static void few_executions_exceed_the_bound(void **state)
{
    (void)state;
    struct pqr__history history = {0};
    struct pqr__random random;
    unsigned over = 0;
    pqr__random_seed(&random, 5);
    for (int i = 0; i < 100000; i++) {
        uint64_t took = 50 + pqr__random_below(&random, 100) + pqr__random_below(&random, 100);
        over += i > 100 && took > pqr__history_bound_us(&history);
        pqr__history_done(&history, took);
    }
    assert_in_range(over, 0, 2000);
    pqr__history_done(&history, UINT64_MAX);
    assert_true(pqr__history_bound_us(&history) < UINT32_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_unknown_statement_is_not_fast),
        cmocka_unit_test(many_are_noted_as_one_by_one),
        cmocka_unit_test(an_error_makes_it_prove_itself_again),
        cmocka_unit_test(a_slow_execution_is_remembered_for_a_while),
        cmocka_unit_test(few_executions_exceed_the_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
