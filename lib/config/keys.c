/* The table. Its times are microseconds, its sizes bytes. */
#include "config/keys.h"

#include <string.h>

#define MS  UINT64_C(1000)
#define S   (1000 * MS)
#define MIN (60 * S)
#define H   (60 * MIN)
#define D   (24 * H)
#define KB  (UINT64_C(1) << 10)
#define MB  (UINT64_C(1) << 20)
#define GB  (UINT64_C(1) << 30)
#define TB  (UINT64_C(1) << 40)

static const char *const balances[] = {[PQR__BALANCE_LEAST_OUTSTANDING] = "least_outstanding",
    [PQR__BALANCE_ROUND_ROBIN] = "round_robin",
    [PQR__BALANCE_RANDOM] = "random",
    [PQR__BALANCE_EWMA] = "ewma",
    NULL};
static const char *const primaries[] = {[PQR__PRIMARY_NEVER] = "never",
    [PQR__PRIMARY_FALLBACK] = "fallback",
    [PQR__PRIMARY_ALWAYS] = "always",
    NULL};
static const char *const modes[] = {[PQR__READS_AUTO] = "auto", [PQR__READS_EXPLICIT] = "explicit", NULL};
static const char *const sessions[] = {
    [PQR__SESSION_REFUSE] = "refuse", [PQR__SESSION_PRIMARY] = "primary", NULL};
static const char *const roles[] = {
    [PQR__EXPECT_ANY] = "any", [PQR__EXPECT_PRIMARY] = "primary", [PQR__EXPECT_REPLICA] = "replica", NULL};

#define AT(member)         .offset = offsetof(struct pqr__draft, member)
#define NUMBER             .type = PQR__KEY_NUMBER
#define DURATION           .type = PQR__KEY_DURATION
#define SIZE               .type = PQR__KEY_SIZE
#define RANGE(least, most) .low = (least), .high = (most)

