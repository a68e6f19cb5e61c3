/* The router on servers that do exactly what a test tells them: who runs a request, and what is run again. The other
 * test_router_... have the rest.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "fake_router.h"

static void replica_only_never_reaches_the_primary(void **state)
{
    static const char *const refusals[] = {"42P01", "0A000", "25006"};
    (void)state;
    start();
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        struct told told;
        run_query(&told, "select 1", PQR_TARGET_REPLICA_ONLY, 0);
        settle();
        for (unsigned tries = 0; tries < 10 && told.times == 0; tries++) {
            struct pqr__conn *conn = flying_on(1, 0) ? flying_on(1, 0) : flying_on(2, 0);
            assert_null(flying_on(0, 0));
            assert_non_null(conn);
            answer(conn, refusals[i]);
            settle();
        }
        assert_int_equal(told.times, 1);
        assert_int_equal(told.status, PQR_STATUS_SQL_ERROR);
        assert_string_equal(told.sqlstate, refusals[i]);
    }
}

/* One of two replicas lost a read, which waits for the other; that one is busy. */
static void a_request_that_avoids_a_server_holds_nobody_up(void **state)
{
    static struct told first[4], next;
    (void)state;
    start();
    for (unsigned i = 0; i < 4; i++) { /* max, less probe and reserve, on both */
        read_from_replica(&first[i]);
        settle();
    }
    assert_non_null(flying_on(1, 1));
    assert_non_null(flying_on(2, 1));
    for (uint32_t i = 0; i < SERVERS; i++)
        fake.connects[i] = HANGING;
    lose(flying_on(1, 1));
    settle();
    answer(flying_on(1, 0), NULL);
    settle();
    assert_null(flying_on(1, 0));
    assert_int_equal(fake.router->queue.lanes[PQR__QUEUE_REPLICA][PQR__LANE_NORMAL].count, 1);
    read_from_replica(&next);
    settle();
    assert_non_null(flying_on(1, 0));
}

/* The other replica cannot be connected to: what avoids this one must not wait for that. */
static void a_read_goes_back_to_the_replica_it_avoids_when_there_is_no_other(void **state)
{
    static struct told told[4];
    (void)state;
    start();
    for (unsigned i = 0; i < 4; i++) {
        read_from_replica(&told[i]);
        settle();
    }
    for (uint32_t i = 1; i < SERVERS; i++)
        fake.connects[i] = HANGING;
    while (flying_on(2, 0)) /* now they wait for s1 */
        lose(flying_on(2, 0));
    for (uint32_t i = 0; i < fake.n_conns; i++)
        if (fake.conns[i].phase == OPEN && fake.conns[i].server == 2 && !is_probe(&fake.conns[i]))
            lose(&fake.conns[i]);
    while (flying_on(1, 0)) /* and now for s2 */
        lose(flying_on(1, 0));
    settle();
    fake.connects[1] = ACCEPTED;
    fake.connects[2] = REFUSED;
    advance(2000000);
    for (unsigned i = 0; i < 40; i++) {
        struct pqr__conn *conn = flying_on(1, 0) ? flying_on(1, 0) : flying_on(0, 0);
        if (conn)
            answer(conn, NULL);
        advance(50000);
    }
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(told[i].times, 1);
}

static void a_write_is_not_sent_to_the_demoted_primary_again(void **state)
{
    static struct told first, second;
    (void)state;
    fake.config->request.max_retries = 1;
    start();
    run_query(&first, "insert into t values (1)", PQR_TARGET_AUTO, 0);
    run_query(&second, "insert into t values (2)", PQR_TARGET_AUTO, 0);
    settle();
    assert_non_null(flying_on(0, 1));
    answer(flying_on(0, 1), NULL); /* an idle connection */
    settle();
    fake.standby[0] = true;
    answer(flying_on(0, 0), "25006");
    assert_null(flying_on(0, 0));
    settle();
    fake.standby[0] = false; /* and primary again */
    advance(3000000);
    assert_non_null(flying_on(0, 0));
    answer(flying_on(0, 0), NULL);
    settle();
    assert_int_equal(first.status, PQR_STATUS_OK);
}

