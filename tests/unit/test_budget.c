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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pool_stops_at_its_own_limit),
        cmocka_unit_test(a_busy_pool_leaves_the_others_their_part),
        cmocka_unit_test(a_part_larger_than_the_pool_reserves_no_more_than_the_pool),
        cmocka_unit_test(the_limit_over_all_holds_even_when_the_parts_do_not_fit_into_it),
        cmocka_unit_test(random_opens_and_closes_keep_every_part_within_reach),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
