/* Rows that are read in parts, on servers that do exactly what a test tells them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "fake_router.h"

#include "base/alloc.h"

/* A reader: what it was told at the end comes first, since that callback has the same data. */
struct reader {
    struct told told;
    unsigned parts, enough_at; /* 0: never */
    bool take;
    void (*then)(struct reader *reader);
    pqr_request_id id;
};

static int on_rows(pqr_reply *part, void *data)
{
    struct reader *reader = data;
    assert_int_equal(reader->told.times, 0);
    assert_int_equal(pqr_reply_status(part), PQR_STATUS_OK);
    assert_string_equal(pqr_reply_result(part)->tag, "part");
    assert_true(pqr_reply_times(part).total_us < 1000000);
    reader->parts++;
    if (reader->take)
        free(pqr_reply_take(part));
    if (reader->then)
        reader->then(reader);
    return reader->parts == reader->enough_at;
}

static void ask_query(struct reader *reader, pqr_query *query)
{
    query->timeout_ms = UINT32_MAX;
    query->rows = on_rows;
    assert_int_equal(pqr_query_run(&reader->id, fake.router, query, on_reply, reader), 0);
    settle();
}

static void ask(struct reader *reader, const char *sql, pqr_target target)
{
    pqr_query query = PQR_QUERY_INIT;
    query.sql = sql;
    query.target = target;
    ask_query(reader, &query);
}

static struct pqr__conn *read_on_replica(struct reader *reader)
{
    ask(reader, "select 1", PQR_TARGET_AUTO);
    return flying_on(1, 0) ? flying_on(1, 0) : flying_on(2, 0);
}

static void part(struct pqr__conn *conn)
{
    if (!conn)
        abort();
    events.part(conn->context, conn->flight, conn->flight->items, result_new("part"), -1);
}

static void expect(const struct reader *reader, pqr_status status, pqr_outcome outcome)
{
    assert_int_equal(reader->told.times, 1);
    assert_string_equal(pqr_status_name(reader->told.status), pqr_status_name(status));
    assert_string_equal(pqr_outcome_name(reader->told.outcome), pqr_outcome_name(outcome));
}

/* What the log callback asks for the loop comes to a moment later. */
static void none_is_shown_after_a_cancel_that_is_only_noted(void **state)
{
    struct reader reader = {0};
    (void)state;
    start();
    struct pqr__conn *conn = read_on_replica(&reader);
    pqr__request_find(fake.router, reader.id.value)->cancel_asked = true;
    part(conn);
    assert_int_equal(reader.parts, 0);
    answer(conn, "57014");
    settle();
    expect(&reader, PQR_STATUS_CANCELLED, PQR_OUTCOME_NOT_EXECUTED);
}

static void parts_come_before_the_reply(void **state)
{
    struct reader reader = {.take = true};
    (void)state;
    start();
    struct pqr__conn *conn = read_on_replica(&reader);
    assert_int_equal(conn->flight->items->rows_at_once, 100);
    for (unsigned i = 0; i < 5; i++) {
        part(conn);
        reader.take = false;
    }
    assert_int_equal(reader.parts, 5);
    assert_int_equal(reader.told.times, 0);
    answer(conn, NULL);
    settle();
    expect(&reader, PQR_STATUS_OK, PQR_OUTCOME_EXECUTED);
}

static void how_many_rows_is_the_callers_choice(void **state)
{
    static const uint32_t asked[] = {1, 65535, 65536, UINT32_MAX}, given[] = {1, 65535, 65535, 65535};
    (void)state;
    start();
    for (unsigned i = 0; i < 4; i++) {
        struct reader reader = {0};
        pqr_query query = PQR_QUERY_INIT;
        query.sql = "select 1";
        query.target = PQR_TARGET_PRIMARY;
        query.rows_at_once = asked[i];
        ask_query(&reader, &query);
        assert_int_equal(flying_on(0, 0)->flight->items->rows_at_once, given[i]);
        answer(flying_on(0, 0), NULL);
        settle();
    }
}

/* As long as nothing was shown it is a read like any other. */
static void a_read_that_showed_nothing_moves(void **state)
{
    struct reader reader = {0};
    (void)state;
    start();
    lose(read_on_replica(&reader));
    settle();
    struct pqr__conn *conn = flying_on(1, 0) ? flying_on(1, 0) : flying_on(2, 0);
    part(conn);
    answer(conn, NULL);
    settle();
    expect(&reader, PQR_STATUS_OK, PQR_OUTCOME_EXECUTED);
    assert_int_equal(reader.told.attempts, 2);
}

