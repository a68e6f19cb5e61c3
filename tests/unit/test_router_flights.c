/* The router on servers that do exactly what a test tells them: what goes out together, and when. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "fake_router.h"

/* Two writes are under way: what is left of the ceiling is for reads that share. */
static void shared_connections_beyond_the_ceiling_take_no_more(void **state)
{
    static struct told told[2];
    static const uint32_t left[] = {0, 0, 0, 1, 2};
    (void)state;
    start();
    for (unsigned i = 0; i < 2; i++) {
        run_query(&told[i], "insert into t values (1)", PQR_TARGET_AUTO, 0);
        settle();
    }
    for (uint32_t limit = 1; limit < 5; limit++) {
        fake.router->backends[0].ceiling.limit = limit;
        assert_int_equal(pqr__pool_shares(&fake.router->backends[0]), left[limit]);
    }
}

static struct told two[2];

static void ask_two(pqr_reply *reply, void *data)
{
    (void)reply;
    (void)data;
    for (unsigned i = 0; i < 2; i++)
        run_query(&two[i], "select 1", PQR_TARGET_PRIMARY, 0);
}

/* Two reads that wait for the end of the event they are asked for in share a flight. */
static void statistics_tell_how_many_requests_share_a_connection(void **state)
{
    static const struct pqr__catalog nothing_varies; /* so that reads share on the primary */
    struct told told;
    pqr_query query = PQR_QUERY_INIT;
    char text[400];
    (void)state;
    fake.config->reads.share_limit_us = 1000000;
    start();
    fake.router->dialect.catalog = &nothing_varies;
    for (unsigned i = 0; i < 6; i++) { /* its history becomes known */
        run_query(&told, "select 1", PQR_TARGET_PRIMARY, 0);
        settle();
        answer(flying_on(0, 0), NULL);
        settle();
    }
    query.sql = "select 1";
    query.target = PQR_TARGET_PRIMARY;
    assert_int_equal(pqr_query_run(NULL, fake.router, &query, ask_two, NULL), 0);
    settle();
    fake.router->backends[0].ceiling.limit = 1;
    answer(flying_on(0, 0), NULL);
    settle();
    assert_int_equal(flying_on(0, 0)->flight->n_items, 2);
    pqr__elastic_explain(&fake.router->backends[0], text, sizeof(text));
    assert_non_null(strstr(text, "; 2.0 requests a busy connection"));
    answer_prepare(flying_on(0, 0), NULL); /* both of them */
    settle();
    assert_int_equal(two[1].status, PQR_STATUS_OK);
    pqr__elastic_explain(&fake.router->backends[0], text, sizeof(text));
    assert_null(strstr(text, "requests a busy"));
}

static void what_must_wait_is_seen_to_before_the_loop_waits(void **state)
{
    static struct told told;
    (void)state;
    start();
    read_from_replica(&told);
    assert_null(flying_on(1, 0));
    assert_int_equal(fake.timer_us, 0); /* not in the next millisecond */
}

static void read_again(pqr_reply *reply, void *data)
{
    struct told *told = data;
    on_reply(reply, told);
    read_from_replica(told + 1);
}

/* A reader on each replica, which asks again; their connections. */
static void start_readers(struct told *told, struct pqr__conn **a, struct pqr__conn **b)
{
    pqr_query query = PQR_QUERY_INIT;
    make_reads_fast(PQR__HISTORY_CLEAN);
    query.sql = "select 1";
    for (unsigned i = 0; i < 4; i += 2) {
        assert_int_equal(pqr_query_run(NULL, fake.router, &query, read_again, &told[i]), 0);
        run_down();
    }
    *a = flying_on(1, 0);
    *b = flying_on(2, 0);
    assert_true(*a && *b);
}

static struct told reads[20];
static unsigned n_reads;

static void ask_again(pqr_reply *reply, void *data)
{
    on_reply(reply, data);
    if (pqr_reply_status(reply) == PQR_STATUS_OK) /* not when all is closed */
        read_from_replica(&reads[n_reads++]);
}

