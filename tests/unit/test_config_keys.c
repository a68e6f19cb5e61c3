/* The table of keys agrees with itself; suggestions are near, and absent when nothing is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "config/keys.h"

static void assert_default_in_range(const struct pqr__key *key)
{
    uint64_t value = 0;
    if (key->type == PQR__KEY_DURATION)
        assert_int_equal(pqr__duration_parse(key->initial, &value), PQR__UNIT_FINE);
    else if (key->type == PQR__KEY_SIZE)
        assert_int_equal(pqr__size_parse(key->initial, &value), PQR__UNIT_FINE);
    else if (key->type == PQR__KEY_NUMBER)
        value = strtoull(key->initial, NULL, 10);
    else
        return;
    assert_true((key->none && value == 0) || (value >= key->low && value <= key->high));
    assert_true(key->multiple == 0 || value % key->multiple == 0);
}

static void check_table(const struct pqr__key *keys, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        assert_non_null(keys[i].path); /* every index of the enum has its row */
        assert_true(keys[i].low <= keys[i].high);
        assert_int_equal(keys[i].type == PQR__KEY_WORD, keys[i].words != NULL);
        if (keys[i].initial)
            assert_default_in_range(&keys[i]);
        for (size_t other = 0; other < i; other++) {
            assert_string_not_equal(keys[i].path, keys[other].path);
            assert_int_not_equal(keys[i].offset, keys[other].offset);
        }
    }
}

static void every_row_is_there_once_and_its_default_is_allowed(void **state)
{
    (void)state;
    check_table(pqr__keys, PQR__N_KEYS);
    check_table(pqr__entry_keys, PQR__N_ENTRY_KEYS);
}

static void every_key_is_nearest_to_itself(void **state)
{
    char text[60];
    (void)state;
    for (size_t i = 0; i < PQR__N_KEYS; i++) {
        assert_true(pqr__key_nearest(text, sizeof(text), pqr__keys, PQR__N_KEYS, pqr__keys[i].path, false));
        assert_string_equal(text, pqr__keys[i].path);
    }
}

static void slips_find_their_key_and_other_words_none(void **state)
{
    static const struct {
        const char *written;
        bool group;
        const char *wanted; /* NULL: none is near */
    } table[] = {{"pool.mni", false, "pool.min"}, {"pool.idle_timeoutt", false, "pool.idle_timeout"},
        {"pool.Max", false, "pool.max"}, {"transactions", true, "transaction"},
        {"request.max_retrys", false, "request.max_retries"}, {"balance", false, "reads.balance"},
        {"pool.colour", false, NULL}, {"q", false, NULL}, {"telemetry", true, NULL},
        {"a_word_that_is_much_longer_than_any_key_of_ours_is", false, NULL}};
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        char text[60];
        bool found =
            pqr__key_nearest(text, sizeof(text), pqr__keys, PQR__N_KEYS, table[i].written, table[i].group);
        assert_int_equal(found, table[i].wanted != NULL);
        if (found)
            assert_string_equal(text, table[i].wanted);
    }
}

static void siblings_are_those_of_the_same_group(void **state)
{
    char text[400];
    (void)state;
    pqr__key_siblings(text, sizeof(text), pqr__keys, PQR__N_KEYS, "queue.x");
    assert_string_equal(
        text, "max_requests, max_bytes, normal_share, batch_share, batch_age, target, interval");
    pqr__key_siblings(text, sizeof(text), pqr__entry_keys, PQR__N_ENTRY_KEYS, "x");
    assert_string_equal(text, "name, connection, role, weight, min, max, pooler, zone");
    pqr__key_siblings(text, 10, pqr__entry_keys, PQR__N_ENTRY_KEYS, "x");
    assert_string_equal(text, "name, con");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_is_there_once_and_its_default_is_allowed),
        cmocka_unit_test(every_key_is_nearest_to_itself),
        cmocka_unit_test(slips_find_their_key_and_other_words_none),
        cmocka_unit_test(siblings_are_those_of_the_same_group),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
