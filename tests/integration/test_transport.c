/* The transport against a real server: what it tells about statements, errors, losses and closes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/wheel.h"
#include "packets.h"
#include "postgres/conn.h"
#include "rigged.h"

static const char tables[] =
    "create table parent (id int primary key); grant all on parent to app;"
    "create table child (id int references parent deferrable initially deferred); grant all on child to app";

static void terminate(const struct party *victim)
{
    char sql[80];
    snprintf(sql, sizeof(sql), "select pg_terminate_backend(%u)", victim->info.backend_pid);
    cluster_exec(&cluster, 0, sql);
    snprintf(
        sql, sizeof(sql), "select count(*) from pg_stat_activity where pid = %u", victim->info.backend_pid);
    while (strcmp(cluster_exec(&cluster, 0, sql), "0") != 0) {}
}

static void a_connection_tells_what_it_is_connected_to(void **state)
{
    (void)state;
    assert_true(party.info.server_version >= 140000);
    assert_true(party.info.standard_conforming_strings);
    assert_true(party.info.encoding_ascii_safe);
    assert_false(party.info.in_recovery);
    party_run(&party, "select pg_backend_pid()");
    assert_int_equal(strtoul(party.answers[0].value, NULL, 10), party.info.backend_pid);
}

static void a_statement_is_answered_then_settled(void **state)
{
    (void)state;
    party_run(&party, "select 6 * 7");
    assert_string_equal(party.log, "cis");
    assert_int_equal(party.answers[0].kind, PQR__ANSWER_OK);
    assert_string_equal(party.answers[0].value, "42");
    assert_string_equal(party.answers[0].tag, "SELECT 1");
    assert_false(party.facts.lost);
    assert_true(party.facts.sent);
    assert_int_equal(party.facts.tx, PQR__TX_IDLE);
    assert_string_equal(party.facts.message, "");
}

static void nothing_comes_from_inside_send(void **state)
{
    (void)state;
    const char *sql = "select 1";
    party_send(&party, PQR__FLIGHT_PIPELINE, 1, &sql);
    assert_string_equal(party.log, "c");
    rig_until_count(&rig, &party.settled, 1);
}

static void flights_of_one_turn_share_packets(void **state)
{
    (void)state;
    uint32_t before, after;
    if (!packets_sent(party.conn->fd, &before))
        return; /* nor are they kept together there */
    for (unsigned i = 0; i < PARTY_ANSWERS; i++) {
        party.items[i] = (struct pqr__item){.sql = "select 42"};
        party.row[i] =
            (struct pqr__flight){.kind = PQR__FLIGHT_PIPELINE, .n_items = 1, .items = &party.items[i]};
        rig.transport->ops->send(party.conn, &party.row[i]);
    }
    rig_until_count(&rig, &party.settled, PARTY_ANSWERS);
    assert_false(party.facts.lost);
    assert_string_equal(party.answers[PARTY_ANSWERS - 1].value, "42");
    assert_true(packets_sent(party.conn->fd, &after));
    assert_in_range(after - before, 1, PARTY_ANSWERS / 2);
}

static void an_error_is_an_answer(void **state)
{
    (void)state;
    party_run(&party, "select 1 / 0");
    assert_int_equal(party.answers[0].kind, PQR__ANSWER_ERROR);
    assert_string_equal(party.answers[0].sqlstate, "22012");
    assert_string_equal(party.answers[0].message, "division by zero");
    assert_false(party.facts.lost);
    assert_int_equal(party.facts.tx, PQR__TX_IDLE);
    party_run(&party, "select 2");
    assert_string_equal(party.answers[0].value, "2");
}

static void an_error_at_the_sync_takes_the_answers_place(void **state)
{
    (void)state;
    party_run(&party, "insert into child values (1)");
    assert_int_equal(party.n_answers, 1);
    assert_int_equal(party.answers[0].kind, PQR__ANSWER_ERROR);
    assert_string_equal(party.answers[0].sqlstate, "23503");
    assert_true(party.answers[0].at_sync);
    assert_false(party.facts.lost);
    party_run(&party, "select count(*) from child");
    assert_string_equal(party.answers[0].value, "0");
}

