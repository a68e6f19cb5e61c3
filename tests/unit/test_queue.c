/* The waiting room: order, lanes, bounds, servers to avoid. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "policy/queue.h"

static struct pqr__queue_entry *peek(
    const struct pqr__queue *queue, unsigned roles, enum pqr__lane lowest, uint32_t server)
{
    return pqr__queue_turn(queue, roles, lowest, server).entry;
}

static struct pqr__queue_entry *take(
    struct pqr__queue *queue, unsigned roles, enum pqr__lane lowest, uint32_t server)
{
    struct pqr__turn turn = pqr__queue_turn(queue, roles, lowest, server);
    if (turn.entry)
        pqr__queue_take(queue, turn);
    return turn.entry;
}

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
    assert_ptr_equal(take(&queue, PQR__MASK_PRIMARY | PQR__MASK_ANY, PQR__LANE_NORMAL, 0), &b);
    assert_ptr_equal(take(&queue, ALL, PQR__LANE_NORMAL, 0), &a);
    assert_ptr_equal(take(&queue, ALL, PQR__LANE_NORMAL, 0), &c);
    assert_null(take(&queue, ALL, PQR__LANE_NORMAL, 0));
}

static void admin_overtakes_and_normal_is_not_given_to_admin_only_room(void **state)
{
    (void)state;
    struct pqr__queue_entry normal = entry(PQR__QUEUE_PRIMARY, PQR__LANE_NORMAL);
    struct pqr__queue_entry admin = entry(PQR__QUEUE_PRIMARY, PQR__LANE_ADMIN);
    pqr__queue_push(&queue, &normal);
    assert_null(take(&queue, ALL, PQR__LANE_ADMIN, 0));
    pqr__queue_push(&queue, &admin);
    assert_ptr_equal(take(&queue, ALL, PQR__LANE_NORMAL, 0), &admin);
    assert_ptr_equal(take(&queue, ALL, PQR__LANE_NORMAL, 0), &normal);
}

static void an_avoided_server_is_passed_over_by_its_entry_only(void **state)
{
    (void)state;
    struct pqr__queue_entry first = entry(PQR__QUEUE_REPLICA, PQR__LANE_NORMAL);
    struct pqr__queue_entry second = entry(PQR__QUEUE_REPLICA, PQR__LANE_NORMAL);
    first.avoid = 1u << 3;
    pqr__queue_push(&queue, &first);
    pqr__queue_push(&queue, &second);
    assert_ptr_equal(take(&queue, ALL, PQR__LANE_NORMAL, 3), &second);
    assert_null(take(&queue, ALL, PQR__LANE_NORMAL, 3));
    pqr__queue_forgive(&queue);
    assert_ptr_equal(take(&queue, ALL, PQR__LANE_NORMAL, 3), &first);
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
        assert_ptr_equal(take(&queue, ALL, PQR__LANE_NORMAL, 0), &entries[i]);
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
    assert_ptr_equal(take(&queue, ALL, PQR__LANE_NORMAL, 0), &a);
    assert_ptr_equal(take(&queue, ALL, PQR__LANE_NORMAL, 0), &own);
    pqr__queue_return(&queue, &own);
    assert_int_equal(pqr__queue_count(&queue), 0);
}

static void peek_shows_what_take_gives(void **state)
{
    (void)state;
    struct pqr__queue_entry normal = entry(PQR__QUEUE_PRIMARY, PQR__LANE_NORMAL);
    struct pqr__queue_entry batch = entry(PQR__QUEUE_PRIMARY, PQR__LANE_BATCH);
    struct pqr__queue_entry admin = entry(PQR__QUEUE_REPLICA, PQR__LANE_ADMIN);
    assert_null(peek(&queue, ALL, PQR__LANE_BATCH, 0));
    pqr__queue_push(&queue, &batch);
    assert_null(peek(&queue, ALL, PQR__LANE_NORMAL, 0));
    pqr__queue_push(&queue, &normal);
    pqr__queue_push(&queue, &admin);
    struct pqr__queue_entry *expected[] = {&admin, &normal, &batch};
    for (int i = 0; i < 3; i++) {
        assert_ptr_equal(peek(&queue, ALL, PQR__LANE_BATCH, 0), expected[i]);
        assert_ptr_equal(take(&queue, ALL, PQR__LANE_BATCH, 0), expected[i]);
    }
}

/* --- shares --- */

