/* The size follows the load: at once upwards, with the window's consent downwards, and calmly. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <math.h>

#include "base/random.h"
#include "policy/resizer.h"

enum { TICK_US = 20000, S = 1000000, WINDOW_US = 8 * S };

static double even(struct pqr__random *random)
{
    return (double)pqr__random_below(random, 1000000) / 1e6;
}

/* How many of a Poisson process of this rate fall into a tick. */
static uint64_t poisson(struct pqr__random *random, double mean)
{
    uint64_t n = 0;
    for (double left = exp(-mean), product = even(random); product > left; product *= even(random))
        n++;
    return n;
}

/* A pool that is large enough: everything that arrives is started, `service_us` each. */
static struct pqr__load_sample steady(uint64_t now_us, uint64_t arrived, uint64_t service_us)
{
    uint64_t busy_us = arrived * service_us;
    return (struct pqr__load_sample){.now_us = now_us,
        .started = arrived,
        .served = arrived,
        .busy_us = busy_us,
        .peak = (uint32_t)(busy_us / TICK_US)};
}

static void wanted_is_the_load_over_the_utilisation(void **state)
{
    (void)state;
    struct pqr__resizer resizer;
    pqr__resizer_init(&resizer, WINDOW_US, 70, 0);
    assert_int_equal(resizer.wanted, 0);
    assert_int_equal(resizer.reason, PQR__WANTED_START);
    for (uint64_t now_us = TICK_US; now_us < 10 * S; now_us += TICK_US) {
        struct pqr__load_sample sample = steady(now_us, 20, 7000); /* 1000/s x 7 ms = 7 connections */
        pqr__resizer_note(&resizer, &sample);
    }
    assert_int_equal((int)pqr__resizer_service_us(&resizer), 7000);
    assert_in_range(resizer.wanted, 10, 11);
    assert_int_equal(resizer.reason, PQR__WANTED_LOAD);
}

static void requests_that_wait_have_arrived(void **state)
{
    (void)state;
    struct pqr__resizer resizer;
    pqr__resizer_init(&resizer, WINDOW_US, 100, 0);
    uint32_t waiting = 0;
    for (uint64_t now_us = TICK_US; now_us < 10 * S; now_us += TICK_US) {
        struct pqr__load_sample sample = steady(now_us, 10, 8000); /* 4 connections, used up */
        sample.waiting = waiting += 10;                            /* as many again find none */
        pqr__resizer_note(&resizer, &sample);
    }
    assert_in_range(resizer.wanted, 8, 9);
}

/* The window's peak by remembering everything. */
static void wanted_is_never_below_the_windows_peak(void **state)
{
    (void)state;
    enum { N = 3000 };
    static uint32_t peaks[N];
    struct pqr__random random;
    pqr__random_seed(&random, 11);
    for (int run = 0; run < 20; run++) {
        struct pqr__resizer resizer;
        uint64_t window_us = (1 + pqr__random_below(&random, 20)) * S;
        uint32_t ticks = (uint32_t)(window_us / TICK_US);
        pqr__resizer_init(&resizer, window_us, 70, 0);
        for (uint32_t i = 0; i < N; i++) {
            peaks[i] = pqr__random_below(&random, 100) == 0 ? (uint32_t)pqr__random_below(&random, 60) : 1;
            struct pqr__load_sample sample = {.now_us = (i + 1) * UINT64_C(20000), .peak = peaks[i]};
            pqr__resizer_note(&resizer, &sample);
            uint32_t sure = 0, longest = 0;
            for (uint32_t back = 0; back <= i && back <= ticks; back++) {
                if (back < ticks * 15 / 16 && peaks[i - back] > sure)
                    sure = peaks[i - back];
                longest = peaks[i - back] > longest ? peaks[i - back] : longest;
            }
            assert_in_range(resizer.wanted, sure, longest);
        }
    }
}

/* A pool as a router has it: grown at once, shrunk when the resizer says so. */
struct pool {
    struct pqr__resizer resizer;
    uint32_t open, most, turns, changes, lacked;
    int direction;
};

static void turned(struct pool *pool, int direction)
{
    pool->turns += pool->direction != 0 && pool->direction != direction;
    pool->direction = direction;
    pool->changes++;
}

static void pool_step(struct pool *pool, uint64_t now_us, uint64_t arrived, uint64_t service_us)
{
    struct pqr__load_sample sample = steady(now_us, arrived, service_us);
    pool->lacked += sample.peak > pool->open;
    pqr__resizer_note(&pool->resizer, &sample);
    if (pool->resizer.wanted > pool->open) {
        pool->open = pool->resizer.wanted;
        turned(pool, 1);
    } else if (pqr__resizer_shrinks(&pool->resizer, pool->open, 2, 1000, now_us)) {
        pool->open--;
        turned(pool, -1);
    }
    pool->most = pool->open > pool->most ? pool->open : pool->most;
}

