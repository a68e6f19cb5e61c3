/* The router on servers that do exactly what a test tells them: statements.warm_up, and another configuration. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "fake_router.h"

#include "base/alloc.h"

/* --- statements.warm_up --- */

/* A connection of server 0 that is being warmed up. noinline: gcc would see a NULL that the test's other assertions
   rule out. */
__attribute__((noinline)) static struct pqr__conn *warming(unsigned skip)
{
    for (uint32_t i = 0; i < fake.n_conns; i++)
        if (fake.conns[i].phase == OPEN && fake.conns[i].server == 0 && fake.conns[i].flight &&
            fake.conns[i].flight->items->own == PQR__OWN_PREPARE && !fake.conns[i].closing && skip-- == 0)
            return &fake.conns[i];
    return NULL;
}

static void start_with_warm_up(const char *texts, size_t length)
{
    fake.config->statements.warm_up = pqr__malloc(length);
    assert_non_null(fake.config->statements.warm_up);
    memcpy(fake.config->statements.warm_up, texts, length);
    fake.config->servers[0].min = 2;
    fake.prepare_hangs = true;
    start();
}

#define START_WITH_WARM_UP(texts) start_with_warm_up(texts, sizeof(texts))

static void connections_enter_the_pool_when_they_are_warm(void **state)
{
    (void)state;
    START_WITH_WARM_UP("select a from t where i = $1\0select 'b'\0");
    assert_int_equal(pqr__pool_open(&fake.router->backends[0]), 0);
    const struct pqr__item *first = warming(0)->flight->items;
    assert_string_equal(first->sql, "select a from t where i = $1");
    assert_int_equal(first->n_params, 1);
    assert_string_equal(first->next->sql, "select 'b'");
    assert_null(first->next->next);
    assert_true(first->statement != 0 && first->statement != first->next->statement);
    answer_prepare(warming(0), NULL);
    settle();
    assert_int_equal(pqr__pool_open(&fake.router->backends[0]), 1);
    answer_prepare(warming(0), NULL);
    settle();
    assert_int_equal(pqr__pool_open(&fake.router->backends[0]), 2);
}

static void a_statement_that_fails_keeps_no_other_from_being_prepared(void **state)
{
    (void)state;
    START_WITH_WARM_UP("select 1\0select bad\0select 3\0");
    answer_prepare(warming(0), "select bad");
    settle();
    struct pqr__conn *again = warming(0)->flight->n_items == 1 ? warming(0) : warming(1);
    assert_string_equal(again->flight->items->sql, "select 3");
    answer_prepare(again, NULL);
    settle();
    assert_int_equal(pqr__pool_open(&fake.router->backends[0]), 1);
    answer_prepare(warming(0), "select 3"); /* the last one: nothing is sent again */
    settle();
    assert_int_equal(pqr__pool_open(&fake.router->backends[0]), 2);
}

static void a_warm_up_without_end_is_given_up(void **state)
{
    (void)state;
    START_WITH_WARM_UP("select 1\0");
    assert_non_null(warming(1));
    advance(5000000);
    assert_null(warming(0));
    assert_int_equal(pqr__pool_open(&fake.router->backends[0]), 2);
    assert_int_equal(fake.router->backends[0].failures, 0);
}

static void a_warm_up_that_loses_connections_is_given_up(void **state)
{
    (void)state;
    START_WITH_WARM_UP("select 1\0");
    for (unsigned i = 0; i < 2; i++) {
        lose(warming(0));
        advance(i == 0 ? 500000 : 0); /* backoff */
    }
    advance(20000000);
    assert_int_equal(pqr__pool_open(&fake.router->backends[0]), 2);
}

static void a_named_text_is_run_under_the_number_that_it_was_prepared_under(void **state)
{
    static struct told told;
    (void)state;
    START_WITH_WARM_UP("insert into t values (1)\0");
    uint64_t number = warming(0)->flight->items->statement;
    answer_prepare(warming(0), NULL);
    settle();
    run_query(&told, "insert into t values (1)", PQR_TARGET_AUTO, 0);
    settle();
    fake.prepare_hangs = false;
    settle();
    assert_int_equal(flying_on(0, 0)->flight->items->statement, number);
    answer(flying_on(0, 0), NULL);
    settle();
    assert_int_equal(told.status, PQR_STATUS_OK);
}

