/* The limits hold, and no pool can be starved of its guaranteed part by the others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <string.h>

#include "base/random.h"
#include "policy/budget.h"

enum { N = 5 };

static void a_pool_stops_at_its_own_limit(void **state)
{
    (void)state;
    struct pqr__budget_pool pool = {.total = 19, .max = 20, .guaranteed = 3};
    assert_true(pqr__budget_allows(&pool, 1, 0, 0));
    pool.total = 20;
    assert_false(pqr__budget_allows(&pool, 1, 0, 0));
    assert_false(pqr__budget_allows(&pool, 1, 0, 1000));
}

static void a_busy_pool_leaves_the_others_their_part(void **state)
{
    (void)state;
    struct pqr__budget_pool pools[2] = {
        {.total = 6, .max = 20, .guaranteed = 3}, {.total = 0, .max = 20, .guaranteed = 3}};
    assert_true(pqr__budget_allows(pools, 2, 0, 10));
    pools[0].total = 7;
    assert_false(pqr__budget_allows(pools, 2, 0, 10));
    assert_true(pqr__budget_allows(pools, 2, 1, 10));
    pools[1].total = 3;
    assert_false(pqr__budget_allows(pools, 2, 1, 10));
}

static void a_part_larger_than_the_pool_reserves_no_more_than_the_pool(void **state)
{
    (void)state;
    struct pqr__budget_pool pools[2] = {
        {.total = 7, .max = 20, .guaranteed = 3}, {.total = 0, .max = 2, .guaranteed = 3}};
    assert_true(pqr__budget_allows(pools, 2, 0, 10));
}

static void the_limit_over_all_holds_even_when_the_parts_do_not_fit_into_it(void **state)
{
    (void)state;
    struct pqr__budget_pool pools[3] = {{.total = 2, .max = 20, .guaranteed = 3},
        {.total = 1, .max = 20, .guaranteed = 3}, {.total = 0, .max = 20, .guaranteed = 3}};
    assert_true(pqr__budget_allows(pools, 3, 2, 4));
    pools[2].total = 1;
    for (uint32_t i = 0; i < 3; i++)
        assert_false(pqr__budget_allows(pools, 3, i, 4));
}

static void check_reach(const struct pqr__budget_pool *pools, uint32_t max_total, struct pqr__random *random)
{
    struct pqr__budget_pool trial[N];
    memcpy(trial, pools, sizeof(trial));
    uint32_t first = (uint32_t)pqr__random_below(random, N);
    for (uint32_t k = 0; k < N; k++) {
        uint32_t i = (first + k) % N;
        while (trial[i].total < trial[i].guaranteed) {
            assert_true(pqr__budget_allows(trial, N, i, max_total));
            trial[i].total++;
        }
    }
}

static uint32_t sum(const struct pqr__budget_pool *pools)
{
    uint32_t total = 0;
    for (int i = 0; i < N; i++)
        total += pools[i].total;
    return total;
}

static void random_opens_and_closes_keep_every_part_within_reach(void **state)
{
    (void)state;
    struct pqr__random random;
    pqr__random_seed(&random, 5);
    for (int run = 0; run < 300; run++) {
        struct pqr__budget_pool pools[N] = {0};
        uint32_t parts = 0, refused = 0;
        for (int i = 0; i < N; i++) {
            pools[i].guaranteed = 2 + (uint32_t)pqr__random_below(&random, 3);
            pools[i].max = pools[i].guaranteed + (uint32_t)pqr__random_below(&random, 10);
            parts += pools[i].guaranteed;
        }
        uint32_t max_total = parts + (uint32_t)pqr__random_below(&random, 12), most = 0;
        for (int step = 0; step < 400; step++) {
            uint32_t i = (uint32_t)pqr__random_below(&random, N);
            bool allowed = pqr__budget_allows(pools, N, i, max_total);
            refused += !allowed;
            if (pools[i].total > 0 && pqr__random_below(&random, 5) == 0)
                pools[i].total--;
            else if (allowed)
                pools[i].total++;
            most = sum(pools) > most ? sum(pools) : most;
            assert_true(pools[i].total <= pools[i].max && sum(pools) <= max_total);
            check_reach(pools, max_total, &random);
        }
        assert_true(most >= parts); /* it is used, too */
        assert_true(refused > 0);
    }
}

/* Max-min fairness word for word: one connection after the other goes to the poorest of those who want more. */
static void share_out(const struct pqr__budget_pool *pools, uint32_t max_total, uint32_t *shares)
{
    uint32_t sum = 0;
    for (int i = 0; i < N; i++)
        sum += shares[i] = pools[i].guaranteed;
    for (; sum < max_total; sum++) {
        int poorest = -1;
        for (int i = 0; i < N; i++)
            if (shares[i] < pools[i].wanted && shares[i] < pools[i].max &&
                (poorest < 0 || shares[i] < shares[poorest]))
                poorest = i;
        if (poorest < 0)
            return;
        shares[poorest]++;
    }
}

