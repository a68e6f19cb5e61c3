/* The end at any moment: a scenario that is closed after every number of turns of the loop, and from every line of the
   log. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "app.h"
#include "suite.h"

#define SETTINGS "pool = { min = 2; max = 4; };"

static const char tables[] = "set role app; create table kept (n int)";

struct scenario {
    struct app app;
    struct answer *read, *write, *tx, *cancelled;
    struct answer *statements[2];
    unsigned log_lines, close_at_line;
    bool opened;
};

static void scenario_body(pqr_tx *tx, unsigned attempt, void *data)
{
    struct scenario *scenario = data;
    (void)attempt;
    pqr_query query = PQR_QUERY_INIT;
    query.sql = "insert into kept values (30)";
    struct answer *answer = app_answer(&scenario->app);
    int status = pqr_tx_query(tx, &query, app_on_reply, answer);
    if (status == 0)
        app_accepted(answer, status);
    else
        free(answer);
    pqr_tx_commit(tx);
}

/* What the close made impossible is refused; everything else is accepted. */
static struct answer *try_query(struct scenario *scenario, const char *sql)
{
    pqr_query query = PQR_QUERY_INIT;
    query.sql = sql;
    struct answer *answer = app_answer(&scenario->app);
    int status = pqr_query_run(&answer->id, scenario->app.router, &query, app_on_reply, answer);
    if (status == 0)
        return app_accepted(answer, status);
    assert_int_equal(status, PQR_ECLOSED);
    free(answer);
    return NULL;
}

static void on_tx_done(pqr_reply *reply, void *data)
{
    struct scenario *scenario = data;
    app_on_reply(reply, scenario->tx);
}

static void scenario_ready(pqr_router *router, int status, const char *why, void *data)
{
    struct scenario *scenario = data;
    (void)why;
    if (status != 0)
        return;
    scenario->read = try_query(scenario, "select count(*) from kept");
    scenario->write = try_query(scenario, "insert into kept values (31)");
    scenario->cancelled = try_query(scenario, "insert into kept select 32 from pg_sleep(30)");
    scenario->tx = app_answer(&scenario->app);
    status = pqr_tx_run(NULL, router, NULL, scenario_body, on_tx_done, scenario);
    if (status == 0)
        app_accepted(scenario->tx, status);
    else
        free(scenario->tx);
    if (status != 0)
        scenario->tx = NULL;
    if (scenario->cancelled)
        pqr_request_cancel(router, scenario->cancelled->id);
}

static bool scenario_done(const struct scenario *scenario)
{
    const struct app *app = &scenario->app;
    return app->accepted >= 5 && app->answered == app->accepted;
}

static void scenario_begin(struct scenario *scenario)
{
    app_open(&scenario->app, &cluster, SETTINGS);
    assert_int_equal(pqr_router_ready(scenario->app.router, 20000, scenario_ready, scenario), 0);
}

/* After so many turns; the number of turns it needed when it came to its end before. */
static bool scenario_ends_before(unsigned turns, uint32_t drain_ms)
{
    struct scenario scenario = {0};
    scenario_begin(&scenario);
    bool done = false;
    for (unsigned turn = 0; turn < turns && !done; turn++) {
        uv_run(&scenario.app.loop, UV_RUN_ONCE);
        done = scenario_done(&scenario);
    }
    app_drain(&scenario.app, drain_ms);
    return done;
}

static void after_every_number_of_turns(void **state)
{
    (void)state;
    unsigned turns = 0;
    while (!scenario_ends_before(turns, 0))
        turns++;
    print_message("%u turns\n", turns);
    assert_true(turns > 5);
}

static void after_every_number_of_turns_with_a_drain(void **state)
{
    (void)state;
    unsigned turns = 0;
    while (!scenario_ends_before(turns, 5000))
        turns++;
    print_message("%u turns\n", turns);
    assert_true(turns > 5);
}

/* Each line of the log is a place in the library's inside from which somebody may call. */
static void closing_log(void *data, pqr_log_level level, const char *text)
{
    struct scenario *scenario = data;
    (void)level;
    (void)text;
    if (++scenario->log_lines == scenario->close_at_line && scenario->opened)
        app_close_now(&scenario->app);
}

static void from_every_line_of_the_log(void **state)
{
    (void)state;
    bool done = false;
    unsigned line = 0;
    while (!done) {
        struct scenario scenario = {.app.callbacks = PQR_CALLBACKS_INIT};
        scenario.app.callbacks.data = &scenario;
        scenario.app.callbacks.log = closing_log;
        scenario.app.callbacks.log_level = PQR_LOG_DEBUG;
        scenario.close_at_line = ++line;
        scenario_begin(&scenario);
        scenario.opened = true;
        while (scenario.app.closed == 0 && !done) {
            uv_run(&scenario.app.loop, UV_RUN_ONCE);
            done = scenario_done(&scenario) && scenario.log_lines < line;
            if (scenario.log_lines >= line && scenario.app.closed == 0 && !done)
                app_close_now(&scenario.app); /* the line came before the router was ours */
        }
        if (done)
            app_close_now(&scenario.app);
        app_closed(&scenario.app);
    }
    print_message("%u lines\n", line);
    assert_true(line > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(after_every_number_of_turns),
        cmocka_unit_test(after_every_number_of_turns_with_a_drain),
        cmocka_unit_test(from_every_line_of_the_log),
    };
    return SUITE_RUN(tests, 1, tables);
}
