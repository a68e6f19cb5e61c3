/* Rows in parts, by the transport alone: with libpq 17 and later several a part, before that one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "postgres/newer.h"
#include "rigged.h"

static bool chunks(void)
{
#if PQR__HAVE_NEWER
    return PQsetChunkedRowsMode != NULL;
#else
    return false;
#endif
}

static void run(uint64_t statement, const char *sql, uint16_t rows_at_once)
{
    unsigned settled = party.settled;
    party.items[0] = (struct pqr__item){.statement = statement, .sql = sql, .rows_at_once = rows_at_once};
    party_send_items(&party, 1);
    rig_until_count(&rig, &party.settled, settled + 1);
}

static void assert_parts(unsigned parts, int rows)
{
    assert_int_equal(party.n_parts, chunks() ? parts : (unsigned)rows);
    assert_int_equal(party.part_rows, rows);
}

static void assert_answered(const char *sqlstate)
{
    assert_int_equal(party.n_answers, 1);
    assert_string_equal(party.answers[0].sqlstate, sqlstate);
    assert_int_equal(party.answers[0].kind, *sqlstate ? PQR__ANSWER_ERROR : PQR__ANSWER_OK);
    assert_string_equal(party.answers[0].value, "NULL"); /* no row is left */
}

static void the_number_for_chunks_is_that_of_the_library(void **state)
{
    (void)state;
    assert_string_equal(
        PQresStatus(PQR__TUPLES_CHUNK), chunks() ? "PGRES_TUPLES_CHUNK" : "invalid ExecStatusType code");
}

static void rows_come_in_parts_and_the_answer_without_any(void **state)
{
    (void)state;
    run(0, "select generate_series(1, 1000)", 100);
    assert_parts(10, 1000);
    assert_int_equal(party.largest_part, chunks() ? 100 : 1);
    assert_string_equal(party.last_part, "1000");
    assert_answered("");
    run(0, "select generate_series(1, 1001)", 100);
    assert_parts(11, 1001);
    assert_string_equal(party.last_part, "1001");
    assert_answered("");
}

/* libpq gives the tag to the last part when that is not full. */
static void the_count_of_rows_is_told_by_the_last_part_or_by_the_answer(void **state)
{
    (void)state;
    static const int n_rows[] = {1000, 1001, 5};
    for (size_t i = 0; i < 3; i++) {
        char sql[60], tag[32];
        snprintf(sql, sizeof(sql), "select generate_series(1, %d)", n_rows[i]);
        snprintf(tag, sizeof(tag), "SELECT %d", n_rows[i]);
        run(0, sql, 100);
        if (party.affected < 0)
            assert_string_equal(party.answers[0].tag, tag);
        else
            assert_int_equal(party.affected, n_rows[i]);
    }
}

static void what_has_no_rows_has_no_parts(void **state)
{
    (void)state;
    run(0, "select 1 where false", 10);
    assert_parts(0, 0);
    assert_answered("");
    assert_string_equal(party.answers[0].tag, "SELECT 0");
    run(0, "create temporary table kept (n int)", 10);
    assert_parts(0, 0);
    assert_answered("");
    run(0, "insert into kept select generate_series(1, 5)", 10);
    assert_parts(0, 0);
    assert_string_equal(party.answers[0].tag, "INSERT 0 5");
    run(0, "insert into kept select generate_series(1, 5) returning n", 2);
    assert_parts(3, 5);
    run(0, "select x from nowhere", 10);
    assert_parts(0, 0);
    assert_answered("42P01");
}

/* What is prepared first has results of its own before them. */
static void a_statement_that_is_prepared_has_parts_then_and_later(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        run(7, "select generate_series(1, 50)", 10);
        assert_parts(5, 50);
        assert_answered("");
    }
    rig.config->statements.max_prepared = 1;
    run(8, "select x from nowhere", 10);
    assert_parts(0, 0);
    assert_answered("42P01");
    run(9, "select generate_series(1, 50)", 10);
    assert_parts(5, 50);
}

