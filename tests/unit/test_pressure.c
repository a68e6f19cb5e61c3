/* The level of pressure, and how connects are spread after an outage. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "policy/pressure.h"
#include "policy/spread.h"

static struct pqr__pressure_facts calm(uint64_t wait_us)
{
    return (struct pqr__pressure_facts){
        .wait_us = wait_us, .refused_us = UINT64_MAX, .target_us = 1000, .interval_us = 5000};
}

static void a_long_wait_is_busy_until_it_is_short(void **state)
{
    (void)state;
    struct pqr__pressure_facts facts = calm(500);
    assert_int_equal(pqr__pressure_level(&facts), PQR_PRESSURE_CALM);
    facts.wait_us = 501;
    assert_int_equal(pqr__pressure_level(&facts), PQR_PRESSURE_BUSY);
    facts.level = PQR_PRESSURE_BUSY;
    facts.wait_us = 251;
    assert_int_equal(pqr__pressure_level(&facts), PQR_PRESSURE_BUSY);
    facts.wait_us = 250;
    assert_int_equal(pqr__pressure_level(&facts), PQR_PRESSURE_CALM);
}

static void who_turns_requests_away_is_shedding_and_for_an_interval_more(void **state)
{
    (void)state;
    struct pqr__pressure_facts facts = calm(0);
    facts.overloaded = true;
    assert_int_equal(pqr__pressure_level(&facts), PQR_PRESSURE_SHEDDING);
    facts.overloaded = false;
    facts.refused_us = 4999;
    assert_int_equal(pqr__pressure_level(&facts), PQR_PRESSURE_SHEDDING);
    facts.refused_us = 5000;
    facts.level = PQR_PRESSURE_SHEDDING;
    assert_int_equal(pqr__pressure_level(&facts), PQR_PRESSURE_CALM);
    facts.wait_us = 251;
    assert_int_equal(pqr__pressure_level(&facts), PQR_PRESSURE_BUSY);
}

static void connects_are_spread_over_a_part_of_the_outage(void **state)
{
    (void)state;
    static const struct {
        uint64_t outage_us, most_us;
    } table[] = {{0, 0}, {800, 100}, {8000000, 1000000}, {16000000, 2000000}, {UINT64_MAX, 2000000}};
    struct pqr__random random;
    pqr__random_seed(&random, 3);
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        uint64_t least = UINT64_MAX, most = 0;
        for (int n = 0; n < 2000; n++) {
            uint64_t us = pqr__spread_us(table[i].outage_us, &random);
            least = us < least ? us : least;
            most = us > most ? us : most;
        }
        assert_true(most <= table[i].most_us && most >= table[i].most_us * 98 / 100);
        assert_true(least <= table[i].most_us * 2 / 100);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_long_wait_is_busy_until_it_is_short),
        cmocka_unit_test(who_turns_requests_away_is_shedding_and_for_an_interval_more),
        cmocka_unit_test(connects_are_spread_over_a_part_of_the_outage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
