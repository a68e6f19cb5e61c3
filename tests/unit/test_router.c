/* The router on servers that do exactly what a test tells them: single steps that the simulator seldom meets.
 *
 * settle() lets connections open, close and be probed for 10 ms; what the application sent stays in the air until
 * the test answers it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "base/text.h"
#include "base/wheel.h"
#include "config/config.h"
#include "router/router.h"

enum { SERVERS = 3, CONNS = 200 };

struct pg_result {
    const char *values[9];
    const char *tag;
};

enum phase { CONNECTING, OPEN, GONE };

struct pqr__conn {
    uint32_t server; /* the number of its host */
    uint32_t place;  /* the router's number of it */
    void *context;
    enum phase phase;
    bool closing;
    uint64_t opened_us;
    struct pqr__flight *flight;
};

enum connects { ACCEPTED, REFUSED, HANGING, LOST_AT_ONCE };

static struct {
    struct pqr__transport base; /* first */
    uint64_t now_us, timer_us;
    bool shut, gone;
    struct pqr__conn conns[CONNS];
    uint32_t n_conns, peak; /* peak: that were there at once */
    uint32_t host_of[64];
    bool standby[SERVERS];
    enum connects connects[SERVERS]; /* of the pool */
    bool prepare_hangs, init_hangs;
    const char *refusal;                   /* its SQLSTATE; NULL: 53300 */
    enum connects probe_connects[SERVERS]; /* the first connect to a server is its probe's */
    pqr_router *router;
    struct pqr_config *config;
} fake;

static struct pqr__transport_events events;

static bool is_probe(const struct pqr__conn *conn)
{
    return conn->context == &fake.router->backends[conn->place].probe.endpoint;
}

static void note_peak(void)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < fake.n_conns; i++)
        n += fake.conns[i].phase != GONE;
    fake.peak = n > fake.peak ? n : fake.peak;
}

static int do_connect(struct pqr__transport *transport, uint32_t server, uint64_t timeout_us, void *context,
    struct pqr__conn **out)
{
    (void)transport;
    (void)timeout_us;
    if (fake.n_conns == CONNS)
        return PQR_ENOMEM;
    struct pqr__conn *conn = &fake.conns[fake.n_conns++];
    *conn = (struct pqr__conn){
        .server = fake.host_of[server], .place = server, .context = context, .opened_us = fake.now_us};
    note_peak();
    *out = conn;
    return 0;
}

static void do_send(struct pqr__conn *conn, struct pqr__flight *flight)
{
    assert_null(conn->flight);
    assert_int_equal(conn->phase, OPEN);
    conn->flight = flight;
}

static int do_cancel(struct pqr__conn *conn)
{
    (void)conn;
    return PQR_ESYSTEM;
}

static void do_close(struct pqr__conn *conn)
{
    conn->closing = true;
}

static void do_timer_set(struct pqr__transport *transport, uint64_t at_us)
{
    (void)transport;
    fake.timer_us = at_us;
}

static uint64_t do_now(struct pqr__transport *transport)
{
    (void)transport;
    return fake.now_us;
}

static void do_shutdown(struct pqr__transport *transport)
{
    (void)transport;
    fake.shut = true;
}

static void do_result_free(struct pg_result *result)
{
    free(result);
}

static const char *do_result_value(const struct pg_result *result, int row, int column)
{
    (void)row;
    return result->values[column];
}

static const char *do_result_tag(const struct pg_result *result)
{
    return result->tag;
}

/* Servers are known by their host: s0, s1, s2. */
static void do_configure(
    struct pqr__transport *transport, uint32_t server, const struct pqr_config *config, uint32_t entry)
{
    (void)transport;
    fake.host_of[server] = (uint32_t)strtoul(config->servers[entry].host + 1, NULL, 10);
}

static const struct pqr__transport_ops ops = {
    .configure = do_configure,
    .connect = do_connect,
    .send = do_send,
    .cancel = do_cancel,
    .close = do_close,
    .timer_set = do_timer_set,
    .now_us = do_now,
    .shutdown = do_shutdown,
    .result_free = do_result_free,
    .result_value = do_result_value,
    .result_tag = do_result_tag,
};