enum { MANY = 4000 };
static struct pqr__queue_entry pool[PQR__LANES][MANY];

/* Every lane always has somebody waiting. */
static void fill_lane(enum pqr__lane lane)
{
    for (int i = 0; i < MANY; i++) {
        pool[lane][i] = entry(PQR__QUEUE_PRIMARY, lane);
        assert_true(pqr__queue_push(&queue, &pool[lane][i]));
    }
}

static void count_turns(int turns, enum pqr__lane lowest, int *counts)
{
    for (int i = 0; i < turns; i++) {
        struct pqr__queue_entry *taken = take(&queue, ALL, lowest, 0);
        assert_non_null(taken);
        counts[taken->lane]++;
    }
}

static void flood_of_administrators_leaves_normal_requests_their_share(void **state)
{
    (void)state;
    static const uint32_t shares[] = {0, 1, 25, 33, 90};
    for (size_t i = 0; i < sizeof(shares) / sizeof(shares[0]); i++) {
        int counts[PQR__LANES] = {0};
        pqr__queue_init(&queue, MANY, UINT64_MAX);
        queue.tuning.normal_share = shares[i];
        fill_lane(PQR__LANE_ADMIN);
        fill_lane(PQR__LANE_NORMAL);
        count_turns(1000, PQR__LANE_BATCH, counts);
        assert_int_equal(counts[PQR__LANE_NORMAL], shares[i] * 10);
        assert_int_equal(counts[PQR__LANE_ADMIN], 1000 - shares[i] * 10);
    }
}

static void turns_on_reserved_connections_are_made_up_for_on_the_others(void **state)
{
    (void)state;
    int counts[PQR__LANES] = {0};
    pqr__queue_init(&queue, MANY, UINT64_MAX);
    queue.tuning.normal_share = 25;
    fill_lane(PQR__LANE_ADMIN);
    fill_lane(PQR__LANE_NORMAL);
    for (int i = 0; i < 500; i++) { /* every second connection is for administrators alone */
        count_turns(1, PQR__LANE_ADMIN, counts);
        count_turns(1, PQR__LANE_NORMAL, counts);
    }
    assert_in_range(counts[PQR__LANE_NORMAL], 248, 250);
}

static void what_could_not_be_given_for_long_is_no_reason_for_a_burst(void **state)
{
    (void)state;
    int before[PQR__LANES] = {0}, after[PQR__LANES] = {0};
    pqr__queue_init(&queue, MANY, UINT64_MAX);
    queue.tuning.normal_share = 25;
    fill_lane(PQR__LANE_ADMIN);
    fill_lane(PQR__LANE_NORMAL);
    count_turns(2000, PQR__LANE_ADMIN, before);
    assert_int_equal(before[PQR__LANE_NORMAL], 0);
    count_turns(100, PQR__LANE_NORMAL, after);
    assert_in_range(after[PQR__LANE_NORMAL], 25, 36);
}

static void batch_waits_for_everybody_until_it_has_aged_and_then_gets_its_share(void **state)
{
    (void)state;
    int young[PQR__LANES] = {0}, aged[PQR__LANES] = {0};
    pqr__queue_init(&queue, MANY, UINT64_MAX);
    queue.tuning = (struct pqr__queue_tuning){.batch_share = 10, .batch_age_us = 10000000};
    pqr__queue_time(&queue, 1000000);
    fill_lane(PQR__LANE_NORMAL);
    fill_lane(PQR__LANE_BATCH);
    pqr__queue_time(&queue, 10999999);
    count_turns(500, PQR__LANE_BATCH, young);
    assert_int_equal(young[PQR__LANE_BATCH], 0);
    pqr__queue_time(&queue, 11000000);
    count_turns(1000, PQR__LANE_BATCH, aged);
    assert_int_equal(aged[PQR__LANE_BATCH], 100);
    assert_int_equal(aged[PQR__LANE_NORMAL], 900);
}

