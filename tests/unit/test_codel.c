/* When a queue counts as standing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "policy/codel.h"

enum { TARGET = 50000, INTERVAL = 500000 };

static void a_burst_that_is_over_within_the_interval_is_no_overload(void **state)
{
    (void)state;
    struct pqr__codel codel = {0};
    for (uint64_t now_us = 1; now_us < INTERVAL; now_us += 1000) {
        pqr__codel_took(&codel, 10 * TARGET, 100, now_us, TARGET, INTERVAL);
        assert_false(codel.overloaded);
    }
    pqr__codel_took(&codel, TARGET, 100, INTERVAL, TARGET, INTERVAL); /* one short wait is enough */
    for (uint64_t now_us = INTERVAL + 1; now_us < 2 * INTERVAL; now_us += 1000) {
        pqr__codel_took(&codel, 10 * TARGET, 100, now_us, TARGET, INTERVAL);
        assert_false(codel.overloaded);
    }
}

static void waits_above_the_target_for_an_interval_are_overload_until_the_queue_is_empty(void **state)
{
    (void)state;
    struct pqr__codel codel = {0};
    pqr__codel_took(&codel, TARGET + 1, 100, 1000, TARGET, INTERVAL);
    pqr__codel_took(&codel, TARGET + 1, 100, 1000 + INTERVAL - 1, TARGET, INTERVAL);
    assert_false(codel.overloaded);
    pqr__codel_took(&codel, TARGET + 1, 100, 1000 + INTERVAL, TARGET, INTERVAL);
    assert_true(codel.overloaded);
    pqr__codel_took(&codel, 0, 100, 2000 + INTERVAL, TARGET, INTERVAL); /* the newest, served first */
    assert_true(codel.overloaded);
    pqr__codel_emptied(&codel);
    assert_false(codel.overloaded);
    pqr__codel_took(&codel, TARGET + 1, 100, 3000 + INTERVAL, TARGET, INTERVAL);
    assert_false(codel.overloaded);
}

/* 1000 at once, a tenth of them served in each interval's half. */
static void a_queue_that_drains_is_no_overload_and_one_that_stops_draining_is(void **state)
{
    (void)state;
    struct pqr__codel codel = {0};
    uint64_t now_us = 1;
    uint32_t left = 1000;
    for (; left > 300; left--) {
        pqr__codel_took(&codel, 10 * TARGET, left, now_us, TARGET, INTERVAL);
        assert_false(codel.overloaded);
        now_us += INTERVAL / 200;
    }
    for (uint64_t until_us = now_us + 2 * INTERVAL; now_us <= until_us; now_us += INTERVAL / 200)
        pqr__codel_took(&codel, 10 * TARGET, left, now_us, TARGET, INTERVAL);
    assert_true(codel.overloaded);
}

/* A queue that is offered `offered` times what is served, one each millisecond: the longest wait of who is served
   before it is known for overload. */
static uint64_t longest_wait_us(double offered, uint64_t target_us, uint64_t interval_us)
{
    struct pqr__codel codel = {0};
    uint64_t longest_us = 0;
    for (uint64_t now_us = 1000; now_us < 100 * interval_us; now_us += 1000) {
        /* Who is served now came at now / offered, since each came 1000 / offered after the one before. */
        uint64_t waited_us = now_us - (uint64_t)((double)now_us / offered);
        uint32_t left = (uint32_t)((double)now_us / 1000 * (offered - 1));
        pqr__codel_took(&codel, waited_us, left, now_us, target_us, interval_us);
        if (codel.overloaded)
            return longest_us;
        longest_us = waited_us;
    }
    return UINT64_MAX;
}

static void overload_is_known_before_anybody_waits_twice_the_target(void **state)
{
    (void)state;
    static const double offered[] = {1.2, 1.5, 2, 3, 10, 100};
    for (unsigned i = 0; i < sizeof(offered) / sizeof(*offered); i++)
        assert_in_range(longest_wait_us(offered[i], 1000000, 2000000), 1000000, 2000000);
}

static void without_a_target_nothing_is_overload(void **state)
{
    (void)state;
    struct pqr__codel codel = {0};
    for (uint64_t now_us = 1; now_us < 100 * (uint64_t)INTERVAL; now_us += INTERVAL / 2)
        pqr__codel_took(&codel, UINT64_MAX, 100, now_us, 0, INTERVAL);
    assert_false(codel.overloaded);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_burst_that_is_over_within_the_interval_is_no_overload),
        cmocka_unit_test(waits_above_the_target_for_an_interval_are_overload_until_the_queue_is_empty),
        cmocka_unit_test(a_queue_that_drains_is_no_overload_and_one_that_stops_draining_is),
        cmocka_unit_test(overload_is_known_before_anybody_waits_twice_the_target),
        cmocka_unit_test(without_a_target_nothing_is_overload),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