static void ask_for_five(pqr_reply *reply, void *data)
{
    pqr_query query = PQR_QUERY_INIT;
    query.sql = "select 1";
    on_reply(reply, data);
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(pqr_query_run(NULL, fake.router, &query, ask_again, &reads[n_reads++]), 0);
}

/* Five reads, each of which asks for another, on one replica with three connections to share. */
static void start_with_five_reads(unsigned n_writes)
{
    static struct told told, writes[40];
    pqr_query query = PQR_QUERY_INIT;
    fake.connects[2] = fake.probe_connects[2] = REFUSED;
    fake.config->servers[1].min = fake.config->servers[1].max = 5; /* the probe, the reserve, and three */
    fake.config->reads.share_limit_us = 1000000;
    start();
    for (unsigned i = 0; i < n_writes; i++)
        run_query(&writes[i], "insert into t values (1)", PQR_TARGET_AUTO, 0);
    settle();
    make_reads_fast(PQR__HISTORY_CLEAN);
    memset(reads, 0, sizeof(reads));
    n_reads = 0;
    query.sql = "select 1";
    assert_int_equal(pqr_query_run(NULL, fake.router, &query, ask_for_five, &told), 0);
    run_down();
    answer(flying_on(1, 0), NULL);
    run_down();
}

/* noinline: gcc would see a NULL that the tests' other assertions rule out. */
__attribute__((noinline)) static struct pqr__conn *flight_of(uint32_t n_items)
{
    for (unsigned i = 0; flying_on(1, i); i++)
        if (flying_on(1, i)->flight->n_items == n_items)
            return flying_on(1, i);
    return NULL;
}

/* While one's answers are taken the server has another to work on. */
static void what_waits_is_parted_among_three_flights(void **state)
{
    (void)state;
    start_with_five_reads(0);
    assert_int_equal(flying_on(1, 0)->flight->n_items + flying_on(1, 1)->flight->n_items +
                         flying_on(1, 2)->flight->n_items,
        5);
    assert_non_null(flight_of(2));
    assert_non_null(flight_of(1));
}

/* What two flights made room for goes out as one. */
static void expect_to_wait_for_a_fuller_flight(void)
{
    answer_prepare(flight_of(1), NULL);
    assert_null(flying_on(1, 2)); /* what it asked for: two more will be asked for soon */
    assert_int_equal(fake.timer_us, 0);
    answer_prepare(flight_of(2), NULL);
    assert_non_null(flying_on(1, 1));
    assert_int_equal(flying_on(1, 0)->flight->n_items + flying_on(1, 1)->flight->n_items, 4);
    assert_null(flying_on(1, 2));
    run_down();
    assert_non_null(flying_on(1, 2)); /* before anything is waited for */
}

static void what_a_turn_of_the_loop_asks_for_is_given_out_at_its_end(void **state)
{
    (void)state;
    start_with_five_reads(0);
    expect_to_wait_for_a_fuller_flight();
}

/* However many writes wait for the primary: that fills no flight of reads. */
static void writes_that_wait_do_not_hurry_reads(void **state)
{
    (void)state;
    start_with_five_reads(40);
    assert_true(pqr__queue_count(&fake.router->queue) > 32);
    expect_to_wait_for_a_fuller_flight();
}

/* A reader on each replica, and more writes than the primary takes. */
static void start_readers_beside_writes(struct told *told, struct pqr__conn **a, struct pqr__conn **b)
{
    static struct told writes[40];
    fake.config->servers[1].max = fake.config->servers[2].max = 3;
    start();
    for (unsigned i = 0; i < 40; i++)
        run_query(&writes[i], "insert into t values (1)", PQR_TARGET_AUTO, 0);
    settle();
    assert_true(pqr__queue_count(&fake.router->queue) > 32);
    start_readers(told, a, b);
}

