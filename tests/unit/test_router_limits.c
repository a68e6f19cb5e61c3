/* What is too large for any server is told so before it is sent, copied or read. The gigabytes here are pages that
 * nobody has written to, or one page many times.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include "fake_router.h"

#include "base/alloc.h"
#include "policy/message.h"

enum { MB = 1024 * 1024 };

/* --- Memory that is hardly there ------------------------------------------------------------------------- */

static char *zeros(size_t size)
{
    char *memory = mmap(NULL, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert_true(memory != MAP_FAILED);
    return memory;
}

/* A text of so many megabytes: the same one again and again, and a page of zeros behind it. */
static char *long_text(size_t n_mb)
{
    static char block[MB];
    FILE *file = tmpfile();
    char *text = zeros((n_mb + 1) * MB);
    assert_non_null(file);
    memset(block, 'x', sizeof(block));
    assert_int_equal(fwrite(block, 1, sizeof(block), file), sizeof(block));
    assert_int_equal(fflush(file), 0);
    for (size_t i = 0; i < n_mb; i++)
        assert_true(
            mmap(text + i * MB, MB, PROT_READ, MAP_SHARED | MAP_FIXED, fileno(file), 0) != MAP_FAILED);
    fclose(file);
    return text;
}

static size_t largest; /* that was asked of the heap */

static void *measured_malloc(size_t size)
{
    largest = size > largest ? size : largest;
    return malloc(size);
}

static void *measured_calloc(size_t n, size_t size)
{
    largest = n * size > largest ? n * size : largest;
    return calloc(n, size);
}

/* --- What is told ---------------------------------------------------------------------------------------- */

static char error[300];

static void on_refused(pqr_reply *reply, void *data)
{
    on_reply(reply, data);
    snprintf(error, sizeof(error), "%s", pqr_reply_error(reply));
}

static void assert_too_large(const struct told *told)
{
    assert_int_equal(told->times, 1);
    assert_int_equal(told->status, PQR_STATUS_SQL_ERROR);
    assert_int_equal(told->outcome, PQR_OUTCOME_NOT_EXECUTED);
    assert_int_equal(told->attempts, 0);
    assert_string_equal(told->sqlstate, "54000");
    assert_non_null(strstr(error, "1073741822"));
    assert_non_null(strstr(error, "parts"));
}

static unsigned connections_ever(void)
{
    return fake.n_conns;
}

static pqr_query query_of(int n, const char *const *values, const int *lengths)
{
    static const int binary[16] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    pqr_query query = PQR_QUERY_INIT;
    query.sql = "insert into t values ($1)";
    query.n_params = n;
    query.param_values = values;
    query.param_lengths = lengths;
    query.param_formats = binary;
    query.label = "large";
    return query;
}

static void run_refused(const pqr_query *query)
{
    struct told told = {0};
    unsigned before = connections_ever();
    largest = 0;
    assert_int_equal(pqr_query_run(NULL, fake.router, query, on_refused, &told), 0);
    assert_int_equal(told.times, 0);
    settle();
    assert_too_large(&told);
    assert_null(flying_on(0, 0));
    assert_int_equal(connections_ever(), before);
    assert_true(largest < MB);
}

static void a_value_that_no_message_can_hold_is_refused(void **state)
{
    const size_t size = INT32_MAX;
    char *value = zeros(size);
    const char *values[] = {value};
    (void)state;
    start();
    for (unsigned i = 0; i < 2; i++) {
        const int lengths[] = {i == 0 ? INT32_MAX : (int)PQR__MESSAGE_MAX};
        pqr_query query = query_of(1, values, lengths);
        run_refused(&query);
    }
    munmap(value, size);
}

static void the_values_of_a_request_count_together(void **state)
{
    enum { SIZE = 100 * MB };
    char *value = zeros(SIZE);
    const char *values[16];
    int lengths[16];
    (void)state;
    start();
    for (size_t i = 0; i < 16; i++) {
        values[i] = value;
        lengths[i] = SIZE;
    }
    pqr_query query = query_of(11, values, lengths);
    run_refused(&query);
    munmap(value, SIZE);
}

static void a_text_that_no_message_can_hold_is_refused_unread(void **state)
{
    char *text = long_text(1024);
    pqr_query query = PQR_QUERY_INIT;
    (void)state;
    start();
    query.sql = text;
    run_refused(&query);
    const char *const values[] = {text};
    query.sql = "select $1";
    query.n_params = 1;
    query.param_values = values;
    run_refused(&query);
    munmap(text, (size_t)1025 * MB);
}

static pqr_query too_large(const char *value)
{
    static const char *values[1];
    static const int lengths[] = {INT32_MAX};
    values[0] = value;
    return query_of(1, values, lengths);
}

static struct told in_body[2];

static void send_large_and_small(pqr_tx *tx, unsigned attempt, void *data)
{
    pqr_query large = too_large(data), small = PQR_QUERY_INIT;
    (void)attempt;
    small.sql = "select 1";
    assert_int_equal(pqr_tx_query(tx, &large, on_refused, &in_body[0]), 0);
    assert_int_equal(pqr_tx_query(tx, &small, on_reply, &in_body[1]), 0);
    assert_int_equal(pqr_tx_commit(tx), 0);
}

/* The queue's limit would have been its answer. */
static void a_transaction_goes_on_without_what_is_too_large(void **state)
{
    char *value = zeros(INT32_MAX);
    static struct told done;
    (void)state;
    start();
    memset(in_body, 0, sizeof(in_body));
    assert_int_equal(pqr_tx_run(NULL, fake.router, NULL, send_large_and_small, on_reply, &done), 0);
    settle();
    assert_too_large(&in_body[0]);
    answer_begun(flying_on(0, 0), NULL, PQR__TX_OPEN);
    settle();
    answer_in(flying_on(0, 0), NULL, "COMMIT", PQR__TX_IDLE);
    settle();
    assert_int_equal(in_body[1].status, PQR_STATUS_OK);
    assert_int_equal(done.status, PQR_STATUS_OK);
    munmap(value, INT32_MAX);
}

static void run_refused_batch(const pqr_batch_query *queries, size_t n, struct told *told, const char *place)
{
    struct told done = {0};
    unsigned before = connections_ever();
    memset(told, 0, n * sizeof(*told));
    assert_int_equal(pqr_batch_run(NULL, fake.router, NULL, queries, n, on_refused, &done), 0);
    settle();
    assert_int_equal(done.times, 1);
    assert_int_equal(done.status, PQR_STATUS_SQL_ERROR);
    assert_int_equal(done.outcome, PQR_OUTCOME_NOT_EXECUTED);
    assert_string_equal(done.sqlstate, "54000");
    assert_non_null(strstr(error, place));
    assert_non_null(strstr(error, "1073741822"));
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(told[i].times, 1);
        assert_int_equal(told[i].outcome, PQR_OUTCOME_NOT_EXECUTED);
    }
    assert_int_equal(connections_ever(), before);
}

