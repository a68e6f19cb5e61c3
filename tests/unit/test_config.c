/* Good configurations: what is written arrives, what is not has its default; counting; the files that are
   shipped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "config/keys.h"
#include "config_help.h"

#define MS  UINT64_C(1000)
#define S   (1000 * MS)
#define MIN (60 * S)

static const char *source_root;

static void assert_u64(uint64_t value, uint64_t wanted)
{
    assert_true(value == wanted);
}

static void assert_defaults(const struct pqr_config *config)
{
    assert_int_equal(config->pool.min, 2);
    assert_int_equal(config->pool.max, 20);
    assert_int_equal(config->pool.max_total, 0);
    assert_int_equal(config->pool.admin_reserved, 1);
    assert_int_equal(config->pool.connects_at_once, 2);
    assert_u64(config->pool.idle_timeout_us, 10 * MIN);
    assert_u64(config->pool.lifetime_us, 60 * MIN);
    assert_int_equal(config->pool.lifetime_jitter, 10);
    assert_u64(config->pool.connect_timeout_us, 10 * S);
    assert_u64(config->pool.backoff_min_us, 100 * MS);
    assert_u64(config->pool.backoff_max_us, 15 * S);
    assert_null(config->pool.init_sql);
    assert_false(config->pool.warm_up);
    assert_u64(config->tcp.keepalives_idle_us, 30 * S);
    assert_u64(config->tcp.keepalives_interval_us, 10 * S);
    assert_int_equal(config->tcp.keepalives_count, 5);
    assert_u64(config->tcp.user_timeout_us, 30 * S);
    assert_u64(config->probe.interval_us, S);
    assert_u64(config->probe.timeout_us, S);
    assert_int_equal(config->reads.balance, PQR__BALANCE_EWMA);
    assert_int_equal(config->reads.primary, PQR__PRIMARY_FALLBACK);
    assert_int_equal(config->reads.fallback_max, 75);
    assert_u64(config->reads.slow_start_us, 5 * S);
    assert_null(config->reads.zone);
    assert_int_equal(config->reads.mode, PQR__READS_AUTO);
    assert_false(config->writes.pipeline);
    assert_int_equal(config->reads.session, PQR__SESSION_REFUSE);
    assert_null(config->reads.harmless_functions);
    assert_null(config->reads.harmful_functions);
    assert_int_equal(config->queue.max_requests, 10000);
    assert_u64(config->queue.max_bytes, 64 << 20);
    assert_int_equal(config->queue.normal_share, 25);
    assert_int_equal(config->queue.batch_share, 10);
    assert_u64(config->queue.batch_age_us, 10 * S);
    assert_u64(config->queue.target_us, S);
    assert_u64(config->queue.interval_us, 2 * S);
    assert_u64(config->request.timeout_us, 30 * S);
    assert_u64(config->request.cancel_grace_us, 500 * MS);
    assert_int_equal(config->request.max_retries, 3);
    assert_u64(config->request.max_result_bytes, 256 << 20);
    assert_u64(config->transaction.idle_timeout_us, 5 * S);
    assert_int_equal(config->transaction.max_attempts, 3);
    assert_true(config->catalog.load);
    assert_u64(config->catalog.refresh_us, 5 * MIN);
    assert_u64(config->catalog.max_bytes, 32 << 20);
    assert_u64(config->catalog.timeout_us, 5 * MIN);
    assert_int_equal(config->statements.prepare_threshold, 3);
    assert_int_equal(config->statements.max_prepared, 256);
    assert_u64(config->system_identifier, 0);
    assert_null(config->note);
}

static void one_server_is_enough_and_all_else_has_its_default(void **state)
{
    struct pqr_config *config = help_parse("servers = ( { connection = \"host=db1 dbname=shop\"; } );");
    (void)state;
    assert_defaults(config);
    assert_string_equal(config->source, "t.cfg");
    assert_int_equal(config->n_servers, 1);
    assert_string_equal(config->servers[0].name, "db1:5432");
    assert_string_equal(config->servers[0].dbname, "shop");
    assert_int_equal(config->servers[0].role, PQR__EXPECT_ANY);
    assert_int_equal(config->servers[0].weight, 100);
    assert_false(config->servers[0].pooler);
    assert_int_equal(config->servers[0].min, 2);
    assert_int_equal(config->servers[0].max, 20);
    pqr_config_free(config);
}

static void every_key_that_is_written_arrives(void **state)
{
    struct pqr_config *config = help_parse(
        "connection = \"dbname=shop user=app\"\n"
        "servers = ( { name = \"a\"; connection = \"host=h1 port=6001\"; role = \"primary\"; weight = 7; "
        "pooler = true; min "
        "= 4; "
        "max = 9; zone = \"east\"; }, { name = \"b\", connection = \"host=h2\", role = \"replica\" } )\n"
        "system_identifier = \"18446744073709551615\"\n"
        "pool = { min = 3; max = 30; max_total = 40; admin_reserved = 2; connects_at_once = 5; "
        "idle_timeout = \"11min\"; lifetime = \"none\"; lifetime_jitter = 20; connect_timeout = \"3s\"; "
        "backoff_min = \"20ms\"; backoff_max = \"2s\"; init_sql = [\"set a = 1\", \"set b = 2\"]; warm_up = "
        "true; };\n"
        "tcp = { keepalives_idle = \"40s\"; keepalives_interval = \"11s\"; keepalives_count = 6; "
        "user_timeout = \"1500ms\"; }\n"
        "probe = { interval = \"250ms\"; timeout = \"300ms\"; }\n"
        "reads = { balance = \"round_robin\"; mode = \"explicit\"; primary = \"always\"; fallback_max = 40; "
        "slow_start = \"none\"; zone = \"east\"; session = \"primary\"; "
        "harmless_functions = [\"shop.get_*\", \"*.Price?\"]; harmful_functions = (\"pg_catalog.random\"); "
        "}\n"
        "writes = { pipeline = true; }\n"
        "queue = { max_requests = 12; max_bytes = \"13kB\"; normal_share = 30; batch_share = 5; "
        "batch_age = \"7s\"; target = \"80ms\"; interval = \"900ms\"; }\n"
        "request = { timeout = 0; cancel_grace = \"100ms\"; max_retries = 0; max_result = \"1GB\"; }\n"
        "transaction = { idle_timeout = \"6s\"; max_attempts = 4; }\n"
        "catalog = { load = false; refresh = \"none\"; max_size = \"64kB\"; timeout = \"none\"; }\n"
        "statements = { prepare_threshold = 0; max_prepared = 7; }\n");
    (void)state;
    assert_int_equal(config->pool.min, 3);
    assert_int_equal(config->pool.max, 30);
    assert_int_equal(config->pool.max_total, 40);
    assert_int_equal(config->pool.admin_reserved, 2);
    assert_int_equal(config->pool.connects_at_once, 5);
    assert_u64(config->pool.idle_timeout_us, 11 * MIN);
    assert_u64(config->pool.lifetime_us, 0);
    assert_int_equal(config->pool.lifetime_jitter, 20);
    assert_u64(config->pool.connect_timeout_us, 3 * S);
    assert_u64(config->pool.backoff_min_us, 20 * MS);
    assert_u64(config->pool.backoff_max_us, 2 * S);
    assert_string_equal(config->pool.init_sql, "set a = 1;\nset b = 2");
    assert_u64(config->tcp.user_timeout_us, 1500 * MS);
    assert_u64(config->probe.interval_us, 250 * MS);
    assert_u64(config->probe.timeout_us, 300 * MS);
    assert_int_equal(config->reads.balance, PQR__BALANCE_ROUND_ROBIN);
    assert_int_equal(config->reads.mode, PQR__READS_EXPLICIT);
    assert_int_equal(config->reads.session, PQR__SESSION_PRIMARY);
    assert_string_equal(config->reads.harmless_functions, "shop.get_*\n*.Price?");
    assert_string_equal(config->reads.harmful_functions, "pg_catalog.random");
    assert_int_equal(config->queue.max_requests, 12);
    assert_u64(config->queue.max_bytes, 13312);
    assert_int_equal(config->reads.primary, PQR__PRIMARY_ALWAYS);
    assert_int_equal(config->reads.fallback_max, 40);
    assert_u64(config->reads.slow_start_us, 0);
    assert_string_equal(config->reads.zone, "east");
    assert_true(config->writes.pipeline);
    assert_string_equal(config->servers[0].zone, "east");
    assert_string_equal(config->servers[1].zone, "");
    assert_true(config->pool.warm_up);
    assert_int_equal(config->queue.normal_share, 30);
    assert_int_equal(config->queue.batch_share, 5);
    assert_u64(config->queue.batch_age_us, 7 * S);
    assert_u64(config->queue.target_us, 80 * MS);
    assert_u64(config->queue.interval_us, 900 * MS);
    assert_u64(config->request.timeout_us, 0);
    assert_u64(config->request.cancel_grace_us, 100 * MS);
    assert_int_equal(config->request.max_retries, 0);
    assert_u64(config->request.max_result_bytes, 1 << 30);
    assert_u64(config->transaction.idle_timeout_us, 6 * S);
    assert_int_equal(config->transaction.max_attempts, 4);
    assert_false(config->catalog.load);
    assert_u64(config->catalog.refresh_us, 0);
    assert_u64(config->catalog.max_bytes, 64 << 10);
    assert_u64(config->catalog.timeout_us, 0);
    assert_int_equal(config->statements.prepare_threshold, 0);
    assert_int_equal(config->statements.max_prepared, 7);
    assert_u64(config->system_identifier, UINT64_MAX);
    assert_int_equal(config->n_servers, 2);
    assert_string_equal(config->servers[0].name, "a");
    assert_string_equal(config->servers[0].host, "h1");
    assert_string_equal(config->servers[0].port, "6001");
    assert_int_equal(config->servers[0].role, PQR__EXPECT_PRIMARY);
    assert_int_equal(config->servers[0].weight, 7);
    assert_true(config->servers[0].pooler);
    assert_int_equal(config->servers[0].min, 4);
    assert_int_equal(config->servers[0].max, 9);
    assert_string_equal(pqr__server_config_value(&config->servers[0], "user"), "app");
    assert_string_equal(pqr__server_config_value(&config->servers[1], "keepalives_idle"), "40");
    assert_string_equal(pqr__server_config_value(&config->servers[1], "keepalives_interval"), "11");
    assert_string_equal(pqr__server_config_value(&config->servers[1], "keepalives_count"), "6");
    assert_string_equal(pqr__server_config_value(&config->servers[1], "tcp_user_timeout"), "1500");
    assert_int_equal(config->servers[1].role, PQR__EXPECT_REPLICA);
    assert_int_equal(config->servers[1].min, 3);
    assert_int_equal(config->servers[1].max, 30);
    pqr_config_free(config);
}

static void comments_escapes_and_joined_strings_are_read_as_libconfig_does(void **state)
{
    struct pqr_config *config =
        help_parse("// one\n# two \"\n/* three\n@include \"/nonexistent\" */ connection : \"host=h1 \"\n  "
                   "\"dbname='a\\x40b\\\"c'\","
                   "pool : { min = 0x3; max = +030; max_total = 30L; };\n# the end \"");
    (void)state;
    assert_string_equal(config->servers[0].dbname, "a@b\"c");
    assert_int_equal(config->pool.min, 3);
    assert_int_equal(config->pool.max, 30);
    assert_int_equal(config->pool.max_total, 30);
    pqr_config_free(config);
}

