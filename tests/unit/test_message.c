/* What is too long to be sent, at its edges. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "policy/message.h"

static void the_longer_of_text_and_values_counts(void **state)
{
    (void)state;
    assert_true(pqr__message_bytes(0, 0, 0) < 100);
    assert_true(pqr__message_bytes(1000, 0, 10) > 1000);
    assert_true(pqr__message_bytes(1000, 0, 10) == pqr__message_bytes(10, 0, 1000));
    assert_true(pqr__message_bytes(1000, 0, 1000) < 1100);
}

/* Parse: length, name, text and its NUL, a count, the types. Bind: length, portal, name, the formats, each value with
   its length, the result's format. */
static void nothing_is_longer_than_it_is_said_to_be(void **state)
{
    static const uint32_t n[] = {0, 1, 2, 1000, 65535};
    const uint64_t name = 32;
    (void)state;
    for (size_t i = 0; i < sizeof(n) / sizeof(n[0]); i++) {
        uint64_t parse = 4 + name + 5000 + 1 + 2 + 4 * (uint64_t)n[i];
        uint64_t bind = 4 + 1 + name + 2 + 2 * (uint64_t)n[i] + 2 + 4 * (uint64_t)n[i] + 7000 + 2 + 2;
        assert_true(pqr__message_bytes(5000, n[i], 0) >= parse);
        assert_true(pqr__message_bytes(0, n[i], 7000) >= bind);
        assert_true(pqr__message_bytes(5000, n[i], 0) < parse + 2 * (uint64_t)n[i] + 100);
        assert_true(pqr__message_bytes(0, n[i], 7000) < bind + 100);
    }
}

static void the_limit_is_met_exactly(void **state)
{
    uint64_t around = pqr__message_bytes(0, 1, 0);
    (void)state;
    assert_true(pqr__message_bytes(PQR__MESSAGE_MAX - around, 1, 0) == PQR__MESSAGE_MAX);
    assert_true(pqr__message_bytes(0, 1, PQR__MESSAGE_MAX - around + 1) > PQR__MESSAGE_MAX);
}

static void nothing_wraps_around(void **state)
{
    static const uint64_t large[] = {INT32_MAX, UINT32_MAX, UINT64_C(1) << 32, UINT64_C(65535) << 32,
        UINT64_MAX - 64, UINT64_MAX - 1, UINT64_MAX};
    (void)state;
    for (size_t i = 0; i < sizeof(large) / sizeof(large[0]); i++) {
        assert_true(pqr__message_bytes(large[i], 65535, 0) > PQR__MESSAGE_MAX);
        assert_true(pqr__message_bytes(0, 65535, large[i]) > PQR__MESSAGE_MAX);
        assert_true(pqr__message_bytes(large[i], UINT32_MAX, large[i]) >= large[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_longer_of_text_and_values_counts),
        cmocka_unit_test(nothing_is_longer_than_it_is_said_to_be),
        cmocka_unit_test(the_limit_is_met_exactly),
        cmocka_unit_test(nothing_wraps_around),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
