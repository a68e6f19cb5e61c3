/* The string builder and the two ways to copy text that is not trusted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/random.h"
#include "base/text.h"
#include "heap.h"
#include "json_reader.h"
#include "pqrouter.h"

static int reset(void **state)
{
    heap.blocks = 0;
    return heap_install(state);
}

static int nothing_left(void **state)
{
    (void)state;
    return heap.blocks == 0 ? 0 : -1;
}

static void appends_join_whatever_their_size(void **state)
{
    (void)state;
    struct pqr__text text = {0};
    struct pqr__random random;
    static char model[200000];
    size_t length = 0;
    pqr__random_seed(&random, 1);
    while (length < 150000) {
        char piece[5000];
        size_t n = pqr__random_below(&random, 40) ? pqr__random_below(&random, 20)
                                                  : pqr__random_below(&random, sizeof(piece));
        for (size_t i = 0; i < n; i++)
            piece[i] = (char)pqr__random_next(&random);
        pqr__text_append(&text, piece, n);
        memcpy(model + length, piece, n);
        length += n;
        assert_int_equal(text.length, length);
        assert_int_equal(text.bytes ? text.bytes[text.length] : 0, 0);
    }
    assert_memory_equal(text.bytes, model, length);
    assert_true(heap.calls < 20); /* it grows by doubling */
    pqr__text_finish(&text);
}

static void formats_and_strings_are_appended(void **state)
{
    (void)state;
    struct pqr__text text = {0};
    char long_text[300];
    memset(long_text, 'x', sizeof(long_text) - 1);
    long_text[sizeof(long_text) - 1] = '\0';
    pqr__text_puts(&text, "a");
    pqr__text_printf(&text, "%d-%s", 7, "b");
    pqr__text_printf(&text, "%s", long_text);
    assert_int_equal(text.length, 4 + 299);
    assert_memory_equal(text.bytes, "a7-bxxx", 7);
    pqr__text_finish(&text);
    assert_null(text.bytes);
}

static void a_bound_is_never_passed_and_remembered_when_hit(void **state)
{
    (void)state;
    struct pqr__text text = {.limit = 10};
    pqr__text_puts(&text, "12345678");
    assert_false(text.failed);
    pqr__text_puts(&text, "9"); /* with its NUL, 10 bytes */
    assert_false(text.failed);
    pqr__text_puts(&text, "0");
    assert_true(text.failed);
    assert_string_equal(text.bytes, "123456789");
    pqr__text_clear(&text);
    pqr__text_puts(&text, "again");
    assert_string_equal(text.bytes, "again");
    pqr__text_printf(&text, "%020d", 1);
    assert_true(text.failed);
    assert_null(pqr__text_take(&text));
    assert_null(text.bytes);
}

static void an_absurd_length_fails_instead_of_wrapping(void **state)
{
    (void)state;
    struct pqr__text text = {0};
    pqr__text_puts(&text, "a");
    pqr__text_append(&text, "", SIZE_MAX);
    assert_true(text.failed);
    pqr__text_finish(&text);
}

static void a_failed_allocation_is_remembered_until_the_end(void **state)
{
    (void)state;
    struct pqr__text text = {0};
    heap.failing_from = 2;
    pqr__text_puts(&text, "fits into the first block");
    for (int i = 0; i < 100; i++)
        pqr__text_printf(&text, "and now not %d", i);
    heap.failing_from = 0;
    pqr__text_puts(&text, "late");
    assert_true(text.failed);
    assert_null(pqr__text_take(&text));
    assert_null(text.bytes);
    assert_int_equal(text.length, 0);
}

static void what_is_taken_belongs_to_the_taker(void **state)
{
    (void)state;
    struct pqr__text text = {.limit = 50};
    pqr__text_puts(&text, "mine");
    char *mine = pqr__text_take(&text);
    assert_string_equal(mine, "mine");
    assert_true(text.bytes == NULL && text.length == 0 && text.capacity == 0 && text.limit == 50);
    pqr_free(mine);
    char *empty = pqr__text_take(&text);
    assert_string_equal(empty, "");
    pqr_free(empty);
}

static void clearing_keeps_the_memory(void **state)
{
    (void)state;
    struct pqr__text text = {0};
    pqr__text_clear(&text);
    for (int i = 0; i < 1000; i++) {
        pqr__text_clear(&text);
        pqr__text_puts(&text, "some text that comes again and again");
    }
    assert_int_equal(heap.calls, 1);
    pqr__text_finish(&text);
}