static void items_after_a_failed_one_are_aborted(void **state)
{
    (void)state;
    const char *sql[] = {"select 1", "select 1 / 0", "select 3", "select 4"};
    party_send(&party, PQR__FLIGHT_PIPELINE, 4, sql);
    rig_until_count(&rig, &party.settled, 1);
    assert_int_equal(party.n_answers, 4);
    assert_int_equal(party.answers[0].kind, PQR__ANSWER_OK);
    assert_int_equal(party.answers[1].kind, PQR__ANSWER_ERROR);
    assert_int_equal(party.answers[2].kind, PQR__ANSWER_ABORTED);
    assert_int_equal(party.answers[3].kind, PQR__ANSWER_ABORTED);
    party_run(&party, "select 5");
    assert_string_equal(party.answers[0].value, "5");
}

static void an_error_at_the_sync_belongs_to_the_last_item(void **state)
{
    (void)state;
    const char *sql[] = {"insert into child values (1)", "select 1"};
    party_send(&party, PQR__FLIGHT_PIPELINE, 2, sql);
    rig_until_count(&rig, &party.settled, 1);
    assert_int_equal(party.n_answers, 2);
    assert_int_equal(party.answers[0].kind, PQR__ANSWER_OK);
    assert_int_equal(party.answers[1].kind, PQR__ANSWER_ERROR);
    assert_string_equal(party.answers[1].sqlstate, "23503");
    assert_true(party.answers[1].at_sync);
    sql[0] = "select 2";
    sql[1] = "select 1 / 0"; /* as an error of its own does not */
    party_send(&party, PQR__FLIGHT_PIPELINE, 2, sql);
    rig_until_count(&rig, &party.settled, 2);
    assert_string_equal(party.answers[1].sqlstate, "22012");
    assert_false(party.answers[1].at_sync);
}

static void an_empty_statement_is_fine(void **state)
{
    (void)state;
    party_run(&party, "");
    assert_int_equal(party.answers[0].kind, PQR__ANSWER_OK);
    party_run_simple(&party, "");
    assert_int_equal(party.answers[0].kind, PQR__ANSWER_OK);
}

static void transaction_status_is_told(void **state)
{
    (void)state;
    party_run(&party, "begin");
    assert_int_equal(party.facts.tx, PQR__TX_OPEN);
    party_run(&party, "select 1 / 0");
    assert_int_equal(party.facts.tx, PQR__TX_FAILED);
    party_run(&party, "rollback");
    assert_int_equal(party.facts.tx, PQR__TX_IDLE);
    party_run_simple(&party, "begin; select 1");
    assert_int_equal(party.facts.tx, PQR__TX_OPEN);
    party_run(&party, "commit");
    assert_string_equal(party.answers[0].tag, "COMMIT");
    assert_int_equal(party.facts.tx, PQR__TX_IDLE);
}

static void simple_flights_take_several_statements(void **state)
{
    (void)state;
    party_run_simple(&party, "select 1; select 2; select 3");
    assert_int_equal(party.n_answers, 1);
    assert_string_equal(party.answers[0].value, "3");
    party_run_simple(&party, "select 1; select 1 / 0; select 3");
    assert_int_equal(party.n_answers, 1);
    assert_string_equal(party.answers[0].sqlstate, "22012");
    party_run(&party, "select 4");
    assert_string_equal(party.answers[0].value, "4");
}

static void several_statements_are_refused_in_a_pipeline(void **state)
{
    (void)state;
    party_run(&party, "select 1; select 2");
    assert_string_equal(party.answers[0].sqlstate, "42601");
    assert_false(party.facts.lost);
}

/* Pipeline flights fly together, a simple one alone; answers come in the order of sending. */
static void flights_follow_one_another(void **state)
{
    (void)state;
    static struct pqr__item items[] = {
        {.sql = "select 1"}, {.sql = "select 2 / 0"}, {.sql = "select 3; select 33"}, {.sql = "select 4"}};
    for (unsigned i = 0; i < 4; i++) {
        party.row[i] = (struct pqr__flight){
            .kind = i == 2 ? PQR__FLIGHT_SIMPLE : PQR__FLIGHT_PIPELINE, .n_items = 1, .items = &items[i]};
        rig.transport->ops->send(party.conn, &party.row[i]);
    }
    rig_until_count(&rig, &party.settled, 4);
    assert_string_equal(party.log, "cisisisis");
    assert_string_equal(party.answers[0].value, "1");
    assert_string_equal(party.answers[1].sqlstate, "22012");
    assert_string_equal(party.answers[2].value, "33");
    assert_string_equal(party.answers[3].value, "4");
    assert_int_equal(party.facts.tx, PQR__TX_IDLE);
}

