/* The intrusive list against a plain array. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <string.h>

#include "base/list.h"
#include "base/random.h"

struct thing {
    int number;
    struct pqr__link link;
};

static void assert_numbers(const struct pqr__list *list, const int *expected, uint32_t n)
{
    uint32_t i = 0;
    assert_int_equal(list->count, n);
    pqr__list_each (link, list) {
        assert_true(i < n);
        assert_int_equal(pqr__container_of(link, struct thing, link)->number, expected[i]);
        assert_ptr_equal(link->next->prev, link);
        i++;
    }
    assert_int_equal(i, n);
    assert_int_equal(pqr__list_empty(list), n == 0);
}

static void an_empty_list_has_no_first_and_no_last(void **state)
{
    (void)state;
    struct pqr__list list;
    pqr__list_init(&list);
    assert_numbers(&list, NULL, 0);
    assert_null(pqr__list_first(&list));
    assert_null(pqr__list_last(&list));
}

static void entries_come_back_in_the_order_of_both_ends(void **state)
{
    (void)state;
    struct thing things[4] = {{.number = 0}, {.number = 1}, {.number = 2}, {.number = 3}};
    struct pqr__list list;
    pqr__list_init(&list);
    pqr__list_push_back(&list, &things[1].link);
    pqr__list_push_back(&list, &things[3].link);
    pqr__list_push_front(&list, &things[0].link);
    pqr__list_insert_before(&list, &things[3].link, &things[2].link);
    assert_numbers(&list, (const int[]){0, 1, 2, 3}, 4);
    assert_ptr_equal(pqr__list_first(&list), &things[0].link);
    assert_ptr_equal(pqr__list_last(&list), &things[3].link);
}

static void a_list_goes_to_the_end_of_another_as_a_whole(void **state)
{
    (void)state;
    struct thing things[4] = {{.number = 0}, {.number = 1}, {.number = 2}, {.number = 3}};
    struct pqr__list list, other;
    pqr__list_init(&list);
    pqr__list_init(&other);
    pqr__list_join(&list, &other);
    assert_numbers(&list, NULL, 0);
    pqr__list_push_back(&other, &things[0].link);
    pqr__list_push_back(&other, &things[1].link);
    pqr__list_join(&list, &other);
    assert_numbers(&list, (const int[]){0, 1}, 2);
    assert_numbers(&other, NULL, 0);
    pqr__list_push_back(&other, &things[2].link);
    pqr__list_push_back(&other, &things[3].link);
    pqr__list_join(&list, &other);
    assert_numbers(&list, (const int[]){0, 1, 2, 3}, 4);
    assert_numbers(&other, NULL, 0);
    pqr__list_join(&list, &other);
    assert_numbers(&list, (const int[]){0, 1, 2, 3}, 4);
    assert_ptr_equal(pqr__list_last(&list), &things[3].link);
}

static void a_link_knows_whether_it_is_listed(void **state)
{
    (void)state;
    struct thing thing = {.number = 0};
    struct pqr__list list;
    pqr__list_init(&list);
    memset(&thing.link, 0xff, sizeof(thing.link));
    pqr__link_init(&thing.link);
    assert_false(pqr__link_listed(&thing.link));
    pqr__list_push_back(&list, &thing.link);
    assert_true(pqr__link_listed(&thing.link));
    pqr__list_remove(&list, &thing.link);
    assert_false(pqr__link_listed(&thing.link));
    assert_true(pqr__list_empty(&list));
}

static void the_current_entry_may_leave_while_all_are_visited(void **state)
{
    (void)state;
    struct thing things[6] = {0};
    struct pqr__list list, other;
    pqr__list_init(&list);
    pqr__list_init(&other);
    for (int i = 0; i < 6; i++) {
        things[i].number = i;
        pqr__list_push_back(&list, &things[i].link);
    }
    pqr__list_each (link, &list) {
        if (pqr__container_of(link, struct thing, link)->number % 2 == 0)
            continue;
        pqr__list_remove(&list, link);
        pqr__list_push_front(&other, link);
    }
    assert_numbers(&list, (const int[]){0, 2, 4}, 3);
    assert_numbers(&other, (const int[]){5, 3, 1}, 3);
}

static int position_of(const int *model, int n, int number)
{
    for (int i = 0; i < n; i++)
        if (model[i] == number)
            return i;
    return -1;
}

static void random_moves_match_a_plain_array(void **state)
{
    (void)state;
    enum { N = 12 };
    struct thing things[N] = {0};
    int model[N], n = 0;
    struct pqr__list list;
    struct pqr__random random;
    pqr__list_init(&list);
    pqr__random_seed(&random, 1);
    for (int i = 0; i < N; i++)
        things[i].number = i;
    for (int step = 0; step < 20000; step++) {
        int number = (int)pqr__random_below(&random, N);
        struct pqr__link *link = &things[number].link;
        int at = position_of(model, n, number);
        assert_int_equal(pqr__link_listed(link), at >= 0);
        if (at >= 0) {
            pqr__list_remove(&list, link);
            memmove(&model[at], &model[at + 1], (size_t)(--n - at) * sizeof(int));
        } else if (pqr__random_below(&random, 2)) {
            pqr__list_push_back(&list, link);
            model[n++] = number;
        } else {
            pqr__list_push_front(&list, link);
            memmove(&model[1], &model[0], (size_t)n++ * sizeof(int));
            model[0] = number;
        }
        assert_numbers(&list, model, (uint32_t)n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_list_has_no_first_and_no_last),
        cmocka_unit_test(entries_come_back_in_the_order_of_both_ends),
        cmocka_unit_test(a_list_goes_to_the_end_of_another_as_a_whole),
        cmocka_unit_test(a_link_knows_whether_it_is_listed),
        cmocka_unit_test(the_current_entry_may_leave_while_all_are_visited),
        cmocka_unit_test(random_moves_match_a_plain_array),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
