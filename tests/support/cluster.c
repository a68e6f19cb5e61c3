/* The C side of tests/support/cluster. The script is started as `cluster hold`: it prints the servers' names and
   ports, and stops everything when the pipe to its standard input closes, which also happens when this process
   crashes or is killed. It gets a session of its own, so that no signal to our process group reaches it. */
#include "cluster.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <libpq-fe.h>

static _Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));

static _Noreturn void die(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("cluster: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(1);
}

/* The child of fork: in and out become its standard input and output. */
static _Noreturn void exec_script(int in, int out, char *const arguments[])
{
    setsid();
    if (dup2(in, 0) < 0 || dup2(out, 1) < 0)
        _exit(1);
    execv(CLUSTER_SCRIPT, arguments);
    perror(CLUSTER_SCRIPT);
    _exit(1);
}

static void wait_for(pid_t pid, const char *what)
{
    int status;
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR)
            die("waitpid: %s", strerror(errno));
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
        exit(77);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        die("%s failed", what);
}

/* cluster VERB DIR NAME [MODE] */
static void run_verb(struct cluster *cluster, const char *verb, int server, const char *mode)
{
    char words[5][80] = {"cluster"};
    snprintf(words[1], sizeof(words[1]), "%s", verb);
    snprintf(words[2], sizeof(words[2]), "%s", cluster->dir);
    snprintf(words[3], sizeof(words[3]), "%s", cluster->servers[server].name);
    snprintf(words[4], sizeof(words[4]), "%s", mode ? mode : "");
    char *arguments[] = {words[0], words[1], words[2], words[3], mode ? words[4] : NULL, NULL};
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    pid_t pid = fork();
    if (pid < 0 || null < 0)
        die("%s: %s", verb, strerror(errno));
    if (pid == 0)
        exec_script(null, 2, arguments);
    close(null);
    wait_for(pid, verb);
}

static void read_line(struct cluster *cluster, const char *line)
{
    int server;
    char value[160];
    if (sscanf(line, "server_%d_name=%31s", &server, value) == 2 && server < CLUSTER_SERVERS_MAX)
        snprintf(cluster->servers[server].name, sizeof(cluster->servers[server].name), "%.31s", value);
    else if (sscanf(line, "cluster_servers=%d", &server) == 1)
        cluster->count = server;
    else if (sscanf(line, "cluster_sockets=%79s", value) == 1)
        snprintf(cluster->sockets, sizeof(cluster->sockets), "%.79s", value);
    else if (sscanf(line, "server_%d_port=%15s", &server, value) == 2 && server < CLUSTER_SERVERS_MAX) {
        struct cluster_server *one = &cluster->servers[server];
        one->port = (int)strtol(value, NULL, 10);
        snprintf(
            one->conninfo, sizeof(one->conninfo), "host=127.0.0.1 port=%d user=app dbname=app", one->port);
    }
}

/* Reads what the script prints, up to its "ready"; false: it ended first. */
static bool read_servers(struct cluster *cluster, int fd)
{
    FILE *file = fdopen(fd, "r");
    if (!file)
        die("fdopen: %s", strerror(errno));
    char line[256];
    bool ready = false;
    while (!ready && fgets(line, sizeof(line), file)) {
        ready = strcmp(line, "ready\n") == 0;
        read_line(cluster, line);
    }
    fclose(file);
    return ready;
}

void cluster_start(struct cluster *cluster, int replicas)
{
    memset(cluster, 0, sizeof(*cluster));
    snprintf(cluster->dir, sizeof(cluster->dir), "/tmp/pqr.XXXXXX");
    int in[2], out[2];
    if (!mkdtemp(cluster->dir) || pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0)
        die("%s: %s", cluster->dir, strerror(errno));
    char number[16];
    snprintf(number, sizeof(number), "%d", replicas);
    char hold[] = "hold", option[] = "--replicas", name[] = "cluster";
    char *arguments[] = {name, hold, cluster->dir, option, number, NULL};
    cluster->holder = fork();
    if (cluster->holder < 0)
        die("fork: %s", strerror(errno));
    if (cluster->holder == 0)
        exec_script(in[0], out[1], arguments);
    close(in[0]);
    close(out[1]);
    cluster->pipe = in[1];
    if (!read_servers(cluster, out[0])) {
        close(cluster->pipe);
        rmdir(cluster->dir); /* still there when the script did not come far */
        wait_for(cluster->holder, "starting the servers");
        die("starting the servers: it ended early");
    }
}

void cluster_stop(struct cluster *cluster)
{
    free(cluster->answer);
    cluster->answer = NULL;
    if (cluster->holder <= 0)
        return;
    close(cluster->pipe);
    pid_t holder = cluster->holder;
    cluster->holder = 0;
    wait_for(holder, "stopping the servers");
}

