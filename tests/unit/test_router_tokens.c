/* Tokens behind writes and checks before reads, and what may go wrong with both. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "fake_router.h"

static const char insert[] = "insert into t values (1)";

static struct told told, other;

/* A write that wants one is in the air, its token's question behind it. */
static struct pqr__conn *write_it(uint32_t timeout_ms)
{
    pqr_query query = PQR_QUERY_INIT;
    query.sql = insert;
    query.flags = PQR_TOKEN;
    query.timeout_ms = timeout_ms;
    told = (struct told){0};
    assert_int_equal(pqr_query_run(NULL, fake.router, &query, on_reply, &told), 0);
    settle();
    struct pqr__conn *conn = flying_on(0, 0);
    assert_non_null(conn);
    assert_string_equal(conn->flight->items->sql, insert);
    assert_non_null(conn->behind);
    assert_int_equal(conn->behind->items->own, PQR__OWN_TOKEN);
    return conn;
}

/* As libpq shows it: the status of the first is not known. */
static void answer_write(struct pqr__conn *conn, const char *sqlstate)
{
    answer_in(conn, sqlstate, "INSERT 0 1", PQR__TX_UNKNOWN);
    settle();
}

static void answer_row(struct pqr__conn *conn, const char *first, const char *second)
{
    struct pg_result *result = result_new("SELECT 1");
    result->values[0] = first;
    result->values[1] = second;
    item(conn, NULL, result);
    settled_as(conn, PQR__TX_IDLE, NULL);
    settle();
}

static void assert_ok_with(uint64_t lsn)
{
    assert_int_equal(told.times, 1);
    assert_int_equal(told.status, PQR_STATUS_OK);
    assert_int_equal(told.outcome, PQR_OUTCOME_EXECUTED);
    assert_int_equal(told.token.lsn, lsn);
}

static void a_write_is_answered_with_its_token(void **state)
{
    (void)state;
    start();
    struct pqr__conn *conn = write_it(UINT32_MAX);
    answer_write(conn, NULL);
    assert_int_equal(told.times, 0);
    answer_row(conn, "1/2000", "0000000A0000000100000020");
    assert_ok_with(0x100002000);
    assert_int_equal(told.token.timeline, 10);
    assert_true(told.token.system_identifier == 7300000000000000001);
    assert_int_equal(told.attempts, 1);
    assert_ptr_equal(write_it(UINT32_MAX), conn); /* which is free again */
}

/* The position behind a page's header is the page's beginning to a standby that has replayed all. */
static void at_the_beginning_of_a_page_it_is_the_end_of_the_one_before(void **state)
{
    (void)state;
    start();
    struct pqr__conn *conn = write_it(UINT32_MAX);
    answer_write(conn, NULL);
    answer_row(conn, "0/3002018", "000000010000000000000003");
    assert_ok_with(0x3002000);
}

static void without_it_the_write_is_as_well_done(void **state)
{
    static const struct {
        const char *lsn, *file;
    } odd[] = {{NULL, NULL}, {"0/3000100", NULL}, {NULL, "000000010000000000000003"},
        {"0/3000100", "00000001"}, {"x", "000000010000000000000003"}, {"0/3000100", "0000000000000003"}};
    (void)state;
    start();
    struct pqr__conn *conn = write_it(UINT32_MAX);
    answer_write(conn, NULL);
    answer(conn, "57014");
    settle();
    assert_ok_with(0);
    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        conn = write_it(UINT32_MAX);
        answer_write(conn, NULL);
        answer_row(conn, odd[i].lsn, odd[i].file);
        assert_int_equal(told.status, PQR_STATUS_OK);
        assert_int_equal(told.token.lsn, i == 3 ? 0x3000100 : 0);
    }
}

static void a_connection_lost_behind_the_commit_takes_the_token_alone(void **state)
{
    (void)state;
    start();
    struct pqr__conn *conn = write_it(UINT32_MAX);
    answer_write(conn, NULL);
    lose(conn);
    settle();
    assert_ok_with(0);
}

