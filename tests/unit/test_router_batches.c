/* Batches that are one transaction: what of BEGIN and COMMIT is sent, and what they are told when nothing but the Sync
   commits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "fake_router.h"

#define INSERT "insert into t values (1)"
#define UPDATE "update t set n = 2"

static struct told first, second, done;
static char error[300]; /* that done was told */

static void on_done(pqr_reply *reply, void *data)
{
    strncpy(error, pqr_reply_error(reply), sizeof(error) - 1);
    on_reply(reply, data);
}

static void start_batch(const char *one, const char *two, const pqr_batch_options *options)
{
    pqr_query queries[2] = {PQR_QUERY_INIT, PQR_QUERY_INIT};
    const pqr_batch_query list[2] = {{&queries[0], on_reply, &first}, {&queries[1], on_reply, &second}};
    queries[0].sql = one;
    queries[1].sql = two;
    first = second = done = (struct told){0};
    assert_int_equal(pqr_batch_run(NULL, fake.router, options, list, 2, on_done, &done), 0);
    settle();
}

/* Until it flies. */
static struct pqr__conn *run_batch(const char *one, const char *two, pqr_isolation isolation)
{
    pqr_batch_options options = PQR_BATCH_OPTIONS_INIT;
    options.isolation = isolation;
    start_batch(one, two, &options);
    struct pqr__conn *conn = flying_on(0, 0);
    assert_non_null(conn);
    return conn;
}

static struct pqr__conn *run_plain(void)
{
    struct pqr__conn *conn = run_batch(INSERT, UPDATE, PQR_ISOLATION_DEFAULT);
    assert_int_equal(conn->flight->n_items, 2);
    return conn;
}

static struct pqr__item *nth(const struct pqr__conn *conn, unsigned n)
{
    struct pqr__item *item = conn->flight->items;
    while (n-- > 0)
        item = item->next;
    return item;
}

/* sqlstate NULL: well. */
static void tell(struct pqr__conn *conn, unsigned n, const char *sqlstate, bool at_sync)
{
    struct pqr__answer answer = {.kind = sqlstate ? PQR__ANSWER_ERROR : PQR__ANSWER_OK,
        .message = sqlstate ? "refused" : "",
        .at_sync = at_sync,
        .result = sqlstate ? NULL : result_new("INSERT 0 1")};
    if (sqlstate)
        memcpy(answer.sqlstate, sqlstate, strlen(sqlstate) + 1);
    events.item(conn->context, conn->flight, nth(conn, n), &answer);
}

static void assert_told(pqr_status status, pqr_outcome outcome, pqr_outcome of_queries)
{
    assert_int_equal(first.times + second.times + done.times, 3);
    assert_int_equal(done.status, status);
    assert_int_equal(done.outcome, outcome);
    assert_int_equal(first.outcome, of_queries);
    assert_int_equal(second.outcome, of_queries);
}

/* --- what is sent --- */

static void queries_alone_need_neither_begin_nor_commit(void **state)
{
    (void)state;
    start();
    struct pqr__conn *conn = run_plain();
    assert_string_equal(nth(conn, 0)->sql, INSERT);
    assert_string_equal(nth(conn, 1)->sql, UPDATE);
    assert_null(nth(conn, 1)->next);
    tell(conn, 0, NULL, false);
    tell(conn, 1, NULL, false);
    settled_as(conn, PQR__TX_IDLE, NULL);
    settle();
    assert_told(PQR_STATUS_OK, PQR_OUTCOME_EXECUTED, PQR_OUTCOME_EXECUTED);
}

static void assert_begins(const struct pqr__conn *conn, const char *begin)
{
    assert_int_equal(conn->flight->n_items, 4);
    assert_string_equal(nth(conn, 0)->sql, begin);
    assert_int_equal(nth(conn, 0)->own, PQR__OWN_BEGIN);
    assert_int_equal(nth(conn, 3)->own, PQR__OWN_COMMIT);
}

static void an_isolation_is_asked_for_by_begin(void **state)
{
    (void)state;
    start();
    assert_begins(run_batch(INSERT, UPDATE, PQR_REPEATABLE_READ), "BEGIN ISOLATION LEVEL REPEATABLE READ");
}

