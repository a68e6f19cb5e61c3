/* What a request is told at the end of its flight, and when it is run again. Each row is a fault. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "policy/settle.h"

static struct pqr__facts facts_of(enum pqr__effect effect, enum pqr__reply_kind reply, const char *sqlstate)
{
    return (struct pqr__facts){.effect = effect,
        .reply = reply,
        .sqlstate = sqlstate,
        .sent = true,
        .attempts = 1,
        .max_attempts = 4};
}

static void expect(struct pqr__facts facts, pqr_status status, pqr_outcome outcome, bool again)
{
    struct pqr__decision decision = pqr__settle(&facts);
    assert_int_equal(decision.again, again);
    assert_string_equal(pqr_status_name(decision.status), pqr_status_name(status));
    assert_string_equal(pqr_outcome_name(decision.outcome), pqr_outcome_name(outcome));
}

static const enum pqr__effect every_effect[] = {PQR__EFFECT_UNKNOWN, PQR__EFFECT_READ, PQR__EFFECT_WRITE,
    PQR__EFFECT_PARTIAL, PQR__EFFECT_SESSION, PQR__EFFECT_TRANSACTION, PQR__EFFECT_COPY};
enum { EFFECTS = sizeof(every_effect) / sizeof(every_effect[0]) };

static void a_lost_write_that_was_sent_is_unknown_and_never_run_again(void **state)
{
    (void)state;
    for (int i = 0; i < EFFECTS; i++) {
        /* Whatever came before the loss proves nothing. */
        for (int reply = PQR__REPLY_NONE; reply <= PQR__REPLY_ERROR; reply++) {
            struct pqr__facts facts = facts_of(every_effect[i], (enum pqr__reply_kind)reply, "57P01");
            facts.lost = true;
            expect(facts, PQR_STATUS_LOST, PQR_OUTCOME_UNKNOWN, every_effect[i] == PQR__EFFECT_READ);
        }
    }
}

static void what_was_never_sent_is_run_again_whatever_it_is(void **state)
{
    (void)state;
    for (int i = 0; i < EFFECTS; i++) {
        struct pqr__facts facts = facts_of(every_effect[i], PQR__REPLY_NONE, "");
        facts.lost = true;
        facts.sent = false;
        expect(facts, PQR_STATUS_UNAVAILABLE, PQR_OUTCOME_NOT_EXECUTED, true);
        facts.attempts = facts.max_attempts;
        expect(facts, PQR_STATUS_UNAVAILABLE, PQR_OUTCOME_NOT_EXECUTED, false);
    }
}

static void a_vouched_write_is_run_again(void **state)
{
    (void)state;
    struct pqr__facts facts = facts_of(PQR__EFFECT_WRITE, PQR__REPLY_NONE, "");
    facts.lost = facts.vouched = true;
    expect(facts, PQR_STATUS_LOST, PQR_OUTCOME_UNKNOWN, true);
}

static void an_answer_that_was_too_large_is_not_asked_for_again(void **state)
{
    (void)state;
    for (int i = 0; i < EFFECTS; i++) {
        struct pqr__facts facts = facts_of(every_effect[i], PQR__REPLY_NONE, "");
        facts.lost = facts.cut_off = facts.vouched = true;
        expect(facts, PQR_STATUS_LOST, PQR_OUTCOME_UNKNOWN, false);
        assert_false(pqr__settle(&facts).probe);
    }
}

static void nothing_is_run_again_once_it_was_told_to_end(void **state)
{
    (void)state;
    static const struct {
        enum pqr__cause cause;
        pqr_status status;
    } rows[] = {{PQR__CAUSE_CANCEL, PQR_STATUS_CANCELLED}, {PQR__CAUSE_DEADLINE, PQR_STATUS_TIMEOUT},
        {PQR__CAUSE_CLOSE, PQR_STATUS_CLOSED}};
    for (int i = 0; i < 3; i++) {
        struct pqr__facts facts = facts_of(PQR__EFFECT_READ, PQR__REPLY_NONE, "");
        facts.cause = rows[i].cause;
        facts.lost = true;
        expect(facts, rows[i].status, PQR_OUTCOME_UNKNOWN, false);
        facts = facts_of(PQR__EFFECT_WRITE, PQR__REPLY_ERROR, "57014");
        facts.cause = rows[i].cause;
        expect(facts, rows[i].status, PQR_OUTCOME_NOT_EXECUTED, false);
        facts.effect = PQR__EFFECT_PARTIAL;
        expect(facts, rows[i].status, PQR_OUTCOME_UNKNOWN, false);
        facts = facts_of(PQR__EFFECT_WRITE, PQR__REPLY_OK, "");
        facts.cause = rows[i].cause;
        expect(facts, PQR_STATUS_OK, PQR_OUTCOME_EXECUTED, false);
        facts = facts_of(PQR__EFFECT_READ, PQR__REPLY_ERROR, "40001");
        facts.cause = rows[i].cause;
        expect(facts, PQR_STATUS_SQL_ERROR, PQR_OUTCOME_EXECUTED, false);
    }
}

