/* Each of many takes its fair part, and all together no more than the server admits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/random.h"
#include "policy/fleet.h"

enum { LEAST = 3, MARGIN = 3 };

static struct pqr__fleet_count count_of(uint32_t members, uint32_t before, int64_t admitted)
{
    return (struct pqr__fleet_count){.all = members,
        .of_role = members,
        .of_database = members,
        .before = before,
        .max_connections = admitted + 3,
        .reserved = 3,
        .role_limit = -1,
        .database_limit = -1};
}

static void before_it_has_counted_it_takes_the_least(void **state)
{
    (void)state;
    struct pqr__fleet fleet;
    pqr__fleet_init(&fleet, LEAST, MARGIN);
    assert_int_equal(fleet.share, LEAST);
}

static void alone_it_has_everything_but_the_margin(void **state)
{
    (void)state;
    struct pqr__fleet fleet;
    struct pqr__fleet_count count = count_of(1, 0, 100);
    pqr__fleet_init(&fleet, LEAST, MARGIN);
    pqr__fleet_counted(&fleet, &count);
    assert_int_equal(fleet.share, LEAST); /* many may be starting at once: the next count is waited for */
    pqr__fleet_counted(&fleet, &count);
    assert_int_equal(fleet.share, 97);
    assert_int_equal(fleet.members, 1);
}

static void the_smallest_limit_counts_among_those_it_is_for(void **state)
{
    (void)state;
    struct pqr__fleet_count count = count_of(10, 9, 203);
    assert_int_equal(pqr__fleet_part(&count, MARGIN), 20);
    count.role_limit = 63;
    count.of_role = 4;
    assert_int_equal(pqr__fleet_part(&count, MARGIN), 15);
    count.database_limit = 13;
    count.of_database = 2;
    assert_int_equal(pqr__fleet_part(&count, MARGIN), 5);
    count.role_limit = 0;
    assert_int_equal(pqr__fleet_part(&count, MARGIN), 0);
}

static void parts_add_up_to_what_is_admitted_and_differ_by_one(void **state)
{
    (void)state;
    struct pqr__random random;
    pqr__random_seed(&random, 4);
    for (int run = 0; run < 500; run++) {
        uint32_t members = 1 + (uint32_t)pqr__random_below(&random, 600);
        int64_t admitted = (int64_t)pqr__random_below(&random, 5000);
        uint64_t sum = 0;
        uint32_t most = 0, fewest = UINT32_MAX;
        for (uint32_t i = 0; i < members; i++) {
            struct pqr__fleet_count count = count_of(members, i, admitted);
            uint32_t part = pqr__fleet_part(&count, MARGIN);
            sum += part;
            most = part > most ? part : most;
            fewest = part < fewest ? part : fewest;
        }
        assert_int_equal(sum, admitted > MARGIN ? admitted - MARGIN : 0);
        assert_true(most - fewest <= 1);
    }
}

static void less_counts_at_once_and_more_when_two_counts_agree(void **state)
{
    (void)state;
    struct pqr__fleet fleet;
    struct pqr__fleet_count ten = count_of(10, 9, 203), nine = count_of(9, 8, 203),
                            five = count_of(5, 4, 203);
    pqr__fleet_init(&fleet, LEAST, MARGIN);
    pqr__fleet_counted(&fleet, &five);
    pqr__fleet_counted(&fleet, &five);
    assert_int_equal(fleet.share, 40);
    pqr__fleet_counted(&fleet, &ten);
    assert_int_equal(fleet.share, 20);
    pqr__fleet_counted(&fleet, &nine); /* one restarts */
    assert_int_equal(fleet.share, 20);
    pqr__fleet_counted(&fleet, &ten);
    assert_int_equal(fleet.share, 20);
    pqr__fleet_counted(&fleet, &nine);
    pqr__fleet_counted(&fleet, &five); /* the lesser of the two */
    assert_int_equal(fleet.share, 22);
    pqr__fleet_counted(&fleet, &five);
    assert_int_equal(fleet.share, 40);
}

static void it_never_has_less_than_it_needs(void **state)
{
    (void)state;
    struct pqr__fleet fleet;
    struct pqr__fleet_count count = count_of(500, 0, 100);
    pqr__fleet_init(&fleet, LEAST, MARGIN);
    pqr__fleet_counted(&fleet, &count);
    assert_int_equal(fleet.share, LEAST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(before_it_has_counted_it_takes_the_least),
        cmocka_unit_test(alone_it_has_everything_but_the_margin),
        cmocka_unit_test(the_smallest_limit_counts_among_those_it_is_for),
        cmocka_unit_test(parts_add_up_to_what_is_admitted_and_differ_by_one),
        cmocka_unit_test(less_counts_at_once_and_more_when_two_counts_agree),
        cmocka_unit_test(it_never_has_less_than_it_needs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
