/* Names and texts of codes, and the error that a caller may pass in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <string.h>

#include "base/error.h"

static void every_code_has_its_name_and_a_text(void **state)
{
    (void)state;
#define XX(name, number, text)                                     \
    assert_int_equal(PQR_##name, number);                          \
    assert_true(PQR_##name < 0);                                   \
    assert_string_equal(pqr_error_name(PQR_##name), "PQR_" #name); \
    assert_string_equal(pqr_error_text(PQR_##name), text);
    PQR_ERRNO_MAP(XX)
#undef XX
    assert_string_equal(pqr_error_name(0), "PQR_OK");
    assert_string_equal(pqr_error_text(0), "success");
}

static void an_unknown_code_has_a_name_too(void **state)
{
    (void)state;
    static const int codes[] = {1, -999, INT32_MIN, INT32_MAX};
    for (int i = 0; i < 4; i++) {
        assert_string_equal(pqr_error_name(codes[i]), "PQR_UNKNOWN");
        assert_string_equal(pqr_error_text(codes[i]), "unknown error");
    }
}

static void statuses_and_outcomes_carry_the_words_of_the_api(void **state)
{
    (void)state;
    static const char *const statuses[] = {
        "ok", "sql_error", "cancelled", "timeout", "unavailable", "overloaded", "lost", "closed"};
    static const char *const outcomes[] = {"executed", "not_executed", "unknown"};
    for (int i = 0; i < 8; i++)
        assert_string_equal(pqr_status_name((pqr_status)i), statuses[i]);
    for (int i = 0; i < 3; i++)
        assert_string_equal(pqr_outcome_name((pqr_outcome)i), outcomes[i]);
    assert_string_equal(pqr_status_name((pqr_status)8), "unknown");
    assert_string_equal(pqr_outcome_name((pqr_outcome)3), "unknown");
}

static void roles_levels_and_classes_have_names(void **state)
{
    (void)state;
    static const char *const roles[] = {"unknown", "primary", "replica", "down", "wrong_cluster", "fenced"};
    static const char *const levels[] = {"error", "warning", "info", "debug"};
    static const char *const classes[] = {"primary", "replica", "session"};
    for (int i = 0; i < 6; i++)
        assert_string_equal(pqr_role_name((pqr_role)i), roles[i]);
    for (int i = 0; i < 4; i++)
        assert_string_equal(pqr_log_level_name((pqr_log_level)i), levels[i]);
    for (int i = 0; i < 3; i++)
        assert_string_equal(pqr_class_name((pqr_class)i), classes[i]);
    assert_string_equal(pqr_role_name((pqr_role)6), "unknown");
    assert_string_equal(pqr_log_level_name((pqr_log_level)4), "unknown");
    assert_string_equal(pqr_class_name((pqr_class)3), "unknown");
    assert_string_equal(pqr_role_name((pqr_role)-1), "unknown");
}

static void an_error_is_filled_and_its_code_returned(void **state)
{
    (void)state;
    pqr_error error = {0};
    assert_int_equal(pqr__error_set(&error, PQR_EIO, "%s: %d", "file", 7), PQR_EIO);
    assert_int_equal(error.code, PQR_EIO);
    assert_string_equal(error.message, "file: 7");
}

static void a_caller_may_not_want_to_know(void **state)
{
    (void)state;
    assert_int_equal(pqr__error_set(NULL, PQR_ECONFIG, "%s", "text"), PQR_ECONFIG);
}

static void a_long_message_is_cut_and_ended(void **state)
{
    (void)state;
    static char text[20000];
    static pqr_error error;
    memset(text, 'a', sizeof(text) - 1);
    memset(error.message, 'b', sizeof(error.message));
    assert_int_equal(pqr__error_set(&error, PQR_EINVAL, "%s", text), PQR_EINVAL);
    assert_int_equal(strlen(error.message), sizeof(error.message) - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_has_its_name_and_a_text),
        cmocka_unit_test(an_unknown_code_has_a_name_too),
        cmocka_unit_test(statuses_and_outcomes_carry_the_words_of_the_api),
        cmocka_unit_test(roles_levels_and_classes_have_names),
        cmocka_unit_test(an_error_is_filled_and_its_code_returned),
        cmocka_unit_test(a_caller_may_not_want_to_know),
        cmocka_unit_test(a_long_message_is_cut_and_ended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
