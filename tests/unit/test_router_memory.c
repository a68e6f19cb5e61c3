/* What a request takes while it waits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "fake_router.h"

enum { HEADER = 16, WAITING = 2060, MOST = 512 };

static size_t in_use; /* bytes, as they were asked for */

static void *own_realloc(void *memory, size_t size)
{
    char *block = memory ? (char *)memory - HEADER : NULL;
    size_t before = 0;
    if (block)
        memcpy(&before, block, sizeof(before));
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_waiting_request_takes_half_a_kilobyte_beside_its_text),
    };
    return cmocka_run_group_tests(tests, count_memory, NULL);
}