/* It shares with nobody, and gains nothing by what else the turn of the loop brings. */
static void a_write_goes_out_as_soon_as_its_connection_is_free(void **state)
{
    static struct told told[4];
    struct pqr__conn *a, *b;
    (void)state;
    start_readers_beside_writes(told, &a, &b);
    struct pqr__conn *primary = flying_on(0, 0);
    assert_non_null(primary);
    answer(primary, NULL);
    assert_non_null(primary->flight);
    answer(a, NULL); /* they would ask again when all is closed */
    answer(b, NULL);
}

static void write_in(pqr_tx *tx, unsigned attempt, void *data)
{
    static struct told told;
    pqr_query query = PQR_QUERY_INIT;
    (void)attempt;
    (void)data;
    query.sql = "insert into t values (1)";
    assert_int_equal(pqr_tx_query(tx, &query, on_reply, &told), 0);
}

/* Nor does a transaction, though nothing is known of it but BEGIN, which is harmless. */
static void a_transaction_begins_as_soon_as_a_connection_is_free(void **state)
{
    static struct told told[4], write, done[2];
    struct pqr__conn *a, *b;
    (void)state;
    fake.config->servers[0].max = 3;
    fake.config->servers[1].max = fake.config->servers[2].max = 3;
    start();
    run_query(&write, "insert into t values (1)", PQR_TARGET_AUTO, 0);
    settle();
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(pqr_tx_run(NULL, fake.router, NULL, write_in, on_reply, &done[i]), 0);
    start_readers(told, &a, &b);
    struct pqr__conn *primary = flying_on(0, 0);
    assert_non_null(primary);
    assert_int_equal(primary->flight->items->own, PQR__OWN_NONE);
    answer(primary, NULL);
    assert_non_null(primary->flight);
    assert_int_equal(primary->flight->items->own, PQR__OWN_BEGIN);
    lose_all(0);
    answer(a, NULL);
    answer(b, NULL);
}

static void read_four_times(pqr_reply *reply, void *data)
{
    struct told *told = data;
    on_reply(reply, told);
    for (unsigned i = 1; i <= 4; i++)
        read_from_replica(told + i);
}

/* As if that had been learned, for good. */
static void share_one_connection(void)
{
    struct pqr__breadth *breadth = &fake.router->breadth[PQR_ROLE_REPLICA];
    breadth->limit = 1;
    breadth->crowded = 1;
    breadth->next_us = UINT64_MAX;
    fake.router->breadth_now[PQR_ROLE_REPLICA] = 1;
}

static struct told spread[3];

static void read_twice(pqr_reply *reply, void *data)
{
    on_reply(reply, data);
    share_one_connection();
    read_from_replica(&spread[0]);
    read_from_replica(&spread[1]);
}

/* Of three idle ones. What needs its own takes another, and so does who would wait for one that is late. */
static void requests_are_spread_over_as_many_connections_as_serve_most(void **state)
{
    static struct told told;
    pqr_query query = PQR_QUERY_INIT;
    (void)state;
    fake.connects[2] = fake.probe_connects[2] = REFUSED;
    fake.config->servers[1].min = fake.config->servers[1].max = 5; /* the probe, the reserve, and three */
    fake.config->pool.pipeline_depth = 2;
    fake.config->reads.share_limit_us = 1000000;
    start();
    make_reads_fast(PQR__HISTORY_CLEAN);
    query.sql = "select 1";
    assert_int_equal(pqr_query_run(NULL, fake.router, &query, read_twice, &told), 0);
    run_down();
    answer(flying_on(1, 0), NULL);
    run_down();
    assert_int_equal(flying_on(1, 0)->flight->n_items, 2);
    assert_null(flying_on(1, 1));
    run_query(&told, "select 1", PQR_TARGET_REPLICA, PQR_ALONE);
    run_down();
    assert_non_null(flying_on(1, 1));
    read_from_replica(&spread[2]); /* there is no room behind those two */
    run_down();
    assert_null(flying_on(1, 2));
    advance(1000000);
    share_one_connection();
    run_down();
    assert_non_null(flying_on(1, 2));
    for (unsigned i = 0; i < 3; i++)
        lose(flying_on(1, 0));
}

