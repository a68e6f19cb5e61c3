/* The wait after failures: its bounds, and that it is spread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "policy/backoff.h"

static void a_wait_doubles_up_to_its_limit_and_is_at_least_half_of_that(void **state)
{
    (void)state;
    struct pqr__random random;
    pqr__random_seed(&random, 1);
    uint64_t ceiling = 100000;
    for (uint32_t failures = 1; failures < 40; failures++) {
        for (int i = 0; i < 1000; i++) {
            uint64_t wait = pqr__backoff_us(100000, 15000000, failures, &random);
            assert_in_range(wait, ceiling / 2, ceiling);
        }
        ceiling = ceiling * 2 > 15000000 ? 15000000 : ceiling * 2;
    }
}

static void many_waits_are_spread_evenly(void **state)
{
    (void)state;
    struct pqr__random random;
    unsigned tenths[10] = {0};
    pqr__random_seed(&random, 2);
    for (int i = 0; i < 100000; i++)
        tenths[(pqr__backoff_us(1000, 1000000, 11, &random) - 500000) * 10 / 500001]++;
    for (int i = 0; i < 10; i++)
        assert_in_range(tenths[i], 9500, 10500);
}

static void no_failure_counts_as_one(void **state)
{
    (void)state;
    struct pqr__random random;
    pqr__random_seed(&random, 3);
    for (int i = 0; i < 1000; i++)
        assert_in_range(pqr__backoff_us(1000, 8000, 0, &random), 500, 1000);
}

static void extreme_limits_neither_overflow_nor_hang(void **state)
{
    (void)state;
    struct pqr__random random;
    pqr__random_seed(&random, 4);
    for (int i = 0; i < 1000; i++) {
        assert_true(pqr__backoff_us(1, UINT64_MAX, UINT32_MAX, &random) >= UINT64_MAX / 2);
        assert_true(pqr__backoff_us(UINT64_MAX, 10, UINT32_MAX, &random) <= 10);
        assert_true(pqr__backoff_us(0, 1000, UINT32_MAX, &random) == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wait_doubles_up_to_its_limit_and_is_at_least_half_of_that),
        cmocka_unit_test(many_waits_are_spread_evenly),
        cmocka_unit_test(no_failure_counts_as_one),
        cmocka_unit_test(extreme_limits_neither_overflow_nor_hang),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