/* --- What servers do ------------------------------------------------------------------------------------- */

static struct pg_result *result_new(const char *tag)
{
    struct pg_result *result = calloc(1, sizeof(*result));
    assert_non_null(result);
    result->tag = tag;
    return result;
}

static void item(struct pqr__conn *conn, const char *sqlstate, struct pg_result *result)
{
    struct pqr__answer answer = {.kind = sqlstate ? PQR__ANSWER_ERROR : PQR__ANSWER_OK,
        .message = sqlstate ? "refused" : "",
        .result = result};
    if (sqlstate)
        memcpy(answer.sqlstate, sqlstate, strlen(sqlstate) + 1);
    events.item(conn->context, conn->flight, conn->flight->items, &answer);
}

static void settled_as(struct pqr__conn *conn, enum pqr__tx_status tx, const struct pqr__connect_info *info)
{
    struct pqr__flight *flight = conn->flight;
    struct pqr__settled facts = {
        .sent = true, .tx = tx, .in_recovery = fake.standby[conn->server], .message = "", .info = info};
    conn->flight = NULL;
    events.settled(conn->context, flight, &facts);
}

static void settled(struct pqr__conn *conn, enum pqr__tx_status tx)
{
    settled_as(conn, tx, NULL);
}

static void answer_in(struct pqr__conn *conn, const char *sqlstate, const char *tag, enum pqr__tx_status tx)
{
    if (!conn)
        abort(); /* nothing flies there: cmocka's asserts are not known to end it */
    item(conn, sqlstate, sqlstate ? NULL : result_new(tag));
    settled(conn, tx);
}

/* sqlstate NULL: well. */
static void answer(struct pqr__conn *conn, const char *sqlstate)
{
    answer_in(conn, sqlstate, "SELECT 1", PQR__TX_IDLE);
}

static void lose_after(struct pqr__conn *conn, bool sent)
{
    if (!conn)
        abort();
    struct pqr__flight *flight = conn->flight;
    struct pqr__settled facts = {.lost = true, .sent = sent, .tx = PQR__TX_UNKNOWN, .message = "lost"};
    conn->flight = NULL;
    conn->phase = GONE;
    if (flight)
        events.settled(conn->context, flight, &facts);
    events.closed(conn->context);
}

static void lose(struct pqr__conn *conn)
{
    lose_after(conn, true);
}

static void answer_identity(struct pqr__conn *conn)
{
    struct pg_result *result = result_new("SELECT 1");
    static const char *const row[] = {
        "7300000000000000001", "f", "0/3000000", "1", "1000", "4711", "2000", "read committed", "150004"};
    memcpy(result->values, row, sizeof(row));
    if (fake.standby[conn->server])
        result->values[1] = "t";
    item(conn, NULL, result);
    settled(conn, PQR__TX_IDLE);
}

/* All of the flight, or all up to the one with this text, which is refused. */
static void answer_prepare(struct pqr__conn *conn, const char *refused)
{
    if (!conn)
        abort();
    bool failed = false;
    for (struct pqr__item *next = conn->flight->items; next; next = next->next) {
        struct pqr__answer told = {.kind = failed ? PQR__ANSWER_ABORTED : PQR__ANSWER_OK, .message = ""};
        if (!failed && refused && strcmp(next->sql, refused) == 0) {
            told.kind = PQR__ANSWER_ERROR;
            told.message = "no such table";
            memcpy(told.sqlstate, "42P01", 6);
            failed = true;
        }
        events.item(conn->context, conn->flight, next, &told);
    }
    settled(conn, PQR__TX_IDLE);
}

static enum connects how(const struct pqr__conn *conn)
{
    return is_probe(conn) ? fake.probe_connects[conn->server] : fake.connects[conn->server];
}

static bool step_connecting(struct pqr__conn *conn)
{
    struct pqr__connect_info info = {.backend_pid = 4711,
        .server_version = 150004,
        .in_recovery = fake.standby[conn->server],
        .standard_conforming_strings = true,
        .encoding_ascii_safe = true};
    struct pqr__refusal refusal = {.message = "no connection"};
    pqr__text_copy(refusal.sqlstate, sizeof(refusal.sqlstate), fake.refusal ? fake.refusal : "53300");
    if (how(conn) == HANGING)
        return false;
    if (how(conn) == REFUSED) {
        conn->phase = GONE;
        events.refused(conn->context, &refusal);
    } else {
        conn->phase = OPEN;
        events.connected(conn->context, &info);
    }
    return true;
}

