/* How transactions begin: with their first statement, or not at all, and again where nobody has seen anything of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "fake_router.h"

static const char *const insert = "insert into t values (1)";

/* What the application does, and what it is told. */
static struct app {
    const char *sql[3]; /* of the body; NULL: no more */
    bool commits;
    pqr_tx *tx;
    unsigned bodies;
    struct told statements[4], done;
} app;

static void run_in_tx(const char *sql, uint32_t timeout_ms, struct told *told)
{
    pqr_query query = PQR_QUERY_INIT;
    query.sql = sql;
    query.timeout_ms = timeout_ms;
    *told = (struct told){0};
    assert_int_equal(pqr_tx_query(app.tx, &query, on_reply, told), 0);
}

static void body(pqr_tx *tx, unsigned attempt, void *data)
{
    (void)data;
    app.tx = tx;
    app.bodies++;
    assert_int_equal(attempt, app.bodies);
    for (unsigned i = 0; i < 3 && app.sql[i]; i++)
        run_in_tx(app.sql[i], 0, &app.statements[i]);
    if (app.commits)
        assert_int_equal(pqr_tx_commit(tx), 0);
}

static void run_with(pqr_request_id *id, const pqr_tx_options *options)
{
    app.bodies = 0;
    app.done = (struct told){0};
    assert_int_equal(pqr_tx_run(id, fake.router, options, body, on_reply, &app.done), 0);
    assert_int_equal(app.bodies, 0); /* never from inside the call */
    settle();
    assert_int_equal(app.bodies, 1);
}

/* Nothing but what is unseen is run again. */
static void run_once(const char *first, bool commits)
{
    pqr_tx_options options = PQR_TX_OPTIONS_INIT;
    options.max_attempts = 1;
    app = (struct app){.sql = {first}, .commits = commits};
    run_with(NULL, &options);
}

static struct pqr__conn *begins(uint32_t server)
{
    struct pqr__conn *conn = flying_on(server, 0);
    assert_non_null(conn);
    assert_int_equal(conn->flight->items->own, PQR__OWN_BEGIN);
    return conn;
}

static struct pqr__conn *begins_with(uint32_t server, const char *sql)
{
    struct pqr__conn *conn = begins(server);
    assert_int_equal(conn->flight->n_items, 2);
    assert_string_equal(conn->flight->items->next->sql, sql);
    assert_null(conn->flight->items->next->next);
    return conn;
}

static void expect(const struct told *told, pqr_status status, pqr_outcome outcome, const char *sqlstate)
{
    assert_int_equal(told->times, 1);
    assert_int_equal(told->status, status);
    assert_int_equal(told->outcome, outcome);
    assert_string_equal(told->sqlstate, sqlstate);
}

static void commit_it(struct pqr__conn *conn)
{
    answer_begun(conn, NULL, PQR__TX_OPEN);
    settle();
    answer_in(conn, NULL, "COMMIT", PQR__TX_IDLE);
    settle();
    expect(&app.statements[0], PQR_STATUS_OK, PQR_OUTCOME_EXECUTED, "");
    expect(&app.done, PQR_STATUS_OK, PQR_OUTCOME_EXECUTED, "");
    assert_int_equal(app.bodies, 1);
}

static void refuse_begin(struct pqr__conn *conn, const char *sqlstate)
{
    struct pqr__answer skipped = {.kind = PQR__ANSWER_ABORTED, .message = ""};
    item(conn, sqlstate, NULL);
    events.item(conn->context, conn->flight, conn->flight->items->next, &skipped);
    settled_as(conn, PQR__TX_IDLE, NULL);
    settle();
}

static void begin_goes_out_with_the_first_statement(void **state)
{
    (void)state;
    start();
    run_once(insert, true);
    commit_it(begins_with(0, insert));
    assert_int_equal(app.done.attempts, 1);
}

