/* The names of a database: strictest answer, kinds apart, bounds, staleness. */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "heap.h"
#include "pqrouter.h"
#include "policy/catalog.h"
#include "policy/key.h"

enum { MANY = 100000 };

static bool add(struct pqr__catalog *catalog, enum pqr__catalog_kind kind, const char *name,
    enum pqr__catalog_answer answer)
{
    return pqr__catalog_add(catalog, kind, name, strlen(name), answer);
}

static enum pqr__catalog_answer find(
    const struct pqr__catalog *catalog, enum pqr__catalog_kind kind, const char *name)
{
    return pqr__catalog_find(catalog, kind, name, strlen(name));
}

static void nothing_is_known_at_first(void **state)
{
    (void)state;
    struct pqr__catalog catalog;
    pqr__catalog_init(&catalog, 1 << 20);
    assert_int_equal(find(&catalog, PQR__CATALOG_FUNCTION, "f"), PQR__CATALOG_ABSENT);
    assert_int_equal(find(&catalog, PQR__CATALOG_FUNCTION, ""), PQR__CATALOG_ABSENT);
    assert_int_equal(pqr__catalog_bytes(&catalog), sizeof(catalog));
    pqr__catalog_finish(&catalog);
}

static void strictest_of_a_name_wins_in_either_order(void **state)
{
    (void)state;
    struct pqr__catalog catalog;
    pqr__catalog_init(&catalog, 1 << 20);
    assert_true(add(&catalog, PQR__CATALOG_FUNCTION, "f", PQR__CATALOG_HARMLESS));
    assert_int_equal(find(&catalog, PQR__CATALOG_FUNCTION, "f"), PQR__CATALOG_HARMLESS);
    assert_true(add(&catalog, PQR__CATALOG_FUNCTION, "f", PQR__CATALOG_HARMFUL));
    assert_true(add(&catalog, PQR__CATALOG_FUNCTION, "f", PQR__CATALOG_HARMLESS));
    assert_int_equal(find(&catalog, PQR__CATALOG_FUNCTION, "f"), PQR__CATALOG_HARMFUL);
    assert_true(add(&catalog, PQR__CATALOG_FUNCTION, "f", PQR__CATALOG_HARMFUL));
    assert_int_equal(catalog.count, 1);
    assert_int_equal(catalog.harmful[PQR__CATALOG_FUNCTION], 1);
    pqr__catalog_finish(&catalog);
}

static enum pqr__catalog_answer call(const struct pqr__catalog *catalog, const char *name, unsigned n_args)
{
    return pqr__catalog_find_call(catalog, name, strlen(name), n_args);
}

static void overloads_are_told_apart_by_the_number_of_arguments(void **state)
{
    (void)state;
    struct pqr__catalog catalog;
    pqr__catalog_init(&catalog, 1 << 20);
    assert_int_equal(call(&catalog, "f", 1), PQR__CATALOG_ABSENT);
    assert_true(add(&catalog, PQR__CATALOG_FUNCTION, "f", PQR__CATALOG_HARMLESS));
    assert_int_equal(call(&catalog, "f", 1), PQR__CATALOG_HARMLESS);
    assert_false(pqr__catalog_counts(&catalog, "f", 1));
    assert_true(pqr__catalog_add_call(&catalog, "f", 1, 2, 3));
    assert_true(pqr__catalog_add_call(&catalog, "f", 1, 0, 0));
    assert_true(add(&catalog, PQR__CATALOG_FUNCTION, "f", PQR__CATALOG_HARMLESS));
    assert_true(pqr__catalog_counts(&catalog, "f", 1));
    for (unsigned n = 0; n < 10; n++)
        assert_int_equal(call(&catalog, "f", n),
            n == 0 || n == 2 || n == 3 ? PQR__CATALOG_HARMFUL : PQR__CATALOG_HARMLESS);
    assert_int_equal(call(&catalog, "f", 1000), PQR__CATALOG_HARMFUL);
    /* Whoever does not ask with a number gets the strictest. */
    assert_int_equal(find(&catalog, PQR__CATALOG_FUNCTION, "f"), PQR__CATALOG_HARMFUL);
    assert_int_equal(catalog.harmful[PQR__CATALOG_FUNCTION], 1);
    catalog.stale = true;
    assert_false(pqr__catalog_counts(&catalog, "f", 1));
    assert_int_equal(call(&catalog, "f", 1), PQR__CATALOG_HARMFUL);
    pqr__catalog_finish(&catalog);
}