static void who_waits_alone_gets_every_turn_and_owes_nothing(void **state)
{
    (void)state;
    int counts[PQR__LANES] = {0};
    pqr__queue_init(&queue, MANY, UINT64_MAX);
    queue.tuning = (struct pqr__queue_tuning){.normal_share = 50, .batch_share = 50, .batch_age_us = 1};
    fill_lane(PQR__LANE_ADMIN);
    count_turns(1000, PQR__LANE_BATCH, counts);
    assert_int_equal(counts[PQR__LANE_ADMIN], 1000);
    assert_int_equal(queue.credit[PQR__LANE_NORMAL], 0);
}

/* --- overload --- */

static void standing_queue_serves_the_newest_and_turns_the_oldest_away(void **state)
{
    (void)state;
    struct pqr__queue_entry entries[40];
    pqr__queue_init(&queue, 100, 1000);
    queue.tuning = (struct pqr__queue_tuning){.target_us = 50000, .interval_us = 500000};
    for (int i = 0; i < 40; i++) { /* one comes each 100 ms, one is served each 200 ms */
        pqr__queue_time(&queue, 1000000 + (uint64_t)i * 100000);
        entries[i] = entry(PQR__QUEUE_PRIMARY, PQR__LANE_NORMAL);
        assert_true(pqr__queue_push(&queue, &entries[i]));
        if (queue.codel[PQR__QUEUE_PRIMARY][PQR__LANE_NORMAL].overloaded)
            break;
        assert_null(pqr__queue_overdue(&queue));
        if (i % 2)
            assert_non_null(take(&queue, ALL, PQR__LANE_BATCH, 0));
        assert_true(i < 30); /* it is noticed */
    }
    assert_true(pqr__queue_overloaded(&queue));
    struct pqr__queue_entry *newest = pqr__queue_entry_of(pqr__list_last(&queue.lanes[0][PQR__LANE_NORMAL]));
    struct pqr__queue_entry *oldest = pqr__queue_entry_of(pqr__list_first(&queue.lanes[0][PQR__LANE_NORMAL]));
    assert_ptr_equal(pqr__queue_overdue(&queue), oldest);
    assert_ptr_equal(take(&queue, ALL, PQR__LANE_BATCH, 0), newest);
    for (struct pqr__queue_entry *late; (late = pqr__queue_overdue(&queue));) {
        assert_true(pqr__queue_waited_us(&queue, late) > 50000);
        pqr__queue_remove(&queue, late);
    }
    assert_int_equal(pqr__queue_count(&queue), 0); /* nobody else was within the target */
    assert_false(pqr__queue_overloaded(&queue));   /* an empty queue ends it */
}

static void administrators_and_the_routers_own_are_never_turned_away(void **state)
{
    (void)state;
    struct pqr__queue_entry admins[20], own = entry(PQR__QUEUE_PRIMARY, PQR__LANE_NORMAL);
    pqr__queue_init(&queue, 100, 1000);
    queue.tuning = (struct pqr__queue_tuning){.target_us = 1, .interval_us = 1};
    for (int i = 0; i < 20; i++) {
        admins[i] = entry(PQR__QUEUE_PRIMARY, PQR__LANE_ADMIN);
        pqr__queue_push(&queue, &admins[i]);
    }
    own.exempt = true;
    own.bytes = 0;
    pqr__queue_push(&queue, &own);
    for (int i = 0; i < 10; i++) {
        pqr__queue_time(&queue, (uint64_t)(i + 1) * 1000000);
        assert_ptr_equal(take(&queue, ALL, PQR__LANE_BATCH, 0), &admins[i]);
        assert_null(pqr__queue_overdue(&queue));
    }
    queue.codel[PQR__QUEUE_PRIMARY][PQR__LANE_NORMAL].overloaded = true;
    assert_null(pqr__queue_overdue(&queue));
}

static void batch_may_wait_for_its_age_before_that_is_overload(void **state)
{
    (void)state;
    queue.tuning = (struct pqr__queue_tuning){.target_us = 1000, .batch_age_us = 50000};
    assert_int_equal(pqr__queue_target_us(&queue, PQR__LANE_ADMIN), 0);
    assert_int_equal(pqr__queue_target_us(&queue, PQR__LANE_NORMAL), 1000);
    assert_int_equal(pqr__queue_target_us(&queue, PQR__LANE_BATCH), 51000);
    queue.tuning.target_us = 0;
    assert_int_equal(pqr__queue_target_us(&queue, PQR__LANE_BATCH), 0);
}

