/* Who wrote sees it, on replicas too: tokens of real commits, and reads that are to be after them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "batches.h"
#include "suite.h"

#define SETTINGS "pool = { min = 2; max = 6; };"

static const char tables[] =
    "set role app; create table noted (n int primary key);"
    "create procedure note(n int) language sql as $$ insert into noted values (n) $$;";

static int next_nonce;

static void replay(const char *how)
{
    char sql[60];
    snprintf(sql, sizeof(sql), "select pg_wal_replay_%s()", how);
    cluster_exec(&cluster, 1, sql);
    cluster_exec(&cluster, 2, sql);
    if (strcmp(how, "pause") == 0)
        for (int i = 1; i < 3; i++)
            while (cluster_long(&cluster, i, "select (pg_get_wal_replay_pause_state() = 'paused')::int") != 1)
                ;
}

static struct answer *ask(
    struct app *app, pqr_target target, uint32_t flags, const pqr_token *after, const char *sql)
{
    pqr_query query = PQR_QUERY_INIT;
    query.sql = sql;
    query.target = target;
    query.flags = flags;
    query.after = after;
    return app_send_query(app, &query);
}

static struct answer *write_one(struct app *app, int n)
{
    char sql[60];
    snprintf(sql, sizeof(sql), "insert into noted values (%d)", n);
    struct answer *answer = app_wait(ask(app, PQR_TARGET_AUTO, PQR_TOKEN, NULL, sql));
    assert_ok(answer);
    assert_true(answer->token.lsn != 0);
    return answer;
}

static struct answer *send_read(struct app *app, pqr_target target, int n, const pqr_token *after)
{
    char sql[60];
    snprintf(sql, sizeof(sql), "select count(*) from noted where n = %d", n);
    return ask(app, target, 0, after, sql);
}

/* With replicas that stand still from here on. */
static void start_behind(struct app *app)
{
    app_start(app, &cluster, SETTINGS);
    cluster_sync(&cluster, 0);
    replay("pause");
}

/* It is there. */
static struct answer *read_one(struct app *app, int n, const pqr_token *after)
{
    struct answer *answer = app_wait(send_read(app, PQR_TARGET_AUTO, n, after));
    assert_ok(answer);
    assert_string_equal(answer_value(answer, 0, 0), "1");
    return answer;
}

static void who_writes_sees_it_on_any_server(void **state)
{
    (void)state;
    struct app app = {0};
    unsigned on_replicas = 0, i = 0;
    app_start(&app, &cluster, SETTINGS);
    for (; i < 5000 && (i < 100 || on_replicas < 20); i++) {
        const struct answer *written = write_one(&app, ++next_nonce);
        on_replicas += read_one(&app, next_nonce, &written->token)->route == PQR_ROLE_REPLICA;
    }
    assert_true(on_replicas >= 20);
    app_close(&app);
}

static void many_at_once_see_their_own(void **state)
{
    enum { WRITERS = 20, ROUNDS = 20 };
    (void)state;
    struct app app = {0};
    app_start(&app, &cluster, SETTINGS);
    for (int round = 0; round < ROUNDS; round++) {
        struct answer *writes[WRITERS], *reads[WRITERS];
        int first = next_nonce + 1;
        for (int i = 0; i < WRITERS; i++) {
            char sql[60];
            snprintf(sql, sizeof(sql), "insert into noted values (%d)", ++next_nonce);
            writes[i] = ask(&app, PQR_TARGET_AUTO, PQR_TOKEN, NULL, sql);
        }
        for (int i = 0; i < WRITERS; i++)
            assert_ok(app_wait(writes[i]));
        for (int i = 0; i < WRITERS; i++)
            reads[i] = send_read(&app, PQR_TARGET_AUTO, first + i, &writes[i]->token);
        for (int i = 0; i < WRITERS; i++) {
            assert_ok(app_wait(reads[i]));
            assert_string_equal(answer_value(reads[i], 0, 0), "1");
        }
    }
    app_close(&app);
}

