/* Every allocation of the library failed in turn, on a real server: once, and from then on. Whatever fails, each call
   returns 0 or PQR_ENOMEM, what was accepted is answered once, closing works without a byte to be had, and nothing
   is left. Connector threads allocate too, so that the order is not the same each time; the ends must be. And once
   warm, a request needs no allocation of ours. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <stdatomic.h>
#include <unistd.h>

#include "app.h"
#include "suite.h"

/* --- the heap --- */

static struct {
    atomic_long live;
    atomic_ulong asked; /* since the last arm */
    atomic_ulong fail_at;
    atomic_bool go_on; /* all after it fail too */
} heap;

static bool fails(void)
{
    unsigned long n = atomic_fetch_add(&heap.asked, 1) + 1, at = atomic_load(&heap.fail_at);
    return at != 0 && (atomic_load(&heap.go_on) ? n >= at : n == at);
}

static void *counted(void *memory)
{
    if (memory)
        atomic_fetch_add(&heap.live, 1);
    return memory;
}

static void *heap_malloc(size_t size)
{
    return fails() ? NULL : counted(malloc(size));
}

static void *heap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : counted(calloc(count, size));
}

static void *heap_realloc(void *memory, size_t size)
{
    if (fails())
        return NULL;
    return memory ? realloc(memory, size) : counted(realloc(NULL, size));
}

static void heap_free(void *memory)
{
    if (memory)
        atomic_fetch_sub(&heap.live, 1);
    free(memory);
}

static void arm(unsigned long fail_at, bool go_on)
{
    atomic_store(&heap.fail_at, 0);
    atomic_store(&heap.asked, 0);
    atomic_store(&heap.go_on, go_on);
    atomic_store(&heap.fail_at, fail_at);
}

/* The injected failure happened. */
static bool disarm(void)
{
    unsigned long at = atomic_exchange(&heap.fail_at, 0);
    return atomic_load(&heap.asked) >= at;
}

/* A thread that was abandoned gives back what it holds a moment later. */
static void assert_all_is_given_back(void)
{
    for (int turn = 0; atomic_load(&heap.live) != 0 && turn < 2000; turn++)
        usleep(5000);
    assert_int_equal(atomic_load(&heap.live), 0);
}

/* --- the configuration --- */

static const char tables[] = "set role app; create table kept (n int)";

static void write_config(char *path, const char *work_mem, const char *more)
{
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    FILE *file = fdopen(fd, "w");
    assert_non_null(file);
    fprintf(file,
        "connection = \"user=app dbname=app\";"
        "servers = ({ name = \"only\"; connection = \"host=127.0.0.1 port=%d\"; });"
        "pool = { min = 1; max = 4; backoff_min = \"10ms\"; backoff_max = \"50ms\"; init_sql = [\"set "
        "work_mem = '%s'\"]; };"
        "probe = { interval = \"50ms\"; }; %s",
        cluster_port(&cluster, 0), work_mem, more);
    fclose(file);
}

static void configurations_survive_any_failed_allocation(void **state)
{
    (void)state;
    char path[] = "/tmp/pqr-heap.XXXXXX", all[400];
    write_config(path, "5MB", "");
    cluster_conninfo_all(&cluster, all, sizeof(all));
    for (unsigned kind = 0; kind < 4; kind++) {
        bool hit = true;
        for (unsigned long n = 1; hit; n++) {
            pqr_config *config = NULL;
            pqr_error error = {0};
            arm(n, kind / 2 != 0);
            int status =
                kind % 2 ? pqr_config_load(&config, path, &error) : pqr_config_conninfo(&config, all, &error);
            hit = disarm();
            if (status != 0) {
                assert_true(hit);
                assert_int_equal(status, PQR_ENOMEM);
                assert_int_equal(error.code, PQR_ENOMEM);
                assert_true(error.message[0] != '\0');
                assert_null(config);
            }
            pqr_config_free(config);
            assert_int_equal(atomic_load(&heap.live), 0);
        }
    }
    unlink(path);
}

/* --- the router --- */

/* Connections are made anew, and with statements prepared. */
static const char warm_up[] = "statements = { warm_up = [\"select $1::int + 1\"]; };";

struct trial {
    uv_loop_t loop;
    pqr_router *router;
    const pqr_config *next; /* that is reloaded */
    bool go_on;             /* one failure, or all */
    bool in_parts;          /* rows are asked for so */
    int parts;
    int closed;
    int ready_calls, ready_status;
    int replies_due, replies;
    pqr_status status;
    pqr_outcome outcome;
    char error[256];
    bool bodies_failed;
    pqr_request_id id;
};