static void one_lost_before_leaves_the_write_unknown(void **state)
{
    (void)state;
    start();
    struct pqr__conn *conn = write_it(UINT32_MAX);
    lose(conn);
    settle();
    assert_int_equal(told.times, 1);
    assert_int_equal(told.status, PQR_STATUS_LOST);
    assert_int_equal(told.outcome, PQR_OUTCOME_UNKNOWN);
}

static void what_is_done_is_ok_at_its_deadline_too(void **state)
{
    (void)state;
    start();
    struct pqr__conn *conn = write_it(1000);
    answer_write(conn, NULL);
    advance(2000000);
    assert_ok_with(0);
    answer_row(conn, "0/3000100", "000000010000000000000003"); /* too late for anybody */
    assert_ok_with(0);
    assert_ptr_equal(write_it(UINT32_MAX), conn);
}

static void and_when_it_is_cancelled(void **state)
{
    (void)state;
    start();
    pqr_query query = PQR_QUERY_INIT;
    pqr_request_id id;
    query.sql = insert;
    query.flags = PQR_TOKEN;
    told = (struct told){0};
    assert_int_equal(pqr_query_run(&id, fake.router, &query, on_reply, &told), 0);
    settle();
    struct pqr__conn *conn = flying_on(0, 0);
    answer_write(conn, NULL);
    assert_int_equal(pqr_request_cancel(fake.router, id), 0);
    settle();
    assert_ok_with(0);
    answer_row(conn, "0/3000100", "000000010000000000000003");
    assert_ok_with(0);
}

/* Nothing is sent on a connection before the question on it was answered. */
static void a_write_that_failed_is_told_at_once(void **state)
{
    (void)state;
    start();
    struct pqr__conn *conn = write_it(UINT32_MAX);
    answer_write(conn, "23505");
    assert_int_equal(told.status, PQR_STATUS_SQL_ERROR);
    assert_int_equal(told.token.lsn, 0);
    run_query(&other, insert, PQR_TARGET_AUTO, 0);
    settle();
    assert_null(conn->behind);
    answer_row(conn, "0/3000100", "000000010000000000000003");
    assert_int_equal(told.times, 1);
    assert_int_equal(told.token.lsn, 0);
}

static void a_question_that_is_never_answered_holds_its_connection_not_for_ever(void **state)
{
    (void)state;
    start();
    struct pqr__conn *conn = write_it(UINT32_MAX);
    answer_write(conn, NULL);
    advance(fake.config->pool.connect_timeout_us + 3000000);
    assert_int_equal(conn->phase, GONE);
    assert_ok_with(0);
}

static void commit_of(pqr_tx *tx, unsigned attempt, void *data)
{
    pqr_query query = PQR_QUERY_INIT;
    (void)attempt;
    (void)data;
    query.sql = insert;
    query.flags = PQR_TOKEN; /* the whole's */
    for (int i = 0; i < 2; i++)
        assert_int_equal(pqr_tx_query(tx, &query, on_reply, &other), 0);
    assert_int_equal(pqr_tx_commit(tx), 0);
}

static void a_transaction_has_its_token_behind_its_commit(void **state)
{
    (void)state;
    pqr_tx_options options = PQR_TX_OPTIONS_INIT;
    start();
    options.flags = PQR_TOKEN;
    told = other = (struct told){0};
    assert_int_equal(pqr_tx_run(NULL, fake.router, &options, commit_of, on_reply, &told), 0);
    settle();
    struct pqr__conn *conn = flying_on(0, 0);
    assert_null(conn->behind);
    answer_begun(conn, NULL, PQR__TX_OPEN);
    settle();
    assert_null(conn->behind);
    answer_in(conn, NULL, "INSERT 0 1", PQR__TX_OPEN);
    settle();
    assert_int_equal(conn->flight->items->own, PQR__OWN_COMMIT);
    assert_int_equal(conn->behind->items->own, PQR__OWN_TOKEN);
    answer_in(conn, NULL, "COMMIT", PQR__TX_UNKNOWN);
    settle();
    assert_int_equal(told.times, 0);
    answer_row(conn, "0/3000100", "000000010000000000000003");
    assert_ok_with(0x3000100);
    assert_int_equal(other.token.lsn, 0);
    assert_ptr_equal(write_it(UINT32_MAX), conn);
}

