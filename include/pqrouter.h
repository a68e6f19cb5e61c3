/* pqrouter: an in-process read/write-splitting pool router for PostgreSQL.
 *
 * The application hands over a request; pqrouter classifies it, picks the primary or a healthy replica, runs
 * it on a pooled connection on the application's libuv loop, and calls back exactly once with the result and
 * the truth about it.
 *
 * Rules that hold for every call:
 * - A function returns 0 (or a count) or a negative PQR_E... code; a failed call leaves its outputs alone. What
 *   PQR_EINVAL is about goes to the log where a query, transaction or batch was asked for.
 * - If a call that takes a callback returns an error, the callback never runs. If it returns 0, the callback runs
 *   exactly once, later, on the loop's thread, never from inside the call (pqr_explain apart).
 * - A router and all that came from it belong to the loop's thread. Only the pqr_config_... functions,
 *   pqr_classify and the functions that name something may be called on any thread. There may be several routers,
 *   on one loop or on several. After fork() the child opens its own, and leaves its parent's alone.
 * - Inputs are copied before the call returns. What a callback is shown is valid until the callback returns,
 *   unless the function that shows it says otherwise. Any call of this file, pqr_router_close included, may
 *   be made from inside a callback.
 * - Times are in milliseconds (_ms) or microseconds (_us), sizes in bytes.
 *
 * Within a major version enumerators, struct members at the end and functions may be added; none is changed
 * or removed. Structs that the application fills start with struct_size, set by their ..._INIT macro.
 */
#ifndef PQROUTER_H
#define PQROUTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <postgres_ext.h> /* Oid; nothing else of libpq */