static void any_number_of_arguments_outweighs_the_others(void **state)
{
    static const struct {
        unsigned least, most;
    } any[] = {{0, UINT_MAX}, {UINT_MAX, UINT_MAX}, {1, 50}, {3, 2}, {101, 101}};
    (void)state;
    for (size_t i = 0; i < sizeof(any) / sizeof(any[0]); i++) {
        struct pqr__catalog catalog;
        pqr__catalog_init(&catalog, 1 << 20);
        assert_true(pqr__catalog_add_call(&catalog, "f", 1, 2, 2));
        assert_int_equal(call(&catalog, "f", 1), PQR__CATALOG_HARMLESS);
        assert_true(pqr__catalog_add_call(&catalog, "f", 1, any[i].least, any[i].most));
        assert_true(pqr__catalog_add_call(&catalog, "f", 1, 5, 5));
        assert_false(pqr__catalog_counts(&catalog, "f", 1));
        assert_int_equal(call(&catalog, "f", 1), PQR__CATALOG_HARMFUL);
        pqr__catalog_finish(&catalog);
    }
}

static void kinds_and_spellings_are_apart(void **state)
{
    (void)state;
    struct pqr__catalog catalog;
    pqr__catalog_init(&catalog, 1 << 20);
    assert_true(add(&catalog, PQR__CATALOG_TYPE, "f", PQR__CATALOG_HARMFUL));
    assert_true(add(&catalog, PQR__CATALOG_FUNCTION, "F", PQR__CATALOG_HARMLESS));
    assert_int_equal(find(&catalog, PQR__CATALOG_FUNCTION, "f"), PQR__CATALOG_ABSENT);
    assert_int_equal(find(&catalog, PQR__CATALOG_RELATION, "f"), PQR__CATALOG_ABSENT);
    assert_int_equal(find(&catalog, PQR__CATALOG_TYPE, "f"), PQR__CATALOG_HARMFUL);
    assert_int_equal(find(&catalog, PQR__CATALOG_FUNCTION, "F"), PQR__CATALOG_HARMLESS);
    pqr__catalog_finish(&catalog);
}

static void stale_keeps_what_is_harmful_only(void **state)
{
    (void)state;
    struct pqr__catalog catalog;
    pqr__catalog_init(&catalog, 1 << 20);
    assert_true(add(&catalog, PQR__CATALOG_FUNCTION, "good", PQR__CATALOG_HARMLESS));
    assert_true(add(&catalog, PQR__CATALOG_FUNCTION, "bad", PQR__CATALOG_HARMFUL));
    catalog.stale = true;
    assert_int_equal(find(&catalog, PQR__CATALOG_FUNCTION, "good"), PQR__CATALOG_ABSENT);
    assert_int_equal(find(&catalog, PQR__CATALOG_FUNCTION, "bad"), PQR__CATALOG_HARMFUL);
    pqr__catalog_finish(&catalog);
}

static void names_are_all_found_when_there_are_many(void **state)
{
    (void)state;
    struct pqr__catalog catalog;
    char name[32];
    pqr__catalog_init(&catalog, 32 << 20);
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof(name), "function_%d", i);
        assert_true(add(&catalog, PQR__CATALOG_FUNCTION, name,
            i % 3 == 0 ? PQR__CATALOG_HARMFUL : PQR__CATALOG_HARMLESS));
    }
    assert_int_equal(catalog.count, MANY);
    assert_true(pqr__catalog_bytes(&catalog) <= 32 << 20);
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof(name), "function_%d", i);
        assert_int_equal(find(&catalog, PQR__CATALOG_FUNCTION, name),
            i % 3 == 0 ? PQR__CATALOG_HARMFUL : PQR__CATALOG_HARMLESS);
    }
    assert_int_equal(find(&catalog, PQR__CATALOG_FUNCTION, "function_100000"), PQR__CATALOG_ABSENT);
    pqr__catalog_finish(&catalog);
}