/* Of one query; until it flies. */
static void run_batch(const char *sql, const pqr_batch_options *options)
{
    pqr_query query = PQR_QUERY_INIT;
    pqr_batch_query list[] = {{&query, on_reply, &other}};
    query.sql = sql;
    told = other = (struct told){0};
    assert_int_equal(pqr_batch_run(NULL, fake.router, options, list, 1, on_reply, &told), 0);
    settle();
}

/* A transaction of several statements that failed is still open when the question comes. */
static void a_batch_that_failed_is_rolled_back_behind_the_question(void **state)
{
    (void)state;
    pqr_batch_options options = PQR_BATCH_OPTIONS_INIT;
    start();
    options.flags = PQR_TOKEN;
    options.isolation = PQR_REPEATABLE_READ;
    run_batch(insert, &options);
    struct pqr__conn *conn = flying_on(0, 0);
    struct pqr__item *begin = conn->flight->items;
    struct pqr__answer begun = {.kind = PQR__ANSWER_OK, .message = "", .result = result_new("BEGIN")};
    struct pqr__answer failed = {.kind = PQR__ANSWER_ERROR, .message = "no", .sqlstate = "23505"};
    struct pqr__answer aborted = {.kind = PQR__ANSWER_ABORTED, .message = ""};
    events.item(conn->context, conn->flight, begin, &begun);
    events.item(conn->context, conn->flight, begin->next, &failed);
    events.item(conn->context, conn->flight, begin->next->next, &aborted);
    settled_as(conn, PQR__TX_UNKNOWN, NULL);
    settle();
    assert_int_equal(told.status, PQR_STATUS_SQL_ERROR);
    answer_in(conn, "25P02", "", PQR__TX_FAILED);
    settle();
    assert_int_equal(conn->phase, OPEN);
    assert_int_equal(conn->flight->items->own, PQR__OWN_ROLLBACK);
}

/* --- reads --- */

static void read_after(uint64_t lsn, pqr_target target)
{
    pqr_token token = {.system_identifier = 7300000000000000001, .timeline = 1, .lsn = lsn};
    pqr_query query = PQR_QUERY_INIT;
    query.sql = "select 1";
    query.target = target;
    query.after = &token;
    query.timeout_ms = UINT32_MAX;
    told = (struct told){0};
    assert_int_equal(pqr_query_run(NULL, fake.router, &query, on_reply, &told), 0);
    settle();
}

static struct pqr__conn *on_a_replica(void)
{
    struct pqr__conn *conn = flying_on(1, 0) ? flying_on(1, 0) : flying_on(2, 0);
    assert_non_null(conn);
    return conn;
}

/* The question is in the air, the read behind it. */
static struct pqr__conn *asked(void)
{
    struct pqr__conn *conn = on_a_replica();
    assert_int_equal(conn->flight->items->own, PQR__OWN_REPLAYED);
    assert_non_null(conn->behind);
    return conn;
}

static void what_the_probe_has_seen_need_not_be_asked(void **state)
{
    (void)state;
    start();
    read_after(0x3000000, PQR_TARGET_AUTO);
    struct pqr__conn *conn = on_a_replica();
    assert_int_equal(conn->flight->items->own, PQR__OWN_NONE);
    answer(conn, NULL);
    settle();
    assert_ok_with(0);
}

static void a_replica_that_says_yes_answers_and_is_known(void **state)
{
    (void)state;
    start();
    read_after(0x3000100, PQR_TARGET_AUTO);
    struct pqr__conn *conn = asked();
    fake.lsn[1] = fake.lsn[2] = "0/3000100";
    answer_row(conn, "0/3000100", NULL);
    assert_int_equal(told.times, 0);
    answer(conn, NULL);
    settle();
    assert_ok_with(0);
    read_after(0x3000100, PQR_TARGET_AUTO);
    assert_int_equal(on_a_replica()->flight->items->own, PQR__OWN_NONE);
    assert_int_equal(on_a_replica()->server, conn->server);
}

