/* What happens to the servers. Each fault is over when its function returns, but for what it has broken. The limits are
   looked at in between. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "chaos.h"

enum { ENDS_MS = 8000 }; /* a closed connection's session, at the latest */

static struct cluster *cluster;
static uint64_t random_state;
static pthread_t thread;
static atomic_bool stopping;
static atomic_ullong router_began_ms;
static unsigned samples, most_sessions;

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void rest(unsigned ms)
{
    struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    nanosleep(&time, NULL);
}

static int any_server(void)
{
    return (int)chaos_below(&random_state, (unsigned)cluster->count);
}

/* --- faults --- */

#define SESSIONS "from pg_stat_activity where usename = 'app' order by random() limit "

static void terminate_one(void)
{
    cluster_exec(cluster, any_server(), "select pg_terminate_backend(pid) " SESSIONS "1");
}

static void terminate_all(void)
{
    cluster_exec(cluster, any_server(), "select pg_terminate_backend(pid) " SESSIONS "100");
}

static void cancel_some(void)
{
    cluster_exec(cluster, any_server(), "select pg_cancel_backend(pid) " SESSIONS "2");
}

static void lock_table(void)
{
    cluster_exec(cluster, 0, "begin; lock table chaos; select pg_sleep(0.3); commit");
}

/* Stale plans, and a lock behind which all queue. */
static void alter_table(void)
{
    cluster_exec(cluster, 0, "alter table chaos add column more int; alter table chaos drop column more");
}

/* Those that wait for a standby that never comes are committed, and die without a word of it. */
static void cut_commits(void)
{
    cluster_exec(cluster, 0, "alter system set synchronous_standby_names = 'nobody'");
    cluster_exec(cluster, 0, "select pg_reload_conf()");
    rest(200);
    cluster_exec(cluster, 0, "select pg_terminate_backend(pid) " SESSIONS "100");
    cluster_exec(cluster, 0, "alter system reset synchronous_standby_names");
    cluster_exec(cluster, 0, "select pg_reload_conf()");
}

static void refuse_connections(void)
{
    cluster_exec(cluster, 0, "alter role app connection limit 2");
    rest(500);
    cluster_exec(cluster, 0, "alter role app connection limit -1");
}

/* 0: it has none. */
static pid_t any_session(int server)
{
    return (pid_t)strtol(cluster_exec(cluster, server, "select pid " SESSIONS "1"), NULL, 10);
}

static void freeze(pid_t pid)
{
    if (pid <= 1 || kill(pid, SIGSTOP) != 0)
        return;
    rest(100 + chaos_below(&random_state, 1500));
    kill(pid, SIGCONT);
}

static void freeze_session(void)
{
    freeze(any_session(any_server()));
}

/* No new connections. */
static void freeze_server(void)
{
    freeze(cluster_server_pid(cluster, any_server()));
}

/* The others end, and the server recovers. */
static void kill_session(void)
{
    int server = any_server();
    pid_t pid = any_session(server);
    if (pid > 1)
        kill(pid, SIGKILL);
    rest(1000);
    cluster_stop_server(cluster, server, "fast");
    cluster_start_server(cluster, server);
}

static void restart(const char *mode)
{
    int server = any_server();
    cluster_stop_server(cluster, server, mode);
    rest(chaos_below(&random_state, 1500));
    cluster_start_server(cluster, server);
}

static void restart_fast(void)
{
    restart("fast");
}

static void restart_at_once(void)
{
    restart("immediate");
}

static void kill_server(void)
{
    int server = any_server();
    cluster_kill_server(cluster, server);
    rest(chaos_below(&random_state, 1000));
    cluster_start_server(cluster, server);
}

static struct fault {
    const char *name;
    void (*happen)(void);
    unsigned percent, count;
} faults[] = {
    {"a session terminated", terminate_one, 30, 0},
    {"all sessions terminated", terminate_all, 5, 0},
    {"commits cut off", cut_commits, 5, 0},
    {"statements cancelled", cancel_some, 15, 0},
    {"the table locked", lock_table, 6, 0},
    {"the table altered", alter_table, 8, 0},
    {"connections refused", refuse_connections, 5, 0},
    {"a session frozen", freeze_session, 8, 0},
    {"a postmaster frozen", freeze_server, 5, 0},
    {"a session killed", kill_session, 3, 0},
    {"a server restarted", restart_fast, 4, 0},
    {"a server restarted at once", restart_at_once, 3, 0},
    {"a server killed", kill_server, 3, 0},
};

enum { FAULTS = sizeof(faults) / sizeof(*faults) };

/* --- the thread --- */

/* Promise 3. A router that was closed leaves its sessions to end by themselves. */
static void check_limit(int server)
{
    uint64_t before_ms = now_ms();
    unsigned sessions = (unsigned)strtoul(
        cluster_exec(cluster, server, "select count(*) from pg_stat_activity where usename = 'app'"), NULL,
        10);
    if (before_ms - router_began_ms < ENDS_MS)
        return;
    samples++;
    most_sessions = sessions > most_sessions ? sessions : most_sessions;
    if (sessions > CHAOS_MAX)
        chaos_fail("%u sessions on %s, of %d", sessions, cluster->servers[server].name, CHAOS_MAX);
}

static void *run(void *unused)
{
    while (!stopping) {
        unsigned drawn = chaos_below(&random_state, 100), chosen = 0;
        for (; drawn >= faults[chosen].percent; chosen++)
            drawn -= faults[chosen].percent;
        faults[chosen].count++;
        faults[chosen].happen();
        check_limit(any_server());
        rest(chaos_below(&random_state, 600));
    }
    return unused;
}

void faults_start(struct cluster *servers, uint64_t seed)
{
    cluster = servers;
    random_state = seed;
    if (pthread_create(&thread, NULL, run, NULL) != 0)
        chaos_fail("no thread");
}

void faults_stop(void)
{
    stopping = true;
    pthread_join(thread, NULL);
}

void faults_router_began(void)
{
    router_began_ms = now_ms();
}

void faults_print(void)
{
    for (unsigned i = 0; i < FAULTS; i++)
        printf("%10u  %s\n", faults[i].count, faults[i].name);
    printf("%10u  times the limit of %d sessions was looked at: %u at most\n", samples, CHAOS_MAX,
        most_sessions);
}
