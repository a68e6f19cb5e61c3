/* Connections that have ended while their servers' sessions go on: whoever waits for an answer has it, and the place is
   taken all the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "fake_router.h"

enum { SECOND = 1000000 };

static pqr_pool_stats pool(uint32_t server)
{
    pqr_stats *stats = NULL;
    assert_int_equal(pqr_router_stats(fake.router, &stats), 0);
    pqr_pool_stats found = *pqr_stats_pool(stats, server);
    pqr_stats_free(stats);
    return found;
}

static unsigned sessions(uint32_t server)
{
    unsigned n = 0;
    for (uint32_t i = 0; i < fake.n_conns; i++)
        n += fake.conns[i].phase != GONE && fake.conns[i].server == server;
    return n;
}

static struct pqr__conn *probe_of(uint32_t server)
{
    for (uint32_t i = fake.n_conns; i-- > 0;)
        if (is_probe(&fake.conns[i]) && fake.conns[i].phase != GONE && fake.conns[i].server == server)
            return &fake.conns[i];
    return NULL;
}

/* With a short deadline, on the primary; its statement can't be cancelled. */
static void write_that_hangs(struct told *told)
{
    pqr_query query = PQR_QUERY_INIT;
    query.sql = "insert into t values (1)";
    query.timeout_ms = 300;
    *told = (struct told){0};
    assert_int_equal(pqr_query_run(NULL, fake.router, &query, on_reply, told), 0);
}

static void a_session_that_goes_on_keeps_its_place(void **state)
{
    enum { N = 12, MAX = 4 };
    static struct told told[N], late;
    (void)state;
    start();
    fake.goes_on[0] = true;
    for (unsigned i = 0; i < N; i++)
        write_that_hangs(&told[i]);
    for (unsigned turn = 0; turn < 300; turn++) {
        advance(SECOND / 100);
        assert_in_range(sessions(0), 0, MAX);
    }
    for (unsigned i = 0; i < N; i++) {
        assert_int_equal(told[i].times, 1);
        assert_int_equal(told[i].status, PQR_STATUS_TIMEOUT);
    }
    assert_int_equal(pool(0).closing, 2);
    assert_int_equal(pool(0).total_connections, MAX);
    run_query(&late, "insert into t values (2)", PQR_TARGET_AUTO, 0);
    advance(SECOND);
    assert_null(flying_on(0, 0));
    fake.goes_on[0] = false;
    advance(SECOND);
    answer(flying_on(0, 0), NULL);
    settle();
    assert_int_equal(late.status, PQR_STATUS_OK);
    assert_int_equal(pool(0).closing, 0);
}

static void an_idle_connection_that_was_lost_serves_nobody(void **state)
{
    static struct told told;
    (void)state;
    fake.config->servers[0].max = 6;
    fake.config->servers[0].min = 2;
    start();
    fake.goes_on[0] = true;
    for (uint32_t i = 0; i < fake.n_conns; i++)
        if (fake.conns[i].phase == OPEN && fake.conns[i].server == 0 && !is_probe(&fake.conns[i]))
            lose(&fake.conns[i]);
    run_query(&told, "insert into t values (1)", PQR_TARGET_AUTO, 0);
    settle();
    answer(flying_on(0, 0), NULL); /* on a new one; do_send asserts that it is open */
    settle();
    assert_int_equal(told.status, PQR_STATUS_OK);
    assert_int_equal(told.attempts, 1);
}

static void run_one(pqr_tx *tx, unsigned attempt, void *data)
{
    static struct told told;
    pqr_query query = PQR_QUERY_INIT;
    (void)attempt;
    (void)data;
    query.sql = "insert into t values (1)";
    assert_int_equal(pqr_tx_query(tx, &query, on_reply, &told), 0);
}

static void a_transaction_is_told_when_its_connection_has_ended(void **state)
{
    static struct told told;
    pqr_tx_options options = PQR_TX_OPTIONS_INIT;
    options.max_attempts = 1;
    (void)state;
    start();
    assert_int_equal(pqr_tx_run(NULL, fake.router, &options, run_one, on_reply, &told), 0);
    settle();
    struct pqr__conn *conn = flying_on(0, 0);
    answer_begun(conn, NULL, PQR__TX_OPEN);
    settle();
    fake.goes_on[0] = true;
    lose(conn);
    settle();
    assert_int_equal(told.times, 1);
    assert_int_equal(told.outcome, PQR_OUTCOME_NOT_EXECUTED);
    assert_int_equal(conn->phase, LINGERING);
}

