/* A configuration while it is put together: what was written, and where. */
#ifndef PQR_CONFIG_DRAFT_H
#define PQR_CONFIG_DRAFT_H

#include "config/config.h"
#include "config/document.h"
#include "config/problem.h"

/* The keys by name, where the checks between them want one. The order is that of pqr__keys. */
enum pqr__key_index {
    PQR__KEY_CONNECTION,
    PQR__KEY_SERVER_LIST,
    PQR__KEY_SYSTEM_IDENTIFIER,
    PQR__KEY_POOL_MIN,
    PQR__KEY_POOL_MAX,
    PQR__KEY_POOL_MAX_TOTAL,
    PQR__KEY_POOL_ADMIN_RESERVED,
    PQR__KEY_POOL_CONNECTS_AT_ONCE,
    PQR__KEY_POOL_IDLE_TIMEOUT,
    PQR__KEY_POOL_LIFETIME,
    PQR__KEY_POOL_LIFETIME_JITTER,
    PQR__KEY_POOL_CONNECT_TIMEOUT,
    PQR__KEY_POOL_BACKOFF_MIN,
    PQR__KEY_POOL_BACKOFF_MAX,
    PQR__KEY_POOL_RESIZE,
    PQR__KEY_POOL_TARGET_UTILISATION,
    PQR__KEY_POOL_WINDOW,
    PQR__KEY_POOL_PIPELINE_DEPTH,
    PQR__KEY_POOL_INIT_SQL,
    PQR__KEY_POOL_WARM_UP,
    PQR__KEY_FLEET_ENABLED,
    PQR__KEY_FLEET_INTERVAL,
    PQR__KEY_FLEET_MARGIN,
    PQR__KEY_TCP_KEEPALIVES_IDLE,
    PQR__KEY_TCP_KEEPALIVES_INTERVAL,
    PQR__KEY_TCP_KEEPALIVES_COUNT,
    PQR__KEY_TCP_USER_TIMEOUT,
    PQR__KEY_PROBE_INTERVAL,
    PQR__KEY_PROBE_TIMEOUT,
    PQR__KEY_READS_BALANCE,
    PQR__KEY_READS_MODE,
    PQR__KEY_READS_SESSION,
    PQR__KEY_READS_HARMLESS_FUNCTIONS,
    PQR__KEY_READS_HARMFUL_FUNCTIONS,
    PQR__KEY_READS_PRIMARY,
    PQR__KEY_READS_FALLBACK_MAX,
    PQR__KEY_READS_SLOW_START,
    PQR__KEY_READS_ZONE,
    PQR__KEY_READS_SHARE_SYNC,
    PQR__KEY_READS_SHARE_LIMIT,
    PQR__KEY_WRITES_PIPELINE,
    PQR__KEY_QUEUE_MAX_REQUESTS,
    PQR__KEY_QUEUE_MAX_BYTES,
    PQR__KEY_QUEUE_NORMAL_SHARE,
    PQR__KEY_QUEUE_BATCH_SHARE,
    PQR__KEY_QUEUE_BATCH_AGE,
    PQR__KEY_QUEUE_TARGET,
    PQR__KEY_QUEUE_INTERVAL,
    PQR__KEY_REQUEST_TIMEOUT,
    PQR__KEY_REQUEST_CANCEL_GRACE,
    PQR__KEY_REQUEST_MAX_RETRIES,
    PQR__KEY_REQUEST_MAX_RESULT,
    PQR__KEY_TRANSACTION_IDLE_TIMEOUT,
    PQR__KEY_TRANSACTION_MAX_ATTEMPTS,
    PQR__KEY_CATALOG_LOAD,
    PQR__KEY_CATALOG_REFRESH,
    PQR__KEY_CATALOG_MAX_SIZE,
    PQR__KEY_CATALOG_TIMEOUT,
    PQR__KEY_STATEMENTS_PREPARE_THRESHOLD,
    PQR__KEY_STATEMENTS_MAX_PREPARED,
    PQR__KEY_STATEMENTS_WARM_UP,
    PQR__N_KEYS
};

enum pqr__entry_key_index {
    PQR__ENTRY_KEY_NAME,
    PQR__ENTRY_KEY_CONNECTION,
    PQR__ENTRY_KEY_ROLE,
    PQR__ENTRY_KEY_WEIGHT,
    PQR__ENTRY_KEY_MIN,
    PQR__ENTRY_KEY_MAX,
    PQR__ENTRY_KEY_POOLER,
    PQR__ENTRY_KEY_ZONE,
    PQR__N_ENTRY_KEYS
};

/* One entry of `servers`; it becomes as many servers as its connection string has hosts. */
struct pqr__draft_entry {
    char *name;
    char *connection;
    char *zone;
    enum pqr__expected_role role;
    uint32_t weight, min, max;
    bool pooler;
    uint32_t index;                    /* in the list, for messages */
    uint32_t line;                     /* where the entry begins */
    uint32_t lines[PQR__N_ENTRY_KEYS]; /* 0: not set */
};

enum { PQR__MAX_SERVERS = 64 };

struct pqr__draft {
    struct pqr_config config; /* servers by servers.c, the rest by reader.c */
    char *connection;         /* common to all servers */
    const char *subject;      /* what messages call it: "connection" */
    uint32_t lines[PQR__N_KEYS];
    struct pqr__draft_entry *entries;
    uint32_t n_entries;
    uint32_t server_entry[PQR__MAX_SERVERS]; /* which entry a server came from */
    uint64_t told_files;                     /* whose modes were complained of, a bit each */
    bool connect_timeout_taken;              /* from a connection string */
    struct pqr__document document;
    struct pqr__problems problems;
};

void pqr__draft_init(struct pqr__draft *draft, const char *label, const char *subject);
void pqr__draft_finish(struct pqr__draft *draft);

/* Each step below: 0 or PQR_ENOMEM; what people did wrong goes to draft->problems. */

/* reader.c: all defaults. */
void pqr__draft_defaults(struct pqr__draft *draft);
/* reader.c: the document's text, by the table of keys. PQR_ECONFIG: a syntax error, nothing was read. */
int pqr__draft_read(struct pqr__draft *draft);
/* servers.c: connection strings become servers. */
int pqr__draft_servers(struct pqr__draft *draft);
/* check.c: what contradicts what; to be called when there are servers. */
void pqr__draft_check(struct pqr__draft *draft);

#endif
