#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "fake_router.h"

#include "base/alloc.h"
#include "base/text.h"

struct fake fake;
struct pqr__transport_events events;

bool is_probe(const struct pqr__conn *conn)
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
    assert_null(conn->third);
    assert_int_equal(conn->phase, OPEN);
    *(conn->behind ? &conn->third : conn->flight ? &conn->behind : &conn->flight) = flight;
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

static void do_abandon(struct pqr__conn *conn)
{
    conn->closing = conn->abandoned = true;
}

static void do_timer_set(struct pqr__transport *transport, uint64_t at_us)
{
    (void)transport;
    fake.timer_us = at_us;
}

static uint64_t do_now(struct pqr__transport *transport)
{
    (void)transport;
    fake.n_now++;
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
    return row == 0 ? result->values[column] : NULL;
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

const struct pqr__transport_ops fake_ops = {
    .configure = do_configure,
    .connect = do_connect,
    .send = do_send,
    .cancel = do_cancel,
    .close = do_close,
    .abandon = do_abandon,
    .timer_set = do_timer_set,
    .now_us = do_now,
    .shutdown = do_shutdown,
    .result_free = do_result_free,
    .result_value = do_result_value,
    .result_tag = do_result_tag,
};

/* --- What servers do ------------------------------------------------------------------------------------- */

struct pg_result *result_new(const char *tag)
{
    struct pg_result *result = calloc(1, sizeof(*result));
    assert_non_null(result);
    result->tag = tag;
    return result;
}

static void answer_to(
    struct pqr__conn *conn, struct pqr__item *to, const char *sqlstate, struct pg_result *result)
{
    struct pqr__answer answer = {.kind = sqlstate ? PQR__ANSWER_ERROR : PQR__ANSWER_OK,
        .message = sqlstate ? "refused" : "",
        .result = result};
    if (sqlstate)
        memcpy(answer.sqlstate, sqlstate, strlen(sqlstate) + 1);
    events.item(conn->context, conn->flight, to, &answer);
}

void item(struct pqr__conn *conn, const char *sqlstate, struct pg_result *result)
{
    answer_to(conn, conn->flight->items, sqlstate, result);
}

/* The first one is over. */
static void next_flight(struct pqr__conn *conn)
{
    conn->flight = conn->behind;
    conn->behind = conn->third;
    conn->third = NULL;
}

void settled_as(struct pqr__conn *conn, enum pqr__tx_status tx, const struct pqr__connect_info *info)
{
    struct pqr__flight *flight = conn->flight;
    struct pqr__settled facts = {
        .sent = true, .tx = tx, .in_recovery = fake.standby[conn->server], .message = "", .info = info};
    next_flight(conn);
    events.settled(conn->context, flight, &facts);
}

static void settled(struct pqr__conn *conn, enum pqr__tx_status tx)
{
    settled_as(conn, tx, NULL);
}

void answer_in(struct pqr__conn *conn, const char *sqlstate, const char *tag, enum pqr__tx_status tx)
{
    if (!conn)
        abort(); /* nothing flies there: cmocka's asserts are not known to end it */
    item(conn, sqlstate, sqlstate ? NULL : result_new(tag));
    settled(conn, tx);
}

void answer_begun(struct pqr__conn *conn, const char *sqlstate, enum pqr__tx_status tx)
{
    if (!conn)
        abort();
    struct pqr__answer begun = {.kind = PQR__ANSWER_OK, .message = "", .result = result_new("BEGIN")};
    struct pqr__flight *flight = conn->flight;
    assert_int_equal(flight->items->own, PQR__OWN_BEGIN);
    events.item(conn->context, flight, flight->items, &begun);
    answer_to(conn, flight->items->next, sqlstate, sqlstate ? NULL : result_new("SELECT 1"));
    settled(conn, tx);
}

void answer(struct pqr__conn *conn, const char *sqlstate)
{
    answer_in(conn, sqlstate, "SELECT 1", PQR__TX_IDLE);
}

static bool close_unless_it_goes_on(struct pqr__conn *conn)
{
    if (fake.goes_on[conn->server] && !conn->abandoned)
        return false;
    conn->phase = GONE;
    events.closed(conn->context, fake.goes_on[conn->server]);
    return true;
}

void lose_after(struct pqr__conn *conn, bool sent)
{
    if (!conn)
        abort();
    struct pqr__settled facts = {.lost = true, .sent = sent, .tx = PQR__TX_UNKNOWN, .message = "lost"};
    conn->phase = LINGERING;
    for (struct pqr__flight *flight; (flight = conn->flight) != NULL; facts.behind = true) {
        next_flight(conn);
        events.settled(conn->context, flight, &facts);
    }
    events.ended(conn->context);
    close_unless_it_goes_on(conn);
}

void lose(struct pqr__conn *conn)
{
    lose_after(conn, true);
}

void lose_all(uint32_t server)
{
    for (uint32_t i = 0; i < fake.n_conns; i++)
        if (fake.conns[i].phase == OPEN && fake.conns[i].server == server)
            lose(&fake.conns[i]);
}

static void answer_identity(struct pqr__conn *conn)
{
    struct pg_result *result = result_new("SELECT 1");
    static const char *const row[] = {
        "7300000000000000001", "f", "0/3000000", "1", "1000", "4711", "2000", "read committed", "150004"};
    memcpy(result->values, row, sizeof(row));
    if (fake.standby[conn->server])
        result->values[1] = "t";
    if (fake.lsn[conn->server])
        result->values[2] = fake.lsn[conn->server];
    if (fake.timeline[conn->server])
        result->values[3] = fake.timeline[conn->server];
    item(conn, NULL, result);
    settled(conn, PQR__TX_IDLE);
}

void answer_prepare(struct pqr__conn *conn, const char *refused)
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
    if (how(conn) == REFUSED || how(conn) == TIMING_OUT) {
        refusal.timeout = refusal.lingers = how(conn) == TIMING_OUT;
        conn->phase = refusal.lingers ? LINGERING : GONE;
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
    case PQR__OWN_CHANGES:
        answer(conn, NULL);
        return true;
    case PQR__OWN_CATALOG:
        if (fake.catalog_waits)
            return false;
        answer(conn, NULL);
        return true;
    case PQR__OWN_PREPARE:
        if (fake.prepare_hangs)
            return false;
        answer_prepare(conn, NULL);
        return true;
    case PQR__OWN_TOKEN:
    case PQR__OWN_REPLAYED: /* the test's to answer */
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
    if (conn->phase == LINGERING)
        return close_unless_it_goes_on(conn);
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
void run_down(void)
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

void advance(uint64_t by_us)
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

void settle(void)
{
    advance(10000);
}

struct pqr__conn *reading_catalog(void)
{
    for (uint32_t i = 0; i < fake.n_conns; i++)
        if (fake.conns[i].flight && fake.conns[i].flight->items->own == PQR__OWN_CATALOG)
            return &fake.conns[i];
    return NULL;
}

struct pqr__conn *flying_on(uint32_t server, unsigned skip)
{
    for (uint32_t i = 0; i < fake.n_conns; i++)
        if (fake.conns[i].phase == OPEN && fake.conns[i].flight && fake.conns[i].server == server &&
            !is_probe(&fake.conns[i]) && skip-- == 0)
            return &fake.conns[i];
    return NULL;
}

void forget_gone(void)
{
    while (fake.n_conns > 0 && fake.conns[fake.n_conns - 1].phase == GONE)
        fake.n_conns--;
}

unsigned count_open(uint32_t server)
{
    unsigned n = 0;
    for (uint32_t i = 0; i < fake.n_conns; i++)
        n += fake.conns[i].phase == OPEN && fake.conns[i].server == server && !is_probe(&fake.conns[i]);
    return n;
}

/* --- The application ------------------------------------------------------------------------------------- */

void on_reply(pqr_reply *reply, void *data)
{
    struct told *told = data;
    told->times++;
    told->status = pqr_reply_status(reply);
    told->outcome = pqr_reply_outcome(reply);
    told->server = reply->server;
    told->attempts = pqr_reply_attempts(reply);
    told->notices = pqr_reply_notice_count(reply);
    pqr_reply_token(reply, &told->token);
    memcpy(told->sqlstate, reply->sqlstate, sizeof(told->sqlstate));
}

void run_query(struct told *told, const char *sql, pqr_target target, uint32_t flags)
{
    pqr_query query = PQR_QUERY_INIT;
    query.sql = sql;
    query.target = target;
    query.flags = flags;
    query.timeout_ms = UINT32_MAX;
    *told = (struct told){0};
    assert_int_equal(pqr_query_run(NULL, fake.router, &query, on_reply, told), 0);
}

void read_from_replica(struct told *told)
{
    run_query(told, "select 1", PQR_TARGET_AUTO, 0);
}

void make_reads_fast(unsigned times)
{
    static struct told told;
    for (unsigned i = 0; i < times; i++) {
        read_from_replica(&told);
        run_down();
        answer(flying_on(1, 0) ? flying_on(1, 0) : flying_on(2, 0), NULL);
        run_down();
    }
}

void write_on_primary(struct told *told)
{
    run_query(told, "insert into t values (1)", PQR_TARGET_AUTO, 0);
    settle();
}

bool closed;

void on_closed(void *data)
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

void start_with(uint64_t seed)
{
    pqr_error error;
    events = pqr__router_events;
    fake.base = (struct pqr__transport){.ops = &fake_ops, .events = &events};
    fake.now_us = 1000000000;
    fake.timer_us = PQR__NEVER;
    assert_int_equal(pqr__router_create(&fake.router, fake.config, NULL, seed, &error), 0);
    pqr__router_start(fake.router, &fake.base);
    settle();
}

void start(void)
{
    start_with(1);
}

struct pqr_config *config_of(const char *conninfo)
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

void reload_with(struct pqr_config *config)
{
    pqr_error error;
    assert_int_equal(pqr_router_reload(fake.router, config, &error), 0);
    pqr_config_free(fake.config);
    fake.config = config;
}

int set_up(void **state)
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

int tear_down(void **state)
{
    (void)state;
    if (!fake.gone)
        pqr_router_close(fake.router, 0, on_closed, &closed);
    for (unsigned i = 0; i < 100 && !fake.gone; i++)
        advance(1000000);
    pqr_config_free(fake.config);
    return closed ? 0 : -1;
}