static void replicas_that_stand_still_are_passed_over(void **state)
{
    (void)state;
    struct app app = {0};
    start_behind(&app);
    const struct answer *written = write_one(&app, ++next_nonce);
    assert_string_equal(read_one(&app, next_nonce, &written->token)->server, "primary");
    assert_string_equal(read_one(&app, next_nonce, &written->token)->server, "primary"); /* known by now */
    assert_true(app_totals(&app).fallback_primary >= 2);
    assert_true(
        app_totals(&app).tokens == 1 && app_totals(&app).token_checks >= app_totals(&app).token_misses);
    replay("resume");
    APP_UNTIL(&app, read_one(&app, next_nonce, &written->token)->route == PQR_ROLE_REPLICA);
    app_close(&app);
}

/* Where only a replica may run it, it is told that none can. */
static void a_read_for_replicas_alone_is_refused_where_none_is_there(void **state)
{
    (void)state;
    struct app app = {0};
    start_behind(&app);
    const struct answer *written = write_one(&app, ++next_nonce);
    struct answer *answer = app_wait(send_read(&app, PQR_TARGET_REPLICA_ONLY, next_nonce, &written->token));
    assert_ended(answer, PQR_STATUS_UNAVAILABLE, PQR_OUTCOME_NOT_EXECUTED);
    replay("resume");
    APP_UNTIL(&app, app_wait(send_read(&app, PQR_TARGET_REPLICA_ONLY, next_nonce, &written->token))->status ==
                        PQR_STATUS_OK);
    app_close(&app);
}

/* Its token lies behind its commit: replicas that have not come there are not asked in vain, but do not answer. */
static void assert_seen_behind(struct app *app, const pqr_token *token)
{
    assert_true(token->lsn != 0);
    assert_string_equal(read_one(app, next_nonce, token)->server, "primary");
}

static void transactions_and_batches_have_one_too(void **state)
{
    (void)state;
    struct app app = {0};
    char sql[3][80];
    start_behind(&app);
    for (int i = 0; i < 3; i++)
        snprintf(sql[i], sizeof(sql[i]), "insert into noted values (%d)", ++next_nonce);
    const char *const one[] = {sql[0], NULL}, *const other[] = {sql[1], "select 1", NULL},
                      *const third[] = {sql[2], NULL};
    struct script script = {.sql = one, .options = {.flags = PQR_TOKEN}};
    assert_ok(app_wait(app_tx(&app, &script)));
    struct batch batch = {.sql = other}, explicit = {.sql = third};
    batch.options = explicit.options = (pqr_batch_options)PQR_BATCH_OPTIONS_INIT;
    batch.options.flags = explicit.options.flags = PQR_TOKEN;
    explicit.options.isolation = PQR_SERIALIZABLE;
    batch_run(&app, &batch);
    batch_run(&app, &explicit);
    assert_seen_behind(&app, &explicit.done->token);
    assert_true(script.done->token.lsn > 0 && script.done->token.lsn <= batch.done->token.lsn);
    assert_true(batch.done->token.lsn <= explicit.done->token.lsn);
    assert_true(batch.answers[0]->token.lsn == 0); /* the whole's alone */
    replay("resume");
    APP_UNTIL(&app, read_one(&app, next_nonce, &explicit.done->token)->route == PQR_ROLE_REPLICA);
    app_close(&app);
}

static void what_may_leave_a_transaction_open_has_one_too(void **state)
{
    (void)state;
    struct app app = {0};
    char sql[3][120];
    app_start(&app, &cluster, SETTINGS);
    snprintf(sql[0], sizeof(sql[0]), "call note(%d)", ++next_nonce);
    snprintf(
        sql[1], sizeof(sql[1]), "do $$ begin perform 1; insert into noted values (%d); end $$", ++next_nonce);
    snprintf(sql[2], sizeof(sql[2]), "insert into noted values (%d); select 1", ++next_nonce);
    for (int i = 0; i < 3; i++) {
        const struct answer *written = app_wait(ask(&app, PQR_TARGET_AUTO, PQR_TOKEN, NULL, sql[i]));
        assert_ok(written);
        assert_true(written->token.lsn != 0);
        read_one(&app, next_nonce - 2 + i, &written->token);
    }
    app_close(&app);
}