static void a_time_without_servers_is_not_overload(void **state)
{
    (void)state;
    struct pqr__queue_entry entries[30];
    pqr__queue_init(&queue, 100, 1000);
    queue.tuning = (struct pqr__queue_tuning){.target_us = 50000, .interval_us = 500000};
    for (int i = 0; i < 30; i++) {
        entries[i] = entry(PQR__QUEUE_PRIMARY, PQR__LANE_NORMAL);
        pqr__queue_push(&queue, &entries[i]);
    }
    pqr__queue_time(&queue, 20000000);
    pqr__queue_refresh(&queue, PQR__MASK_PRIMARY);
    for (int i = 0; i < 30; i++) { /* all within the interval */
        pqr__queue_time(&queue, 20000000 + (uint64_t)i * 10000);
        assert_ptr_equal(take(&queue, ALL, PQR__LANE_BATCH, 0), &entries[i]);
        assert_null(pqr__queue_overdue(&queue));
    }
    assert_int_equal(pqr__queue_oldest_us(&queue, ALL, PQR__LANE_BATCH), 0);
}

static void expected_wait_is_what_the_queue_then_takes(void **state)
{
    (void)state;
    struct pqr__queue_entry entries[60], last = entry(PQR__QUEUE_REPLICA, PQR__LANE_NORMAL);
    uint64_t now_us = 1000000;
    pqr__queue_init(&queue, 100, 1000);
    pqr__queue_time(&queue, now_us);
    for (int i = 0; i < 60; i++) {
        entries[i] = entry(PQR__QUEUE_REPLICA, i < 10 ? PQR__LANE_ADMIN : PQR__LANE_NORMAL);
        pqr__queue_push(&queue, &entries[i]);
    }
    assert_int_equal(pqr__queue_expected_us(&queue, PQR__QUEUE_REPLICA, PQR__LANE_NORMAL), 0); /* not known */
    for (int i = 0; i < 20; i++) {
        pqr__queue_time(&queue, now_us += 20000);
        take(&queue, ALL, PQR__LANE_BATCH, 0);
    }
    assert_int_equal(pqr__queue_expected_us(&queue, PQR__QUEUE_REPLICA, PQR__LANE_NORMAL), 40 * 20000);
    assert_int_equal(pqr__queue_expected_us(&queue, PQR__QUEUE_REPLICA, PQR__LANE_ADMIN), 0);
    assert_int_equal(pqr__queue_expected_us(&queue, PQR__QUEUE_PRIMARY, PQR__LANE_NORMAL), 0);
    assert_int_equal(pqr__queue_oldest_us(&queue, PQR__MASK_REPLICA, PQR__LANE_NORMAL), 400000);
    pqr__queue_push(&queue, &last);
    while (take(&queue, ALL, PQR__LANE_BATCH, 0) != &last)
        now_us += 20000;
    assert_int_equal(now_us - 1400000, 40 * 20000);
    assert_int_equal(pqr__queue_expected_us(&queue, PQR__QUEUE_REPLICA, PQR__LANE_NORMAL), 0);
}

/* Who has a share of the turns waits for as long as that takes, however many administrators there are. */
static void a_flood_of_administrators_is_not_all_ahead_of_a_normal_request(void **state)
{
    (void)state;
    static struct pqr__queue_entry admins[300], normals[10];
    struct pqr__queue_entry last = entry(PQR__QUEUE_PRIMARY, PQR__LANE_NORMAL);
    uint64_t now_us = 1000000, gap_us = 20000;
    pqr__queue_init(&queue, 1000, 1000);
    queue.tuning.normal_share = 25;
    pqr__queue_time(&queue, now_us);
    for (int i = 0; i < 300; i++) {
        admins[i] = entry(PQR__QUEUE_PRIMARY, PQR__LANE_ADMIN);
        pqr__queue_push(&queue, &admins[i]);
    }
    for (int i = 0; i < 20; i++) {
        pqr__queue_time(&queue, now_us += gap_us);
        take(&queue, ALL, PQR__LANE_BATCH, 0);
    }
    for (int i = 0; i < 10; i++) {
        normals[i] = entry(PQR__QUEUE_PRIMARY, PQR__LANE_NORMAL);
        pqr__queue_push(&queue, &normals[i]);
    }
    uint64_t expected_us = pqr__queue_expected_us(&queue, PQR__QUEUE_PRIMARY, PQR__LANE_NORMAL), turns = 0;
    pqr__queue_push(&queue, &last);
    while (take(&queue, ALL, PQR__LANE_BATCH, 0) != &last)
        turns++;
    assert_in_range(expected_us, turns * gap_us, (turns + 4) * gap_us);
}

