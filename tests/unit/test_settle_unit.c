/* What became of a transaction that was sent whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "policy/settle_unit.h"

static struct pqr__unit_facts facts_of(enum pqr__reply_kind commit, bool committed, const char *sqlstate)
{
    return (struct pqr__unit_facts){
        .sent = true, .sqlstate = "", .commit = commit, .committed = committed, .commit_sqlstate = sqlstate};
}

static void commits_own_answer_decides(void **state)
{
    (void)state;
    struct pqr__unit_facts facts = facts_of(PQR__REPLY_OK, true, "");
    assert_int_equal(pqr__settle_unit(&facts), PQR__FATE_COMMITTED);
    facts = facts_of(PQR__REPLY_OK, false, ""); /* ROLLBACK */
    assert_int_equal(pqr__settle_unit(&facts), PQR__FATE_ROLLED_BACK);
    facts = facts_of(PQR__REPLY_ERROR, false, "23503"); /* a deferred constraint */
    assert_int_equal(pqr__settle_unit(&facts), PQR__FATE_ROLLED_BACK);
    facts = facts_of(PQR__REPLY_ABORTED, false, "");
    assert_int_equal(pqr__settle_unit(&facts), PQR__FATE_ROLLED_BACK);
}

static void an_answer_that_is_libpqs_own_leaves_it_unknown(void **state)
{
    (void)state;
    struct pqr__unit_facts facts = facts_of(PQR__REPLY_ERROR, false, "");
    assert_int_equal(pqr__settle_unit(&facts), PQR__FATE_UNKNOWN);
    facts = facts_of(PQR__REPLY_NONE, false, "");
    assert_int_equal(pqr__settle_unit(&facts), PQR__FATE_UNKNOWN);
    facts = facts_of(PQR__REPLY_OK, true, "");
    facts.failed = true; /* the rows of a query did not fit into memory, and it was committed all the same */
    assert_int_equal(pqr__settle_unit(&facts), PQR__FATE_COMMITTED);
}

static void a_lost_connection_proves_nothing_once_it_was_sent(void **state)
{
    (void)state;
    for (int commit = PQR__REPLY_NONE; commit <= PQR__REPLY_ABORTED; commit++) {
        struct pqr__unit_facts facts = facts_of((enum pqr__reply_kind)commit, false, "57P01");
        facts.lost = true;
        assert_int_equal(pqr__settle_unit(&facts), PQR__FATE_UNKNOWN);
        facts.failed = true; /* libpq's own */
        assert_int_equal(pqr__settle_unit(&facts), PQR__FATE_UNKNOWN);
        facts.sqlstate = "57P01"; /* the server shuts down */
        assert_int_equal(pqr__settle_unit(&facts), PQR__FATE_UNKNOWN);
    }
    struct pqr__unit_facts facts = facts_of(PQR__REPLY_NONE, false, "");
    facts.lost = true;
    facts.sent = false;
    assert_int_equal(pqr__settle_unit(&facts), PQR__FATE_NOT_SENT);
}

static void the_servers_error_before_commit_proves_that_it_did_not_run(void **state)
{
    (void)state;
    struct pqr__unit_facts facts = facts_of(PQR__REPLY_NONE, false, "");
    facts.failed = facts.lost = true;
    facts.sqlstate = "23505";
    assert_int_equal(pqr__settle_unit(&facts), PQR__FATE_ROLLED_BACK);
    facts.lost = false;
    facts.commit = PQR__REPLY_ERROR; /* libpq's own, in the place of what was skipped */
    assert_int_equal(pqr__settle_unit(&facts), PQR__FATE_ROLLED_BACK);
    facts.commit = PQR__REPLY_ABORTED;
    facts.sqlstate = "57P01";
    assert_int_equal(pqr__settle_unit(&facts), PQR__FATE_ROLLED_BACK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commits_own_answer_decides),
        cmocka_unit_test(an_answer_that_is_libpqs_own_leaves_it_unknown),
        cmocka_unit_test(a_lost_connection_proves_nothing_once_it_was_sent),
        cmocka_unit_test(the_servers_error_before_commit_proves_that_it_did_not_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
