/* Prepared statements on a connection, against a real server, which is asked what it has prepared. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "postgres/newer.h"
#include "rigged.h"

static const char tables[] =
    "create table shape (n int); insert into shape values (1); alter table shape owner to app";

static int join_with_room_for_one(void **state)
{
    (void)state;
    rig_open(&rig, cluster_conninfo(&cluster, 0), NULL);
    rig.config->statements.max_prepared = 1;
    party_join(&party, &rig);
    return !party.connected;
}

static void put(unsigned i, uint64_t statement, const char *sql)
{
    party.items[i] = (struct pqr__item){.statement = statement, .sql = sql};
}

static void run_items(unsigned n)
{
    unsigned settled = party.settled;
    party_send_items(&party, n);
    rig_until_count(&rig, &party.settled, settled + 1);
}

/* One item; its answer is party.answers[0]. */
static void run(uint64_t statement, const char *sql)
{
    put(0, statement, sql);
    run_items(1);
}

static void assert_value(unsigned i, const char *value)
{
    assert_true(i < party.n_answers);
    assert_string_equal(party.answers[i].sqlstate, "");
    assert_int_equal(party.answers[i].kind, PQR__ANSWER_OK);
    assert_string_equal(party.answers[i].value, value);
}

static void assert_fails(unsigned i, const char *sqlstate, bool stale)
{
    assert_true(i < party.n_answers);
    assert_int_equal(party.answers[i].kind, PQR__ANSWER_ERROR);
    assert_string_equal(party.answers[i].sqlstate, sqlstate);
    assert_int_equal(party.answers[i].stale, stale);
}

/* What the server has, by name. */
static void assert_prepared(const char *names)
{
    run(0, "select coalesce(string_agg(name, ' ' order by name), '') from pg_prepared_statements");
    assert_value(0, names);
}

/* How often it was run by its name. */
static void assert_runs(const char *name, const char *runs)
{
    char sql[200];
    snprintf(sql, sizeof(sql),
        "select generic_plans + custom_plans from pg_prepared_statements where name = '%s'", name);
    run(0, sql);
    assert_value(0, runs);
}

static void a_statement_is_parsed_once_and_run_by_its_name(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        run(7, "select 42");
        assert_value(0, "42");
        assert_prepared("pqr_7");
    }
    assert_runs("pqr_7", "3");
    assert_string_equal(party.log, "cisisisisisisis");
}

static void parameters_have_their_types(void **state)
{
    (void)state;
    static const char *const values[] = {"20", "22"};
    static const Oid types[] = {23, 23};
    for (int i = 0; i < 2; i++) {
        party.items[0] = (struct pqr__item){.statement = 1,
            .sql = "select $1 + $2",
            .n_params = 2,
            .param_values = values,
            .param_types = types};
        run_items(1);
        assert_value(0, "42");
    }
    run(0, "select parameter_types::text from pg_prepared_statements");
    assert_value(0, "{integer,integer}");
}

static void a_flight_prepares_all_that_it_needs(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        put(0, 1, "select 1");
        put(1, 2, "select 2");
        put(2, 0, "select 3");
        put(3, 1, "select 1");
        run_items(4);
        assert_value(0, "1");
        assert_value(1, "2");
        assert_value(2, "3");
        assert_value(3, "1");
    }
    assert_prepared("pqr_1 pqr_2");
    assert_runs("pqr_1", "4");
}

/* Both are in the air before either is answered. */
static void flights_behind_one_that_prepares_send_the_text(void **state)
{
    (void)state;
    static struct pqr__item items[] = {{.statement = 1, .sql = "select 1"},
        {.statement = 1, .sql = "select 1"}, {.statement = 2, .sql = "select 2"}};
    for (unsigned i = 0; i < 3; i++) {
        party.row[i] = (struct pqr__flight){.kind = PQR__FLIGHT_PIPELINE, .n_items = 1, .items = &items[i]};
        rig.transport->ops->send(party.conn, &party.row[i]);
    }
    rig_until_count(&rig, &party.settled, 3);
    assert_value(1, "1");
    assert_value(2, "2");
    assert_prepared("pqr_1");
    assert_runs("pqr_1", "1");
}

static void simple_flights_know_no_names(void **state)
{
    (void)state;
    static struct pqr__item item = {.statement = 1, .sql = "select 1", .result_format = 1};
    party.row[0] = (struct pqr__flight){.kind = PQR__FLIGHT_SIMPLE, .n_items = 1, .items = &item};
    rig.transport->ops->send(party.conn, &party.row[0]);
    rig_until_count(&rig, &party.settled, 1);
    assert_int_equal(party.answers[0].kind, PQR__ANSWER_OK);
    assert_prepared("");
}

static void behind_a_pooler_nothing_is_prepared(void **state)
{
    rigged_leave(state);
    rig_open(&rig, cluster_conninfo(&cluster, 0), NULL);
    rig.config->servers[0].pooler = true;
    party_join(&party, &rig);
    run(1, "select 1");
    assert_value(0, "1");
    assert_prepared("");
}