/* Two servers, and more requests than they have connections. */
static void start_with_all_at_work(struct told told[12])
{
    pqr_config_free(fake.config);
    fake.config = config_of("host=s0,s1 user=u dbname=d");
    start();
    for (unsigned i = 0; i < 12; i++)
        run_query(&told[i], "select 1", i % 2 ? PQR_TARGET_PRIMARY : PQR_TARGET_REPLICA, 0);
    settle();
}

static void a_server_that_joins_waits_for_its_place_under_max_total(void **state)
{
    static struct told told[12];
    (void)state;
    start_with_all_at_work(told);
    assert_int_equal(fake.peak, 9);
    reload_with(config_of("host=s0,s1,s2 user=u dbname=d"));
    advance(100000);
    assert_int_equal(fake.peak, 9);
    assert_int_equal(fake.router->backends[2].role, PQR_ROLE_DOWN); /* all are at work */
    while (flying_on(0, 0))
        answer(flying_on(0, 0), NULL);
    advance(2000000);
    assert_int_equal(fake.peak, 9);
    assert_int_equal(fake.router->backends[2].role, PQR_ROLE_REPLICA);
}

static void a_lower_max_total_is_kept_soon(void **state)
{
    static struct told told[12];
    (void)state;
    start_with_all_at_work(told);
    struct pqr_config *lower = config_of("host=s0,s1 user=u dbname=d");
    lower->pool.max_total = 6;
    reload_with(lower);
    for (uint32_t server = 0; server < 2; server++)
        while (flying_on(server, 0))
            answer(flying_on(server, 0), NULL);
    settle();
    uint32_t left = 0;
    for (uint32_t i = 0; i < fake.n_conns; i++)
        left += fake.conns[i].phase != GONE;
    assert_int_equal(left, 6);
}

static struct pqr__conn *probe_of(uint32_t server)
{
    for (uint32_t i = 0; i < fake.n_conns; i++)
        if (fake.conns[i].server == server && fake.conns[i].phase != GONE && is_probe(&fake.conns[i]))
            return &fake.conns[i];
    return NULL;
}

static unsigned count_all(uint32_t server)
{
    unsigned n = 0;
    for (uint32_t i = 0; i < fake.n_conns; i++)
        n += fake.conns[i].phase != GONE && fake.conns[i].server == server;
    return n;
}

/* Its place was the probe's, but others are on it until they are answered. */
static void a_probe_that_is_lost_comes_back_below_the_lower_max(void **state)
{
    static struct told told[3];
    (void)state;
    start();
    run_query(&told[0], "insert into t values (1)", PQR_TARGET_AUTO, 0);
    run_query(&told[1], "insert into t values (2)", PQR_TARGET_AUTO, 0);
    run_query(&told[2], "insert into t values (3)", PQR_TARGET_AUTO, PQR_ADMIN);
    settle();
    assert_int_equal(count_all(0), 4);
    struct pqr_config *config = config_of("host=s0,s1,s2 user=u dbname=d");
    config->pool.max_total = 0;
    config->servers[0].max = 3;
    reload_with(config);
    advance(100000);
    assert_int_equal(count_all(0), 4); /* nobody is interrupted for it */
    lose(probe_of(0));
    advance(20 * 1000000);
    assert_int_equal(count_all(0), 3); /* there is no room for it */
    answer(flying_on(0, 0), NULL);
    for (unsigned i = 0; i < 100 && !probe_of(0); i++) {
        advance(100000);
        assert_true(count_all(0) <= 3);
    }
    assert_non_null(probe_of(0));
}