static void turn_until(struct trial *trial, const int *count, int wanted)
{
    while (*count < wanted)
        uv_run(&trial->loop, UV_RUN_ONCE);
}

static void on_ready(pqr_router *router, int status, const char *why, void *data)
{
    struct trial *trial = data;
    (void)router;
    assert_non_null(why);
    trial->ready_calls++;
    trial->ready_status = status;
}

static void on_reply(pqr_reply *reply, void *data)
{
    struct trial *trial = data;
    trial->replies++;
    trial->status = pqr_reply_status(reply);
    trial->outcome = pqr_reply_outcome(reply);
    snprintf(trial->error, sizeof(trial->error), "%s", pqr_reply_error(reply));
    for (int i = 0; i < pqr_reply_notice_count(reply); i++)
        pqr_reply_notice(reply, i); /* NULL when there was no memory to keep it */
    assert_non_null(pqr_reply_reason(reply));
}

static void on_closed(void *data)
{
    ((struct trial *)data)->closed++;
}

static int on_rows(pqr_reply *part, void *data)
{
    (void)part;
    ((struct trial *)data)->parts++;
    return 0;
}

/* The call's own answer; one failure in between is overcome by calling again. */
static bool accepted(struct trial *trial, int status)
{
    assert_true(status == 0 || status == PQR_ENOMEM);
    if (status == 0)
        trial->replies_due++;
    return status == 0;
}

static bool query_of(
    struct trial *trial, const char *sql, const pqr_statement *statement, int n_params, bool cancel)
{
    static const char *const values[] = {"7", NULL};
    pqr_query one = PQR_QUERY_INIT;
    one.sql = statement ? NULL : sql;
    one.statement = statement;
    one.n_params = n_params;
    one.param_values = values;
    one.timeout_ms = trial->go_on ? 300 : 10000;
    one.rows = trial->in_parts ? on_rows : NULL;
    int status = pqr_query_run(&trial->id, trial->router, &one, on_reply, trial);
    if (!accepted(trial, status))
        return !trial->go_on && query_of(trial, sql, statement, n_params, cancel);
    if (cancel) {
        uv_run(&trial->loop, UV_RUN_NOWAIT);
        pqr_request_cancel(trial->router, trial->id);
    }
    turn_until(trial, &trial->replies, trial->replies_due);
    if (cancel)
        return true;
    if (trial->status == PQR_STATUS_OK)
        return true;
    assert_true(trial->error[0] != '\0');
    if (trial->status == PQR_STATUS_SQL_ERROR) /* the server had no reason to complain */
        assert_string_equal(sql, "begin");
    return !trial->go_on;
}

static bool query(struct trial *trial, const char *sql, int n_params, bool cancel)
{
    return query_of(trial, sql, NULL, n_params, cancel);
}

static bool parts(struct trial *trial)
{
    trial->in_parts = true;
    bool well = query(trial, "select generate_series(1, 1000 + $1::int)", 1, false);
    trial->in_parts = false;
    if (well && trial->status == PQR_STATUS_OK)
        assert_true(trial->parts > 1);
    return well;
}

static bool statement(struct trial *trial)
{
    static const char sql[] = "select $1::int + 2";
    pqr_statement *kept = NULL;
    int status = pqr_statement_new(&kept, sql);
    assert_true(status == 0 || status == PQR_ENOMEM);
    if (status != 0)
        return !trial->go_on && statement(trial);
    bool well = query_of(trial, sql, kept, 1, false) && query_of(trial, sql, kept, 1, false);
    pqr_statement_free(kept);
    return well;
}

static void on_finding(const pqr_finding *finding, void *data)
{
    (void)data;
    assert_non_null(finding->kind);
}

/* What the router keeps is either the old configuration or the new one. */
static bool reload(struct trial *trial)
{
    pqr_verdict verdict = PQR_VERDICT_INIT;
    pqr_error error = {0};
    int status = pqr_router_reload(trial->router, trial->next, &error);
    assert_true(status == 0 || status == PQR_ENOMEM);
    if (status == 0)
        trial->next = NULL;
    else if (!trial->go_on)
        return reload(trial);
    assert_int_equal(pqr_catalog_refresh(trial->router), 0);
    assert_int_equal(pqr_explain(&verdict, trial->router, "select f()", 10, on_finding, NULL), 0);
    return true;
}

