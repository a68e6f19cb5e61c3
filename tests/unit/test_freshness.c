/* Staleness against a history that keeps everything, and the text form of an LSN. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>

#include "base/random.h"
#include "policy/freshness.h"

static void nothing_is_known_of_an_empty_history(void **state)
{
    (void)state;
    struct pqr__lsn_history history = {0};
    assert_int_equal(pqr__staleness_us(&history, UINT64_MAX, 5), -1);
    assert_int_equal(pqr__staleness_us(&history, 0, 5), -1);
}

static void a_replica_that_has_all_that_is_known_is_fresh_on_an_idle_system(void **state)
{
    (void)state;
    struct pqr__lsn_history history = {0};
    for (uint64_t at = 1000; at < 1000000; at += 1000)
        pqr__lsn_history_note(&history, at, 500);
    assert_int_equal(history.count, 1);
    assert_int_equal(pqr__staleness_us(&history, 500, 2000000), 0);
    assert_int_equal(pqr__staleness_us(&history, 501, 2000000), 0);
}

static void staleness_counts_from_the_last_moment_at_what_was_replayed(void **state)
{
    (void)state;
    struct pqr__lsn_history history = {0};
    pqr__lsn_history_note(&history, 1000, 100);
    pqr__lsn_history_note(&history, 2000, 100); /* still there */
    pqr__lsn_history_note(&history, 3000, 200);
    pqr__lsn_history_note(&history, 4000, 300);
    assert_int_equal(pqr__staleness_us(&history, 99, 5000), -1);
    assert_int_equal(pqr__staleness_us(&history, 100, 5000), 3000);
    assert_int_equal(pqr__staleness_us(&history, 199, 5000), 3000);
    assert_int_equal(pqr__staleness_us(&history, 200, 5000), 2000);
    assert_int_equal(pqr__staleness_us(&history, 300, 5000), 0);
}

static void a_primary_that_never_had_the_rest_takes_it_from_the_history(void **state)
{
    (void)state;
    struct pqr__lsn_history history = {0};
    pqr__lsn_history_note(&history, 1000, 100);
    pqr__lsn_history_note(&history, 2000, 200);
    pqr__lsn_history_note(&history, 3000, 300);
    pqr__lsn_history_note(&history, 4000, 150);
    assert_int_equal(history.count, 2);
    assert_int_equal(pqr__staleness_us(&history, 250, 5000), 0);
    assert_int_equal(pqr__staleness_us(&history, 120, 5000), 4000);
}

/* The moment by the whole history, or -1. */
static int64_t plain(const uint64_t *times, const uint64_t *lsns, int n, uint64_t replayed, uint64_t now)
{
    for (int i = n - 1; i >= 0; i--)
        if (lsns[i] <= replayed)
            return lsns[i] == lsns[n - 1] ? 0 : (int64_t)(now - times[i]);
    return -1;
}

static void thinning_makes_a_replica_look_staler_but_at_most_a_little(void **state)
{
    (void)state;
    enum { MOST = 5000 };
    static uint64_t times[MOST], lsns[MOST];
    struct pqr__random random;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct pqr__lsn_history history = {0};
        uint64_t now = 1000000, lsn = 1000;
        pqr__random_seed(&random, seed);
        for (int n = 0; n < MOST; n++) {
            now += 1000;
            lsn += pqr__random_below(&random, 3);
            times[n] = now;
            lsns[n] = lsn;
            pqr__lsn_history_note(&history, now, lsn);
            uint64_t replayed = 990 + pqr__random_below(&random, lsn - 985);
            int64_t truly = plain(times, lsns, n + 1, replayed, now);
            int64_t found = pqr__staleness_us(&history, replayed, now);
            assert_true((truly == -1) == (found == -1) && (truly == 0) == (found == 0));
            assert_true(found >= truly && found <= truly + truly / 3 + 2000);
        }
    }
}

static void a_day_of_notes_is_kept_to_a_third_of_their_age(void **state)
{
    (void)state;
    enum { DAY = 86400 };
    struct pqr__lsn_history history = {0};
    const uint64_t second = 1000000;
    for (uint64_t i = 1; i <= DAY; i++)
        pqr__lsn_history_note(&history, i * second, i);
    assert_int_equal(history.count, PQR__LSN_MOMENTS);
    assert_int_equal(history.moments[0].lsn, 1);
    for (uint64_t back = 1; back < DAY; back++) {
        int64_t found = pqr__staleness_us(&history, DAY - back, DAY * second);
        assert_true(found >= (int64_t)(back * second));
        assert_true(found <= (int64_t)((back + back / 3 + 1) * second));
    }
}

static void an_insert_position_after_a_header_is_where_replay_stops_before_it(void **state)
{
    (void)state;
    assert_int_equal(pqr__lsn_of_insert(0x5000028), 0x5000000);
    assert_int_equal(pqr__lsn_of_insert(0x5002018), 0x5002000);
    assert_int_equal(pqr__lsn_of_insert(0x5002028), 0x5002028);
    assert_int_equal(pqr__lsn_of_insert(0x5000060), 0x5000060);
}

static void an_lsn_reads_back_as_the_server_prints_it(void **state)
{
    (void)state;
    struct pqr__random random;
    pqr__random_seed(&random, 1);
    for (int i = 0; i < 10000; i++) {
        char text[32];
        uint64_t lsn = pqr__random_next(&random) >> pqr__random_below(&random, 64), found = 0;
        snprintf(text, sizeof(text), i % 2 ? "%" PRIX64 "/%" PRIX64 : "%" PRIx64 "/%08" PRIx64, lsn >> 32,
            lsn & UINT32_MAX);
        assert_true(pqr__lsn_parse(&found, text));
        assert_true(found == lsn);
    }
}

static void what_is_no_lsn_is_refused_and_leaves_the_output_alone(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "/", "16", "16/", "/B374D848", "16/B374D848 ", " 16/B374D848",
        "16//1", "16/B374D848/1", "g/1", "1/g", "0x1/1", "-1/1", "+1/1", "123456789/1", "1/123456789",
        "16/B374D84G", "00000000016/1", "16\\1"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        uint64_t out = 77;
        assert_false(pqr__lsn_parse(&out, bad[i]));
        assert_true(out == 77);
    }
    uint64_t out = 77;
    assert_false(pqr__lsn_parse(&out, NULL));
    assert_true(out == 77);
    assert_true(pqr__lsn_parse(&out, "FFFFFFFF/FFFFFFFF"));
    assert_true(out == UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_known_of_an_empty_history),
        cmocka_unit_test(a_replica_that_has_all_that_is_known_is_fresh_on_an_idle_system),
        cmocka_unit_test(staleness_counts_from_the_last_moment_at_what_was_replayed),
        cmocka_unit_test(a_primary_that_never_had_the_rest_takes_it_from_the_history),
        cmocka_unit_test(thinning_makes_a_replica_look_staler_but_at_most_a_little),
        cmocka_unit_test(a_day_of_notes_is_kept_to_a_third_of_their_age),
        cmocka_unit_test(an_insert_position_after_a_header_is_where_replay_stops_before_it),
        cmocka_unit_test(an_lsn_reads_back_as_the_server_prints_it),
        cmocka_unit_test(what_is_no_lsn_is_refused_and_leaves_the_output_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