static bool step_own(struct pqr__conn *conn)
{
    switch (conn->flight->items->own) {
    case PQR__OWN_IDENTITY:
    case PQR__OWN_PROBE:
        if (how(conn) == LOST_AT_ONCE)
            lose(conn);
        else
            answer_identity(conn);
        return true;
    case PQR__OWN_INIT:
        if (fake.init_hangs)
            return false;
        answer(conn, NULL);
        return true;
    case PQR__OWN_DISCARD:
    case PQR__OWN_CANCEL:
    case PQR__OWN_FLEET:
    case PQR__OWN_CATALOG:
        answer(conn, NULL);
        return true;
    case PQR__OWN_PREPARE:
        if (fake.prepare_hangs)
            return false;
        answer_prepare(conn, NULL);
        return true;
    case PQR__OWN_NONE:
    case PQR__OWN_BEGIN:
    case PQR__OWN_COMMIT:
    case PQR__OWN_ROLLBACK:
        break;
    }
    return false;
}

static bool step(struct pqr__conn *conn)
{
    if (conn->phase == GONE)
        return false;
    if (conn->closing) {
        lose(conn);
        return true;
    }
    if (conn->phase == CONNECTING)
        return step_connecting(conn);
    return conn->flight && step_own(conn);
}

static bool step_timer(void)
{
    if (fake.timer_us > fake.now_us || fake.shut)
        return false;
    fake.timer_us = PQR__NEVER;
    events.timer(fake.router);
    return true;
}

/* Until nothing moves without the test or the time. */
static void run_down(void)
{
    bool moved = true;
    while (moved) {
        moved = step_timer();
        for (uint32_t i = 0; i < fake.n_conns; i++)
            moved |= step(&fake.conns[i]);
        if (fake.shut && !fake.gone) {
            fake.gone = true;
            events.down(fake.router);
            return;
        }
    }
}

static void advance(uint64_t by_us)
{
    uint64_t until_us = fake.now_us + by_us;
    while (fake.timer_us <= until_us) {
        if (fake.timer_us > fake.now_us)
            fake.now_us = fake.timer_us;
        run_down();
    }
    fake.now_us = until_us;
    run_down();
}

/* What is due at once comes with the next millisecond. */
static void settle(void)
{
    advance(10000);
}

/* The connection on which a statement of the application, or BEGIN, COMMIT, ROLLBACK, is in the air. */
/* noinline, as warming: gcc would see a NULL that the test's other assertions rule out. */
__attribute__((noinline)) static struct pqr__conn *flying_on(uint32_t server, unsigned skip)
{
    for (uint32_t i = 0; i < fake.n_conns; i++)
        if (fake.conns[i].phase == OPEN && fake.conns[i].flight && fake.conns[i].server == server &&
            !is_probe(&fake.conns[i]) && skip-- == 0)
            return &fake.conns[i];
    return NULL;
}

/* Room for further connections. */
static void forget_gone(void)
{
    while (fake.n_conns > 0 && fake.conns[fake.n_conns - 1].phase == GONE)
        fake.n_conns--;
}

static unsigned count_open(uint32_t server)
{
    unsigned n = 0;
    for (uint32_t i = 0; i < fake.n_conns; i++)
        n += fake.conns[i].phase == OPEN && fake.conns[i].server == server && !is_probe(&fake.conns[i]);
    return n;
}

/* --- The application ------------------------------------------------------------------------------------- */

struct told {
    unsigned times;
    pqr_status status;
    pqr_outcome outcome;
    uint32_t server;
    char sqlstate[6];
    int notices;
    unsigned attempts;
};

static void on_reply(pqr_reply *reply, void *data)
{
    struct told *told = data;
    told->times++;
    told->status = pqr_reply_status(reply);
    told->outcome = pqr_reply_outcome(reply);
    told->server = reply->server;
    told->attempts = pqr_reply_attempts(reply);
    told->notices = pqr_reply_notice_count(reply);
    memcpy(told->sqlstate, reply->sqlstate, sizeof(told->sqlstate));
}