static void body(pqr_tx *tx, unsigned attempt, void *data)
{
    struct trial *trial = data;
    (void)attempt;
    for (int i = 0; i < 3; i++) {
        pqr_query one = PQR_QUERY_INIT;
        one.sql = "insert into kept values (1)";
        if (!accepted(trial, pqr_tx_query(tx, &one, on_reply, trial)))
            trial->bodies_failed = true;
    }
    assert_int_equal(pqr_tx_commit(tx), 0); /* ending needs no memory */
}

static bool transaction(struct trial *trial)
{
    pqr_tx_options options = PQR_TX_OPTIONS_INIT;
    options.timeout_ms = trial->go_on ? 300 : 10000;
    int status = pqr_tx_run(&trial->id, trial->router, &options, body, on_reply, trial);
    if (!accepted(trial, status))
        return !trial->go_on && transaction(trial);
    while (trial->replies < trial->replies_due)
        uv_run(&trial->loop, UV_RUN_ONCE);
    return trial->status == PQR_STATUS_OK || !trial->go_on;
}

static bool batch(struct trial *trial, const char *first)
{
    pqr_query one = PQR_QUERY_INIT, two = PQR_QUERY_INIT;
    pqr_batch_query list[2] = {{&one, on_reply, trial}, {&two, on_reply, trial}};
    pqr_batch_options options = PQR_BATCH_OPTIONS_INIT;
    options.timeout_ms = trial->go_on ? 300 : 10000;
    one.sql = first;
    two.sql = "select 7 as b";
    int status = pqr_batch_run(&trial->id, trial->router, &options, list, 2, on_reply, trial);
    if (!accepted(trial, status))
        return !trial->go_on && batch(trial, first);
    trial->replies_due += 2;
    while (trial->replies < trial->replies_due)
        uv_run(&trial->loop, UV_RUN_ONCE);
    return trial->status == PQR_STATUS_OK || !trial->go_on;
}

static bool statistics(struct trial *trial)
{
    pqr_stats *stats = NULL;
    char *json = NULL;
    int status = pqr_router_stats(trial->router, &stats);
    if (status == 0)
        status = pqr_stats_json(stats, &json);
    assert_true(status == 0 || status == PQR_ENOMEM);
    pqr_stats_free(stats);
    pqr_free(json);
    return true;
}

static bool ready(struct trial *trial)
{
    int status = pqr_router_ready(trial->router, trial->go_on ? 300 : 10000, on_ready, trial);
    assert_true(status == 0 || status == PQR_ENOMEM);
    if (status == PQR_ENOMEM)
        return !trial->go_on && ready(trial);
    turn_until(trial, &trial->ready_calls, 1);
    if (trial->ready_status != 0)
        assert_int_equal(trial->ready_status, PQR_ETIMEDOUT);
    if (!trial->go_on)
        assert_int_equal(trial->ready_status, 0); /* one failure does not keep it from it */
    return trial->ready_status == 0;
}

static const char *const warn = "do $$begin raise warning 'w'; insert into kept values (2); end$$";

static void use(struct trial *trial)
{
    (void)(ready(trial) && query(trial, "select $1::int + 1", 1, false) && query(trial, warn, 0, false) &&
           query(trial, "insert into kept select 3; insert into kept select 4", 0, false) &&
           transaction(trial) && batch(trial, "insert into kept values (1)") &&
           batch(trial, "select 6 as a") && parts(trial) && statement(trial) && reload(trial) &&
           query(trial, "select $1::int + 1", 1, false) && transaction(trial) &&
           query(trial, "insert into kept select 5 from pg_sleep(5)", 0, true) && statistics(trial) &&
           query(trial, "begin", 0, false));
}

/* True: the nth allocation was asked for, and failed. */
static bool attempt_with(const pqr_config *config, const pqr_config *next, unsigned long n, bool go_on)
{
    struct trial trial = {.go_on = go_on, .next = next};
    pqr_error error = {0};
    pqr_callbacks callbacks = PQR_CALLBACKS_INIT;
    assert_int_equal(uv_loop_init(&trial.loop), 0);
    arm(n, go_on);
    int status = pqr_router_open(&trial.router, &trial.loop, config, &callbacks, &error);
    if (status == 0) {
        use(&trial);
        pqr_router_close(trial.router, 0, on_closed, &trial);
        while (trial.closed == 0)
            uv_run(&trial.loop, UV_RUN_ONCE);
    } else {
        assert_int_equal(status, PQR_ENOMEM);
        assert_null(trial.router);
        assert_int_equal(error.code, PQR_ENOMEM);
    }
    uv_run(&trial.loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&trial.loop), 0);
    assert_int_equal(trial.replies, trial.replies_due);
    return disarm();
}

