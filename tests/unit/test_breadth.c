/* Over how many connections requests are spread: what is learned of servers that do as a test says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/random.h"
#include "policy/breadth.h"

enum { TICK_US = 20000, USABLE = 8 };

struct bench {
    struct pqr__breadth breadth;
    struct pqr__random random;
    uint64_t now_us;
    uint32_t usable;
    double (*rate)(uint32_t connections); /* requests a tick */
    double noise;                         /* the rate of a tick is up to so much higher or lower */
};

static struct bench bench_of(double (*rate)(uint32_t connections), double noise)
{
    struct bench bench = {.rate = rate, .noise = noise, .usable = USABLE};
    pqr__breadth_init(&bench.breadth);
    pqr__random_seed(&bench.random, 7);
    return bench;
}

static uint32_t spread_now(const struct bench *bench)
{
    uint32_t limit = pqr__breadth_limit(&bench->breadth);
    return limit < bench->usable ? limit : bench->usable;
}

static void tick(struct bench *bench, bool behind)
{
    double luck = 1 + bench->noise * ((double)pqr__random_below(&bench->random, 2001) / 1000 - 1);
    struct pqr__breadth_sample sample = {.now_us = bench->now_us += TICK_US,
        .elapsed_us = TICK_US,
        .served = (uint64_t)(bench->rate(spread_now(bench)) * luck),
        .usable = bench->usable,
        .at_work = 0.9,
        .behind = behind};
    pqr__breadth_note(&bench->breadth, &sample);
}

/* So many ticks; the part of them in which it was spread over that many. */
static double part_over(struct bench *bench, uint32_t connections, unsigned ticks)
{
    unsigned found = 0;
    for (unsigned i = 0; i < ticks; i++) {
        tick(bench, true);
        found += spread_now(bench) == connections;
    }
    return (double)found / ticks;
}

/* No core to spare: each connection more costs a tenth. */
static double on_few_cores(uint32_t connections)
{
    return 1000.0 / (1 + 0.1 * (connections - 1));
}

/* As before, but one alone leaves the server idle while the client is at work. */
static double on_a_server_that_waits(uint32_t connections)
{
    return connections == 1 ? 500 : on_few_cores(connections);
}

static double on_six_cores(uint32_t connections)
{
    return connections <= 6 ? 300.0 * connections : 1800 * (1 - 0.1 * (connections - 6));
}

static double on_many_cores(uint32_t connections)
{
    return 300.0 * connections;
}

static double all_the_same(uint32_t connections)
{
    (void)connections;
    return 1000;
}

static double with_hardly_any_requests(uint32_t connections)
{
    return 16.0 / connections;
}

static void fewer_connections_where_they_serve_more(void **state)
{
    (void)state;
    for (unsigned i = 0; i <= 4; i++) {
        struct bench alone = bench_of(on_few_cores, 0.05 * i),
                     pair = bench_of(on_a_server_that_waits, 0.05 * i);
        part_over(&alone, 0, 300);
        assert_true(part_over(&alone, 1, 500) > 0.9);
        part_over(&pair, 0, 300);
        assert_true(part_over(&pair, 2, 500) > 0.9);
        struct bench six = bench_of(on_six_cores, 0.05 * i);
        part_over(&six, 0, 1500);
        assert_true(part_over(&six, 6, 1000) > 0.9);
    }
}

static void all_of_them_where_more_serve_more(void **state)
{
    (void)state;
    struct bench bench = bench_of(on_many_cores, 0.2);
    assert_true(part_over(&bench, USABLE, 500) > 0.9);
}

/* More connections are the safer side: they are given up for a gain alone. */
static void all_of_them_where_it_is_all_the_same(void **state)
{
    (void)state;
    struct bench bench = bench_of(all_the_same, 0);
    assert_true(part_over(&bench, USABLE, 500) > 0.9);
}

static void another_load_is_learned_anew(void **state)
{
    (void)state;
    struct bench bench = bench_of(on_few_cores, 0.1);
    part_over(&bench, 0, 300);
    assert_int_equal(bench.breadth.limit, 1);
    bench.rate = on_many_cores;
    part_over(&bench, 0, 4000);
    assert_true(part_over(&bench, USABLE, 500) > 0.9);
}

static void in_calm_every_connection_may_be_used(void **state)
{
    (void)state;
    struct bench bench = bench_of(on_few_cores, 0);
    part_over(&bench, 0, 300);
    assert_int_equal(pqr__breadth_limit(&bench.breadth), 1);
    for (unsigned i = 0; i < 4; i++)
        tick(&bench, false);
    assert_true(pqr__breadth_limit(&bench.breadth) == UINT32_MAX);
    for (unsigned i = 0; i < 4; i++) /* it has not been forgotten */
        tick(&bench, true);
    assert_int_equal(pqr__breadth_limit(&bench.breadth), 1);
}

static void few_requests_teach_nothing(void **state)
{
    (void)state;
    struct bench bench = bench_of(with_hardly_any_requests, 0);
    part_over(&bench, 0, 3000);
    assert_true(bench.breadth.limit == UINT32_MAX);
}

static void a_trial_ends_when_connections_come_or_go(void **state)
{
    (void)state;
    struct bench bench = bench_of(on_few_cores, 0);
    for (unsigned i = 0; i < 1000 && bench.breadth.trial == 0; i++)
        tick(&bench, true);
    assert_int_equal(bench.breadth.trial, 4);
    bench.usable = 5;
    tick(&bench, true);
    assert_int_not_equal(bench.breadth.trial, 4);
    bench.usable = 1;
    part_over(&bench, 0, 1000);
    assert_int_equal(bench.breadth.trial, 0);
    assert_true(pqr__breadth_limit(&bench.breadth) >= 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fewer_connections_where_they_serve_more),
        cmocka_unit_test(all_of_them_where_more_serve_more),
        cmocka_unit_test(all_of_them_where_it_is_all_the_same),
        cmocka_unit_test(another_load_is_learned_anew),
        cmocka_unit_test(in_calm_every_connection_may_be_used),
        cmocka_unit_test(few_requests_teach_nothing),
        cmocka_unit_test(a_trial_ends_when_connections_come_or_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
