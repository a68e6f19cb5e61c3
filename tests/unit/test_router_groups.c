/* The router on servers that do exactly what a test tells them: who goes out with whom. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "fake_router.h"

#define READ   "select 1"
#define INSERT "insert into t values (1)"

/* As if all relations and functions were known to be plain. */
static const struct pqr__catalog nothing_varies;

/* What the answer of another request asks for, so that it waits together. */
static struct {
    unsigned n;
    struct {
        const char *sql;
        uint32_t flags;
    } asked[4];
    pqr_target target;
    struct told told[4];
} asks;

static void ask(pqr_reply *reply, void *data)
{
    on_reply(reply, data);
    for (unsigned i = 0; i < asks.n; i++)
        run_query(&asks.told[i], asks.asked[i].sql, asks.target, asks.asked[i].flags);
}

static void add(const char *sql, uint32_t flags)
{
    asks.asked[asks.n].sql = sql;
    asks.asked[asks.n++].flags = flags;
}

/* On the only connection to its server, where they fly then. */
static struct pqr__conn *ask_together(uint32_t server)
{
    static struct told told;
    pqr_query query = PQR_QUERY_INIT;
    query.sql = READ;
    query.target = asks.target;
    assert_int_equal(pqr_query_run(NULL, fake.router, &query, ask, &told), 0);
    run_down();
    struct pqr__conn *conn = flying_on(server, 0);
    answer(conn, NULL);
    run_down();
    assert_non_null(conn->flight);
    return conn;
}

static void make_fast(const char *sql, pqr_target target)
{
    static struct told told;
    for (unsigned i = 0; i < PQR__HISTORY_CLEAN + 1; i++) { /* the first time it is not remembered yet */
        run_query(&told, sql, target, 0);
        run_down();
        answer(flying_on(target == PQR_TARGET_PRIMARY ? 0 : 1, 0), NULL);
        run_down();
    }
}

/* So many connections to share of the primary and of the one replica, each with room for eight. */
static void start_with_connections(uint32_t n, pqr_target target, const struct pqr__catalog *catalog)
{
    memset(&asks, 0, sizeof(asks));
    asks.target = target;
    fake.connects[2] = fake.probe_connects[2] = REFUSED;
    for (unsigned i = 0; i < 2; i++)
        fake.config->servers[i].min = fake.config->servers[i].max = n + 2; /* the probe, and the reserve */
    fake.config->pool.pipeline_depth = 8;
    fake.config->writes.pipeline = true;
    start();
    fake.router->dialect.catalog = catalog;
    make_fast(READ, target);
}

static void finish(struct pqr__conn *conn)
{
    while (conn->flight)
        answer_prepare(conn, NULL);
    run_down();
}

/* --- reads ------------------------------------------------------------------------------------------------- */

static void one_that_is_set_apart_goes_with_no_other(void **state)
{
    (void)state;
    start_with_connections(2, PQR_TARGET_AUTO, NULL);
    add(READ, 0);
    add(READ, PQR_ALONE);
    add(READ, 0);
    ask_together(1);
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(flying_on(1, i)->flight->n_items, 1);
    lose_all(1);
}

static void on_the_primary_executions_of_one_statement_go_together(void **state)
{
    (void)state;
    start_with_connections(1, PQR_TARGET_PRIMARY, &nothing_varies);
    add(READ, 0);
    add(READ, 0);
    struct pqr__conn *conn = ask_together(0);
    assert_int_equal(conn->flight->n_items, 2);
    finish(conn);
}

/* As long as nothing is known of what its names mean, each may lock something else. */
static void not_so_where_each_may_lock_something_else(void **state)
{
    (void)state;
    start_with_connections(1, PQR_TARGET_PRIMARY, NULL);
    add(READ, 0);
    add(READ, 0);
    struct pqr__conn *conn = ask_together(0);
    assert_int_equal(conn->flight->n_items, 1);
    assert_int_equal(conn->behind->n_items, 1);
    finish(conn);
}

/* A flight for each of two replicas would be larger, but nothing is in the air that would add to it. */
static void when_all_is_quiet_one_goes_at_once(void **state)
{
    static struct told told;
    pqr_query query = PQR_QUERY_INIT;
    (void)state;
    memset(&asks, 0, sizeof(asks));
    start();
    make_reads_fast(PQR__HISTORY_CLEAN + 1);
    add(READ, 0);
    query.sql = READ;
    assert_int_equal(pqr_query_run(NULL, fake.router, &query, ask, &told), 0);
    run_down();
    answer(flying_on(1, 0) ? flying_on(1, 0) : flying_on(2, 0), NULL);
    struct pqr__conn *conn = flying_on(1, 0) ? flying_on(1, 0) : flying_on(2, 0);
    assert_non_null(conn); /* not in the loop's next turn */
    finish(conn);
}

/* --- writes that may follow one another -------------------------------------------------------------------- */

static void reads_that_wait_behind_a_write_go_together(void **state)
{
    (void)state;
    start_with_connections(1, PQR_TARGET_PRIMARY, &nothing_varies);
    make_fast(INSERT, PQR_TARGET_PRIMARY);
    add(INSERT, 0);
    add(READ, 0);
    add(READ, 0);
    struct pqr__conn *conn = ask_together(0);
    assert_string_equal(conn->flight->items->sql, INSERT);
    assert_int_equal(conn->flight->n_items, 1);
    assert_int_equal(conn->behind->n_items, 2);
    finish(conn);
}

static void writes_that_wait_together_have_a_sync_each(void **state)
{
    (void)state;
    start_with_connections(1, PQR_TARGET_PRIMARY, &nothing_varies);
    make_fast(INSERT, PQR_TARGET_PRIMARY);
    for (unsigned i = 0; i < 3; i++)
        add(INSERT, 0);
    struct pqr__conn *conn = ask_together(0);
    assert_int_equal(conn->flight->n_items, 1);
    assert_int_equal(conn->behind->n_items, 1);
    assert_int_equal(conn->third->n_items, 1);
    finish(conn);
}

/* Two of those may be in the air, whatever is there before them. */
static void a_write_in_the_air_takes_no_room_of_flights_of_reads(void **state)
{
    static struct told told[3];
    (void)state;
    start_with_connections(1, PQR_TARGET_PRIMARY, &nothing_varies);
    make_fast(INSERT, PQR_TARGET_PRIMARY);
    run_query(&told[0], INSERT, PQR_TARGET_PRIMARY, 0);
    run_down();
    struct pqr__conn *conn = flying_on(0, 0);
    for (unsigned i = 1; i < 3; i++) {
        run_query(&told[i], READ, PQR_TARGET_PRIMARY, 0);
        run_down();
    }
    assert_non_null(conn->third);
    finish(conn);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_that_is_set_apart_goes_with_no_other),
        TEST(on_the_primary_executions_of_one_statement_go_together),
        TEST(not_so_where_each_may_lock_something_else),
        TEST(when_all_is_quiet_one_goes_at_once),
        TEST(reads_that_wait_behind_a_write_go_together),
        TEST(writes_that_wait_together_have_a_sync_each),
        TEST(a_write_in_the_air_takes_no_room_of_flights_of_reads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
