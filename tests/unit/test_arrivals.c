/* A rise of the rate shows at once, and chance does not show as one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <math.h>

#include "base/random.h"
#include "policy/arrivals.h"

enum { S = 1000000, LEAST_US = 10000 };

/* A Poisson process. */
struct source {
    struct pqr__random random;
    struct pqr__arrivals arrivals;
    double now_us;
};

static void come(struct source *source, double rate)
{
    double even = ((double)pqr__random_below(&source->random, S) + 0.5) / S;
    source->now_us -= log(even) / rate * 1e6;
    pqr__arrivals_note(&source->arrivals, (uint64_t)source->now_us);
}

static double rate_of(const struct source *source)
{
    return pqr__arrivals_rate(&source->arrivals, 2, (uint64_t)source->now_us, LEAST_US);
}

static void too_few_tell_nothing(void **state)
{
    struct source source = {.now_us = S};
    (void)state;
    pqr__random_seed(&source.random, 1);
    for (int i = 0; i < 7; i++) {
        come(&source, 100);
        assert_true(rate_of(&source) <= 0);
    }
    come(&source, 100);
    assert_true(rate_of(&source) > 0);
}

enum { STEADY = 20000 };

/* Of a thousand a second that come for long: what is told of them, and how many times it is more. */
static double tell_steady(double errors, unsigned *above)
{
    struct source source = {.now_us = S};
    double sum = 0;
    *above = 0;
    pqr__random_seed(&source.random, 2);
    for (int i = 0; i < STEADY; i++) {
        come(&source, 1000);
        double told = pqr__arrivals_rate(&source.arrivals, errors, (uint64_t)source.now_us, LEAST_US);
        sum += told;
        *above += told > 1000;
    }
    return sum / STEADY;
}

static void a_steady_rate_is_told_and_seldom_exceeded(void **state)
{
    unsigned above;
    (void)state;
    double told = tell_steady(2, &above);
    assert_true(told > 750 && told < 950);
    assert_true(above < STEADY / 10);
}

static void ten_times_the_rate_shows_within_fifteen_milliseconds(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 100; seed++) {
        struct source source = {.now_us = S};
        pqr__random_seed(&source.random, seed);
        for (int i = 0; i < 200; i++)
            come(&source, 200);
        double risen_us = source.now_us;
        while (source.now_us < risen_us + 15000)
            come(&source, 2000);
        assert_true(rate_of(&source) > 400);
    }
}

static void fewer_errors_tell_more_and_are_wrong_more_often(void **state)
{
    unsigned above;
    (void)state;
    double told = tell_steady(0.6, &above);
    assert_true(told > 950 && told < 1200);
    assert_true(above > STEADY / 4 && above < 3 * STEADY / 4);
}

static void a_high_rate_is_told_as_well(void **state)
{
    static const double rates[] = {5000, 20000, 100000};
    (void)state;
    for (size_t i = 0; i < sizeof(rates) / sizeof(*rates); i++) {
        struct source source = {.now_us = S};
        pqr__random_seed(&source.random, i);
        for (int n = 0; n < 20000; n++)
            come(&source, rates[i]);
        double told = pqr__arrivals_rate(&source.arrivals, 2, (uint64_t)source.now_us, 50000);
        assert_true(told > 0.6 * rates[i] && told < rates[i]);
    }
}

static void a_rate_that_is_over_is_forgotten(void **state)
{
    struct source source = {.now_us = S};
    (void)state;
    pqr__random_seed(&source.random, 3);
    for (int i = 0; i < 1000; i++)
        come(&source, 1000);
    source.now_us += S;
    assert_true(rate_of(&source) < 120);
}

/* A hundred at once, now and then: no more than their number, and that only when there were some such moments. */
static void a_burst_is_no_rate(void **state)
{
    struct source source = {.now_us = S};
    (void)state;
    for (int burst = 0; burst < 20; burst++, source.now_us += S / 10) {
        for (int i = 0; i < 100; i++)
            pqr__arrivals_note(&source.arrivals, (uint64_t)source.now_us);
        assert_true(rate_of(&source) <= 1000);
    }
}

static void what_comes_within_less_than_it_is_asked_for_is_spread_over_that(void **state)
{
    struct source source = {.now_us = S};
    (void)state;
    for (int i = 0; i < 8; i++, source.now_us += PQR__ARRIVALS_MOMENT_US)
        pqr__arrivals_note(&source.arrivals, (uint64_t)source.now_us);
    assert_true(rate_of(&source) > 200 && rate_of(&source) <= 800);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(too_few_tell_nothing),
        cmocka_unit_test(a_steady_rate_is_told_and_seldom_exceeded),
        cmocka_unit_test(ten_times_the_rate_shows_within_fifteen_milliseconds),
        cmocka_unit_test(fewer_errors_tell_more_and_are_wrong_more_often),
        cmocka_unit_test(a_high_rate_is_told_as_well),
        cmocka_unit_test(a_rate_that_is_over_is_forgotten),
        cmocka_unit_test(a_burst_is_no_rate),
        cmocka_unit_test(what_comes_within_less_than_it_is_asked_for_is_spread_over_that),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
