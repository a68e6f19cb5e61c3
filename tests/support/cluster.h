/* A real primary with its replicas for an integration test: the script beside this file, held by a pipe, so that
   the servers and their files go away with the test, however it ends.

   Server 0 begins as the primary, 1, 2 ... as replicas; the numbers stay when roles change. Every function ends
   the test's process with a message when it cannot do its work (77, which meson shows as skipped, when no
   PostgreSQL is installed), so that tests need no error handling for it. All of them block. */
#ifndef PQR_TESTS_CLUSTER_H
#define PQR_TESTS_CLUSTER_H

#include <stdbool.h>
#include <sys/types.h>

enum { CLUSTER_SERVERS_MAX = 9 };

struct cluster_server {
    char name[32]; /* primary, replica1 ... */
    int port;
    char conninfo[128];
};

struct cluster {
    char dir[64];     /* holds NAME (data), NAME.log */
    char sockets[80]; /* the superuser's way in: user postgres, any database */
    int count;        /* servers */
    struct cluster_server servers[CLUSTER_SERVERS_MAX];
    pid_t holder;
    int pipe; /* closed: the holder stops everything */
    char *answer;
};

void cluster_start(struct cluster *cluster, int replicas);
/* Fine for one that was stopped before. */
void cluster_stop(struct cluster *cluster);

int cluster_port(const struct cluster *cluster, int server);
/* "host=127.0.0.1 port=N user=app dbname=app": a plain role that owns the database app. For tests of passwords
   there is the role scram, password secret, as well. */
const char *cluster_conninfo(const struct cluster *cluster, int server);
/* All servers in one connection string: host=127.0.0.1,127.0.0.1 port=N,M ... */
void cluster_conninfo_all(const struct cluster *cluster, char *out, size_t size);

/* mode: fast, immediate, smart. A server that is down already is fine. */
void cluster_stop_server(struct cluster *cluster, int server, const char *mode);
void cluster_start_server(struct cluster *cluster, int server);
/* SIGKILL to the server and every process of it. */
void cluster_kill_server(struct cluster *cluster, int server);
/* Returns when the server takes writes. */
void cluster_promote(struct cluster *cluster, int server);
/* The postmaster's, from its pid file, for signals; a server that does not run has none: an error. */
pid_t cluster_server_pid(const struct cluster *cluster, int server);

/* Runs SQL as the superuser in the database app, by the private socket (pg_stat_activity shows usename postgres).
   Returns the last result's rows as text, columns parted by '|', rows by newlines; valid until the next call. */
const char *cluster_exec(struct cluster *cluster, int server, const char *sql);
/* Waits until every replica that runs has replayed all that server `primary` has written. */
void cluster_sync(struct cluster *cluster, int primary);

#endif
