/* See app.h: what an application asks, and the book of what it was told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "app.h"

#include <stdlib.h>
#include <string.h>

void app_on_reply(pqr_reply *reply, void *data)
{
    struct answer *answer = data;
    answer->calls++;
    answer->app->answered++;
    answer->status = pqr_reply_status(reply);
    answer->outcome = pqr_reply_outcome(reply);
    snprintf(answer->sqlstate, sizeof(answer->sqlstate), "%s", pqr_reply_sqlstate(reply));
    snprintf(answer->error, sizeof(answer->error), "%s", pqr_reply_error(reply));
    snprintf(answer->server, sizeof(answer->server), "%s", pqr_reply_server(reply));
    snprintf(answer->reason, sizeof(answer->reason), "%s", pqr_reply_reason(reply));
    answer->route = pqr_reply_route(reply);
    answer->attempts = pqr_reply_attempts(reply);
    answer->rows = pqr_reply_rows(reply);
    answer->affected = pqr_reply_affected(reply);
    answer->notices = pqr_reply_notice_count(reply);
    if (pqr_reply_notice(reply, 0))
        answer->notice = *pqr_reply_notice(reply, 0);
    answer->times = pqr_reply_times(reply);
    pqr_reply_token(reply, &answer->token);
    answer->done = true;
    if (answer->then)
        answer->then(answer, reply);
    answer->result = pqr_reply_take(reply);
}

struct answer *app_answer(struct app *app)
{
    struct answer *answer = calloc(1, sizeof(*answer));
    assert_non_null(answer);
    answer->app = app;
    return answer;
}

struct answer *app_accepted(struct answer *answer, int status)
{
    struct app *app = answer->app;
    assert_int_equal(answer->calls, 0); /* never from inside the call */
    if (status != 0) {
        free(answer);
        fail_msg("not accepted: %s", pqr_error_name(status));
        return NULL;
    }
    answer->next = app->answers;
    app->answers = answer;
    app->accepted++;
    return answer;
}

struct answer *app_send_query(struct app *app, const pqr_query *query)
{
    struct answer *answer = app_answer(app);
    return app_accepted(answer, pqr_query_run(&answer->id, app->router, query, app_on_reply, answer));
}

struct answer *app_send_to(struct app *app, pqr_target target, uint32_t flags, const char *sql)
{
    pqr_query query = PQR_QUERY_INIT;
    query.sql = sql;
    query.target = target;
    query.flags = flags;
    return app_send_query(app, &query);
}

struct answer *app_send(struct app *app, const char *sql)
{
    return app_send_to(app, PQR_TARGET_AUTO, 0, sql);
}

struct answer *app_wait(struct answer *answer)
{
    while (!answer->done)
        uv_run(&answer->app->loop, UV_RUN_ONCE);
    return answer;
}

struct answer *app_run_query(struct app *app, const pqr_query *query)
{
    return app_wait(app_send_query(app, query));
}

struct answer *app_run(struct app *app, const char *sql)
{
    return app_wait(app_send(app, sql));
}

struct answer *app_run_to(struct app *app, pqr_target target, const char *sql)
{
    return app_wait(app_send_to(app, target, 0, sql));
}

const char *answer_value(const struct answer *answer, int row, int column)
{
    if (!answer->result || row >= PQntuples(answer->result) || column >= PQnfields(answer->result))
        return "";
    return PQgetisnull(answer->result, row, column) ? "NULL" : PQgetvalue(answer->result, row, column);
}

const char *app_value(struct app *app, const char *sql)
{
    struct answer *answer = app_run(app, sql);
    assert_ok(answer);
    return answer_value(answer, 0, 0);
}

void assert_ok(const struct answer *answer)
{
    if (answer->status != PQR_STATUS_OK || answer->outcome != PQR_OUTCOME_EXECUTED)
        fail_msg("not ok: %s, %s: %s %s", pqr_status_name(answer->status), pqr_outcome_name(answer->outcome),
            answer->sqlstate, answer->error);
}

void assert_sql_error(const struct answer *answer, const char *sqlstate)
{
    if (answer->status != PQR_STATUS_SQL_ERROR || strcmp(answer->sqlstate, sqlstate) != 0)
        fail_msg("not %s: %s, %s: %s %s", sqlstate, pqr_status_name(answer->status),
            pqr_outcome_name(answer->outcome), answer->sqlstate, answer->error);
}

void assert_ended(const struct answer *answer, pqr_status status, pqr_outcome outcome)
{
    if (answer->status != status || answer->outcome != outcome)
        fail_msg("not %s, %s but %s, %s: %s %s", pqr_status_name(status), pqr_outcome_name(outcome),
            pqr_status_name(answer->status), pqr_outcome_name(answer->outcome), answer->sqlstate,
            answer->error);
}

/* --- transactions --- */

struct answer *app_tx_query(struct app *app, pqr_tx *tx, const char *sql)
{
    struct answer *answer = app_answer(app);
    pqr_query query = PQR_QUERY_INIT;
    query.sql = sql;
    return app_accepted(answer, pqr_tx_query(tx, &query, app_on_reply, answer));
}

static void run_script(pqr_tx *tx, unsigned attempt, void *data)
{
    struct answer *done = data;
    struct script *script = done->data;
    script->bodies++;
    assert_int_equal(attempt, script->bodies);
    for (unsigned i = 0; script->sql[i]; i++)
        script->statements[i] = app_tx_query(done->app, tx, script->sql[i]);
    if (script->end == SCRIPT_COMMIT)
        assert_int_equal(pqr_tx_commit(tx), 0);
    else if (script->end == SCRIPT_ROLLBACK)
        assert_int_equal(pqr_tx_rollback(tx), 0);
}

struct answer *app_tx(struct app *app, struct script *script)
{
    struct answer *answer = app_answer(app);
    answer->data = script;
    script->done = answer;
    script->options.struct_size = sizeof(script->options);
    return app_accepted(
        answer, pqr_tx_run(&answer->id, app->router, &script->options, run_script, app_on_reply, answer));
}
