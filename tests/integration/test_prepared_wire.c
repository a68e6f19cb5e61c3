/* What a statement that is to be prepared gets from a server that is none: each way of being out of step is a loss. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake_server.h"
#include "rig.h"

static struct rig rig;
static struct party party;
static struct fake_server server;

static void reply(struct fake_bytes *bytes)
{
    bytes->length = 0;
    fake_row(bytes, "42");
    fake_ready(bytes, 'I');
}

static void serve(int fd, const void *data)
{
    const struct fake_bytes *bytes = data;
    if (fake_log_in(fd) && fake_await(fd, 'S') && fake_write(fd, bytes->at, bytes->length))
        fake_linger(fd);
}

static void run(void)
{
    unsigned settled = party.settled;
    party.items[0] = (struct pqr__item){.statement = 1, .sql = "select 42"};
    party_send_items(&party, 1);
    rig_until_count(&rig, &party.settled, settled + 1);
}

/* A statement to be prepared, to a server that answers so. */
static void ask(fake_serve how, const struct fake_bytes *bytes)
{
    fake_server_start(&server, how, bytes);
    rig_open(&rig, server.conninfo, NULL);
    party_join(&party, &rig);
    assert_true(party.connected);
    run();
}

static void end(void)
{
    if (!party.closed)
        party_leave(&party);
    fake_server_stop(&server);
    rig_close(&rig);
}

static void expect_lost(const struct fake_bytes *bytes)
{
    ask(serve, bytes);
    assert_true(party.facts.lost);
    assert_int_equal(party.n_answers, 0);
    rig_until(&rig, &party.closed);
    end();
}

static void the_usual_reply_is_understood(void **state)
{
    (void)state;
    struct fake_bytes bytes;
    reply(&bytes);
    ask(serve, &bytes);
    assert_int_equal(party.n_answers, 1);
    assert_string_equal(party.answers[0].value, "42");
    end();
}

/* The nth connection gets n bytes of the reply. */
static void cut(int fd, const void *data)
{
    const struct fake_bytes *bytes = data;
    static size_t n;
    if (!fake_log_in(fd) || !fake_await(fd, 'S'))
        return;
    fake_write(fd, bytes->at, n < bytes->length ? n : bytes->length);
    n++;
}

static void a_reply_cut_anywhere_is_no_answer(void **state)
{
    (void)state;
    struct fake_bytes bytes;
    reply(&bytes);
    fake_server_start(&server, cut, &bytes);
    rig_open(&rig, server.conninfo, NULL);
    for (size_t n = 0; n <= bytes.length; n++) {
        party_join(&party, &rig);
        assert_true(party.connected);
        run();
        assert_int_equal(party.facts.lost, n < bytes.length);
        assert_int_equal(party.n_answers, n == bytes.length);
        rig_until(&rig, &party.closed);
    }
    end();
}

static void rows_for_a_parse_are_out_of_step(void **state)
{
    (void)state;
    enum { PARSE_COMPLETE = 5 };
    struct fake_bytes whole, bytes;
    reply(&whole);
    bytes.length = whole.length - PARSE_COMPLETE;
    memcpy(bytes.at, whole.at + PARSE_COMPLETE, bytes.length);
    expect_lost(&bytes);
}

static void a_sync_after_the_parse_is_out_of_step(void **state)
{
    (void)state;
    struct fake_bytes bytes = {.length = 0};
    fake_message(&bytes, '1', "", 0);
    fake_ready(&bytes, 'I');
    expect_lost(&bytes);
}

static void a_parse_error_without_sqlstate_is_a_loss(void **state)
{
    (void)state;
    struct fake_bytes bytes = {.length = 0};
    fake_report(&bytes, 'E', "ERROR", NULL, "out of something");
    fake_ready(&bytes, 'I');
    expect_lost(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_usual_reply_is_understood),
        cmocka_unit_test(a_reply_cut_anywhere_is_no_answer),
        cmocka_unit_test(rows_for_a_parse_are_out_of_step),
        cmocka_unit_test(a_sync_after_the_parse_is_out_of_step),
        cmocka_unit_test(a_parse_error_without_sqlstate_is_a_loss),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    rig_end();
    return failed;
}
