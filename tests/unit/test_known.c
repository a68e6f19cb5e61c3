/* The known texts: the same answers as the classifier's, within its bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "base/random.h"
#include "heap.h"
#include "policy/known.h"

static const struct pqr__dialect dialect = {.standard_conforming_strings = true, .ascii_safe = true};
static struct pqr__known_table table;

static void classify(const char *sql, struct pqr__verdict *out)
{
    pqr__known_unref(pqr__known_classify(&table, out, sql, strlen(sql), &dialect));
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
    pqr__known_init(&table, 7, 1 << 20);
    for (int i = 0; i < 10; i++)
        classify("select 1", &verdict);
    assert_int_equal(table.misses, 2);
    assert_int_equal(table.hits, 8);
    assert_int_equal(table.bytes, sizeof(struct pqr__known) + 9);
    pqr__known_finish(&table);
}

static void a_text_sent_once_takes_no_room(void **state)
{
    (void)state;
    struct pqr__verdict verdict;
    pqr__known_init(&table, 7, 1 << 20);
    for (int i = 0; i < 5000; i++) {
        char sql[64];
        snprintf(sql, sizeof(sql), "select %d", i);
        classify(sql, &verdict);
    }
    assert_int_equal(table.bytes, 0);
    pqr__known_finish(&table);
}

static void random_texts_get_the_classifiers_verdict_within_the_bound(void **state)
{
    (void)state;
    static const char *const shapes[][2] = {{"select * from t", " where i = $1"},
        {"insert into t", " values ($1)"}, {"update t", " set i = 1"}, {"select nextval('s", "')"},
        {"/*pqr:primary*/ select ", ""}, {"select ", "; delete from t"}};
    struct pqr__random random;
    pqr__random_seed(&random, 3);
    pqr__known_init(&table, 11, 8000);
    for (int i = 0; i < 50000; i++) {
        char sql[100];
        const char *const *shape = shapes[pqr__random_below(&random, 6)];
        snprintf(sql, sizeof(sql), "%s%u%s", shape[0], (unsigned)pqr__random_below(&random, 40), shape[1]);
        expect_as_read(sql);
        assert_true(table.bytes <= 8000);
    }
    assert_true(table.hits > 300);
    pqr__known_finish(&table);
    assert_int_equal(table.bytes, 0);
}

static void a_long_text_is_read_each_time(void **state)
{
    (void)state;
    static char sql[PQR__KNOWN_TEXT_MAX + 100];
    memset(sql, ' ', sizeof(sql) - 1);
    memcpy(sql, "select 1", 8);
    pqr__known_init(&table, 7, 1 << 20);
    for (int i = 0; i < 3; i++)
        expect_as_read(sql);
    assert_int_equal(table.hits + table.misses, 0);
    pqr__known_finish(&table);
}

static void a_changed_dialect_is_not_answered_from_memory(void **state)
{
    (void)state;
    static const char sql[] = "select '\\'; delete from t --'";
    struct pqr__dialect old = {.standard_conforming_strings = false, .ascii_safe = true};
    struct pqr__verdict verdict;
    pqr__known_init(&table, 7, 1 << 20);
    for (int i = 0; i < 3; i++)
        pqr__known_unref(pqr__known_classify(&table, &verdict, sql, strlen(sql), &old));
    assert_int_equal(verdict.route, PQR_CLASS_REPLICA);
    pqr__known_outdate(&table);
    expect_as_read(sql);
    classify(sql, &verdict);
    assert_int_equal(verdict.route, PQR_CLASS_PRIMARY);
    pqr__known_finish(&table);
}

static void what_is_known_outlives_its_place_in_the_table(void **state)
{
    (void)state;
    struct pqr__verdict verdict;
    pqr__known_init(&table, 7, 1 << 20);
    assert_null(pqr__known_classify(&table, &verdict, "select 1", 8, &dialect));
    struct pqr__known *known = pqr__known_classify(&table, &verdict, "select 1", 8, &dialect);
    assert_non_null(known);
    pqr__history_done(&known->history, 100);
    struct pqr__known *again = pqr__known_classify(&table, &verdict, "select 1", 8, &dialect);
    assert_ptr_equal(known, again);
    pqr__known_unref(again);
    pqr__known_finish(&table);
    assert_string_equal(known->text, "select 1");
    pqr__known_unref(known);
}

static void a_number_is_for_one_text_and_one_list_of_types(void **state)
{
    (void)state;
    static const Oid ints[] = {23, 23}, other[] = {23, 25};
    struct pqr__verdict verdict;
    pqr__known_init(&table, 7, 1 << 20);
    struct pqr__known *a = pqr__known_keep(&table, &verdict, "select $1 + $2", 14, &dialect);
    struct pqr__known *b = pqr__known_keep(&table, &verdict, "select $1 - $2", 14, &dialect);
    uint64_t number = pqr__known_number(a, 2, ints);
    assert_true(number != 0);
    assert_true(pqr__known_number(a, 2, ints) == number);
    assert_true(pqr__known_number(a, 2, other) == 0);
    assert_true(pqr__known_number(a, 2, NULL) == 0);
    assert_true(pqr__known_number(a, 1, ints) == 0);
    assert_true(pqr__known_number(a, PQR__KNOWN_TYPES + 1, ints) == 0);
    assert_true(pqr__known_number(b, 2, NULL) != number);
    assert_true(pqr__known_number(b, 2, NULL) != 0);
    pqr__known_unref(a);
    pqr__known_unref(b);
    pqr__known_finish(&table);
}