static void what_sends_nothing_is_over_at_once(void **state)
{
    (void)state;
    start();
    run_once(NULL, true);
    assert_null(flying_on(0, 0));
    expect(&app.done, PQR_STATUS_OK, PQR_OUTCOME_EXECUTED, "");
    assert_int_equal(app.done.attempts, 0);
    run_once(NULL, false);
    assert_int_equal(app.done.times, 0);
    assert_int_equal(pqr_tx_rollback(app.tx), 0);
    assert_int_equal(app.done.times, 0); /* never from inside the call */
    settle();
    assert_null(flying_on(0, 0));
    expect(&app.done, PQR_STATUS_OK, PQR_OUTCOME_EXECUTED, "");
    write_on_primary(&app.statements[0]); /* its connection is free */
    answer(flying_on(0, 0), NULL);
}

static void a_read_that_is_lost_with_begin_goes_elsewhere_unseen(void **state)
{
    (void)state;
    start();
    run_once("select 1", true);
    lose(begins_with(0, "select 1"));
    settle();
    assert_int_equal(app.statements[0].times, 0);
    commit_it(begins_with(0, "select 1"));
    assert_int_equal(app.statements[0].attempts, 2);
    assert_int_equal(app.done.attempts, 2);
}

/* What it did was rolled back, but a sequence keeps what was taken. */
static void a_write_that_is_lost_with_begin_is_told(void **state)
{
    static const char *const sql[] = {
        "insert into t values (nextval('s'))", "select 1 for update", "set work_mem = '1MB'"};
    static const pqr_outcome outcomes[] = {
        PQR_OUTCOME_NOT_EXECUTED, PQR_OUTCOME_NOT_EXECUTED, PQR_OUTCOME_UNKNOWN};
    (void)state;
    start();
    for (size_t i = 0; i < sizeof(sql) / sizeof(*sql); i++) {
        run_once(sql[i], true);
        lose(begins_with(0, sql[i]));
        settle();
        assert_null(flying_on(0, 0));
        expect(&app.statements[0], PQR_STATUS_LOST, outcomes[i], "");
        expect(&app.done, PQR_STATUS_LOST, PQR_OUTCOME_NOT_EXECUTED, "");
        assert_int_equal(app.bodies, 1);
    }
}

static void the_body_of_a_write_that_is_lost_with_begin_runs_again(void **state)
{
    pqr_tx_options options = PQR_TX_OPTIONS_INIT;
    (void)state;
    start();
    options.max_attempts = 2;
    app = (struct app){.sql = {insert}};
    run_with(NULL, &options);
    lose(begins_with(0, insert));
    settle();
    assert_int_equal(app.bodies, 2);
    assert_int_equal(app.statements[0].times, 0); /* of the second body */
    lose(begins_with(0, insert));
    settle();
    assert_int_equal(app.bodies, 2);
    expect(&app.statements[0], PQR_STATUS_LOST, PQR_OUTCOME_NOT_EXECUTED, "");
    expect(&app.done, PQR_STATUS_LOST, PQR_OUTCOME_NOT_EXECUTED, "");
}

static void a_write_that_is_vouched_for_goes_elsewhere_unseen(void **state)
{
    pqr_query query = PQR_QUERY_INIT;
    (void)state;
    start();
    run_once(NULL, false);
    query.sql = insert;
    query.flags = PQR_IDEMPOTENT;
    assert_int_equal(pqr_tx_query(app.tx, &query, on_reply, &app.statements[0]), 0);
    assert_int_equal(pqr_tx_commit(app.tx), 0);
    lose(begins_with(0, insert));
    settle();
    commit_it(begins_with(0, insert));
}