/* One that shares reads at that moment, too. */
static void other_parameters_replace_every_connection(void **state)
{
    static struct told told;
    (void)state;
    fake.config->servers[1].max = fake.config->servers[2].max = 3;
    start();
    struct pqr__conn *conn = NULL;
    for (unsigned i = 0; i <= PQR__HISTORY_CLEAN + 1; i++) { /* the first is not known yet */
        read_from_replica(&told);
        run_down();
        conn = flying_on(1, 0) ? flying_on(1, 0) : flying_on(2, 0);
        assert_non_null(conn);
        if (i <= PQR__HISTORY_CLEAN)
            answer(conn, NULL);
        run_down();
    }
    struct pqr__slot *slot =
        pqr__container_of((struct pqr__endpoint *)conn->context, struct pqr__slot, endpoint);
    assert_int_equal(slot->state, PQR__SLOT_SHARED);
    struct pqr_config *config = config_of("host=s0,s1,s2 user=u dbname=d");
    config->pool.init_sql = pqr__strdup("set a = 1");
    reload_with(config);
    answer(conn, NULL);
    run_down();
    assert_int_equal(conn->phase, GONE);
}

static void forget_it(pqr_tx *tx, unsigned attempt, void *data)
{
    pqr_query query = PQR_QUERY_INIT;
    (void)attempt;
    static struct told statement;
    (void)data;
    query.sql = "insert into t values (1)";
    assert_int_equal(pqr_tx_query(tx, &query, on_reply, &statement), 0);
}

/* It may finish what runs on it, but not when another server has gone on to a newer timeline: that is lost with it. */
static void a_primary_of_the_past_that_leaves_finishes_nothing(void **state)
{
    static struct told told;
    (void)state;
    start();
    assert_int_equal(pqr_tx_run(NULL, fake.router, NULL, forget_it, on_reply, &told), 0);
    settle();
    struct pqr__conn *conn = flying_on(0, 0);
    answer_begun(conn, NULL, PQR__TX_OPEN);
    run_down();
    reload_with(config_of("host=s1,s2 user=u dbname=d"));
    settle();
    assert_int_equal(conn->phase, OPEN);
    fake.standby[1] = false;
    fake.timeline[1] = "2";
    advance(2 * fake.config->probe.interval_us);
    assert_int_equal(conn->phase, GONE);
    assert_int_equal(told.times, 0); /* its body runs again, on the new one */
    assert_non_null(flying_on(1, 0));
}

static void known_statements_go_where_the_new_configuration_says(void **state)
{
    static struct told told, session;
    (void)state;
    fake.config->reads.session = PQR__SESSION_PRIMARY;
    start();
    make_reads_fast(10); /* more often than statements.prepare_threshold */
    for (unsigned i = 0; i < 10; i++) {
        run_query(&session, "select pg_advisory_lock(1)", PQR_TARGET_AUTO, 0);
        run_down();
        answer(flying_on(0, 0), NULL);
        run_down();
    }
    struct pqr_config *config = config_of("host=s0,s1,s2 user=u dbname=d");
    config->reads.mode = PQR__READS_EXPLICIT;
    reload_with(config);
    read_from_replica(&told);
    run_down();
    assert_non_null(flying_on(0, 0));
    assert_null(flying_on(1, 0));
    run_query(&session, "select pg_advisory_lock(1)", PQR_TARGET_AUTO, 0);
    run_down();
    assert_string_equal(session.sqlstate, "0A000");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(connections_enter_the_pool_when_they_are_warm),
        TEST(a_statement_that_fails_keeps_no_other_from_being_prepared),
        TEST(a_warm_up_without_end_is_given_up),
        TEST(a_warm_up_that_loses_connections_is_given_up),
        TEST(a_named_text_is_run_under_the_number_that_it_was_prepared_under),
        TEST(a_server_that_joins_waits_for_its_place_under_max_total),
        TEST(a_lower_max_total_is_kept_soon),
        TEST(a_probe_that_is_lost_comes_back_below_the_lower_max),
        TEST(other_parameters_replace_every_connection),
        TEST(a_primary_of_the_past_that_leaves_finishes_nothing),
        TEST(known_statements_go_where_the_new_configuration_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
