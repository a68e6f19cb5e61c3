/* The transport against a server that misbehaves: replies cut, dripped, out of step, without end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fake_server.h"
#include "rig.h"

static struct fake_server server;
static struct rig rig;
static struct party party;

static void begin(fake_serve serve, const void *data)
{
    fake_server_start(&server, serve, data);
    rig_open(&rig, server.conninfo, NULL);
}

static void end(void)
{
    fake_server_stop(&server);
    rig_close(&rig);
}

/* One statement to a server whose answer is this; what became of it is in party. */
static void ask(fake_serve serve, const void *data, bool simple)
{
    begin(serve, data);
    party_join(&party, &rig);
    assert_true(party.connected);
    if (simple)
        party_run_simple(&party, "select");
    else
        party_run(&party, "select");
}

static void done(void)
{
    if (!party.closed)
        party_leave(&party);
    end();
}

/* --- A reply in pieces --- */

static void whole_reply(struct fake_bytes *bytes)
{
    bytes->length = 0;
    fake_report(bytes, 'N', "NOTICE", "01000", "something");
    fake_row(bytes, "42");
    fake_ready(bytes, 'I');
}

static void drip(int fd, const void *data)
{
    (void)data;
    struct fake_bytes bytes;
    if (!fake_log_in(fd) || !fake_await(fd, 'S'))
        return;
    whole_reply(&bytes);
    for (size_t i = 0; i < bytes.length; i++) {
        fake_write(fd, bytes.at + i, 1);
        usleep(200); /* so that the bytes mostly come one by one; the answer is the same when they do not */
    }
    fake_linger(fd);
}

static void a_reply_may_drip(void **state)
{
    (void)state;
    ask(drip, NULL, false);
    assert_string_equal(party.log, "cnis");
    assert_string_equal(party.answers[0].value, "42");
    done();
}

/* The nth connection gets n bytes of the reply. */
static void cut(int fd, const void *data)
{
    (void)data;
    static size_t n;
    struct fake_bytes bytes;
    whole_reply(&bytes);
    if (!fake_log_in(fd) || !fake_await(fd, 'S'))
        return;
    fake_write(fd, bytes.at, n < bytes.length ? n : bytes.length);
    n++;
}

static void a_reply_cut_anywhere_is_no_answer(void **state)
{
    (void)state;
    struct fake_bytes bytes;
    whole_reply(&bytes);
    begin(cut, NULL);
    for (size_t n = 0; n <= bytes.length; n++) {
        party_join(&party, &rig);
        assert_true(party.connected);
        party_run(&party, "select");
        bool whole = n == bytes.length;
        assert_int_equal(party.facts.lost, !whole);
        assert_int_equal(party.n_answers, whole);
        assert_true(party.facts.sent);
        rig_until(&rig, &party.closed);
    }
    end();
}

static void cut_welcome(int fd, const void *data)
{
    (void)data;
    static size_t n;
    struct fake_bytes bytes = {.length = 0};
    fake_welcome(&bytes);
    if (!fake_await_startup(fd))
        return;
    fake_write(fd, bytes.at, n < bytes.length ? n : bytes.length);
    if (n++ >= bytes.length)
        fake_linger(fd);
}

static void a_welcome_cut_anywhere_is_a_refusal(void **state)
{
    (void)state;
    struct fake_bytes bytes = {.length = 0};
    fake_welcome(&bytes);
    begin(cut_welcome, NULL);
    for (size_t n = 0; n <= bytes.length; n++) {
        party_join(&party, &rig);
        assert_int_equal(party.connected, n == bytes.length);
    }
    party_leave(&party);
    end();
}

/* --- Out of step --- */

static void say(int fd, const void *data)
{
    const struct fake_bytes *bytes = data;
    if (fake_log_in(fd) && fake_await(fd, 'S') && fake_write(fd, bytes->at, bytes->length))
        fake_linger(fd);
}

static void expect_lost(const struct fake_bytes *bytes)
{
    ask(say, bytes, false);
    assert_true(party.facts.lost);
    assert_true(party.facts.sent);
    assert_int_equal(party.n_answers, 0);
    rig_until(&rig, &party.closed);
    end();
}

static void two_results_for_one_statement_are_out_of_step(void **state)
{
    (void)state;
    struct fake_bytes bytes = {.length = 0};
    fake_row(&bytes, "1");
    fake_row(&bytes, "2");
    fake_ready(&bytes, 'I');
    expect_lost(&bytes); /* not even the first is told */
    assert_non_null(strstr(party.message, "out of step"));
}