static pqr_config *load(const char *work_mem, const char *more)
{
    char path[] = "/tmp/pqr-heap.XXXXXX";
    pqr_config *config;
    pqr_error error = {0};
    write_config(path, work_mem, more);
    assert_int_equal(pqr_config_load(&config, path, &error), 0);
    unlink(path);
    return config;
}

static void fail_each(bool go_on)
{
    pqr_config *config = load("5MB", ""), *next = load("6MB", warm_up);
    unsigned long n = 1;
    long before = atomic_load(&heap.live); /* the configurations' */
    while (attempt_with(config, next, n, go_on)) {
        n++;
        for (int turn = 0; atomic_load(&heap.live) != before && turn < 2000; turn++)
            usleep(1000);
        assert_int_equal(atomic_load(&heap.live), before);
    }
    pqr_config_free(config);
    pqr_config_free(next);
    print_message("%lu allocations\n", n - 1);
    assert_true(n > 60);
    assert_all_is_given_back();
}

static void one_failed_allocation_is_told_or_overcome(void **state)
{
    (void)state;
    fail_each(false);
}

static void no_memory_from_some_moment_on_is_told_and_closed(void **state)
{
    (void)state;
    fail_each(true);
}

/* --- once warm --- */

/* Reads that share, and more than fit into one flight. */
static unsigned long asked_by_waves(struct trial *trial, const pqr_query *one)
{
    enum { WAVES = 50, WAVE = 40 };
    arm(0, false);
    for (unsigned wave = 0; wave < WAVES; wave++) {
        for (unsigned i = 0; i < WAVE; i++)
            assert_true(accepted(trial, pqr_query_run(NULL, trial->router, one, on_reply, trial)));
        turn_until(trial, &trial->replies, trial->replies_due);
        assert_int_equal(trial->status, PQR_STATUS_OK);
    }
    return atomic_load(&heap.asked);
}

/* Connections, the catalog and what is remembered of a text come to their size first. */
static void assert_it_gets_warm(struct trial *trial, const pqr_query *one)
{
    enum { TRIES = 100 };
    unsigned tries = 0;
    while (asked_by_waves(trial, one) > 0)
        if (++tries == TRIES)
            fail_msg("%s: it allocates for ever", one->sql ? one->sql : "a statement");
}

static void a_warm_router_allocates_nothing_for_a_request(void **state)
{
    (void)state;
    static const char *const values[] = {"7"};
    struct trial trial = {0};
    char conninfo[400];
    pqr_config *config = NULL;
    pqr_statement *statement = NULL;
    pqr_query by_text = PQR_QUERY_INIT, kept = PQR_QUERY_INIT, write = PQR_QUERY_INIT, in_parts;
    by_text.sql = "select $1::int + 1";
    write.sql = "insert into kept values ($1)";
    by_text.n_params = kept.n_params = write.n_params = 1;
    by_text.param_values = kept.param_values = write.param_values = values;
    in_parts = by_text;
    in_parts.rows = on_rows;
    cluster_conninfo_all(&cluster, conninfo, sizeof(conninfo));
    assert_int_equal(uv_loop_init(&trial.loop), 0);
    assert_int_equal(pqr_config_conninfo(&config, conninfo, NULL), 0);
    assert_int_equal(pqr_router_open(&trial.router, &trial.loop, config, NULL, NULL), 0);
    assert_int_equal(pqr_statement_new(&statement, "select $1::int + 2"), 0);
    kept.statement = statement;
    assert_it_gets_warm(&trial, &by_text);
    assert_it_gets_warm(&trial, &kept);
    assert_it_gets_warm(&trial, &write);
    assert_it_gets_warm(&trial, &in_parts);
    pqr_router_close(trial.router, 0, on_closed, &trial);
    uv_run(&trial.loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&trial.loop), 0);
    pqr_statement_free(statement);
    pqr_config_free(config);
    assert_all_is_given_back();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(configurations_survive_any_failed_allocation),
        cmocka_unit_test(one_failed_allocation_is_told_or_overcome),
        cmocka_unit_test(no_memory_from_some_moment_on_is_told_and_closed),
        cmocka_unit_test(a_warm_router_allocates_nothing_for_a_request),
    };
    if (pqr_set_allocator(heap_malloc, heap_calloc, heap_realloc, heap_free) != 0)
        return 1;
    return SUITE_RUN(tests, 0, tables);
}