/* --- Making room --- */

static void the_one_not_used_for_longest_makes_room(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        run(1, "select 1");
        assert_value(0, "1");
        assert_prepared("pqr_1");
        run(2, "select 2");
        assert_value(0, "2");
        assert_prepared("pqr_2");
    }
}

static void what_was_to_make_room_in_a_failed_flight_stays(void **state)
{
    (void)state;
    run(1, "select 1");
    put(0, 0, "select 1 / 0");
    put(1, 2, "select 2");
    run_items(2);
    assert_fails(0, "22012", false);
    assert_int_equal(party.answers[1].kind, PQR__ANSWER_ABORTED);
    assert_prepared("pqr_1");
    run(1, "select 1");
    assert_value(0, "1");
    assert_runs("pqr_1", "2");
    run(2, "select 2");
    assert_value(0, "2");
    assert_prepared("pqr_2");
}

/* Room was made before the new one failed to parse. */
static void what_made_room_is_gone(void **state)
{
    (void)state;
    run(1, "select 1");
    run(2, "select nothing");
    assert_fails(0, "42703", false);
    assert_prepared("");
    run(1, "select 1");
    assert_value(0, "1");
    assert_prepared("pqr_1");
}

static bool libpq_closes(void)
{
#if PQR__HAVE_NEWER
    return PQsendClosePrepared != NULL;
#else
    return false;
#endif
}

/* libpq of version 17 and later closes without minding; DEALLOCATE minds. */
static void what_made_room_may_be_gone_already(void **state)
{
    (void)state;
    run(1, "select 1");
    run(0, "deallocate all");
    run(2, "select 2");
    assert_int_equal(party.answers[0].kind, libpq_closes() ? PQR__ANSWER_OK : PQR__ANSWER_ERROR);
    if (party.answers[0].kind == PQR__ANSWER_ERROR) {
        assert_fails(0, "26000", true);
        run(2, "select 2");
    }
    assert_value(0, "2");
    assert_prepared("pqr_2");
}

/* --- Failing --- */

static void a_statement_that_does_not_parse_is_answered_so(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        run(1, "select nothing");
        assert_int_equal(party.n_answers, 1);
        assert_fails(0, "42703", false);
        assert_int_equal(party.facts.tx, PQR__TX_IDLE);
    }
    assert_prepared("");
    run(2, "select 1; select 2");
    assert_fails(0, "42601", false);
}

/* A flight of three, all to be prepared, whose second fails; then the others are well. */
static void the_second_fails(const char *sql, const char *sqlstate, const char *prepared_then)
{
    for (int i = 0; i < 2; i++) {
        put(0, 1, "select 1");
        put(1, 2, sql);
        put(2, 3, "select 3");
        run_items(3);
        assert_int_equal(party.n_answers, 3);
        assert_value(0, "1");
        assert_fails(1, sqlstate, false);
        assert_int_equal(party.answers[2].kind, PQR__ANSWER_ABORTED);
        assert_prepared(prepared_then);
    }
    run(3, "select 3");
    assert_value(0, "3");
    assert_runs("pqr_3", "1");
}

static void a_flight_may_fail_while_it_parses(void **state)
{
    (void)state;
    the_second_fails("select nothing", "42703", "pqr_1");
}

static void a_flight_may_fail_while_it_runs(void **state)
{
    (void)state;
    the_second_fails("select 1 / (random() * 0)::int", "22012", "pqr_1 pqr_2");
}

static void a_flight_may_fail_while_it_binds(void **state)
{
    (void)state;
    static const char *const values[] = {"no number"};
    for (int i = 0; i < 2; i++) {
        put(0, 1, "select 1");
        party.items[1] = (struct pqr__item){
            .statement = 2, .sql = "select $1::int", .n_params = 1, .param_values = values};
        put(2, 3, "select 3");
        run_items(3);
        assert_value(0, "1");
        assert_fails(1, "22P02", false);
        assert_int_equal(party.answers[2].kind, PQR__ANSWER_ABORTED);
        assert_prepared("pqr_1 pqr_2");
    }
}

static void a_flight_may_fail_at_its_sync(void **state)
{
    (void)state;
    run(0, "create temp table parent (id int primary key)");
    run(0, "create temp table child (id int references parent deferrable initially deferred)");
    for (int i = 0; i < 2; i++) {
        run(1, "insert into child values (1)");
        assert_int_equal(party.n_answers, 1);
        assert_fails(0, "23503", false);
        assert_prepared("pqr_1");
    }
}

static void in_a_failed_transaction_nothing_is_prepared(void **state)
{
    (void)state;
    run(0, "begin");
    run(1, "select 1");
    run(0, "select 1 / 0");
    run(2, "select 2");
    assert_fails(0, "25P02", false);
    run(1, "select 1");
    assert_fails(0, "25P02", false);
    run(0, "rollback");
    assert_prepared("pqr_1");
}

/* --- Gone stale --- */

