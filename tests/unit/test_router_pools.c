/* How many connections a server has, and the ones that are kept for administrators. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "fake_router.h"

static void the_reserve_is_not_shrunk_away(void **state)
{
    static struct told told;
    (void)state;
    fake.config->pool.idle_timeout_us = 2000000;
    fake.config->pool.lifetime_us = 0;
    start();
    write_on_primary(&told);
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
        write_on_primary(&told[i]);
    }
    advance(1000000);
    assert_int_equal(pqr__pool_in_use(&fake.router->backends[0]), IN_USE);
}

static void read_the_catalog(uint32_t min, uint64_t refresh_us)
{
    fake.config->catalog.load = true;
    fake.config->catalog.refresh_us = refresh_us;
    for (uint32_t i = 0; i < SERVERS; i++) {
        fake.config->servers[i].min = min;
        fake.config->servers[i].max = 20;
    }
    start();
    advance(60000000);
}

/* What the router asks for itself is no load. */
static void a_router_that_nobody_uses_stays_at_min(void **state)
{
    enum { MIN = 2 };
    (void)state;
    read_the_catalog(MIN, 1000000);
    assert_true(fake.router->catalog.loads > 50);
    assert_int_equal(fake.peak, SERVERS * (1 + MIN));
    for (uint32_t i = 0; i < SERVERS; i++)
        assert_int_equal(count_open(i), MIN);
}

/* Where there is but the reserve it takes a connection, which is not kept. */
static void the_catalog_leaves_no_connection_behind(void **state)
{
    (void)state;
    read_the_catalog(0, 0);
    assert_int_equal(fake.router->catalog.loads, 1);
    assert_int_equal(fake.peak, SERVERS * 2 + 1);
    assert_int_equal(count_open(0), 1);
}

static unsigned keep_busy(uint32_t seconds)
{
    static struct told told;
    for (uint32_t i = 0; i < 10 * seconds; i++) {
        run_query(&told, "insert into t values (1)", PQR_TARGET_AUTO, 0);
        advance(10000);
        answer(flying_on(0, 0), NULL);
        advance(90000);
    }
    return count_open(0);
}

/* Another router may need what this one has to spare. */
static void a_server_that_refused_more_has_nothing_to_spare(void **state)
{
    enum { N = 8 };
    static struct told told[N];
    (void)state;
    fake.config->servers[0].max = 20;
    fake.config->pool.window_us = 10000000;
    start();
    unsigned with_spare = keep_busy(20);
    assert_true(with_spare >= 4);
    fake.connects[0] = REFUSED;
    for (unsigned i = 0; i < N; i++)
        run_query(&told[i], "insert into t values (1)", PQR_TARGET_AUTO, 0);
    settle();
    for (struct pqr__conn *conn; (conn = flying_on(0, 0)) != NULL; settle())
        answer(conn, NULL);
    fake.connects[0] = ACCEPTED;
    keep_busy(12); /* until those are out of the window */
    fake.router->backends[0].ceiling.shortage.at_us = fake.now_us;
    assert_true(keep_busy(9) < with_spare);
}

static void write_and_answer(uint64_t service_us)
{
    static struct told told;
    run_query(&told, "insert into t values (1)", PQR_TARGET_AUTO, 0);
    advance(service_us);
    answer(flying_on(0, 0), NULL);
    advance(service_us);
    assert_int_equal(told.status, PQR_STATUS_OK);
}

/* They were short so far, so that a connection would be free long before a connect is through; but these are not. */
static void nobody_waits_for_connections_that_are_taken_for_long(void **state)
{
    enum { SERVICE_US = 1000, LONG = 5 };
    static struct told told[LONG], waiter;
    (void)state;
    fake.config->servers[0].max = 20;
    fake.config->servers[0].min = LONG + 1;
    start();
    for (unsigned i = 0; i < 1000; i++)
        write_and_answer(SERVICE_US);
    struct pqr__backend *primary = &fake.router->backends[0];
    uint32_t usable = count_open(0) - 1;
    for (unsigned i = 0; i < usable && i < LONG; i++)
        run_query(&told[i], "insert into t values (1)", PQR_TARGET_AUTO, 0);
    assert_int_equal(pqr__pool_in_use(primary), usable);
    primary->load.connect_us = 20000;
    advance(50000);
    run_query(&waiter, "insert into t values (1)", PQR_TARGET_AUTO, 0);
    settle();
    assert_int_equal(pqr__pool_in_use(primary), usable + 1);
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
        write_on_primary(&told[i]);
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

/* A shared connection takes no more, and normal requests wait; what they are owed of the turns is of no use to them. */
static void an_administrator_waits_for_nobody_who_can_not_go_either(void **state)
{
    static struct told told[2];
    pqr_query query = PQR_QUERY_INIT;
    (void)state;
    fake.connects[2] = fake.probe_connects[2] = REFUSED;
    fake.config->servers[1].max = 3; /* the probe, the reserve, and one */
    start();
    make_reads_fast(PQR__HISTORY_CLEAN + 1);
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
        write_on_primary(&told[i]);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_reserve_is_not_shrunk_away),
        TEST(min_and_the_reserve_claim_no_more_than_they_take),
        TEST(a_router_that_nobody_uses_stays_at_min),
        TEST(the_catalog_leaves_no_connection_behind),
        TEST(a_server_that_refused_more_has_nothing_to_spare),
        TEST(nobody_waits_for_connections_that_are_taken_for_long),
        TEST(a_pool_that_breaks_at_once_is_not_stormed),
        TEST(connects_that_fail_lower_the_ceiling),
        TEST(a_wrong_password_does_not_lower_the_ceiling),
        TEST(an_administrator_waits_for_nobody_who_can_not_go_either),
        TEST(a_lower_max_leaves_the_reserve),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
