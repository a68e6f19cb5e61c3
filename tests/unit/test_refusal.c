#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "postgres/refusal.h"

static char sqlstate[6];
static char message[200];

static void read_text(const char *text)
{
    memset(sqlstate, 'x', sizeof(sqlstate));
    pqr__refusal_read(sqlstate, message, sizeof(message), text);
}

static void the_sqlstate_is_taken_out_of_the_text(void **state)
{
    (void)state;
    read_text("connection to server at \"127.0.0.1\", port 5432 failed: FATAL:  28P01: password "
              "authentication failed "
              "for user \"app\"\nLOCATION:  auth_failed, auth.c:326\n");
    assert_string_equal(sqlstate, "28P01");
    assert_string_equal(message, "connection to server at \"127.0.0.1\", port 5432 failed: FATAL: password "
                                 "authentication failed for user "
                                 "\"app\"");
}

static void a_translated_severity_is_no_obstacle(void **state)
{
    (void)state;
    read_text("ВАЖНО:  53300: извините, уже слишком много клиентов\n");
    assert_string_equal(sqlstate, "53300");
    assert_string_equal(message, "ВАЖНО: извините, уже слишком много клиентов");
}

static void without_an_sqlstate_there_is_none(void **state)
{
    (void)state;
    read_text("connection to server at \"127.0.0.1\", port 1 failed: Connection refused\n\tIs the server "
              "running on "
              "that host and accepting TCP/IP connections?\n");
    assert_string_equal(sqlstate, "");
    assert_string_equal(message, "connection to server at \"127.0.0.1\", port 1 failed: Connection refused");
}

static void of_several_attempts_the_last_one_counts(void **state)
{
    (void)state;
    read_text("at \"::1\" failed: FATAL:  57P03: the database system is starting up\nLOCATION:  x, y.c:1\n"
              "at \"127.0.0.1\" failed: FATAL:  28000: no pg_hba.conf entry\nLOCATION:  x, y.c:2\n");
    assert_string_equal(sqlstate, "28000");
    assert_string_equal(message,
        "at \"::1\" failed: FATAL: the database system is starting up at \"127.0.0.1\" "
        "failed: FATAL: no pg_hba.conf entry");
}

static void what_only_looks_like_an_sqlstate_stays(void **state)
{
    (void)state;
    read_text("FATAL:  28p01: x FATAL:  28P0: y FATAL:  28P012: z FATAL:  ");
    assert_string_equal(sqlstate, "");
    assert_string_equal(message, "FATAL:  28p01: x FATAL:  28P0: y FATAL:  28P012: z FATAL:");
    read_text("");
    assert_string_equal(sqlstate, "");
    assert_string_equal(message, "");
}

/* Every text cut after every byte into a buffer of every size: a sanitizer would see a byte too many. */
static void any_cut_is_fine(void **state)
{
    (void)state;
    const char *text = "a\n\thint\n b\tFATAL:  28P01: c\nLOCATION:  d, e.c:1\nfg\n";
    for (size_t length = 0; length <= strlen(text); length++) {
        for (size_t size = 1; size <= strlen(text) + 1; size++) {
            char *cut = strndup(text, length);
            char *out = malloc(size);
            assert_non_null(cut);
            assert_non_null(out);
            pqr__refusal_read(sqlstate, out, size, cut);
            assert_true(strlen(out) < size);
            free(cut);
            free(out);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_sqlstate_is_taken_out_of_the_text),
        cmocka_unit_test(a_translated_severity_is_no_obstacle),
        cmocka_unit_test(without_an_sqlstate_there_is_none),
        cmocka_unit_test(of_several_attempts_the_last_one_counts),
        cmocka_unit_test(what_only_looks_like_an_sqlstate_stays),
        cmocka_unit_test(any_cut_is_fine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