static void what_was_shown_stays_where_it_is(void **state)
{
    static const char *const sqlstates[] = {
        NULL, "40001", "42P01", "25006"}; /* the last is remembered of its text */
    (void)state;
    start();
    for (unsigned i = 0; i < sizeof(sqlstates) / sizeof(*sqlstates); i++) {
        struct reader reader = {0};
        struct pqr__conn *conn = read_on_replica(&reader);
        part(conn);
        if (sqlstates[i])
            answer(conn, sqlstates[i]);
        else
            lose(conn);
        settle();
        if (sqlstates[i])
            expect(&reader, PQR_STATUS_SQL_ERROR, PQR_OUTCOME_EXECUTED);
        else
            expect(&reader, PQR_STATUS_LOST, PQR_OUTCOME_UNKNOWN);
        assert_string_equal(reader.told.sqlstate, sqlstates[i] ? sqlstates[i] : "");
        assert_int_equal(reader.told.attempts, 1);
        advance(1000000);
        for (uint32_t server = 0; server < SERVERS; server++)
            assert_null(flying_on(server, 0));
    }
}

/* It is vouched for, and for rows that were shown that is not enough. */
static void nor_does_an_idempotent_write_move_then(void **state)
{
    struct reader reader = {0};
    pqr_query query = PQR_QUERY_INIT;
    (void)state;
    start();
    query.sql = "insert into t values (1) returning n";
    query.flags = PQR_IDEMPOTENT;
    ask_query(&reader, &query);
    part(flying_on(0, 0));
    lose(flying_on(0, 0));
    settle();
    expect(&reader, PQR_STATUS_LOST, PQR_OUTCOME_UNKNOWN);
}

static void who_has_enough_is_shown_no_more(void **state)
{
    struct reader reader = {.enough_at = 2};
    (void)state;
    start();
    struct pqr__conn *conn = read_on_replica(&reader);
    for (unsigned i = 0; i < 5; i++)
        part(conn);
    assert_int_equal(reader.parts, 2);
    answer(conn, "57014");
    settle();
    expect(&reader, PQR_STATUS_CANCELLED, PQR_OUTCOME_NOT_EXECUTED);
}

/* All of it had come, but not all was shown. */
static void an_end_that_was_faster_is_no_success(void **state)
{
    struct reader reader = {.enough_at = 2};
    (void)state;
    start();
    struct pqr__conn *conn = read_on_replica(&reader);
    for (unsigned i = 0; i < 3; i++)
        part(conn);
    answer(conn, NULL);
    settle();
    expect(&reader, PQR_STATUS_CANCELLED, PQR_OUTCOME_EXECUTED);

    reader = (struct reader){.enough_at = 2}; /* the second was the last */
    conn = read_on_replica(&reader);
    part(conn);
    part(conn);
    answer(conn, NULL);
    settle();
    expect(&reader, PQR_STATUS_OK, PQR_OUTCOME_EXECUTED);
}

static void cancel(struct reader *reader)
{
    assert_int_equal(pqr_request_cancel(fake.router, reader->id), 0);
}

static void close_router(struct reader *reader)
{
    (void)reader;
    pqr_router_close(fake.router, 0, on_closed, &closed);
}

static struct told another;

static void read_another(struct reader *reader)
{
    (void)reader;
    read_from_replica(&another);
    reader->then = NULL;
}

static void anything_may_be_called_inside_a_part(void **state)
{
    (void)state;
    start();
    struct reader reader = {.then = cancel, .enough_at = 1};
    struct pqr__conn *conn = read_on_replica(&reader);
    part(conn);
    part(conn);
    answer(conn, "57014");
    settle();
    expect(&reader, PQR_STATUS_CANCELLED, PQR_OUTCOME_NOT_EXECUTED);
    assert_int_equal(reader.parts, 1);

    reader = (struct reader){.then = read_another};
    conn = read_on_replica(&reader);
    part(conn);
    settle();
    answer(conn, NULL);
    settle();
    expect(&reader, PQR_STATUS_OK, PQR_OUTCOME_EXECUTED);
    answer(flying_on(1, 0) ? flying_on(1, 0) : flying_on(2, 0), NULL);
    settle();
    assert_int_equal(another.times, 1);

    reader = (struct reader){.then = close_router};
    conn = read_on_replica(&reader);
    part(conn);
    settle();
    part(conn);
    answer(conn, "57014");
    advance(1000000);
    expect(&reader, PQR_STATUS_CLOSED, PQR_OUTCOME_NOT_EXECUTED);
    assert_int_equal(reader.parts, 1);
    assert_true(closed);
}

