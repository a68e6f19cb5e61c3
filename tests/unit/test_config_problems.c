/* What is wrong with a file is told in full, at its line, with the mend. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_help.h"

/* A valid beginning in one line. */
#define HOST "connection = \"host=h1\";\n"

struct expectation {
    const char *text, *message;
};

static void assert_messages(const struct expectation *table, size_t n)
{
    for (size_t i = 0; i < n; i++)
        assert_string_equal(help_message(table[i].text), table[i].message);
}

#define check(table) assert_messages((table), sizeof(table) / sizeof((table)[0]))

static void numbers_have_ranges_whatever_their_digits(void **state)
{
    static const struct expectation table[] = {
        {HOST "pool = {\n connects_at_once = 0; };",
            "t.cfg:3: pool.connects_at_once is 0; it must be from 1 to 100"},
        {HOST "pool = { connects_at_once = -5; };",
            "t.cfg:2: pool.connects_at_once is -5; it must be from 1 to 100"},
        {HOST "pool = { connects_at_once = 4294967301; };",
            "t.cfg:2: pool.connects_at_once is 4294967301; it must be from 1 to 100"},
        {HOST "queue = { max_requests = 3000000000; };",
            "t.cfg:2: queue.max_requests is 3000000000; it must be from 1 to 10000000"},
        {HOST "queue = { max_requests = 0x100000005; };",
            "t.cfg:2: queue.max_requests is 0x100000005; it must be from 1 to 10000000"},
        {HOST "queue = { max_requests = 18446744073709551617; };",
            "t.cfg:2: queue.max_requests is 18446744073709551617; it must be from 1 to 10000000"},
        {HOST "queue = { max_requests = -18446744073709551611L; };",
            "t.cfg:2: queue.max_requests is -18446744073709551611L; it must be from 1 to 10000000"},
        {HOST "pool = { max_total = 2; };",
            "t.cfg:2: pool.max_total is 2; it must be 0 (none), or from 3 to 640000"},
    };
    (void)state;
    check(table);
}

static void durations_and_sizes_want_units(void **state)
{
    static const struct expectation table[] = {
        {HOST "pool = { idle_timeout = 600; };",
            "t.cfg:2: pool.idle_timeout is 600, without a unit; write it in "
            "quotes with one of us, ms, s, min, h, d, such as \"10min\""},
        {HOST "pool = { idle_timeout = \"600\"; };",
            "t.cfg:2: pool.idle_timeout is \"600\", without a unit; write a "
            "whole number and a unit (us, ms, s, min, h, d), such as \"10min\""},
        {HOST "queue = { max_bytes = 5000000000; };",
            "t.cfg:2: queue.max_bytes is 5000000000, without a unit; write "
            "it in quotes with one of B, kB, MB, GB, TB, such as \"64MB\""},
        {HOST "queue = { max_bytes = \"64mb\"; };",
            "t.cfg:2: queue.max_bytes is \"64mb\"; write a whole number and a "
            "unit (B, kB, MB, GB, TB), such as \"64MB\""},
        {HOST "queue = { max_bytes = \"none\"; };",
            "t.cfg:2: queue.max_bytes is \"none\"; it must be from 1kB to 1TB"},
        {HOST "request = { timeout = \"31d\"; };",
            "t.cfg:2: request.timeout is \"31d\"; it must be \"none\", or from 1ms to 30d"},
        {HOST "request = { timeout = \"99999999999999999999d\"; };",
            "t.cfg:2: request.timeout is not a value that it can have; it must be \"none\", or from 1ms to "
            "30d"},
        {HOST "probe = { interval = 0; };", "t.cfg:2: probe.interval is \"0\"; it must be from 10ms to 1h"},
        {HOST "tcp = { keepalives_idle = \"1500ms\"; };",
            "t.cfg:2: tcp.keepalives_idle is \"1500ms\"; it must be a multiple of 1s"},
        {HOST "tcp = { user_timeout = \"1500us\"; };",
            "t.cfg:2: tcp.user_timeout is \"1500us\"; it must be a multiple of 1ms"},
    };
    (void)state;
    check(table);
}

#define NO_PATTERN                                                                                        \
    "something that is no schema.name; write one as the catalog spells it, with * for any letters and ? " \
    "for one: "                                                                                           \
    "\"shop.get_*\", \"*.price\""

