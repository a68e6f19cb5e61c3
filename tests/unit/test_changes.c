/* What others define is noticed at once, and no churn makes the router read all the time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "policy/changes.h"

enum { SECOND = 1000 * 1000, LONGEST = 300 * SECOND };

static void the_first_count_says_nothing(void **state)
{
    struct pqr__changes changes = {0};
    (void)state;
    assert_false(pqr__changes_note(&changes, 17, LONGEST, SECOND));
    assert_false(pqr__changes_note(&changes, 17, LONGEST, 2 * SECOND));
}

static void a_change_counts_once_and_at_once(void **state)
{
    struct pqr__changes changes = {0};
    (void)state;
    assert_false(pqr__changes_note(&changes, 17, LONGEST, SECOND));
    assert_true(pqr__changes_note(&changes, 18, LONGEST, 2 * SECOND));
    for (uint64_t second = 3; second < 1000; second++)
        assert_false(pqr__changes_note(&changes, 18, LONGEST, second * SECOND));
}

static void statistics_that_were_reset_are_a_change(void **state)
{
    struct pqr__changes changes = {0};
    (void)state;
    assert_false(pqr__changes_note(&changes, 17, LONGEST, SECOND));
    assert_true(pqr__changes_note(&changes, 0, LONGEST, 2 * SECOND));
}

static void what_comes_during_the_wait_is_not_forgotten(void **state)
{
    struct pqr__changes changes = {0};
    (void)state;
    assert_false(pqr__changes_note(&changes, 1, LONGEST, SECOND));
    assert_true(pqr__changes_note(&changes, 2, LONGEST, 2 * SECOND));
    assert_false(pqr__changes_note(&changes, 3, LONGEST, 3 * SECOND));
    assert_true(pqr__changes_note(&changes, 3, LONGEST, 4 * SECOND));
}

/* One count a second, each another. */
static unsigned read_in(struct pqr__changes *changes, uint64_t from, uint64_t seconds)
{
    unsigned reads = 0;
    for (uint64_t second = from; second < from + seconds; second++)
        reads += pqr__changes_note(changes, second, LONGEST, second * SECOND);
    return reads;
}

static void changes_without_end_are_read_less_and_less_often(void **state)
{
    struct pqr__changes changes = {0};
    (void)state;
    assert_in_range(read_in(&changes, 0, 600), 8, 9); /* after 2, 4, 8 ... 256 s */
    assert_in_range(read_in(&changes, 600, 3000), 10, 11);
}

static void after_a_rest_it_is_as_at_first(void **state)
{
    struct pqr__changes changes = {0};
    (void)state;
    (void)read_in(&changes, 0, 3000);
    uint64_t rested = 3000 + 2 * LONGEST / SECOND;
    assert_true(pqr__changes_note(&changes, 3000, LONGEST, rested * SECOND) ||
                pqr__changes_note(&changes, 3001, LONGEST, rested * SECOND));
    assert_false(pqr__changes_note(&changes, 3002, LONGEST, (rested + 1) * SECOND));
    assert_true(pqr__changes_note(&changes, 3002, LONGEST, (rested + 2) * SECOND));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_count_says_nothing),
        cmocka_unit_test(a_change_counts_once_and_at_once),
        cmocka_unit_test(statistics_that_were_reset_are_a_change),
        cmocka_unit_test(what_comes_during_the_wait_is_not_forgotten),
        cmocka_unit_test(changes_without_end_are_read_less_and_less_often),
        cmocka_unit_test(after_a_rest_it_is_as_at_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