const struct pqr__key pqr__keys[PQR__N_KEYS] = {
    [PQR__KEY_CONNECTION] = {"connection", .type = PQR__KEY_SECRET, AT(connection)},
    [PQR__KEY_SERVER_LIST] = {"servers", .type = PQR__KEY_SERVERS, AT(entries)},
    [PQR__KEY_SYSTEM_IDENTIFIER] = {"system_identifier", .type = PQR__KEY_DIGITS, RANGE(1, UINT64_MAX),
        AT(config.system_identifier)},
    [PQR__KEY_POOL_MIN] = {"pool.min", NUMBER, .initial = "2", RANGE(0, 10000), AT(config.pool.min)},
    [PQR__KEY_POOL_MAX] = {"pool.max", NUMBER, .initial = "20", RANGE(0, 10000), AT(config.pool.max)},
    [PQR__KEY_POOL_MAX_TOTAL] = {"pool.max_total", NUMBER, .none = true, .initial = "0", RANGE(3, 640000),
        AT(config.pool.max_total)},
    [PQR__KEY_POOL_ADMIN_RESERVED] = {"pool.admin_reserved", NUMBER, .initial = "1", RANGE(0, 1000),
        AT(config.pool.admin_reserved)},
    [PQR__KEY_POOL_CONNECTS_AT_ONCE] = {"pool.connects_at_once", NUMBER, .initial = "2", RANGE(1, 100),
        AT(config.pool.connects_at_once)},
    [PQR__KEY_POOL_IDLE_TIMEOUT] = {"pool.idle_timeout", DURATION, .initial = "10min", RANGE(MS, 365 * D),
        AT(config.pool.idle_timeout_us)},
    [PQR__KEY_POOL_LIFETIME] = {"pool.lifetime", DURATION, .none = true, .initial = "1h", RANGE(MS, 365 * D),
        AT(config.pool.lifetime_us)},
    [PQR__KEY_POOL_LIFETIME_JITTER] = {"pool.lifetime_jitter", NUMBER, .initial = "10", RANGE(0, 50),
        AT(config.pool.lifetime_jitter)},
    [PQR__KEY_POOL_CONNECT_TIMEOUT] = {"pool.connect_timeout", DURATION, .initial = "10s", RANGE(MS, H),
        AT(config.pool.connect_timeout_us)},
    [PQR__KEY_POOL_BACKOFF_MIN] = {"pool.backoff_min", DURATION, .initial = "100ms", RANGE(MS, H),
        AT(config.pool.backoff_min_us)},
    [PQR__KEY_POOL_BACKOFF_MAX] = {"pool.backoff_max", DURATION, .initial = "15s", RANGE(MS, H),
        AT(config.pool.backoff_max_us)},
    [PQR__KEY_POOL_RESIZE] = {"pool.resize", .type = PQR__KEY_BOOL, .initial = "true",
        AT(config.pool.resize)},
    [PQR__KEY_POOL_TARGET_UTILISATION] = {"pool.target_utilisation", NUMBER, .initial = "70", RANGE(10, 100),
        AT(config.pool.target_utilisation)},
    [PQR__KEY_POOL_WINDOW] = {"pool.window", DURATION, .initial = "1min", RANGE(100 * MS, D),
        AT(config.pool.window_us)},
    [PQR__KEY_POOL_PIPELINE_DEPTH] = {"pool.pipeline_depth", NUMBER, .initial = "64", RANGE(1, 1000),
        AT(config.pool.pipeline_depth)},
    [PQR__KEY_POOL_INIT_SQL] = {"pool.init_sql", .type = PQR__KEY_SQL, AT(config.pool.init_sql)},
    [PQR__KEY_POOL_WARM_UP] = {"pool.warm_up", .type = PQR__KEY_BOOL, .initial = "false",
        AT(config.pool.warm_up)},
    [PQR__KEY_FLEET_ENABLED] = {"fleet.enabled", .type = PQR__KEY_BOOL, .initial = "false",
        AT(config.fleet.enabled)},
    [PQR__KEY_FLEET_INTERVAL] = {"fleet.interval", DURATION, .initial = "10s", RANGE(100 * MS, H),
        AT(config.fleet.interval_us)},
    [PQR__KEY_FLEET_MARGIN] = {"fleet.margin", NUMBER, .initial = "3", RANGE(0, 10000),
        AT(config.fleet.margin)},
    [PQR__KEY_TCP_KEEPALIVES_IDLE] = {"tcp.keepalives_idle", DURATION, .none = true, .initial = "30s",
        RANGE(S, D), .multiple = S, AT(config.tcp.keepalives_idle_us)},
    [PQR__KEY_TCP_KEEPALIVES_INTERVAL] = {"tcp.keepalives_interval", DURATION, .none = true, .initial = "10s",
        RANGE(S, D), .multiple = S, AT(config.tcp.keepalives_interval_us)},
    [PQR__KEY_TCP_KEEPALIVES_COUNT] = {"tcp.keepalives_count", NUMBER, .initial = "5", RANGE(0, 100),
        AT(config.tcp.keepalives_count)},
    [PQR__KEY_TCP_USER_TIMEOUT] = {"tcp.user_timeout", DURATION, .none = true, .initial = "30s", RANGE(MS, D),
        .multiple = MS, AT(config.tcp.user_timeout_us)},
    [PQR__KEY_PROBE_INTERVAL] = {"probe.interval", DURATION, .initial = "1s", RANGE(10 * MS, H),
        AT(config.probe.interval_us)},
    [PQR__KEY_PROBE_TIMEOUT] = {"probe.timeout", DURATION, .initial = "1s", RANGE(10 * MS, H),
        AT(config.probe.timeout_us)},
    [PQR__KEY_READS_BALANCE] = {"reads.balance", .type = PQR__KEY_WORD, .initial = "ewma", .words = balances,
        AT(config.reads.balance)},
    [PQR__KEY_READS_MODE] = {"reads.mode", .type = PQR__KEY_WORD, .initial = "auto", .words = modes,
        AT(config.reads.mode)},
    [PQR__KEY_READS_SESSION] = {"reads.session", .type = PQR__KEY_WORD, .initial = "refuse",
        .words = sessions, AT(config.reads.session)},
    [PQR__KEY_READS_HARMLESS_FUNCTIONS] = {"reads.harmless_functions", .type = PQR__KEY_PATTERNS,
        AT(config.reads.harmless_functions)},
    [PQR__KEY_READS_HARMFUL_FUNCTIONS] = {"reads.harmful_functions", .type = PQR__KEY_PATTERNS,
        AT(config.reads.harmful_functions)},
    [PQR__KEY_READS_PRIMARY] = {"reads.primary", .type = PQR__KEY_WORD, .initial = "fallback",
        .words = primaries, AT(config.reads.primary)},
    [PQR__KEY_READS_FALLBACK_MAX] = {"reads.fallback_max", NUMBER, .initial = "75", RANGE(1, 100),
        AT(config.reads.fallback_max)},
    [PQR__KEY_READS_SLOW_START] = {"reads.slow_start", DURATION, .none = true, .initial = "5s", RANGE(MS, H),
        AT(config.reads.slow_start_us)},
    [PQR__KEY_READS_ZONE] = {"reads.zone", .type = PQR__KEY_TEXT, AT(config.reads.zone)},
    [PQR__KEY_READS_SHARE_SYNC] = {"reads.share_sync", NUMBER, .initial = "32", RANGE(1, 1000),
        AT(config.reads.share_sync)},
    [PQR__KEY_READS_SHARE_LIMIT] = {"reads.share_limit", DURATION, .initial = "5ms", RANGE(1, H),
        AT(config.reads.share_limit_us)},
    [PQR__KEY_WRITES_PIPELINE] = {"writes.pipeline", .type = PQR__KEY_BOOL, .initial = "false",
        AT(config.writes.pipeline)},
    [PQR__KEY_QUEUE_MAX_REQUESTS] = {"queue.max_requests", NUMBER, .initial = "10000", RANGE(1, 10000000),
        AT(config.queue.max_requests)},
    [PQR__KEY_QUEUE_MAX_BYTES] = {"queue.max_bytes", SIZE, .initial = "64MB", RANGE(KB, TB),
        AT(config.queue.max_bytes)},
    [PQR__KEY_QUEUE_NORMAL_SHARE] = {"queue.normal_share", NUMBER, .initial = "25", RANGE(0, 90),
        AT(config.queue.normal_share)},
    [PQR__KEY_QUEUE_BATCH_SHARE] = {"queue.batch_share", NUMBER, .initial = "10", RANGE(0, 50),
        AT(config.queue.batch_share)},
    [PQR__KEY_QUEUE_BATCH_AGE] = {"queue.batch_age", DURATION, .initial = "10s", RANGE(MS, D),
        AT(config.queue.batch_age_us)},
    [PQR__KEY_QUEUE_TARGET] = {"queue.target", DURATION, .none = true, .initial = "1s", RANGE(MS, H),
        AT(config.queue.target_us)},
    [PQR__KEY_QUEUE_INTERVAL] = {"queue.interval", DURATION, .initial = "2s", RANGE(MS, H),
        AT(config.queue.interval_us)},
    [PQR__KEY_REQUEST_TIMEOUT] = {"request.timeout", DURATION, .none = true, .initial = "30s",
        RANGE(MS, 30 * D), AT(config.request.timeout_us)},
    [PQR__KEY_REQUEST_CANCEL_GRACE] = {"request.cancel_grace", DURATION, .initial = "500ms", RANGE(MS, H),
        AT(config.request.cancel_grace_us)},
    [PQR__KEY_REQUEST_MAX_RETRIES] = {"request.max_retries", NUMBER, .initial = "3", RANGE(0, 100),
        AT(config.request.max_retries)},
    [PQR__KEY_REQUEST_MAX_RESULT] = {"request.max_result", SIZE, .none = true, .initial = "256MB",
        RANGE(KB, TB), AT(config.request.max_result_bytes)},
    [PQR__KEY_TRANSACTION_IDLE_TIMEOUT] = {"transaction.idle_timeout", DURATION, .initial = "5s",
        RANGE(MS, D), AT(config.transaction.idle_timeout_us)},
    [PQR__KEY_TRANSACTION_MAX_ATTEMPTS] = {"transaction.max_attempts", NUMBER, .initial = "3", RANGE(1, 100),
        AT(config.transaction.max_attempts)},
    [PQR__KEY_CATALOG_LOAD] = {"catalog.load", .type = PQR__KEY_BOOL, .initial = "true",
        AT(config.catalog.load)},
    [PQR__KEY_CATALOG_REFRESH] = {"catalog.refresh", DURATION, .none = true, .initial = "5min",
        RANGE(S, 30 * D), AT(config.catalog.refresh_us)},
    [PQR__KEY_CATALOG_MAX_SIZE] = {"catalog.max_size", SIZE, .initial = "32MB", RANGE(64 * KB, 4 * GB - 1),
        AT(config.catalog.max_bytes)},
    [PQR__KEY_CATALOG_TIMEOUT] = {"catalog.timeout", DURATION, .none = true, .initial = "5min",
        RANGE(100 * MS, D), AT(config.catalog.timeout_us)},
    [PQR__KEY_STATEMENTS_PREPARE_THRESHOLD] = {"statements.prepare_threshold", NUMBER, .initial = "3",
        RANGE(0, 1000000), AT(config.statements.prepare_threshold)},
    [PQR__KEY_STATEMENTS_MAX_PREPARED] = {"statements.max_prepared", NUMBER, .initial = "256",
        RANGE(1, 10000), AT(config.statements.max_prepared)},
    [PQR__KEY_STATEMENTS_WARM_UP] = {"statements.warm_up", .type = PQR__KEY_TEXTS,
        AT(config.statements.warm_up)},
};

