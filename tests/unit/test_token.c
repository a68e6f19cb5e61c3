/* Tokens as text, merged, and held against what a replica has. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "policy/token.h"

static const pqr_token some = {.system_identifier = 7300000000000000001, .timeline = 12, .lsn = 0x16B374D848};

static void printed_and_read_it_is_the_same(void **state)
{
    (void)state;
    char text[PQR_TOKEN_SIZE];
    pqr_token largest = {.system_identifier = UINT64_MAX, .timeline = UINT32_MAX, .lsn = UINT64_MAX}, read;
    assert_int_equal(pqr_token_print(&some, text, sizeof(text)), 0);
    assert_string_equal(text, "7300000000000000001.12.16B374D848");
    assert_int_equal(pqr_token_parse(&read, text), 0);
    assert_memory_equal(&read, &some, sizeof(read));
    assert_int_equal(pqr_token_print(&largest, text, sizeof(text)), 0);
    assert_int_equal(pqr_token_parse(&read, text), 0);
    assert_memory_equal(&read, &largest, sizeof(read));
}

static void none_is_no_text(void **state)
{
    (void)state;
    char text[PQR_TOKEN_SIZE] = "x";
    assert_int_equal(pqr_token_print(&(pqr_token){0}, text, sizeof(text)), 0);
    assert_string_equal(text, "");
    assert_int_equal(pqr_token_print(&some, text, sizeof(text) - 1), PQR_EINVAL);
    assert_int_equal(pqr_token_print(NULL, text, sizeof(text)), PQR_EINVAL);
    assert_int_equal(pqr_token_print(&some, NULL, PQR_TOKEN_SIZE), PQR_EINVAL);
}

static void nothing_else_is_read(void **state)
{
    (void)state;
    static const char *const wrong[] = {"", ".", "..", "1", "1.", "1.1", "1.1.", ".1.1", "1..1", "1.1.G",
        "1.1.a", "1.1.1 ", " 1.1.1", "1.1.1\n", "1.1.1.1", "+1.1.1", "-1.1.1", "01.1.1", "1.01.1", "1.1.01",
        "0.1.1", "1.0.1", "1.1.0", "1.4294967296.1", "18446744073709551616.1.1", "1.1.10000000000000000",
        "0x1.1.1", "1,1,1", "99999999999999999999999999999999999999.1.1",
        "1.1.FFFFFFFFFFFFFFFFFFFFFFFFFFFFF"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        pqr_token token = some;
        assert_int_equal(pqr_token_parse(&token, wrong[i]), PQR_EINVAL);
        assert_memory_equal(&token, &some, sizeof(token));
    }
    assert_int_equal(pqr_token_parse(NULL, "1.1.1"), PQR_EINVAL);
    pqr_token token;
    assert_int_equal(pqr_token_parse(&token, NULL), PQR_EINVAL);
}

static void of_several_the_latest_counts(void **state)
{
    (void)state;
    pqr_token token = {0}, earlier = some, newer = some, other = some;
    earlier.lsn--;
    newer.timeline++;
    newer.lsn = 1;
    other.system_identifier++;
    other.lsn = 1;
    pqr_token_merge(&token, &some);
    assert_memory_equal(&token, &some, sizeof(token));
    pqr_token_merge(&token, &earlier);
    pqr_token_merge(&token, &(pqr_token){0});
    pqr_token_merge(&token, NULL);
    pqr_token_merge(NULL, &token);
    assert_memory_equal(&token, &some, sizeof(token));
    pqr_token_merge(&token, &newer);
    assert_memory_equal(&token, &newer, sizeof(token));
    pqr_token_merge(&token, &some); /* of an older timeline */
    assert_memory_equal(&token, &newer, sizeof(token));
    pqr_token_merge(&token, &other);
    assert_memory_equal(&token, &other, sizeof(token));
}

static void a_replica_is_there_by_its_lsn_and_timeline(void **state)
{
    (void)state;
    uint64_t id = some.system_identifier;
    assert_int_equal(pqr__token_there(&some, id, 12, some.lsn), PQR__THERE);
    assert_int_equal(pqr__token_there(&some, id, 12, some.lsn - 1), PQR__THERE_NOT_YET);
    assert_int_equal(pqr__token_there(&some, id, 12, 0), PQR__THERE_NOT_YET);
    assert_int_equal(pqr__token_there(&some, id, 11, UINT64_MAX), PQR__THERE_NEVER);
    assert_int_equal(pqr__token_there(&some, id, 13, UINT64_MAX), PQR__THERE_NEVER);
    assert_int_equal(pqr__token_there(&some, id + 1, 12, UINT64_MAX), PQR__THERE_NEVER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(printed_and_read_it_is_the_same),
        cmocka_unit_test(none_is_no_text),
        cmocka_unit_test(nothing_else_is_read),
        cmocka_unit_test(of_several_the_latest_counts),
        cmocka_unit_test(a_replica_is_there_by_its_lsn_and_timeline),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
