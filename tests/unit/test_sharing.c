/* What may fly with what. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "policy/sharing.h"

static const struct pqr__sharing sharing = {.share_sync = 16, .depth = 32, .fast_us = 5000};

static struct pqr__known known_of(uint64_t took_us)
{
    struct pqr__known known = {.number = 1};
    for (int i = 0; i < 20; i++)
        pqr__history_done(&known.history, took_us);
    return known;
}

static void only_fast_harmless_reads_join_others(void **state)
{
    (void)state;
    struct pqr__known fast = known_of(100), slow = known_of(50000);
    struct pqr__verdict verdict = {.effect = PQR__EFFECT_READ};
    struct pqr__sharing one = sharing;
    assert_true(pqr__sharing_joins(&sharing, &verdict, &fast));
    assert_false(pqr__sharing_joins(&sharing, &verdict, &slow));
    assert_false(pqr__sharing_joins(&sharing, &verdict, NULL));
    one.depth = 1;
    assert_false(pqr__sharing_joins(&one, &verdict, &fast));
    verdict.several = true;
    assert_false(pqr__sharing_joins(&sharing, &verdict, &fast));
    verdict.several = false;
    for (int effect = PQR__EFFECT_UNKNOWN; effect <= PQR__EFFECT_COPY; effect++) {
        verdict.effect = (enum pqr__effect)effect;
        assert_int_equal(pqr__sharing_joins(&sharing, &verdict, &fast), effect == PQR__EFFECT_READ);
    }
}

static void only_fast_writes_that_define_nothing_follow_others(void **state)
{
    (void)state;
    struct pqr__known fast = known_of(100), slow = known_of(50000), failed = known_of(100);
    struct pqr__verdict verdict = {.effect = PQR__EFFECT_WRITE};
    struct pqr__sharing one = sharing;
    pqr__history_failed(&failed.history);
    assert_true(pqr__sharing_follows(&sharing, &verdict, &fast));
    assert_false(pqr__sharing_follows(&sharing, &verdict, &slow));
    assert_false(pqr__sharing_follows(&sharing, &verdict, &failed));
    assert_false(pqr__sharing_follows(&sharing, &verdict, NULL));
    one.depth = 1;
    assert_false(pqr__sharing_follows(&one, &verdict, &fast));
    verdict.several = true;
    assert_false(pqr__sharing_follows(&sharing, &verdict, &fast));
    verdict.several = false;
    verdict.defines = true;
    assert_false(pqr__sharing_follows(&sharing, &verdict, &fast));
    verdict.defines = false;
    for (int effect = PQR__EFFECT_UNKNOWN; effect <= PQR__EFFECT_COPY; effect++) {
        verdict.effect = (enum pqr__effect)effect;
        assert_int_equal(pqr__sharing_follows(&sharing, &verdict, &fast), effect == PQR__EFFECT_WRITE);
    }
}

static void the_primary_groups_one_statement_only(void **state)
{
    (void)state;
    struct pqr__known a = known_of(100), b = known_of(100);
    assert_false(pqr__sharing_groups(&a, &a, true)); /* what it locks may depend on its parameters */
    a.fixed_locks = b.fixed_locks = true;
    assert_true(pqr__sharing_groups(&a, &a, true));
    assert_false(pqr__sharing_groups(&a, &b, true));
    assert_true(pqr__sharing_groups(&a, &b, false));
}

static void a_connection_whose_head_is_late_takes_nothing_more(void **state)
{
    (void)state;
    struct pqr__known head = known_of(100);
    assert_true(pqr__sharing_has_room(&sharing, 1, 1, &head, 1, 200));
    assert_false(pqr__sharing_has_room(&sharing, 1, 1, &head, 1, 50000));
    assert_false(pqr__sharing_has_room(&sharing, 17, 1, &head, 16, 200)); /* more than half full */
    assert_false(pqr__sharing_has_room(&sharing, 2, 2, &head, 1, 200));
    struct pqr__sharing apart = sharing;
    apart.share_sync = 1;
    assert_true(pqr__sharing_has_room(&apart, 16, 16, &head, 1, 200));
    assert_false(pqr__sharing_has_room(&apart, 17, 17, &head, 1, 200));
}

static void quick_ones_are_not_spread(void **state)
{
    (void)state;
    struct pqr__known quick = known_of(50), slow = known_of(4000), none = {0}, at_once = known_of(0);
    assert_int_equal(pqr__sharing_quick(&quick), 20);
    assert_int_equal(pqr__sharing_quick(&slow), 1);
    assert_int_equal(pqr__sharing_quick(&none), 1);
    assert_true(pqr__sharing_quick(&at_once) >= 1000);
}

static void what_is_under_way_is_parted(void **state)
{
    static const struct {
        uint32_t outstanding, servers, connections, lot;
    } table[] = {
        {1, 1, 5, 1},
        {2, 1, 5, 1},
        {7, 1, 5, 3},
        {7, 1, 2, 4}, /* no more flights than connections */
        {7, 1, 1, 7},
        {7, 1, 0, 7},   /* there is none, yet */
        {64, 1, 5, 16}, /* reads.share_sync */
        {2, 2, 8, 4},   /* few go to one of several servers */
        {10, 2, 8, 5},
        {30, 3, 12, 10},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
        assert_int_equal(
            pqr__sharing_lot(&sharing, table[i].outstanding, table[i].servers, table[i].connections),
            table[i].lot);
}

static void what_is_undone_or_may_be_sent_twice_goes_with_begin(void **state)
{
    (void)state;
    for (int i = PQR__EFFECT_UNKNOWN; i <= PQR__EFFECT_COPY; i++) {
        struct pqr__verdict verdict = {.effect = (enum pqr__effect)i}, several = verdict;
        bool read = i == PQR__EFFECT_READ,
             undone = read || i == PQR__EFFECT_WRITE || i == PQR__EFFECT_SESSION;
        several.several = true;
        assert_int_equal(pqr__sharing_begins(&verdict, false, 999999), undone);
        assert_int_equal(pqr__sharing_begins(&verdict, false, 1000000), read);
        assert_int_equal(pqr__sharing_begins(&verdict, true, 1000000), undone);
        assert_false(pqr__sharing_begins(&several, true, 0));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_undone_or_may_be_sent_twice_goes_with_begin),
        cmocka_unit_test(only_fast_harmless_reads_join_others),
        cmocka_unit_test(only_fast_writes_that_define_nothing_follow_others),
        cmocka_unit_test(the_primary_groups_one_statement_only),
        cmocka_unit_test(quick_ones_are_not_spread),
        cmocka_unit_test(what_is_under_way_is_parted),
        cmocka_unit_test(a_connection_whose_head_is_late_takes_nothing_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