/* What was known dies with any of its connections: a crash takes a standby back. */
static void what_is_known_is_forgotten_with_a_connection(void **state)
{
    (void)state;
    start();
    read_after(0x3000100, PQR_TARGET_AUTO);
    struct pqr__conn *conn = asked();
    fake.lsn[1] = fake.lsn[2] = "0/3000100";
    answer_row(conn, "0/3000100", NULL);
    answer(conn, NULL);
    settle();
    assert_int_equal(fake.router->backends[conn->server].replayed_lsn, 0x3000100);
    fake.lsn[1] = fake.lsn[2] = NULL;
    lose(conn); /* idle */
    assert_int_equal(fake.router->backends[conn->server].replayed_lsn, 0);
    settle();
    read_after(0x3000100, PQR_TARGET_AUTO);
    asked();
}

static void nor_is_it_known_once_a_flight_was_lost(void **state)
{
    (void)state;
    fake.lsn[1] = fake.lsn[2] = "0/3000100";
    start();
    read_after(0x3000100, PQR_TARGET_AUTO);
    struct pqr__conn *conn = on_a_replica();
    struct pqr__settled facts = {.lost = true, .sent = true, .tx = PQR__TX_UNKNOWN, .message = "lost"};
    struct pqr__flight *flight = conn->flight;
    conn->flight = NULL;
    events.settled(conn->context, flight, &facts);
    assert_int_equal(fake.router->backends[conn->server].replayed_lsn, 0);
    lose(conn);
}

/* And one that was opened since may find it further back. */
static void a_new_connection_tells_how_far_it_is_now(void **state)
{
    (void)state;
    fake.lsn[1] = fake.lsn[2] = "0/3000100";
    start();
    struct pqr__backend *backend = &fake.router->backends[1];
    assert_int_equal(backend->replayed_lsn, 0x3000100);
    fake.lsn[1] = fake.lsn[2] = "0/3000010";
    read_after(0x3000100, PQR_TARGET_AUTO);
    struct pqr__conn *conn = asked();
    assert_int_equal(fake.router->backends[conn->server].replayed_lsn, 0x3000010);
}

static void one_that_says_no_is_not_believed_and_the_primary_answers(void **state)
{
    static const char *const no[] = {"0/30000FF", NULL, "nonsense"};
    (void)state;
    start();
    for (unsigned i = 0; i < 3; i++) {
        read_after(0x3000100, PQR_TARGET_AUTO);
        struct pqr__conn *conn = asked();
        answer_row(conn, no[i], NULL);
        answer(conn, i == 1 ? "42P01" : NULL);
        settle();
        assert_int_equal(told.times, 0);
        answer(flying_on(0, 0), NULL);
        settle();
        assert_ok_with(0);
        assert_int_equal(told.server, 0);
        assert_int_equal(told.attempts, 2);
    }
    assert_int_equal(fake.router->fallback_primary, 3);
    assert_int_equal(fake.router->token_checks, 3);
    assert_int_equal(fake.router->token_misses, 3);
}

/* reads.primary is about reads for replicas, not about those for any server. */
static void where_any_server_may_the_primary_may(void **state)
{
    (void)state;
    fake.config->reads.primary = PQR__PRIMARY_NEVER;
    start();
    read_after(0x3000100, PQR_TARGET_ANY); /* to the one that has it */
    answer(flying_on(0, 0), NULL);
    settle();
    assert_ok_with(0);
    read_after(0x3000100, PQR_TARGET_REPLICA);
    answer(asked(), NULL);
    answer(on_a_replica(), NULL);
    settle();
    assert_int_equal(told.status, PQR_STATUS_UNAVAILABLE);
}

static void where_the_primary_may_not_it_is_told(void **state)
{
    (void)state;
    start();
    read_after(0x3000100, PQR_TARGET_REPLICA_ONLY);
    struct pqr__conn *conn = asked();
    answer_row(conn, "0/3000000", NULL);
    answer(conn, NULL);
    settle();
    assert_int_equal(told.times, 1);
    assert_int_equal(told.status, PQR_STATUS_UNAVAILABLE);
    assert_int_equal(told.outcome, PQR_OUTCOME_NOT_EXECUTED);
}

static void one_that_is_lost_while_it_is_asked_is_another_try(void **state)
{
    (void)state;
    start();
    read_after(0x3000100, PQR_TARGET_AUTO);
    struct pqr__conn *conn = asked();
    uint32_t first = conn->server;
    lose(conn);
    settle();
    conn = asked();
    assert_int_not_equal(conn->server, first);
    answer_row(conn, "0/3000100", NULL);
    answer(conn, NULL);
    settle();
    assert_ok_with(0);
}