static void closing_the_router_waits_for_no_session(void **state)
{
    static struct told told;
    (void)state;
    start();
    for (uint32_t i = 0; i < SERVERS; i++)
        fake.goes_on[i] = true;
    write_that_hangs(&told);
    advance(2 * SECOND);
    assert_int_equal(pool(0).closing, 1);
    lose(probe_of(1));
    pqr_router_close(fake.router, 0, on_closed, &closed);
    run_down(); /* the time stands still */
    assert_true(closed);
}

/* What its probe had asked may never come to an end; the server is looked for again all the same. */
static void a_probes_session_is_waited_for_as_long_as_an_answer(void **state)
{
    (void)state;
    start();
    fake.goes_on[1] = true;
    struct pqr__conn *first = probe_of(1);
    lose(first);
    settle();
    assert_int_equal(fake.router->backends[1].role, PQR_ROLE_DOWN); /* at once */
    advance(fake.config->probe.timeout_us / 2);
    assert_ptr_equal(probe_of(1), first);
    assert_int_equal(pool(1).closing, 1);
    advance(fake.config->probe.timeout_us);
    assert_ptr_not_equal(probe_of(1), first);
    assert_int_equal(fake.router->backends[1].role, PQR_ROLE_REPLICA);
    assert_int_equal(pool(1).closing, 0);
    assert_int_equal(pool(1).left_behind, 1);
}

static void a_probe_connects_as_soon_as_its_session_is_over(void **state)
{
    (void)state;
    fake.config->probe.timeout_us = 60 * (uint64_t)SECOND;
    start();
    fake.goes_on[1] = true;
    struct pqr__conn *first = probe_of(1);
    lose(first);
    advance(5 * SECOND);
    assert_ptr_equal(probe_of(1), first);
    fake.goes_on[1] = false;
    settle();
    assert_ptr_not_equal(probe_of(1), first);
    assert_int_equal(fake.router->backends[1].role, PQR_ROLE_REPLICA);
}

/* Two write, two read: nobody may have more. One reader's server does not answer to its connections' end. */
static void a_session_that_goes_on_does_not_keep_others_from_giving_way(void **state)
{
    enum { MAX_TOTAL = 15, WRITES = 4 };
    static struct told told[WRITES];
    unsigned flying = 0;
    (void)state;
    fake.config->pool.max_total = MAX_TOTAL;
    fake.config->pool.lifetime_us = 0;
    for (uint32_t i = 0; i < SERVERS; i++)
        fake.config->servers[i].max = 20;
    fake.config->servers[1].min = fake.config->servers[2].min = 5;
    start();
    advance(SECOND);
    assert_int_equal(count_open(1) + count_open(2), 10);
    fake.goes_on[1] = true;
    struct pqr_config *other = config_of("host=s0,s1,s2 user=u dbname=d");
    other->pool.max_total = MAX_TOTAL;
    for (uint32_t i = 0; i < SERVERS; i++)
        other->servers[i].max = 20;
    reload_with(other); /* without a min they have more than their share */
    for (unsigned i = 0; i < WRITES; i++)
        write_on_primary(&told[i]);
    advance(2 * SECOND);
    while (flying_on(0, flying))
        flying++;
    assert_int_equal(flying, WRITES);
    assert_in_range(sessions(0) + sessions(1) + sessions(2), 0, MAX_TOTAL);
}

static unsigned connects_to(uint32_t server)
{
    unsigned n = 0;
    for (uint32_t i = 0; i < fake.n_conns; i++)
        n += fake.conns[i].server == server;
    return n;
}

/* One of three servers has four sessions that go on beside its five connections, which is no more than its part of all:
   they are not taken for another one's, to be opened anew in the next moment. */