static const struct cluster_server *get_server(const struct cluster *cluster, int server)
{
    if (server < 0 || server >= cluster->count)
        die("there is no server %d", server);
    return &cluster->servers[server];
}

int cluster_port(const struct cluster *cluster, int server)
{
    return get_server(cluster, server)->port;
}

const char *cluster_conninfo(const struct cluster *cluster, int server)
{
    return get_server(cluster, server)->conninfo;
}

void cluster_conninfo_all(const struct cluster *cluster, char *out, size_t size)
{
    char hosts[256] = "", ports[128] = "";
    size_t host = 0, port = 0;
    for (int i = 0; i < cluster->count; i++) {
        const char *comma = i ? "," : "";
        host += (size_t)snprintf(hosts + host, sizeof(hosts) - host, "%s127.0.0.1", comma);
        port += (size_t)snprintf(ports + port, sizeof(ports) - port, "%s%d", comma, cluster_port(cluster, i));
    }
    int length = snprintf(out, size, "host=%s port=%s user=app dbname=app", hosts, ports);
    if (length < 0 || (size_t)length >= size)
        die("the connection string needs %d bytes", length);
}

void cluster_stop_server(struct cluster *cluster, int server, const char *mode)
{
    get_server(cluster, server);
    run_verb(cluster, "stop-server", server, mode);
}

void cluster_start_server(struct cluster *cluster, int server)
{
    get_server(cluster, server);
    run_verb(cluster, "start-server", server, NULL);
}

void cluster_kill_server(struct cluster *cluster, int server)
{
    get_server(cluster, server);
    run_verb(cluster, "kill-server", server, NULL);
}

void cluster_promote(struct cluster *cluster, int server)
{
    get_server(cluster, server);
    run_verb(cluster, "promote", server, NULL);
}

pid_t cluster_server_pid(const struct cluster *cluster, int server)
{
    char path[160], line[32] = "";
    snprintf(path, sizeof(path), "%s/%s/postmaster.pid", cluster->dir, get_server(cluster, server)->name);
    FILE *file = fopen(path, "re");
    if (!file || !fgets(line, sizeof(line), file))
        die("%s: %s", path, strerror(errno));
    fclose(file);
    return (pid_t)strtol(line, NULL, 10);
}

static PGconn *connect_superuser(const struct cluster *cluster, int server)
{
    char conninfo[256];
    snprintf(conninfo, sizeof(conninfo), "host=%s port=%d user=postgres dbname=app application_name=cluster",
        cluster->sockets, get_server(cluster, server)->port);
    return PQconnectdb(conninfo);
}

/* The rows as text, to be freed. */
static char *rows_as_text(const PGresult *result)
{
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    if (!stream)
        die("out of memory");
    for (int row = 0; row < PQntuples(result); row++) {
        for (int column = 0; column < PQnfields(result); column++) {
            fputs(column ? "|" : row ? "\n" : "", stream);
            fputs(PQgetvalue(result, row, column), stream);
        }
    }
    fclose(stream);
    return text;
}

const char *cluster_exec(struct cluster *cluster, int server, const char *sql)
{
    PGconn *conn = connect_superuser(cluster, server);
    PGresult *result = PQexec(conn, sql);
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
        die("%s: %s: %s", get_server(cluster, server)->name, sql, PQerrorMessage(conn));
    free(cluster->answer);
    cluster->answer = rows_as_text(result);
    PQclear(result);
    PQfinish(conn);
    return cluster->answer;
}

static bool has_replayed(struct cluster *cluster, int server, const char *lsn)
{
    PGconn *conn = connect_superuser(cluster, server);
    bool done = PQstatus(conn) != CONNECTION_OK; /* it does not run */
    if (!done) {
        const char *values[] = {lsn};
        PGresult *result =
            PQexecParams(conn, "select not pg_is_in_recovery() or pg_last_wal_replay_lsn() >= $1::pg_lsn", 1,
                NULL, values, NULL, NULL, 0);
        done = PQresultStatus(result) == PGRES_TUPLES_OK && PQgetvalue(result, 0, 0)[0] == 't';
        PQclear(result);
    }
    PQfinish(conn);
    return done;
}

void cluster_sync(struct cluster *cluster, int primary)
{
    char lsn[32];
    snprintf(lsn, sizeof(lsn), "%s", cluster_exec(cluster, primary, "select pg_current_wal_flush_lsn()"));
    for (int i = 0; i < cluster->count; i++) {
        for (int turn = 0; i != primary && !has_replayed(cluster, i, lsn); turn++) {
            if (turn == 1000)
                die("%s has not replayed %s", cluster->servers[i].name, lsn);
            nanosleep(&(struct timespec){.tv_nsec = 10 * 1000 * 1000}, NULL);
        }
    }
}
