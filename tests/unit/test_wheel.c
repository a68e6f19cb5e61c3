/* The timing wheel against a plain list of times. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/random.h"
#include "base/wheel.h"

static unsigned drain(struct pqr__wheel *wheel, uint64_t now_us, uint64_t *earliest)
{
    struct pqr__link due;
    unsigned count = 0;
    pqr__ring_init(&due);
    pqr__wheel_turn(wheel, now_us, &due);
    for (; !pqr__ring_empty(&due); count++) {
        struct pqr__alarm *alarm = pqr__container_of(due.next, struct pqr__alarm, link);
        if (alarm->at_ms < *earliest)
            *earliest = alarm->at_ms;
        pqr__wheel_clear(alarm);
    }
    return count;
}

static void an_alarm_comes_due_at_its_time_and_not_before(void **state)
{
    (void)state;
    static const uint64_t waits_ms[] = {
        1, 2, 63, 64, 65, 4095, 4096, 4097, 262144, 20000000, UINT64_C(1) << 37};
    for (size_t i = 0; i < sizeof(waits_ms) / sizeof(waits_ms[0]); i++) {
        struct pqr__wheel wheel;
        struct pqr__alarm alarm = {0};
        uint64_t start = 123456789, at = start + waits_ms[i] * 1000, none = PQR__NEVER;
        pqr__wheel_init(&wheel, start);
        pqr__wheel_set(&wheel, &alarm, at);
        assert_true(pqr__wheel_next_us(&wheel) <= at + 1000);
        assert_int_equal(drain(&wheel, at - 1000, &none), 0);
        assert_int_equal(drain(&wheel, at + 1000, &none), 1);
        assert_false(pqr__wheel_is_set(&alarm));
        assert_true(pqr__wheel_next_us(&wheel) == PQR__NEVER);
    }
}

static void random_alarms_come_due_as_in_a_plain_list(void **state)
{
    (void)state;
    enum { N = 300 };
    static struct pqr__wheel wheel;
    static struct pqr__alarm alarms[N];
    struct pqr__random random;
    uint64_t now = 5000000;
    pqr__random_seed(&random, 42);
    pqr__wheel_init(&wheel, now);
    for (int round = 0; round < 20000; round++) {
        struct pqr__alarm *alarm = &alarms[pqr__random_below(&random, N)];
        if (pqr__random_below(&random, 4) == 0)
            pqr__wheel_clear(alarm);
        else
            pqr__wheel_set(&wheel, alarm, now + pqr__random_below(&random, UINT64_C(1) << (10 + round % 26)));
        now += pqr__random_below(&random, 20000);
        uint64_t earliest = PQR__NEVER;
        drain(&wheel, now, &earliest);
        uint64_t next = PQR__NEVER;
        for (int i = 0; i < N; i++) {
            if (!pqr__wheel_is_set(&alarms[i]))
                continue;
            assert_true(alarms[i].at_ms * 1000 + 1000 > now);
            if (alarms[i].at_ms < next)
                next = alarms[i].at_ms;
        }
        assert_true(pqr__wheel_next_us(&wheel) / 1000 <= next);
    }
}

static void a_passed_time_comes_due_at_the_next_turn(void **state)
{
    (void)state;
    struct pqr__wheel wheel;
    struct pqr__alarm alarm = {0};
    uint64_t none = PQR__NEVER;
    pqr__wheel_init(&wheel, 1000000);
    pqr__wheel_set(&wheel, &alarm, 5);
    assert_int_equal(drain(&wheel, 1001000, &none), 1);
}

static void what_is_set_for_one_time_comes_due_together_however_far_the_wheel_has_turned(void **state)
{
    (void)state;
    enum { N = 200 };
    const uint64_t start = 5000000, at = start + 20000500;
    struct pqr__wheel wheel;
    struct pqr__alarm alarms[N] = {0};
    uint64_t earliest = PQR__NEVER;
    pqr__wheel_init(&wheel, start);
    for (unsigned i = 0; i < N; i++) { /* by and by it is so near that it belongs to a lower level */
        pqr__wheel_set(&wheel, &alarms[i], at);
        assert_int_equal(drain(&wheel, start + i * 100000, &earliest), 0);
    }
    assert_int_equal(drain(&wheel, at - 500, &earliest), 0);
    assert_int_equal(drain(&wheel, at + 500, &earliest), N);
}

static void the_same_passed_time_comes_due_at_each_turn(void **state)
{
    (void)state;
    struct pqr__wheel wheel;
    struct pqr__alarm alarm = {0};
    uint64_t none = PQR__NEVER;
    pqr__wheel_init(&wheel, 1000000);
    for (uint64_t turn = 1; turn < 100; turn++) {
        pqr__wheel_set(&wheel, &alarm, 5);
        assert_int_equal(drain(&wheel, 1000000 + turn * 1000, &none), 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_alarm_comes_due_at_its_time_and_not_before),
        cmocka_unit_test(random_alarms_come_due_as_in_a_plain_list),
        cmocka_unit_test(a_passed_time_comes_due_at_the_next_turn),
        cmocka_unit_test(what_is_set_for_one_time_comes_due_together_however_far_the_wheel_has_turned),
        cmocka_unit_test(the_same_passed_time_comes_due_at_each_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
