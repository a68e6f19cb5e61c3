/* The replaceable heap: all goes through it, and what it cannot give is NULL. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "pqrouter.h"

static unsigned mallocs, callocs, reallocs, frees;
static size_t last_size;
static bool no_memory;
static unsigned char freed[16]; /* what a block held when it was freed */

static void *own_malloc(size_t size)
{
    mallocs++;
    last_size = size;
    return no_memory ? NULL : malloc(size);
}

static void *own_calloc(size_t count, size_t size)
{
    callocs++;
    last_size = count * size;
    return no_memory ? NULL : calloc(count, size);
}

static void *own_realloc(void *memory, size_t size)
{
    reallocs++;
    last_size = size;
    return no_memory ? NULL : realloc(memory, size);
}

static void own_free(void *memory)
{
    frees++;
    if (memory && last_size >= sizeof(freed))
        memcpy(freed, memory, sizeof(freed));
    free(memory);
}

static int reset(void **state)
{
    (void)state;
    mallocs = callocs = reallocs = frees = 0;
    no_memory = false;
    return pqr_set_allocator(own_malloc, own_calloc, own_realloc, own_free);
}

static void a_heap_that_is_not_whole_is_refused_and_changes_nothing(void **state)
{
    (void)state;
    assert_int_equal(pqr_set_allocator(NULL, calloc, realloc, free), PQR_EINVAL);
    assert_int_equal(pqr_set_allocator(malloc, NULL, realloc, free), PQR_EINVAL);
    assert_int_equal(pqr_set_allocator(malloc, calloc, NULL, free), PQR_EINVAL);
    assert_int_equal(pqr_set_allocator(malloc, calloc, realloc, NULL), PQR_EINVAL);
    pqr__free(pqr__malloc(1));
    assert_int_equal(mallocs, 1);
    assert_int_equal(frees, 1);
}

static void every_way_to_memory_leads_through_the_four_functions(void **state)
{
    (void)state;
    pqr_free(pqr__malloc(10));
    pqr__free(pqr__calloc(3, 4));
    assert_int_equal(last_size, 12);
    pqr__free(pqr__realloc(pqr__strdup("abc"), 100));
    pqr__free(pqr__strndup("abc", 2));
    pqr__free(pqr__memdup("abc", 3));
    assert_int_equal(mallocs, 4);
    assert_int_equal(callocs, 1);
    assert_int_equal(reallocs, 1);
    assert_int_equal(frees, 5);
    pqr_free(NULL);
    pqr__free(NULL);
    pqr__free_wiped(NULL, 10);
}

static void nothing_asked_for_is_still_memory(void **state)
{
    (void)state;
    void *blocks[] = {pqr__malloc(0), pqr__calloc(0, 8), pqr__calloc(8, 0), pqr__realloc(NULL, 0),
        pqr__memdup("", 0), pqr__strdup("")};
    for (size_t i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++) {
        assert_non_null(blocks[i]);
        pqr__free(blocks[i]);
    }
}

static void copies_hold_what_was_copied(void **state)
{
    (void)state;
    char *whole = pqr__strdup("abcdef"), *part = pqr__strndup("abcdef", 3), *bytes = pqr__memdup("a\0b", 3);
    assert_string_equal(whole, "abcdef");
    assert_string_equal(part, "abc");
    assert_memory_equal(bytes, "a\0b", 3);
    pqr__free(whole);
    pqr__free(part);
    pqr__free(bytes);
}

static void no_memory_is_null_everywhere(void **state)
{
    (void)state;
    no_memory = true;
    assert_null(pqr__malloc(1));
    assert_null(pqr__calloc(1, 1));
    assert_null(pqr__realloc(NULL, 1));
    assert_null(pqr__strdup("a"));
    assert_null(pqr__strndup("a", 1));
    assert_null(pqr__memdup("a", 1));
    no_memory = false;
    assert_null(pqr__strndup("a", SIZE_MAX));
}

static void a_secret_is_gone_before_its_memory_is_freed(void **state)
{
    (void)state;
    static const unsigned char zeros[sizeof(freed)];
    char *secret = pqr__malloc(32);
    memset(secret, 's', 32);
    memset(freed, 'x', sizeof(freed));
    pqr__free_wiped(secret, 32);
    assert_memory_equal(freed, zeros, sizeof(freed));
    char kept[8] = "abcdefg";
    pqr__wipe(kept, 3);
    assert_memory_equal(kept, "\0\0\0defg", 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_heap_that_is_not_whole_is_refused_and_changes_nothing, reset),
        cmocka_unit_test_setup(every_way_to_memory_leads_through_the_four_functions, reset),
        cmocka_unit_test_setup(nothing_asked_for_is_still_memory, reset),
        cmocka_unit_test_setup(copies_hold_what_was_copied, reset),
        cmocka_unit_test_setup(no_memory_is_null_everywhere, reset),
        cmocka_unit_test_setup(a_secret_is_gone_before_its_memory_is_freed, reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