/* A replica of another timeline, or another cluster, can't tell: not by what its LSN says. */
static void others_are_not_asked(void **state)
{
    (void)state;
    fake.timeline[1] = fake.timeline[2] = "2";
    fake.timeline[0] = "2";
    start();
    read_after(0x3000000, PQR_TARGET_AUTO);
    assert_null(flying_on(1, 0));
    assert_null(flying_on(2, 0));
    answer(flying_on(0, 0), NULL);
    settle();
    assert_ok_with(0);
}

static void a_primary_of_the_past_does_not_answer(void **state)
{
    pqr_token token = {.system_identifier = 7300000000000000001, .timeline = 2, .lsn = 1};
    pqr_query query = PQR_QUERY_INIT;
    (void)state;
    start();
    query.sql = "select 1";
    query.after = &token;
    for (int i = 0; i < 2; i++) {
        query.target = i ? PQR_TARGET_PRIMARY : PQR_TARGET_AUTO;
        told = (struct told){0};
        assert_int_equal(pqr_query_run(NULL, fake.router, &query, on_reply, &told), 0);
        settle();
        assert_int_equal(told.times, 1);
        assert_int_equal(told.status, PQR_STATUS_UNAVAILABLE);
    }
}

/* Its reads are independent: one that is lost runs again by itself, and has not forgotten. */
static void a_read_of_a_batch_keeps_its_token(void **state)
{
    pqr_token token = {.system_identifier = 7300000000000000001, .timeline = 1, .lsn = 0x3000100};
    pqr_batch_options options = PQR_BATCH_OPTIONS_INIT;
    (void)state;
    start();
    options.after = &token;
    options.target = PQR_TARGET_ANY;
    run_batch("select 1", &options);
    lose(flying_on(0, 0));
    for (int i = 0; i < 300; i++) {
        advance(10000);
        assert_null(flying_on(1, 0));
        assert_null(flying_on(2, 0));
    }
    assert_non_null(flying_on(0, 0));
}

/* Behind it comes what was asked for the attempt before. */
static void each_attempt_has_a_token_of_its_own(void **state)
{
    pqr_batch_options options = PQR_BATCH_OPTIONS_INIT;
    (void)state;
    start();
    options.flags = PQR_TOKEN;
    run_batch(insert, &options);
    struct pqr__conn *first = flying_on(0, 0);
    answer_in(first, "40001", "", PQR__TX_UNKNOWN);
    settle();
    struct pqr__conn *second = flying_on(0, 0) == first ? flying_on(0, 1) : flying_on(0, 0);
    assert_non_null(second);
    answer_row(first, "0/3000100", "000000010000000000000003");
    assert_int_equal(told.times, 0);
    answer_write(second, NULL);
    assert_int_equal(told.times, 0);
    answer_row(second, "0/3000200", "000000010000000000000003");
    assert_ok_with(0x3000200);
}

/* The next reads are not asked for in vain, and those that share a flight there are not taken for checked. */
static void one_that_has_just_said_no_is_not_asked_again(void **state)
{
    pqr_token token = {.system_identifier = 7300000000000000001, .timeline = 1, .lsn = 0x3000100};
    pqr_query query = PQR_QUERY_INIT;
    (void)state;
    pqr_config_free(fake.config);
    fake.config = config_of("host=s0,s1 user=u dbname=d");
    start();
    make_reads_fast(30);
    query.sql = "select 1";
    query.after = &token;
    told = other = (struct told){0};
    assert_int_equal(pqr_query_run(NULL, fake.router, &query, on_reply, &told), 0);
    run_down();
    struct pqr__conn *conn = asked();
    answer(conn, NULL); /* it has no row */
    answer(conn, NULL);
    run_down();
    struct pqr__slot *slot =
        pqr__container_of((struct pqr__endpoint *)flying_on(0, 0)->context, struct pqr__slot, endpoint);
    assert_int_equal(slot->state, PQR__SLOT_SHARED); /* with what else comes */
    assert_int_equal(pqr_query_run(NULL, fake.router, &query, on_reply, &other), 0);
    run_down();
    assert_null(flying_on(1, 0));
    while (flying_on(0, 0)) {
        answer(flying_on(0, 0), NULL);
        run_down();
    }
    assert_ok_with(0);
    assert_int_equal(other.status, PQR_STATUS_OK);
    assert_int_equal(other.times, 1);
}

