/* How often the router reads the clock: once an event and once a call, whatever they bring. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "fake_router.h"

enum { MANY = 20 };

static struct told told[MANY + 1];

/* Connections that are idle, to all servers. */
static void start_with_connections(void)
{
    memset(told, 0, sizeof(told));
    for (unsigned i = 0; i < SERVERS; i++)
        fake.config->servers[i].min = fake.config->servers[i].max;
    start();
    make_reads_fast(PQR__HISTORY_CLEAN + 1);
    fake.n_now = 0;
}

static struct pqr__conn *on_replica(void)
{
    return flying_on(1, 0) ? flying_on(1, 0) : flying_on(2, 0);
}

static void a_request_reads_it_once(void **state)
{
    (void)state;
    start_with_connections();
    read_from_replica(&told[0]);
    assert_non_null(on_replica());
    assert_int_equal(fake.n_now, 1);
    read_from_replica(&told[1]);
    assert_int_equal(fake.n_now, 2);
    lose_all(1);
    lose_all(2);
}

static void one_that_the_library_refuses_reads_it_once(void **state)
{
    (void)state;
    start_with_connections();
    run_query(&told[0], "begin", PQR_TARGET_AUTO, 0);
    assert_int_equal(fake.n_now, 1);
}

static void a_batch_reads_it_once(void **state)
{
    pqr_query query = PQR_QUERY_INIT;
    pqr_batch_query queries[MANY];
    (void)state;
    start_with_connections();
    query.sql = "insert into t values (1)";
    for (unsigned i = 0; i < MANY; i++)
        queries[i] = (pqr_batch_query){&query, on_reply, &told[i]};
    assert_int_equal(pqr_batch_run(NULL, fake.router, NULL, queries, MANY, on_reply, &told[MANY]), 0);
    assert_non_null(flying_on(0, 0));
    assert_int_equal(fake.n_now, 1);
    lose_all(0);
}

static void commit(pqr_tx *tx, unsigned attempt, void *data)
{
    (void)attempt;
    (void)data;
    assert_int_equal(pqr_tx_commit(tx), 0);
}

static void a_transaction_reads_it_once(void **state)
{
    (void)state;
    start_with_connections();
    assert_int_equal(pqr_tx_run(NULL, fake.router, NULL, commit, on_reply, &told[0]), 0);
    assert_int_equal(fake.n_now, 1);
}

static void ask_for_many(pqr_reply *reply, void *data)
{
    on_reply(reply, data);
    for (unsigned i = 0; i < MANY; i++)
        read_from_replica(&told[i]);
}

static void an_event_reads_it_once(void **state)
{
    pqr_query query = PQR_QUERY_INIT;
    (void)state;
    start_with_connections();
    query.sql = "select 1";
    assert_int_equal(pqr_query_run(NULL, fake.router, &query, ask_for_many, &told[MANY]), 0);
    fake.n_now = 0;
    answer(on_replica(), NULL);
    assert_int_equal(told[MANY].times, 1);
    assert_non_null(on_replica());
    assert_int_equal(fake.n_now, 1);
    run_down();
    lose_all(1);
    lose_all(2);
}

static const struct pqr_reply *asked(void)
{
    return pqr__container_of(on_replica()->flight->items, struct pqr_reply, item);
}

/* However long the application was busy since the last event, and the last call: no deadline loses any of that. */
static void a_call_has_the_time_at_which_it_is_made(void **state)
{
    (void)state;
    start_with_connections();
    for (unsigned i = 0; i < 2; i++) {
        fake.now_us += 90000;
        read_from_replica(&told[i]);
        assert_int_equal(asked()->accepted_us, fake.now_us);
        assert_int_equal(asked()->sent_us, fake.now_us);
        fake.now_us += 90000;
        assert_int_equal(pqr__router_now(fake.router), fake.now_us); /* it is over */
        answer(on_replica(), NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_request_reads_it_once),
        TEST(one_that_the_library_refuses_reads_it_once),
        TEST(a_batch_reads_it_once),
        TEST(a_transaction_reads_it_once),
        TEST(an_event_reads_it_once),
        TEST(a_call_has_the_time_at_which_it_is_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
