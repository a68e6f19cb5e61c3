/* What a request takes while it waits, and what is taken once more when it has come before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "fake_router.h"

enum { HEADER = 16, WAITING = 2060, MOST = 512 };

static size_t in_use; /* bytes, as they were asked for */
static unsigned n_asked;

static void *own_realloc(void *memory, size_t size)
{
    char *block = memory ? (char *)memory - HEADER : NULL;
    size_t before = 0;
    if (block)
        memcpy(&before, block, sizeof(before));
    n_asked++;
    block = realloc(block, size + HEADER);
    if (!block)
        return NULL;
    memcpy(block, &size, sizeof(size));
    in_use += size - before;
    return block + HEADER;
}

static void *own_malloc(size_t size)
{
    return own_realloc(NULL, size);
}

static void *own_calloc(size_t n, size_t size)
{
    void *memory = own_realloc(NULL, n * size);
    return memory ? memset(memory, 0, n * size) : NULL;
}

static void own_free(void *memory)
{
    if (!memory)
        return;
    size_t size;
    memcpy(&size, (char *)memory - HEADER, sizeof(size));
    in_use -= size;
    free((char *)memory - HEADER);
}

static int count_memory(void **state)
{
    (void)state;
    return pqr_set_allocator(own_malloc, own_calloc, own_realloc, own_free);
}

static const char sql[] = "insert into t values ($1)", value[] = "1";

static void ask(struct told *told, unsigned n)
{
    static const Oid types[] = {23};
    static const char *const values[] = {value};
    pqr_query query = PQR_QUERY_INIT;
    query.sql = sql;
    query.n_params = 1;
    query.param_types = types;
    query.param_values = values;
    for (unsigned i = 0; i < n; i++)
        assert_int_equal(pqr_query_run(NULL, fake.router, &query, on_reply, &told[i]), 0);
}

/* With one parameter; the tables that grow with the number of requests are included, at their worst. */
static void a_waiting_request_takes_half_a_kilobyte_beside_its_text(void **state)
{
    static struct told told[2 * WAITING];
    (void)state;
    start();
    ask(told, WAITING);
    size_t before = in_use;
    ask(told + WAITING, WAITING);
    assert_int_equal(told[2 * WAITING - 1].times, 0);
    assert_in_range((in_use - before) / WAITING - sizeof(sql) - sizeof(value), 1, MOST);
}

static void run_batch(void)
{
    static struct told told[3];
    pqr_query query = PQR_QUERY_INIT;
    const pqr_batch_query list[] = {{&query, on_reply, &told[0]}, {&query, on_reply, &told[1]}};
    query.sql = sql;
    told[2].times = 0;
    assert_int_equal(pqr_batch_run(NULL, fake.router, NULL, list, 2, on_reply, &told[2]), 0);
    settle();
    struct pqr__conn *conn = flying_on(0, 0);
    assert_non_null(conn);
    for (struct pqr__item *item = conn->flight->items; item; item = item->next)
        events.item(
            conn->context, conn->flight, item, &(struct pqr__answer){.kind = PQR__ANSWER_OK, .message = ""});
    settled_as(conn, PQR__TX_IDLE, NULL);
    settle();
    assert_int_equal(told[2].times, 1);
    assert_int_equal(told[2].status, PQR_STATUS_OK);
}

static void a_batch_takes_no_memory_that_one_before_it_had(void **state)
{
    (void)state;
    start();
    for (unsigned i = 0; i < 10; i++)
        run_batch();
    unsigned before = n_asked;
    for (unsigned i = 0; i < 10; i++)
        run_batch();
    assert_int_equal(n_asked, before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_waiting_request_takes_half_a_kilobyte_beside_its_text),
        TEST(a_batch_takes_no_memory_that_one_before_it_had),
    };
    return cmocka_run_group_tests(tests, count_memory, NULL);
}