static void wrong_types_are_named(void **state)
{
    static const struct expectation table[] = {
        {HOST "pool = { min = \"2\"; };", "t.cfg:2: pool.min is a text; it must be an integer"},
        {HOST "pool = { min = 2.0; };",
            "t.cfg:2: pool.min is a number with a fraction; it must be an integer"},
        {HOST "pool = { min = true; };", "t.cfg:2: pool.min is a boolean; it must be an integer"},
        {HOST "pool = { idle_timeout = 1e3; };",
            "t.cfg:2: pool.idle_timeout is a number with a fraction; it must be a "
            "duration in quotes, such as \"10s\""},
        {HOST "queue = { max_bytes = [1]; };",
            "t.cfg:2: queue.max_bytes is an array [ ]; it must be a size in quotes, such as \"64MB\""},
        {HOST "reads = { balance = 1; };",
            "t.cfg:2: reads.balance is an integer; it must be "
            "\"least_outstanding\" or \"round_robin\" or \"random\" or \"ewma\""},
        {HOST "reads = { balance = \"fastest\"; };",
            "t.cfg:2: reads.balance is \"fastest\"; it must be \"least_outstanding\" or "
            "\"round_robin\" or \"random\" or \"ewma\""},
        {HOST "reads = { zone = \"north\"; };", "t.cfg:2: reads.zone is \"north\", and no server is of that "
                                                "zone; set zone in the entries of servers"},
        {HOST "reads = { harmless_functions = \"a.b\"; };",
            "t.cfg:2: reads.harmless_functions is a text; it must be an array of patterns: [\"shop.price\", "
            "\"shop.get_*\"]"},
        {HOST "reads = { harmful_functions = [\"a.b\", \"price\"]; };",
            "t.cfg:2: reads.harmful_functions has as number 2 " NO_PATTERN},
        {HOST "reads = { harmful_functions = [\"a.b.c\"]; };",
            "t.cfg:2: reads.harmful_functions has as number 1 " NO_PATTERN},
        {HOST "reads = { harmful_functions = [\"a.\"]; };",
            "t.cfg:2: reads.harmful_functions has as number 1 " NO_PATTERN},
        {HOST "reads = { harmful_functions = [\".b\"]; };",
            "t.cfg:2: reads.harmful_functions has as number 1 " NO_PATTERN},
        {HOST "reads = { harmful_functions = [\"a.b\\n\"]; };",
            "t.cfg:2: reads.harmful_functions has as number 1 " NO_PATTERN},
        {HOST "reads = { harmful_functions = [5]; };",
            "t.cfg:2: reads.harmful_functions has as number 1 " NO_PATTERN},
        {HOST "pool = 5;", "t.cfg:2: pool is an integer; it must be a group: pool = { ... }"},
        {HOST "pool = ( { } );", "t.cfg:2: pool is a list ( ); it must be a group: pool = { ... }"},
        {"connection = 5;",
            "t.cfg:1: connection is an integer; it must be a connection string or URI in quotes"},
        {"connection = 5000000000;",
            "t.cfg:1: connection is an integer; it must be a connection string or URI in quotes"},
        {HOST "servers = { };",
            "t.cfg:2: servers is a group { }; it must be a list of groups: servers = ( { ... }, { "
            "... } )"},
        {HOST "servers = ( );",
            "t.cfg:2: servers is empty; write at least one: ( { connection = \"host=...\"; } )"},
        {HOST "servers = ( { },\n 5 );", "t.cfg:3: servers[1] is an integer; it must be a group: { name = "
                                         "\"...\"; connection = \"host=...\"; }"},
        {HOST "system_identifier = 7012345678901234567;",
            "t.cfg:2: system_identifier is an integer; it must be the digits that pg_controldata shows, in "
            "quotes: "
            "\"7012345678901234567\""},
        {HOST "system_identifier = \"18446744073709551616\";",
            "t.cfg:2: system_identifier is no such number; it must be the digits that pg_controldata shows, "
            "in quotes: "
            "\"7012345678901234567\""},
        {HOST "pool = { init_sql = [1]; };",
            "t.cfg:2: pool.init_sql has as statement 1 something that is no text; it must be SQL in quotes"},
        {HOST "pool = { init_sql = [\"a\", \" ; \"]; };",
            "t.cfg:2: pool.init_sql has as statement 2 an empty one; it must be SQL in quotes"},
        {HOST "statements = { warm_up = (\"a\", 5, \" ; \"); };",
            "t.cfg:2: statements.warm_up has as statement 2 something that is no text; it must be SQL in "
            "quotes\n"
            "t.cfg:2: statements.warm_up has as statement 3 an empty one; it must be SQL in quotes"},
        {HOST "statements = { warm_up = \"select 1\"; };",
            "t.cfg:2: statements.warm_up is a text; it must be an array of statements: [\"select name from "
            "shop where id = $1\"]"},
        {HOST "statements = { warm_up = [\"a\", \"b\"];\n max_prepared = 1; };",
            "t.cfg:2: statements.warm_up has 2 statements; it may have at most statements.max_prepared (1)"},
        {HOST "statements = { warm_up = [\"a\"]; prepare_threshold = 0; };",
            "t.cfg:2: statements.warm_up has 1 statements, and statements.prepare_threshold is 0, which "
            "keeps "
            "none prepared; set it to at least 1"},
    };
    (void)state;
    check(table);
}

