/* One clean line a call, and none when the level is off. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <string.h>

#include "base/log.h"

static struct {
    unsigned count;
    pqr_log_level level;
    char text[2000];
    void *data;
} seen;

static void keep(void *data, pqr_log_level level, const char *text)
{
    seen.count++;
    seen.level = level;
    seen.data = data;
    assert_true(strlen(text) < sizeof(seen.text));
    memcpy(seen.text, text, strlen(text) + 1);
}

static int reset(void **state)
{
    (void)state;
    memset(&seen, 0, sizeof(seen));
    return 0;
}

static unsigned formatted;

static const char *counted(void)
{
    formatted++;
    return "text";
}

static void what_is_less_urgent_than_the_level_is_not_even_formatted(void **state)
{
    (void)state;
    for (int at = PQR_LOG_ERROR; at <= PQR_LOG_DEBUG; at++) {
        struct pqr__log log = {.write = keep, .level = (pqr_log_level)at};
        seen.count = formatted = 0;
        for (int level = PQR_LOG_ERROR; level <= PQR_LOG_DEBUG; level++)
            pqr__log(&log, (pqr_log_level)level, "%s", counted());
        assert_int_equal(seen.count, at + 1);
        assert_int_equal(formatted, at + 1);
    }
}

static bool busy;
static struct pqr__log nested = {.level = PQR_LOG_DEBUG, .busy = &busy};

static void log_again(void *data, pqr_log_level level, const char *text)
{
    keep(data, level, text);
    assert_true(busy);
    pqr__log(&nested, level, "again");
}

static void a_line_that_comes_of_logging_one_is_dropped(void **state)
{
    (void)state;
    nested.write = log_again;
    pqr__log(&nested, PQR_LOG_INFO, "first");
    pqr__log(&nested, PQR_LOG_INFO, "second");
    assert_int_equal(seen.count, 2);
    assert_string_equal(seen.text, "second");
    assert_false(busy);
}

static void without_a_callback_nothing_happens(void **state)
{
    (void)state;
    struct pqr__log log = {.level = PQR_LOG_DEBUG};
    formatted = 0;
    pqr__log(&log, PQR_LOG_ERROR, "%s", counted());
    assert_int_equal(formatted, 0);
}

static void the_callback_gets_its_data_the_level_and_the_text(void **state)
{
    (void)state;
    struct pqr__log log = {.write = keep, .data = &log, .level = PQR_LOG_INFO};
    pqr__log(&log, PQR_LOG_WARNING, "server %s: %d", "alpha", 7);
    assert_int_equal(seen.level, PQR_LOG_WARNING);
    assert_ptr_equal(seen.data, &log);
    assert_string_equal(seen.text, "server alpha: 7");
}

static void a_hostile_text_cannot_forge_a_second_line_or_a_terminal_command(void **state)
{
    (void)state;
    struct pqr__log log = {.write = keep, .level = PQR_LOG_INFO};
    pqr__log(&log, PQR_LOG_INFO, "%s", "a\nb\r\x1b[2Jc\x7f");
    assert_string_equal(seen.text, "a\\x0ab\\x0d\\x1b[2Jc\\x7f");
}

static void a_long_line_is_cut(void **state)
{
    (void)state;
    static char text[5000];
    struct pqr__log log = {.write = keep, .level = PQR_LOG_INFO};
    memset(text, 'a', sizeof(text) - 1);
    pqr__log(&log, PQR_LOG_INFO, "%s", text);
    assert_in_range(strlen(seen.text), 900, 1000);
    memset(text, '\n', sizeof(text) - 1);
    pqr__log(&log, PQR_LOG_INFO, "%s", text);
    assert_in_range(strlen(seen.text), 900, 1000);
    assert_null(strchr(seen.text, '\n'));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_is_less_urgent_than_the_level_is_not_even_formatted, reset),
        cmocka_unit_test_setup(a_line_that_comes_of_logging_one_is_dropped, reset),
        cmocka_unit_test_setup(without_a_callback_nothing_happens, reset),
        cmocka_unit_test_setup(the_callback_gets_its_data_the_level_and_the_text, reset),
        cmocka_unit_test_setup(a_hostile_text_cannot_forge_a_second_line_or_a_terminal_command, reset),
        cmocka_unit_test_setup(a_long_line_is_cut, reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