static void strings_with_an_include_in_them_are_strings(void **state)
{
    struct pqr_config *config = help_parse("connection = \"host=h1 dbname='\n@include \\\"/tmp\\\"\n'\";");
    (void)state;
    assert_string_equal(config->servers[0].dbname, "\n@include \"/tmp\"\n");
    pqr_config_free(config);
}

static void init_sql_may_be_one_text_or_none(void **state)
{
    static const struct {
        const char *written, *wanted;
    } table[] = {{"\"set a = 1 -- why\"", "set a = 1 -- why"}, {"[]", NULL}, {"( )", NULL},
        {"(\"select 1\")", "select 1"}};
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        char text[200];
        snprintf(text, sizeof(text), "connection = \"host=h\"; pool = { init_sql = %s; };", table[i].written);
        struct pqr_config *config = help_parse(text);
        if (table[i].wanted)
            assert_string_equal(config->pool.init_sql, table[i].wanted);
        else
            assert_null(config->pool.init_sql);
        pqr_config_free(config);
    }
}

static void statements_to_warm_up_are_kept_one_each(void **state)
{
    static const char wanted[] = "select 1;\nselect $1\0insert into t\0";
    (void)state;
    struct pqr_config *config = help_parse("connection = \"host=h\"; statements = { warm_up = [\"select "
                                           "1;\\nselect $1\", \"insert into t\"]; };");
    assert_memory_equal(config->statements.warm_up, wanted, sizeof(wanted));
    pqr_config_free(config);
    config = help_parse("connection = \"host=h\"; statements = { warm_up = []; };");
    assert_null(config->statements.warm_up);
    pqr_config_free(config);
}

