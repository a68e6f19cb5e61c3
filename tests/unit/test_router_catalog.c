/* The catalog read from servers that answer as they should not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "fake_router.h"

enum { MINUTE_US = 60 * 1000 * 1000, SECOND_US = 1000 * 1000 };

static void start_reading(void)
{
    fake.config->catalog.load = true;
    fake.config->catalog.timeout_us = MINUTE_US;
    fake.config->catalog.refresh_us = 0;
    fake.config->servers[0].min = 1;
    fake.catalog_waits = true;
    start();
    for (int i = 0; i < 100 && !reading_catalog(); i++)
        settle();
    assert_non_null(reading_catalog());
}

/* One row: a function of this name. */
static void answer_function(const char *oid, const char *name)
{
    struct pg_result *result = result_new("SELECT 1");
    const char *row[] = {oid, "f", name, "f", NULL, NULL, NULL, NULL, "public", NULL, NULL};
    memcpy(result->values, row, sizeof(row));
    struct pqr__conn *conn = reading_catalog();
    assert_non_null(conn);
    item(conn, NULL, result);
    settled_as(conn, PQR__TX_IDLE, NULL);
    settle();
}

static void assert_given_up(void)
{
    const struct pqr__catalog_loader *loader = &fake.router->catalog;
    assert_null(reading_catalog());
    assert_null(loader->building);
    assert_null(fake.router->dialect.catalog);
    assert_int_equal(loader->failures, 1);
    for (int i = 0; i < 5 && !reading_catalog(); i++)
        advance(SECOND_US);
    assert_non_null(reading_catalog()); /* once more, from the beginning */
    assert_int_equal(loader->after, 16383);
}

static void a_row_for_ever_is_given_up_after_the_timeout(void **state)
{
    char oid[24];
    unsigned answers = 0;
    (void)state;
    start_reading();
    for (; reading_catalog() && answers < 1000; answers++) {
        advance(SECOND_US);
        (void)snprintf(oid, sizeof(oid), "%u", 20000 + answers);
        answer_function(oid, "f");
    }
    assert_in_range(answers, 50, 61);
    assert_given_up();
}

static void the_same_row_again_is_no_answer(void **state)
{
    (void)state;
    start_reading();
    answer_function("20000", "f");
    answer_function("20000", "f");
    assert_given_up();
}

static void what_is_no_oid_is_no_answer(void **state)
{
    (void)state;
    start_reading();
    answer_function("-1", "f");
    assert_given_up();
}

static void an_oid_beyond_all_is_no_answer(void **state)
{
    (void)state;
    start_reading();
    answer_function("99999999999999999999999", "f");
    assert_given_up();
}

/* Whatever rows there were. */
static void a_catalog_that_ends_is_used(void **state)
{
    (void)state;
    start_reading();
    answer_function("16384", "f");
    answer_function("4294967295", "g");
    fake.catalog_waits = false;
    settle();
    assert_non_null(fake.router->dialect.catalog);
    assert_int_equal(fake.router->dialect.catalog->count, 2);
}

static void close_when_it_is_taken(void *data, pqr_log_level level, const char *text)
{
    (void)data;
    (void)level;
    if (strstr(text, "idle -> busy_own"))
        pqr_router_close(fake.router, 0, on_closed, &closed);
}

/* Its next question is neither in the queue any more, nor in the air. */
static void the_router_may_close_while_it_is_given_a_connection(void **state)
{
    (void)state;
    start_reading();
    fake.router->log.write = close_when_it_is_taken;
    fake.router->log.level = PQR_LOG_DEBUG;
    answer_function("20000", "f");
    for (int i = 0; i < 100 && !closed; i++)
        advance(SECOND_US);
    assert_true(closed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_row_for_ever_is_given_up_after_the_timeout),
        TEST(the_same_row_again_is_no_answer),
        TEST(what_is_no_oid_is_no_answer),
        TEST(an_oid_beyond_all_is_no_answer),
        TEST(a_catalog_that_ends_is_used),
        TEST(the_router_may_close_while_it_is_given_a_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
