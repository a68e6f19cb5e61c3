/* Routers on loops of their own, each in a thread, at the same time, with one configuration: nothing that they share may
   know of it. Worth most under the thread sanitizer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <pthread.h>
#include <uv.h>

#include "pqrouter.h"
#include "suite.h"

enum { THREADS = 4, REQUESTS = 60, ROUNDS = 3 };

static const char tables[] = "set role app; create table kept (n int)";

static pqr_config *config; /* one for all, and counted by all */

/* What cmocka's asserts would say, which are for one thread. */
struct thread {
    pthread_t id;
    uv_loop_t loop;
    pqr_router *router;
    pqr_statement *statement;
    unsigned sent, answered, ok, closed, ready, failures;
};

static int password(void *data, const char *server, char *buffer, size_t size)
{
    (void)data, (void)server;
    snprintf(buffer, size, "none is asked for");
    return 0;
}

static void on_reply(pqr_reply *reply, void *data)
{
    struct thread *thread = data;
    thread->answered++;
    thread->ok += pqr_reply_status(reply) == PQR_STATUS_OK;
}

static void on_ready(pqr_router *router, int status, const char *why, void *data)
{
    struct thread *thread = data;
    (void)router, (void)why;
    thread->ready++;
    thread->failures += status != 0;
}

static void on_closed(void *data)
{
    ((struct thread *)data)->closed++;
}

static void body(pqr_tx *tx, unsigned attempt, void *data)
{
    struct thread *thread = data;
    pqr_query query = PQR_QUERY_INIT;
    (void)attempt;
    query.sql = "insert into kept values (2)";
    thread->sent += pqr_tx_query(tx, &query, on_reply, thread) == 0;
    pqr_tx_commit(tx);
}

static void ask(struct thread *thread, unsigned i)
{
    static const char *const sql[] = {"select 1", "insert into kept values (1)", "select f()"};
    pqr_query query = PQR_QUERY_INIT;
    pqr_verdict verdict = PQR_VERDICT_INIT;
    query.sql = sql[i % 3];
    pqr_batch_query two[2] = {{&query, NULL, NULL}, {&query, NULL, NULL}};
    thread->failures += pqr_classify(&verdict, query.sql, strlen(query.sql)) != 0;
    if (i % 10 == 7) {
        thread->sent += pqr_tx_run(NULL, thread->router, NULL, body, on_reply, thread) == 0;
    } else if (i % 10 == 8) {
        thread->sent += pqr_batch_run(NULL, thread->router, NULL, two, 2, on_reply, thread) == 0;
    } else {
        if (i % 10 == 9) {
            query.sql = NULL;
            query.statement = thread->statement;
        }
        thread->sent += pqr_query_run(NULL, thread->router, &query, on_reply, thread) == 0;
    }
}

static void use(struct thread *thread)
{
    pqr_stats *stats = NULL;
    thread->failures += pqr_router_ready(thread->router, 20000, on_ready, thread) != 0;
    while (thread->ready == 0)
        uv_run(&thread->loop, UV_RUN_ONCE);
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (unsigned i = 0; i < REQUESTS; i++)
            ask(thread, i);
        thread->failures += pqr_router_reload(thread->router, config, NULL) != 0;
        while (thread->answered < thread->sent)
            uv_run(&thread->loop, UV_RUN_ONCE);
        thread->failures += pqr_router_stats(thread->router, &stats) != 0;
        pqr_stats_free(stats);
    }
}

static void *run(void *data)
{
    struct thread *thread = data;
    pqr_callbacks callbacks = PQR_CALLBACKS_INIT;
    callbacks.password = password;
    if (uv_loop_init(&thread->loop) != 0 || pqr_statement_new(&thread->statement, "select 2") != 0 ||
        pqr_router_open(&thread->router, &thread->loop, config, &callbacks, NULL) != 0) {
        thread->failures++;
        return NULL;
    }
    use(thread);
    pqr_statement_free(thread->statement);
    pqr_router_close(thread->router, 1000, on_closed, thread);
    uv_run(&thread->loop, UV_RUN_DEFAULT);
    thread->failures += uv_loop_close(&thread->loop) != 0 || thread->closed != 1;
    return NULL;
}

static void routers_of_several_threads_know_nothing_of_each_other(void **state)
{
    static struct thread threads[THREADS];
    char conninfo[400];
    (void)state;
    cluster_conninfo_all(&cluster, conninfo, sizeof(conninfo));
    assert_int_equal(pqr_config_conninfo(&config, conninfo, NULL), 0);
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i].id, NULL, run, &threads[i]), 0);
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i].id, NULL), 0);
    pqr_config_free(config);
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(threads[i].failures, 0);
        assert_int_equal(threads[i].answered, threads[i].sent);
        assert_int_equal(threads[i].ready, 1);
        assert_true(threads[i].ok >= REQUESTS / 2); /* f() is nobody's */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(routers_of_several_threads_know_nothing_of_each_other),
    };
    return SUITE_RUN(tests, 1, tables);
}
