/* The waiting room: order, lanes, bounds, servers to avoid. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "policy/queue.h"

static struct pqr__queue queue;

static int setup(void **state)
{
    (void)state;
    pqr__queue_init(&queue, 100, 1000);
    return 0;
}

static struct pqr__queue_entry entry(enum pqr__queue_role role, enum pqr__lane lane)
{
    return (struct pqr__queue_entry){.role = (uint8_t)role, .lane = (uint8_t)lane, .bytes = 1};
}

enum { ALL = (1 << PQR__QUEUE_ROLES) - 1 };

static void the_oldest_over_all_roles_goes_first(void **state)
{
    (void)state;
    struct pqr__queue_entry a = entry(PQR__QUEUE_REPLICA, PQR__LANE_NORMAL);
    struct pqr__queue_entry b = entry(PQR__QUEUE_ANY, PQR__LANE_NORMAL);
    struct pqr__queue_entry c = entry(PQR__QUEUE_PRIMARY, PQR__LANE_NORMAL);
    pqr__queue_push(&queue, &a);
    pqr__queue_push(&queue, &b);
    pqr__queue_push(&queue, &c);
    assert_ptr_equal(pqr__queue_take(&queue, PQR__MASK_PRIMARY | PQR__MASK_ANY, PQR__LANE_NORMAL, 0), &b);
    assert_ptr_equal(pqr__queue_take(&queue, ALL, PQR__LANE_NORMAL, 0), &a);
    assert_ptr_equal(pqr__queue_take(&queue, ALL, PQR__LANE_NORMAL, 0), &c);
    assert_null(pqr__queue_take(&queue, ALL, PQR__LANE_NORMAL, 0));
}

static void admin_overtakes_and_normal_is_not_given_to_admin_only_room(void **state)
{
    (void)state;
    struct pqr__queue_entry normal = entry(PQR__QUEUE_PRIMARY, PQR__LANE_NORMAL);
    struct pqr__queue_entry admin = entry(PQR__QUEUE_PRIMARY, PQR__LANE_ADMIN);
    pqr__queue_push(&queue, &normal);
    assert_null(pqr__queue_take(&queue, ALL, PQR__LANE_ADMIN, 0));
    pqr__queue_push(&queue, &admin);
    assert_ptr_equal(pqr__queue_take(&queue, ALL, PQR__LANE_NORMAL, 0), &admin);
    assert_ptr_equal(pqr__queue_take(&queue, ALL, PQR__LANE_NORMAL, 0), &normal);
}

static void an_avoided_server_is_passed_over_by_its_entry_only(void **state)
{
    (void)state;
    struct pqr__queue_entry first = entry(PQR__QUEUE_REPLICA, PQR__LANE_NORMAL);
    struct pqr__queue_entry second = entry(PQR__QUEUE_REPLICA, PQR__LANE_NORMAL);
    first.avoid = 1u << 3;
    pqr__queue_push(&queue, &first);
    pqr__queue_push(&queue, &second);
    assert_ptr_equal(pqr__queue_take(&queue, ALL, PQR__LANE_NORMAL, 3), &second);
    assert_null(pqr__queue_take(&queue, ALL, PQR__LANE_NORMAL, 3));
    pqr__queue_forgive(&queue);
    assert_ptr_equal(pqr__queue_take(&queue, ALL, PQR__LANE_NORMAL, 3), &first);
}

static void one_that_comes_back_keeps_its_place(void **state)
{
    (void)state;
    struct pqr__queue_entry entries[4];
    for (int i = 0; i < 4; i++) {
        entries[i] = entry(PQR__QUEUE_PRIMARY, PQR__LANE_NORMAL);
        pqr__queue_push(&queue, &entries[i]);
    }
    pqr__queue_remove(&queue, &entries[1]);
    pqr__queue_return(&queue, &entries[1]);
    for (int i = 0; i < 4; i++)
        assert_ptr_equal(pqr__queue_take(&queue, ALL, PQR__LANE_NORMAL, 0), &entries[i]);
}

static void bounds_refuse_entries_and_bytes_but_never_who_was_accepted(void **state)
{
    (void)state;
    struct pqr__queue_entry a = entry(PQR__QUEUE_PRIMARY, PQR__LANE_NORMAL), b = a, c = a;
    pqr__queue_init(&queue, 2, 10);
    b.bytes = 10;
    assert_true(pqr__queue_push(&queue, &a));
    assert_false(pqr__queue_push(&queue, &b));
    b.bytes = 9;
    assert_true(pqr__queue_push(&queue, &b));
    c.bytes = 0;
    assert_false(pqr__queue_push(&queue, &c));
    pqr__queue_return(&queue, &c);
    assert_int_equal(pqr__queue_count(&queue), 3);
    assert_int_equal(queue.bytes[PQR__LANE_NORMAL], 10);
    /* The other lane has its own bounds. */
    struct pqr__queue_entry admin = entry(PQR__QUEUE_PRIMARY, PQR__LANE_ADMIN);
    assert_true(pqr__queue_push(&queue, &admin));
    assert_int_equal(queue.bytes[PQR__LANE_ADMIN], 1);
}

static void exempt_entry_takes_its_turn_and_nobodys_place(void **state)
{
    (void)state;
    struct pqr__queue_entry a = entry(PQR__QUEUE_PRIMARY, PQR__LANE_NORMAL), b = a, own = a;
    own.exempt = true;
    own.bytes = 0;
    pqr__queue_init(&queue, 1, 1);
    assert_true(pqr__queue_push(&queue, &own));
    assert_int_equal(pqr__queue_count(&queue), 0);
    assert_int_equal(pqr__queue_waiting(&queue, ALL, PQR__LANE_NORMAL), 1);
    assert_true(pqr__queue_push(&queue, &a));
    assert_false(pqr__queue_push(&queue, &b));
    pqr__queue_remove(&queue, &own);
    assert_int_equal(pqr__queue_count(&queue), 1);
    assert_true(pqr__queue_push(&queue, &own));
    assert_ptr_equal(pqr__queue_take(&queue, ALL, PQR__LANE_NORMAL, 0), &a);
    assert_ptr_equal(pqr__queue_take(&queue, ALL, PQR__LANE_NORMAL, 0), &own);
    pqr__queue_return(&queue, &own);
    assert_int_equal(pqr__queue_count(&queue), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_oldest_over_all_roles_goes_first, setup),
        cmocka_unit_test_setup(admin_overtakes_and_normal_is_not_given_to_admin_only_room, setup),
        cmocka_unit_test_setup(an_avoided_server_is_passed_over_by_its_entry_only, setup),
        cmocka_unit_test_setup(one_that_comes_back_keeps_its_place, setup),
        cmocka_unit_test_setup(exempt_entry_takes_its_turn_and_nobodys_place, setup),
        cmocka_unit_test_setup(bounds_refuse_entries_and_bytes_but_never_who_was_accepted, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