static void bound_is_held_and_what_was_there_stays(void **state)
{
    (void)state;
    struct pqr__catalog catalog;
    char name[32];
    int kept = 0;
    pqr__catalog_init(&catalog, 16384);
    for (; kept < MANY; kept++) {
        snprintf(name, sizeof(name), "function_%d", kept);
        if (!add(&catalog, PQR__CATALOG_FUNCTION, name, PQR__CATALOG_HARMLESS))
            break;
        assert_true(pqr__catalog_bytes(&catalog) <= 16384);
    }
    assert_true(kept > 100);
    assert_true(kept < MANY);
    assert_int_equal(catalog.count, kept);
    assert_int_equal(find(&catalog, PQR__CATALOG_FUNCTION, name), PQR__CATALOG_ABSENT);
    assert_int_equal(find(&catalog, PQR__CATALOG_FUNCTION, "function_0"), PQR__CATALOG_HARMLESS);
    pqr__catalog_finish(&catalog);
}

static void name_of_256_bytes_is_refused(void **state)
{
    (void)state;
    struct pqr__catalog catalog;
    char name[257];
    memset(name, 'x', 256);
    name[256] = '\0';
    pqr__catalog_init(&catalog, 1 << 20);
    assert_false(add(&catalog, PQR__CATALOG_TYPE, name, PQR__CATALOG_HARMFUL));
    name[255] = '\0';
    assert_true(add(&catalog, PQR__CATALOG_TYPE, name, PQR__CATALOG_HARMFUL));
    assert_int_equal(find(&catalog, PQR__CATALOG_TYPE, name), PQR__CATALOG_HARMFUL);
    pqr__catalog_finish(&catalog);
}

/* Each allocation fails in turn. */
static void no_memory_is_told_and_nothing_is_lost(void **state)
{
    assert_int_equal(heap_install(state), 0);
    for (unsigned allowed = 0; allowed < 12; allowed++) {
        struct pqr__catalog catalog;
        char name[32];
        bool fine = true;
        int added = 0;
        heap_reset();
        heap.failing_from = allowed + 1;
        pqr__catalog_init(&catalog, 1 << 20);
        for (; fine && added < 5000; added += fine) {
            snprintf(name, sizeof(name), "function_%d", added);
            fine = add(&catalog, PQR__CATALOG_FUNCTION, name, PQR__CATALOG_HARMFUL);
        }
        assert_false(fine);
        assert_int_equal(catalog.count, added);
        for (int i = 0; i < added; i++) {
            snprintf(name, sizeof(name), "function_%d", i);
            assert_int_equal(find(&catalog, PQR__CATALOG_FUNCTION, name), PQR__CATALOG_HARMFUL);
        }
        pqr__catalog_finish(&catalog);
    }
    heap_reset();
    assert_int_equal(heap.blocks, 0);
    assert_int_equal(pqr_set_allocator(malloc, calloc, realloc, free), 0);
}

static void builtin_parts_are_judged_by_the_table_first(void **state)
{
    (void)state;
    assert_true(pqr__catalog_builtin_is_harmless("int4eq", 'i'));
    assert_true(pqr__catalog_builtin_is_harmless("random", 'v'));
    assert_true(pqr__catalog_builtin_is_harmless("now", 's'));
    assert_false(pqr__catalog_builtin_is_harmless("nextval", 'v'));
    assert_false(pqr__catalog_builtin_is_harmless("txid_current", 's'));
    /* Of a version that the table does not know. */
    assert_true(pqr__catalog_builtin_is_harmless("not_invented_yet", 'i'));
    assert_false(pqr__catalog_builtin_is_harmless("not_invented_yet", 's'));
    assert_true(pqr__catalog_is_server_view("pg_stat_activity"));
    assert_false(pqr__catalog_is_server_view("pg_class"));
}