static void unknown_keys_come_with_the_nearest_known_one(void **state)
{
    static const struct expectation table[] = {
        {HOST "conection = \"\";", "t.cfg:2: conection is unknown; did you mean connection?"},
        {HOST "pol = { min = 3 };", "t.cfg:2: pol is unknown; did you mean pool?"},
        {HOST "pool = { idletimeout = \"1s\" };",
            "t.cfg:2: pool.idletimeout is unknown; did you mean pool.idle_timeout?"},
        {HOST "pool = { maximum = 3 };", "t.cfg:2: pool.maximum is unknown; did you mean pool.max?"},
        {HOST "max_total = 20;", "t.cfg:2: max_total is unknown; did you mean pool.max_total?"},
        {HOST "queue = { max_result = \"1MB\" };",
            "t.cfg:2: queue.max_result is unknown; did you mean request.max_result?"},
        {HOST "probe = { colour = 1 };",
            "t.cfg:2: probe.colour is unknown; remove it, or write one of interval, timeout"},
        {HOST "zzzzzz = { a = { b = 1; }; };",
            "t.cfg:2: zzzzzz is unknown; remove it, or write one of "
            "connection, servers, system_identifier, pool, fleet, tcp, "
            "probe, reads, writes, queue, request, transaction, catalog, statements"},
        {HOST "pool = { mxa = 3 };", "t.cfg:2: pool.mxa is unknown; did you mean pool.max?"},
        {HOST "servers = ( { nmae = \"a\" } );",
            "t.cfg:2: servers[0].nmae is unknown; did you mean servers[0].name?"},
        {HOST "servers = ({ host = \"db1\" });",
            "t.cfg:2: servers[0].host is a parameter of libpq; write it into the connection string: "
            "servers[0].connection = \"host=...\""},
        {HOST "sslmode = \"require\";",
            "t.cfg:2: sslmode is a parameter of libpq; write it into the connection string: connection = "
            "\"sslmode=...\""},
    };
    (void)state;
    check(table);
}

static void sizes_that_contradict_one_another_are_told_with_both(void **state)
{
    static const struct expectation table[] = {
        {HOST "pool = {\nmax = 0; };", "t.cfg:3: pool.max is 0; it must be at least pool.min (2) and at "
                                       "least pool.admin_reserved + 2 (3)"},
        {HOST "pool = { min = 30; };", "t.cfg:2: pool.max is 20; it must be at least pool.min (30)"},
        {HOST "pool = { admin_reserved = 19; };",
            "t.cfg:2: pool.max is 20; it must be at least pool.admin_reserved + 2 (21)"},
        {HOST "pool = { max = 2; };",
            "t.cfg:2: pool.max is 2; it must be at least pool.admin_reserved + 2 (3)"},
        {HOST "servers = ( {\n max = 1 } );", "t.cfg:3: servers[0].max is 1; it must be at least "
                                              "servers[0].min (2) and at least pool.admin_reserved + 2 "
                                              "(3)"},
        {HOST "servers = ( { min = 21 } );",
            "t.cfg:2: servers[0].max is 20; it must be at least servers[0].min (21)"},
        {"connection = \"host=a,b\"; pool = { max_total = 5; };",
            "t.cfg:1: pool.max_total is 5; it must be at least 6: 2 servers, each with a probe, "
            "pool.admin_reserved (1) "
            "and one connection for everybody"},
        {"connection = \"host=a,b\"; pool = { min = 10; max_total = 19; };",
            "t.cfg:1: pool.max_total is 19; it must be at least 20, the sum of all servers' min"},
        {HOST "pool = { backoff_min = \"16s\"; };",
            "t.cfg:2: pool.backoff_max is 15s; it must be at least pool.backoff_min (16s)"},
    };
    (void)state;
    check(table);
}