#ifdef __cplusplus
extern "C" {
#endif

/* What the ..._INIT macros are made of: zeros but for struct_size. C++ before 20 has no designated initialisers. */
#ifdef __cplusplus
#define PQR_STRUCT_INIT(type)                   \
    ([] {                                       \
        type pqr_zero = type();                 \
        pqr_zero.struct_size = sizeof pqr_zero; \
        return pqr_zero;                        \
    }())
#else
#define PQR_STRUCT_INIT(type)       \
    {                               \
        .struct_size = sizeof(type) \
    }
#endif

struct uv_loop_s; /* uv_loop_t of <uv.h> */
struct pg_result; /* PGresult of <libpq-fe.h> */

#if defined(__GNUC__)
#define PQR_EXPORT __attribute__((visibility("default")))
#else
#define PQR_EXPORT
#endif

#define PQR_VERSION_MAJOR 0
#define PQR_VERSION_MINOR 1
#define PQR_VERSION_PATCH 0

/* "0.1.0", of the library at run time. Any thread. */
PQR_EXPORT const char *pqr_version(void);

/* --- Errors -------------------------------------------------------------------------------------------- */

/* XX(name, number, text) */
#define PQR_ERRNO_MAP(XX)                                                             \
    XX(EINVAL, -1, "invalid argument")                                                \
    XX(ENOMEM, -2, "out of memory")                                                   \
    XX(ECLOSED, -3, "the router is closing or closed")                                \
    XX(ENOENT, -4, "there is none: a request that was answered already, or no token") \
    XX(ECONFIG, -5, "the configuration is not valid")                                 \
    XX(EIO, -6, "a file cannot be read")                                              \
    XX(ETIMEDOUT, -7, "it did not happen in the time allowed")                        \
    XX(ESYSTEM, -8, "the operating system refused")

enum {
#define XX(name, number, text) PQR_##name = (number),
    PQR_ERRNO_MAP(XX)
#undef XX
};

/* The name ("PQR_EINVAL") and the text of a code; for an unknown one "PQR_UNKNOWN" and "unknown error".
   0 is "PQR_OK", "success". Static strings, any thread. */
PQR_EXPORT const char *pqr_error_name(int code);
PQR_EXPORT const char *pqr_error_text(int code);

/* Where a call can say more than a code, unless it is given NULL for it. The caller's memory, left alone when the call
   succeeds; message is always ended by a NUL. Problems of a configuration come one a line; what does not fit is
   counted in the last line. */
typedef struct pqr_error {
    int code;
    char message[8000];
} pqr_error;

/* --- Memory -------------------------------------------------------------------------------------------- */

/* Replaces malloc, calloc, realloc and free for all that pqrouter allocates itself (not for libpq, libuv and
   libconfig). Call it before any other function and never again; all four or PQR_EINVAL. They are called on
   the loop's thread and on connector threads. */
PQR_EXPORT int pqr_set_allocator(void *(*malloc_fn)(size_t size),
    void *(*calloc_fn)(size_t count, size_t size), void *(*realloc_fn)(void *memory, size_t size),
    void (*free_fn)(void *memory));

/* Frees what a function of this file gave out as "free with pqr_free". NULL is fine. */
PQR_EXPORT void pqr_free(void *memory);

/* --- Configuration ------------------------------------------------------------------------------------- */

/* Immutable once loaded; counted, so that it may be freed as soon as a router was opened from it. */
typedef struct pqr_config pqr_config;

/* Reads a libconfig file (config/pqrouter.cfg names every key), and the environment as libpq does. Blocks on files;
   any thread.
   PQR_EIO: cannot be read. PQR_ECONFIG: every problem as "file:line: what is wrong; what to write instead".
   PQR_ENOMEM, PQR_EINVAL. Free *out with pqr_config_free. */
PQR_EXPORT int pqr_config_load(pqr_config **out, const char *file, pqr_error *error);

/* Everything by default but the servers, which come from a libpq connection string or URI (PostgreSQL manual,
   section 34.1.1); each of several hosts in it is a server of its own. NULL: $DATABASE_URL.
   Errors as pqr_config_load. Reads the environment and may read a service file; any thread. */
PQR_EXPORT int pqr_config_conninfo(pqr_config **out, const char *conninfo, pqr_error *error);

/* Any thread. NULL is fine. */
PQR_EXPORT void pqr_config_free(pqr_config *config);

/* --- Router -------------------------------------------------------------------------------------------- */

typedef struct pqr_router pqr_router;

typedef enum pqr_role {
    PQR_ROLE_UNKNOWN = 0,   /* not probed yet */
    PQR_ROLE_PRIMARY,       /* accepts writes */
    PQR_ROLE_REPLICA,       /* a hot standby */
    PQR_ROLE_DOWN,          /* does not answer, or refuses us */
    PQR_ROLE_WRONG_CLUSTER, /* answers, but its system identifier is another one than the others' */
    PQR_ROLE_FENCED, /* says that it is primary, but a server of a higher timeline says so too, or two of the
                               same timeline do: it gets nothing */
} pqr_role;

typedef enum pqr_log_level {
    PQR_LOG_ERROR = 0,
    PQR_LOG_WARNING,
    PQR_LOG_INFO,
    PQR_LOG_DEBUG,
} pqr_log_level;

/* "primary", "replica", "down", "wrong_cluster", "fenced", "unknown"; "error", "warning", "info", "debug".
   Static strings, any thread. */
PQR_EXPORT const char *pqr_role_name(pqr_role role);
PQR_EXPORT const char *pqr_log_level_name(pqr_log_level level);

/* How hard a router is pressed. */
typedef enum pqr_pressure_level {
    PQR_PRESSURE_CALM = 0,
    PQR_PRESSURE_BUSY,     /* the wait is longer than half of queue.target: a server might stop accepting */
    PQR_PRESSURE_SHEDDING, /* requests are refused, or turned away after they waited, or were within the last
                              queue.interval */
} pqr_pressure_level;

typedef struct pqr_pressure {
    size_t struct_size;
    pqr_pressure_level level;
    /* Of a request that comes now, by how fast the queue drains; or, when that is longer or not known yet, how long
       the oldest has waited. */
    uint64_t expected_wait_us;
    uint64_t oldest_us;   /* how long the oldest of all lanes has waited */
    uint32_t waiting;     /* requests */
    uint32_t in_use, max; /* connections, and how many there may be for requests without PQR_ADMIN */
} pqr_pressure;

#define PQR_PRESSURE_INIT PQR_STRUCT_INIT(pqr_pressure)

/* "calm", "busy", "shedding". Static string, any thread. */
PQR_EXPORT const char *pqr_pressure_name(pqr_pressure_level level);

/* All optional. Everything but password runs on the loop's thread. */
typedef struct pqr_callbacks {
    size_t struct_size;
    void *data; /* passed to each of them */
    /* One line without its end, control characters of servers escaped, no secret, no SQL text but that of
       statements.warm_up. It comes in the middle of the router's work, and from inside calls too: what it asks of the
       router (requests, cancels, closing) begins later, and lines that would come of such a call itself are
       dropped. */
    void (*log)(void *data, pqr_log_level level, const char *text);
    pqr_log_level log_level; /* nothing less urgent is formatted or passed on */
    /* A server's role was found to be another one. server: its configured name. */
    void (*role_change)(void *data, const char *server, pqr_role from, pqr_role to);
    /* The password for a connection about to be opened (rotating IAM or Vault secrets): write it and its NUL
       into buffer and return 0, or return anything else to fail this connect. Runs on a connector thread, for
       each connect, several at once; it may block. It may still be running when the router's close callback
       has run. */
    int (*password)(void *data, const char *server, char *buffer, size_t size);
    /* The level is another one than before. */
    void (*pressure)(void *data, const pqr_pressure *pressure);
} pqr_callbacks;

#ifdef __cplusplus
#define PQR_CALLBACKS_INIT                                                 \
    ([] {                                                                  \
        pqr_callbacks pqr_callbacks_init = PQR_STRUCT_INIT(pqr_callbacks); \
        pqr_callbacks_init.log_level = PQR_LOG_INFO;                       \
        return pqr_callbacks_init;                                         \
    }())
#else
#define PQR_CALLBACKS_INIT                                              \
    {                                                                   \
        .struct_size = sizeof(pqr_callbacks), .log_level = PQR_LOG_INFO \
    }
#endif

/* Opens a router on loop; connecting starts at once, in the background. callbacks may be NULL (and is copied).
   The router keeps the loop alive until it is closed. Never waits for a server: to wait, pqr_router_ready.
   PQR_EINVAL, PQR_ENOMEM, PQR_ESYSTEM. */
PQR_EXPORT int pqr_router_open(pqr_router **out, struct uv_loop_s *loop, const pqr_config *config,
    const pqr_callbacks *callbacks, pqr_error *error);

/* status: 0, PQR_ETIMEDOUT or PQR_ECLOSED; why: what was still missing, for people, "" when status is 0. */
typedef void (*pqr_ready_cb)(pqr_router *router, int status, const char *why, void *data);

/* Calls back when every server has been probed, one of them is the primary, and each server that is up has
   a connection ready (with pool.warm_up as many as its min; with statements.warm_up these are prepared on it); or
   after timeout_ms (UINT32_MAX: never). Requests may be made before that: they wait.
   PQR_EINVAL, PQR_ENOMEM, PQR_ECLOSED. */
PQR_EXPORT int pqr_router_ready(pqr_router *router, uint32_t timeout_ms, pqr_ready_cb cb, void *data);

/* How it is now, whether or not there is a callback for it. *out begins as PQR_PRESSURE_INIT. PQR_EINVAL. */
PQR_EXPORT int pqr_router_pressure(pqr_router *router, pqr_pressure *out);

/* Takes over another configuration, all of it or nothing. Servers are the same when host, port and database are.
   New ones are probed and used when they answer; those that are gone take nothing new, and their connections close
   when what runs on them has ended; of the others sizes, weights and names may change, and connections are made anew
   when their parameters do. Everything else counts from now on. What can't change is named in error (PQR_ECONFIG): the
   database, the user, a system_identifier other than the one found, reads.harmless_functions and
   reads.harmful_functions; catalog.load counts for a router that is opened. Called from a callback, it is done when
   that has returned. config is kept by a count of its own. PQR_EINVAL, PQR_ECLOSED. */
PQR_EXPORT int pqr_router_reload(pqr_router *router, const pqr_config *config, pqr_error *error);

typedef void (*pqr_close_cb)(void *data);

/* Refuses new requests from now on, lets those accepted finish for up to drain_ms (0: none), then answers the
   queued ones with PQR_STATUS_CLOSED, cancels those that run, answers them too, and closes every connection.
   cb (may be NULL) runs last, when no callback is outstanding and no handle of the router is left on the loop;
   the router's memory is gone after that. Further calls are harmless until then; a later call with a shorter
   drain_ms shortens the drain; its cb is ignored. router NULL is fine.
   A connect that hangs in a library for more than a moment (a name server, Kerberos, the password callback) may be
   left to a thread that ends by itself; a process should not exit() right then, and gssencmode=disable in the
   connection string spares connects the Kerberos library. */
PQR_EXPORT void pqr_router_close(pqr_router *router, uint32_t drain_ms, pqr_close_cb cb, void *data);

/* --- Requests ------------------------------------------------------------------------------------------ */

typedef enum pqr_target {
    PQR_TARGET_AUTO = 0,     /* by the text: see pqr_classify; the primary with reads.mode = "explicit" */
    PQR_TARGET_PRIMARY,      /* the primary */
    PQR_TARGET_REPLICA,      /* a replica; the primary when there is none (reads.primary) */
    PQR_TARGET_REPLICA_ONLY, /* a replica; waits for one when there is none */
    PQR_TARGET_ANY,          /* whichever server is least busy */
} pqr_target;

enum {
    /* Overtakes every request without it, and may use the connections kept for administrators. When such requests
       flood, the others keep the share queue.normal_share. */
    PQR_ADMIN = 1u << 0,
    /* The caller vouches that running it twice does no harm: it is run again when its outcome is unknown. */
    PQR_IDEMPOTENT = 1u << 1,
    /* Lets every request without it go first, until it has waited for queue.batch_age. Not with PQR_ADMIN. */
    PQR_BATCH = 1u << 2,
    /* It shares no connection while it runs: for a read that may block, that is to be measured, or that wants a now()
       of its own. Reads that share a Sync (reads.share_sync) are one transaction to the server: now() is the same for
       all of them, and the locks on what they read are kept until the last has ended. All else stays each one's own:
       statement_timeout, errors, notices, cancels. */
    PQR_ALONE = 1u << 3,
    /* As writes.pipeline, for this request: a write that is known to be short may be sent behind others, and others
       behind it, before those are answered. Each commits for itself, in the order of sending. But one that waits for a
       lock holds up those behind it, and when the connection is lost, all that were sent on it are
       PQR_OUTCOME_UNKNOWN. Of no effect on what is not a single INSERT, UPDATE, DELETE or the like, or
       has not been quick and without errors of late. Not for a write whose lock a transaction of this application
       holds that goes on when a later write is answered: it might be behind that one. */
    PQR_PIPELINE = 1u << 4,
    /* The reply of what wrote is to have a token (pqr_reply_token): for a query, a transaction or a batch that the
       primary runs. The primary is asked for it behind the commit, in the same round trip where that is one of a single
       INSERT, UPDATE, DELETE or the like, a transaction or a batch. It shares no connection. */
    PQR_TOKEN = 1u << 5,
};

/* A place in the primary's history, just behind a commit: what a later read is to have behind it (pqr_query.after), so
   that one who wrote sees it, on a replica too. All zeros: none, which asks for nothing. Plain values: copy them, keep
   them with a user's session, or as text in a cookie (sign it as you would anything that decides what a server does:
   the worst that a forged one can ask for is the primary, or that a read is refused). */
typedef struct pqr_token {
    uint64_t system_identifier; /* of the database cluster */
    uint64_t lsn;               /* PostgreSQL manual, 8.20: as one number */
    uint32_t timeline;
    uint32_t reserved; /* 0 */
} pqr_token;

/* Of its text, with the NUL. */
#define PQR_TOKEN_SIZE 56

/* "7300000000000000001.1.3000148": digits, capital letters and dots. size is at least PQR_TOKEN_SIZE; a token of zeros
   gives "". PQR_EINVAL. Any thread. */
PQR_EXPORT int pqr_token_print(const pqr_token *token, char *out, size_t size);
/* Takes exactly what pqr_token_print gives; anything else, from anywhere, is PQR_EINVAL. Any thread. */
PQR_EXPORT int pqr_token_parse(pqr_token *out, const char *text);
/* *token is from now on behind both: for one who has made several writes. Of two clusters the other's counts. Any
   thread. */
PQR_EXPORT void pqr_token_merge(pqr_token *token, const pqr_token *other);

/* A text that is run again and again: copied once, and classified once instead of at each run. */
typedef struct pqr_statement pqr_statement;

/* Free *out with pqr_statement_free. It belongs to no router; used on one loop's thread only. PQR_EINVAL,
   PQR_ENOMEM. */
PQR_EXPORT int pqr_statement_new(pqr_statement **out, const char *sql);
/* Requests that run it keep it until they are answered. NULL is fine. */
PQR_EXPORT void pqr_statement_free(pqr_statement *statement);

typedef struct pqr_reply pqr_reply;

/* A part of a query's rows: see pqr_query.rows. */
typedef int (*pqr_rows_cb)(pqr_reply *part, void *data);

typedef struct pqr_query {
    size_t struct_size;
    const char *sql; /* this or statement, not both */
    const pqr_statement *statement;
    /* As PQexecParams: param_types may be NULL or hold zeros (the server infers), a NULL value is SQL NULL,
       param_lengths matter for values in binary format only, param_formats may be NULL (all text). */
    int n_params;
    const Oid *param_types;
    const char *const *param_values;
    const int *param_lengths;
    const int *param_formats;
    int result_format; /* 0 text, 1 binary */
    pqr_target target;
    uint32_t flags;      /* PQR_ADMIN, PQR_BATCH, PQR_IDEMPOTENT, PQR_ALONE, PQR_PIPELINE, PQR_TOKEN */
    uint32_t timeout_ms; /* until answered, waiting included; 0: as configured, UINT32_MAX: none */
    const char *label;   /* the call site, for logs, instead of SQL text; or NULL */
    /* For results larger than memory should hold. NULL: the rows come with the reply. Else they are shown to it in
       parts, as they come: on the loop's thread, with the reply callback's data and before that is called, each part
       once, in order. A part is read by pqr_reply_rows, pqr_reply_value and their like, and is gone when the callback
       returns, unless taken (pqr_reply_take). Returning 0 goes on; anything else is enough: the request ends as by
       pqr_request_cancel. After that, after any cancel, its timeout or the router's end nothing more is shown.

       The reply has the columns and pqr_reply_affected, and no rows; only if its status is PQR_STATUS_OK were these
       all. Once a part was shown the request is not run again: a lost connection, or a conflict with recovery, is the
       answer. Where the result came to its end although the request was to end before, the status says why it was to,
       and the outcome is PQR_OUTCOME_EXECUTED. Rows of a write (RETURNING) are shown before it is committed: the
       reply tells whether it was. In a transaction whose body runs again they are shown again.

       Such a request has a connection for itself from the first row to the last, and its timeout counts the time that
       the callback takes. request.max_result bounds a part. It is not for several statements in one text, which are
       answered unsent with PQR_STATUS_SQL_ERROR and 0A000, nor for batches (PQR_EINVAL). PostgreSQL manual,
       "Retrieving Query Results in Chunks". */
    pqr_rows_cb rows;
    /* Rows in a part, at most; 0: 100; more than 65535 count as that. With libpq before 17 a part is one row. */
    uint32_t rows_at_once;
    /* A read sees at least what the primary had committed up to here. It goes to a replica that is known to be there;
       else one is asked, on the way, and where it says no the primary runs the read, unseen. Known by the probe, and by
       what was asked for other reads. Asked are replicas of the token's timeline only, not behind a pooler, and not for
       rows in parts, transactions and batches: these have the primary instead. After a failover the tokens of the time
       before mean the primary, as do those of another cluster. NULL, or zeros: none.

       Where the primary may not run it (PQR_TARGET_REPLICA_ONLY, reads.primary = "never") and no replica is known to be
       there, or where no server has come to the token's timeline yet, it is PQR_STATUS_UNAVAILABLE. */
    const pqr_token *after;
} pqr_query;

#define PQR_QUERY_INIT PQR_STRUCT_INIT(pqr_query)

/* Never reused: a stale one is harmless. 0 is never given out. */
typedef struct pqr_request_id {
    uint64_t value;
} pqr_request_id;

typedef void (*pqr_reply_cb)(pqr_reply *reply, void *data);

/* Runs one statement (several, separated by semicolons, when it has no parameters: they then run as one
   transaction, where the strictest of them may). out may be NULL. Everything that goes wrong later, a full queue and
   a missing server included, is told by the reply. No server takes a text, or parameters, of a gigabyte: that is
   PQR_STATUS_SQL_ERROR with 54000, unsent. timeout_ms begins with the call; in one of the library's callbacks, with
   the event that brought that, since the clock is read once for all that an event does. PQR_EINVAL (neither or both
   of sql and statement, a count or pointer that cannot be, an unknown flag or target, PQR_ADMIN with PQR_BATCH; the
   log says which), PQR_ENOMEM, PQR_ECLOSED. */
PQR_EXPORT int pqr_query_run(
    pqr_request_id *out, pqr_router *router, const pqr_query *query, pqr_reply_cb cb, void *data);

/* Asks for a request's end. Its callback runs as ever, with PQR_STATUS_CANCELLED, or with its result when that
   was faster. PQR_ENOENT: it has been answered already. Works for transactions' ids too. */
PQR_EXPORT int pqr_request_cancel(pqr_router *router, pqr_request_id id);

/* --- Replies ------------------------------------------------------------------------------------------- */

#define PQR_STATUS_MAP(XX)                                                                                \
    XX(OK, ok)                   /* done; there may be rows */                                            \
    XX(SQL_ERROR, sql_error)     /* the server (or the classifier) refused the statement: see sqlstate */ \
    XX(CANCELLED, cancelled)     /* by pqr_request_cancel */                                              \
    XX(TIMEOUT, timeout)         /* its timeout passed */                                                 \
    XX(UNAVAILABLE, unavailable) /* no server that may run it could be reached */                         \
    XX(OVERLOADED,                                                                                        \
        overloaded)    /* it would have waited too long: the queue is full, or does not drain in time */  \
    XX(LOST, lost)     /* the connection was lost while it ran */                                         \
    XX(CLOSED, closed) /* the router was closed first */

typedef enum pqr_status {
#define XX(name, word) PQR_STATUS_##name,
    PQR_STATUS_MAP(XX)
#undef XX
} pqr_status;

/* What is known of the statement's effect. */
#define PQR_OUTCOME_MAP(XX)                                                                                \
    XX(EXECUTED, executed)         /* the server ran it to its end: a result, or the server's own error */ \
    XX(NOT_EXECUTED, not_executed) /* provably without effect: safe to run again */                        \
    XX(UNKNOWN, unknown)           /* it was sent, and nobody knows: it may have taken effect, wholly or in  \
                                      part (a procedure that commits) */

typedef enum pqr_outcome {
#define XX(name, word) PQR_OUTCOME_##name,
    PQR_OUTCOME_MAP(XX)
#undef XX
} pqr_outcome;

/* "ok", "sql_error" ...; "executed", "not_executed", "unknown". Static strings, any thread. */
PQR_EXPORT const char *pqr_status_name(pqr_status status);
PQR_EXPORT const char *pqr_outcome_name(pqr_outcome outcome);

/* What became of it, and what is known of its effect. */
PQR_EXPORT pqr_status pqr_reply_status(const pqr_reply *reply);
PQR_EXPORT pqr_outcome pqr_reply_outcome(const pqr_reply *reply);
/* For people: the server's primary message or ours with its mend; "" when the status is ok. */
PQR_EXPORT const char *pqr_reply_error(const pqr_reply *reply);
/* Five characters, or "" when there is none (which may be so even for an error: PostgreSQL manual, app. A). */
PQR_EXPORT const char *pqr_reply_sqlstate(const pqr_reply *reply);
/* The configured name of the server that ran it last, "" when none did. */
PQR_EXPORT const char *pqr_reply_server(const pqr_reply *reply);
/* That server's role when the request was given to it; PQR_ROLE_UNKNOWN when none was. */
PQR_EXPORT pqr_role pqr_reply_route(const pqr_reply *reply);
/* Why it went there: "volatile function nextval", "read", "target" ... Valid until the callback returns. */
PQR_EXPORT const char *pqr_reply_reason(const pqr_reply *reply);
/* How many times it was sent; more than 1 when it was moved to another server unseen. */
PQR_EXPORT unsigned pqr_reply_attempts(const pqr_reply *reply);
/* What a read is to be after, to see this write. PQR_ENOENT: it was not asked for (PQR_TOKEN), nothing was written or
   committed, or the primary's answer did not come in time: then read from the primary. */
PQR_EXPORT int pqr_reply_token(const pqr_reply *reply, pqr_token *out);

/* libpq's own result, NULL when the server gave none. Still the reply's: do not PQclear it. */
PQR_EXPORT const struct pg_result *pqr_reply_result(const pqr_reply *reply);
/* The same, now the caller's, to be PQclear'ed; later calls on this reply see no rows. NULL when none. */
PQR_EXPORT struct pg_result *pqr_reply_take(pqr_reply *reply);
/* How many; 0 when there is no result. */
PQR_EXPORT int pqr_reply_rows(const pqr_reply *reply);
PQR_EXPORT int pqr_reply_columns(const pqr_reply *reply);
/* The first column of exactly this name (compared as it stands, no folding), or -1. */
PQR_EXPORT int pqr_reply_column(const pqr_reply *reply, const char *name);
/* The value in text or binary as asked for, by the column's name or number; NULL for SQL NULL and for a row
   or column that is not there. length may be NULL. */
PQR_EXPORT const char *pqr_reply_value(const pqr_reply *reply, int row, const char *column, int *length);
PQR_EXPORT const char *pqr_reply_value_at(const pqr_reply *reply, int row, int column, int *length);
/* Rows that INSERT, UPDATE, DELETE, MERGE, SELECT, FETCH, MOVE or COPY touched; -1 when the command has none. */
PQR_EXPORT int64_t pqr_reply_affected(const pqr_reply *reply);

/* Notices and warnings of the server that came with it, the first few; the rest is counted. */
typedef struct pqr_notice {
    char sqlstate[6];
    char severity[10];
    char text[240];
} pqr_notice;
PQR_EXPORT int pqr_reply_notice_count(const pqr_reply *reply);                    /* the dropped ones too */
PQR_EXPORT const pqr_notice *pqr_reply_notice(const pqr_reply *reply, int index); /* NULL: was not kept */

typedef struct pqr_times {
    uint64_t queued_us; /* from acceptance until it was last given to a connection */
    uint64_t server_us; /* from then until its answer was complete; 0 when it was never sent */
    uint64_t total_us;
} pqr_times;
PQR_EXPORT pqr_times pqr_reply_times(const pqr_reply *reply);

/* --- Transactions -------------------------------------------------------------------------------------- */

typedef struct pqr_tx pqr_tx;

typedef enum pqr_isolation {
    PQR_ISOLATION_DEFAULT = 0, /* the server's */
    PQR_READ_COMMITTED,
    PQR_REPEATABLE_READ,
    PQR_SERIALIZABLE,
} pqr_isolation;

typedef struct pqr_tx_options {
    size_t struct_size;
    pqr_isolation isolation;
    bool read_only;
    bool deferrable;       /* with PQR_SERIALIZABLE and read_only */
    pqr_target target;     /* AUTO: the primary. REPLICA and REPLICA_ONLY want read_only */
    uint32_t flags;        /* PQR_ADMIN, PQR_BATCH, PQR_TOKEN */
    uint32_t timeout_ms;   /* until done, waiting included; 0: as configured, UINT32_MAX: none */
    unsigned max_attempts; /* how often the body may run when the server ends it with 40001 or 40P01, or when
                              the connection was lost before COMMIT was sent; 0: as configured */
    const char *label;
    const pqr_token *after; /* as in pqr_query, for one that may run on a replica */
} pqr_tx_options;

#define PQR_TX_OPTIONS_INIT PQR_STRUCT_INIT(pqr_tx_options)

/* Runs when the transaction has a connection of its own. attempt counts from 1. tx is valid until done is called or
   the body runs again. The body sends statements with pqr_tx_query, and it or their callbacks end the transaction with
   one pqr_tx_commit or pqr_tx_rollback. If nothing is in the air for transaction.idle_timeout, it is rolled back, with
   PQR_STATUS_TIMEOUT.

   BEGIN goes out with the first statement, in one round trip: that is the time of now(), and an error of BEGIN (an
   isolation that a standby does not have) is that statement's, PQR_OUTCOME_NOT_EXECUTED, and the end. CALL, DO, what
   is not recognised, several statements in one text and one with rows in parts wait for BEGIN's answer, and so does
   anything but a harmless read on a connection that has answered nothing for a second. */
typedef void (*pqr_tx_body)(pqr_tx *tx, unsigned attempt, void *data);

/* done gets one reply for the whole: ok and executed when COMMIT was confirmed or the body rolled back; the first
   error when a statement failed (all is rolled back then); lost and unknown when the connection was lost after COMMIT
   was sent. Of a transaction without statements the servers hear nothing: it is ok, executed, after no attempt. A
   connection that is lost before the first statement was sent is replaced unseen, and one that is lost with it and
   BEGIN too if it is a harmless read or PQR_IDEMPOTENT (request.max_retries). out and options may be NULL. Session
   state that the body's statements leave is discarded before the connection serves anybody else. PQR_EINVAL,
   PQR_ENOMEM, PQR_ECLOSED. */
PQR_EXPORT int pqr_tx_run(pqr_request_id *out, pqr_router *router, const pqr_tx_options *options,
    pqr_tx_body body, pqr_reply_cb done, void *data);

/* One statement in the transaction, in order of the calls; target, after and PQR_TOKEN are ignored, and so is
   PQR_IDEMPOTENT but for the first. Transaction control in it (BEGIN, COMMIT ...; savepoints are fine) and COPY are
   answered unsent. When the transaction ends first, statements that were not sent are answered with
   PQR_OUTCOME_NOT_EXECUTED. And a statement that is cancelled or late before it was sent ends the transaction: nothing
   is committed without it.
   PQR_EINVAL, PQR_ENOMEM; PQR_ECLOSED after commit or rollback was asked for. */
PQR_EXPORT int pqr_tx_query(pqr_tx *tx, const pqr_query *query, pqr_reply_cb cb, void *data);

/* Ends it once the statements before it are answered. PQR_ECLOSED when it is ending already. */
PQR_EXPORT int pqr_tx_commit(pqr_tx *tx);
PQR_EXPORT int pqr_tx_rollback(pqr_tx *tx);

/* --- Batches ------------------------------------------------------------------------------------------- */

typedef struct pqr_batch_options {
    size_t struct_size;
    pqr_isolation isolation; /* any but the default: one transaction, reads too; serializable: the primary */
    pqr_target target;       /* AUTO: by the texts of all */
    uint32_t flags;          /* PQR_ADMIN, PQR_BATCH, PQR_TOKEN; PQR_IDEMPOTENT: of the whole */
    uint32_t timeout_ms;     /* until done, waiting included; 0: as configured, UINT32_MAX: none */
    unsigned max_attempts;   /* of a transaction that is rolled back by 40001 or 40P01; 0: as configured */
    const char *label;
    const pqr_token *after; /* as in pqr_query, for reads alone */
} pqr_batch_options;

#define PQR_BATCH_OPTIONS_INIT PQR_STRUCT_INIT(pqr_batch_options)

/* Of a query its text, parameters, formats and label count; the rest (flags, target, after) is the batch's. */
typedef struct pqr_batch_query {
    const pqr_query *query;
    pqr_reply_cb cb; /* NULL: its reply is not asked for */
    void *data;
} pqr_batch_query;

/* Sends n queries as one unit, in one round trip, on one connection. Each query's cb is called once, then done, once,
   for the whole: ok, or how the first that went wrong did, its number in the text.

   Harmless reads alone go where a read goes, to a replica. They are independent: one that fails takes nothing from
   the others, and on another server they may run again.

   Anything else makes it one transaction, all or nothing, and nobody is called before it is settled. It has BEGIN and
   COMMIT where an isolation asks for that, a query that is none of SELECT, INSERT, UPDATE, DELETE and their like, or a
   pooler in between; else it is the implicit transaction of what is sent before one Sync (PostgreSQL manual, 55.2.3),
   which is the same in fewer statements. Notices of the commit come with done, there with those of the last query.
   Session state that it leaves is discarded.

   Committed: everybody is ok. An error, of the commit too (a deferred constraint): all is rolled back, the query has
   its error, the others PQR_OUTCOME_NOT_EXECUTED with its text, done has PQR_STATUS_SQL_ERROR. After a serialization
   failure or a deadlock it is run again, up to max_attempts. A connection lost after it was sent leaves all of it
   PQR_OUTCOME_UNKNOWN, since it may have been committed: also when the answers together pass request.max_result.

   Several statements in one text, transaction control, COPY, CALL, DO, VACUUM and what is not recognised are answered
   unsent, and all others with them; so are queries of a gigabyte together. In the queue it counts as one request, with
   the bytes of all.

   out, for pqr_request_cancel, and options may be NULL. n is 1 to 65535. PQR_EINVAL, PQR_ENOMEM, PQR_ECLOSED: no
   callback then, of anybody. */
PQR_EXPORT int pqr_batch_run(pqr_request_id *out, pqr_router *router, const pqr_batch_options *options,
    const pqr_batch_query *queries, size_t n, pqr_reply_cb done, void *data);

/* --- Classification ------------------------------------------------------------------------------------ */

typedef enum pqr_class {
    PQR_CLASS_PRIMARY = 0, /* writes, or is not proven harmless */
    PQR_CLASS_REPLICA,     /* a harmless read: any server may run it */
    PQR_CLASS_SESSION,     /* leaves or needs state on one connection: belongs in pqr_tx_run */
} pqr_class;

typedef struct pqr_verdict {
    size_t struct_size;
    pqr_class route;
    char reason[120]; /* "read", "volatile function nextval", "several statements: INSERT" ... */
} pqr_verdict;

#define PQR_VERDICT_INIT PQR_STRUCT_INIT(pqr_verdict)

/* Where PQR_TARGET_AUTO would send this text, and why, by the text alone: a router knows the database's own
   functions, types and relations too, and so whether a name that PostgreSQL has from 15 on (uuidv7, any_value ...) is a
   user's function on an older server. Any bytes are fine. Any thread. PQR_EINVAL. */
PQR_EXPORT int pqr_classify(pqr_verdict *out, const char *sql, size_t length);

/* A step of the way to a verdict. Read it by pointer: members may be added. */
typedef struct pqr_finding {
    /* "function", "operator", "type", "relation": a name that was looked up. "rule": something that asked for more
       than a harmless read; of several, the strictest and of those the first decides. */
    const char *kind;
    size_t offset, length; /* the word, in the text; length 0: none */
    /* Of a name. What is known of PostgreSQL's own one: "harmless", "volatile", "session", "lock" ...; NULL: it has
       none of that name. What the catalog says: "harmless", "harmful" (of a function perhaps "with some numbers of
       arguments"), "unknown" (a relation of which nothing harmful is known, too); NULL: there is no catalog (yet). What
       reads.harmless_functions and reads.harmful_functions say: "harmless", "harmful"; NULL: nothing. */
    const char *builtin, *catalog, *configured;
    /* Of a rule: what it makes of the statement, and why. */
    pqr_class route;
    const char *reason;
} pqr_finding;

typedef void (*pqr_explain_cb)(const pqr_finding *finding, void *data);

/* As pqr_classify, with what the router knows by now: the servers' settings, the database's catalog, the
   configuration; then on its loop's thread only. router NULL: the text alone, any thread. cb, which may be NULL, is
   called for each step, in the order of the text, before pqr_explain returns: it must not close the router.
   PQR_EINVAL. */
PQR_EXPORT int pqr_explain(pqr_verdict *out, const pqr_router *router, const char *sql, size_t length,
    pqr_explain_cb cb, void *data);

/* Reads the database's catalog anew, soon and in the background: for after a migration by somebody else, which the
   router would see some seconds later, with PostgreSQL 14 at the next catalog.refresh only. Until it is read,
   functions, types and operators of the database's own mean primary. No effect when no catalog was read yet, or none is
   to be. PQR_EINVAL, PQR_ECLOSED. */
PQR_EXPORT int pqr_catalog_refresh(pqr_router *router);

/* "primary", "replica", "session". Static string, any thread. */
PQR_EXPORT const char *pqr_class_name(pqr_class route);

/* --- Statistics ---------------------------------------------------------------------------------------- */

/* A quantile's value is exact to 1 part in 16. Times from the router's opening on. */
typedef struct pqr_latency {
    uint64_t count;
    uint64_t p50_us, p90_us, p99_us, max_us;
} pqr_latency;

/* One server and its pool. */
typedef struct pqr_pool_stats {
    const char *server; /* configured name */
    const char *host;   /* as configured */
    const char *port;
    pqr_role role;
    uint32_t available;         /* idle connections */
    uint32_t allocated;         /* in use */
    uint32_t peak_usage;        /* most allocated at once */
    uint32_t total_connections; /* all that max counts: these, the probe, those connecting and closing */
    uint32_t min, max;
    uint32_t connecting;
    uint64_t connects, connect_failures; /* since opening */
    uint64_t reads, writes;     /* requests that were sent to it as harmless reads / as anything else */
    uint64_t errors;            /* of those, answered with an error */
    uint64_t rtt_us;            /* the last probe's round trip */
    int64_t lag_us;             /* how far behind the primary a replica is, -1: not known */
    uint32_t server_version;    /* as PQserverVersion: 150004; 0: not known */
    uint32_t timeline;          /* 0: not known */
    uint64_t system_identifier; /* 0: not known */
    pqr_latency latency;        /* of the requests it ran, from sent to answered */
    const char *problem;        /* why it is down, refused or fenced; "" when it is not */
    pqr_role expected;          /* as configured; PQR_ROLE_UNKNOWN: any */
    uint32_t wanted;            /* connections that the load makes it want, before any limit */
    uint32_t ceiling;       /* how many may be in use at once, as far as the server's knee is known; <= max */
    const char *sizing;     /* the reasons of both, for people, and how many requests share a connection */
    uint64_t recent_us;     /* latency of the reads it ran of late, from sent to answered; 0: not known */
    const char *zone;       /* as configured; "": none */
    uint32_t fleet_members; /* routers counted at the server, this one included; 0: not counted */
    uint32_t fleet_share;   /* what of the connections that the server admits is this one's */
    uint32_t closing; /* of total_connections: closed by us, or lost; at the server the session may go on */
    uint64_t left_behind; /* of those before, not seen to end within 5 s, and counted no longer */
} pqr_pool_stats;

typedef struct pqr_router_totals {
    size_t struct_size;
    uint64_t uptime_us;
    uint32_t available, allocated, peak_usage, total_connections,
        max_total;                   /* of all pools; max_total 0: none */
    uint32_t waiting, admin_waiting; /* requests in the queues */
    uint64_t waiting_bytes;
    uint64_t accepted, answered;
    uint64_t by_status[8];                   /* indexed by pqr_status */
    uint64_t by_outcome[3];                  /* indexed by pqr_outcome */
    uint64_t routed_replica, routed_primary; /* as classified or targeted, counted once a request */
    uint64_t fallback_primary;               /* reads the primary ran because no replica could */
    uint64_t retries;                        /* moved to another server, or sent again, unseen */
    uint64_t misroutes;                      /* a replica refused a statement classified as a harmless read */
    pqr_latency latency;                     /* from accepted to answered */
    pqr_latency queued;                      /* of that, waiting */
    size_t n_pools;
    uint64_t catalog_entries;  /* names known of the database's own functions, operators, types, relations */
    uint64_t catalog_bytes;    /* the memory they take */
    uint64_t catalog_loads;    /* times that it was read completely */
    uint32_t batch_waiting;    /* requests in the queues with PQR_BATCH */
    uint64_t refused;          /* overloaded, at once: the queue was full, or too long for their timeout */
    uint64_t shed;             /* overloaded, after they waited: by queue.target */
    uint64_t pipelined_writes; /* sent while others were in the air of their connection */
    uint64_t batches;          /* that pqr_batch_run accepted */
    uint64_t batch_queries;    /* in them */
    uint64_t tokens;           /* that the primary gave */
    uint64_t token_checks;     /* replicas asked, on the way of a read, whether they are where its token is */
    uint64_t token_misses;     /* of those, that were not: the read ran elsewhere */
} pqr_router_totals;

typedef struct pqr_stats pqr_stats;

/* A snapshot; free it with pqr_stats_free. It stays valid when the router is gone, and another thread may read and free
   it. PQR_EINVAL, PQR_ENOMEM. */
PQR_EXPORT int pqr_router_stats(const pqr_router *router, pqr_stats **out);
/* What is in it, valid until it is freed. */
PQR_EXPORT const pqr_router_totals *pqr_stats_totals(const pqr_stats *stats);
/* Pools in the order of the configuration; NULL: no such index. */
PQR_EXPORT const pqr_pool_stats *pqr_stats_pool(const pqr_stats *stats, size_t index);
/* The same as JSON text, free with pqr_free. The words are these structs' member names; system_identifier is a
   string there, since it passes 2^53. PQR_EINVAL, PQR_ENOMEM. */
PQR_EXPORT int pqr_stats_json(const pqr_stats *stats, char **out);
/* NULL is fine. */
PQR_EXPORT void pqr_stats_free(pqr_stats *stats);

#ifdef __cplusplus
}
#endif

#endif