static void a_batch_of_one_flight_has_a_token_too(void **state)
{
    pqr_batch_options options = PQR_BATCH_OPTIONS_INIT;
    (void)state;
    start();
    options.flags = PQR_TOKEN;
    run_batch(insert, &options);
    struct pqr__conn *conn = flying_on(0, 0);
    answer_write(conn, NULL);
    assert_int_equal(other.times, 0);
    answer_row(conn, "0/3000100", "000000010000000000000003");
    assert_ok_with(0x3000100);
    assert_int_equal(other.status, PQR_STATUS_OK);
    assert_ptr_equal(write_it(UINT32_MAX), conn);
}

/* Of which nothing is kept but its label. */
static void what_no_server_takes_has_none(void **state)
{
    enum { PARAMETERS = 65535, EACH = 17000 };
    static const char *values[PARAMETERS];
    static char value[EACH + 1];
    pqr_query query = PQR_QUERY_INIT;
    (void)state;
    start();
    answer_write(write_it(UINT32_MAX), NULL); /* whose memory it gets */
    answer_row(flying_on(0, 0), "0/3000100", "000000010000000000000003");
    memset(value, 'x', EACH);
    for (int i = 0; i < PARAMETERS; i++)
        values[i] = value;
    query.sql = "insert into t values ($1)";
    query.label = "a label that is as long as one may be, and takes the place of it";
    query.flags = PQR_TOKEN;
    query.n_params = PARAMETERS;
    query.param_values = values;
    told = (struct told){0};
    assert_int_equal(pqr_query_run(NULL, fake.router, &query, on_reply, &told), 0);
    settle();
    assert_int_equal(told.times, 1);
    assert_string_equal(told.sqlstate, "54000");
    assert_int_equal(told.token.lsn, 0);
}

static void wrong_flags_are_refused(void **state)
{
    pqr_query query = PQR_QUERY_INIT;
    (void)state;
    start();
    query.sql = "select 1";
    query.flags = 1u << 31;
    assert_int_equal(pqr_query_run(NULL, fake.router, &query, on_reply, &told), PQR_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_write_is_answered_with_its_token),
        TEST(at_the_beginning_of_a_page_it_is_the_end_of_the_one_before),
        TEST(without_it_the_write_is_as_well_done),
        TEST(a_connection_lost_behind_the_commit_takes_the_token_alone),
        TEST(one_lost_before_leaves_the_write_unknown),
        TEST(what_is_done_is_ok_at_its_deadline_too),
        TEST(and_when_it_is_cancelled),
        TEST(a_write_that_failed_is_told_at_once),
        TEST(a_question_that_is_never_answered_holds_its_connection_not_for_ever),
        TEST(a_transaction_has_its_token_behind_its_commit),
        TEST(a_batch_that_failed_is_rolled_back_behind_the_question),
        TEST(what_the_probe_has_seen_need_not_be_asked),
        TEST(a_replica_that_says_yes_answers_and_is_known),
        TEST(what_is_known_is_forgotten_with_a_connection),
        TEST(nor_is_it_known_once_a_flight_was_lost),
        TEST(a_new_connection_tells_how_far_it_is_now),
        TEST(one_that_says_no_is_not_believed_and_the_primary_answers),
        TEST(where_any_server_may_the_primary_may),
        TEST(where_the_primary_may_not_it_is_told),
        TEST(one_that_is_lost_while_it_is_asked_is_another_try),
        TEST(others_are_not_asked),
        TEST(a_primary_of_the_past_does_not_answer),
        TEST(a_read_of_a_batch_keeps_its_token),
        TEST(each_attempt_has_a_token_of_its_own),
        TEST(one_that_has_just_said_no_is_not_asked_again),
        TEST(a_batch_of_one_flight_has_a_token_too),
        TEST(what_no_server_takes_has_none),
        TEST(wrong_flags_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
