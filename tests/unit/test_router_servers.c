/* Servers that come, go and change, as their probes and replies tell; what their connections are like. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "fake_router.h"

#include "base/alloc.h"
#include "base/text.h"

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

/* Its probe is not due for long. */
static void a_replica_that_was_promoted_is_noticed_by_its_next_reply(void **state)
{
    static struct told told;
    (void)state;
    fake.config->probe.interval_us = 3600000000;
    start();
    read_from_replica(&told);
    advance(1000000); /* a connection that is opened later would notice as well */
    uint32_t server = flying_on(1, 0) ? 1 : 2;
    fake.standby[server] = false;
    advance(60000000);
    assert_int_equal(fake.router->backends[server].role, PQR_ROLE_REPLICA);
    answer(flying_on(server, 0), NULL);
    settle();
    assert_int_not_equal(fake.router->backends[server].role, PQR_ROLE_REPLICA);
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
    for (uint32_t i = 0; i < SERVERS; i++)
        lose_all(i);
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
    lose_all(1);
    lose_all(2);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_server_that_drops_the_probe_is_not_stormed),
        TEST(a_lost_probe_is_opened_again_soon),
        TEST(probes_of_a_dead_server_do_not_keep_in_step),
        TEST(ready_needs_no_minimum),
        TEST(what_is_not_ready_is_named),
        TEST(a_replica_that_refused_once_comes_back),
        TEST(a_replica_that_was_promoted_is_noticed_by_its_next_reply),
        TEST(after_an_outage_each_router_opens_connections_at_a_moment_of_its_own),
        TEST(the_primary_helps_replicas_that_come_back_until_they_have_grown),
        cmocka_unit_test(a_fleet_that_can_not_be_is_not_counted),
        TEST(init_sql_stays_until_it_is_answered),
        TEST(init_sql_may_change_how_texts_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