/* It may have died without a word, and only BEGIN can be sent again. */
static void a_write_waits_for_begin_on_a_connection_that_was_quiet(void **state)
{
    (void)state;
    start();
    run_once(NULL, false);
    advance(1000000);
    run_in_tx(insert, 0, &app.statements[0]);
    assert_int_equal(pqr_tx_commit(app.tx), 0);
    struct pqr__conn *conn = begins(0);
    assert_int_equal(conn->flight->n_items, 1);
    lose(conn);
    settle();
    conn = begins(0);
    if (conn->flight->n_items == 1) { /* as long without an answer */
        answer_in(conn, NULL, "BEGIN", PQR__TX_OPEN);
        settle();
        answer_in(conn, NULL, "INSERT 0 1", PQR__TX_OPEN);
    } else {
        answer_begun(conn, NULL, PQR__TX_OPEN);
    }
    settle();
    answer_in(conn, NULL, "COMMIT", PQR__TX_IDLE);
    settle();
    expect(&app.statements[0], PQR_STATUS_OK, PQR_OUTCOME_EXECUTED, "");
    expect(&app.done, PQR_STATUS_OK, PQR_OUTCOME_EXECUTED, "");
    assert_int_equal(app.bodies, 1);
}

static void a_read_does_not_wait_on_a_connection_that_was_quiet(void **state)
{
    (void)state;
    start();
    run_once(NULL, false);
    advance(1000000);
    run_in_tx("select 1", 0, &app.statements[0]);
    assert_int_equal(pqr_tx_commit(app.tx), 0);
    commit_it(begins_with(0, "select 1"));
}

static void what_was_not_even_sent_is_no_attempt(void **state)
{
    (void)state;
    start();
    run_once(insert, true);
    for (int i = 0; i < 10; i++) { /* more often than request.max_retries */
        lose_after(begins_with(0, insert), false);
        settle();
    }
    commit_it(begins_with(0, insert));
    assert_int_equal(app.statements[0].attempts, 1);
    assert_int_equal(app.done.attempts, 1);
}

static void it_begins_again_no_more_often_than_a_read_moves(void **state)
{
    (void)state;
    start();
    run_once("select 1", true);
    for (uint32_t i = 0; i <= fake.config->request.max_retries; i++) {
        assert_int_equal(app.done.times, 0);
        lose(begins_with(0, "select 1"));
        settle();
    }
    assert_null(flying_on(0, 0));
    expect(&app.statements[0], PQR_STATUS_LOST, PQR_OUTCOME_NOT_EXECUTED, "");
    expect(&app.done, PQR_STATUS_LOST, PQR_OUTCOME_NOT_EXECUTED, "");
    assert_int_equal(app.bodies, 1);
}

static void what_was_shown_is_not_begun_again(void **state)
{
    (void)state;
    start();
    run_once(insert, false);
    struct pqr__conn *conn = begins_with(0, insert);
    answer_begun(conn, NULL, PQR__TX_OPEN);
    settle();
    run_in_tx("select 1", 0, &app.statements[1]);
    lose(conn);
    settle();
    assert_null(flying_on(0, 0));
    expect(&app.statements[1], PQR_STATUS_LOST, PQR_OUTCOME_NOT_EXECUTED, "");
    expect(&app.done, PQR_STATUS_LOST, PQR_OUTCOME_NOT_EXECUTED, "");
}

static void the_error_of_begin_is_the_first_statements(void **state)
{
    (void)state;
    start();
    run_once(insert, true);
    refuse_begin(begins_with(0, insert), "22023");
    expect(&app.statements[0], PQR_STATUS_SQL_ERROR, PQR_OUTCOME_NOT_EXECUTED, "22023");
    expect(&app.done, PQR_STATUS_SQL_ERROR, PQR_OUTCOME_NOT_EXECUTED, "22023");
    unsigned open = count_open(0);
    write_on_primary(&app.statements[0]); /* there is nothing the matter with the connection */
    assert_int_equal(count_open(0), open);
    answer(flying_on(0, 0), NULL);
}

/* As poolers do that have no server, or no transactions. */
static void the_error_that_ends_the_session_with_begin_is_told(void **state)
{
    (void)state;
    start();
    run_once("select 1", true);
    for (uint32_t i = 0; i <= fake.config->request.max_retries; i++) {
        struct pqr__conn *conn = begins_with(0, "select 1");
        item(conn, "08P01", NULL);
        lose(conn);
        settle();
    }
    expect(&app.statements[0], PQR_STATUS_LOST, PQR_OUTCOME_NOT_EXECUTED, "08P01");
    expect(&app.done, PQR_STATUS_LOST, PQR_OUTCOME_NOT_EXECUTED, "08P01");
}