static void duplicates_are_told(void **state)
{
    static const struct expectation table[] = {
        {HOST "pool = { min = 1;\n min = 3; };",
            "t.cfg:3: pool.min is set twice; keep either this one or that of t.cfg:2"},
        {HOST "pool = { };\n pool = { nonsense = 1; };",
            "t.cfg:3: pool is set twice; keep either this one or that of t.cfg:2"},
        {HOST "servers = ( { }, { name = \"b\"; connection = \"host=b\";\n name = \"c\" } );",
            "t.cfg:3: servers[1].name is set twice; keep either this one or that of t.cfg:2"},
        {"servers = ( { name = \"a\"; connection = \"host=a\" },\n{ name = \"a\"; connection = \"host=b\" } "
         ");",
            "t.cfg:2: servers[1] is a duplicate of servers[0]: same name; give each a name of its own"},
        {"servers = ( { name = \"a\"; connection = \"host=h\" },\n{ name = \"b\"; connection = \"host=h "
         "port=5432\" } );",
            "t.cfg:2: servers[1] is a duplicate of servers[0]: same host, port and dbname; remove one"},
        {"connection = \"host=a,b,a\";",
            "t.cfg:1: connection names its host number 1 twice: same host, port and dbname; remove one"},
    };
    (void)state;
    check(table);
}

static void servers_of_another_database_or_user_are_told(void **state)
{
    static const struct expectation table[] = {
        {"servers = ( { connection = \"host=a dbname=x\" },\n{ connection = \"host=b dbname=y\" } );",
            "t.cfg:2: servers[1] has another dbname than servers[0]; a router is for one database: write it "
            "once, in "
            "the common connection"},
        {"servers = ( { connection = \"host=a dbname=x\" },\n{ connection = \"host=b dbname=x user=u\" } );",
            "t.cfg:2: servers[1] has another user than servers[0]; a router is for one user: write it once, "
            "in the "
            "common connection"},
    };
    (void)state;
    check(table);
}

static void all_semantic_problems_come_in_one_go_by_line(void **state)
{
    (void)state;
    assert_string_equal(help_message("connection = \"host=h1\"; pool = { min = 1; min = 2;\n"
                                     "max = 1; idle_timeout = 5; };\n"
                                     "\n"
                                     "quue = { };\n"
                                     "reads = { balance = \"x\"; };\n"),
        "t.cfg:1: pool.min is set twice; keep either this one or that of t.cfg:1\n"
        "t.cfg:2: pool.idle_timeout is 5, without a unit; write it in quotes with one of us, ms, s, min, h, "
        "d, such as "
        "\"10min\"\n"
        "t.cfg:2: pool.max is 1; it must be at least pool.admin_reserved + 2 (3)\n"
        "t.cfg:4: quue is unknown; did you mean queue?\n"
        "t.cfg:5: reads.balance is \"x\"; it must be \"least_outstanding\" or \"round_robin\" or \"random\" "
        "or \"ewma\"");
}

