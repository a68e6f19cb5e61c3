/* The moving average of a server's latency. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/random.h"
#include "policy/ewma.h"

static void the_first_sample_is_believed(void **state)
{
    (void)state;
    struct pqr__ewma ewma = {0};
    assert_int_equal(pqr__ewma_read(&ewma, 12345), 0);
    pqr__ewma_note(&ewma, 700, 1000);
    assert_int_equal(pqr__ewma_read(&ewma, 1000), 700);
}

static void it_follows_a_change_in_both_directions(void **state)
{
    (void)state;
    struct pqr__ewma ewma = {0};
    uint64_t now_us = 0;
    for (int i = 0; i < 1000; i++)
        pqr__ewma_note(&ewma, 500, now_us += 10);
    assert_int_equal(pqr__ewma_read(&ewma, now_us), 500);
    pqr__ewma_note(&ewma, 1000000, now_us += 10); /* one long report */
    assert_in_range(pqr__ewma_read(&ewma, now_us), 501, 20000);
    for (int i = 0; i < 1000; i++)
        pqr__ewma_note(&ewma, 50000, now_us += 10);
    assert_in_range(pqr__ewma_read(&ewma, now_us), 49900, 50000);
    for (int i = 0; i < 2000; i++)
        pqr__ewma_note(&ewma, 500, now_us += 10);
    assert_in_range(pqr__ewma_read(&ewma, now_us), 500, 501);
}

static void many_are_noted_as_one_by_one(void **state)
{
    enum { ROUNDING_US = 64 }; /* each of a row of samples may round by one */
    (void)state;
    struct pqr__ewma many = {0}, single = {0};
    uint64_t now_us = 0;
    for (uint32_t i = 0; i < 3000; i++) {
        uint64_t sample_us = i * 2654435761u % 1000;
        now_us += i * 40503u % 100000;
        pqr__ewma_note_many(&many, i % 20 + 1, sample_us, now_us);
        for (uint32_t n = i % 20 + 1; n > 0; n--)
            pqr__ewma_note(&single, sample_us, now_us);
        int64_t apart = (int64_t)pqr__ewma_read(&many, now_us) - (int64_t)pqr__ewma_read(&single, now_us);
        assert_in_range(apart + ROUNDING_US, 0, 2 * ROUNDING_US);
    }
}

static void old_evidence_fades_and_never_reads_as_unknown(void **state)
{
    (void)state;
    struct pqr__ewma ewma = {0};
    uint64_t last = UINT64_MAX;
    pqr__ewma_note(&ewma, 1000000, 0);
    for (uint64_t now_us = 0; now_us < 100000000; now_us += 50000) {
        uint64_t value = pqr__ewma_read(&ewma, now_us);
        assert_true(value <= last && value >= 1);
        last = value;
    }
    assert_int_equal(pqr__ewma_read(&ewma, 500000), 500000);
    assert_int_equal(pqr__ewma_read(&ewma, 100000000), 1);
    assert_int_equal(pqr__ewma_read(&ewma, UINT64_MAX), 1);
}

static void a_clock_that_stands_and_absurd_samples_do_no_harm(void **state)
{
    (void)state;
    struct pqr__random random;
    struct pqr__ewma ewma = {0};
    pqr__random_seed(&random, 1);
    for (int i = 0; i < 10000; i++) {
        pqr__ewma_note(&ewma, pqr__random_next(&random) >> pqr__random_below(&random, 64), 5);
        assert_in_range(pqr__ewma_read(&ewma, 5), 1, 1000000000);
    }
    pqr__ewma_note(&ewma, 0, 4); /* earlier than the last */
    assert_in_range(pqr__ewma_read(&ewma, 4), 1, 1000000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_sample_is_believed),
        cmocka_unit_test(it_follows_a_change_in_both_directions),
        cmocka_unit_test(many_are_noted_as_one_by_one),
        cmocka_unit_test(old_evidence_fades_and_never_reads_as_unknown),
        cmocka_unit_test(a_clock_that_stands_and_absurd_samples_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
