/* The router on servers that do exactly what a test tells them: probes, roles, what is sent again, transactions,
 * administrators. test_router_flights.c and test_router_reload.c have the rest.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "fake_router.h"

#include "base/alloc.h"
#include "base/text.h"

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

static void the_reserve_is_not_shrunk_away(void **state)
{
    static struct told told;
    (void)state;
    fake.config->pool.idle_timeout_us = 2000000;
    fake.config->pool.lifetime_us = 0;
    start();
    run_query(&told, "insert into t values (1)", PQR_TARGET_AUTO, 0);
    settle();
    assert_non_null(flying_on(0, 0));
    advance(5000000);
    uint32_t connects = fake.n_conns;
    advance(60000000);
    assert_int_equal(fake.n_conns, connects);
    assert_int_equal(
        count_open(0), 3); /* the busy one, the reserve, and one for a rush, all that max leaves */
}

/* The reserve is part of min: what a server asks for its min is as much as it opens for it, or others went without a
   place that nobody takes. */
static void min_and_the_reserve_claim_no_more_than_they_take(void **state)
{
    enum { MAX_TOTAL = 14, MIN = 3, IN_USE = MAX_TOTAL - 2 * (1 + MIN) - 2 /* probe, reserve */ };
    static struct told told[IN_USE + 2];
    (void)state;
    fake.config->pool.max_total = MAX_TOTAL;
    fake.config->servers[0].max = fake.config->servers[1].max = fake.config->servers[2].max = 20;
    fake.config->servers[1].min = fake.config->servers[2].min = MIN;
    start();
    advance(1000000);
    assert_int_equal(count_open(1), MIN);
    assert_int_equal(count_open(2), MIN);
    for (unsigned i = 0; i < IN_USE + 2; i++) {
        run_query(&told[i], "insert into t values (1)", PQR_TARGET_AUTO, 0);
        settle();
    }
    advance(1000000);
    assert_int_equal(pqr__pool_in_use(&fake.router->backends[0]), IN_USE);
}

static void a_pool_that_breaks_at_once_is_not_stormed(void **state)
{
    static struct told told;
    (void)state;
    fake.connects[1] = fake.connects[2] = LOST_AT_ONCE;
    start();
    assert_true(fake.n_conns < 20);
    /* And reads go to the primary meanwhile. */
    read_from_replica(&told);
    settle();
    assert_non_null(flying_on(0, 0));
    answer(flying_on(0, 0), NULL);
    settle();
    assert_int_equal(told.status, PQR_STATUS_OK);
    assert_int_equal(told.times, 1);
}

static void a_server_that_drops_the_probe_is_not_stormed(void **state)
{
    (void)state;
    fake.probe_connects[1] = LOST_AT_ONCE;
    start();
    uint32_t connects = fake.n_conns;
    advance(3000000);
    assert_true(fake.n_conns - connects <= 5);
}

static void a_lost_probe_is_opened_again_soon(void **state)
{
    (void)state;
    start();
    advance(10000000);
    for (uint32_t i = 0; i < fake.n_conns; i++)
        if (fake.conns[i].phase == OPEN && is_probe(&fake.conns[i]) && fake.conns[i].server == 0)
            lose(&fake.conns[i]);
    advance(60000);
    assert_int_equal(fake.router->backends[0].role, PQR_ROLE_PRIMARY);
}