static void it_lives_until_its_last_owner_gives_it_up(void **state)
{
    struct pqr_config *config = help_parse("connection = \"host=h1\";");
    struct pqr_config *second = pqr__config_ref(config);
    (void)state;
    assert_ptr_equal(config, second);
    pqr_config_free(config);
    assert_string_equal(second->servers[0].host, "h1"); /* a sanitizer would tell */
    pqr_config_free(second);
    pqr_config_free(NULL);
}

static void the_threads_locale_is_left_as_it_was(void **state)
{
    locale_t own = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    (void)state;
    assert_true(own != (locale_t)0);
    uselocale(own);
    pqr_config_free(help_parse("connection = \"host=h1\";"));
    assert_true(uselocale((locale_t)0) == own);
    help_message("connection = ;");
    assert_true(uselocale((locale_t)0) == own);
    uselocale(LC_GLOBAL_LOCALE);
    freelocale(own);
}

static void arguments_that_cannot_be_are_refused(void **state)
{
    struct pqr_config *config = NULL;
    pqr_error error = {0};
    (void)state;
    assert_int_equal(pqr_config_load(NULL, "a.cfg", &error), PQR_EINVAL);
    assert_int_equal(error.code, PQR_EINVAL);
    assert_int_equal(pqr_config_load(&config, NULL, NULL), PQR_EINVAL);
    assert_int_equal(pqr_config_load(&config, "", NULL), PQR_EINVAL);
    assert_int_equal(pqr_config_conninfo(NULL, "", NULL), PQR_EINVAL);
    assert_null(config);
}