static void flights_that_were_not_sent_say_so(void **state)
{
    (void)state;
    static struct pqr__item items[] = {
        {.sql = "select pg_terminate_backend(pg_backend_pid()), pg_sleep(10)"}, {.sql = "select 1"}};
    for (unsigned i = 0; i < 2; i++) {
        party.row[i] = (struct pqr__flight){.kind = PQR__FLIGHT_SIMPLE, .n_items = 1, .items = &items[i]};
        rig.transport->ops->send(party.conn, &party.row[i]);
    }
    rig_until(&rig, &party.closed);
    assert_string_equal(party.log, "cLLz");
    assert_true(party.row[0].sent);
    assert_false(party.row[1].sent);
    assert_false(party.facts.sent);
}

static void ten_megabytes_go_there_and_back(void **state)
{
    (void)state;
    enum { SIZE = 10 * 1000 * 1000 };
    char *text = malloc(SIZE + 1);
    assert_non_null(text);
    memset(text, 'x', SIZE);
    text[SIZE] = '\0';
    const char *sql = "select length($1::text) || $1::text";
    const char *values[] = {text};
    /* The server answers while there is more to send: neither may wait for the other. */
    for (int i = 0; i < 3; i++)
        party.items[i] = (struct pqr__item){
            .sql = sql, .n_params = 1, .param_values = values, .next = i < 2 ? &party.items[i + 1] : NULL};
    party.flight = (struct pqr__flight){.kind = PQR__FLIGHT_PIPELINE, .n_items = 3, .items = party.items};
    rig.transport->ops->send(party.conn, &party.flight);
    rig_until_count(&rig, &party.settled, 1);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(party.answers[i].kind, PQR__ANSWER_OK);
        assert_memory_equal(party.answers[i].value, "10000000xxxx", 12);
    }
    free(text);
}

static void notices_come_with_their_flight(void **state)
{
    (void)state;
    party_run(&party, "do $$begin raise warning 'mind %', 'the gap'; end$$");
    assert_string_equal(party.log, "cnis");
    assert_true(party.notice_in_flight);
    assert_string_equal(party.notice.severity, "WARNING");
    assert_string_equal(party.notice.sqlstate, "01000");
    assert_string_equal(party.notice.text, "mind the gap");
}

static void notices_come_with_their_item(void **state)
{
    (void)state;
    const char *const middle[] = {"select 1", "do $$begin raise warning 'mind the gap'; end$$", "select 3"};
    party_send(&party, PQR__FLIGHT_PIPELINE, 3, middle);
    rig_until_count(&rig, &party.settled, 1);
    assert_string_equal(party.log, "ciniis");
    assert_ptr_equal(party.notice_item, &party.items[1]);
    /* At the Sync every item has ended: what a deferred trigger says is the last one's. */
    party_run_simple(&party,
        "create temp table late (id int); create function pg_temp.late() returns trigger language plpgsql as "
        "$$begin raise warning 'late'; return null; end$$; create constraint trigger late after insert on "
        "late "
        "deferrable initially deferred for each row execute function pg_temp.late()");
    const char *const late[] = {"insert into late values (1)", "select 2"};
    party_send(&party, PQR__FLIGHT_PIPELINE, 2, late);
    rig_until_count(&rig, &party.settled, 3);
    assert_string_equal(party.notice.text, "late");
    assert_ptr_equal(party.notice_item, &party.items[1]);
}

/* libpq reports it to the notice receiver of the connection the result came from. */
static void a_result_asked_for_too_much_disturbs_nobody(void **state)
{
    (void)state;
    party.keep = true;
    party_run(&party, "select 1");
    assert_non_null(party.result);
    assert_null(PQgetvalue(party.result, 5, 5));
    party_run(&party, "select 2");
    assert_string_equal(party.log, "cisis");
    party_leave(&party);
    assert_null(PQgetvalue(party.result, 5, 5));
    PQclear(party.result);
}

static void closing_from_inside_a_notice_is_fine(void **state)
{
    (void)state;
    party.close_on_notice = true;
    party_run(&party, "do $$begin raise notice '1'; raise notice '2'; end$$");
    assert_true(party.facts.lost);
    assert_true(party.facts.sent);
    rig_until(&rig, &party.closed);
    assert_string_equal(party.log, "cnLz");
}

