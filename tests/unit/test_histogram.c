/* Quantiles against a sorted list. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdlib.h>

#include "base/random.h"
#include "observe/histogram.h"

static void an_empty_one_is_all_zeros(void **state)
{
    (void)state;
    struct pqr__histogram histogram = {0};
    pqr_latency out = {.count = 1, .p50_us = 2, .p90_us = 3, .p99_us = 4, .max_us = 5};
    pqr__histogram_summary(&histogram, &out);
    assert_true(out.count == 0 && out.p50_us == 0 && out.p90_us == 0 && out.p99_us == 0 && out.max_us == 0);
}

static void it_is_small(void **state)
{
    (void)state;
    assert_true(sizeof(struct pqr__histogram) < 4096);
}

/* The reported value for a list of this one value alone. */
static uint64_t reported(uint64_t us)
{
    struct pqr__histogram histogram = {0};
    pqr_latency out;
    pqr__histogram_record(&histogram, us);
    /* A higher one, so that the maximum does not sharpen the answer. */
    pqr__histogram_record(&histogram, UINT64_MAX);
    pqr__histogram_summary(&histogram, &out);
    assert_true(out.max_us == UINT64_MAX && out.count == 2);
    return out.p50_us;
}

static void each_time_up_to_71_minutes_is_kept_to_a_sixteenth(void **state)
{
    (void)state;
    for (uint64_t us = 0; us < 100000; us++)
        assert_in_range(reported(us), us, us + us / 16);
    for (unsigned bits = 17; bits < 32; bits++)
        for (uint64_t off = 0; off < 3; off++) {
            uint64_t us = (UINT64_C(1) << bits) - 1 + off;
            assert_in_range(reported(us), us, us + us / 16);
        }
    for (uint64_t us = 0; us < 32; us++)
        assert_int_equal(reported(us), us);
}

static void longer_times_count_and_the_maximum_is_exact(void **state)
{
    (void)state;
    struct pqr__histogram histogram = {0};
    pqr_latency out;
    for (uint64_t i = 0; i < 10; i++)
        pqr__histogram_record(&histogram, (UINT64_C(1) << 40) + i);
    pqr__histogram_summary(&histogram, &out);
    assert_int_equal(out.count, 10);
    assert_true(out.p50_us == (UINT64_C(1) << 40) + 9 && out.max_us == out.p50_us);
}

static void what_is_recorded_again_counts_again(void **state)
{
    (void)state;
    const uint64_t times[] = {0, 0, 7, 7, 7, 900, 900, 7, 0};
    struct pqr__histogram histogram = {0};
    pqr_latency out;
    for (size_t i = 0; i < sizeof(times) / sizeof(*times); i++)
        pqr__histogram_record(&histogram, times[i]);
    pqr__histogram_summary(&histogram, &out);
    assert_true(out.count == 9 && out.p50_us == 7 && out.max_us == 900);
    assert_true(histogram.buckets[0] == 3 && histogram.buckets[7] == 4);
}

static int ascending(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static void assert_near(uint64_t found, const uint64_t *sorted, size_t n, size_t percent)
{
    uint64_t truly = sorted[(n * percent + 99) / 100 - 1];
    assert_in_range(found, truly, truly + truly / 16);
    assert_true(found <= sorted[n - 1]);
}

static void random_quantiles_are_those_of_a_sorted_list(void **state)
{
    (void)state;
    static uint64_t values[3000];
    struct pqr__random random;
    pqr__random_seed(&random, 6);
    for (int run = 0; run < 300; run++) {
        struct pqr__histogram histogram = {0};
        size_t n = 1 + pqr__random_below(&random, 3000);
        for (size_t i = 0; i < n; i++) {
            values[i] = pqr__random_next(&random) >> (33 + pqr__random_below(&random, 25));
            pqr__histogram_record(&histogram, values[i]);
        }
        qsort(values, n, sizeof(values[0]), ascending);
        pqr_latency out;
        pqr__histogram_summary(&histogram, &out);
        assert_int_equal(out.count, n);
        assert_true(out.max_us == values[n - 1]);
        assert_near(out.p50_us, values, n, 50);
        assert_near(out.p90_us, values, n, 90);
        assert_near(out.p99_us, values, n, 99);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_one_is_all_zeros),
        cmocka_unit_test(it_is_small),
        cmocka_unit_test(each_time_up_to_71_minutes_is_kept_to_a_sixteenth),
        cmocka_unit_test(what_is_recorded_again_counts_again),
        cmocka_unit_test(longer_times_count_and_the_maximum_is_exact),
        cmocka_unit_test(random_quantiles_are_those_of_a_sorted_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