static void the_error_that_ends_the_session_with_begin_and_a_write_is_told_at_once(void **state)
{
    pqr_tx_options options = PQR_TX_OPTIONS_INIT;
    (void)state;
    start();
    options.max_attempts = 2;
    app = (struct app){.sql = {insert}, .commits = true};
    run_with(NULL, &options);
    for (unsigned i = 1; i <= 2; i++) {
        struct pqr__conn *conn = begins_with(0, insert);
        assert_int_equal(app.bodies, i);
        item(conn, "08P01", NULL);
        lose(conn);
        settle();
    }
    expect(&app.statements[0], PQR_STATUS_LOST, PQR_OUTCOME_NOT_EXECUTED, "08P01");
    expect(&app.done, PQR_STATUS_LOST, PQR_OUTCOME_NOT_EXECUTED, "08P01");
    assert_int_equal(app.bodies, 2);
}

static void what_a_standby_does_not_begin_the_primary_does(void **state)
{
    pqr_tx_options options = PQR_TX_OPTIONS_INIT;
    (void)state;
    start();
    options.isolation = PQR_SERIALIZABLE;
    options.read_only = true;
    options.target = PQR_TARGET_REPLICA;
    app = (struct app){.sql = {"select 1"}, .commits = true};
    run_with(NULL, &options);
    refuse_begin(begins_with(flying_on(1, 0) ? 1 : 2, "select 1"), "0A000");
    commit_it(begins_with(0, "select 1"));
}

/* But not its probe's. */
static void lose_pool(uint32_t server)
{
    for (uint32_t i = 0; i < fake.n_conns; i++)
        if (fake.conns[i].phase == OPEN && fake.conns[i].server == server && !is_probe(&fake.conns[i]))
            lose(&fake.conns[i]);
}

static void what_may_not_be_sent_twice_waits_for_begin(void **state)
{
    static const char *const sql[] = {"conclude", "call f()", "do 'begin end'", "select 1; select 2"};
    (void)state;
    start();
    for (size_t i = 0; i < sizeof(sql) / sizeof(*sql); i++) {
        run_once(sql[i], false);
        struct pqr__conn *conn = begins(0);
        assert_int_equal(conn->flight->n_items, 1);
        answer_in(conn, NULL, "BEGIN", PQR__TX_OPEN);
        settle();
        assert_string_equal(conn->flight->items->sql, sql[i]);
        lose(conn);
        settle();
        assert_int_equal(app.statements[0].attempts, 1);
        assert_int_equal(app.done.times, 1);
    }
}

static void begin_alone_may_be_lost_too(void **state)
{
    (void)state;
    start();
    run_once("call f()", false);
    lose(begins(0));
    settle();
    answer_in(begins(0), "22023", NULL, PQR__TX_IDLE);
    settle();
    expect(&app.statements[0], PQR_STATUS_SQL_ERROR, PQR_OUTCOME_NOT_EXECUTED, "");
    expect(&app.done, PQR_STATUS_SQL_ERROR, PQR_OUTCOME_NOT_EXECUTED, "22023");
}

static void a_connection_that_is_lost_unused_is_replaced_unseen(void **state)
{
    (void)state;
    start();
    run_once(NULL, false);
    lose_pool(0);
    run_in_tx(insert, 0, &app.statements[0]); /* while it waits for another */
    settle();
    struct pqr__conn *conn = begins_with(0, insert);
    assert_int_equal(pqr_tx_commit(app.tx), 0);
    commit_it(conn);
}

static void a_connection_that_is_lost_before_the_body_ran_is_replaced(void **state)
{
    (void)state;
    start();
    write_on_primary(&app.statements[0]);
    answer(flying_on(0, 0), NULL);
    settle();
    app = (struct app){.sql = {"select 1"}, .commits = true};
    assert_int_equal(pqr_tx_run(NULL, fake.router, NULL, body, on_reply, &app.done), 0);
    lose_pool(0);
    settle();
    commit_it(begins_with(0, "select 1"));
}