static void a_batch_with_what_is_too_large_is_refused_as_a_whole(void **state)
{
    char *value = zeros(INT32_MAX);
    pqr_query large = too_large(value), small = PQR_QUERY_INIT;
    static struct told told[3];
    (void)state;
    start();
    small.sql = "select 1";
    const pqr_batch_query queries[] = {
        {&small, on_reply, &told[0]}, {&large, on_reply, &told[1]}, {&small, on_reply, &told[2]}};
    run_refused_batch(queries, 3, told, "query 2 of the batch");
    assert_string_equal(told[1].sqlstate, "54000");
    munmap(value, INT32_MAX);
}

static char *text_of(const char *begin, size_t size, const char *end)
{
    char *text = malloc(size + 1);
    assert_non_null(text);
    memset(text, 'x', size);
    memcpy(text, begin, strlen(begin));
    memcpy(text + size - strlen(end), end, strlen(end) + 1);
    return text;
}

/* Each by itself would fit. */
static void the_queries_of_a_batch_count_together(void **state)
{
    enum { SIZE = 32 * MB, N = 40 };
    char *text = text_of("select '", SIZE, "'");
    static struct told told[N];
    pqr_batch_query queries[N];
    pqr_query query = PQR_QUERY_INIT;
    pqr_statement *statement;
    (void)state;
    start();
    assert_int_equal(pqr_statement_new(&statement, text), 0);
    free(text);
    query.statement = statement;
    for (size_t i = 0; i < N; i++)
        queries[i] = (pqr_batch_query){&query, on_reply, &told[i]};
    largest = 0;
    run_refused_batch(queries, N, told, "query 32 of the batch");
    assert_true(largest < (size_t)2 * SIZE);
    pqr_statement_free(statement);
}