static void one_server_is_forgiven_alone(void **state)
{
    (void)state;
    struct pqr__queue_entry first = entry(PQR__QUEUE_REPLICA, PQR__LANE_BATCH);
    first.avoid = 1u << 3 | 1u << 5;
    pqr__queue_push(&queue, &first);
    pqr__queue_forgive_server(&queue, 3);
    assert_true(first.avoid == 1u << 5);
}

/* Each would have to pass all before it, were its place looked for by itself: that takes minutes. */
static void many_go_back_to_their_places_at_once(void **state)
{
    enum { WAITING = 300000 };
    (void)state;
    struct pqr__list moved;
    struct pqr__queue_entry *entries = calloc(WAITING, sizeof(*entries));
    assert_non_null(entries);
    pqr__queue_init(&queue, WAITING, WAITING);
    pqr__list_init(&moved);
    for (unsigned i = 0; i < WAITING; i++) {
        entries[i] = entry(i % 3 ? PQR__QUEUE_REPLICA : PQR__QUEUE_PRIMARY, PQR__LANE_NORMAL);
        assert_true(pqr__queue_push(&queue, &entries[i]));
    }
    for (unsigned i = 0; i < WAITING; i++) {
        if (i % 3 == 0)
            continue;
        pqr__queue_remove(&queue, &entries[i]);
        entries[i].role = i % 3 == 1 ? PQR__QUEUE_PRIMARY : PQR__QUEUE_ANY;
        pqr__list_push_back(&moved, &entries[i].link);
    }
    pqr__queue_return_all(&queue, &moved);
    assert_int_equal(pqr__queue_waiting(&queue, ALL, PQR__LANE_NORMAL), WAITING);
    for (unsigned i = 0; i < WAITING; i++)
        assert_ptr_equal(take(&queue, ALL, PQR__LANE_NORMAL, 0), &entries[i]);
    free(entries);
}

/* Twice the same queue. */
static struct pqr__queue twins[2];
static struct pqr__queue_entry twin_entries[2][64];

static void begin_twins(void)
{
    for (unsigned i = 0; i < 2; i++) {
        pqr__queue_init(&twins[i], 100, 1000);
        twins[i].tuning = (struct pqr__queue_tuning){.target_us = 500, .interval_us = 2000};
    }
}

static void push_twins(unsigned place)
{
    for (unsigned i = 0; i < 2; i++) {
        twin_entries[i][place] = entry(PQR__QUEUE_REPLICA, PQR__LANE_NORMAL);
        assert_true(pqr__queue_push(&twins[i], &twin_entries[i][place]));
    }
}

static struct pqr__queue_entry *take_twins(void)
{
    struct pqr__queue_entry *first = take(&twins[0], ALL, PQR__LANE_NORMAL, 0);
    assert_int_equal(first - twin_entries[0], take(&twins[1], ALL, PQR__LANE_NORMAL, 0) - twin_entries[1]);
    return first;
}

/* Of one turn by turn, of the other at once. */
static void take_rows(struct pqr__list *row, unsigned n)
{
    struct pqr__queue_entry *last = NULL;
    struct pqr__list out;
    pqr__list_init(&out);
    for (unsigned i = 0; i < n; i++)
        last = take(&twins[1], ALL, PQR__LANE_NORMAL, 0);
    assert_true(row->count >= n);
    if (last)
        pqr__queue_take_row(&twins[0], &twin_entries[0][last - twin_entries[1]], n, n, &out);
    assert_int_equal(out.count, n);
    assert_memory_equal(twins[0].codel, twins[1].codel, sizeof(twins[0].codel));
    assert_memory_equal(twins[0].count, twins[1].count, sizeof(twins[0].count));
    assert_memory_equal(twins[0].bytes, twins[1].bytes, sizeof(twins[0].bytes));
    assert_memory_equal(twins[0].filled, twins[1].filled, sizeof(twins[0].filled));
}