/* The one connection has a flight whose answer is overdue: the next read waits for that, though there is room behind it
   (where the fake server would refuse to take it). */
static void nothing_flies_behind_what_is_late(void **state)
{
    static struct told told[2];
    (void)state;
    fake.connects[2] = fake.probe_connects[2] = REFUSED;
    fake.config->servers[1].max = 3; /* the probe, the reserve, and one */
    start();
    make_reads_fast(PQR__HISTORY_CLEAN);
    make_reads_fast(PQR__HISTORY_CLEAN); /* the first time it is not remembered yet */
    read_from_replica(&told[0]);
    run_down();
    struct pqr__conn *conn = flying_on(1, 0);
    assert_non_null(conn);
    advance(50000);
    read_from_replica(&told[1]);
    advance(50000);
    assert_int_equal(pqr__queue_count(&fake.router->queue), 1);
    answer(conn, NULL);
    run_down();
    assert_int_equal(told[0].times, 1);
    assert_int_equal(pqr__queue_count(&fake.router->queue), 0);
}

/* Four reads under one Sync, asked for when another one was answered, on the only connection that they may take. */
static struct pqr__conn *fly_four(struct told *told, pqr_reply_cb first)
{
    struct pqr__conn *conn;
    fake.connects[2] = fake.probe_connects[2] = REFUSED;
    fake.config->servers[1].max = 3; /* the probe, the reserve, and one */
    fake.config->pool.pipeline_depth = 4;
    start();
    make_reads_fast(PQR__HISTORY_CLEAN);
    pqr_query query = PQR_QUERY_INIT;
    query.sql = "select 1";
    assert_int_equal(pqr_query_run(NULL, fake.router, &query, first, told), 0);
    conn = flying_on(1, 0);
    answer(conn, NULL);
    assert_int_equal(conn->flight->n_items, 4);
    return conn;
}

static void tell_item(struct pqr__conn *conn, struct pqr__item *item)
{
    struct pqr__answer answer = {.kind = PQR__ANSWER_OK, .message = "", .result = result_new("SELECT 1")};
    events.item(conn->context, conn->flight, item, &answer);
}

static void what_is_asked_for_together_fills_one_flight(void **state)
{
    static struct told told[5];
    (void)state;
    lose(fly_four(told, read_four_times));
}

/* Nothing can take back what a harmless read has brought: not its neighbours, and not the loss of the connection. */
static void a_read_is_answered_before_its_flight_ends(void **state)
{
    static struct told told[5];
    (void)state;
    memset(told, 0, sizeof(told));
    struct pqr__conn *conn = fly_four(told, read_four_times);
    struct pqr__item *first = conn->flight->items;
    tell_item(conn, first);
    tell_item(conn, first->next);
    assert_int_equal(told[1].times, 1);
    assert_int_equal(told[1].outcome, PQR_OUTCOME_EXECUTED);
    assert_int_equal(told[2].times, 1);
    assert_int_equal(told[3].times, 0);
    fake.config->pool.pipeline_depth = 1; /* the fake server takes one flight at a time */
    lose(conn);
    settle();
    for (unsigned n = 0; n < 2; n++) { /* the other two, again, one after the other */
        conn = flying_on(0, 0) ? flying_on(0, 0) : flying_on(1, 0);
        answer(conn, NULL);
        settle();
    }
    for (unsigned i = 1; i <= 4; i++)
        assert_int_equal(told[i].times, 1);
}

/* The last word may be an error at the Sync. */
static void the_last_of_a_flight_is_answered_at_its_end(void **state)
{
    static struct told told[5];
    (void)state;
    memset(told, 0, sizeof(told));
    struct pqr__conn *conn = fly_four(told, read_four_times);
    for (struct pqr__item *item = conn->flight->items; item; item = item->next)
        tell_item(conn, item);
    assert_int_equal(told[3].times, 1);
    assert_int_equal(told[4].times, 0);
    settled_as(conn, PQR__TX_IDLE, NULL);
    assert_int_equal(told[4].times, 1);
}

