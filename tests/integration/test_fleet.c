/* Eight processes on one server: they find each other, share what it admits, and follow when some of them die and when
   others join. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app.h"
#include "suite.h"

enum { PROCESSES = 8, LIMIT = 43 };

/* The role's limit less the margin, over eight and over four. */
#define SHARE_OF_EIGHT 5
#define SHARE_OF_FOUR  10

static const char tables[] = "alter role app connection limit 43";

/* Keeps more requests waiting than its part of the connections can take at once. */
static void keep_busy(struct app *app)
{
    while (app->accepted - app->answered < 12)
        app_send(app, "/*pqr:primary*/ select pg_sleep(0.05)");
    app_turn(app, 10);
}

static bool agreed(struct app *app, uint32_t members, uint32_t share)
{
    pqr_pool_stats pool = app_pool(app, 0);
    assert_true(pool.total_connections <= 20);
    return pool.fleet_members == members && pool.fleet_share == share && pool.total_connections <= share;
}

static void tell_when_agreed(struct app *app, int tell, uint32_t members, uint32_t share)
{
    const char byte = (char)('0' + members);
    while (!agreed(app, members, share))
        keep_busy(app);
    if (write(tell, &byte, 1) != 1)
        _exit(1);
}

/* A process: tells by a byte that it has seen eight, by another that it has seen four, and then eight again; later
   ones begin with these. It ends by a signal. */
static _Noreturn void live(int tell, bool later)
{
    struct app app = {0};
    app_open(&app, &cluster,
        "pool = { min = 1; max = 20; }; fleet = { enabled = true; interval = \"1s\"; margin = 3; };\n"
        "probe = { interval = \"200ms\"; timeout = \"10s\"; };");
    if (!later) {
        tell_when_agreed(&app, tell, PROCESSES, SHARE_OF_EIGHT);
        tell_when_agreed(&app, tell, PROCESSES / 2, SHARE_OF_FOUR);
    }
    tell_when_agreed(&app, tell, PROCESSES, SHARE_OF_EIGHT);
    for (;;)
        keep_busy(&app);
}

static void begin(pid_t *pids, int first, int n, int tell, bool later)
{
    for (int i = first; i < first + n; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            alarm(150); /* not left behind, whatever happens */
            live(tell, later);
        }
    }
}

/* So many bytes, each the one expected. */
static void hear(int from, char expected, int n)
{
    for (int i = 0; i < n; i++) {
        char byte = 0;
        assert_int_equal(read(from, &byte, 1), 1);
        assert_int_equal(byte, expected);
    }
}

static void end(const pid_t *pids, int first, int n, int signal)
{
    for (int i = first; i < first + n; i++)
        kill(pids[i], signal);
    for (int i = first; i < first + n; i++)
        assert_int_equal(waitpid(pids[i], NULL, 0), pids[i]);
}

static void assert_fleet_of_eight(void)
{
    assert_true(cluster_sessions(&cluster, 0) <= LIMIT);
    assert_int_equal(cluster_long(&cluster, 0,
                         "select count(distinct application_name) from pg_stat_activity"
                         " where application_name like 'pqrouter fleet %'"),
        PROCESSES);
}

static void eight_processes_share_what_the_server_admits(void **state)
{
    (void)state;
    int pipes[2];
    pid_t pids[PROCESSES];
    assert_int_equal(pipe(pipes), 0);
    begin(pids, 0, PROCESSES, pipes[1], false);
    hear(pipes[0], '8', PROCESSES);
    assert_fleet_of_eight();
    end(pids, 0, PROCESSES / 2, SIGKILL);
    hear(pipes[0], '4', PROCESSES / 2);
    assert_true(cluster_sessions(&cluster, 0) <= LIMIT);
    begin(pids, 0, PROCESSES / 2, pipes[1], true); /* those that stay make room for those that come */
    hear(pipes[0], '8', PROCESSES);
    assert_fleet_of_eight();
    end(pids, 0, PROCESSES, SIGKILL);
    close(pipes[1]);
    close(pipes[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(eight_processes_share_what_the_server_admits),
    };
    return SUITE_RUN(tests, 0, tables);
}