static void sessions_that_go_on_are_no_riches(void **state)
{
    enum { MIN = 5, GOING_ON = 4, WRITES = 20 };
    static struct told told[WRITES];
    unsigned lost = 0;
    (void)state;
    fake.config->pool.max_total = 24;
    fake.config->pool.lifetime_us = 0;
    for (uint32_t i = 0; i < SERVERS; i++)
        fake.config->servers[i].max = 20;
    fake.config->servers[1].min = MIN;
    start();
    advance(SECOND);
    fake.goes_on[1] = true;
    for (uint32_t i = 0; i < fake.n_conns && lost < GOING_ON; i++)
        if (fake.conns[i].phase == OPEN && fake.conns[i].server == 1 && !is_probe(&fake.conns[i])) {
            lose(&fake.conns[i]);
            lost++;
        }
    advance(SECOND);
    assert_int_equal(pool(1).closing, GOING_ON);
    assert_int_equal(count_open(1), MIN);
    unsigned connects = connects_to(1);
    for (unsigned i = 0; i < WRITES; i++)
        run_query(&told[i], "insert into t values (1)", PQR_TARGET_AUTO, 0);
    advance(3 * SECOND);
    assert_int_equal(count_open(1), MIN);
    assert_int_equal(connects_to(1), connects);
    assert_in_range(sessions(0) + sessions(1) + sessions(2), 20, 24);
}

static void a_server_that_leaves_keeps_its_place_until_its_sessions_are_over(void **state)
{
    static struct told told;
    (void)state;
    start();
    fake.goes_on[2] = true;
    struct pqr_config *other = config_of("host=s0,s1 user=u dbname=d");
    reload_with(other);
    settle();
    assert_int_equal(fake.router->backends[2].stay, PQR__STAY_LEAVING);
    advance(fake.config->probe.timeout_us); /* its probe is not waited for longer than that */
    assert_int_equal(fake.router->backends[2].stay, PQR__STAY_LEAVING);
    fake.goes_on[2] = false;
    settle();
    assert_int_equal(fake.router->backends[2].stay, PQR__STAY_GONE);
    write_on_primary(&told);
    answer(flying_on(0, 0), NULL);
    settle();
    assert_int_equal(told.status, PQR_STATUS_OK);
}

/* What the server does with a login that was given up is its business, and counts. */
static void a_connect_that_timed_out_keeps_its_place(void **state)
{
    enum { MAX = 4 };
    static struct told told[MAX];
    (void)state;
    start();
    fake.goes_on[0] = true;
    fake.connects[0] = TIMING_OUT;
    for (unsigned i = 0; i < MAX; i++)
        run_query(&told[i], "insert into t values (1)", PQR_TARGET_AUTO, 0);
    for (unsigned turn = 0; turn < 500; turn++) {
        advance(SECOND / 100);
        assert_in_range(sessions(0), 1, MAX);
    }
    assert_int_equal(pool(0).total_connections, MAX);
    assert_int_not_equal(pool(0).connect_failures, 0);
    fake.goes_on[0] = false;
    fake.connects[0] = ACCEPTED;
    advance(SECOND);
    answer(flying_on(0, 0), NULL);
    settle();
    assert_int_equal(told[0].status, PQR_STATUS_OK);
    assert_int_equal(pool(0).closing, 0);
}

static void a_probe_that_could_not_connect_in_time_is_followed_when_that_is_over(void **state)
{
    (void)state;
    fake.config->probe.timeout_us = 60 * (uint64_t)SECOND;
    start();
    fake.probe_connects[1] = TIMING_OUT;
    lose(probe_of(1));
    advance(SECOND);
    fake.goes_on[1] = true;
    advance(2 * SECOND);
    struct pqr__conn *given_up = probe_of(1);
    assert_int_equal(fake.router->backends[1].role, PQR_ROLE_DOWN);
    assert_true(given_up && given_up->phase == LINGERING);
    fake.probe_connects[1] = ACCEPTED;
    advance(5 * SECOND);
    assert_ptr_equal(probe_of(1), given_up);
    fake.goes_on[1] = false;
    advance(SECOND);
    assert_int_equal(fake.router->backends[1].role, PQR_ROLE_REPLICA);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_session_that_goes_on_keeps_its_place),
        TEST(an_idle_connection_that_was_lost_serves_nobody),
        TEST(a_transaction_is_told_when_its_connection_has_ended),
        TEST(closing_the_router_waits_for_no_session),
        TEST(a_probes_session_is_waited_for_as_long_as_an_answer),
        TEST(a_probe_connects_as_soon_as_its_session_is_over),
        TEST(a_session_that_goes_on_does_not_keep_others_from_giving_way),
        TEST(sessions_that_go_on_are_no_riches),
        TEST(a_server_that_leaves_keeps_its_place_until_its_sessions_are_over),
        TEST(a_connect_that_timed_out_keeps_its_place),
        TEST(a_probe_that_could_not_connect_in_time_is_followed_when_that_is_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