static void volatile_comparison_spoils_everything(void **state)
{
    (void)state;
    struct pqr__catalog catalog;
    pqr__catalog_init(&catalog, 1 << 20);
    assert_true(add(&catalog, PQR__CATALOG_OPERATOR, "===", PQR__CATALOG_HARMFUL));
    assert_true(add(&catalog, PQR__CATALOG_OPERATOR, "=", PQR__CATALOG_HARMLESS));
    pqr__catalog_seal(&catalog);
    assert_false(catalog.spoiled);
    assert_true(add(&catalog, PQR__CATALOG_OPERATOR, "=", PQR__CATALOG_HARMFUL));
    pqr__catalog_seal(&catalog);
    assert_true(catalog.spoiled);
    pqr__catalog_finish(&catalog);
}

static bool is_held(const struct pqr__catalog *catalog, const char *name)
{
    struct pqr__sieve sieve = pqr__catalog_sieve(catalog);
    struct pqr__key key = pqr__key_of(name, strlen(name));
    return pqr__sieve_holds(&sieve, pqr__key_hash(&key));
}

static void sieve_holds_what_is_harmful_and_little_else(void **state)
{
    (void)state;
    struct pqr__catalog catalog;
    char name[64];
    unsigned in_vain = 0;
    assert_false(is_held(NULL, "f"));
    pqr__catalog_init(&catalog, 1 << 24);
    assert_true(add(&catalog, PQR__CATALOG_OPERATOR, "+++", PQR__CATALOG_HARMFUL));
    assert_true(add(&catalog, PQR__CATALOG_FUNCTION, "f", PQR__CATALOG_HARMLESS));
    pqr__catalog_seal(&catalog);
    assert_false(is_held(&catalog, "f"));
    for (int i = 0; i < 3000; i++) {
        snprintf(name, sizeof(name), i % 2 ? "harmful_%d" : "Quite a long harmful name_%d", i);
        assert_true(add(&catalog,
            (enum pqr__catalog_kind[]){
                PQR__CATALOG_FUNCTION, PQR__CATALOG_TYPE, PQR__CATALOG_RELATION}[i % 3],
            name, PQR__CATALOG_HARMFUL));
        assert_true(is_held(&catalog, name)); /* as anything, until it is sealed */
        assert_true(is_held(&catalog, "other"));
    }
    size_t before = pqr__catalog_bytes(&catalog);
    pqr__catalog_seal(&catalog);
    assert_in_range(pqr__catalog_bytes(&catalog) - before, 3000, 3000 * 4);
    for (int i = 0; i < 3000; i++) {
        snprintf(name, sizeof(name), i % 2 ? "HARMFUL_%d" : "quite A long harmful name_%d", i);
        assert_true(is_held(&catalog, name));
        snprintf(name, sizeof(name), "column_%d", i);
        in_vain += is_held(&catalog, name);
    }
    assert_in_range(in_vain, 0, 600);
    pqr__catalog_finish(&catalog);
}

static void sieve_that_has_no_room_holds_everything(void **state)
{
    (void)state;
    struct pqr__catalog catalog;
    pqr__catalog_init(&catalog, 1 << 20);
    assert_true(add(&catalog, PQR__CATALOG_FUNCTION, "f", PQR__CATALOG_HARMFUL));
    catalog.max_bytes = pqr__catalog_bytes(&catalog);
    pqr__catalog_seal(&catalog);
    assert_null(catalog.sieve);
    assert_true(is_held(&catalog, "f"));
    assert_true(is_held(&catalog, "g"));
    pqr__catalog_finish(&catalog);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_known_at_first),
        cmocka_unit_test(strictest_of_a_name_wins_in_either_order),
        cmocka_unit_test(overloads_are_told_apart_by_the_number_of_arguments),
        cmocka_unit_test(any_number_of_arguments_outweighs_the_others),
        cmocka_unit_test(kinds_and_spellings_are_apart),
        cmocka_unit_test(stale_keeps_what_is_harmful_only),
        cmocka_unit_test(names_are_all_found_when_there_are_many),
        cmocka_unit_test(bound_is_held_and_what_was_there_stays),
        cmocka_unit_test(name_of_256_bytes_is_refused),
        cmocka_unit_test(no_memory_is_told_and_nothing_is_lost),
        cmocka_unit_test(builtin_parts_are_judged_by_the_table_first),
        cmocka_unit_test(volatile_comparison_spoils_everything),
        cmocka_unit_test(sieve_holds_what_is_harmful_and_little_else),
        cmocka_unit_test(sieve_that_has_no_room_holds_everything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