static void closing_from_inside_an_answer_is_fine(void **state)
{
    (void)state;
    party.close_on_item = true;
    party_run(&party, "select 1");
    assert_false(party.facts.lost);
    rig_until(&rig, &party.closed);
    assert_string_equal(party.log, "cisz");
}

static void the_end_of_an_idle_connection_is_told(void **state)
{
    (void)state;
    terminate(&party);
    rig_until(&rig, &party.closed);
    assert_string_equal(party.log, "cnz");
    assert_string_equal(party.notice.sqlstate, "57P01");
    assert_false(party.notice_in_flight);
}

static void a_flight_given_to_a_dead_connection_was_not_sent(void **state)
{
    (void)state;
    terminate(&party);
    party_run(&party, "select 1");
    assert_true(party.facts.lost);
    assert_false(party.facts.sent);
    assert_string_equal(party.sqlstate, "57P01");
    rig_until(&rig, &party.closed);
    assert_string_equal(party.log, "cnLz");
}

static void a_connection_that_dies_in_flight_is_lost(void **state)
{
    (void)state;
    const char *sql = "select pg_terminate_backend(pg_backend_pid()), pg_sleep(10)";
    for (int simple = 0; simple < 2; simple++) {
        party_send(&party, simple ? PQR__FLIGHT_SIMPLE : PQR__FLIGHT_PIPELINE, 1, &sql);
        rig_until(&rig, &party.closed);
        assert_string_equal(party.log, "cLz");
        assert_int_equal(party.n_answers, 0);
        assert_true(party.facts.lost);
        assert_true(party.facts.sent);
        assert_string_equal(party.sqlstate, "57P01");
        assert_string_equal(party.message, "terminating connection due to administrator command");
        party_join(&party, &rig);
    }
}

static void copy_ends_the_connection(void **state)
{
    (void)state;
    static const char *const sql[] = {"copy parent to stdout", "copy parent from stdin"};
    for (int i = 0; i < 4; i++) {
        party_send(&party, i & 1 ? PQR__FLIGHT_SIMPLE : PQR__FLIGHT_PIPELINE, 1, &sql[i / 2]);
        rig_until(&rig, &party.closed);
        assert_string_equal(party.log, "cLz");
        assert_non_null(strstr(party.message, "COPY"));
        party_join(&party, &rig);
    }
}

/* Half of the limit is fine. */
static void expect_the_end_beyond(uint64_t limit_bytes)
{
    char sql[100];
    rig.config->request.max_result_bytes = limit_bytes;
    snprintf(sql, sizeof(sql), "select repeat('x', 1000) from generate_series(1, %u)",
        (unsigned)(limit_bytes / 2000));
    party_run(&party, sql);
    assert_false(party.facts.lost);
    party_run(&party, "select repeat('x', 1000) from generate_series(1, 100000)");
    assert_true(party.facts.lost);
    assert_non_null(strstr(party.message, "request.max_result"));
    rig_until(&rig, &party.closed);
}

static void a_result_beyond_the_limit_ends_the_connection(void **state)
{
    (void)state;
    expect_the_end_beyond(1000000);
}

static void a_result_beyond_the_limit_is_seen_on_a_unix_socket(void **state)
{
    (void)state;
    party_leave(&party);
    rig_close(&rig);
    char conninfo[160];
    snprintf(conninfo, sizeof(conninfo), "host=%s port=%d user=postgres dbname=app", cluster.sockets,
        cluster_port(&cluster, 0));
    rig_open(&rig, conninfo, NULL);
    party_join(&party, &rig);
    assert_true(party.connected);
    expect_the_end_beyond(2000000);
}

static void rejoin(const char *options)
{
    char conninfo[240];
    if (!party.closed)
        party_leave(&party);
    rig_close(&rig);
    snprintf(conninfo, sizeof(conninfo), "%s %s", cluster_conninfo(&cluster, 0), options);
    rig_open(&rig, conninfo, NULL);
    party_join(&party, &rig);
}