static void what_may_need_a_transaction_block_has_one(void **state)
{
    static const char *const others[] = {"lock table t", "set local work_mem = '1MB'", "savepoint s",
        "create table u (n int)", "truncate t", "notify n", "(select 1)", ""};
    (void)state;
    start();
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        struct pqr__conn *conn = run_batch(INSERT, others[i], PQR_ISOLATION_DEFAULT);
        assert_begins(conn, "BEGIN");
        lose(conn);
        settle();
    }
}

static void a_pooler_is_told_where_the_transaction_ends(void **state)
{
    (void)state;
    fake.config->servers[0].pooler = true;
    start();
    assert_begins(run_batch(INSERT, UPDATE, PQR_ISOLATION_DEFAULT), "BEGIN");
}

static void reads_share_a_sync_on_a_replica(void **state)
{
    (void)state;
    start();
    start_batch("select 1", "select 2", NULL);
    struct pqr__conn *conn = flying_on(1, 0) ? flying_on(1, 0) : flying_on(2, 0);
    assert_int_equal(conn->flight->n_items, 2);
    assert_null(conn->behind);
    answer_prepare(conn, NULL);
    settle();
    assert_told(PQR_STATUS_OK, PQR_OUTCOME_EXECUTED, PQR_OUTCOME_EXECUTED);
}

/* One behind the other, before either is answered. */
static void reads_have_a_sync_each_on_the_primary_in_one_round_trip(void **state)
{
    pqr_batch_options options = PQR_BATCH_OPTIONS_INIT;
    (void)state;
    options.target = PQR_TARGET_PRIMARY;
    start();
    start_batch("select 1", "select 2", &options);
    struct pqr__conn *conn = flying_on(0, 0);
    assert_int_equal(conn->flight->n_items, 1);
    assert_int_equal(conn->behind->n_items, 1);
    answer_prepare(conn, NULL);
    assert_int_equal(first.times, 1);
    assert_int_equal(done.times, 0);
    answer_prepare(conn, NULL);
    settle();
    assert_told(PQR_STATUS_OK, PQR_OUTCOME_EXECUTED, PQR_OUTCOME_EXECUTED);
}

/* --- what is told --- */

static void an_error_of_the_sync_is_that_of_the_commit(void **state)
{
    (void)state;
    start();
    struct pqr__conn *conn = run_plain();
    tell(conn, 0, NULL, false);
    tell(conn, 1, NULL, false);
    tell(conn, 1, "23503", true);
    settled_as(conn, PQR__TX_IDLE, NULL);
    settle();
    assert_told(PQR_STATUS_SQL_ERROR, PQR_OUTCOME_EXECUTED, PQR_OUTCOME_NOT_EXECUTED);
    assert_string_equal(error, "COMMIT: refused");
    assert_string_equal(done.sqlstate, "23503");
}

/* An earlier attempt was lost, and in this one a query's answer; but COMMIT was confirmed. */
static void of_a_committed_batch_nothing_is_unknown(void **state)
{
    struct pqr__answer answer = {.kind = PQR__ANSWER_OK, .message = "", .result = result_new("COMMIT")};
    pqr_batch_options options = PQR_BATCH_OPTIONS_INIT;
    (void)state;
    start();
    options.flags = PQR_IDEMPOTENT;
    options.isolation = PQR_REPEATABLE_READ;
    start_batch(INSERT, UPDATE, &options);
    lose(flying_on(0, 0));
    advance(2000000);
    struct pqr__conn *conn = flying_on(0, 0);
    assert_non_null(conn);
    tell(conn, 0, NULL, false);
    tell(conn, 1, "", false);
    tell(conn, 2, NULL, false);
    events.item(conn->context, conn->flight, nth(conn, 3), &answer);
    settled_as(conn, PQR__TX_IDLE, NULL);
    settle();
    assert_int_equal(done.status, PQR_STATUS_OK);
    assert_int_equal(first.status, PQR_STATUS_LOST);
    assert_int_equal(first.outcome, PQR_OUTCOME_EXECUTED);
}

