/* The JSON text of a snapshot, read back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "heap.h"
#include "json_reader.h"
#include "observe/stats.h"

static pqr_stats *snapshot(size_t n_pools)
{
    pqr_stats *stats = NULL;
    assert_int_equal(pqr__stats_new(&stats, n_pools, 4096), 0);
    return stats;
}

static void assert_at(const char *json, const char *path, const char *expected)
{
    char found[2000];
    if (!json_at(json, path, found, sizeof(found)))
        fail_msg("nothing at %s in %s", path, json);
    assert_string_equal(found, expected);
}

static char *json_of(const pqr_stats *stats)
{
    char *json = NULL;
    assert_int_equal(pqr_stats_json(stats, &json), 0);
    if (!json_valid(json))
        fail_msg("not JSON: %s", json);
    return json;
}

static void a_router_without_servers_is_valid_json(void **state)
{
    (void)state;
    pqr_stats *stats = snapshot(0);
    char *json = json_of(stats);
    assert_at(json, "pools", "[]");
    assert_at(json, "n_pools", "0");
    pqr_free(json);
    pqr_stats_free(stats);
}

static void every_number_stands_under_its_members_name(void **state)
{
    (void)state;
    static const char *const words[] = {"available", "allocated", "peak_usage", "total_connections", "min",
        "max", "connecting", "server_version", "timeline", "wanted", "ceiling", "fleet_members",
        "fleet_share", "closing"};
    pqr_stats *stats = snapshot(2);
    pqr_pool_stats *pool = &stats->pools[1];
    uint32_t *members[] = {&pool->available, &pool->allocated, &pool->peak_usage, &pool->total_connections,
        &pool->min, &pool->max, &pool->connecting, &pool->server_version, &pool->timeline, &pool->wanted,
        &pool->ceiling, &pool->fleet_members, &pool->fleet_share, &pool->closing};
    for (uint32_t i = 0; i < 14; i++)
        *members[i] = UINT32_MAX - i;
    pool->lag_us = -1;
    pool->reads = UINT64_MAX;
    pool->left_behind = UINT64_MAX - 1;
    pool->system_identifier = UINT64_C(7000000000000000001);
    pool->server = pqr__stats_text(stats, "beta");
    pool->role = PQR_ROLE_WRONG_CLUSTER;
    pool->latency = (pqr_latency){.count = 1, .p50_us = 2, .p90_us = 3, .p99_us = 4, .max_us = 5};
    char *json = json_of(stats);
    for (uint32_t i = 0; i < 14; i++) {
        char path[64], expected[32];
        snprintf(path, sizeof(path), "pools.1.%s", words[i]);
        snprintf(expected, sizeof(expected), "%" PRIu32, UINT32_MAX - i);
        assert_at(json, path, expected);
        snprintf(path, sizeof(path), "pools.0.%s", words[i]);
        assert_at(json, path, "0");
    }
    assert_at(json, "pools.1.lag_us", "-1");
    assert_at(json, "pools.1.reads", "18446744073709551615");
    assert_at(json, "pools.1.left_behind", "18446744073709551614");
    assert_at(json, "pools.1.system_identifier", "\"7000000000000000001\"");
    assert_at(json, "pools.1.server", "\"beta\"");
    assert_at(json, "pools.1.role", "\"wrong_cluster\"");
    assert_at(json, "pools.1.latency", "{\"count\":1,\"p50_us\":2,\"p90_us\":3,\"p99_us\":4,\"max_us\":5}");
    pqr_free(json);
    pqr_stats_free(stats);
}

static void counts_by_status_and_outcome_carry_the_words_of_the_api(void **state)
{
    (void)state;
    pqr_stats *stats = snapshot(1);
    for (uint64_t i = 0; i < 8; i++)
        stats->totals.by_status[i] = 100 + i;
    for (uint64_t i = 0; i < 3; i++)
        stats->totals.by_outcome[i] = 200 + i;
    char *json = json_of(stats), path[64], expected[32];
    for (int i = 0; i < 8; i++) {
        snprintf(path, sizeof(path), "by_status.%s", pqr_status_name((pqr_status)i));
        snprintf(expected, sizeof(expected), "%d", 100 + i);
        assert_at(json, path, expected);
    }
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof(path), "by_outcome.%s", pqr_outcome_name((pqr_outcome)i));
        snprintf(expected, sizeof(expected), "%d", 200 + i);
        assert_at(json, path, expected);
    }
    pqr_free(json);
    pqr_stats_free(stats);
}

static void the_totals_are_all_there(void **state)
{
    (void)state;
    static const char *const words[] = {"uptime_us", "available", "allocated", "peak_usage",
        "total_connections", "max_total", "waiting", "admin_waiting", "waiting_bytes", "accepted", "answered",
        "routed_replica", "routed_primary", "fallback_primary", "retries", "misroutes", "latency.count",
        "queued.max_us", "catalog_entries", "catalog_bytes", "catalog_loads", "batch_waiting", "refused",
        "shed"};
    pqr_stats *stats = snapshot(1);
    stats->totals.waiting_bytes = UINT64_C(1) << 40;
    stats->totals.misroutes = 3;
    char *json = json_of(stats), found[64];
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        assert_true(json_at(json, words[i], found, sizeof(found)));
    assert_at(json, "waiting_bytes", "1099511627776");
    assert_at(json, "misroutes", "3");
    assert_false(json_at(json, "struct_size", found, sizeof(found)));
    pqr_free(json);
    pqr_stats_free(stats);
}

static void hostile_text_of_a_server_stays_inside_its_string(void **state)
{
    (void)state;
    static const char *const hostile[] = {"\",\"role\":\"primary", "\\", "\\\"", "line\nbreak\r\ttab",
        "\x01\x02\x1f\x7f", "\x1b[31mred", "\xff\xfe", "\xc3", "\xe2\x82", "\xed\xa0\x80", "\xf4\x90\x80\x80",
        "\xc0\x80", "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\x98", "</script>", "%s%n%d", "\xf0\x9f"};
    for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
        pqr_stats *stats = snapshot(1);
        stats->pools[0].problem = pqr__stats_text(stats, hostile[i]);
        stats->pools[0].server = pqr__stats_text(stats, hostile[i]);
        char *json = json_of(stats), found[200];
        assert_at(json, "pools.0.role", "\"unknown\"");
        assert_true(json_at(json, "pools.0.problem", found, sizeof(found)));
        pqr_free(json);
        pqr_stats_free(stats);
    }
}

static void random_bytes_of_a_server_are_valid_json(void **state)
{
    (void)state;
    struct pqr__random random;
    pqr__random_seed(&random, 9);
    for (int run = 0; run < 3000; run++) {
        char bytes[40] = "";
        for (size_t i = 0; i < sizeof(bytes) - 1; i++)
            bytes[i] = (char)(1 + pqr__random_below(&random, 255));
        pqr_stats *stats = snapshot(1);
        stats->pools[0].problem = pqr__stats_text(stats, bytes);
        pqr_free(json_of(stats));
        pqr_stats_free(stats);
    }
}

static void every_failed_allocation_is_told_and_nothing_is_left(void **state)
{
    (void)state;
    pqr_stats *stats = snapshot(64);
    size_t before = heap.blocks;
    unsigned failures = 0;
    for (unsigned nth = 1;; nth++) {
        char *json = NULL;
        heap_reset();
        heap.failing_from = nth;
        int code = pqr_stats_json(stats, &json);
        heap_reset();
        if (code == 0) {
            assert_true(json_valid(json));
            pqr_free(json);
            break;
        }
        assert_int_equal(code, PQR_ENOMEM);
        assert_null(json);
        assert_int_equal(heap.blocks, before);
        failures++;
    }
    assert_true(failures >= 3);
    assert_int_equal(heap.blocks, before);
    pqr_stats_free(stats);
}

static void null_arguments_are_refused(void **state)
{
    (void)state;
    char *json = NULL;
    pqr_stats *stats = snapshot(0);
    assert_int_equal(pqr_stats_json(NULL, &json), PQR_EINVAL);
    assert_int_equal(pqr_stats_json(stats, NULL), PQR_EINVAL);
    pqr_stats_free(stats);
}

static void the_reader_itself_tells_json_from_what_is_not(void **state)
{
    (void)state;
    static const char *const good[] = {
        "{}", " [ ] ", "[1,-0.5e+7,\"a\\u00e9\\n\",true,null,{\"a\":[{}]}]", "0"};
    static const char *const bad[] = {"", "{", "[1,]", "{\"a\":1,}", "{\"a\":1,\"a\":2}", "01", "1.", "-",
        "tru", "\"\n\"", "\"\xff\"", "\"\\x\"", "\"\\u12g4\"", "{a:1}", "[1] 2", "[1 2]", "\"abc", "{\"a\"}",
        "nan"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_true(json_valid(good[i]));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(json_valid(bad[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_reader_itself_tells_json_from_what_is_not),
        cmocka_unit_test(a_router_without_servers_is_valid_json),
        cmocka_unit_test(every_number_stands_under_its_members_name),
        cmocka_unit_test(counts_by_status_and_outcome_carry_the_words_of_the_api),
        cmocka_unit_test(the_totals_are_all_there),
        cmocka_unit_test(hostile_text_of_a_server_stays_inside_its_string),
        cmocka_unit_test(random_bytes_of_a_server_are_valid_json),
        cmocka_unit_test(every_failed_allocation_is_told_and_nothing_is_left),
        cmocka_unit_test(null_arguments_are_refused),
    };
    return cmocka_run_group_tests(tests, heap_install, NULL);
}
