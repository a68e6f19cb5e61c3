/* How transactions end, whatever COMMIT, a statement that nobody recognises or a lost connection does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "fake_router.h"

static void commit_at_once(pqr_tx *tx, unsigned attempt, void *data)
{
    (void)attempt;
    (void)data;
    assert_int_equal(pqr_tx_commit(tx), 0);
}

/* Its first statement is in the air, or BEGIN alone where that does not go with it. */
static struct pqr__conn *run(pqr_tx_body body, struct told *told)
{
    *told = (struct told){0};
    assert_int_equal(pqr_tx_run(NULL, fake.router, NULL, body, on_reply, told), 0);
    settle();
    struct pqr__conn *conn = flying_on(0, 0);
    assert_non_null(conn);
    return conn;
}

static void run_in(pqr_tx *tx, const char *sql, struct told *told)
{
    pqr_query query = PQR_QUERY_INIT;
    query.sql = sql;
    *told = (struct told){0};
    assert_int_equal(pqr_tx_query(tx, &query, on_reply, told), 0);
}

static struct told written;

static void write_and_commit(pqr_tx *tx, unsigned attempt, void *data)
{
    run_in(tx, "insert into t values (1)", &written);
    commit_at_once(tx, attempt, data);
}

/* Its COMMIT is in the air. */
static struct pqr__conn *run_to_commit(struct told *told, const char *sqlstate)
{
    struct pqr__conn *conn = run(write_and_commit, told);
    answer_begun(conn, sqlstate, PQR__TX_OPEN);
    settle();
    return conn;
}

static void warnings_of_commit_are_told(void **state)
{
    static struct told told;
    (void)state;
    start();
    struct pqr__conn *conn = run_to_commit(&told, NULL);
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
    struct pqr__conn *conn = run_to_commit(&told, NULL);
    answer_in(conn, NULL, "ROLLBACK", PQR__TX_IDLE);
    settle();
    assert_int_equal(told.times, 1);
    assert_int_not_equal(told.status, PQR_STATUS_OK);
}

/* The first error was mended with a savepoint; only COMMIT's own error tells what became of COMMIT. */
static void a_commit_that_fails_without_sqlstate_is_unknown(void **state)
{
    static struct told told;
    (void)state;
    start();
    struct pqr__conn *conn = run_to_commit(&told, "23505");
    assert_int_equal(written.status, PQR_STATUS_SQL_ERROR);
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
    struct pqr__conn *conn = run_to_commit(&told, "23505");
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
    struct pqr__conn *conn = run_to_commit(&told, NULL);
    lose_after(conn, false);
    settle();
    assert_int_equal(told.times, 0);
    conn = flying_on(0, 0);
    answer_begun(conn, NULL, PQR__TX_OPEN);
    settle();
    lose(conn);
    settle();
    assert_int_equal(told.times, 1);
    assert_int_equal(told.status, PQR_STATUS_LOST);
    assert_int_equal(told.outcome, PQR_OUTCOME_UNKNOWN);
}

struct spy {
    struct told told; /* first */
    pqr_tx *tx;
    unsigned attempts;
    int status; /* of a statement that is asked for while the second attempt has not begun */
};

static void fail_once(pqr_tx *tx, unsigned attempt, void *data)
{
    struct spy *spy = data;
    spy->tx = tx;
    spy->attempts = attempt;
    write_and_commit(tx, attempt, NULL);
}

static void ask_when_it_goes_on(void *data, pqr_log_level level, const char *text)
{
    static struct told never;
    struct spy *spy = data;
    pqr_query query = PQR_QUERY_INIT;
    (void)level;
    query.sql = "select 1";
    if (spy->attempts == 1 && strstr(text, "waiting -> ready"))
        spy->status = pqr_tx_query(spy->tx, &query, on_reply, &never);
}

/* It knows of the first attempt only, and would be the second one's first statement. */
static void a_log_callback_adds_nothing_to_an_attempt_that_has_not_begun(void **state)
{
    static struct spy spy;
    (void)state;
    spy = (struct spy){.status = 1};
    start();
    fake.router->log.write = ask_when_it_goes_on;
    fake.router->log.data = &spy;
    fake.router->log.level = PQR_LOG_DEBUG;
    assert_int_equal(pqr_tx_run(NULL, fake.router, NULL, fail_once, on_reply, &spy), 0);
    settle();
    struct pqr__conn *conn = flying_on(0, 0);
    answer_begun(conn, "40001", PQR__TX_FAILED);
    answer_in(conn, NULL, "ROLLBACK", PQR__TX_IDLE);
    settle();
    assert_int_equal(spy.attempts, 2);
    assert_int_equal(spy.status, PQR_ECLOSED);
}

static struct told unknown;

static void run_what_is_not_recognised(pqr_tx *tx, unsigned attempt, void *data)
{
    (void)attempt;
    (void)data;
    run_in(tx, "conclude", &unknown);
}

static struct pqr__conn *run_what_waits_for_begin(struct told *told)
{
    struct pqr__conn *conn = run(run_what_is_not_recognised, told);
    answer_in(conn, NULL, "BEGIN", PQR__TX_OPEN);
    settle();
    return conn;
}

/* It may have been a COMMIT: in a language to come, or in an encoding whose texts are not read. */
static void a_transaction_that_is_lost_with_what_is_not_recognised_is_unknown(void **state)
{
    static struct told told;
    (void)state;
    start();
    struct pqr__conn *conn = run_what_waits_for_begin(&told);
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
    lose_after(run_what_waits_for_begin(&told), false);
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
    struct pqr__conn *conn = run_what_waits_for_begin(&told);
    answer_in(conn, NULL, "COMMIT", PQR__TX_OPEN);
    settle();
    assert_int_equal(told.times, 1);
    assert_int_equal(told.status, PQR_STATUS_LOST);
    assert_int_equal(told.outcome, PQR_OUTCOME_UNKNOWN);
    assert_int_equal(conn->phase, GONE);
}

static void run_batch_of_reads(pqr_isolation isolation)
{
    static struct told told;
    pqr_query query = PQR_QUERY_INIT;
    pqr_batch_options options = PQR_BATCH_OPTIONS_INIT;
    const pqr_batch_query one = {&query, NULL, NULL};
    query.sql = "select 1";
    options.isolation = isolation;
    assert_int_equal(pqr_batch_run(NULL, fake.router, &options, &one, 1, on_reply, &told), 0);
    settle();
}

/* A standby would refuse it, which would count as a read that it was given by mistake. */
static void a_serializable_batch_of_reads_goes_to_the_primary(void **state)
{
    (void)state;
    start();
    run_batch_of_reads(PQR_REPEATABLE_READ);
    assert_null(flying_on(0, 0));
    run_batch_of_reads(PQR_SERIALIZABLE);
    assert_non_null(flying_on(0, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(warnings_of_commit_are_told),
        TEST(commit_answered_with_rollback_is_not_ok),
        TEST(a_commit_that_fails_without_sqlstate_is_unknown),
        TEST(a_conflict_at_commit_runs_the_body_again),
        TEST(the_body_runs_again_when_commit_was_never_sent),
        TEST(a_log_callback_adds_nothing_to_an_attempt_that_has_not_begun),
        TEST(a_transaction_that_is_lost_with_what_is_not_recognised_is_unknown),
        TEST(a_transaction_whose_statement_was_never_sent_runs_again),
        TEST(a_statement_that_commits_unseen_ends_the_transaction),
        TEST(a_serializable_batch_of_reads_goes_to_the_primary),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
