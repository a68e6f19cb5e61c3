/* Every allocation of our heap fails in turn, once or from then on: no crash, no leak, PQR_ENOMEM. And
 * what held a secret is wiped when it is given back. libpq's and libconfig's own heaps are not touched. */
#define _GNU_SOURCE /* memmem */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <malloc.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_help.h"

#define CANARY "tr0ub4dor"

static struct {
    long outstanding;
    unsigned count, fail_at; /* 0: none fails */
    bool persistent, failed;
    bool look; /* whether freed memory is searched for the canary */
    unsigned found;
} heap;

static bool fails(void)
{
    heap.count++;
    bool now = heap.fail_at && (heap.persistent ? heap.count >= heap.fail_at : heap.count == heap.fail_at);
    heap.failed = heap.failed || now;
    return now;
}

static void *counted(void *memory)
{
    heap.outstanding += memory != NULL;
    return memory;
}

static void *own_malloc(size_t size)
{
    return fails() ? NULL : counted(calloc(1, size)); /* no canary of an earlier owner in it */
}

static void *own_calloc(size_t count, size_t size)
{
    return fails() ? NULL : counted(calloc(count, size));
}

static void own_free(void *memory)
{
    if (!memory)
        return;
    if (heap.look && memmem(memory, malloc_usable_size(memory), CANARY, strlen(CANARY)))
        heap.found++;
    heap.outstanding--;
    free(memory);
}

static void *own_realloc(void *memory, size_t size)
{
    void *wider = own_malloc(size);
    if (!wider)
        return NULL;
    if (memory)
        memcpy(wider, memory, malloc_usable_size(memory) < size ? malloc_usable_size(memory) : size);
    own_free(memory);
    return wider;
}

typedef int (*scenario)(pqr_error *error);

static char main_path[400];

static int load_good(pqr_error *error)
{
    struct pqr_config *config = NULL;
    int status = pqr_config_load(&config, main_path, error);
    pqr_config_free(config);
    return status;
}

static int parse_text(const char *text, pqr_error *error)
{
    struct pqr_config *config = NULL;
    int status = pqr__config_parse(&config, "t.cfg", text, strlen(text), error);
    pqr_config_free(config);
    return status;
}

static int parse_bad(pqr_error *error)
{
    return parse_text(
        "connection = \"host=h,h port=1 sslmode=require\"; pool = { min = 3; min = 4; idle_timeout = 1; "
        "bad = 1; init_sql = [\"\", \"a\"]; }; servers = ( { connection = \"host=a port=x\" }, { connection "
        "= \"nonsense\" }, { name = \"b b\"; connection = \"host=x,y\" } ); x = { };",
        error);
}

static int parse_broken(pqr_error *error)
{
    return parse_text("connection = \"host=h\"; pool = { min = 3; min = 4; max = = 5; };", error);
}

static int read_conninfo(pqr_error *error)
{
    struct pqr_config *config = NULL;
    int status = pqr_config_conninfo(&config,
        "postgresql://app:" CANARY "@h1,h1:6000,[::1]/db?target_session_attrs=any&options=-c%20a%3D1", error);
    pqr_config_free(config);
    return status;
}

static void fail_each(scenario run, int wanted, bool persistent)
{
    for (unsigned n = 1;; n++) {
        pqr_error error = {0};
        memset(&heap, 0, sizeof(heap));
        heap.fail_at = n;
        heap.persistent = persistent;
        int status = run(&error);
        assert_int_equal(heap.outstanding, 0);
        if (!heap.failed) {
            assert_int_equal(status, wanted);
            assert_true(n > 5); /* it did allocate */
            return;
        }
        assert_int_equal(status, PQR_ENOMEM);
        assert_int_equal(error.code, PQR_ENOMEM);
        assert_string_equal(error.message, pqr_error_text(PQR_ENOMEM));
    }
}

static void each_allocation_may_fail(void **state)
{
    static const struct {
        scenario run;
        int wanted;
    } table[] = {{load_good, 0}, {parse_bad, PQR_ECONFIG}, {parse_broken, PQR_ECONFIG}, {read_conninfo, 0}};
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        fail_each(table[i].run, table[i].wanted, false);
        fail_each(table[i].run, table[i].wanted, true);
    }
}

static void copies_of_secrets_are_wiped(void **state)
{
    static const struct {
        scenario run;
        int wanted;
    } table[] = {{load_good, 0}, {read_conninfo, 0}};
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        memset(&heap, 0, sizeof(heap));
        heap.look = true;
        assert_int_equal(table[i].run(NULL), table[i].wanted);
        assert_int_equal(heap.found, 0);
        assert_int_equal(heap.outstanding, 0);
    }
}

/* The search above would find one. */
static void an_unwiped_copy_would_be_found(void **state)
{
    (void)state;
    memset(&heap, 0, sizeof(heap));
    heap.look = true;
    char *copy = own_malloc(100);
    assert_non_null(copy);
    memcpy(copy + 20, CANARY, sizeof(CANARY));
    own_free(copy);
    assert_int_equal(heap.found, 1);
}

static int make_files(void **state)
{
    (void)state;
    help_clean_environment();
    help_folder_make();
    help_file("secret.cfg", "connection = \"password=" CANARY " dbname=d options='-c a=1'\";", 0600);
    snprintf(main_path, sizeof(main_path), "%s",
        help_file("main.cfg",
            "@include \"secret.cfg\"\n"
            "servers = ( { name = \"a\"; connection = \"host=h1 options='-c b=2'\" }, { connection = "
            "\"host=h2,h3 "
            "port=1,2 target_session_attrs=any\" } );\n"
            "pool = { init_sql = [\"select '" CANARY "'\", \"set b = 2\"]; };\n"
            "statements = { warm_up = [\"select 1\", \"select 2\"]; };\n",
            0600));
    return pqr_set_allocator(own_malloc, own_calloc, own_realloc, own_free);
}

static int remove_files(void **state)
{
    (void)state;
    help_folder_remove();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_allocation_may_fail),
        cmocka_unit_test(copies_of_secrets_are_wiped),
        cmocka_unit_test(an_unwiped_copy_would_be_found),
    };
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