static void a_sync_without_an_answer_is_out_of_step(void **state)
{
    (void)state;
    struct fake_bytes bytes = {.length = 0};
    fake_ready(&bytes, 'I');
    expect_lost(&bytes);
}

static void a_message_nobody_knows_is_out_of_step(void **state)
{
    (void)state;
    struct fake_bytes bytes = {.length = 0};
    fake_message(&bytes, '?', "what", 4);
    fake_ready(&bytes, 'I');
    expect_lost(&bytes);
}

static void a_length_that_cannot_be_is_out_of_step(void **state)
{
    (void)state;
    struct fake_bytes bytes = {.length = 0};
    fake_message(&bytes, 'C', "", 0);
    memset(bytes.at + 1, 0, 4);
    expect_lost(&bytes);
}

static void an_answer_nobody_asked_for_ends_the_connection(void **state)
{
    (void)state;
    struct fake_bytes bytes = {.length = 0};
    fake_row(&bytes, "42");
    fake_ready(&bytes, 'I');
    fake_row(&bytes, "somebody else's");
    fake_ready(&bytes, 'I');
    ask(say, &bytes, false);
    assert_string_equal(party.answers[0].value, "42");
    assert_false(party.facts.lost);
    rig_until(&rig, &party.closed);
    assert_string_equal(party.log, "cisz");
    end();
}

/* Together with the welcome, or at some moment after it. */
static void answer_unasked(int fd, const void *data)
{
    (void)data;
    struct fake_bytes bytes = {.length = 0};
    fake_row(&bytes, "stale");
    fake_ready(&bytes, 'I');
    if (!fake_log_in(fd))
        return;
    fake_write(fd, bytes.at, bytes.length); /* before anything was asked */
    fake_linger(fd);
}

static void an_idle_connection_that_answers_is_closed(void **state)
{
    (void)state;
    begin(answer_unasked, NULL);
    party_join(&party, &rig);
    rig_until(&rig, &party.closed);
    assert_string_equal(party.log, party.connected ? "cz" : "rz");
    end();
}

/* --- Errors without SQLSTATE --- */

static void an_error_without_sqlstate_is_a_loss(void **state)
{
    (void)state;
    struct fake_bytes bytes = {.length = 0};
    fake_report(&bytes, 'E', "ERROR", NULL, "out of something");
    fake_ready(&bytes, 'I');
    expect_lost(&bytes);
    assert_string_equal(party.message, "out of something");
    assert_string_equal(party.sqlstate, "");
}

static void a_row_of_too_many_fields_is_a_loss(void **state)
{
    (void)state;
    struct fake_bytes bytes = {.length = 0};
    fake_row(&bytes, "1");
    bytes.length -= sizeof("SELECT 1") + 5 + 1 + 4 + 7; /* without DataRow */
    fake_message(&bytes, 'D', "\0\2\0\0\0\0011\0\0\0\0012", 12);
    FAKE_MESSAGE(&bytes, 'C', "SELECT 1");
    fake_ready(&bytes, 'I');
    expect_lost(&bytes);
}

static void refuse_early(int fd, const void *data)
{
    (void)data;
    struct fake_bytes bytes = {.length = 0};
    fake_report(&bytes, 'E', "FATAL", NULL, "no");
    if (fake_await_startup(fd))
        fake_write(fd, bytes.at, bytes.length);
}

static void a_refusal_needs_no_sqlstate(void **state)
{
    (void)state;
    begin(refuse_early, NULL);
    party_join(&party, &rig);
    assert_true(party.refused);
    assert_string_equal(party.sqlstate, "");
    end();
}

/* --- Without end --- */

static void endless(int fd, const void *data)
{
    struct fake_bytes bytes = {.length = 0};
    struct fake_bytes row = {.length = 0};
    char text[1000];
    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    if (!fake_log_in(fd) || !fake_await(fd, 'S'))
        return;
    switch (*(const char *)data) {
    case 'r': /* rows */
        fake_row(&bytes, "1");
        bytes.length -= sizeof("SELECT 1") + 5; /* without CommandComplete */
        fake_message(&row, 'D', "\0\1\0\0\0\4xxxx", 10);
        break;
    case 'n': /* notices */
        fake_report(&row, 'N', "NOTICE", "00000", text);
        break;
    case 'p': /* one parameter, again and again */
        FAKE_MESSAGE(&row, 'S', "TimeZone\0UTC");
        break;
    case 'v': /* one value */
        fake_row(&bytes, "1");
        bytes.length -= sizeof("SELECT 1") + 5 + 1 + 4 + 7; /* without DataRow */
        fake_write(fd, bytes.at, bytes.length);
        bytes.length = 0;
        fake_write(fd, "D\4\0\0\0\0\1\3\0\0\0", 11); /* of 50 MB */
        memcpy(row.at, text, row.length = sizeof(text));
        break;
    }
    fake_write(fd, bytes.at, bytes.length);
    while (fake_write(fd, row.at, row.length)) {}
}

