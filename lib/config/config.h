/* A validated configuration: what config/pqrouter.cfg describes, every default filled in, immutable and
   counted. All times in microseconds, all sizes in bytes. */
#ifndef PQR_CONFIG_CONFIG_H
#define PQR_CONFIG_CONFIG_H

#include <stdatomic.h>

#include "pqrouter.h"

enum pqr__expected_role { PQR__EXPECT_ANY, PQR__EXPECT_PRIMARY, PQR__EXPECT_REPLICA };
enum pqr__reads_mode { PQR__READS_AUTO, PQR__READS_EXPLICIT };
enum pqr__reads_session { PQR__SESSION_REFUSE, PQR__SESSION_PRIMARY };
enum pqr__balance {
    PQR__BALANCE_LEAST_OUTSTANDING,
    PQR__BALANCE_ROUND_ROBIN,
    PQR__BALANCE_RANDOM,
    PQR__BALANCE_EWMA
};
enum pqr__reads_primary { PQR__PRIMARY_NEVER, PQR__PRIMARY_FALLBACK, PQR__PRIMARY_ALWAYS };

/* Since when a client that is gone is noticed while a statement runs (PostgreSQL manual, section 20.3.2). */
#define PQR__CHECK_SETTING "client_connection_check_interval"
#define PQR__CHECK_OPTION  "-c " PQR__CHECK_SETTING "=500ms"

struct pqr__server_config {
    char *name; /* unique; by default host:port */
    char *host; /* for people: host, else hostaddr, else socket folder */
    char *port;
    char *dbname;
    /* libpq's parameters with ours (keepalives, application_name ...), NULL at the end of both, for
       PQconnectStartParams(keywords, values, 0); one host, any target_session_attrs. */
    char **keywords;
    char **values;
    char *
        options; /* to be taken in the place of theirs: with ours before them; NULL: theirs say, or none may be sent */
    enum pqr__expected_role role;
    uint32_t weight; /* 1 .. 1000, default 100; of reads among replicas */
    uint32_t min, max;
    bool pooler; /* a pooler stands in front: other sessions may get what this one left */
    char *zone;  /* "": of none */
};

struct pqr_config {
    atomic_uint references;
    char *source; /* the file's name, or "connection string" */

    struct pqr__server_config *servers;
    uint32_t n_servers; /* at most 64 */

    struct {
        uint32_t min, max;                       /* a server; a server's own win. 2, 20 */
        uint32_t max_total;                      /* 0: none */
        uint32_t admin_reserved;                 /* 1 */
        uint32_t connects_at_once;               /* a server: 2 */
        uint64_t idle_timeout_us;                /* 10 min; surplus over min is closed after it */
        uint64_t lifetime_us;                    /* 1 h; 0: none */
        uint32_t lifetime_jitter;                /* percent: 10 */
        uint64_t connect_timeout_us;             /* 10 s */
        uint64_t backoff_min_us, backoff_max_us; /* 100 ms, 15 s: after a failed connect, doubled each time */
        bool resize;                             /* true: sized by the load */
        uint32_t target_utilisation;             /* percent: 70 */
        uint64_t window_us;                      /* 1 min */
        uint32_t pipeline_depth;                 /* requests in the air of a connection: 64 */
        char *init_sql; /* run on each new connection, statements joined by ";\n"; NULL: none */
        bool warm_up;   /* false; pqr_router_ready waits for min */
    } pool;
    struct {
        bool enabled;         /* false */
        uint64_t interval_us; /* 10 s */
        uint32_t margin;      /* 3 */
    } fleet;
    struct { /* in the servers' keywords already; 0: the system's own */
        uint64_t keepalives_idle_us, keepalives_interval_us; /* 30 s, 10 s */
        uint32_t keepalives_count;                           /* 5 */
        uint64_t user_timeout_us;                            /* 30 s */
    } tcp;
    struct {
        uint64_t interval_us, timeout_us; /* 1 s, 1 s */
    } probe;
    struct {
        enum pqr__reads_mode mode;       /* auto: by the text; explicit: by target and comments alone */
        enum pqr__reads_session session; /* refuse: what needs a session; primary: run there, then reset */
        /* Patterns of functions, schema.name, one a line; NULL: none. */
        char *harmless_functions, *harmful_functions;
        enum pqr__balance balance;       /* ewma */
        enum pqr__reads_primary primary; /* fallback: it serves reads when no replica can */
        uint32_t fallback_max;           /* percent of its connections for such reads: 75 */
        uint64_t slow_start_us;          /* 5 s; 0: none */
        char *zone;                      /* preferred; NULL or "": none */
        uint32_t share_sync;             /* reads under one Sync: 32; 1: each has its own */
        uint64_t share_limit_us;         /* 5 ms: reads that take longer share no connection */
    } reads;
    struct {
        bool pipeline; /* false: a write has its connection for itself */
    } writes;
    struct {
        uint32_t max_requests; /* 10,000 */
        uint64_t max_bytes;    /* 64 MiB of text and parameters */
        uint32_t normal_share; /* percent, of what administrators and normal requests both want: 25 */
        uint32_t batch_share;  /* percent, for batch requests that have waited for batch_age: 10 */
        uint64_t batch_age_us; /* 10 s */
        uint64_t target_us;    /* 1 s: a longer wait, for all of the interval, is overload; 0: never */
        uint64_t interval_us;  /* 2 s */
    } queue;
    struct {
        uint64_t timeout_us;       /* 30 s; 0: none */
        uint64_t cancel_grace_us;  /* 500 ms */
        uint32_t max_retries;      /* 3 */
        uint64_t max_result_bytes; /* 256 MiB; 0: none */
    } request;
    struct {
        uint64_t idle_timeout_us; /* 5 s */
        uint32_t max_attempts;    /* 3 */
    } transaction;
    struct {
        bool load;           /* true */
        uint64_t refresh_us; /* 5 min; 0: only when definitions change */
        uint64_t max_bytes;  /* 32 MiB */
        uint64_t timeout_us; /* 5 min; 0: none */
    } catalog;
    struct {
        uint32_t prepare_threshold; /* 3; 0: nothing is prepared */
        uint32_t max_prepared;      /* a connection: 256 */
        char *warm_up; /* prepared on each new connection, each ended by a NUL, the last by two; NULL: none */
    } statements;
    uint64_t system_identifier; /* pinned; 0: the first agreement */
    char *note;                 /* what was dropped or changed, for the log, in one line; NULL: nothing */
};

/* What keyword is set to in a server's parameters; NULL: it is not. */
const char *pqr__server_config_value(const struct pqr__server_config *server, const char *keyword);

/* A file's content from memory, for tests; name is what messages call it and what includes are relative
   to. As pqr_config_load otherwise. */
int pqr__config_parse(
    struct pqr_config **out, const char *name, const char *text, size_t length, pqr_error *error);

/* One more owner; the answer is config. Any thread. pqr_config_free gives it up. */
struct pqr_config *pqr__config_ref(const struct pqr_config *config);

#endif