static void a_server_looks_for_clients_that_are_gone(void **state)
{
    (void)state;
    static const char *const options[] = {"", "options='-c work_mem=1MB'",
        "options='-c client_connection_check_interval=0'",
        "options=--client-connection-check-interval=2500ms"};
    static const char *const told[] = {"500ms", "500ms", "0", "2500ms"};
    for (int i = 0; i < 4; i++) {
        rejoin(options[i]);
        party_run(&party, "show client_connection_check_interval");
        assert_string_equal(party.answers[0].value, told[i]);
    }
}

static void a_statement_that_nobody_waits_for_is_ended_by_the_server(void **state)
{
    (void)state;
    const char *sql =
        "do $$begin loop begin perform pg_sleep(0.05); exception when query_canceled then null; "
        "end; end loop; end$$";
    party_send(&party, PQR__FLIGHT_PIPELINE, 1, &sql);
    rig.transport->ops->close(party.conn);
    rig_until(&rig, &party.closed);
    char count[80];
    snprintf(
        count, sizeof(count), "select count(*) from pg_stat_activity where pid = %u", party.info.backend_pid);
    assert_string_equal(cluster_exec(&cluster, 0, count), "0");
}

/* Its session runs something. */
static bool is_active(void)
{
    char sql[120];
    snprintf(sql, sizeof(sql), "select count(*) from pg_stat_activity where pid = %u and state = 'active'",
        party.info.backend_pid);
    return strcmp(cluster_exec(&cluster, 0, sql), "1") == 0;
}

static void close_while_active(const char *endless)
{
    party_send(&party, PQR__FLIGHT_PIPELINE, 1, &endless);
    while (!is_active())
        uv_run(&rig.loop, UV_RUN_NOWAIT);
    rig.transport->ops->close(party.conn);
    rig_until(&rig, &party.ended);
}

/* Its session goes on until it is terminated: libpq's good-bye does not end a statement. */
static void close_while_it_runs(void)
{
    close_while_active("do $$begin loop perform pg_sleep(0.05); end loop; end$$");
    assert_true(is_active());
    assert_false(party.closed);
    terminate(&party);
    rig_until(&rig, &party.closed);
}

/* It sends until nobody takes it. */
static void close_while_it_sends(void)
{
    close_while_active("select repeat('x', 100000), generate_series(1, 1000000000)");
    rig_until(&rig, &party.closed);
    assert_false(is_active());
}

static void a_session_that_goes_on_is_waited_for(void **state)
{
    (void)state;
    rejoin("options='-c client_connection_check_interval=0'");
    close_while_it_runs();
    assert_string_equal(party.log, "cLz");
    rejoin("options='-c client_connection_check_interval=0'");
    close_while_it_sends();
    assert_string_equal(party.log, "cLz");
}

static void tls_is_no_different(void **state)
{
    (void)state;
    rigged_rejoin_with_tls("options='-c client_connection_check_interval=0'");
    party_run(&party, "select ssl from pg_stat_ssl where pid = pg_backend_pid()");
    assert_string_equal(party.answers[0].value, "t");
    party_run(&party, "select repeat('x', 100000) from generate_series(1, 50)");
    assert_string_equal(party.answers[0].tag, "SELECT 50");
    party_run_simple(&party, "select repeat('y', 5000000)");
    assert_memory_equal(party.answers[0].value, "yyyy", 4);
    terminate(&party);
    party_run(&party, "select 1");
    assert_true(party.facts.lost);
    assert_false(party.facts.sent);
    assert_string_equal(party.sqlstate, "57P01");
    rig_until(&rig, &party.closed);
    party_join(&party, &rig);
    close_while_it_runs();
    party_join(&party, &rig);
    close_while_it_sends();
}

static void notifications_do_not_disturb(void **state)
{
    (void)state;
    party_run(&party, "listen bell");
    party_run(&party, "notify bell, 'ding'");
    party_run(&party, "select 1");
    assert_string_equal(party.log, "cisisis");
}

static void a_close_settles_what_flies(void **state)
{
    (void)state;
    const char *sql = "select pg_sleep(20)";
    party_send(&party, PQR__FLIGHT_PIPELINE, 1, &sql);
    rig.transport->ops->close(party.conn);
    rig.transport->ops->close(party.conn);
    assert_string_equal(party.log, "c");
    rig_until(&rig, &party.closed);
    assert_string_equal(party.log, "cLz");
    assert_true(party.facts.sent);
}