static void run_query(struct told *told, const char *sql, pqr_target target, uint32_t flags)
{
    pqr_query query = PQR_QUERY_INIT;
    query.sql = sql;
    query.target = target;
    query.flags = flags;
    query.timeout_ms = UINT32_MAX;
    *told = (struct told){0};
    assert_int_equal(pqr_query_run(NULL, fake.router, &query, on_reply, told), 0);
}

static void read_from_replica(struct told *told)
{
    run_query(told, "select 1", PQR_TARGET_AUTO, 0);
}

static bool closed;

static void on_closed(void *data)
{
    *(bool *)data = true;
}

/* s0 is the primary, the others are replicas. */
static void make_config(void)
{
    pqr_error error;
    assert_int_equal(pqr_config_conninfo(&fake.config, "host=s0,s1,s2 user=u dbname=d", &error), 0);
    fake.config->catalog.load = false; /* its questions would come in between */
    for (uint32_t i = 0; i < SERVERS; i++) {
        fake.config->servers[i].min = 0;
        fake.config->servers[i].max = 4;
    }
}

static void start_with(uint64_t seed)
{
    pqr_error error;
    events = pqr__router_events;
    fake.base = (struct pqr__transport){.ops = &ops, .events = &events};
    fake.now_us = 1000000000;
    fake.timer_us = PQR__NEVER;
    assert_int_equal(pqr__router_create(&fake.router, fake.config, NULL, seed, &error), 0);
    pqr__router_start(fake.router, &fake.base);
    settle();
}

static void start(void)
{
    start_with(1);
}

static int set_up(void **state)
{
    (void)state;
    memset(&fake, 0, sizeof(fake));
    closed = false;
    fake.standby[1] = fake.standby[2] = true;
    for (uint32_t i = 0; i < SERVERS; i++)
        fake.host_of[i] = i;
    make_config();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    if (!fake.gone)
        pqr_router_close(fake.router, 0, on_closed, &closed);
    for (unsigned i = 0; i < 100 && !fake.gone; i++)
        advance(1000000);
    pqr_config_free(fake.config);
    return closed ? 0 : -1;
}

/* --- Tests ------------------------------------------------------------------------------------------------ */

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

/* --- statements.warm_up --- */

/* A connection of server 0 that is being warmed up. */
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

/* What two flights made room for may go out as one. */
static void what_a_turn_of_the_loop_asks_for_is_given_out_at_its_end(void **state)
{
    static struct told told[4];
    pqr_query query = PQR_QUERY_INIT;
    (void)state;
    fake.config->servers[1].max = fake.config->servers[2].max = 3; /* one of each is theirs */
    start();
    query.sql = "select 1";
    for (unsigned i = 0; i < 4; i += 2) {
        assert_int_equal(pqr_query_run(NULL, fake.router, &query, read_again, &told[i]), 0);
        settle();
    }
    struct pqr__conn *a = flying_on(1, 0), *b = flying_on(2, 0);
    assert_true(a && b);
    answer(a, NULL);
    assert_null(flying_on(1, 0));
    assert_int_equal(fake.timer_us, 0);
    answer(b, NULL); /* nothing is left that could be waited for */
    assert_int_equal(told[0].times + told[2].times, 2);
    assert_int_equal((flying_on(1, 0) != NULL) + (flying_on(1, 1) != NULL) + (flying_on(2, 0) != NULL) +
                         (flying_on(2, 1) != NULL),
        2);
}

static void read_four_times(pqr_reply *reply, void *data)
{
    struct told *told = data;
    on_reply(reply, told);
    for (unsigned i = 1; i <= 4; i++)
        read_from_replica(told + i);
}

