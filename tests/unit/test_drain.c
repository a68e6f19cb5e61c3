/* How fast a queue drains. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "policy/drain.h"

static uint64_t take(struct pqr__drain *drain, uint64_t now_us, int n, uint64_t gap_us)
{
    for (int i = 0; i < n; i++)
        pqr__drain_took(drain, 1, now_us += gap_us);
    return now_us;
}

static void too_few_tell_nothing(void **state)
{
    (void)state;
    struct pqr__drain drain = {0};
    pqr__drain_begin(&drain, 1000);
    uint64_t now_us = take(&drain, 1000, 7, 1000000);
    assert_int_equal(pqr__drain_wait_us(&drain, 100), 0);
    take(&drain, now_us, 1, 1000000);
    assert_int_equal(pqr__drain_wait_us(&drain, 100), 100000000);
}

static void it_follows_a_pool_that_grows(void **state)
{
    (void)state;
    struct pqr__drain drain = {0};
    pqr__drain_begin(&drain, 1000);
    uint64_t now_us = take(&drain, 1000, 1000, 1000);
    assert_int_equal(pqr__drain_wait_us(&drain, 1000), 1000000);
    take(&drain, now_us, 20000, 100);
    assert_in_range(pqr__drain_wait_us(&drain, 1000), 100000, 102000);
}

static void an_empty_queue_forgets(void **state)
{
    (void)state;
    struct pqr__drain drain = {0};
    pqr__drain_begin(&drain, 1000);
    uint64_t now_us = take(&drain, 1000, 1000, 1000);
    pqr__drain_end(&drain);
    assert_int_equal(pqr__drain_wait_us(&drain, 1000), 0);
    take(&drain, now_us, 1000, 1000); /* nobody waited: what is handed out then shows no limit */
    assert_int_equal(pqr__drain_wait_us(&drain, 1000), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(too_few_tell_nothing),
        cmocka_unit_test(it_follows_a_pool_that_grows),
        cmocka_unit_test(an_empty_queue_forgets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