static void an_error_after_a_lost_attempt_is_not_called_executed(void **state)
{
    static struct told told;
    (void)state;
    start();
    run_query(&told, "insert into t values (1)", PQR_TARGET_AUTO, PQR_IDEMPOTENT);
    settle();
    lose(flying_on(0, 0));
    settle();
    assert_non_null(flying_on(0, 0));
    answer(flying_on(0, 0), "23505"); /* its own row, perhaps */
    settle();
    assert_int_equal(told.status, PQR_STATUS_SQL_ERROR);
    assert_int_equal(told.outcome, PQR_OUTCOME_UNKNOWN);
}

/* A restart: one idle connection after the other turns out to be gone. */
static void what_was_never_sent_waits_for_a_connection_that_lives(void **state)
{
    static struct told told;
    (void)state;
    fake.config->request.max_retries = 0;
    start();
    run_query(&told, "insert into t values (1)", PQR_TARGET_AUTO, 0);
    for (unsigned i = 0; i < 5; i++) {
        advance(50000);
        assert_non_null(flying_on(0, 0));
        lose_after(flying_on(0, 0), false);
    }
    advance(50000);
    assert_int_equal(told.times, 0);
    answer(flying_on(0, 0), NULL);
    settle();
    assert_int_equal(told.status, PQR_STATUS_OK);
    assert_int_equal(told.attempts, 1);
}

static void what_was_never_sent_names_no_server(void **state)
{
    static struct told told;
    (void)state;
    start();
    write_on_primary(&told);
    fake.connects[0] = HANGING;
    while (flying_on(0, 0)) {
        lose_after(flying_on(0, 0), false);
        settle();
    }
    pqr_router_close(fake.router, 0, on_closed, &closed);
    settle();
    assert_int_equal(told.times, 1);
    assert_int_equal(told.status, PQR_STATUS_CLOSED);
    assert_int_equal(told.outcome, PQR_OUTCOME_NOT_EXECUTED);
    assert_int_equal(told.attempts, 0);
    assert_int_equal(told.server, UINT32_MAX);
}

/* Given to a connection that ended by another one's answer, which was too large. It is set apart from its like, and that
   is no attempt of its own either. */
static void what_was_never_sent_and_is_set_apart_counts_once(void **state)
{
    static struct told told;
    (void)state;
    start();
    read_from_replica(&told);
    run_down();
    struct pqr__conn *conn = flying_on(1, 0) ? flying_on(1, 0) : flying_on(2, 0);
    struct pqr__flight *flight = conn->flight;
    struct pqr__settled facts = {
        .lost = true, .behind = true, .tx = PQR__TX_UNKNOWN, .message = "cut off", .sqlstate = "54000"};
    conn->flight = NULL;
    events.settled(conn->context, flight, &facts);
    lose(conn);
    settle();
    answer(flying_on(1, 0) ? flying_on(1, 0) : flying_on(2, 0), NULL);
    settle();
    assert_int_equal(told.status, PQR_STATUS_OK);
    assert_int_equal(told.attempts, 1);
    assert_int_not_equal(told.server, UINT32_MAX);
}

static void what_never_gets_through_comes_to_an_end(void **state)
{
    static struct told told;
    (void)state;
    start();
    run_query(&told, "insert into t values (1)", PQR_TARGET_AUTO, 0);
    for (unsigned i = 0; i < 3000 && told.times == 0; i++) {
        settle();
        if (flying_on(0, 0))
            lose_after(flying_on(0, 0), false);
        settle();
        forget_gone();
    }
    assert_int_equal(told.status, PQR_STATUS_UNAVAILABLE);
    assert_int_equal(told.outcome, PQR_OUTCOME_NOT_EXECUTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(replica_only_never_reaches_the_primary),
        TEST(a_request_that_avoids_a_server_holds_nobody_up),
        TEST(a_read_goes_back_to_the_replica_it_avoids_when_there_is_no_other),
        TEST(a_write_is_not_sent_to_the_demoted_primary_again),
        TEST(an_error_after_a_lost_attempt_is_not_called_executed),
        TEST(what_was_never_sent_waits_for_a_connection_that_lives),
        TEST(what_was_never_sent_names_no_server),
        TEST(what_was_never_sent_and_is_set_apart_counts_once),
        TEST(what_never_gets_through_comes_to_an_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