static void a_cancel_from_elsewhere_is_the_answer(void **state)
{
    (void)state;
    expect(facts_of(PQR__EFFECT_READ, PQR__REPLY_ERROR, "57014"), PQR_STATUS_SQL_ERROR, PQR_OUTCOME_EXECUTED,
        false);
}

static void an_error_without_sqlstate_proves_nothing(void **state)
{
    (void)state;
    expect(facts_of(PQR__EFFECT_WRITE, PQR__REPLY_ERROR, ""), PQR_STATUS_LOST, PQR_OUTCOME_UNKNOWN, false);
}

static void an_error_of_what_may_commit_in_parts_leaves_it_unknown(void **state)
{
    (void)state;
    expect(facts_of(PQR__EFFECT_WRITE, PQR__REPLY_ERROR, "23505"), PQR_STATUS_SQL_ERROR, PQR_OUTCOME_EXECUTED,
        false);
    expect(facts_of(PQR__EFFECT_PARTIAL, PQR__REPLY_ERROR, "22012"), PQR_STATUS_SQL_ERROR,
        PQR_OUTCOME_UNKNOWN, false);
    expect(facts_of(PQR__EFFECT_UNKNOWN, PQR__REPLY_ERROR, "22012"), PQR_STATUS_SQL_ERROR,
        PQR_OUTCOME_UNKNOWN, false);
    expect(facts_of(PQR__EFFECT_UNKNOWN, PQR__REPLY_ERROR, "42601"), PQR_STATUS_SQL_ERROR,
        PQR_OUTCOME_EXECUTED, false);
}

static void a_replica_that_refuses_sends_it_to_the_primary(void **state)
{
    (void)state;
    static const char *const sqlstates[] = {"25006", "0A000", "55000", "42P01", "42883"};
    for (int i = 0; i < 5; i++) {
        struct pqr__facts facts = facts_of(PQR__EFFECT_READ, PQR__REPLY_ERROR, sqlstates[i]);
        facts.on_replica = facts.in_recovery = true;
        struct pqr__decision decision = pqr__settle(&facts);
        assert_true(decision.again && decision.to_primary);
        assert_int_equal(decision.misroute, i < 3);
        facts.on_replica = facts.in_recovery = false;
        expect(facts, PQR_STATUS_SQL_ERROR, PQR_OUTCOME_EXECUTED, false);
    }
}

static void read_only_by_default_is_not_a_change_of_role(void **state)
{
    (void)state;
    struct pqr__facts facts = facts_of(PQR__EFFECT_WRITE, PQR__REPLY_ERROR, "25006");
    assert_false(pqr__settle(&facts).probe);
    expect(facts, PQR_STATUS_SQL_ERROR, PQR_OUTCOME_EXECUTED, false);
    facts.in_recovery = true; /* but a demoted primary's refusal is */
    assert_true(pqr__settle(&facts).probe);
    expect(facts, PQR_STATUS_SQL_ERROR, PQR_OUTCOME_EXECUTED, true);
    facts.effect = PQR__EFFECT_PARTIAL;
    assert_false(pqr__settle(&facts).again);
}

static void a_conflict_is_tried_elsewhere_or_once_more(void **state)
{
    (void)state;
    struct pqr__facts facts = facts_of(PQR__EFFECT_READ, PQR__REPLY_ERROR, "40001");
    facts.on_replica = true;
    assert_true(pqr__settle(&facts).avoid);
    facts.on_replica = false;
    assert_true(pqr__settle(&facts).again);
    facts.attempts = 2;
    assert_false(pqr__settle(&facts).again);
    facts = facts_of(PQR__EFFECT_WRITE, PQR__REPLY_ERROR, "40001");
    assert_false(pqr__settle(&facts).again);
}

static void a_unit_that_conflicts_is_run_again_while_attempts_are_left(void **state)
{
    (void)state;
    static const char *const sqlstates[] = {"40001", "40P01"};
    for (int i = 0; i < 2; i++) {
        struct pqr__facts facts = facts_of(PQR__EFFECT_WRITE, PQR__REPLY_ERROR, sqlstates[i]);
        expect(facts, PQR_STATUS_SQL_ERROR, PQR_OUTCOME_EXECUTED, false);
        facts.unit = true;
        expect(facts, PQR_STATUS_SQL_ERROR, PQR_OUTCOME_EXECUTED, true);
        facts.attempts = facts.max_attempts;
        expect(facts, PQR_STATUS_SQL_ERROR, PQR_OUTCOME_EXECUTED, false);
    }
}