#undef AT
#define AT(member) .offset = offsetof(struct pqr__draft_entry, member)

/* min and max have no default of their own: pool.min and pool.max stand in for them. */
const struct pqr__key pqr__entry_keys[PQR__N_ENTRY_KEYS] = {
    [PQR__ENTRY_KEY_NAME] = {"name", .type = PQR__KEY_TEXT, AT(name)},
    [PQR__ENTRY_KEY_CONNECTION] = {"connection", .type = PQR__KEY_SECRET, AT(connection)},
    [PQR__ENTRY_KEY_ROLE] = {"role", .type = PQR__KEY_WORD, .initial = "any", .words = roles, AT(role)},
    [PQR__ENTRY_KEY_WEIGHT] = {"weight", NUMBER, .initial = "100", RANGE(1, 1000), AT(weight)},
    [PQR__ENTRY_KEY_MIN] = {"min", NUMBER, RANGE(0, 10000), AT(min)},
    [PQR__ENTRY_KEY_MAX] = {"max", NUMBER, RANGE(0, 10000), AT(max)},
    [PQR__ENTRY_KEY_POOLER] = {"pooler", .type = PQR__KEY_BOOL, .initial = "false", AT(pooler)},
    [PQR__ENTRY_KEY_ZONE] = {"zone", .type = PQR__KEY_TEXT, AT(zone)},
};
