/* Durations and sizes in both directions, and what is wrong with those that are none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdint.h>

#include "base/units.h"

static void every_unit_of_time_is_understood(void **state)
{
    static const struct {
        const char *text;
        uint64_t us;
    } table[] = {{"7us", 7}, {"7ms", 7000}, {"7s", 7000000}, {"7min", 420000000},
        {"2h", UINT64_C(7200000000)}, {"2d", UINT64_C(172800000000)}, {"10 min", 600000000}, {"0", 0},
        {"none", 0}, {"0ms", 0}, {"007s", 7000000}};
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        uint64_t us = 99;
        assert_int_equal(pqr__duration_parse(table[i].text, &us), PQR__UNIT_FINE);
        assert_true(us == table[i].us);
    }
}

static void sizes_count_in_1024(void **state)
{
    static const struct {
        const char *text;
        uint64_t bytes;
    } table[] = {{"5B", 5}, {"1kB", 1024}, {"64MB", 67108864}, {"3GB", UINT64_C(3221225472)},
        {"1TB", UINT64_C(1099511627776)}, {"none", 0}, {"0", 0}};
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        uint64_t bytes = 99;
        assert_int_equal(pqr__size_parse(table[i].text, &bytes), PQR__UNIT_FINE);
        assert_true(bytes == table[i].bytes);
    }
}

static void what_is_wrong_is_told_and_nothing_is_written(void **state)
{
    static const struct {
        const char *text;
        enum pqr__unit_fault fault;
    } table[] = {{"", PQR__UNIT_SYNTAX}, {"s", PQR__UNIT_SYNTAX}, {"-1s", PQR__UNIT_SYNTAX},
        {" 1s", PQR__UNIT_SYNTAX}, {"10", PQR__UNIT_MISSING}, {"10 ", PQR__UNIT_MISSING},
        {"1.5s", PQR__UNIT_UNKNOWN}, {"10S", PQR__UNIT_UNKNOWN}, {"10s ", PQR__UNIT_UNKNOWN},
        {"10 minutes", PQR__UNIT_UNKNOWN}, {"0x5s", PQR__UNIT_UNKNOWN},
        {"18446744073709551616us", PQR__UNIT_TOO_LARGE}, {"18446744073709551615ms", PQR__UNIT_TOO_LARGE},
        {"99999999999999999999999999", PQR__UNIT_TOO_LARGE}, {"213503983d", PQR__UNIT_TOO_LARGE}};
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        uint64_t us = 99;
        assert_int_equal(pqr__duration_parse(table[i].text, &us), table[i].fault);
        assert_true(us == 99);
    }
    uint64_t bytes = 99;
    assert_int_equal(pqr__size_parse("1s", &bytes), PQR__UNIT_UNKNOWN);
    assert_int_equal(pqr__size_parse("1KB", &bytes), PQR__UNIT_UNKNOWN);
    assert_true(bytes == 99);
}

static void the_largest_value_is_read(void **state)
{
    uint64_t us = 0;
    (void)state;
    assert_int_equal(pqr__duration_parse("18446744073709551615us", &us), PQR__UNIT_FINE);
    assert_true(us == UINT64_MAX);
}

static void values_are_written_in_the_largest_whole_unit(void **state)
{
    static const struct {
        uint64_t value;
        const char *duration, *size;
    } table[] = {{0, "0", "0"}, {1, "1us", "1B"}, {1500000, "1500ms", "1500000B"},
        {3600000000, "1h", "3515625kB"}, {1048576, "1048576us", "1MB"},
        {UINT64_MAX, "18446744073709551615us", "18446744073709551615B"}};
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        char text[32];
        pqr__duration_format(text, sizeof(text), table[i].value);
        assert_string_equal(text, table[i].duration);
        pqr__size_format(text, sizeof(text), table[i].value);
        assert_string_equal(text, table[i].size);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_unit_of_time_is_understood),
        cmocka_unit_test(sizes_count_in_1024),
        cmocka_unit_test(what_is_wrong_is_told_and_nothing_is_written),
        cmocka_unit_test(the_largest_value_is_read),
        cmocka_unit_test(values_are_written_in_the_largest_whole_unit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