static void knowledge_renewed_keeps_histories(void **state)
{
    (void)state;
    struct pqr__verdict verdict;
    pqr__known_init(&table, 7, 1 << 20);
    struct pqr__known *known = pqr__known_keep(&table, &verdict, "select 1", 8, &dialect);
    known->refused = true;
    pqr__history_done(&known->history, 50);
    pqr__known_outdate(&table);
    pqr__known_verdict(known, &verdict, &table, &dialect);
    assert_false(known->refused);
    assert_true(pqr__history_bound_us(&known->history) < 1000);
    pqr__known_unref(known);
    pqr__known_finish(&table);
}

/* --- named beforehand --- */

static struct pqr__known *classified(const char *sql)
{
    struct pqr__verdict verdict;
    return pqr__known_classify(&table, &verdict, sql, strlen(sql), &dialect);
}

static uint64_t number_of(const char *sql, int n_params, const Oid *types)
{
    struct pqr__known *known = classified(sql);
    uint64_t number = known ? pqr__known_number(known, n_params, types) : 0;
    pqr__known_unref(known);
    return number;
}

static void named_texts_are_kept_whatever_else_comes(void **state)
{
    (void)state;
    pqr__known_init(&table, 7, 1 << 16);
    assert_true(pqr__known_name(&table, "select $2, '$9', $1 from t\0select 2\0", &dialect));
    assert_int_equal(table.n_named, 2);
    uint64_t number = table.named[0]->number;
    for (int i = 0; i < 20000; i++) {
        char sql[64];
        snprintf(sql, sizeof(sql), "select %d from u", i % 5000);
        number_of(sql, 0, NULL);
        number_of(sql, 0, NULL);
    }
    assert_int_equal(number_of("select $2, '$9', $1 from t", 2, NULL), number);
    uint64_t hits = table.hits;
    assert_int_equal(number_of("select $2, '$9', $1 from t", 2, NULL), number);
    assert_int_equal(table.hits, hits + 1);
    struct pqr__known *known = classified("select 2");
    assert_ptr_equal(known, table.named[1]);
    assert_true(known->uses > 1000000);
    pqr__known_unref(known);
    pqr__known_finish(&table);
}

/* What was prepared with types that the server inferred is not run with others. */
static void types_that_requests_name_take_the_place_of_a_guess(void **state)
{
    static const Oid int8 = 20, none = 0;
    (void)state;
    pqr__known_init(&table, 7, 1 << 16);
    assert_true(pqr__known_name(&table, "select $1\0select 2, $1\0", &dialect));
    uint64_t first = table.named[0]->number, second = table.named[1]->number;
    uint64_t typed = number_of("select $1", 1, &int8);
    assert_true(typed != 0 && typed != first && typed != second);
    assert_int_equal(table.named[0]->number, typed);
    assert_int_equal(table.named[0]->types[0], 20);
    assert_int_equal(number_of("select $1", 1, NULL), 0); /* as with any text: the first given count */
    assert_int_equal(number_of("select 2, $1", 1, &none), second);
    assert_int_equal(number_of("select 2, $1", 1, &int8), 0); /* it is no guess any longer */
    pqr__known_finish(&table);
}

static void naming_anew_keeps_the_numbers_of_those_that_stay(void **state)
{
    (void)state;
    pqr__known_init(&table, 7, 1 << 16);
    assert_true(pqr__known_name(&table, "select 1\0select 2\0", &dialect));
    uint64_t number = table.named[1]->number;
    assert_true(pqr__known_name(&table, "select 2\0select 3\0", &dialect));
    assert_int_equal(table.named[0]->number, number);
    assert_true(pqr__known_name(&table, NULL, &dialect));
    assert_int_equal(table.n_named, 0);
    pqr__known_finish(&table);
}

static void naming_without_memory_changes_nothing(void **state)
{
    (void)state;
    pqr__known_init(&table, 7, 1 << 16);
    assert_true(pqr__known_name(&table, "select 1\0", &dialect));
    for (unsigned i = 0; i < 2; i++) {
        heap_reset();
        heap.failing_at = i + 1;
        assert_false(pqr__known_name(&table, "select 2\0select 3\0", &dialect));
        heap_reset();
        assert_int_equal(table.n_named, 1);
        assert_string_equal(table.named[0]->text, "select 1");
    }
    pqr__known_finish(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_sent_three_times_is_read_twice),
        cmocka_unit_test(a_text_sent_once_takes_no_room),
        cmocka_unit_test(random_texts_get_the_classifiers_verdict_within_the_bound),
        cmocka_unit_test(a_long_text_is_read_each_time),
        cmocka_unit_test(a_changed_dialect_is_not_answered_from_memory),
        cmocka_unit_test(what_is_known_outlives_its_place_in_the_table),
        cmocka_unit_test(a_number_is_for_one_text_and_one_list_of_types),
        cmocka_unit_test(knowledge_renewed_keeps_histories),
        cmocka_unit_test(named_texts_are_kept_whatever_else_comes),
        cmocka_unit_test(types_that_requests_name_take_the_place_of_a_guess),
        cmocka_unit_test(naming_anew_keeps_the_numbers_of_those_that_stay),
        cmocka_unit_test(naming_without_memory_changes_nothing),
    };
    return cmocka_run_group_tests(tests, heap_install, NULL);
}