/* All routers lost it at the same moment: each tries again after an interval and a different little more. */
static void probes_of_a_dead_server_do_not_keep_in_step(void **state)
{
    uint64_t last_us = 0, shortest_us = UINT64_MAX, longest_us = 0;
    unsigned n = 0;
    (void)state;
    fake.probe_connects[1] = REFUSED;
    start();
    advance(30000000);
    for (uint32_t i = 0; i < fake.n_conns; i++) {
        const struct pqr__conn *conn = &fake.conns[i];
        if (conn->server != 1 || !is_probe(conn))
            continue;
        uint64_t apart_us = conn->opened_us - last_us;
        if (n++ > 0) {
            shortest_us = apart_us < shortest_us ? apart_us : shortest_us;
            longest_us = apart_us > longest_us ? apart_us : longest_us;
        }
        last_us = conn->opened_us;
    }
    uint64_t interval_us = fake.config->probe.interval_us;
    assert_true(n > 20);
    assert_true(shortest_us >= interval_us && longest_us <= interval_us * 13 / 10);
    assert_true(longest_us - shortest_us > interval_us / 10);
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

static void on_ready(pqr_router *router, int status, const char *why, void *data)
{
    (void)router;
    (void)why;
    *(int *)data = status;
}

static void ready_needs_no_minimum(void **state)
{
    int status = 1;
    (void)state;
    fake.config->pool.admin_reserved = 0;
    start();
    assert_int_equal(pqr_router_ready(fake.router, 5000, on_ready, &status), 0);
    settle();
    assert_int_equal(status, 0);
}

static void keep_why(pqr_router *router, int status, const char *why, void *data)
{
    (void)router;
    (void)status;
    pqr__text_copy(data, 100, why);
}

static void what_is_not_ready_is_named(void **state)
{
    char why[100] = "";
    (void)state;
    fake.connects[0] = HANGING;
    start();
    assert_int_equal(pqr_router_ready(fake.router, 50, keep_why, why), 0);
    advance(100000);
    assert_string_equal(why, "s0:5432 has 0 of 1 connections ready");
}

static void a_replica_that_refused_once_comes_back(void **state)
{
    static struct told told;
    (void)state;
    fake.config->pool.admin_reserved = 0;
    fake.connects[1] = fake.connects[2] = REFUSED;
    start();
    read_from_replica(&told);
    settle();
    assert_non_null(flying_on(0, 0)); /* on the primary meanwhile */
    answer(flying_on(0, 0), NULL);
    settle();
    fake.connects[1] = fake.connects[2] = ACCEPTED;
    advance(60000000);
    read_from_replica(&told);
    settle();
    assert_null(flying_on(0, 0));
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

/* Its probe is not due for long. */
static void a_replica_that_was_promoted_is_noticed_by_its_next_reply(void **state)
{
    static struct told told;
    (void)state;
    fake.config->probe.interval_us = 3600000000;
    start();
    read_from_replica(&told);
    settle();
    uint32_t server = flying_on(1, 0) ? 1 : 2;
    fake.standby[server] = false;
    advance(60000000);
    assert_int_equal(fake.router->backends[server].role, PQR_ROLE_REPLICA);
    answer(flying_on(server, 0), NULL);
    settle();
    assert_int_not_equal(fake.router->backends[server].role, PQR_ROLE_REPLICA);
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
    run_query(&told, "insert into t values (1)", PQR_TARGET_AUTO, 0);
    settle();
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

/* --- Transactions */

static void commit_at_once(pqr_tx *tx, unsigned attempt, void *data)
{
    (void)attempt;
    (void)data;
    assert_int_equal(pqr_tx_commit(tx), 0);
}

static struct pqr__conn *begin(pqr_tx_body body, struct told *told)
{
    *told = (struct told){0};
    assert_int_equal(pqr_tx_run(NULL, fake.router, NULL, body, on_reply, told), 0);
    settle();
    struct pqr__conn *conn = flying_on(0, 0);
    assert_non_null(conn);
    answer_in(conn, NULL, "BEGIN", PQR__TX_OPEN);
    settle();
    return conn;
}

static void warnings_of_commit_are_told(void **state)
{
    static struct told told;
    (void)state;
    start();
    struct pqr__conn *conn = begin(commit_at_once, &told);
    pqr_notice notice = {.sqlstate = "01000", .severity = "WARNING", .text = "not replicated"};
    events.notice(conn->context, conn->flight, conn->flight->items, &notice);
    answer_in(conn, NULL, "COMMIT", PQR__TX_IDLE);
    settle();
    assert_int_equal(told.status, PQR_STATUS_OK);
    assert_int_equal(told.notices, 1);
}

static void commit_answered_with_rollback_is_not_ok(void **state)
{
    static struct told told;
    (void)state;
    start();
    struct pqr__conn *conn = begin(commit_at_once, &told);
    answer_in(conn, NULL, "ROLLBACK", PQR__TX_IDLE);
    settle();
    assert_int_equal(told.times, 1);
    assert_int_not_equal(told.status, PQR_STATUS_OK);
}

static struct told in_savepoint;

static void fail_then_commit(pqr_tx *tx, unsigned attempt, void *data)
{
    pqr_query query = PQR_QUERY_INIT;
    (void)attempt;
    (void)data;
    query.sql = "insert into t values (1)";
    in_savepoint = (struct told){0};
    assert_int_equal(pqr_tx_query(tx, &query, on_reply, &in_savepoint), 0);
    assert_int_equal(pqr_tx_commit(tx), 0);
}

/* The first error was mended with a savepoint; only COMMIT's own error tells what became of COMMIT. */
static void a_commit_that_fails_without_sqlstate_is_unknown(void **state)
{
    static struct told told;
    (void)state;
    start();
    struct pqr__conn *conn = begin(fail_then_commit, &told);
    answer_in(conn, "23505", NULL, PQR__TX_OPEN);
    settle();
    assert_int_equal(in_savepoint.status, PQR_STATUS_SQL_ERROR);
    answer_in(conn, "", NULL, PQR__TX_IDLE);
    settle();
    assert_int_equal(told.times, 1);
    assert_int_equal(told.outcome, PQR_OUTCOME_UNKNOWN);
}

static void a_conflict_at_commit_runs_the_body_again(void **state)
{
    static struct told told;
    (void)state;
    start();
    struct pqr__conn *conn = begin(fail_then_commit, &told);
    answer_in(conn, "23505", NULL, PQR__TX_OPEN);
    settle();
    answer_in(conn, "40001", NULL, PQR__TX_IDLE);
    settle();
    assert_int_equal(told.times, 0);
    assert_non_null(flying_on(0, 0)); /* BEGIN */
}

static void the_body_runs_again_when_commit_was_never_sent(void **state)
{
    static struct told told;
    (void)state;
    start();
    struct pqr__conn *conn = begin(commit_at_once, &told);
    lose_after(conn, false);
    settle();
    assert_int_equal(told.times, 0);
    conn = flying_on(0, 0);
    answer_in(conn, NULL, "BEGIN", PQR__TX_OPEN);
    settle();
    lose(conn);
    settle();
    assert_int_equal(told.times, 1);
    assert_int_equal(told.status, PQR_STATUS_LOST);
    assert_int_equal(told.outcome, PQR_OUTCOME_UNKNOWN);
}

/* So many are busy that none is spare, and the reserve is open, when one more is wanted. By how much the ceiling is above
   what is open after that. */
static uint32_t left_after(const char *refusal)
{
    enum { BUSY = 6 };
    static struct told told[BUSY + 1];
    fake.config->servers[0].max = 20;
    start();
    for (unsigned i = 0; i <= BUSY; i++) {
        if (i == BUSY) {
            fake.connects[0] = REFUSED;
            fake.refusal = refusal;
        }
        run_query(&told[i], "insert into t values (1)", PQR_TARGET_AUTO, 0);
        settle();
    }
    assert_int_equal(pqr__pool_open(&fake.router->backends[0]), BUSY + 1);
    assert_true(fake.router->backends[0].connect_failures > 0);
    return pqr__ceiling_limit(&fake.router->backends[0].ceiling) - (BUSY + 1);
}

static void connects_that_fail_lower_the_ceiling(void **state)
{
    (void)state;
    assert_int_equal(left_after(""), 0);
}

static void a_wrong_password_does_not_lower_the_ceiling(void **state)
{
    (void)state;
    assert_true(left_after("28P01") > 0);
}

/* From when the primary is known again to the first connect of its pool. */
static uint64_t connects_after_outage_us(uint64_t seed)
{
    void *none = NULL;
    assert_int_equal(set_up(&none), 0);
    start_with(seed);
    advance(1000000);
    for (uint32_t i = 0; i < SERVERS; i++)
        fake.connects[i] = fake.probe_connects[i] = REFUSED;
    for (uint32_t i = 0; i < fake.n_conns; i++)
        if (fake.conns[i].phase == OPEN)
            lose(&fake.conns[i]);
    advance(8000000);
    for (uint32_t i = 0; i < SERVERS; i++)
        fake.connects[i] = fake.probe_connects[i] = ACCEPTED;
    while (fake.router->backends[0].role != PQR_ROLE_PRIMARY)
        advance(1000);
    uint64_t known_us = fake.now_us;
    while (count_open(0) == 0)
        advance(1000);
    uint64_t took_us = fake.now_us - known_us;
    assert_int_equal(tear_down(&none), 0);
    return took_us;
}

/* Other routers find them again at the same moment. */
static void after_an_outage_each_router_opens_connections_at_a_moment_of_its_own(void **state)
{
    enum { SEEDS = 20 };
    uint64_t shortest_us = UINT64_MAX, longest_us = 0;
    pqr_config_free(fake.config);
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        uint64_t took_us = connects_after_outage_us(seed);
        shortest_us = took_us < shortest_us ? took_us : shortest_us;
        longest_us = took_us > longest_us ? took_us : longest_us;
    }
    assert_int_equal(set_up(state), 0);
    start();
    assert_true(shortest_us < 300000);
    assert_true(
        longest_us > 600000 && longest_us < 1300000); /* an eighth of the outage, and what a connect takes */
}

/* --- Administrators */

static unsigned admins_told;

static void ask_as_admin(pqr_reply *reply, void *data)
{
    pqr_query query = PQR_QUERY_INIT;
    (void)reply;
    (void)data;
    admins_told++;
    query.sql = "select 1";
    query.target = PQR_TARGET_REPLICA_ONLY;
    query.flags = PQR_ADMIN;
    if (fake.router->state == PQR__ROUTER_RUNNING)
        assert_int_equal(pqr_query_run(NULL, fake.router, &query, ask_as_admin, NULL), 0);
}

/* The first replica that is back has room for one; the primary that stood in has room for more. */
static void the_primary_helps_replicas_that_come_back_until_they_have_grown(void **state)
{
    static struct told told[4];
    (void)state;
    fake.config->servers[0].max = 20;
    fake.config->servers[1].max = 3; /* the probe, the reserve, and one */
    start();
    for (uint32_t i = 1; i < SERVERS; i++)
        fake.connects[i] = fake.probe_connects[i] = REFUSED;
    for (uint32_t i = 0; i < fake.n_conns; i++)
        if (fake.conns[i].phase == OPEN && fake.conns[i].server > 0)
            lose(&fake.conns[i]);
    advance(8000000);
    for (unsigned i = 0; i < 2; i++) {
        read_from_replica(&told[i]);
        settle();
    }
    while (flying_on(0, 0))
        answer(flying_on(0, 0), NULL);
    fake.connects[1] = fake.probe_connects[1] = ACCEPTED;
    while (fake.router->backends[1].role != PQR_ROLE_REPLICA)
        advance(1000);
    advance(1000000);
    read_from_replica(&told[0]);
    settle();
    assert_non_null(flying_on(1, 0));
    read_from_replica(&told[1]);
    settle();
    assert_null(flying_on(0, 0)); /* a connect would be as good */
    read_from_replica(&told[2]);
    settle();
    assert_non_null(flying_on(0, 0));
    assert_null(flying_on(0, 1));
    advance(fake.config->reads.slow_start_us);
    read_from_replica(&told[3]);
    settle();
    assert_null(flying_on(0, 1));
}

/* A shared connection takes no more, and normal requests wait; what they are owed of the turns is of no use to them. */
static void an_administrator_waits_for_nobody_who_can_not_go_either(void **state)
{
    static struct told told[2];
    pqr_query query = PQR_QUERY_INIT;
    (void)state;
    fake.connects[2] = fake.probe_connects[2] = REFUSED;
    fake.config->servers[1].max = 3; /* the probe, the reserve, and one */
    start();
    for (unsigned i = 0; i < PQR__HISTORY_CLEAN + 1; i++) {
        run_query(&told[0], "select 1", PQR_TARGET_REPLICA_ONLY, 0);
        run_down();
        answer(flying_on(1, 0), NULL);
        run_down();
    }
    run_query(&told[0], "select 1", PQR_TARGET_REPLICA_ONLY, 0);
    advance(1000000); /* it runs for longer than anybody goes behind */
    struct pqr__conn *shared = flying_on(1, 0);
    run_query(&told[1], "select 1", PQR_TARGET_REPLICA_ONLY, 0);
    run_down();
    query.sql = "select 1";
    query.target = PQR_TARGET_REPLICA_ONLY;
    query.flags = PQR_ADMIN;
    admins_told = 0;
    assert_int_equal(pqr_query_run(NULL, fake.router, &query, ask_as_admin, NULL), 0);
    for (unsigned i = 0; i < 20; i++) {
        run_down();
        struct pqr__conn *reserve = flying_on(1, 0) != shared ? flying_on(1, 0) : flying_on(1, 1);
        assert_non_null(reserve);
        answer(reserve, NULL);
    }
    assert_int_equal(admins_told, 20);
    assert_int_equal(told[1].times, 0);
}

/* Connections that are too many end when those who use them are done; an administrator can't wait for that. */
static void a_lower_max_leaves_the_reserve(void **state)
{
    static struct told told[3], admin;
    (void)state;
    fake.config->servers[0].max = 5;
    start();
    for (unsigned i = 0; i < 3; i++)
        run_query(&told[i], "insert into t values (1)", PQR_TARGET_AUTO, 0);
    settle();
    assert_int_equal(count_open(0), 4);
    struct pqr_config *lower = config_of("host=s0,s1,s2 user=u dbname=d");
    lower->pool.max_total = 0;
    lower->servers[0].max = 3;
    reload_with(lower);
    settle();
    for (unsigned i = 0; i < 2; i++) { /* the first one's connection is kept, too */
        run_query(&admin, "insert into t values (2)", PQR_TARGET_AUTO, PQR_ADMIN);
        settle();
        assert_non_null(flying_on(0, 3));
        for (unsigned on = 0; on < 4; on++)
            if (strcmp(flying_on(0, on)->flight->items->sql, "insert into t values (2)") == 0) {
                answer(flying_on(0, on), NULL);
                break;
            }
        settle();
        assert_int_equal(admin.status, PQR_STATUS_OK);
    }
    while (flying_on(0, 0))
        answer(flying_on(0, 0), NULL);
    settle();
    assert_int_equal(count_open(0), 2);
}

/* --- What is not recognised */

static struct told unknown;

static void run_what_is_not_recognised(pqr_tx *tx, unsigned attempt, void *data)
{
    pqr_query query = PQR_QUERY_INIT;
    (void)attempt;
    (void)data;
    query.sql = "conclude";
    unknown = (struct told){0};
    assert_int_equal(pqr_tx_query(tx, &query, on_reply, &unknown), 0);
}

/* It may have been a COMMIT: in a language to come, or in an encoding whose texts are not read. */
static void a_transaction_that_is_lost_with_what_is_not_recognised_is_unknown(void **state)
{
    static struct told told;
    (void)state;
    start();
    struct pqr__conn *conn = begin(run_what_is_not_recognised, &told);
    lose(conn);
    settle();
    assert_null(flying_on(0, 0));
    assert_int_equal(unknown.outcome, PQR_OUTCOME_UNKNOWN);
    assert_int_equal(told.times, 1);
    assert_int_equal(told.status, PQR_STATUS_LOST);
    assert_int_equal(told.outcome, PQR_OUTCOME_UNKNOWN);
}

static void a_transaction_whose_statement_was_never_sent_runs_again(void **state)
{
    static struct told told;
    (void)state;
    start();
    lose_after(begin(run_what_is_not_recognised, &told), false);
    settle();
    assert_int_equal(told.times, 0);
    assert_non_null(flying_on(0, 0));
}

/* COMMIT AND CHAIN. */
static void a_statement_that_commits_unseen_ends_the_transaction(void **state)
{
    static struct told told;
    (void)state;
    start();
    struct pqr__conn *conn = begin(run_what_is_not_recognised, &told);
    answer_in(conn, NULL, "COMMIT", PQR__TX_OPEN);
    settle();
    assert_int_equal(told.times, 1);
    assert_int_equal(told.status, PQR_STATUS_LOST);
    assert_int_equal(told.outcome, PQR_OUTCOME_UNKNOWN);
    assert_int_equal(conn->phase, GONE);
}

static void a_fleet_that_can_not_be_is_not_counted(void **state)
{
    static const struct {
        unsigned column;
        const char *value;
    } wrong[] = {{1, "4294967295"}, {2, "4294967295"}, {3, "4294967295"}, {1, "-1"}, {4, "-1"}, {5, "0"},
        {5, "9223372036854775807"}, {6, "-9223372036854775808"}, {7, "9223372036854775807"}, {8, "-2"}};
    struct pqr__fleet_count count;
    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        struct pg_result result = {.values = {"pqrouter", "1", "1", "1", "0", "100", "3", "-1", "-1"}};
        assert_true(pqr__fleet_read(&count, &fake_ops, &result));
        result.values[wrong[i].column] = wrong[i].value;
        assert_false(pqr__fleet_read(&count, &fake_ops, &result));
    }
}

/* libpq may not have taken it yet. */
static void init_sql_stays_until_it_is_answered(void **state)
{
    (void)state;
    fake.config->pool.init_sql = pqr__strdup("set a = 1");
    fake.config->servers[0].min = 2;
    fake.init_hangs = true;
    start();
    struct pqr__conn *conn = flying_on(0, 0);
    assert_non_null(conn);
    reload_with(config_of("host=s0,s1,s2 user=u dbname=d"));
    assert_string_equal(conn->flight->items->sql, "set a = 1");
}

/* They are set after the connection said what it is like. */
static void init_sql_may_change_how_texts_are_read(void **state)
{
    struct pqr_verdict verdict = PQR_VERDICT_INIT;
    static const char text[] = "select '\\'', nextval('and')--'";
    (void)state;
    fake.config->pool.init_sql = pqr__strdup("set standard_conforming_strings = off");
    fake.config->servers[0].min = 2;
    fake.init_hangs = true;
    start();
    for (struct pqr__conn *conn; (conn = flying_on(0, 0)) != NULL; settle()) {
        struct pqr__connect_info info = {.server_version = 150004, .encoding_ascii_safe = true};
        item(conn, NULL, result_new("SET"));
        settled_as(conn, PQR__TX_IDLE, &info);
    }
    assert_int_equal(pqr_explain(&verdict, fake.router, text, sizeof(text) - 1, NULL, NULL), 0);
    assert_string_equal(verdict.reason, "volatile function nextval");
    assert_int_equal(pqr_explain(&verdict, fake.router, "select 1", 8, NULL, NULL), 0);
    assert_int_equal(verdict.route, PQR_CLASS_REPLICA);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(replica_only_never_reaches_the_primary),
        TEST(a_request_that_avoids_a_server_holds_nobody_up),
        TEST(the_reserve_is_not_shrunk_away),
        TEST(min_and_the_reserve_claim_no_more_than_they_take),
        TEST(a_pool_that_breaks_at_once_is_not_stormed),
        TEST(a_server_that_drops_the_probe_is_not_stormed),
        TEST(a_lost_probe_is_opened_again_soon),
        TEST(probes_of_a_dead_server_do_not_keep_in_step),
        TEST(a_read_goes_back_to_the_replica_it_avoids_when_there_is_no_other),
        TEST(ready_needs_no_minimum),
        TEST(what_is_not_ready_is_named),
        TEST(a_replica_that_refused_once_comes_back),
        TEST(a_write_is_not_sent_to_the_demoted_primary_again),
        TEST(a_replica_that_was_promoted_is_noticed_by_its_next_reply),
        TEST(an_error_after_a_lost_attempt_is_not_called_executed),
        TEST(what_was_never_sent_waits_for_a_connection_that_lives),
        TEST(what_was_never_sent_names_no_server),
        TEST(what_never_gets_through_comes_to_an_end),
        TEST(warnings_of_commit_are_told),
        TEST(commit_answered_with_rollback_is_not_ok),
        TEST(a_commit_that_fails_without_sqlstate_is_unknown),
        TEST(connects_that_fail_lower_the_ceiling),
        TEST(a_wrong_password_does_not_lower_the_ceiling),
        TEST(a_conflict_at_commit_runs_the_body_again),
        TEST(the_body_runs_again_when_commit_was_never_sent),
        TEST(after_an_outage_each_router_opens_connections_at_a_moment_of_its_own),
        TEST(the_primary_helps_replicas_that_come_back_until_they_have_grown),
        TEST(an_administrator_waits_for_nobody_who_can_not_go_either),
        TEST(a_lower_max_leaves_the_reserve),
        TEST(init_sql_stays_until_it_is_answered),
        TEST(init_sql_may_change_how_texts_are_read),
        cmocka_unit_test(a_fleet_that_can_not_be_is_not_counted),
        TEST(a_transaction_that_is_lost_with_what_is_not_recognised_is_unknown),
        TEST(a_transaction_whose_statement_was_never_sent_runs_again),
        TEST(a_statement_that_commits_unseen_ends_the_transaction),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
