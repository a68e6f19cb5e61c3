/* Both strategies, by what they promise over many turns. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "policy/balancer.h"

static struct pqr__random random_source;

static struct pqr__balancer make(enum pqr__balance strategy, uint64_t seed)
{
    struct pqr__balancer balancer;
    pqr__random_seed(&random_source, seed);
    pqr__balancer_init(&balancer, strategy, &random_source);
    return balancer;
}

static void one_candidate_is_picked_without_a_draw(void **state)
{
    (void)state;
    struct pqr__candidate only = {.server = 63, .outstanding = 9, .weight = 1};
    for (int strategy = 0; strategy < 2; strategy++) {
        struct pqr__balancer balancer = make((enum pqr__balance)strategy, 1), before = balancer;
        struct pqr__random drawn = random_source;
        assert_int_equal(pqr__balancer_pick(&balancer, &only, 1), 0);
        assert_memory_equal(&random_source, &drawn, sizeof(drawn));
        assert_memory_equal(balancer.credit, before.credit, sizeof(before.credit));
    }
}

static void round_robin_spreads_the_turns_of_a_heavy_server(void **state)
{
    (void)state;
    struct pqr__balancer balancer = make(PQR__BALANCE_ROUND_ROBIN, 1);
    const struct pqr__candidate candidates[] = {
        {.server = 0, .weight = 5}, {.server = 1, .weight = 1}, {.server = 2, .weight = 1}};
    static const uint32_t turns[] = {0, 0, 1, 0, 2, 0, 0};
    for (int i = 0; i < 70; i++)
        assert_int_equal(pqr__balancer_pick(&balancer, candidates, 3), turns[i % 7]);
}

static void round_robin_gives_each_its_share_at_every_moment(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct pqr__balancer balancer = make(PQR__BALANCE_ROUND_ROBIN, seed);
        struct pqr__candidate candidates[8] = {0};
        int64_t picked[8] = {0}, total = 0;
        uint32_t n = 2 + (uint32_t)pqr__random_below(&random_source, 7);
        for (uint32_t i = 0; i < n; i++) {
            candidates[i].server = 63 - i;
            candidates[i].weight = 1 + (uint32_t)pqr__random_below(&random_source, 1000);
            total += candidates[i].weight;
        }
        for (int64_t turn = 1; turn <= 3000; turn++) {
            picked[pqr__balancer_pick(&balancer, candidates, n)]++;
            for (uint32_t i = 0; i < n; i++) /* never as much as two turns off */
                assert_true(llabs(picked[i] * total - turn * candidates[i].weight) < 2 * total);
        }
    }
}

static void round_robin_gives_a_server_that_returns_no_burst(void **state)
{
    (void)state;
    struct pqr__balancer balancer = make(PQR__BALANCE_ROUND_ROBIN, 1);
    const struct pqr__candidate candidates[] = {
        {.server = 4, .weight = 100}, {.server = 5, .weight = 100}, {.server = 6, .weight = 100}};
    for (int i = 0; i < 100; i++)
        (void)pqr__balancer_pick(&balancer, candidates, 3);
    for (int i = 0; i < 10000; i++)
        (void)pqr__balancer_pick(&balancer, candidates, 2);
    int picked[3] = {0};
    for (int i = 0; i < 30; i++)
        picked[pqr__balancer_pick(&balancer, candidates, 3)]++;
    for (int i = 0; i < 3; i++)
        assert_in_range(picked[i], 9, 11);
}

static void fewer_outstanding_for_its_weight_wins_between_two(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 2000; seed++) {
        struct pqr__balancer balancer = make(PQR__BALANCE_LEAST_OUTSTANDING, seed);
        struct pqr__candidate pair[2];
        for (uint32_t i = 0; i < 2; i++) {
            pair[i].server = i;
            pair[i].outstanding = (uint32_t)pqr__random_below(&random_source, 50);
            pair[i].weight = 1 + (uint32_t)pqr__random_below(&random_source, 1000);
        }
        double load[2] = {
            pair[0].outstanding / (double)pair[0].weight, pair[1].outstanding / (double)pair[1].weight};
        uint32_t picked = pqr__balancer_pick(&balancer, pair, 2);
        assert_true(load[picked] <= load[1 - picked] + 1e-12);
    }
}

static void the_most_loaded_of_many_is_never_picked(void **state)
{
    (void)state;
    struct pqr__balancer balancer = make(PQR__BALANCE_LEAST_OUTSTANDING, 3);
    const struct pqr__candidate candidates[] = {{.server = 0, .outstanding = 2, .weight = 1000},
        {.server = 1, .outstanding = 4294968, .weight = 1000}, {.server = 2, .outstanding = 5, .weight = 1}};
    int picked[3] = {0};
    for (int i = 0; i < 3000; i++)
        picked[pqr__balancer_pick(&balancer, candidates, 3)]++;
    assert_int_equal(picked[1], 0); /* 4294968 x 1000 is 704 in 32 bits */
    assert_true(picked[0] > 0 && picked[2] > 0);
}

static void idle_servers_are_picked_by_weight(void **state)
{
    (void)state;
    struct pqr__balancer balancer = make(PQR__BALANCE_LEAST_OUTSTANDING, 4);
    const struct pqr__candidate candidates[] = {
        {.server = 0, .weight = 100}, {.server = 1, .weight = 300}, {.server = 2, .weight = 600}};
    int picked[3] = {0};
    for (int i = 0; i < 100000; i++)
        picked[pqr__balancer_pick(&balancer, candidates, 3)]++;
    assert_in_range(picked[0], 9500, 10500);
    assert_in_range(picked[1], 29000, 31000);
    assert_in_range(picked[2], 59000, 61000);
}

static void two_choices_keep_the_loads_together(void **state)
{
    (void)state;
    struct pqr__balancer balancer = make(PQR__BALANCE_LEAST_OUTSTANDING, 5);
    struct pqr__candidate candidates[16];
    for (uint32_t i = 0; i < 16; i++)
        candidates[i] = (struct pqr__candidate){.server = i, .weight = i < 8 ? 100 : 200};
    for (int i = 0; i < 24000; i++)
        candidates[pqr__balancer_pick(&balancer, candidates, 16)].outstanding++;
    /* One random choice alone would be off by some 100 here. */
    for (uint32_t i = 0; i < 16; i++)
        assert_in_range(candidates[i].outstanding, i < 8 ? 990 : 1990, i < 8 ? 1010 : 2010);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_candidate_is_picked_without_a_draw),
        cmocka_unit_test(round_robin_spreads_the_turns_of_a_heavy_server),
        cmocka_unit_test(round_robin_gives_each_its_share_at_every_moment),
        cmocka_unit_test(round_robin_gives_a_server_that_returns_no_burst),
        cmocka_unit_test(fewer_outstanding_for_its_weight_wins_between_two),
        cmocka_unit_test(the_most_loaded_of_many_is_never_picked),
        cmocka_unit_test(idle_servers_are_picked_by_weight),
        cmocka_unit_test(two_choices_keep_the_loads_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
