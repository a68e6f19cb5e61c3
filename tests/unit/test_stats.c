/* The snapshot: one block of memory, its strings, and what is asked of it from outside. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "heap.h"
#include "observe/stats.h"

static void a_snapshot_is_one_allocation(void **state)
{
    (void)state;
    pqr_stats *stats = NULL;
    heap_reset();
    assert_int_equal(pqr__stats_new(&stats, 64, 1000), 0);
    for (int i = 0; i < 10; i++)
        pqr__stats_text(stats, "some text");
    pqr_stats_free(stats);
    assert_int_equal(heap.calls, 1);
    assert_int_equal(heap.frees, 1);
}

static void a_new_snapshot_is_empty_and_says_its_size(void **state)
{
    (void)state;
    pqr_stats *stats = NULL;
    assert_int_equal(pqr__stats_new(&stats, 2, 0), 0);
    const pqr_router_totals *totals = pqr_stats_totals(stats);
    assert_int_equal(totals->struct_size, sizeof(*totals));
    assert_int_equal(totals->n_pools, 2);
    assert_true(totals->accepted == 0 && totals->latency.count == 0);
    for (size_t i = 0; i < 2; i++) {
        const pqr_pool_stats *pool = pqr_stats_pool(stats, i);
        assert_string_equal(pool->server, "");
        assert_string_equal(pool->host, "");
        assert_string_equal(pool->port, "");
        assert_string_equal(pool->problem, "");
        assert_string_equal(pool->sizing, "");
        assert_int_equal(pool->role, PQR_ROLE_UNKNOWN);
    }
    pqr_stats_free(stats);
}

static void a_pool_that_is_not_there_is_null(void **state)
{
    (void)state;
    pqr_stats *stats = NULL;
    assert_int_equal(pqr__stats_new(&stats, 2, 0), 0);
    assert_non_null(pqr_stats_pool(stats, 1));
    assert_null(pqr_stats_pool(stats, 2));
    assert_null(pqr_stats_pool(stats, SIZE_MAX));
    assert_null(pqr_stats_pool(NULL, 0));
    assert_null(pqr_stats_totals(NULL));
    pqr_stats_free(stats);
    pqr_stats_free(NULL);
}

static void strings_are_copies(void **state)
{
    (void)state;
    pqr_stats *stats = NULL;
    char name[] = "alpha", host[] = "db.example";
    assert_int_equal(pqr__stats_new(&stats, 1, sizeof(name) + sizeof(host)), 0);
    const char *name_copy = pqr__stats_text(stats, name), *host_copy = pqr__stats_text(stats, host);
    memset(name, 'x', sizeof(name) - 1);
    memset(host, 'x', sizeof(host) - 1);
    assert_string_equal(name_copy, "alpha");
    assert_string_equal(host_copy, "db.example");
    pqr_stats_free(stats);
}

static void strings_that_do_not_fit_are_cut_and_never_overflow(void **state)
{
    (void)state;
    for (size_t room = 0; room < 20; room++) {
        pqr_stats *stats = NULL;
        assert_int_equal(pqr__stats_new(&stats, 1, room), 0);
        const char *first = pqr__stats_text(stats, "12345"), *second = pqr__stats_text(stats, "abcdef");
        const char *third = pqr__stats_text(stats, "x");
        assert_memory_equal(first, "12345", strlen(first));
        assert_memory_equal(second, "abcdef", strlen(second));
        assert_int_equal(strlen(first), room < 2 ? 0 : room - 1 < 5 ? room - 1 : 5);
        assert_true(strlen(first) + strlen(second) + strlen(third) <= room);
        assert_string_equal(pqr__stats_text(stats, NULL), "");
        pqr_stats_free(stats);
    }
}

static void no_memory_is_told_and_leaves_the_output_alone(void **state)
{
    (void)state;
    pqr_stats *stats = NULL;
    heap_reset();
    heap.failing_from = 1;
    assert_int_equal(pqr__stats_new(&stats, 3, 100), PQR_ENOMEM);
    heap_reset();
    assert_null(stats);
    assert_int_equal(pqr__stats_new(&stats, SIZE_MAX / 2, 0), PQR_ENOMEM);
    assert_int_equal(pqr__stats_new(&stats, 1, SIZE_MAX / 2), PQR_ENOMEM);
    assert_null(stats);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_snapshot_is_one_allocation),
        cmocka_unit_test(a_new_snapshot_is_empty_and_says_its_size),
        cmocka_unit_test(a_pool_that_is_not_there_is_null),
        cmocka_unit_test(strings_are_copies),
        cmocka_unit_test(strings_that_do_not_fit_are_cut_and_never_overflow),
        cmocka_unit_test(no_memory_is_told_and_leaves_the_output_alone),
    };
    return cmocka_run_group_tests(tests, heap_install, NULL);
}