static void one_that_waits_for_another_connection_ends_with_its_statements(void **state)
{
    pqr_tx_options options = PQR_TX_OPTIONS_INIT;
    pqr_request_id id;
    (void)state;
    start();
    options.timeout_ms = 60000;
    for (int by_cancel = 0; by_cancel < 2; by_cancel++) {
        fake.connects[0] = ACCEPTED;
        app = (struct app){.sql = {insert, insert}, .commits = true};
        run_with(&id, &options);
        fake.connects[0] = HANGING;
        lose_after(begins_with(0, insert), false);
        settle();
        assert_int_equal(app.done.times, 0);
        if (by_cancel)
            assert_int_equal(pqr_request_cancel(fake.router, id), 0);
        advance(by_cancel ? 0 : 60000000);
        pqr_status status = by_cancel ? PQR_STATUS_CANCELLED : PQR_STATUS_TIMEOUT;
        for (int i = 0; i < 2; i++)
            expect(&app.statements[i], status, PQR_OUTCOME_NOT_EXECUTED, "");
        expect(&app.done, status, PQR_OUTCOME_NOT_EXECUTED, "");
    }
}

static void one_that_sent_nothing_is_cancelled_at_once(void **state)
{
    pqr_request_id id;
    (void)state;
    start();
    app = (struct app){0};
    run_with(&id, NULL);
    assert_int_equal(pqr_request_cancel(fake.router, id), 0);
    settle();
    expect(&app.done, PQR_STATUS_CANCELLED, PQR_OUTCOME_NOT_EXECUTED, "");
    assert_null(flying_on(0, 0));
}

static void one_that_never_sends_anything_is_idle(void **state)
{
    (void)state;
    start();
    run_once(NULL, false);
    advance(fake.config->transaction.idle_timeout_us);
    expect(&app.done, PQR_STATUS_TIMEOUT, PQR_OUTCOME_NOT_EXECUTED, "");
    assert_null(flying_on(0, 0));
}

/* Its time is over: it is not begun again. */
static void a_first_statement_that_is_late_is_told_so(void **state)
{
    (void)state;
    start();
    run_once(NULL, false);
    run_in_tx(insert, 100, &app.statements[0]);
    begins_with(0, insert);
    advance(100000 + fake.config->request.cancel_grace_us + 100000);
    expect(&app.statements[0], PQR_STATUS_TIMEOUT, PQR_OUTCOME_NOT_EXECUTED, "");
    expect(&app.done, PQR_STATUS_LOST, PQR_OUTCOME_NOT_EXECUTED, "");
}

/* As it would have failed it in the air: the next must not be committed without it. */
static void a_first_statement_that_ends_while_it_waits_ends_all(void **state)
{
    (void)state;
    start();
    run_once(NULL, false);
    run_in_tx(insert, 100, &app.statements[0]);
    run_in_tx(insert, 0, &app.statements[1]);
    assert_int_equal(pqr_tx_commit(app.tx), 0);
    fake.connects[0] = HANGING;
    lose_after(begins_with(0, insert), false);
    advance(100000);
    for (int i = 0; i < 2; i++)
        expect(&app.statements[i], PQR_STATUS_TIMEOUT, PQR_OUTCOME_NOT_EXECUTED, "");
    expect(&app.done, PQR_STATUS_TIMEOUT, PQR_OUTCOME_NOT_EXECUTED, "");
}

static void a_first_statement_that_ends_while_it_waits_for_begin_ends_all(void **state)
{
    (void)state;
    start();
    run_once(NULL, false);
    advance(1000000);
    run_in_tx(insert, 100, &app.statements[0]);
    run_in_tx("select 1", 0, &app.statements[1]);
    assert_int_equal(pqr_tx_commit(app.tx), 0);
    struct pqr__conn *conn = begins(0);
    advance(101000);
    expect(&app.statements[0], PQR_STATUS_TIMEOUT, PQR_OUTCOME_NOT_EXECUTED, "");
    assert_int_equal(app.done.times, 0);
    lose(conn);
    settle();
    assert_null(flying_on(0, 0));
    expect(&app.statements[1], PQR_STATUS_LOST, PQR_OUTCOME_NOT_EXECUTED, "");
    expect(&app.done, PQR_STATUS_TIMEOUT, PQR_OUTCOME_NOT_EXECUTED, "");
}