/* An error on the way there got lost: COMMIT says what became of it. */
static void a_commit_that_answers_rollback_is_none(void **state)
{
    struct pqr__answer answer = {.kind = PQR__ANSWER_OK, .message = "", .result = result_new("ROLLBACK")};
    (void)state;
    start();
    struct pqr__conn *conn = run_batch(INSERT, UPDATE, PQR_REPEATABLE_READ);
    for (unsigned i = 0; i < 3; i++)
        tell(conn, i, NULL, false);
    events.item(conn->context, conn->flight, nth(conn, 3), &answer);
    settled_as(conn, PQR__TX_IDLE, NULL);
    settle();
    assert_int_equal(first.times + second.times + done.times, 3);
    assert_int_not_equal(done.status, PQR_STATUS_OK);
    assert_int_equal(done.outcome, PQR_OUTCOME_NOT_EXECUTED);
    assert_int_equal(first.outcome, PQR_OUTCOME_NOT_EXECUTED);
    assert_int_equal(second.outcome, PQR_OUTCOME_NOT_EXECUTED);
    assert_string_equal(error, "COMMIT: the server rolled back instead of COMMIT");
}

/* As under default_transaction_isolation = serializable. */
static void a_conflict_at_the_sync_runs_it_again(void **state)
{
    (void)state;
    start();
    struct pqr__conn *conn = run_plain();
    tell(conn, 0, NULL, false);
    tell(conn, 1, "40001", true);
    settled_as(conn, PQR__TX_IDLE, NULL);
    settle();
    assert_int_equal(first.times + second.times + done.times, 0);
    conn = flying_on(0, 0);
    assert_non_null(conn);
    assert_int_equal(conn->flight->n_items, 2);
    tell(conn, 0, NULL, false);
    tell(conn, 1, NULL, false);
    settled_as(conn, PQR__TX_IDLE, NULL);
    settle();
    assert_told(PQR_STATUS_OK, PQR_OUTCOME_EXECUTED, PQR_OUTCOME_EXECUTED);
    assert_int_equal(done.attempts, 2);
}

static void the_last_query_may_fail_like_any_other(void **state)
{
    (void)state;
    start();
    struct pqr__conn *conn = run_plain();
    tell(conn, 0, NULL, false);
    tell(conn, 1, "23505", false);
    settled_as(conn, PQR__TX_IDLE, NULL);
    settle();
    assert_string_equal(error, "query 2 of the batch: refused");
    assert_int_equal(first.outcome, PQR_OUTCOME_NOT_EXECUTED);
    assert_int_equal(second.outcome, PQR_OUTCOME_EXECUTED);
}

static void a_sync_that_fails_without_sqlstate_is_unknown(void **state)
{
    (void)state;
    start();
    struct pqr__conn *conn = run_plain();
    tell(conn, 0, NULL, false);
    tell(conn, 1, "", true);
    settled_as(conn, PQR__TX_IDLE, NULL);
    settle();
    assert_told(PQR_STATUS_LOST, PQR_OUTCOME_UNKNOWN, PQR_OUTCOME_UNKNOWN);
}

/* That an attempt was of no use because something kept prepared was says nothing of the next: what may have been committed
   is not run once more. */
static void a_stale_attempt_is_forgotten_by_the_next(void **state)
{
    struct pqr__answer stale = {
        .kind = PQR__ANSWER_ERROR, .stale = true, .sqlstate = "42P05", .message = "exists"};
    struct pqr__answer aborted = {.kind = PQR__ANSWER_ABORTED, .message = ""};
    (void)state;
    start();
    struct pqr__conn *conn = run_plain();
    events.item(conn->context, conn->flight, nth(conn, 0), &stale);
    events.item(conn->context, conn->flight, nth(conn, 1), &aborted);
    settled_as(conn, PQR__TX_IDLE, NULL);
    settle();
    assert_int_equal(first.times + second.times + done.times, 0);
    conn = flying_on(0, 0);
    assert_non_null(conn);
    tell(conn, 0, NULL, false);
    tell(conn, 1, "", true);
    settled_as(conn, PQR__TX_IDLE, NULL);
    settle();
    assert_null(flying_on(0, 0));
    assert_told(PQR_STATUS_LOST, PQR_OUTCOME_UNKNOWN, PQR_OUTCOME_UNKNOWN);
}