static void an_endless_reply_ends_at_the_limit(void **state)
{
    (void)state;
    for (const char *what = "rnpv"; *what; what++) {
        begin(endless, what);
        rig.config->request.max_result_bytes = 1000000;
        party_join(&party, &rig);
        party_run(&party, "select");
        assert_true(party.facts.lost);
        if (*what !=
            'v') /* libpq may read one message to its end before we see any of it, and stumble then */
            assert_non_null(strstr(party.message, "request.max_result"));
        rig_until(&rig, &party.closed);
        end();
    }
}

static void babble(int fd, const void *data)
{
    (void)data;
    struct fake_bytes bytes = {.length = 0};
    if (!fake_log_in(fd))
        return;
    for (unsigned i = 0;; i++) {
        char parameter[40];
        int length = snprintf(parameter, sizeof(parameter), "p%u%cv", i, '\0');
        bytes.length = 0;
        fake_message(&bytes, 'S', parameter, (size_t)length + 1);
        if (!fake_write(fd, bytes.at, bytes.length))
            return;
    }
}

static void an_idle_connection_that_babbles_is_closed(void **state)
{
    (void)state;
    begin(babble, NULL);
    party_join(&party, &rig);
    rig_until(&rig, &party.closed);
    end();
}

static void put_parameter(struct fake_bytes *bytes, unsigned number)
{
    char parameter[3900];
    int length = snprintf(parameter, sizeof(parameter), "p%u%c%03500u", number, '\0', number);
    bytes->length = 0;
    fake_message(bytes, 'S', parameter, (size_t)length + 1);
}

static bool report_parameters(int fd, unsigned from, unsigned n)
{
    struct fake_bytes bytes = {.length = 0};
    for (unsigned i = from; i < from + n; i++) {
        put_parameter(&bytes, i);
        if (!fake_write(fd, bytes.at, bytes.length))
            return false;
    }
    return true;
}

static void babble_while_a_session_begins(int fd, const void *data)
{
    (void)data;
    if (fake_await_startup(fd) && fake_write(fd, "R\0\0\0\10\0\0\0\0", 9))
        for (unsigned i = 0; report_parameters(fd, i, 1); i++) {}
}

/* It would go on until the connect timeout, and libpq keeps all of it. */
static void a_welcome_without_end_is_a_refusal(void **state)
{
    (void)state;
    begin(babble_while_a_session_begins, NULL);
    party_connect(&party, &rig, 3600 * RIG_SECOND);
    party_refused(&party);
    assert_false(party.timeout);
    assert_non_null(strstr(party.message, "too much"));
    end();
}

static void report_much_with_a_reply(int fd, const void *data)
{
    struct fake_bytes bytes = {.length = 0};
    unsigned n = *(const unsigned *)data;
    if (!fake_log_in(fd))
        return;
    for (unsigned from = 0; fake_await(fd, 'S') && report_parameters(fd, from, n); from += n) {
        bytes.length = 0;
        fake_row(&bytes, "42");
        fake_ready(&bytes, 'I');
        if (!fake_write(fd, bytes.at, bytes.length))
            return;
    }
}

/* Less than request.max_result, but libpq keeps it when the result is long gone. */
static void a_connection_whose_server_reports_much_is_not_kept(void **state)
{
    static const unsigned few = 50, many = 1000;
    (void)state;
    ask(report_much_with_a_reply, &few, false);
    assert_string_equal(party.answers[0].value, "42");
    assert_false(party.facts.swollen);
    done();
    ask(report_much_with_a_reply, &many, false);
    assert_string_equal(party.answers[0].value, "42");
    assert_true(party.facts.swollen);
    done();
}