static struct told asked;
static pqr_request_id stale_id;

static void ask_and_close(pqr_reply *reply, void *data)
{
    on_reply(reply, data);
    read_from_replica(&asked);
    assert_int_equal(pqr_request_cancel(fake.router, stale_id), PQR_ENOENT); /* it is answered */
    pqr_router_close(fake.router, 0, on_closed, &closed);
}

static void read_three_more(pqr_reply *reply, void *data)
{
    struct told *told = data;
    pqr_query query = PQR_QUERY_INIT;
    on_reply(reply, told);
    query.sql = "select 1";
    assert_int_equal(pqr_query_run(&stale_id, fake.router, &query, ask_and_close, told + 1), 0);
    for (unsigned i = 2; i <= 4; i++)
        read_from_replica(told + i);
}

/* Whatever a callback does in the middle of a flight: it is an event like any other. */
static void a_callback_in_the_middle_of_a_flight_may_close_the_router(void **state)
{
    static struct told told[5];
    (void)state;
    memset(told, 0, sizeof(told));
    memset(&asked, 0, sizeof(asked));
    struct pqr__conn *conn = fly_four(told, read_three_more);
    tell_item(conn, conn->flight->items);
    assert_int_equal(told[1].times, 1);
    assert_int_equal(asked.times, 0);
    assert_int_equal(fake.timer_us, 0);
    settle();
    assert_int_equal(asked.times, 1);
    lose(conn);
    settle();
    for (unsigned i = 1; i <= 4; i++)
        assert_int_equal(told[i].times, 1);
}

/* --- How full a connection gets ---------------------------------------------------------------------------- */

/* What the answer of another read asks for, so that it goes out together. */
static struct {
    unsigned n;
    const char *parameter; /* NULL: none */
    bool anywhere;         /* every other one, so that they wait in two queues */
    struct told told[8];
} asks;

static void ask_for_them(pqr_reply *reply, void *data)
{
    on_reply(reply, data);
    for (unsigned i = 0; i < asks.n; i++) {
        pqr_query query = PQR_QUERY_INIT;
        query.sql = "select 1";
        query.target = asks.anywhere && i % 2 ? PQR_TARGET_ANY : PQR_TARGET_REPLICA;
        query.n_params = asks.parameter ? 1 : 0;
        query.param_values = &asks.parameter;
        assert_int_equal(pqr_query_run(NULL, fake.router, &query, on_reply, &asks.told[i]), 0);
    }
}

/* So many connections of the one replica may be shared, each with room for four; "select 1" may. */
static void start_with_connections(uint32_t n)
{
    memset(&asks, 0, sizeof(asks));
    fake.connects[2] = fake.probe_connects[2] = REFUSED;
    fake.config->servers[1].min = fake.config->servers[1].max = n + 2; /* the probe, and the reserve */
    fake.config->pool.pipeline_depth = 4;
    start();
    make_reads_fast(PQR__HISTORY_CLEAN);
}

/* Asked for in one event; the first connection that they fly on. */
static struct pqr__conn *fly_together(unsigned n)
{
    static struct told told;
    pqr_query query = PQR_QUERY_INIT;
    query.sql = "select 1";
    asks.n = n;
    assert_int_equal(pqr_query_run(NULL, fake.router, &query, ask_for_them, &told), 0);
    struct pqr__conn *conn = flying_on(1, 0);
    answer(conn, NULL);
    run_down();
    assert_non_null(conn->flight);
    return conn;
}

static void a_read_joins_the_connection_with_the_fewest_before_it(void **state)
{
    static struct told told;
    (void)state;
    start_with_connections(2);
    fly_together(3);
    struct pqr__conn *two_there = flight_of(2), *one_there = flight_of(1);
    assert_true(two_there && one_there);
    read_from_replica(&told);
    run_down();
    assert_null(two_there->behind);
    assert_non_null(one_there->behind);
    lose(one_there);
    lose(two_there);
}