/* What it waits for is ended too, and nothing is committed without it. */
static void a_statement_that_ends_while_it_waits_ends_all(void **state)
{
    (void)state;
    start();
    run_once(insert, false);
    struct pqr__conn *conn = begins_with(0, insert);
    answer_begun(conn, NULL, PQR__TX_OPEN);
    settle();
    run_in_tx("select 1", 0, &app.statements[1]);
    run_in_tx(insert, 100, &app.statements[2]);
    assert_int_equal(pqr_tx_commit(app.tx), 0);
    advance(101000);
    expect(&app.statements[2], PQR_STATUS_TIMEOUT, PQR_OUTCOME_NOT_EXECUTED, "");
    answer_in(conn, "57014", NULL, PQR__TX_FAILED);
    settle();
    assert_int_equal(conn->flight->items->own, PQR__OWN_ROLLBACK);
    answer_in(conn, NULL, "ROLLBACK", PQR__TX_IDLE);
    settle();
    expect(&app.done, PQR_STATUS_TIMEOUT, PQR_OUTCOME_NOT_EXECUTED, "57014");
}

/* By its cancel, which came before it: nothing of the transaction ran. */
static void a_cancel_that_meets_begin_ends_all(void **state)
{
    (void)state;
    start();
    run_once(NULL, false);
    run_in_tx(insert, 100, &app.statements[0]);
    struct pqr__conn *conn = begins_with(0, insert);
    advance(101000);
    refuse_begin(conn, "57014");
    expect(&app.statements[0], PQR_STATUS_TIMEOUT, PQR_OUTCOME_NOT_EXECUTED, "57014");
    expect(&app.done, PQR_STATUS_SQL_ERROR, PQR_OUTCOME_NOT_EXECUTED, "57014");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(begin_goes_out_with_the_first_statement),
        TEST(what_sends_nothing_is_over_at_once),
        TEST(a_read_that_is_lost_with_begin_goes_elsewhere_unseen),
        TEST(a_write_that_is_lost_with_begin_is_told),
        TEST(the_body_of_a_write_that_is_lost_with_begin_runs_again),
        TEST(a_write_that_is_vouched_for_goes_elsewhere_unseen),
        TEST(a_write_waits_for_begin_on_a_connection_that_was_quiet),
        TEST(a_read_does_not_wait_on_a_connection_that_was_quiet),
        TEST(what_was_not_even_sent_is_no_attempt),
        TEST(it_begins_again_no_more_often_than_a_read_moves),
        TEST(what_was_shown_is_not_begun_again),
        TEST(the_error_of_begin_is_the_first_statements),
        TEST(the_error_that_ends_the_session_with_begin_is_told),
        TEST(the_error_that_ends_the_session_with_begin_and_a_write_is_told_at_once),
        TEST(what_a_standby_does_not_begin_the_primary_does),
        TEST(what_may_not_be_sent_twice_waits_for_begin),
        TEST(begin_alone_may_be_lost_too),
        TEST(a_connection_that_is_lost_unused_is_replaced_unseen),
        TEST(a_connection_that_is_lost_before_the_body_ran_is_replaced),
        TEST(one_that_waits_for_another_connection_ends_with_its_statements),
        TEST(one_that_sent_nothing_is_cancelled_at_once),
        TEST(one_that_never_sends_anything_is_idle),
        TEST(a_first_statement_that_is_late_is_told_so),
        TEST(a_first_statement_that_ends_while_it_waits_ends_all),
        TEST(a_first_statement_that_ends_while_it_waits_for_begin_ends_all),
        TEST(a_statement_that_ends_while_it_waits_ends_all),
        TEST(a_cancel_that_meets_begin_ends_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