/* libpq's own error takes the place of an answer that may have been an error. */
static void a_last_answer_that_got_lost_is_unknown(void **state)
{
    (void)state;
    start();
    struct pqr__conn *conn = run_plain();
    tell(conn, 0, NULL, false);
    tell(conn, 1, "", false);
    settled_as(conn, PQR__TX_IDLE, NULL);
    settle();
    assert_told(PQR_STATUS_LOST, PQR_OUTCOME_UNKNOWN, PQR_OUTCOME_UNKNOWN);
}

static void an_earlier_answer_that_got_lost_changes_nothing(void **state)
{
    (void)state;
    start();
    struct pqr__conn *conn = run_plain();
    tell(conn, 0, "", false);
    tell(conn, 1, NULL, false);
    settled_as(conn, PQR__TX_IDLE, NULL);
    settle();
    assert_told(PQR_STATUS_OK, PQR_OUTCOME_EXECUTED, PQR_OUTCOME_EXECUTED);
    assert_int_equal(first.status, PQR_STATUS_LOST);
}

static void a_transaction_left_open_was_not_committed(void **state)
{
    (void)state;
    start();
    struct pqr__conn *conn = run_plain();
    tell(conn, 0, NULL, false);
    tell(conn, 1, NULL, false);
    settled_as(conn, PQR__TX_OPEN, NULL);
    settle();
    assert_told(PQR_STATUS_LOST, PQR_OUTCOME_UNKNOWN, PQR_OUTCOME_UNKNOWN);
    assert_int_equal(conn->phase, GONE);
}

static void lost_with_its_sync_it_is_unknown(void **state)
{
    (void)state;
    start();
    struct pqr__conn *conn = run_plain();
    tell(conn, 0, NULL, false);
    tell(conn, 1, NULL, false);
    lose(conn);
    settle();
    assert_told(PQR_STATUS_LOST, PQR_OUTCOME_UNKNOWN, PQR_OUTCOME_UNKNOWN);
}

static void never_sent_it_goes_again(void **state)
{
    (void)state;
    start();
    lose_after(run_plain(), false);
    settle();
    assert_int_equal(first.times + second.times + done.times, 0);
    struct pqr__conn *conn = flying_on(0, 0);
    assert_non_null(conn);
    assert_int_equal(conn->flight->n_items, 2);
}

/* A standby that did not confirm, perhaps: what comes with the last query may be about the commit. */
static void warnings_of_the_commit_are_told(void **state)
{
    pqr_notice notice = {.sqlstate = "01000", .severity = "WARNING", .text = "not replicated"};
    (void)state;
    start();
    struct pqr__conn *conn = run_plain();
    events.notice(conn->context, conn->flight, nth(conn, 0), &notice);
    tell(conn, 0, NULL, false);
    events.notice(conn->context, conn->flight, nth(conn, 1), &notice);
    tell(conn, 1, NULL, false);
    settled_as(conn, PQR__TX_IDLE, NULL);
    settle();
    assert_int_equal(first.notices, 1);
    assert_int_equal(second.notices, 1);
    assert_int_equal(done.notices, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(queries_alone_need_neither_begin_nor_commit),
        TEST(an_isolation_is_asked_for_by_begin),
        TEST(what_may_need_a_transaction_block_has_one),
        TEST(a_pooler_is_told_where_the_transaction_ends),
        TEST(reads_share_a_sync_on_a_replica),
        TEST(reads_have_a_sync_each_on_the_primary_in_one_round_trip),
        TEST(an_error_of_the_sync_is_that_of_the_commit),
        TEST(of_a_committed_batch_nothing_is_unknown),
        TEST(a_commit_that_answers_rollback_is_none),
        TEST(a_conflict_at_the_sync_runs_it_again),
        TEST(the_last_query_may_fail_like_any_other),
        TEST(a_sync_that_fails_without_sqlstate_is_unknown),
        TEST(a_stale_attempt_is_forgotten_by_the_next),
        TEST(a_last_answer_that_got_lost_is_unknown),
        TEST(an_earlier_answer_that_got_lost_changes_nothing),
        TEST(a_transaction_left_open_was_not_committed),
        TEST(lost_with_its_sync_it_is_unknown),
        TEST(never_sent_it_goes_again),
        TEST(warnings_of_the_commit_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