/* --- What is large, and allowed -------------------------------------------------------------------------- */

static void run_large(size_t size, struct told *told)
{
    char *value = zeros(size);
    const char *values[] = {value};
    const int lengths[] = {(int)size};
    pqr_query query = query_of(1, values, lengths);
    *told = (struct told){0};
    query.target = PQR_TARGET_PRIMARY;
    assert_int_equal(pqr_query_run(NULL, fake.router, &query, on_reply, told), 0);
    munmap(value, size);
    settle();
}

static void a_connection_whose_memory_has_grown_is_not_kept(void **state)
{
    static struct told told;
    (void)state;
    start();
    run_large(1 * MB, &told);
    struct pqr__conn *conn = flying_on(0, 0);
    answer(conn, NULL);
    settle();
    assert_int_equal(conn->phase, OPEN);
    run_large(20 * MB, &told);
    conn = flying_on(0, 0);
    answer(conn, NULL);
    settle();
    assert_int_equal(told.status, PQR_STATUS_OK);
    assert_int_equal(conn->phase, GONE);
}

/* libpq's buffer for all that is to go on a connection has an int for its size. */
static void what_is_large_shares_no_connection(void **state)
{
    static struct told told;
    char *value = zeros(MB);
    const char *values[] = {value};
    const int small[] = {1}, large[] = {MB};
    (void)state;
    fake.config->servers[0].max = 3; /* the probe, the reserve, and one */
    start();
    pqr_query query = query_of(1, values, small);
    query.flags = PQR_PIPELINE;
    for (unsigned i = 0; i <= 2 * PQR__HISTORY_CLEAN; i++) {
        assert_int_equal(pqr_query_run(NULL, fake.router, &query, on_reply, &told), 0);
        run_down();
        if (i < 2 * PQR__HISTORY_CLEAN)
            answer(flying_on(0, 0), NULL);
        run_down();
    }
    struct pqr__conn *conn = flying_on(0, 0);
    query.param_lengths = large;
    assert_int_equal(pqr_query_run(NULL, fake.router, &query, on_reply, &told), 0);
    run_down();
    assert_int_equal(pqr__queue_count(&fake.router->queue), 1); /* not behind the other */
    answer(conn, NULL);
    run_down();
    assert_int_equal(pqr__queue_count(&fake.router->queue), 0);
    answer(flying_on(0, 0), NULL);
    run_down();
    assert_int_equal(told.status, PQR_STATUS_OK);
    munmap(value, MB);
}

int main(void)
{
    pqr_set_allocator(measured_malloc, measured_calloc, realloc, free);
    const struct CMUnitTest tests[] = {
        TEST(a_value_that_no_message_can_hold_is_refused),
        TEST(the_values_of_a_request_count_together),
        TEST(a_text_that_no_message_can_hold_is_refused_unread),
        TEST(a_transaction_goes_on_without_what_is_too_large),
        TEST(a_batch_with_what_is_too_large_is_refused_as_a_whole),
        TEST(the_queries_of_a_batch_count_together),
        TEST(a_connection_whose_memory_has_grown_is_not_kept),
        TEST(what_is_large_shares_no_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