static void a_plan_that_went_stale_is_replaced(void **state)
{
    (void)state;
    run(1, "select * from shape");
    cluster_exec(&cluster, 0, "alter table shape add m int");
    run(1, "select * from shape");
    assert_fails(0, "0A000", true);
    run(1, "select * from shape");
    assert_value(0, "1");
    assert_prepared("pqr_1");
    assert_runs("pqr_1", "1");
    cluster_exec(&cluster, 0, "alter table shape drop m");
}

/* Other errors of that class are no news of the plan. */
static void what_is_not_supported_is_no_stale_plan(void **state)
{
    (void)state;
    const char *sql =
        "do $$begin raise exception 'cached plan must not change result type' using errcode = '0A000'; end$$";
    run(1, sql);
    assert_fails(0, "0A000", false);
    run(1, sql);
    assert_fails(0, "0A000", false);
    assert_prepared("pqr_1");
}

static void what_others_deallocate_is_prepared_anew(void **state)
{
    (void)state;
    run(1, "select 1");
    run(0, "deallocate all");
    run(1, "select 1");
    assert_fails(0, "26000", true);
    run(1, "select 1");
    assert_value(0, "1");
    assert_prepared("pqr_1");
}

/* A statement that itself looks for one that is not there. */
static void another_ones_name_is_no_news(void **state)
{
    (void)state;
    const char *sql = "do $$begin execute 'execute pqr_none'; end$$";
    for (int i = 0; i < 2; i++) {
        run(1, sql);
        assert_fails(0, "26000", false);
    }
    assert_prepared("pqr_1");
}

static void a_stale_one_fails_its_neighbours_alone(void **state)
{
    (void)state;
    run(2, "select 2");
    run(0, "deallocate all");
    for (int i = 0; i < 2; i++) {
        put(0, 1, "select 1");
        put(1, 2, "select 2");
        put(2, 3, "select 3");
        run_items(3);
        assert_value(0, "1");
        if (i == 0) {
            assert_fails(1, "26000", true);
            assert_int_equal(party.answers[2].kind, PQR__ANSWER_ABORTED);
        }
    }
    assert_value(1, "2");
    assert_value(2, "3");
    assert_prepared("pqr_1 pqr_2 pqr_3");
}

static void a_name_that_is_taken_is_taken_over(void **state)
{
    (void)state;
    run(0, "prepare pqr_5 as select 'an impostor'");
    run(5, "select 5");
    assert_fails(0, "42P05", true);
    run(5, "select 5");
    assert_value(0, "5");
    assert_prepared("pqr_5");
}

static void discard_all_is_known_to_empty_the_server(void **state)
{
    (void)state;
    run(1, "select 1");
    put(0, 0, "discard all");
    party.items[0].own = PQR__OWN_DISCARD;
    run_items(1);
    run(1, "select 1");
    assert_value(0, "1");
    assert_prepared("pqr_1");
}

static void a_discard_that_failed_empties_nothing(void **state)
{
    (void)state;
    run(1, "select 1");
    run(0, "begin");
    put(0, 0, "discard all"); /* not within a transaction */
    party.items[0].own = PQR__OWN_DISCARD;
    run_items(1);
    assert_fails(0, "25001", false);
    run(0, "rollback");
    run(1, "select 1");
    assert_runs("pqr_1", "2");
}

#define ROOM_FOR_ONE(name) cmocka_unit_test_setup_teardown(name, join_with_room_for_one, rigged_leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIGGED(a_statement_is_parsed_once_and_run_by_its_name),
        RIGGED(parameters_have_their_types),
        RIGGED(a_flight_prepares_all_that_it_needs),
        RIGGED(flights_behind_one_that_prepares_send_the_text),
        RIGGED(simple_flights_know_no_names),
        RIGGED(behind_a_pooler_nothing_is_prepared),
        ROOM_FOR_ONE(the_one_not_used_for_longest_makes_room),
        ROOM_FOR_ONE(what_was_to_make_room_in_a_failed_flight_stays),
        ROOM_FOR_ONE(what_made_room_is_gone),
        ROOM_FOR_ONE(what_made_room_may_be_gone_already),
        RIGGED(a_statement_that_does_not_parse_is_answered_so),
        RIGGED(a_flight_may_fail_while_it_parses),
        RIGGED(a_flight_may_fail_while_it_runs),
        RIGGED(a_flight_may_fail_while_it_binds),
        RIGGED(a_flight_may_fail_at_its_sync),
        RIGGED(in_a_failed_transaction_nothing_is_prepared),
        RIGGED(a_plan_that_went_stale_is_replaced),
        RIGGED(what_is_not_supported_is_no_stale_plan),
        RIGGED(what_others_deallocate_is_prepared_anew),
        RIGGED(another_ones_name_is_no_news),
        RIGGED(a_stale_one_fails_its_neighbours_alone),
        RIGGED(a_name_that_is_taken_is_taken_over),
        RIGGED(discard_all_is_known_to_empty_the_server),
        RIGGED(a_discard_that_failed_empties_nothing),
    };
    return RIGGED_RUN(tests, tables);
}