static void a_transaction_left_open_is_not_a_success(void **state)
{
    (void)state;
    struct pqr__facts facts = facts_of(PQR__EFFECT_UNKNOWN, PQR__REPLY_OK, "");
    facts.left_open = true;
    expect(facts, PQR_STATUS_SQL_ERROR, PQR_OUTCOME_UNKNOWN, false);
}

static void what_neighbours_bring_upon_a_request_does_not_count(void **state)
{
    (void)state;
    struct pqr__facts aborted = facts_of(PQR__EFFECT_READ, PQR__REPLY_ABORTED, "");
    struct pqr__facts hit = facts_of(PQR__EFFECT_READ, PQR__REPLY_ERROR, "57014");
    struct pqr__facts large = facts_of(PQR__EFFECT_READ, PQR__REPLY_NONE, "");
    hit.cancel_near = true;
    large.lost = large.cut_off = large.shared = true;
    aborted.attempts = hit.attempts = large.attempts = 4;
    expect(aborted, PQR_STATUS_LOST, PQR_OUTCOME_NOT_EXECUTED, true);
    expect(hit, PQR_STATUS_SQL_ERROR, PQR_OUTCOME_EXECUTED, true);
    expect(large, PQR_STATUS_LOST, PQR_OUTCOME_UNKNOWN, true);
    assert_true(pqr__settle(&aborted).alone && pqr__settle(&hit).alone && pqr__settle(&large).alone);
    large.shared = false;
    expect(large, PQR_STATUS_LOST, PQR_OUTCOME_UNKNOWN, false);
    large.behind = true;
    expect(large, PQR_STATUS_LOST, PQR_OUTCOME_UNKNOWN, true);
    large.effect = PQR__EFFECT_WRITE; /* it may well have run */
    expect(large, PQR_STATUS_LOST, PQR_OUTCOME_UNKNOWN, false);
    hit.cancel_near = false; /* of the server's own timeout, or an administrator */
    expect(hit, PQR_STATUS_SQL_ERROR, PQR_OUTCOME_EXECUTED, false);
    hit.cancel_near = true;
    hit.effect = PQR__EFFECT_WRITE; /* it is rolled back whole */
    expect(hit, PQR_STATUS_SQL_ERROR, PQR_OUTCOME_EXECUTED, true);
    hit.effect = PQR__EFFECT_PARTIAL;
    expect(hit, PQR_STATUS_SQL_ERROR, PQR_OUTCOME_UNKNOWN, false);
}

/* It did not run, and that its connection was lost afterwards, or closed for a neighbour's sake, is no fault of it. */
static void nor_does_what_happens_to_the_connection_then(void **state)
{
    (void)state;
    struct pqr__facts facts = facts_of(PQR__EFFECT_READ, PQR__REPLY_ABORTED, "");
    facts.lost = facts.sent = facts.shared = true;
    facts.attempts = facts.max_attempts;
    expect(facts, PQR_STATUS_LOST, PQR_OUTCOME_NOT_EXECUTED, true);
    struct pqr__decision decision = pqr__settle(&facts);
    assert_true(decision.alone && decision.avoid && decision.probe);
    facts.reply = PQR__REPLY_NONE;
    expect(facts, PQR_STATUS_LOST, PQR_OUTCOME_UNKNOWN, false);
    facts.cancel_near = true;
    expect(facts, PQR_STATUS_LOST, PQR_OUTCOME_UNKNOWN, true);
    assert_true(pqr__settle(&facts).alone);
    facts.effect = PQR__EFFECT_WRITE;
    expect(facts, PQR_STATUS_LOST, PQR_OUTCOME_UNKNOWN, false);
}

static void a_stale_statement_is_run_again_by_its_text_whatever_attempts_are_left(void **state)
{
    (void)state;
    struct pqr__facts facts = facts_of(PQR__EFFECT_WRITE, PQR__REPLY_ERROR, "26000");
    expect(facts, PQR_STATUS_SQL_ERROR, PQR_OUTCOME_EXECUTED, false);
    facts.stale = true;
    expect(facts, PQR_STATUS_SQL_ERROR, PQR_OUTCOME_EXECUTED, true);
    facts.attempts = facts.max_attempts;
    expect(facts, PQR_STATUS_SQL_ERROR, PQR_OUTCOME_EXECUTED, true);
    assert_true(pqr__settle(&facts).by_text);
    facts.lost = facts.sent = true; /* afterwards */
    expect(facts, PQR_STATUS_SQL_ERROR, PQR_OUTCOME_EXECUTED, true);
    facts.cause = PQR__CAUSE_DEADLINE;
    expect(facts, PQR_STATUS_TIMEOUT, PQR_OUTCOME_UNKNOWN, false);
}