static void json_strings_keep_utf8_and_replace_what_is_not(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"", "\"\""}, {"plain", "\"plain\""}, {"\"\\/", "\"\\\"\\\\/\""},
        {"\n\t\r\x01\x7f", "\"\\n\\t\\u000d\\u0001\\u007f\""},
        {"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\x98", "\"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\x98\""},
        {"\xff", "\"\\ufffd\""}, {"\xc0\x80", "\"\\ufffd\\ufffd\""}, /* overlong NUL */
        {"\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\""},               /* a surrogate */
        {"\xf4\x90\x80\x80", "\"\\ufffd\\ufffd\\ufffd\\ufffd\""},    /* above U+10FFFF */
        {"\xe2\x82", "\"\\ufffd\\ufffd\""},                          /* cut short */
        {"\xe2\x82\"", "\"\\ufffd\\ufffd\\\"\""},                    /* a quote behind it still counts */
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pqr__text text = {0};
        pqr__text_json(&text, cases[i].in, strlen(cases[i].in));
        assert_string_equal(text.bytes, cases[i].out);
        assert_true(json_valid(text.bytes));
        pqr__text_finish(&text);
    }
    struct pqr__text text = {0};
    pqr__text_json(&text, "a\0b", 3);
    assert_string_equal(text.bytes, "\"a\\u0000b\"");
    pqr__text_finish(&text);
}

static void any_bytes_are_a_valid_json_string(void **state)
{
    (void)state;
    struct pqr__text text = {0};
    struct pqr__random random;
    pqr__random_seed(&random, 2);
    for (int run = 0; run < 20000; run++) {
        char *bytes = malloc(12); /* of the heap's, so that a checker sees a read past its end */
        size_t length = pqr__random_below(&random, 13);
        for (size_t i = 0; i < length; i++)
            bytes[i] = (char)(pqr__random_below(&random, 2) ? 0x80 + pqr__random_below(&random, 0x80)
                                                            : pqr__random_below(&random, 256));
        pqr__text_clear(&text);
        pqr__text_json(&text, bytes, length);
        assert_int_equal(strlen(text.bytes), text.length);
        assert_true(json_valid(text.bytes));
        free(bytes);
    }
    pqr__text_finish(&text);
}

static void escaping_leaves_no_control_character_and_fits(void **state)
{
    (void)state;
    struct pqr__random random;
    pqr__random_seed(&random, 3);
    for (int run = 0; run < 20000; run++) {
        char in[30] = "", out[40];
        for (size_t i = 0; i < sizeof(in) - 1; i++)
            in[i] = (char)(pqr__random_below(&random, 3) ? 1 + pqr__random_below(&random, 31)
                                                         : 32 + pqr__random_below(&random, 200));
        size_t size = 1 + pqr__random_below(&random, sizeof(out) - 1);
        memset(out, 'Z', sizeof(out));
        pqr__text_escape(out, size, in);
        assert_true(strlen(out) < size);
        assert_int_equal(out[size], 'Z');
        for (const char *at = out; *at; at++)
            assert_true((unsigned char)*at >= 0x20 && *at != 0x7f);
    }
    char untouched = 'Z';
    pqr__text_escape(&untouched, 0, "abc");
    assert_int_equal(untouched, 'Z');
    char out[64];
    pqr__text_escape(out, sizeof(out), "a\nb\x7f caf\xc3\xa9");
    assert_string_equal(out, "a\\x0ab\\x7f caf\xc3\xa9");
}

static void copying_cuts_to_fit(void **state)
{
    (void)state;
    char out[4];
    pqr__text_copy(out, sizeof(out), "ab");
    assert_string_equal(out, "ab");
    pqr__text_copy(out, sizeof(out), "abcdef");
    assert_string_equal(out, "abc");
    pqr__text_copy(out, 1, "abcdef");
    assert_string_equal(out, "");
    out[0] = 'Z';
    pqr__text_copy(out, 0, "abc");
    assert_int_equal(out[0], 'Z');
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, reset, nothing_left)
    const struct CMUnitTest tests[] = {
        TEST(appends_join_whatever_their_size),
        TEST(formats_and_strings_are_appended),
        TEST(a_bound_is_never_passed_and_remembered_when_hit),
        TEST(an_absurd_length_fails_instead_of_wrapping),
        TEST(a_failed_allocation_is_remembered_until_the_end),
        TEST(what_is_taken_belongs_to_the_taker),
        TEST(clearing_keeps_the_memory),
        TEST(json_strings_keep_utf8_and_replace_what_is_not),
        TEST(any_bytes_are_a_valid_json_string),
        TEST(escaping_leaves_no_control_character_and_fits),
        TEST(copying_cuts_to_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