/* Rows without end, and where data says so a parameter of a new name beside each, which libpq keeps. */
static void rows_without_end(int fd, const void *data)
{
    struct fake_bytes bytes = {.length = 0};
    if (!fake_log_in(fd) || !fake_await(fd, 'S'))
        return;
    fake_row(&bytes, "1");
    bytes.length -= sizeof("SELECT 1") + 5;
    bool open = fake_write(fd, bytes.at, bytes.length);
    for (unsigned i = 0; open && (!*(const bool *)data || report_parameters(fd, i, 1)); i++) {
        bytes.length = 0;
        fake_message(&bytes, 'D', "\0\1\0\0\0\4xxxx", 10);
        open = fake_write(fd, bytes.at, bytes.length);
    }
}

static void ask_for_parts(bool parameters, unsigned close_at)
{
    begin(rows_without_end, &parameters);
    rig.config->request.max_result_bytes = 1000000;
    party_join(&party, &rig);
    party.close_at_part = close_at;
    party.items[0] = (struct pqr__item){.sql = "select", .rows_at_once = 1};
    party_send_items(&party, 1);
    rig_until(&rig, &party.closed);
    assert_true(party.facts.lost);
    end();
}

/* Rows that have been given up are no burden, whatever else comes with them is. */
static void of_rows_in_parts_what_is_kept_counts(void **state)
{
    enum { ROWS = 120000, KEPT_A_ROW = 3500 };
    (void)state;
    ask_for_parts(false, ROWS);
    assert_int_equal(party.n_parts, ROWS);
    ask_for_parts(true, ROWS);
    assert_non_null(strstr(party.message, "request.max_result"));
    assert_in_range(party.n_parts, 1, 2 * 1000000 / KEPT_A_ROW);
}

/* --- Silence --- */

static void take_nothing(int fd, const void *data)
{
    (void)data;
    if (fake_log_in(fd))
        pause();
}

static void a_server_that_reads_nothing_does_not_block_a_close(void **state)
{
    (void)state;
    enum { SIZE = 30000000 };
    begin(take_nothing, NULL);
    party_join(&party, &rig);
    char *text = malloc(SIZE);
    assert_non_null(text);
    memset(text, 'x', SIZE - 1);
    text[SIZE - 1] = '\0';
    const char *sql = text;
    party_send(&party, PQR__FLIGHT_PIPELINE, 1, &sql);
    for (int i = 0; i < 3; i++)
        uv_run(&rig.loop, UV_RUN_NOWAIT);
    party_leave(&party);
    assert_string_equal(party.log, "cLz");
    assert_true(party.facts.sent);
    free(text);
    end();
}

/* The fake server takes one connection at a time: the cancel's is never answered. */
static void a_stuck_cancel_holds_nobody_up(void **state)
{
    (void)state;
    const char *sql = "select";
    begin(take_nothing, NULL);
    party_join(&party, &rig);
    party_send(&party, PQR__FLIGHT_PIPELINE, 1, &sql);
    assert_int_equal(rig.transport->ops->cancel(party.conn), 0);
    uv_run(&rig.loop, UV_RUN_NOWAIT);
    party_leave(&party);
    assert_string_equal(party.log, "cLz");
    rig_close(&rig);
    fake_server_stop(&server); /* lets the thread go */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reply_may_drip),
        cmocka_unit_test(a_reply_cut_anywhere_is_no_answer),
        cmocka_unit_test(a_welcome_cut_anywhere_is_a_refusal),
        cmocka_unit_test(two_results_for_one_statement_are_out_of_step),
        cmocka_unit_test(a_sync_without_an_answer_is_out_of_step),
        cmocka_unit_test(a_message_nobody_knows_is_out_of_step),
        cmocka_unit_test(a_length_that_cannot_be_is_out_of_step),
        cmocka_unit_test(an_answer_nobody_asked_for_ends_the_connection),
        cmocka_unit_test(an_idle_connection_that_answers_is_closed),
        cmocka_unit_test(an_error_without_sqlstate_is_a_loss),
        cmocka_unit_test(a_row_of_too_many_fields_is_a_loss),
        cmocka_unit_test(a_refusal_needs_no_sqlstate),
        cmocka_unit_test(an_endless_reply_ends_at_the_limit),
        cmocka_unit_test(an_idle_connection_that_babbles_is_closed),
        cmocka_unit_test(a_welcome_without_end_is_a_refusal),
        cmocka_unit_test(a_connection_whose_server_reports_much_is_not_kept),
        cmocka_unit_test(of_rows_in_parts_what_is_kept_counts),
        cmocka_unit_test(a_server_that_reads_nothing_does_not_block_a_close),
        cmocka_unit_test(a_stuck_cancel_holds_nobody_up),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    rig_end();
    return failed;
}