/* Everything else as it may be: the number's bits, one for each. */
static struct pqr__facts any_facts(unsigned bits, enum pqr__effect effect, const char *sqlstate)
{
    struct pqr__facts facts = facts_of(effect, (enum pqr__reply_kind)(bits & 3), sqlstate);
    facts.lost = bits & 1 << 2;
    facts.sent = bits & 1 << 3;
    facts.on_replica = bits & 1 << 4;
    facts.in_recovery = bits & 1 << 5;
    facts.vouched = bits & 1 << 6;
    facts.stale = bits & 1 << 7;
    facts.cancel_near = bits & 1 << 8;
    facts.behind = bits & 1 << 9;
    facts.unit = bits & 1 << 10;
    facts.cause = bits & 1 << 11 ? PQR__CAUSE_CANCEL : PQR__CAUSE_NONE;
    return facts;
}

static void what_was_shown_is_never_run_again_and_told_as_it_is(void **state)
{
    (void)state;
    static const char *const sqlstates[] = {
        "", "25006", "0A000", "55000", "40001", "40P01", "42P01", "57014", "57P01", "26000", "22012"};
    unsigned again = 0;
    for (unsigned bits = 0; bits < 1 << 12; bits++) {
        for (size_t i = 0; i < EFFECTS * sizeof(sqlstates) / sizeof(*sqlstates); i++) {
            struct pqr__facts facts = any_facts(bits, every_effect[i % EFFECTS], sqlstates[i / EFFECTS]);
            struct pqr__decision unshown = pqr__settle(&facts);
            facts.shown = true;
            struct pqr__decision shown = pqr__settle(&facts);
            assert_false(shown.again || shown.to_primary || shown.avoid || shown.alone || shown.by_text);
            assert_int_equal(shown.status, unshown.status);
            assert_int_equal(shown.outcome, unshown.outcome);
            assert_int_equal(shown.probe, unshown.probe);
            again += unshown.again;
        }
    }
    assert_true(again > 0);
}

static void what_came_whole_and_was_withheld_is_not_ok(void **state)
{
    (void)state;
    struct pqr__facts facts = facts_of(PQR__EFFECT_WRITE, PQR__REPLY_OK, "");
    facts.cause = PQR__CAUSE_CANCEL;
    facts.shown = true;
    expect(facts, PQR_STATUS_OK, PQR_OUTCOME_EXECUTED, false); /* they were all */
    facts.withheld = true;
    expect(facts, PQR_STATUS_CANCELLED, PQR_OUTCOME_EXECUTED, false);
    facts.cause = PQR__CAUSE_DEADLINE;
    expect(facts, PQR_STATUS_TIMEOUT, PQR_OUTCOME_EXECUTED, false);
    facts.lost = true; /* before its Sync, perhaps */
    expect(facts, PQR_STATUS_TIMEOUT, PQR_OUTCOME_UNKNOWN, false);
    facts = facts_of(PQR__EFFECT_WRITE, PQR__REPLY_ERROR, "23503");
    facts.cause = PQR__CAUSE_CANCEL;
    facts.withheld = true;
    expect(facts, PQR_STATUS_SQL_ERROR, PQR_OUTCOME_EXECUTED, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lost_write_that_was_sent_is_unknown_and_never_run_again),
        cmocka_unit_test(what_was_never_sent_is_run_again_whatever_it_is),
        cmocka_unit_test(a_vouched_write_is_run_again),
        cmocka_unit_test(an_answer_that_was_too_large_is_not_asked_for_again),
        cmocka_unit_test(nothing_is_run_again_once_it_was_told_to_end),
        cmocka_unit_test(a_cancel_from_elsewhere_is_the_answer),
        cmocka_unit_test(an_error_without_sqlstate_proves_nothing),
        cmocka_unit_test(an_error_of_what_may_commit_in_parts_leaves_it_unknown),
        cmocka_unit_test(a_replica_that_refuses_sends_it_to_the_primary),
        cmocka_unit_test(read_only_by_default_is_not_a_change_of_role),
        cmocka_unit_test(a_conflict_is_tried_elsewhere_or_once_more),
        cmocka_unit_test(a_unit_that_conflicts_is_run_again_while_attempts_are_left),
        cmocka_unit_test(a_transaction_left_open_is_not_a_success),
        cmocka_unit_test(what_neighbours_bring_upon_a_request_does_not_count),
        cmocka_unit_test(nor_does_what_happens_to_the_connection_then),
        cmocka_unit_test(a_stale_statement_is_run_again_by_its_text_whatever_attempts_are_left),
        cmocka_unit_test(what_was_shown_is_never_run_again_and_told_as_it_is),
        cmocka_unit_test(what_came_whole_and_was_withheld_is_not_ok),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