/* CoDel included, with waits around its target. */
static void a_row_is_taken_as_its_turns_would_be(void **state)
{
    enum { STEPS = 30000, PLACES = 64 };
    (void)state;
    unsigned overloads = 0, next = 0;
    uint64_t now_us = 1;
    begin_twins();
    for (unsigned step = 0; step < STEPS; step++) {
        now_us += (unsigned)rand() % 150;
        pqr__queue_time(&twins[0], now_us);
        pqr__queue_time(&twins[1], now_us);
        for (unsigned n = (unsigned)rand() % 6; n > 0 && pqr__queue_count(&twins[0]) < PLACES; n--)
            push_twins(next++ % PLACES);
        if (pqr__queue_count(&twins[0]) == 0)
            continue;
        struct pqr__list *row = pqr__queue_row(&twins[0], ALL, take_twins());
        if (row)
            take_rows(row, (unsigned)rand() % (row->count < 3 ? row->count + 1 : 3));
        if (!pqr__queue_overloaded(&twins[0]))
            continue;
        assert_null(pqr__queue_row(&twins[0], ALL, &twin_entries[0][0]));
        overloads++;
        begin_twins();
    }
    assert_true(overloads > 100);
}

static void others_that_wait_end_a_row(void **state)
{
    (void)state;
    struct pqr__queue_entry one = entry(PQR__QUEUE_REPLICA, PQR__LANE_NORMAL);
    struct pqr__queue_entry two = one, write = entry(PQR__QUEUE_PRIMARY, PQR__LANE_NORMAL);
    struct pqr__queue_entry admin = entry(PQR__QUEUE_REPLICA, PQR__LANE_ADMIN);
    pqr__queue_push(&queue, &one);
    pqr__queue_push(&queue, &two);
    pqr__queue_push(&queue, &write);
    assert_ptr_equal(take(&queue, ALL, PQR__LANE_NORMAL, 0), &one);
    assert_null(pqr__queue_row(&queue, ALL, &one));
    assert_ptr_equal(pqr__queue_row(&queue, PQR__MASK_REPLICA, &one)->head.next, &two.link);
    pqr__queue_push(&queue, &admin);
    assert_null(pqr__queue_row(&queue, PQR__MASK_REPLICA, &one));
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
        cmocka_unit_test_setup(peek_shows_what_take_gives, setup),
        cmocka_unit_test_setup(flood_of_administrators_leaves_normal_requests_their_share, setup),
        cmocka_unit_test_setup(turns_on_reserved_connections_are_made_up_for_on_the_others, setup),
        cmocka_unit_test_setup(what_could_not_be_given_for_long_is_no_reason_for_a_burst, setup),
        cmocka_unit_test_setup(batch_waits_for_everybody_until_it_has_aged_and_then_gets_its_share, setup),
        cmocka_unit_test_setup(who_waits_alone_gets_every_turn_and_owes_nothing, setup),
        cmocka_unit_test_setup(standing_queue_serves_the_newest_and_turns_the_oldest_away, setup),
        cmocka_unit_test_setup(administrators_and_the_routers_own_are_never_turned_away, setup),
        cmocka_unit_test_setup(batch_may_wait_for_its_age_before_that_is_overload, setup),
        cmocka_unit_test_setup(a_time_without_servers_is_not_overload, setup),
        cmocka_unit_test_setup(expected_wait_is_what_the_queue_then_takes, setup),
        cmocka_unit_test_setup(a_flood_of_administrators_is_not_all_ahead_of_a_normal_request, setup),
        cmocka_unit_test_setup(one_server_is_forgiven_alone, setup),
        cmocka_unit_test_setup(many_go_back_to_their_places_at_once, setup),
        cmocka_unit_test_setup(a_row_is_taken_as_its_turns_would_be, setup),
        cmocka_unit_test_setup(others_that_wait_end_a_row, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
