/* Statements and where they may run, in classifier_cases.txt form below; then what must not change an answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "policy/classifier.h"

static const struct pqr__dialect usual = {.standard_conforming_strings = true, .ascii_safe = true};

#define R PQR_CLASS_REPLICA, PQR__EFFECT_READ
#define W PQR_CLASS_PRIMARY, PQR__EFFECT_WRITE
#define P PQR_CLASS_PRIMARY, PQR__EFFECT_PARTIAL
#define U PQR_CLASS_PRIMARY, PQR__EFFECT_UNKNOWN
#define S PQR_CLASS_SESSION, PQR__EFFECT_SESSION
#define T PQR_CLASS_SESSION, PQR__EFFECT_TRANSACTION

static const struct {
    const char *sql;
    pqr_class route;
    enum pqr__effect effect;
    const char *reason; /* NULL: whatever */
} cases[] = {
#include "classifier_cases.inc"
};

enum { CASES = sizeof(cases) / sizeof(cases[0]) };

static struct pqr__verdict verdict_of(const char *sql)
{
    struct pqr__verdict verdict;
    pqr__classify(&verdict, sql, strlen(sql), &usual);
    return verdict;
}

static void every_statement_gets_its_answer(void **state)
{
    (void)state;
    unsigned wrong = 0;
    for (size_t i = 0; i < CASES; i++) {
        struct pqr__verdict verdict = verdict_of(cases[i].sql);
        char reason[120];
        pqr__verdict_text(&verdict, cases[i].sql, reason, sizeof(reason));
        if (verdict.route == cases[i].route && verdict.effect == cases[i].effect &&
            (cases[i].reason == NULL || strcmp(reason, cases[i].reason) == 0))
            continue;
        wrong++;
        print_error("%s\n  is %s, effect %d, \"%s\"\n", cases[i].sql, pqr_class_name(verdict.route),
            (int)verdict.effect, reason);
    }
    assert_int_equal(wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_statement_gets_its_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
