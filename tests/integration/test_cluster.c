/* The helper that every other integration test trusts: its servers have the roles it says, come back after each
   way of going down, and nothing of them is left at the end, not even when the test is killed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cluster.h"

static struct cluster cluster;

static int start(void **state)
{
    (void)state;
    cluster_start(&cluster, 2);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    char dir[64];
    snprintf(dir, sizeof(dir), "%s", cluster.dir);
    cluster_stop(&cluster);
    return access(dir, F_OK) == 0; /* it must be gone */
}

static void servers_have_their_roles(void **state)
{
    (void)state;
    assert_int_equal(cluster.count, 3);
    assert_string_equal(cluster_exec(&cluster, 0, "select pg_is_in_recovery()"), "f");
    assert_string_equal(cluster_exec(&cluster, 1, "select pg_is_in_recovery()"), "t");
    assert_string_equal(cluster_exec(&cluster, 2, "select pg_is_in_recovery()"), "t");
    assert_int_not_equal(cluster_port(&cluster, 0), cluster_port(&cluster, 1));
}

static void sync_waits_for_every_replica(void **state)
{
    (void)state;
    cluster_exec(&cluster, 0, "create table seen (n int, word text)");
    cluster_exec(&cluster, 0, "insert into seen values (1, 'one'), (2, 'two')");
    cluster_sync(&cluster, 0);
    for (int i = 0; i < cluster.count; i++)
        assert_string_equal(cluster_exec(&cluster, i, "select * from seen order by n"), "1|one\n2|two");
}

static void every_stopped_server_comes_back(void **state)
{
    (void)state;
    for (int i = 0; i < cluster.count; i++) {
        cluster_stop_server(&cluster, i, "fast");
        cluster_start_server(&cluster, i);
        cluster_stop_server(&cluster, i, "immediate");
        cluster_start_server(&cluster, i);
        cluster_kill_server(&cluster, i);
        cluster_start_server(&cluster, i);
    }
    cluster_exec(&cluster, 0, "create table after_all ()");
    cluster_sync(&cluster, 0);
    assert_string_equal(cluster_exec(&cluster, 2, "select count(*) from after_all"), "0");
}

static void promoted_replica_takes_writes(void **state)
{
    (void)state;
    cluster_promote(&cluster, 2);
    cluster_exec(&cluster, 2, "create table mine ()");
    assert_string_equal(cluster_exec(&cluster, 2, "select pg_is_in_recovery()"), "f");
}

/* Tells its cluster's folder, then waits to be killed. */
static _Noreturn void run_victim(int out)
{
    struct cluster own;
    cluster_start(&own, 0);
    if (write(out, own.dir, sizeof(own.dir)) < 0)
        _exit(1);
    for (;;)
        pause();
}

static bool is_gone_within_20_s(const char *dir)
{
    for (int turn = 0; turn < 2000; turn++) {
        if (access(dir, F_OK) != 0)
            return true;
        nanosleep(&(struct timespec){.tv_nsec = 10 * 1000 * 1000}, NULL);
    }
    return false;
}

static void killed_test_leaves_nothing(void **state)
{
    (void)state;
    int fds[2];
    char dir[64] = "";
    assert_int_equal(pipe(fds), 0);
    pid_t child = fork();
    if (child == 0)
        run_victim(fds[1]);
    close(fds[1]);
    assert_int_equal(read(fds[0], dir, sizeof(dir)), sizeof(dir));
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    close(fds[0]);
    assert_true(is_gone_within_20_s(dir));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(servers_have_their_roles),
        cmocka_unit_test(sync_waits_for_every_replica),
        cmocka_unit_test(every_stopped_server_comes_back),
        cmocka_unit_test(promoted_replica_takes_writes),
        cmocka_unit_test(killed_test_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