/* They were shared before the limit fell: the others come to rest. */
static void no_more_connections_are_joined_than_are_to_be_shared(void **state)
{
    static struct told told;
    (void)state;
    start_with_connections(2);
    fly_together(3);
    struct pqr__conn *first = flight_of(2), *beyond = flight_of(1);
    assert_true(first && beyond);
    share_one_connection();
    read_from_replica(&told);
    run_down();
    assert_non_null(first->behind);
    assert_null(beyond->behind);
    lose(first);
    lose(beyond);
}

static void a_connection_is_filled_again_when_no_more_than_half_is_in_the_air(void **state)
{
    static struct told told;
    (void)state;
    start_with_connections(1);
    struct pqr__conn *conn = fly_together(3);
    assert_int_equal(conn->flight->n_items, 3);
    read_from_replica(&told);
    run_down();
    assert_null(conn->behind);
    answer_prepare(conn, NULL); /* all three */
    run_down();
    assert_int_equal(conn->flight->n_items, 1);
    lose(conn);
}

static void no_more_than_its_depth_is_in_the_air_of_a_connection(void **state)
{
    static struct told told[3];
    (void)state;
    start_with_connections(1);
    struct pqr__conn *conn = fly_together(2);
    for (unsigned i = 0; i < 3; i++)
        read_from_replica(&told[i]);
    run_down();
    assert_non_null(conn->behind);
    assert_int_equal(conn->behind->n_items, 2);
    assert_int_equal(pqr__queue_count(&fake.router->queue), 1);
    lose(conn);
}

/* 64 kB, whatever their number. */
static void expect_flights_of_a_few(bool anywhere)
{
    enum { BYTES = 20000 };
    static char large[BYTES + 1];
    memset(large, 'x', BYTES);
    start_with_connections(1);
    fake.config->pool.pipeline_depth = 32;
    asks.parameter = large;
    asks.anywhere = anywhere;
    struct pqr__conn *conn = fly_together(5);
    assert_int_equal(conn->flight->n_items, 3);
    assert_int_equal(conn->behind->n_items, 2);
    lose(conn);
}

static void a_flight_has_a_limit_of_bytes(void **state)
{
    (void)state;
    expect_flights_of_a_few(false);
}

static void a_flight_of_those_that_wait_in_several_queues_has_it_too(void **state)
{
    (void)state;
    expect_flights_of_a_few(true);
}

/* --- What a statement's past allows ------------------------------------------------------------------------ */

/* It has to prove itself again. */
static void a_statement_that_failed_shares_no_more(void **state)
{
    static struct told told[2];
    (void)state;
    start_with_connections(1);
    make_reads_fast(1);
    read_from_replica(&told[0]);
    run_down();
    answer(flying_on(1, 0), "22012");
    run_down();
    assert_int_equal(told[0].status, PQR_STATUS_SQL_ERROR);
    read_from_replica(&told[0]);
    run_down();
    struct pqr__conn *conn = flying_on(1, 0);
    read_from_replica(&told[1]);
    run_down();
    assert_null(conn->behind);
    assert_int_equal(pqr__queue_count(&fake.router->queue), 1);
    answer(conn, NULL);
    run_down();
    answer(flying_on(1, 0), NULL);
}

/* The first of two is answered late: the other has the connection only since then, and is not late itself. */
static void a_flight_has_its_connection_since_the_one_before_it_ended(void **state)
{
    static struct told told[3];
    (void)state;
    start_with_connections(1);
    make_reads_fast(1);
    for (unsigned i = 0; i < 2; i++) {
        read_from_replica(&told[i]);
        run_down();
    }
    struct pqr__conn *conn = flying_on(1, 0);
    assert_non_null(conn->behind);
    advance(3000);
    answer(conn, NULL);
    run_down();
    assert_null(conn->behind);
    advance(3000); /* together they would be more than it may take */
    read_from_replica(&told[2]);
    run_down();
    assert_non_null(conn->behind);
    lose(conn);
}