static void it_has_a_connection_for_itself(void **state)
{
    struct reader reader = {0};
    static struct told told[20];
    (void)state;
    fake.config->reads.share_limit_us = 1000000;
    start();
    make_reads_fast(12);
    struct pqr__conn *conn = read_on_replica(&reader);
    const struct pqr__flight *flight = conn->flight;
    part(conn);
    for (unsigned i = 0; i < 20; i++)
        read_from_replica(&told[i]); /* of the same text; the fake takes one flight a connection */
    settle();
    assert_ptr_equal(conn->flight, flight);
    assert_int_equal(flight->n_items, 1);
    part(conn);
    answer(conn, NULL);
    settle();
    expect(&reader, PQR_STATUS_OK, PQR_OUTCOME_EXECUTED);
}

/* How long it takes is the caller's affair, and says nothing of its text. */
static void its_time_does_not_count_for_its_text(void **state)
{
    struct reader reader = {0};
    (void)state;
    start();
    make_reads_fast(12);
    struct pqr__conn *conn = read_on_replica(&reader);
    const struct pqr__history *history =
        &pqr__container_of(conn->flight, struct pqr_reply, flight)->known->history;
    uint64_t before_us = pqr__history_mean_us(history);
    part(conn);
    advance(60000000);
    answer(conn, NULL);
    settle();
    expect(&reader, PQR_STATUS_OK, PQR_OUTCOME_EXECUTED);
    assert_int_equal(pqr__history_mean_us(history), before_us);
}

static void where_there_can_be_no_parts_that_is_said(void **state)
{
    struct reader reader = {0};
    (void)state;
    start();
    ask(&reader, "select 1; select 2", PQR_TARGET_PRIMARY);
    expect(&reader, PQR_STATUS_SQL_ERROR, PQR_OUTCOME_NOT_EXECUTED);
    assert_string_equal(reader.told.sqlstate, "0A000");
    pqr_query query = PQR_QUERY_INIT;
    pqr_batch_query queries[] = {{.query = &query, .cb = on_reply}};
    query.sql = "select 1";
    query.rows = on_rows;
    assert_int_equal(pqr_batch_run(NULL, fake.router, NULL, queries, 1, on_reply, &reader.told), PQR_EINVAL);
}

/* Their struct ends before it: what lies behind is not looked at. */
static void programs_of_an_older_header_have_no_parts(void **state)
{
    static struct told told;
    (void)state;
    start();
    pqr_query query = PQR_QUERY_INIT;
    query.struct_size = offsetof(pqr_query, rows);
    query.sql = "select 1";
    query.target = PQR_TARGET_PRIMARY;
    query.rows = on_rows;
    query.rows_at_once = 7;
    assert_int_equal(pqr_query_run(NULL, fake.router, &query, on_reply, &told), 0);
    settle();
    assert_int_equal(flying_on(0, 0)->flight->items->rows_at_once, 0);
    answer(flying_on(0, 0), NULL);
    settle();
    assert_int_equal(told.times, 1);
}

static struct reader in_tx;

static void body(pqr_tx *tx, unsigned attempt, void *data)
{
    pqr_query query = PQR_QUERY_INIT;
    (void)attempt;
    (void)data;
    query.sql = "select 1";
    query.rows = on_rows;
    assert_int_equal(pqr_tx_query(tx, &query, on_reply, &in_tx), 0);
    assert_int_equal(pqr_tx_commit(tx), 0);
}

static void a_statement_of_a_transaction_may_have_parts(void **state)
{
    static struct told told;
    (void)state;
    start();
    in_tx = (struct reader){0};
    assert_int_equal(pqr_tx_run(NULL, fake.router, NULL, body, on_reply, &told), 0);
    settle();
    answer_in(flying_on(0, 0), NULL, "BEGIN", PQR__TX_OPEN);
    settle();
    part(flying_on(0, 0));
    part(flying_on(0, 0));
    answer_in(flying_on(0, 0), NULL, "SELECT 1", PQR__TX_OPEN);
    settle();
    expect(&in_tx, PQR_STATUS_OK, PQR_OUTCOME_EXECUTED);
    assert_int_equal(in_tx.parts, 2);
    answer_in(flying_on(0, 0), NULL, "COMMIT", PQR__TX_IDLE);
    settle();
    assert_int_equal(told.status, PQR_STATUS_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(none_is_shown_after_a_cancel_that_is_only_noted),
        TEST(parts_come_before_the_reply),
        TEST(how_many_rows_is_the_callers_choice),
        TEST(a_read_that_showed_nothing_moves),
        TEST(what_was_shown_stays_where_it_is),
        TEST(nor_does_an_idempotent_write_move_then),
        TEST(who_has_enough_is_shown_no_more),
        TEST(an_end_that_was_faster_is_no_success),
        TEST(anything_may_be_called_inside_a_part),
        TEST(it_has_a_connection_for_itself),
        TEST(its_time_does_not_count_for_its_text),
        TEST(where_there_can_be_no_parts_that_is_said),
        TEST(programs_of_an_older_header_have_no_parts),
        TEST(a_statement_of_a_transaction_may_have_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