static void random_pools(struct pqr__budget_pool *pools, struct pqr__random *random)
{
    for (int i = 0; i < N; i++) {
        uint32_t part = 2 + (uint32_t)pqr__random_below(random, 3);
        pools[i] = (struct pqr__budget_pool){.guaranteed = part,
            .max = part + (uint32_t)pqr__random_below(random, 30),
            .wanted = (uint32_t)pqr__random_below(random, 40),
            .total = 1 + (uint32_t)pqr__random_below(random, 10)};
        pools[i].idle = (uint32_t)pqr__random_below(random, pools[i].total + 1);
    }
}

static void shares_are_max_min_fair(void **state)
{
    (void)state;
    struct pqr__random random;
    pqr__random_seed(&random, 8);
    for (int run = 0; run < 3000; run++) {
        struct pqr__budget_pool pools[N];
        uint32_t shares[N], expected[N];
        random_pools(pools, &random);
        uint32_t max_total = 4 * N + (uint32_t)pqr__random_below(&random, 100);
        pqr__budget_share(pools, N, max_total, shares);
        share_out(pools, max_total, expected);
        for (int i = 0; i < N; i++)
            assert_int_equal(shares[i], expected[i]);
    }
}

static void the_rich_do_not_take_what_the_needy_are_short_of(void **state)
{
    (void)state;
    struct pqr__budget_pool pools[2] = {{.total = 12, .max = 20, .guaranteed = 3, .wanted = 20},
        {.total = 4, .max = 20, .guaranteed = 3, .wanted = 10}};
    assert_false(pqr__budget_allows(pools, 2, 0, 20)); /* room for four, all of which are the other's share */
    assert_true(pqr__budget_allows(pools, 2, 1, 20));
    pools[1].wanted = 4;
    assert_true(pqr__budget_allows(pools, 2, 0, 20));
}

static void an_idle_connection_goes_from_the_richest_to_the_needy(void **state)
{
    (void)state;
    struct pqr__budget_pool pools[3] = {{.total = 9, .max = 20, .guaranteed = 3, .wanted = 9, .idle = 0},
        {.total = 8, .max = 20, .guaranteed = 3, .wanted = 3, .idle = 5},
        {.total = 3, .max = 20, .guaranteed = 3, .wanted = 8, .idle = 0}};
    assert_false(pqr__budget_allows(pools, 3, 2, 20));
    assert_int_equal(pqr__budget_donor(pools, 3, 2, 20), 1);
    pools[1].idle = 0; /* what is in use is not taken away */
    assert_int_equal(pqr__budget_donor(pools, 3, 2, 20), UINT32_MAX);
    pools[1].idle = 5;
    pools[2].total = 8; /* it has its share */
    assert_int_equal(pqr__budget_donor(pools, 3, 2, 20), UINT32_MAX);
    assert_int_equal(pqr__budget_donor(pools, 3, 2, 0), UINT32_MAX);
}

static void a_donor_is_above_its_share_and_has_one_idle(void **state)
{
    (void)state;
    struct pqr__random random;
    unsigned donors = 0;
    pqr__random_seed(&random, 9);
    for (int run = 0; run < 5000; run++) {
        struct pqr__budget_pool pools[N];
        uint32_t shares[N], which = (uint32_t)pqr__random_below(&random, N);
        random_pools(pools, &random);
        uint32_t max_total = 4 * N + (uint32_t)pqr__random_below(&random, 30);
        uint32_t donor = pqr__budget_donor(pools, N, which, max_total);
        if (pools[which].wanted <= pools[which].total)
            pools[which].wanted = pools[which].total + 1;
        share_out(pools, max_total, shares);
        if (donor == UINT32_MAX)
            continue;
        donors++;
        assert_int_not_equal(donor, which);
        assert_true(pools[donor].idle > 0 && pools[donor].total > shares[donor]);
        assert_true(pools[which].total < shares[which]);
    }
    assert_true(donors > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pool_stops_at_its_own_limit),
        cmocka_unit_test(a_busy_pool_leaves_the_others_their_part),
        cmocka_unit_test(a_part_larger_than_the_pool_reserves_no_more_than_the_pool),
        cmocka_unit_test(the_limit_over_all_holds_even_when_the_parts_do_not_fit_into_it),
        cmocka_unit_test(random_opens_and_closes_keep_every_part_within_reach),
        cmocka_unit_test(shares_are_max_min_fair),
        cmocka_unit_test(the_rich_do_not_take_what_the_needy_are_short_of),
        cmocka_unit_test(an_idle_connection_goes_from_the_richest_to_the_needy),
        cmocka_unit_test(a_donor_is_above_its_share_and_has_one_idle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