/* The first time it comes nothing of it is kept but that it was there. */
static void a_text_is_prepared_when_it_came_often_enough(void **state)
{
    static struct told told;
    static const char *const texts[] = {"select 1", "select 2", "select 3", "select 4"};
    (void)state;
    start();
    for (uint32_t threshold = 1; threshold <= 4; threshold++) {
        fake.config->statements.prepare_threshold = threshold;
        for (uint32_t times = 1; times <= 6; times++) {
            run_query(&told, texts[threshold - 1], PQR_TARGET_AUTO, 0);
            run_down();
            struct pqr__conn *conn = flying_on(1, 0) ? flying_on(1, 0) : flying_on(2, 0);
            assert_int_equal(conn->flight->items->statement != 0, times >= (threshold > 2 ? threshold : 2));
            answer(conn, NULL);
            run_down();
        }
    }
}

static void a_statement_is_prepared_at_once(void **state)
{
    static struct told told;
    pqr_query query = PQR_QUERY_INIT;
    pqr_statement *statement;
    (void)state;
    start();
    assert_int_equal(pqr_statement_new(&statement, "select 1"), 0);
    query.statement = statement;
    query.target = PQR_TARGET_PRIMARY;
    assert_int_equal(pqr_query_run(NULL, fake.router, &query, on_reply, &told), 0);
    pqr_statement_free(statement);
    run_down();
    assert_true(flying_on(0, 0)->flight->items->statement != 0);
    answer(flying_on(0, 0), NULL);
}

/* --- A read that was answered early, its flight in the air ------------------------------------------------ */

static pqr_request_id early_id;

/* The statistics, as they were when the last one was answered. */
static struct {
    pqr_router_totals totals;
    uint64_t ran;
} books;

static void read_books(pqr_reply *reply, void *data)
{
    pqr_stats *stats = NULL;
    on_reply(reply, data);
    assert_int_equal(pqr_router_stats(fake.router, &stats), 0);
    books.totals = *pqr_stats_totals(stats);
    books.ran = 0;
    for (unsigned i = 0; i < SERVERS; i++)
        books.ran += pqr_stats_pool(stats, i)->latency.count;
    pqr_stats_free(stats);
}

/* The first has a deadline. */
static void ask_four(pqr_reply *reply, void *data)
{
    struct told *told = data;
    pqr_query query = PQR_QUERY_INIT;
    on_reply(reply, told);
    query.sql = "select 1";
    for (unsigned i = 1; i <= 4; i++) {
        query.timeout_ms = i == 1 ? 100 : UINT32_MAX;
        assert_int_equal(
            pqr_query_run(i == 1 ? &early_id : NULL, fake.router, &query, read_books, told + i), 0);
    }
}

static struct pqr__conn *answer_one_early(struct told *told)
{
    memset(told, 0, 5 * sizeof(*told));
    struct pqr__conn *conn = fly_four(told, ask_four);
    tell_item(conn, conn->flight->items);
    assert_int_equal(told[1].times, 1);
    assert_int_equal(told[1].status, PQR_STATUS_OK);
    return conn;
}

static void answer_the_others(struct pqr__conn *conn)
{
    for (struct pqr__item *item = conn->flight->items->next; item; item = item->next)
        tell_item(conn, item);
    settled_as(conn, PQR__TX_IDLE, NULL);
    settle();
}

static void assert_answered_and_counted_once(const struct told *told, unsigned n_ok)
{
    enum { BEFORE = PQR__HISTORY_CLEAN + 1, ALL = BEFORE + 4 };
    uint64_t by_status = 0, by_outcome = 0;
    for (unsigned i = 0; i <= 4; i++)
        assert_int_equal(told[i].times, 1);
    for (unsigned i = 0; i < 8; i++)
        by_status += books.totals.by_status[i];
    for (unsigned i = 0; i < 3; i++)
        by_outcome += books.totals.by_outcome[i];
    assert_int_equal(books.totals.accepted, ALL);
    assert_int_equal(books.totals.answered, ALL);
    assert_int_equal(books.totals.by_status[PQR_STATUS_OK], BEFORE + n_ok);
    assert_int_equal(books.totals.latency.count, ALL);
    assert_int_equal(by_status, ALL);
    assert_int_equal(by_outcome, ALL);
    assert_int_equal(books.ran, ALL);
}