/* The last part of each key stands as "name =" in it, if only in a comment. */
static void assert_names(const char *text, const struct pqr__key *keys, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char wanted[60];
        const char *dot = strrchr(keys[i].path, '.');
        snprintf(wanted, sizeof(wanted), "%s = ", dot ? dot + 1 : keys[i].path);
        help_assert_holds(text, wanted);
    }
}

static void the_commented_file_names_every_key(void **state)
{
    static char text[20000];
    char path[1000];
    (void)state;
    snprintf(path, sizeof(path), "%s/config/pqrouter.cfg", source_root);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t length = fread(text, 1, sizeof(text) - 1, file);
    fclose(file);
    assert_true(length > 0 && length < sizeof(text) - 1);
    assert_names(text, pqr__keys, PQR__N_KEYS);
    assert_names(text, pqr__entry_keys, PQR__N_ENTRY_KEYS);
}

static struct pqr_config *load_shipped(const char *name)
{
    char path[1000];
    pqr_error error;
    struct pqr_config *config = NULL;
    snprintf(path, sizeof(path), "%s/config/%s", source_root, name);
    if (pqr_config_load(&config, path, &error) != 0)
        fail_msg("%s", error.message);
    return config;
}

static void the_commented_file_shows_the_defaults(void **state)
{
    struct pqr_config *config = load_shipped("pqrouter.cfg");
    (void)state;
    assert_defaults(config);
    assert_int_equal(config->n_servers, 2);
    for (uint32_t i = 0; i < config->n_servers; i++) {
        assert_int_equal(config->servers[i].role, PQR__EXPECT_ANY);
        assert_int_equal(config->servers[i].weight, 100);
        assert_int_equal(config->servers[i].min, 2);
        assert_int_equal(config->servers[i].max, 20);
    }
    pqr_config_free(config);
}

static void the_profiles_have_the_sizes_they_promise(void **state)
{
    static const struct {
        const char *name;
        uint32_t min, max, max_total;
    } table[] = {{"profiles/development.cfg", 1, 5, 0}, {"profiles/small-managed.cfg", 2, 20, 20},
        {"profiles/high-traffic.cfg", 5, 50, 0}};
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct pqr_config *config = load_shipped(table[i].name);
        assert_int_equal(config->pool.min, table[i].min);
        assert_int_equal(config->pool.max, table[i].max);
        assert_int_equal(config->pool.max_total, table[i].max_total);
        assert_string_equal(config->servers[0].host, "localhost");
        pqr_config_free(config);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_server_is_enough_and_all_else_has_its_default),
        cmocka_unit_test(every_key_that_is_written_arrives),
        cmocka_unit_test(comments_escapes_and_joined_strings_are_read_as_libconfig_does),
        cmocka_unit_test(strings_with_an_include_in_them_are_strings),
        cmocka_unit_test(init_sql_may_be_one_text_or_none),
        cmocka_unit_test(statements_to_warm_up_are_kept_one_each),
        cmocka_unit_test(it_lives_until_its_last_owner_gives_it_up),
        cmocka_unit_test(the_threads_locale_is_left_as_it_was),
        cmocka_unit_test(arguments_that_cannot_be_are_refused),
        cmocka_unit_test(the_commented_file_names_every_key),
        cmocka_unit_test(the_commented_file_shows_the_defaults),
        cmocka_unit_test(the_profiles_have_the_sizes_they_promise),
    };
    source_root = argc > 1 ? argv[1] : ".";
    help_clean_environment();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