static void what_wrote_nothing_has_none(void **state)
{
    (void)state;
    struct app app = {0};
    static const char *const sql[] = {"insert into noted values (-1)", NULL};
    struct script script = {.sql = sql, .options = {.flags = PQR_TOKEN}, .end = SCRIPT_ROLLBACK};
    app_start(&app, &cluster, SETTINGS);
    assert_true(app_wait(ask(&app, PQR_TARGET_REPLICA, PQR_TOKEN, NULL, "select 1"))->token.lsn == 0);
    assert_true(app_run(&app, "insert into noted values (-2)")->token.lsn == 0); /* it did not ask */
    const struct answer *failed =
        app_wait(ask(&app, PQR_TARGET_AUTO, PQR_TOKEN, NULL, "insert into noted values (-2)"));
    assert_sql_error(failed, "23505");
    assert_true(failed->token.lsn == 0);
    assert_ok(app_wait(app_tx(&app, &script)));
    assert_true(script.done->token.lsn == 0);
    app_close(&app);
}

static void a_failed_batch_leaves_its_connection_fit(void **state)
{
    (void)state;
    struct app app = {0};
    static const char *const sql[] = {"insert into noted values (-3)", "select 1/0", NULL};
    app_start(&app, &cluster, "pool = { min = 1; max = 3; };");
    for (int i = 0; i < 2; i++) {
        struct batch batch = {.sql = sql};
        batch.options = (pqr_batch_options)PQR_BATCH_OPTIONS_INIT;
        batch.options.flags = PQR_TOKEN;
        batch.options.isolation = i ? PQR_REPEATABLE_READ : PQR_ISOLATION_DEFAULT;
        batch_run(&app, &batch);
        assert_sql_error(batch.done, "22012");
        assert_true(batch.done->token.lsn == 0);
    }
    assert_ok(app_run(&app, "insert into noted values (-4)"));
    assert_int_equal(app_totals(&app).by_outcome[PQR_OUTCOME_UNKNOWN], 0);
    app_close(&app);
}

static int rows_seen;

static int on_rows(pqr_reply *part, void *data)
{
    (void)data;
    rows_seen += pqr_reply_rows(part);
    return 0;
}

/* They go by what is known: a replica that is there, or the primary. */
static void rows_in_parts_and_transactions_are_after_one_too(void **state)
{
    (void)state;
    struct app app = {0};
    static const char *const sql[] = {"select count(*) from noted where n > 0", NULL};
    start_behind(&app);
    const struct answer *written = write_one(&app, ++next_nonce);
    pqr_query query = PQR_QUERY_INIT;
    query.sql = "select n from noted where n > 0";
    query.after = &written->token;
    query.rows = on_rows;
    rows_seen = 0;
    assert_string_equal(app_run_query(&app, &query)->server, "primary");
    assert_int_equal(rows_seen, cluster_long(&cluster, 0, "select count(*) from noted where n > 0"));
    struct script script = {
        .sql = sql, .options = {.read_only = true, .target = PQR_TARGET_REPLICA, .after = &written->token}};
    assert_ok(app_wait(app_tx(&app, &script)));
    assert_string_equal(script.done->server, "primary");
    assert_int_equal(strtol(answer_value(script.statements[0], 0, 0), NULL, 10), rows_seen);
    struct batch batch = {.sql = sql};
    batch.options = (pqr_batch_options)PQR_BATCH_OPTIONS_INIT;
    batch.options.after = &written->token;
    batch_run(&app, &batch);
    assert_string_equal(batch.answers[0]->server, "primary");
    replay("resume");
    APP_UNTIL(&app, read_one(&app, next_nonce, &written->token)->route == PQR_ROLE_REPLICA);
    app_close(&app);
}