static void on_a_sine_it_turns_twice_a_period_at_most(void **state)
{
    (void)state;
    const double period_us = 60e6, pi = acos(-1);
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct pqr__random random;
        struct pool pool = {.open = 2};
        pqr__random_seed(&random, seed);
        pqr__resizer_init(&pool.resizer, WINDOW_US, 70, 0);
        for (uint64_t now_us = TICK_US; now_us < 6 * 60 * (uint64_t)S; now_us += TICK_US) {
            double rate = 2000 * (1.1 - cos(2 * pi * (double)now_us / period_us)) / 2;
            pool_step(&pool, now_us, poisson(&random, rate * TICK_US / 1e6), 10000);
        }
        assert_in_range(pool.turns, 6, 18); /* it follows; noise on top of the wave may add one each way */
        assert_in_range(pool.most, 20, 60);
    }
}

static void a_sine_shorter_than_the_window_changes_nothing(void **state)
{
    (void)state;
    struct pool pool = {.open = 2};
    pqr__resizer_init(&pool.resizer, WINDOW_US, 70, 0);
    uint32_t changes = 0;
    for (uint64_t now_us = TICK_US; now_us < 100 * (uint64_t)S; now_us += TICK_US) {
        double rate = 1000 * (1.1 - cos(2 * acos(-1) * (double)now_us / 4e6)) / 2;
        pool_step(&pool, now_us, (uint64_t)(rate * TICK_US / 1e6), 10000);
        if (now_us <= 20 * (uint64_t)S)
            changes = pool.changes;
    }
    assert_int_equal(pool.changes, changes);
}

static void surplus_goes_one_by_one_within_about_a_window(void **state)
{
    (void)state;
    struct pqr__resizer resizer;
    uint64_t now_us = 0, gone_us = 0;
    uint32_t open = 40;
    pqr__resizer_init(&resizer, WINDOW_US, 70, 0);
    struct pqr__load_sample sample = {.now_us = TICK_US, .peak = 40};
    pqr__resizer_note(&resizer, &sample);
    for (now_us = 2 * TICK_US; now_us < 30 * (uint64_t)S; now_us += TICK_US) {
        sample = (struct pqr__load_sample){.now_us = now_us, .peak = 4};
        pqr__resizer_note(&resizer, &sample);
        if (!pqr__resizer_shrinks(&resizer, open, 2, 1000, now_us))
            continue;
        assert_true(now_us >= WINDOW_US * 15 / 16); /* not before the whole window agrees */
        open--;
        gone_us = now_us;
    }
    assert_int_equal(open, 5); /* what the window wants, and the slack */
    assert_true(gone_us <= WINDOW_US + 2 * WINDOW_US);
}

static void it_shrinks_to_the_floor_and_not_below(void **state)
{
    (void)state;
    struct pqr__resizer resizer;
    uint32_t open = 9;
    pqr__resizer_init(&resizer, WINDOW_US, 70, 0);
    for (uint64_t now_us = TICK_US; now_us < 100 * (uint64_t)S; now_us += TICK_US)
        open -= pqr__resizer_shrinks(&resizer, open, 3, 1000, now_us);
    assert_int_equal(open, 3);
}

static void more_than_the_cap_is_surplus_whatever_is_wanted(void **state)
{
    (void)state;
    struct pqr__resizer resizer;
    uint32_t open = 60;
    pqr__resizer_init(&resizer, WINDOW_US, 70, 0);
    for (uint64_t now_us = TICK_US; now_us < 100 * (uint64_t)S; now_us += TICK_US) {
        struct pqr__load_sample sample = {.now_us = now_us, .peak = 60};
        pqr__resizer_note(&resizer, &sample);
        open -= pqr__resizer_shrinks(&resizer, open, 2, 16, now_us);
    }
    assert_int_equal(open, 19); /* and the slack */
}

static void waiters_get_connections_when_nothing_is_known(void **state)
{
    (void)state;
    struct pqr__demand demand = {.waiting = 7, .in_use = 3};
    assert_int_equal(pqr__resizer_connects(&demand), 7);
    demand = (struct pqr__demand){.waiting = 7, .in_use = 0, .service_us = 10, .connect_us = 1000};
    assert_int_equal(pqr__resizer_connects(&demand), 7);
    demand.waiting = 0;
    assert_int_equal(pqr__resizer_connects(&demand), 0);
}

static void a_connection_about_to_be_free_is_preferred(void **state)
{
    (void)state;
    /* 4 connections serve 40 in the 10 ms of a connect: 30 waiters are gone by then, and 100 soon after, not 400. */
    struct pqr__demand demand = {.waiting = 30, .in_use = 4, .service_us = 1000, .connect_us = 10000};
    assert_int_equal(pqr__resizer_connects(&demand), 0);
    demand.waiting = 100;
    assert_int_equal(pqr__resizer_connects(&demand), 0);
    demand.waiting = 400;
    assert_in_range(pqr__resizer_connects(&demand), 1, 10);
    demand.waiting = 30;
    demand.arrivals = 10000; /* ten more a millisecond: they will not be gone */
    assert_in_range(pqr__resizer_connects(&demand), 6, 30);
}

