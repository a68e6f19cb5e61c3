/* Each strategy, by what it promises over many turns. */
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
    for (int strategy = 0; strategy < 4; strategy++) {
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

/* As their weights are. */
static void assert_picked_1_3_6(struct pqr__balancer *balancer, const struct pqr__candidate candidates[3])
{
    int picked[3] = {0};
    for (int i = 0; i < 100000; i++)
        picked[pqr__balancer_pick(balancer, candidates, 3)]++;
    assert_in_range(picked[0], 9500, 10500);
    assert_in_range(picked[1], 29000, 31000);
    assert_in_range(picked[2], 59000, 61000);
}

static void idle_servers_are_picked_by_weight(void **state)
{
    (void)state;
    struct pqr__balancer balancer = make(PQR__BALANCE_LEAST_OUTSTANDING, 4);
    const struct pqr__candidate candidates[] = {
        {.server = 0, .weight = 100}, {.server = 1, .weight = 300}, {.server = 2, .weight = 600}};
    assert_picked_1_3_6(&balancer, candidates);
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

static void random_follows_the_weights_and_nothing_else(void **state)
{
    (void)state;
    struct pqr__balancer balancer = make(PQR__BALANCE_RANDOM, 6);
    const struct pqr__candidate candidates[] = {{.server = 0, .outstanding = 1000, .weight = 100},
        {.server = 1, .latency_us = 1000000, .weight = 300}, {.server = 2, .weight = 600}};
    assert_picked_1_3_6(&balancer, candidates);
}

static void ewma_takes_the_one_of_two_that_would_answer_sooner(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 2000; seed++) {
        struct pqr__balancer balancer = make(PQR__BALANCE_EWMA, seed);
        struct pqr__candidate pair[2];
        double cost[2];
        for (uint32_t i = 0; i < 2; i++) {
            pair[i].server = i;
            pair[i].outstanding = (uint32_t)pqr__random_below(&random_source, 50);
            pair[i].weight = PQR__RAMP_FULL * (1 + (uint32_t)pqr__random_below(&random_source, 1000));
            pair[i].latency_us = 1 + pqr__random_below(&random_source, 1000000000);
        }
        double ratio = (double)pair[0].latency_us / (double)pair[1].latency_us;
        bool alike = ratio <= 1.25 && ratio >= 0.8; /* that much is chance */
        double full = pair[0].weight > pair[1].weight ? pair[0].weight : pair[1].weight;
        for (uint32_t i = 0; i < 2; i++)
            cost[i] = alike ? pair[i].outstanding / (double)pair[i].weight
                            : (double)pair[i].latency_us * (pair[i].outstanding * full / pair[i].weight + 1);
        uint32_t picked = pqr__balancer_pick(&balancer, pair, 2);
        assert_true(cost[picked] <= cost[1 - picked] * (1 + 1e-12));
    }
}

static void ewma_tries_a_server_of_which_it_knows_nothing(void **state)
{
    (void)state;
    struct pqr__balancer balancer = make(PQR__BALANCE_EWMA, 1);
    struct pqr__candidate pair[] = {{.server = 0, .outstanding = 1, .weight = 100, .latency_us = 5000000},
        {.server = 1, .outstanding = 0, .weight = 100}};
    assert_int_equal(pqr__balancer_pick(&balancer, pair, 2), 1);
    pair[1].outstanding = 2; /* but it is no reason to give it everything */
    assert_int_equal(pqr__balancer_pick(&balancer, pair, 2), 0);
}

/* As at a slow start, or with one request at a time. */
static void ewma_lets_idle_servers_share_by_weight(void **state)
{
    (void)state;
    struct pqr__balancer balancer = make(PQR__BALANCE_EWMA, 9);
    struct pqr__candidate pair[] = {
        {.server = 0, .weight = 100}, {.server = 1, .weight = 900, .latency_us = 500}};
    for (uint64_t latency_us = 0; latency_us <= 600; latency_us += 600) {
        int picked[2] = {0};
        pair[0].latency_us = latency_us;
        for (int i = 0; i < 100000; i++)
            picked[pqr__balancer_pick(&balancer, pair, 2)]++;
        assert_in_range(picked[0], 9500, 10500);
    }
}

static void ewma_gives_a_slow_server_little_and_not_nothing(void **state)
{
    (void)state;
    struct pqr__balancer balancer = make(PQR__BALANCE_EWMA, 8);
    struct pqr__candidate candidates[8];
    for (uint32_t i = 0; i < 8; i++)
        candidates[i] =
            (struct pqr__candidate){.server = i, .weight = 100, .latency_us = i == 3 ? 10000 : 1000};
    for (int i = 0; i < 8000; i++)
        candidates[pqr__balancer_pick(&balancer, candidates, 8)].outstanding++;
    assert_in_range(candidates[3].outstanding, 50, 200); /* 8000 / 71, and chance */
}

static void a_returning_server_begins_with_a_tenth_and_ends_with_all(void **state)
{
    (void)state;
    uint32_t last = 0;
    assert_int_equal(pqr__balancer_ramp(100, 5000000, 5000000, 10000000), 100 * PQR__RAMP_FULL / 10);
    for (uint64_t now_us = 5000000; now_us < 16000000; now_us += 100000) {
        uint32_t weight = pqr__balancer_ramp(100, 5000000, now_us, 10000000);
        assert_true(weight >= last);
        last = weight;
    }
    assert_int_equal(last, 100 * PQR__RAMP_FULL);
    assert_int_equal(pqr__balancer_ramp(100, 5000000, 10000000, 10000000), 100 * PQR__RAMP_FULL / 2);
    assert_int_equal(pqr__balancer_ramp(7, 5000000, 5000000, 0), 7 * PQR__RAMP_FULL); /* no slow start */
    assert_true(pqr__balancer_ramp(1, 5000000, 4000000, 10000000) >= 1); /* a clock that went back */
}

static void servers_nearby_come_first_and_the_others_when_they_have_no_room(void **state)
{
    (void)state;
    struct pqr__candidate candidates[] = {
        {.server = 4}, {.server = 5, .near = true}, {.server = 6}, {.server = 7, .near = true}};
    struct pqr__candidate far[] = {{.server = 4}, {.server = 6}};
    assert_int_equal(pqr__balancer_near(candidates, 4), 2);
    assert_int_equal(candidates[0].server, 5);
    assert_int_equal(candidates[1].server, 7);
    assert_int_equal(pqr__balancer_near(far, 2), 2);
    assert_int_equal(far[0].server, 4);
    assert_int_equal(far[1].server, 6);
}

static void another_strategy_and_another_server_begin_without_the_old_credit(void **state)
{
    (void)state;
    struct pqr__balancer balancer = make(PQR__BALANCE_ROUND_ROBIN, 1);
    const struct pqr__candidate pair[] = {{.server = 0, .weight = 1}, {.server = 1, .weight = 1}};
    assert_int_equal(pqr__balancer_pick(&balancer, pair, 2), 0);
    pqr__balancer_forget(&balancer, 0);
    pqr__balancer_forget(&balancer, 1);
    assert_int_equal(pqr__balancer_pick(&balancer, pair, 2), 0);
    pqr__balancer_use(&balancer, PQR__BALANCE_LEAST_OUTSTANDING);
    assert_string_equal(balancer.ops->name, "least_outstanding");
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
        cmocka_unit_test(random_follows_the_weights_and_nothing_else),
        cmocka_unit_test(ewma_takes_the_one_of_two_that_would_answer_sooner),
        cmocka_unit_test(ewma_tries_a_server_of_which_it_knows_nothing),
        cmocka_unit_test(ewma_lets_idle_servers_share_by_weight),
        cmocka_unit_test(ewma_gives_a_slow_server_little_and_not_nothing),
        cmocka_unit_test(a_returning_server_begins_with_a_tenth_and_ends_with_all),
        cmocka_unit_test(servers_nearby_come_first_and_the_others_when_they_have_no_room),
        cmocka_unit_test(another_strategy_and_another_server_begin_without_the_old_credit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
