/* The words of a configuration file, and what its strings and numbers mean. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <string.h>

#include "config/scan.h"

static struct pqr__scanner scanner;

static void scan(const char *text)
{
    pqr__scan_init(&scanner, text, strlen(text));
}

static void assert_word(enum pqr__word_kind kind, const char *text, uint32_t line)
{
    struct pqr__word word = pqr__scan_next(&scanner);
    assert_int_equal(word.kind, kind);
    assert_int_equal(word.line, line);
    if (!text)
        return;
    assert_int_equal(word.length, strlen(text));
    assert_memory_equal(word.start, text, word.length);
}

static void each_kind_of_word_is_told_with_its_line(void **state)
{
    (void)state;
    scan("a-b_1 = -5;\n:{}()[],\n\"x\ny\" true .5e+3");
    assert_word(PQR__WORD_NAME, "a-b_1", 1);
    assert_word(PQR__WORD_MARK, "=", 1);
    assert_word(PQR__WORD_NUMBER, "-5", 1);
    assert_word(PQR__WORD_MARK, ";", 1);
    for (const char *mark = ":{}()[],"; *mark; mark++)
        assert_word(PQR__WORD_MARK, (const char[]){*mark, '\0'}, 2);
    assert_word(PQR__WORD_STRING, "\"x\ny\"", 3);
    assert_word(PQR__WORD_NAME, "true", 4);
    assert_word(PQR__WORD_NUMBER, ".5e+3", 4);
    assert_word(PQR__WORD_END, "", 4);
    assert_word(PQR__WORD_END, "", 4);
}

static void a_byte_order_mark_is_skipped_at_the_beginning_only(void **state)
{
    (void)state;
    scan("\xEF\xBB\xBF@include");
    assert_word(PQR__WORD_INCLUDE, "@include", 1);
    scan("a\xEF\xBB\xBF");
    assert_word(PQR__WORD_NAME, "a", 1);
    assert_word(PQR__WORD_BAD, NULL, 1);
}

static void comments_are_no_words(void **state)
{
    (void)state;
    scan("# a \"\n// b /*\n/* c\n@include \"x\"\n# */ d /* e */");
    assert_word(PQR__WORD_NAME, "d", 5);
    assert_word(PQR__WORD_END, "", 5);
    scan("a # no end of line");
    assert_word(PQR__WORD_NAME, "a", 1);
    assert_word(PQR__WORD_END, "", 1);
    scan("/");
    assert_word(PQR__WORD_BAD, NULL, 1);
}

static void an_include_is_one_at_the_start_of_a_line_only(void **state)
{
    (void)state;
    scan(" \t@include \"x\"\na @include \"y\"");
    assert_word(PQR__WORD_INCLUDE, "@include", 1);
    assert_word(PQR__WORD_STRING, "\"x\"", 1);
    assert_word(PQR__WORD_NAME, "a", 2);
    assert_word(PQR__WORD_BAD, NULL, 2);
    scan("@includes \"x\"");
    assert_word(PQR__WORD_BAD, NULL, 1);
    scan("@");
    assert_word(PQR__WORD_BAD, NULL, 1);
}

static void what_does_not_end_is_told_where_it_begins(void **state)
{
    (void)state;
    scan("\n\"a\n\nb");
    assert_word(PQR__WORD_BAD, NULL, 2);
    scan("\"a\\\"");
    assert_word(PQR__WORD_BAD, NULL, 1);
    scan("\"a\\");
    assert_word(PQR__WORD_BAD, NULL, 1);
    scan("\n\n /* a\n * /");
    assert_word(PQR__WORD_BAD, NULL, 3);
    scan("/*/");
    assert_word(PQR__WORD_BAD, NULL, 1);
}

static void strings_mean_what_libconfig_says_they_mean(void **state)
{
    static const struct {
        const char *written, *meant;
    } table[] = {{"\"\"", ""}, {"\"a b\"", "a b"}, {"\"\\n\\r\\t\\f\\\\\\\"\"", "\n\r\t\f\\\""},
        {"\"\\x41\\X4a\\x4g\\x4\"", "AJ\\x4g\\x4"}, {"\"\\q\\'\"", "\\q\\'"}, {"\"a\\\\\"", "a\\"},
        {"\"\\xC3\\xa4\"", "\xC3\xA4"}};
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        char out[40];
        scan(table[i].written);
        struct pqr__word word = pqr__scan_next(&scanner);
        assert_int_equal(word.kind, PQR__WORD_STRING);
        assert_int_equal(pqr__scan_string(&word, out), strlen(table[i].meant));
        assert_string_equal(out, table[i].meant);
    }
}

static void numbers_are_read_to_their_last_digit(void **state)
{
    static const struct {
        const char *written;
        bool is_one, integer, fits;
        int32_t value;
    } table[] = {{"0", true, true, true, 0}, {"+7", true, true, true, 7}, {"-7L", true, true, true, -7},
        {"7LL", true, true, true, 7}, {"2147483647", true, true, true, INT32_MAX},
        {"2147483648", true, true, false, 0}, {"-2147483648", true, true, true, INT32_MIN},
        {"-2147483649", true, true, false, 0}, {"0x7fffffff", true, true, true, INT32_MAX},
        {"0xFFFFFFFF", true, true, false, 0}, {"4294967301", true, true, false, 0},
        {"99999999999999999999999999999999", true, true, false, 0}, {"0x", false, false, false, 0},
        {"00012", true, true, true, 12}, {"1.", true, false, false, 0}, {".5", true, false, false, 0},
        {"1e5", true, false, false, 0}, {"-1.5E-3", true, false, false, 0}, {".", false, false, false, 0},
        {"1e", false, false, false, 0}, {"1e+", false, false, false, 0}, {"7LLL", false, false, false, 0},
        {"10min", false, false, false, 0}, {"1.2.3", false, false, false, 0}, {"+", false, false, false, 0},
        {"-0x5", false, false, false, 0}, {"0xZ", false, false, false, 0}, {".e5", false, false, false, 0}};
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct pqr__number number = {0};
        scan(table[i].written);
        struct pqr__word word = pqr__scan_next(&scanner);
        assert_int_equal(word.kind, PQR__WORD_NUMBER);
        assert_int_equal(word.length, strlen(table[i].written));
        assert_int_equal(pqr__scan_number(&word, &number), table[i].is_one);
        if (!table[i].is_one)
            continue;
        assert_int_equal(number.integer, table[i].integer);
        assert_int_equal(number.fits, table[i].fits);
        if (number.fits)
            assert_int_equal(number.value, table[i].value);
    }
}

static void every_other_byte_is_a_bad_word(void **state)
{
    (void)state;
    for (int byte = 0; byte < 256; byte++) {
        const char text[] = {(char)(unsigned char)byte};
        pqr__scan_init(&scanner, text, 1);
        struct pqr__word word = pqr__scan_next(&scanner);
        if (word.kind == PQR__WORD_BAD)
            assert_non_null(word.problem);
        else
            assert_true(byte > 0 && byte < 127);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_of_word_is_told_with_its_line),
        cmocka_unit_test(a_byte_order_mark_is_skipped_at_the_beginning_only),
        cmocka_unit_test(comments_are_no_words),
        cmocka_unit_test(an_include_is_one_at_the_start_of_a_line_only),
        cmocka_unit_test(what_does_not_end_is_told_where_it_begins),
        cmocka_unit_test(strings_mean_what_libconfig_says_they_mean),
        cmocka_unit_test(numbers_are_read_to_their_last_digit),
        cmocka_unit_test(every_other_byte_is_a_bad_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
