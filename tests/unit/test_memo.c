/* The memory of verdicts: the same answers as the classifier's, within its bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "base/random.h"
#include "policy/memo.h"

static const struct pqr__dialect dialect = {.standard_conforming_strings = true, .ascii_safe = true};
static struct pqr__memo memo;

static void classify(const char *sql, struct pqr__verdict *out)
{
    pqr__memo_classify(&memo, out, sql, strlen(sql), &dialect);
}

static void expect_as_read(const char *sql)
{
    struct pqr__verdict read, known;
    pqr__classify(&read, sql, strlen(sql), &dialect);
    classify(sql, &known);
    assert_int_equal(known.route, read.route);
    assert_int_equal(known.effect, read.effect);
    assert_int_equal(known.hint, read.hint);
    assert_int_equal(known.reason, read.reason);
    assert_int_equal(known.several, read.several);
    assert_int_equal(known.word_offset, read.word_offset);
    assert_int_equal(known.word_length, read.word_length);
}

static void a_text_sent_three_times_is_read_twice(void **state)
{
    (void)state;
    struct pqr__verdict verdict;
    pqr__memo_init(&memo, 7, 1 << 20);
    for (int i = 0; i < 10; i++)
        classify("select 1", &verdict);
    assert_int_equal(memo.misses, 2);
    assert_int_equal(memo.hits, 8);
    assert_int_equal(memo.bytes, 8);
    pqr__memo_finish(&memo);
}

static void a_text_sent_once_takes_no_room(void **state)
{
    (void)state;
    struct pqr__verdict verdict;
    pqr__memo_init(&memo, 7, 1 << 20);
    for (int i = 0; i < 5000; i++) {
        char sql[64];
        snprintf(sql, sizeof(sql), "select %d", i);
        classify(sql, &verdict);
    }
    assert_int_equal(memo.bytes, 0);
    pqr__memo_finish(&memo);
}

static void random_texts_get_the_classifiers_verdict_within_the_bound(void **state)
{
    (void)state;
    static const char *const shapes[][2] = {{"select * from t", " where i = $1"},
        {"insert into t", " values ($1)"}, {"update t", " set i = 1"}, {"select nextval('s", "')"},
        {"/*pqr:primary*/ select ", ""}, {"select ", "; delete from t"}};
    struct pqr__random random;
    pqr__random_seed(&random, 3);
    pqr__memo_init(&memo, 11, 4000);
    for (int i = 0; i < 50000; i++) {
        char sql[100];
        const char *const *shape = shapes[pqr__random_below(&random, 6)];
        snprintf(sql, sizeof(sql), "%s%u%s", shape[0], (unsigned)pqr__random_below(&random, 40), shape[1]);
        expect_as_read(sql);
        assert_true(memo.bytes <= 4000);
    }
    assert_true(memo.hits > 1000);
    pqr__memo_finish(&memo);
    assert_int_equal(memo.bytes, 0);
}

static void a_long_text_is_read_each_time(void **state)
{
    (void)state;
    static char sql[PQR__MEMO_TEXT_MAX + 100];
    memset(sql, ' ', sizeof(sql) - 1);
    memcpy(sql, "select 1", 8);
    pqr__memo_init(&memo, 7, 1 << 20);
    for (int i = 0; i < 3; i++)
        expect_as_read(sql);
    assert_int_equal(memo.hits + memo.misses, 0);
    pqr__memo_finish(&memo);
}

static void a_changed_dialect_is_not_answered_from_memory(void **state)
{
    (void)state;
    static const char sql[] = "select '\\'; delete from t --'";
    struct pqr__dialect old = {.standard_conforming_strings = false, .ascii_safe = true};
    struct pqr__verdict verdict;
    pqr__memo_init(&memo, 7, 1 << 20);
    for (int i = 0; i < 3; i++)
        pqr__memo_classify(&memo, &verdict, sql, strlen(sql), &old);
    assert_int_equal(verdict.route, PQR_CLASS_REPLICA);
    pqr__memo_clear(&memo);
    expect_as_read(sql);
    classify(sql, &verdict);
    assert_int_equal(verdict.route, PQR_CLASS_PRIMARY);
    pqr__memo_finish(&memo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_sent_three_times_is_read_twice),
        cmocka_unit_test(a_text_sent_once_takes_no_room),
        cmocka_unit_test(random_texts_get_the_classifiers_verdict_within_the_bound),
        cmocka_unit_test(a_long_text_is_read_each_time),
        cmocka_unit_test(a_changed_dialect_is_not_answered_from_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