static void an_early_answer_can_not_be_cancelled(void **state)
{
    static struct told told[5];
    (void)state;
    struct pqr__conn *conn = answer_one_early(told);
    assert_int_equal(pqr_request_cancel(fake.router, early_id), PQR_ENOENT);
    settle();
    assert_int_equal(fake.router->backends[1].slots[PQR__SLOT_SHARED].count, 1);
    answer_the_others(conn);
    assert_answered_and_counted_once(told, 4);
}

static void an_early_answer_has_no_deadline(void **state)
{
    static struct told told[5];
    (void)state;
    struct pqr__conn *conn = answer_one_early(told);
    advance(1000000);
    assert_int_equal(fake.router->backends[1].slots[PQR__SLOT_SHARED].count, 1);
    answer_the_others(conn);
    assert_answered_and_counted_once(told, 4);
}

static void an_early_answer_is_not_lost_with_its_connection(void **state)
{
    static struct told told[5];
    (void)state;
    struct pqr__conn *conn = answer_one_early(told);
    fake.config->pool.pipeline_depth = 1; /* the fake server takes one flight at a time */
    lose(conn);
    settle();
    for (unsigned n = 0; n < 3; n++) {
        answer(flying_on(0, 0) ? flying_on(0, 0) : flying_on(1, 0), NULL);
        settle();
    }
    assert_answered_and_counted_once(told, 4);
}

static void an_early_answer_stands_when_the_router_closes(void **state)
{
    static struct told told[5];
    (void)state;
    answer_one_early(told);
    pqr_router_close(fake.router, 0, on_closed, &closed);
    advance(1000000); /* the others' cancel does not get through */
    assert_true(closed);
    assert_answered_and_counted_once(told, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(shared_connections_beyond_the_ceiling_take_no_more),
        TEST(statistics_tell_how_many_requests_share_a_connection),
        TEST(what_must_wait_is_seen_to_before_the_loop_waits),
        TEST(what_waits_is_parted_among_three_flights),
        TEST(what_a_turn_of_the_loop_asks_for_is_given_out_at_its_end),
        TEST(writes_that_wait_do_not_hurry_reads),
        TEST(a_write_goes_out_as_soon_as_its_connection_is_free),
        TEST(a_transaction_begins_as_soon_as_a_connection_is_free),
        TEST(what_is_asked_for_together_fills_one_flight),
        TEST(a_read_is_answered_before_its_flight_ends),
        TEST(the_last_of_a_flight_is_answered_at_its_end),
        TEST(a_callback_in_the_middle_of_a_flight_may_close_the_router),
        TEST(an_early_answer_can_not_be_cancelled),
        TEST(an_early_answer_has_no_deadline),
        TEST(an_early_answer_is_not_lost_with_its_connection),
        TEST(an_early_answer_stands_when_the_router_closes),
        TEST(a_read_joins_the_connection_with_the_fewest_before_it),
        TEST(no_more_connections_are_joined_than_are_to_be_shared),
        TEST(a_connection_is_filled_again_when_no_more_than_half_is_in_the_air),
        TEST(no_more_than_its_depth_is_in_the_air_of_a_connection),
        TEST(a_flight_has_a_limit_of_bytes),
        TEST(a_flight_of_those_that_wait_in_several_queues_has_it_too),
        TEST(a_statement_that_failed_shares_no_more),
        TEST(a_flight_has_its_connection_since_the_one_before_it_ended),
        TEST(a_text_is_prepared_when_it_came_often_enough),
        TEST(a_statement_is_prepared_at_once),
        TEST(nothing_flies_behind_what_is_late),
        TEST(requests_are_spread_over_as_many_connections_as_serve_most),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