static void of_syntax_errors_the_first_is_told(void **state)
{
    static const struct {
        const char *text, *begin;
    } table[] = {
        {HOST "pool = { min = ; };\n\"", "t.cfg:2: syntax error, here or just before; write name = value;"},
        {HOST "\n\n}", "t.cfg:4: syntax error, here or just before; write name = value;"},
        {HOST "pool = {", "t.cfg:2: syntax error, here or just before; write name = value;"},
        {HOST "pool = { init_sql = [\"a\", 1]; };", "t.cfg:2: mismatched element type in array; write"},
        {HOST "pool = { min 2; };", "t.cfg:2: a number where no value may stand; write name = value"},
        {HOST "\"text\"", "t.cfg:2: a string where no value may stand; write name = \"value\""},
        {HOST "pool = { min = 2 3; };", "t.cfg:2: a number where no value may stand; write name = value"},
        {HOST "a = \"x\" 5;", "t.cfg:2: a number where no value may stand; write name = value"},
        {HOST "a = 5 \"x\";", "t.cfg:2: a string where no value may stand; write name = \"value\""},
        {HOST "reads = { balance = round_robin; };",
            "t.cfg:2: a word where a value is due; put text into quotes"},
        {HOST "pool balance",
            "t.cfg:2: a word where '=' is due; write name = value, and put text into quotes"},
        {HOST "pool = { idle_timeout = 10min; };",
            "t.cfg:2: this is no number; put text, and a number with a unit, into quotes"},
        {HOST "pool = { min = 1-2; };",
            "t.cfg:2: this is no number; put text, and a number with a unit, into quotes"},
        {HOST "pool = { min = . };",
            "t.cfg:2: this is no number; put text, and a number with a unit, into quotes"},
        {HOST "\n\na = \"open\nb = 1;",
            "t.cfg:4: the string that begins here does not end; close it with \""},
        {HOST "/* open\n", "t.cfg:2: the comment that begins here does not end; close it with */"},
        {HOST "pool.max = 10;",
            "t.cfg:2: a dot in a name; what belongs to a group stands in its braces: pool = { max = 20; };"},
        {HOST "reads = { zone = 'east'; };", "t.cfg:2: a single quote; put text into double ones: \"text\""},
        {HOST "*x = 1;", "t.cfg:2: a character that has no meaning here; remove it"},
        {HOST "a = \xE2\x80\x9Cx\xE2\x80\x9D;",
            "t.cfg:2: a character outside of ASCII, such as a curly quote"},
        {HOST "\x1B = 1;", "t.cfg:2: a control character; remove it"},
        {HOST "servers = ( { },\n);", "t.cfg:3: a comma before the closing bracket; remove it"},
        {HOST "pool = { init_sql = [\"a\", ]; };", "t.cfg:2: a comma before the closing bracket; remove it"},
        {HOST "a = \"\\x01\";", "t.cfg:2: a string holds a control character; remove it"},
        {HOST "a = \"\\x00\";", "t.cfg:2: a string holds a control character; remove it"},
        {HOST "a @include \"b\";",
            "t.cfg:2: unexpected '@'; an include is a line of its own: @include \"file\""},
        {HOST "@included = 5;",
            "t.cfg:2: unexpected '@'; an include is a line of its own: @include \"file\""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        const char *message = help_message(table[i].text);
        if (strncmp(message, table[i].begin, strlen(table[i].begin)) != 0 || strchr(message, '\n'))
            fail_msg("for %s\nwanted: %s\ngot: %s", table[i].text, table[i].begin, message);
    }
}

static void a_nul_byte_does_not_hide_the_rest(void **state)
{
    static const char text[] = "connection = \"host=h1\";\n\0pool = nonsense;";
    struct pqr_config *config = NULL;
    pqr_error error;
    (void)state;
    assert_int_equal(pqr__config_parse(&config, "t.cfg", text, sizeof(text) - 1, &error), PQR_ECONFIG);
    assert_string_equal(error.message, "t.cfg:2: a control character; remove it");
}

static char *repeat(const char *begin, const char *part, unsigned times, const char *end)
{
    size_t size = strlen(begin) + strlen(part) * times + strlen(end) + 1;
    char *text = malloc(size);
    assert_non_null(text);
    char *at = text + snprintf(text, size, "%s", begin);
    for (unsigned i = 0; i < times; i++, at += strlen(part))
        memcpy(at, part, strlen(part));
    memcpy(at, end, strlen(end) + 1);
    return text;
}

static void depth_and_number_of_settings_are_bounded(void **state)
{
    char *deep = repeat("a = ", "(", 5000, "");
    (void)state;
    assert_string_equal(help_message(deep), "t.cfg:1: brackets nest too deep; no key needs this");
    free(deep);
    size_t size = 400000;
    char *text = malloc(size);
    assert_non_null(text);
    size_t at = (size_t)snprintf(text, size, "%s", HOST);
    for (unsigned i = 0; i < 2010; i++)
        at += (size_t)snprintf(text + at, size - at, "a%u = 1;\n", i);
    const char *message = help_message(text);
    assert_string_equal(message, "t.cfg:2001: more than 2000 settings; there are not that many to set");
    free(text);
    text = repeat(HOST, "a = 1;\n", 2100, "");
    help_assert_holds(help_message(text), "more problems");
    free(text);
}

static void what_does_not_fit_is_counted_in_the_last_line(void **state)
{
    char *text = repeat(HOST, "pool = { };\n", 300, "");
    const char *message = help_message(text);
    unsigned lines = 1;
    unsigned rest = 0;
    (void)state;
    for (const char *at = message; *at; at++)
        lines += *at == '\n';
    const char *last = strrchr(message, '\n') + 1;
    assert_int_equal(sscanf(last, "and %u more problems", &rest), 1);
    assert_int_equal(lines - 1 + rest, 299);
    assert_true(strlen(message) < sizeof(((pqr_error *)NULL)->message));
    assert_true(strlen(message) > 7000);
    free(text);
    text = repeat(HOST, "pool = { };\n", 1900, "");
    message = help_message(text);
    assert_int_equal(sscanf(strrchr(message, '\n') + 1, "and %u more problems", &rest), 1);
    lines = 1;
    for (const char *at = message; *at; at++)
        lines += *at == '\n';
    assert_int_equal(lines - 1 + rest, 1899);
    free(text);
}

static void at_most_64_servers(void **state)
{
    char *text = repeat("servers = ( { }", ", { }", 64, " );");
    (void)state;
    assert_string_equal(help_message(text), "t.cfg:1: servers has 65 entries; it may have at most 64");
    free(text);
    text = repeat("connection = \"host=h", ",h", 64, "\";");
    assert_string_equal(
        help_message(text), "t.cfg:1: connection brings the servers to 65; there may be at most 64");
    free(text);
}

static void a_file_without_servers_says_how_to_name_one(void **state)
{
    (void)state;
    help_assert_holds(help_message(""), "t.cfg: no server is named; write servers = (");
    help_assert_holds(help_message("pool = { min = 3; };"), "t.cfg: no server is named");
}

static void names_of_servers_are_printable_and_short(void **state)
{
    (void)state;
    help_assert_holds(help_message("servers = ( { name = \"\"; connection = \"host=h\" } );"),
        "t.cfg:1: servers[0].name is empty, too long or holds a blank; write 1 to 63 characters without "
        "blanks");
    help_assert_holds(
        help_message("servers = ( { name = \"a b\"; connection = \"host=h\" } );"), "holds a blank");
}

static void nobody_has_to_ask_for_the_text(void **state)
{
    struct pqr_config *config = NULL;
    (void)state;
    assert_int_equal(pqr__config_parse(&config, "t.cfg", "x = 1;", 6, NULL), PQR_ECONFIG);
    assert_null(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_have_ranges_whatever_their_digits),
        cmocka_unit_test(durations_and_sizes_want_units),
        cmocka_unit_test(wrong_types_are_named),
        cmocka_unit_test(unknown_keys_come_with_the_nearest_known_one),
        cmocka_unit_test(sizes_that_contradict_one_another_are_told_with_both),
        cmocka_unit_test(duplicates_are_told),
        cmocka_unit_test(servers_of_another_database_or_user_are_told),
        cmocka_unit_test(all_semantic_problems_come_in_one_go_by_line),
        cmocka_unit_test(of_syntax_errors_the_first_is_told),
        cmocka_unit_test(a_nul_byte_does_not_hide_the_rest),
        cmocka_unit_test(depth_and_number_of_settings_are_bounded),
        cmocka_unit_test(what_does_not_fit_is_counted_in_the_last_line),
        cmocka_unit_test(at_most_64_servers),
        cmocka_unit_test(a_file_without_servers_says_how_to_name_one),
        cmocka_unit_test(names_of_servers_are_printable_and_short),
        cmocka_unit_test(nobody_has_to_ask_for_the_text),
    };
    help_clean_environment();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
