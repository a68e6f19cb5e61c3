/* The generator: the same for the same seed, even, and inside its bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/random.h"

static void a_seed_gives_the_same_numbers_and_another_seed_others(void **state)
{
    (void)state;
    struct pqr__random a, b, c;
    unsigned same = 0;
    pqr__random_seed(&a, 5);
    pqr__random_seed(&b, 5);
    pqr__random_seed(&c, 6);
    for (int i = 0; i < 1000; i++) {
        uint64_t number = pqr__random_next(&a);
        assert_true(number == pqr__random_next(&b));
        same += number == pqr__random_next(&c);
    }
    assert_int_equal(same, 0);
}

static void the_algorithm_is_xoshiro256starstar(void **state)
{
    (void)state;
    /* From state 1, 2, 3, 4: what the published definition gives. */
    struct pqr__random random = {.state = {1, 2, 3, 4}};
    assert_true(pqr__random_next(&random) == 11520);
    assert_true(pqr__random_next(&random) == 0);
    assert_true(pqr__random_next(&random) == 1509978240);
}

static void seed_zero_is_as_good_as_any(void **state)
{
    (void)state;
    struct pqr__random random;
    pqr__random_seed(&random, 0);
    unsigned bits[64] = {0};
    for (int i = 0; i < 10000; i++) {
        uint64_t number = pqr__random_next(&random);
        for (int bit = 0; bit < 64; bit++)
            bits[bit] += (unsigned)(number >> bit & 1);
    }
    for (int bit = 0; bit < 64; bit++)
        assert_in_range(bits[bit], 4700, 5300);
}

static void below_a_bound_every_number_comes_evenly(void **state)
{
    (void)state;
    struct pqr__random random;
    pqr__random_seed(&random, 1);
    for (uint64_t bound = 1; bound <= 20; bound++) {
        unsigned counts[20] = {0};
        for (uint64_t i = 0; i < 2000 * bound; i++) {
            uint64_t number = pqr__random_below(&random, bound);
            assert_true(number < bound);
            counts[number]++;
        }
        for (uint64_t i = 0; i < bound; i++)
            assert_in_range(counts[i], 1750, 2250);
    }
}

static void large_bounds_hold_and_nought_is_nought(void **state)
{
    (void)state;
    static const uint64_t bounds[] = {UINT32_MAX, UINT64_C(1) << 32, (UINT64_C(1) << 32) + 1, UINT64_MAX};
    struct pqr__random random;
    pqr__random_seed(&random, 2);
    for (int i = 0; i < 4; i++) {
        uint64_t highest = 0;
        for (int k = 0; k < 1000; k++) {
            uint64_t number = pqr__random_below(&random, bounds[i]);
            assert_true(number < bounds[i]);
            highest = number > highest ? number : highest;
        }
        assert_true(highest > bounds[i] / 100 * 95);
    }
    assert_true(pqr__random_below(&random, 0) == 0);
}

static void jitter_stays_within_its_percent_on_both_sides(void **state)
{
    (void)state;
    struct pqr__random random;
    uint64_t lowest = UINT64_MAX, highest = 0;
    pqr__random_seed(&random, 3);
    for (int i = 0; i < 10000; i++) {
        uint64_t number = pqr__random_jitter(&random, 1000000, 10);
        assert_in_range(number, 900000, 1100000);
        lowest = number < lowest ? number : lowest;
        highest = number > highest ? number : highest;
        assert_int_equal(pqr__random_jitter(&random, 1000000, 0), 1000000);
        assert_int_equal(pqr__random_jitter(&random, 0, 50), 0);
    }
    assert_true(lowest < 901000 && highest > 1099000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_seed_gives_the_same_numbers_and_another_seed_others),
        cmocka_unit_test(the_algorithm_is_xoshiro256starstar),
        cmocka_unit_test(seed_zero_is_as_good_as_any),
        cmocka_unit_test(below_a_bound_every_number_comes_evenly),
        cmocka_unit_test(large_bounds_hold_and_nought_is_nought),
        cmocka_unit_test(jitter_stays_within_its_percent_on_both_sides),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