static void as_text_it_means_the_same(void **state)
{
    (void)state;
    struct app app = {0};
    char text[PQR_TOKEN_SIZE];
    pqr_token token;
    app_start(&app, &cluster, SETTINGS);
    const struct answer *written = write_one(&app, ++next_nonce);
    assert_int_equal(pqr_token_print(&written->token, text, sizeof(text)), 0);
    assert_int_equal(pqr_token_parse(&token, text), 0);
    assert_memory_equal(&token, &written->token, sizeof(token));
    read_one(&app, next_nonce, &token);
    app_close(&app);
}

static void anothers_token_means_the_primary(void **state)
{
    (void)state;
    struct app app = {0};
    app_start(&app, &cluster, SETTINGS);
    pqr_token token = write_one(&app, ++next_nonce)->token;
    token.system_identifier++;
    assert_string_equal(read_one(&app, next_nonce, &token)->server, "primary");
    token.system_identifier--;
    token.timeline++;
    struct answer *answer = app_wait(send_read(&app, PQR_TARGET_AUTO, next_nonce, &token));
    assert_ended(answer, PQR_STATUS_UNAVAILABLE, PQR_OUTCOME_NOT_EXECUTED);
    token.timeline -= 2;
    assert_string_equal(read_one(&app, next_nonce, &token)->server, "primary");
    app_close(&app);
}

/* The check and the read are two transactions: under REPEATABLE READ in one the row would not be seen. */
static void it_holds_under_repeatable_read_and_without_waiting_for_the_disk(void **state)
{
    (void)state;
    struct app app = {0};
    app_start(&app, &cluster,
        "pool = { min = 2; max = 6; init_sql = \"set default_transaction_isolation = 'repeatable read'; set "
        "synchronous_commit = off\"; };");
    for (int i = 0; i < 300; i++) {
        const struct answer *written = write_one(&app, ++next_nonce);
        read_one(&app, next_nonce, &written->token);
    }
    app_close(&app);
}

/* A replica of the old timeline may have come far on it; what was written since is not there. */
static void after_a_failover_an_old_timelines_replica_does_not_answer(void **state)
{
    (void)state;
    struct app app = {0};
    app_start(&app, &cluster, SETTINGS "probe = { interval = \"200ms\"; timeout = \"1s\"; };");
    const pqr_token old = write_one(&app, ++next_nonce)->token;
    cluster_sync(&cluster, 0);
    cluster_kill_server(&cluster, 0);
    cluster_promote(&cluster, 1);
    APP_UNTIL(&app, app_pool(&app, 1).role == PQR_ROLE_PRIMARY);
    read_one(&app, next_nonce, &old);
    const struct answer *written = write_one(&app, ++next_nonce);
    assert_true(written->token.timeline > old.timeline);
    for (int i = 0; i < 20; i++)
        assert_string_equal(read_one(&app, next_nonce, &written->token)->server, "replica1");
    app_close(&app);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_writes_sees_it_on_any_server),
        cmocka_unit_test(many_at_once_see_their_own),
        cmocka_unit_test(replicas_that_stand_still_are_passed_over),
        cmocka_unit_test(a_read_for_replicas_alone_is_refused_where_none_is_there),
        cmocka_unit_test(transactions_and_batches_have_one_too),
        cmocka_unit_test(what_may_leave_a_transaction_open_has_one_too),
        cmocka_unit_test(what_wrote_nothing_has_none),
        cmocka_unit_test(a_failed_batch_leaves_its_connection_fit),
        cmocka_unit_test(rows_in_parts_and_transactions_are_after_one_too),
        cmocka_unit_test(as_text_it_means_the_same),
        cmocka_unit_test(anothers_token_means_the_primary),
        cmocka_unit_test(it_holds_under_repeatable_read_and_without_waiting_for_the_disk),
        cmocka_unit_test(after_a_failover_an_old_timelines_replica_does_not_answer),
    };
    return SUITE_RUN(tests, 2, tables);
}