static void what_is_sent_after_a_close_is_settled_unsent(void **state)
{
    (void)state;
    const char *sql = "select 1";
    rig.transport->ops->close(party.conn);
    party_send(&party, PQR__FLIGHT_PIPELINE, 1, &sql);
    rig_until(&rig, &party.closed);
    assert_string_equal(party.log, "cLz");
    assert_false(party.facts.sent);
}

/* connect, statement, simple statement, close: cut short after every number of turns. */
static void a_close_after_any_number_of_turns_ends_in_closed(void **state)
{
    (void)state;
    party_leave(&party);
    bool through = false;
    for (int turns = 0; !through; turns++) {
        static const char *const sql = "select 1";
        struct party other;
        party_connect(&other, &rig, 10 * RIG_SECOND);
        unsigned stage = 0;
        for (int i = 0; i < turns && !through; i++) {
            uv_run(&rig.loop, UV_RUN_ONCE);
            if (stage == 0 && other.connected)
                stage = 1, party_send(&other, PQR__FLIGHT_PIPELINE, 1, &sql);
            if (stage == 1 && other.settled == 1)
                stage = 2, party_send(&other, PQR__FLIGHT_SIMPLE, 1, &sql);
            through = stage == 2 && other.settled == 2;
        }
        rig.transport->ops->close(other.conn);
        rig_until(&rig, &other.closed);
        assert_int_equal(other.settled, stage);
    }
}

static void the_timer_is_never_early(void **state)
{
    (void)state;
    const struct pqr__transport_ops *ops = rig.transport->ops;
    for (unsigned i = 1; i <= 20; i++) {
        uint64_t at = ops->now_us(rig.transport) + 1 + UINT64_C(137) * i;
        ops->timer_set(rig.transport, at);
        rig_until_count(&rig, &rig.timers, i);
        assert_true(ops->now_us(rig.transport) >= at);
    }
    ops->timer_set(rig.transport, ops->now_us(rig.transport) + 1);
    ops->timer_set(rig.transport, PQR__NEVER);
    party_run(&party, "select pg_sleep(0.01)");
    assert_int_equal(rig.timers, 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIGGED(a_connection_tells_what_it_is_connected_to),
        RIGGED(a_statement_is_answered_then_settled),
        RIGGED(nothing_comes_from_inside_send),
        RIGGED(flights_of_one_turn_share_packets),
        RIGGED(an_error_is_an_answer),
        RIGGED(an_error_at_the_sync_takes_the_answers_place),
        RIGGED(an_error_at_the_sync_belongs_to_the_last_item),
        RIGGED(items_after_a_failed_one_are_aborted),
        RIGGED(an_empty_statement_is_fine),
        RIGGED(transaction_status_is_told),
        RIGGED(simple_flights_take_several_statements),
        RIGGED(several_statements_are_refused_in_a_pipeline),
        RIGGED(flights_follow_one_another),
        RIGGED(flights_that_were_not_sent_say_so),
        RIGGED(ten_megabytes_go_there_and_back),
        RIGGED(notices_come_with_their_flight),
        RIGGED(notices_come_with_their_item),
        RIGGED(a_result_asked_for_too_much_disturbs_nobody),
        RIGGED(closing_from_inside_a_notice_is_fine),
        RIGGED(closing_from_inside_an_answer_is_fine),
        RIGGED(the_end_of_an_idle_connection_is_told),
        RIGGED(a_flight_given_to_a_dead_connection_was_not_sent),
        RIGGED(a_connection_that_dies_in_flight_is_lost),
        RIGGED(copy_ends_the_connection),
        RIGGED(a_result_beyond_the_limit_ends_the_connection),
        RIGGED(a_result_beyond_the_limit_is_seen_on_a_unix_socket),
        RIGGED(notifications_do_not_disturb),
        RIGGED(a_close_settles_what_flies),
        RIGGED(a_server_looks_for_clients_that_are_gone),
        RIGGED(a_statement_that_nobody_waits_for_is_ended_by_the_server),
        RIGGED(a_session_that_goes_on_is_waited_for),
        RIGGED(what_is_sent_after_a_close_is_settled_unsent),
        RIGGED(a_close_after_any_number_of_turns_ends_in_closed),
        RIGGED(the_timer_is_never_early),
        RIGGED(tls_is_no_different),
    };
    return RIGGED_RUN(tests, tables);
}
