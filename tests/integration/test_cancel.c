/* The cancel protocol against a real server, by whatever libpq is at hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <libpq-fe.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "postgres/newer.h"
#include "rigged.h"

enum { PARTIES = 12 }; /* more than threads that a server may hold */

static void a_running_statement_can_be_cancelled(void **state)
{
    (void)state;
    const char *sql = "select pg_sleep(20)";
    party_send(&party, PQR__FLIGHT_PIPELINE, 1, &sql);
    uv_run(&rig.loop, UV_RUN_NOWAIT); /* it may be sent from the loop only */
    char waits[120];
    snprintf(waits, sizeof(waits), "select wait_event from pg_stat_activity where pid = %u",
        party.info.backend_pid);
    while (strcmp(cluster_exec(&cluster, 0, waits), "PgSleep") != 0) {}
    assert_int_equal(rig.transport->ops->cancel(party.conn), 0);
    assert_int_not_equal(rig.transport->ops->cancel(party.conn), 0); /* one at a time */
    rig_until_count(&rig, &party.cancelled, 1);
    assert_true(party.delivered);
    rig_until_count(&rig, &party.settled, 1);
    assert_string_equal(party.answers[0].sqlstate, "57014");
    assert_false(party.facts.lost);
}

static void nothing_of_a_cancel_comes_after_closed(void **state)
{
    (void)state;
    const char *sql = "select pg_sleep(20)";
    party_send(&party, PQR__FLIGHT_PIPELINE, 1, &sql);
    assert_int_equal(rig.transport->ops->cancel(party.conn), 0);
    party_leave(&party);
    assert_string_equal(party.log, "cLz");
}

static bool gives_up(void)
{
#if PQR__HAVE_NEWER
    return PQcancelPoll != NULL;
#else
    return false;
#endif
}

/* A postmaster that is stopped takes cancels in and does nothing about them: where libpq can't be made to end, only so
   many threads may wait for it; where it can, all of them are back before a next one is started. */
static void cancels_that_are_not_answered_hold_few_threads_or_none(void **state)
{
    (void)state;
    static struct party parties[PARTIES];
    unsigned refused = 0;
    for (unsigned i = 0; i < PARTIES; i++)
        party_join(&parties[i], &rig);
    pid_t postmaster = cluster_server_pid(&cluster, 0);
    assert_int_equal(kill(postmaster, SIGSTOP), 0);
    for (unsigned i = 0; i < PARTIES; i++) {
        int failed = rig.transport->ops->cancel(parties[i].conn);
        while (failed && gives_up())
            failed = rig.transport->ops->cancel(parties[i].conn);
        refused += failed == PQR_ESYSTEM;
        party_leave(&parties[i]);
        assert_int_equal(parties[i].cancelled, 0);
    }
    assert_int_equal(kill(postmaster, SIGCONT), 0);
    assert_int_equal(refused, gives_up() ? 0 : PARTIES - 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIGGED(a_running_statement_can_be_cancelled),
        RIGGED(nothing_of_a_cancel_comes_after_closed),
        RIGGED(cancels_that_are_not_answered_hold_few_threads_or_none),
    };
    return RIGGED_RUN(tests, NULL);
}
