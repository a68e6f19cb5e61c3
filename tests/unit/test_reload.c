/* What a new configuration changes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <string.h>

#include "config_help.h"
#include "policy/reload.h"

static struct pqr__reload_place places[PQR__RELOAD_PLACES];
static struct pqr__reload_plan plan;
static pqr_error error;

/* The servers of a configuration in its order, as a router has them at first. */
static void settle_in(const struct pqr_config *config)
{
    memset(places, 0, sizeof(places));
    for (uint32_t i = 0; i < config->n_servers; i++)
        places[i] = (struct pqr__reload_place){.server = &config->servers[i]};
}

#define A      "{ name = \"a\"; connection = \"host=h1\"; }"
#define B      "{ name = \"b\"; connection = \"host=h2\"; }"
#define C      "{ name = \"c\"; connection = \"host=h3\"; }"
#define COMMON "connection = \"dbname=d user=u\"; "

static int plan_between(const char *now, const char *next)
{
    struct pqr_config *was = help_parse(now), *will = help_parse(next);
    settle_in(was);
    memset(&plan, 0, sizeof(plan));
    int status = pqr__reload_plan(&plan, was, will, places, 7, &error);
    pqr_config_free(was);
    pqr_config_free(will);
    return status;
}

static void servers_keep_their_places_in_any_order_and_under_any_name(void **state)
{
    (void)state;
    assert_int_equal(plan_between(COMMON "servers = ( " A ", " B ", " C " );",
                         COMMON "servers = ( " C ", { name = \"other\"; connection = \"host=h1\"; } );"),
        0);
    assert_int_equal(plan.place_of[0], 2);
    assert_int_equal(plan.place_of[1], 0);
    assert_true(plan.leaves[1] && !plan.leaves[0] && !plan.leaves[2]);
    for (int i = 0; i < PQR__RELOAD_PLACES; i++)
        assert_false(plan.joins[i] || plan.renews[i]);
}

static void a_new_server_gets_a_free_place_and_never_that_of_one_that_leaves(void **state)
{
    (void)state;
    assert_int_equal(
        plan_between(COMMON "servers = ( " A ", " B " );", COMMON "servers = ( " C ", " A " );"), 0);
    assert_int_equal(plan.place_of[0], 2);
    assert_int_equal(plan.place_of[1], 0);
    assert_true(plan.joins[2] && plan.leaves[1]);
}

static void other_parameters_renew_connections_and_sizes_do_not(void **state)
{
    (void)state;
    assert_int_equal(plan_between(COMMON "servers = ( " A ", " B " );",
                         COMMON "servers = ( { connection = \"host=h1 sslmode=require\"; }, "
                                "{ connection = \"host=h2\"; max = 9; weight = 3; } );"),
        0);
    assert_true(plan.renews[0]);
    assert_false(plan.renews[1]);
    assert_int_equal(plan_between(COMMON "servers = ( " A ", " B " );",
                         COMMON "servers = ( " A ", " B " ); pool = { init_sql = \"set a = 1\"; };"),
        0);
    assert_true(plan.renews[0] && plan.renews[1]);
}

static void what_cannot_change_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *next, *named;
    } table[] = {
        {"connection = \"dbname=e user=u\"; servers = ( " A " );", "the database (d, now e at a)"},
        {"connection = \"dbname=d user=v\"; servers = ( " A " );", "the user (u, now v at a)"},
        {COMMON "servers = ( " A " ); system_identifier = \"8\";", "system_identifier"},
        {COMMON "servers = ( " A " ); reads = { harmless_functions = [\"a.b\"]; };",
            "reads.harmless_functions"},
        {COMMON "servers = ( " A " ); reads = { harmful_functions = [\"a.b\"]; };",
            "reads.harmful_functions"},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        assert_int_equal(plan_between(COMMON "servers = ( " A ", " B " );", table[i].next), PQR_ECONFIG);
        assert_non_null(strstr(error.message, table[i].named));
    }
    assert_int_equal(
        plan_between(COMMON "servers = ( " A " );", COMMON "servers = ( " A " ); system_identifier = \"7\";"),
        0);
}

static void one_that_is_still_leaving_returns_to_its_place(void **state)
{
    (void)state;
    struct pqr_config *was = help_parse(COMMON "servers = ( " A ", " B " );");
    struct pqr_config *will = help_parse(COMMON "servers = ( " A ", " B " );");
    settle_in(was);
    places[1].leaving = true;
    assert_int_equal(pqr__reload_plan(&plan, was, will, places, 0, &error), 0);
    assert_int_equal(plan.place_of[1], 1);
    assert_true(plan.returns[1] && !plan.returns[0]);
    assert_false(plan.leaves[1] || plan.joins[1]);
    pqr_config_free(will);
    will = help_parse(COMMON "servers = ( " A " );");
    assert_int_equal(pqr__reload_plan(&plan, was, will, places, 0, &error), 0);
    assert_false(plan.leaves[1] || plan.returns[1]); /* it goes on leaving */
    pqr_config_free(was);
    pqr_config_free(will);
}

static void places_of_those_still_leaving_are_not_given_away(void **state)
{
    (void)state;
    struct pqr_config *was = help_parse(COMMON "servers = ( " A ", " B " );");
    struct pqr_config *will = help_parse(COMMON "servers = ( " A ", " C " );");
    settle_in(was);
    for (int i = 1; i < PQR__RELOAD_PLACES; i++)
        places[i] = (struct pqr__reload_place){.server = &was->servers[1], .leaving = true};
    assert_int_equal(pqr__reload_plan(&plan, was, will, places, 0, &error), PQR_ECONFIG);
    assert_non_null(strstr(error.message, "try again later"));
    places[40] = (struct pqr__reload_place){0};
    assert_int_equal(pqr__reload_plan(&plan, was, will, places, 0, &error), 0);
    assert_int_equal(plan.place_of[1], 40);
    pqr_config_free(was);
    pqr_config_free(will);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(servers_keep_their_places_in_any_order_and_under_any_name),
        cmocka_unit_test(a_new_server_gets_a_free_place_and_never_that_of_one_that_leaves),
        cmocka_unit_test(other_parameters_renew_connections_and_sizes_do_not),
        cmocka_unit_test(what_cannot_change_is_named),
        cmocka_unit_test(one_that_is_still_leaving_returns_to_its_place),
        cmocka_unit_test(places_of_those_still_leaving_are_not_given_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