/* As many more as it takes for both, what goes on arriving and the queue. */
static void connects_make_up_what_those_in_use_lack(void **state)
{
    (void)state;
    /* 3 connections at 2000/s, 4 ms each: 8 are needed to keep up. */
    struct pqr__demand demand = {
        .waiting = 40, .in_use = 3, .arrivals = 2000, .service_us = 4000, .connect_us = 10000};
    assert_in_range(pqr__resizer_connects(&demand), 5, 12);
    demand.in_use =
        14; /* 40 and 20 more, of which 35 go meanwhile; then 15 a connect's time more than come */
    assert_int_equal(pqr__resizer_connects(&demand), 0);
}

static void a_rush_is_met_before_anybody_waits(void **state)
{
    (void)state;
    /* 5 of 6 are taken, and 8 will be if 1500 a second are what comes. */
    struct pqr__demand demand = {
        .in_use = 5, .idle = 1, .arrivals = 500, .likely = 1500, .service_us = 5000, .connect_us = 15000};
    assert_int_equal(pqr__resizer_connects(&demand), 2);
    demand.idle = 2; /* there is room yet */
    assert_int_equal(pqr__resizer_connects(&demand), 0);
    demand.idle = 1;
    demand.likely = 1100; /* those that are there do */
    assert_int_equal(pqr__resizer_connects(&demand), 0);
    demand.likely = 1500;
    demand.service_us = 0; /* nothing is known */
    assert_int_equal(pqr__resizer_connects(&demand), 0);
}

static void what_is_likely_does_not_lengthen_a_queue(void **state)
{
    (void)state;
    /* 9 in use keep up with what is sure and take the queue in; a connect would be work in their way. */
    struct pqr__demand demand = {
        .in_use = 9, .arrivals = 1400, .likely = 2200, .service_us = 5000, .connect_us = 15000, .waiting = 9};
    assert_int_equal(pqr__resizer_connects(&demand), 3);
    demand.waiting = 14;
    assert_int_equal(pqr__resizer_connects(&demand), 0);
}

/* What is left after a time, step by step: connections that end evenly spread. */
static bool some_are_left(const struct pqr__demand *demand, double after_us)
{
    double waiting = demand->waiting, step_us = after_us / 1000;
    for (int i = 0; i < 1000; i++)
        waiting += step_us * (demand->arrivals / 1e6 - demand->in_use / demand->service_us);
    return waiting > 1e-6;
}

static double soon_after_the_connect(const struct pqr__demand *demand)
{
    double connect_us = (double)demand->connect_us, service_us = demand->service_us;
    return connect_us + (4 * connect_us > 2 * service_us ? 4 * connect_us : 2 * service_us);
}

static void it_connects_exactly_when_the_demand_outlives_the_connect_for_long(void **state)
{
    (void)state;
    struct pqr__random random;
    unsigned no = 0, yes = 0;
    pqr__random_seed(&random, 3);
    for (int i = 0; i < 20000; i++) {
        struct pqr__demand demand = {.waiting = 1 + (uint32_t)pqr__random_below(&random, 200),
            .in_use = 1 + (uint32_t)pqr__random_below(&random, 50),
            .arrivals = (double)pqr__random_below(&random, 20000),
            .service_us = 100 + (double)pqr__random_below(&random, 50000),
            .connect_us = 1000 + pqr__random_below(&random, 50000)};
        uint32_t connects = pqr__resizer_connects(&demand);
        assert_int_equal(connects > 0, some_are_left(&demand, (double)demand.connect_us) &&
                                           some_are_left(&demand, soon_after_the_connect(&demand)));
        assert_true(connects <= demand.waiting);
        no += connects == 0;
        yes += connects > 0;
    }
    assert_true(no > 500 && yes > 500);
}

static void each_reason_has_its_text(void **state)
{
    (void)state;
    for (int reason = 0; reason < PQR__WANTED_REASONS; reason++)
        assert_true(pqr__wanted_text((enum pqr__wanted_reason)reason)[0] != '\0');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wanted_is_the_load_over_the_utilisation),
        cmocka_unit_test(requests_that_wait_have_arrived),
        cmocka_unit_test(wanted_is_never_below_the_windows_peak),
        cmocka_unit_test(on_a_sine_it_turns_twice_a_period_at_most),
        cmocka_unit_test(a_sine_shorter_than_the_window_changes_nothing),
        cmocka_unit_test(surplus_goes_one_by_one_within_about_a_window),
        cmocka_unit_test(it_shrinks_to_the_floor_and_not_below),
        cmocka_unit_test(more_than_the_cap_is_surplus_whatever_is_wanted),
        cmocka_unit_test(waiters_get_connections_when_nothing_is_known),
        cmocka_unit_test(a_connection_about_to_be_free_is_preferred),
        cmocka_unit_test(connects_make_up_what_those_in_use_lack),
        cmocka_unit_test(a_rush_is_met_before_anybody_waits),
        cmocka_unit_test(what_is_likely_does_not_lengthen_a_queue),
        cmocka_unit_test(it_connects_exactly_when_the_demand_outlives_the_connect_for_long),
        cmocka_unit_test(each_reason_has_its_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