/* One connection is idle, and the reserve, which is not theirs. */
static void what_is_asked_for_together_fills_one_flight(void **state)
{
    static struct told told[5];
    pqr_query query = PQR_QUERY_INIT;
    (void)state;
    fake.connects[2] = fake.probe_connects[2] = REFUSED;
    fake.config->servers[1].max = 3; /* the probe, the reserve, and one */
    start();
    for (unsigned i = 0; i < PQR__HISTORY_CLEAN; i++) {
        read_from_replica(&told[0]);
        run_down();
        answer(flying_on(1, 0), NULL); /* at once: it is known to be fast */
        run_down();
    }
    query.sql = "select 1";
    assert_int_equal(pqr_query_run(NULL, fake.router, &query, read_four_times, &told[0]), 0);
    struct pqr__conn *conn = flying_on(1, 0);
    answer(conn, NULL);
    assert_non_null(conn->flight);
    assert_int_equal(conn->flight->n_items, 4);
    lose(conn);
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

static struct pqr_config *config_of(const char *conninfo)
{
    struct pqr_config *config;
    pqr_error error;
    assert_int_equal(pqr_config_conninfo(&config, conninfo, &error), 0);
    config->catalog.load = false;
    config->pool.max_total = 9;
    for (uint32_t i = 0; i < config->n_servers; i++) {
        config->servers[i].min = 0;
        config->servers[i].max = 6;
    }
    return config;
}

static void reload_with(struct pqr_config *config)
{
    pqr_error error;
    assert_int_equal(pqr_router_reload(fake.router, config, &error), 0);
    pqr_config_free(fake.config);
    fake.config = config;
}

static void a_server_that_joins_waits_for_its_place_under_max_total(void **state)
{
    static struct told told[12];
    (void)state;
    pqr_config_free(fake.config);
    fake.config = config_of("host=s0,s1 user=u dbname=d");
    start();
    for (unsigned i = 0; i < 12; i++)
        run_query(&told[i], "select 1", i % 2 ? PQR_TARGET_PRIMARY : PQR_TARGET_REPLICA, 0);
    settle();
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
    pqr_config_free(fake.config);
    fake.config = config_of("host=s0,s1 user=u dbname=d");
    start();
    for (unsigned i = 0; i < 12; i++)
        run_query(&told[i], "select 1", i % 2 ? PQR_TARGET_PRIMARY : PQR_TARGET_REPLICA, 0);
    settle();
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
        assert_true(pqr__fleet_read(&count, &ops, &result));
        result.values[wrong[i].column] = wrong[i].value;
        assert_false(pqr__fleet_read(&count, &ops, &result));
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
        TEST(what_is_asked_for_together_fills_one_flight),
        TEST(what_must_wait_is_seen_to_before_the_loop_waits),
        TEST(what_a_turn_of_the_loop_asks_for_is_given_out_at_its_end),
        TEST(replica_only_never_reaches_the_primary),
        TEST(a_request_that_avoids_a_server_holds_nobody_up),
        TEST(the_reserve_is_not_shrunk_away),
        TEST(a_pool_that_breaks_at_once_is_not_stormed),
        TEST(a_server_that_drops_the_probe_is_not_stormed),
        TEST(a_lost_probe_is_opened_again_soon),
        TEST(probes_of_a_dead_server_do_not_keep_in_step),
        TEST(a_read_goes_back_to_the_replica_it_avoids_when_there_is_no_other),
        TEST(ready_needs_no_minimum),
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
        TEST(shared_connections_beyond_the_ceiling_take_no_more),
        TEST(statistics_tell_how_many_requests_share_a_connection),
        TEST(connects_that_fail_lower_the_ceiling),
        TEST(a_wrong_password_does_not_lower_the_ceiling),
        TEST(connections_enter_the_pool_when_they_are_warm),
        TEST(a_statement_that_fails_keeps_no_other_from_being_prepared),
        TEST(a_warm_up_without_end_is_given_up),
        TEST(a_warm_up_that_loses_connections_is_given_up),
        TEST(a_named_text_is_run_under_the_number_that_it_was_prepared_under),
        TEST(a_conflict_at_commit_runs_the_body_again),
        TEST(the_body_runs_again_when_commit_was_never_sent),
        TEST(after_an_outage_each_router_opens_connections_at_a_moment_of_its_own),
        TEST(a_server_that_joins_waits_for_its_place_under_max_total),
        TEST(a_lower_max_total_is_kept_soon),
        TEST(other_parameters_replace_every_connection),
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