static void only_the_one_that_asked_has_parts(void **state)
{
    (void)state;
    run(0, "select generate_series(1, 50)", 10);
    party_run(&party, "select generate_series(1, 50)");
    assert_int_equal(party.n_parts, chunks() ? 5 : 50);
    assert_string_equal(party.answers[0].value, "1");
    party_run_simple(&party, "select 2; select 3");
    assert_string_equal(party.answers[0].value, "3");
    run(0, "select generate_series(1, 50)", 7);
    assert_parts(8, 50);
}

static void an_error_follows_the_parts_before_it(void **state)
{
    (void)state;
    run(0, "select 1 / (5000 - n) from generate_series(1, 100000) n", 100);
    assert_answered("22012");
    assert_false(party.facts.lost);
    assert_int_equal(party.part_rows, chunks() ? 4900 : 4999); /* a chunk that is not full goes with it */
    run(0, "select generate_series(1, 50)", 10);
    assert_parts(5, 50);
}

static void a_part_counts_for_max_result_and_not_the_whole(void **state)
{
    (void)state;
    rig.config->request.max_result_bytes = 100000;
    run(0, "select repeat('x', 1000) from generate_series(1, 10000)", 20);
    assert_int_equal(party.part_rows, 10000);
    assert_answered("");
    run(0, "select repeat('x', 200000) from generate_series(1, 10000)", 20);
    assert_true(party.facts.lost);
    assert_int_equal(party.part_rows, 0);
    assert_string_equal(party.sqlstate, PQR__SQLSTATE_CUT_OFF);
    assert_non_null(strstr(party.message, "a part of the result is larger than request.max_result"));
    rig_until(&rig, &party.closed);
}

/* 60 MB, and no more than a hundred kilobytes of them at a time: what is counted wrong in a part must not add up. */
static void read_much(void)
{
    rig.config->request.max_result_bytes = 100000;
    run(0, "select repeat('x', 1000) from generate_series(1, 60000)", 10);
    assert_string_equal(party.message, "");
    assert_int_equal(party.part_rows, 60000);
    assert_answered("");
}

static void what_is_held_is_known_over_a_unix_socket_too(void **state)
{
    char conninfo[200];
    (void)state;
    snprintf(conninfo, sizeof(conninfo), "host=%s port=%d user=postgres dbname=app", cluster.sockets,
        cluster_port(&cluster, 0));
    rigged_rejoin(conninfo);
    read_much();
}

static void what_is_held_is_known_with_tls_too(void **state)
{
    (void)state;
    rigged_rejoin_with_tls("");
    read_much();
}

static void a_connection_may_be_closed_inside_a_part(void **state)
{
    (void)state;
    party.close_at_part = 3;
    run(0, "select generate_series(1, 100000)", 10);
    assert_int_equal(party.n_parts, 3);
    assert_int_equal(party.n_answers, 0);
    assert_true(party.facts.lost && party.facts.sent);
    rig_until(&rig, &party.closed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_number_for_chunks_is_that_of_the_library),
        RIGGED(rows_come_in_parts_and_the_answer_without_any),
        RIGGED(the_count_of_rows_is_told_by_the_last_part_or_by_the_answer),
        RIGGED(what_has_no_rows_has_no_parts),
        RIGGED(a_statement_that_is_prepared_has_parts_then_and_later),
        RIGGED(only_the_one_that_asked_has_parts),
        RIGGED(an_error_follows_the_parts_before_it),
        RIGGED(a_part_counts_for_max_result_and_not_the_whole),
        RIGGED(what_is_held_is_known_over_a_unix_socket_too),
        RIGGED(what_is_held_is_known_with_tls_too),
        RIGGED(a_connection_may_be_closed_inside_a_part),
    };
    return RIGGED_RUN(tests, NULL);
}
