/* Connection strings: what of them reaches libpq, what does not, and that no word of one is ever quoted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "config/conninfo.h"
#include "config_help.h"

#define CANARY "tr0ub4dor"

static const char *value(const struct pqr_config *config, uint32_t server, const char *keyword)
{
    const char *found = pqr__server_config_value(&config->servers[server], keyword);
    return found ? found : "(none)";
}

static void a_uri_becomes_a_complete_row_of_parameters(void **state)
{
    struct pqr_config *config =
        help_conninfo("postgresql://app:p%40ss@db1:6000/shop?sslmode=require&application_name=web");
    static const char *const wanted[][2] = {{"user", "app"}, {"password", "p@ss"}, {"dbname", "shop"},
        {"host", "db1"}, {"port", "6000"}, {"sslmode", "require"}, {"application_name", "web"},
        {"target_session_attrs", "any"}, {"keepalives_idle", "30"}, {"keepalives_interval", "10"},
        {"keepalives_count", "5"}, {"tcp_user_timeout", "30000"}, {"fallback_application_name", "pqrouter"}};
    size_t n = 0;
    (void)state;
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
        assert_string_equal(value(config, 0, wanted[i][0]), wanted[i][1]);
    while (config->servers[0].keywords[n]) {
        assert_non_null(config->servers[0].values[n]);
        n++;
    }
    assert_int_equal(n, sizeof(wanted) / sizeof(wanted[0]));
    assert_null(config->servers[0].values[n]);
    assert_string_equal(config->source, "connection string");
    assert_string_equal(config->servers[0].name, "db1:6000");
    assert_int_equal(config->pool.max, 20);
    pqr_config_free(config);
}

static void each_host_is_a_server(void **state)
{
    struct pqr_config *config = help_conninfo("postgresql://app@db1:6001,[::1]:6002,db3/shop");
    (void)state;
    assert_int_equal(config->n_servers, 3);
    assert_string_equal(config->servers[0].name, "db1:6001");
    assert_string_equal(config->servers[1].name, "[::1]:6002");
    assert_string_equal(config->servers[2].name, "db3:5432");
    for (uint32_t i = 0; i < 3; i++) {
        assert_string_equal(value(config, i, "host"), config->servers[i].host);
        assert_string_equal(value(config, i, "port"), config->servers[i].port);
        assert_string_equal(value(config, i, "user"), "app");
    }
    pqr_config_free(config);
    config = help_conninfo("host=a,b port=7000");
    assert_string_equal(value(config, 1, "port"), "7000");
    pqr_config_free(config);
}

static void addresses_stay_beside_their_names(void **state)
{
    struct pqr_config *config = help_conninfo("host=db,db hostaddr=10.0.0.1,10.0.0.2 port=1,2");
    (void)state;
    assert_int_equal(config->n_servers, 2);
    assert_string_equal(value(config, 1, "host"), "db");
    assert_string_equal(value(config, 1, "hostaddr"), "10.0.0.2");
    pqr_config_free(config);
    config = help_conninfo("host=db,db hostaddr=10.0.0.1,10.0.0.2");
    assert_string_equal(config->servers[0].name, "db:5432");
    assert_string_equal(config->servers[1].name, "db:5432#2");
    pqr_config_free(config);
    config = help_conninfo("hostaddr=10.0.0.1");
    assert_string_equal(value(config, 0, "host"), "(none)");
    assert_string_equal(config->servers[0].host, "10.0.0.1");
    pqr_config_free(config);
}

static void without_a_host_it_is_libpqs_own_socket_folder(void **state)
{
    struct pqr_config *config = help_conninfo("dbname=x");
    (void)state;
    assert_int_equal(config->n_servers, 1);
    assert_true(config->servers[0].host[0] == '/' || strcmp(config->servers[0].host, "localhost") == 0);
    assert_string_equal(value(config, 0, "host"), config->servers[0].host);
    pqr_config_free(config);
}

static void the_environments_lists_are_split_too(void **state)
{
    (void)state;
    setenv("PGHOST", "e1,e2", 1);
    setenv("PGPORT", "6001,6002", 1);
    setenv("PGTARGETSESSIONATTRS", "read-write", 1);
    struct pqr_config *config = help_conninfo("dbname=x");
    assert_int_equal(config->n_servers, 2);
    assert_string_equal(value(config, 1, "host"), "e2");
    assert_string_equal(value(config, 1, "port"), "6002");
    assert_string_equal(value(config, 1, "target_session_attrs"), "any");
    pqr_config_free(config);
    config = help_conninfo("host=own,other");
    assert_string_equal(value(config, 1, "host"), "other");
    assert_string_equal(value(config, 1, "port"), "6002");
    pqr_config_free(config);
    help_clean_environment();
}

static void a_services_lists_are_split_too(void **state)
{
    (void)state;
    help_folder_make();
    setenv("PGSERVICEFILE",
        help_file("service",
            "[shop]\nhost=s1,s2\nport=6001\ndbname=shop\npassword=" CANARY "\n"
            "target_session_attrs=read-write\nkeepalives_idle=77\n[copy]\nhost=x\nreplication=true\n",
            0600),
        1);
    struct pqr_config *config = help_conninfo("service=shop user=app");
    assert_int_equal(config->n_servers, 2);
    assert_string_equal(value(config, 1, "host"), "s2");
    assert_string_equal(value(config, 1, "port"), "6001");
    assert_string_equal(value(config, 1, "service"), "shop");
    assert_string_equal(value(config, 1, "password"), "(none)"); /* libpq reads it when it connects */
    assert_string_equal(value(config, 1, "keepalives_idle"), "(none)");
    assert_string_equal(value(config, 1, "target_session_attrs"), "any");
    assert_string_equal(config->servers[1].dbname, "shop");
    pqr_config_free(config);
    help_assert_holds(help_conninfo_message("service=nosuch"), "its service is in the service file");
    help_assert_holds(help_conninfo_message("service=copy"), "asks for a replication connection");
    help_folder_remove();
    help_clean_environment();
}

static void database_url_stands_in(void **state)
{
    (void)state;
    help_assert_holds(help_conninfo_message(NULL), "DATABASE_URL: it is not set; set it to postgresql://");
    setenv("DATABASE_URL", "postgres://app@db1/shop", 1);
    struct pqr_config *config = help_conninfo(NULL);
    assert_string_equal(config->source, "DATABASE_URL");
    assert_string_equal(config->servers[0].host, "db1");
    pqr_config_free(config);
    setenv("DATABASE_URL", "postgres://app:" CANARY "@[db1/shop", 1);
    const char *message = help_conninfo_message(NULL);
    help_assert_holds(message, "DATABASE_URL: its IPv6 address is not closed");
    help_assert_lacks(message, CANARY);
    help_clean_environment();
}

static void what_we_decide_ourselves_is_taken_out(void **state)
{
    struct pqr_config *config =
        help_conninfo("host=a,b target_session_attrs=read-write connect_timeout=7 keepalives_count=9");
    (void)state;
    assert_string_equal(
        config->note, "target_session_attrs is ignored: the role of each server is found by asking it");
    assert_string_equal(value(config, 0, "target_session_attrs"), "any");
    assert_string_equal(value(config, 0, "connect_timeout"), "(none)");
    assert_string_equal(value(config, 0, "keepalives_count"), "9");
    assert_string_equal(value(config, 0, "keepalives_idle"), "30");
    assert_true(config->pool.connect_timeout_us == 7000000);
    pqr_config_free(config);
}

static void a_files_connect_timeout_counts_more(void **state)
{
    struct pqr_config *config =
        help_parse("connection = \"host=a connect_timeout=7\"; pool = { connect_timeout = \"3s\"; };");
    (void)state;
    assert_true(config->pool.connect_timeout_us == 3000000);
    pqr_config_free(config);
    config = help_parse(
        "connection = \"connect_timeout=7\"; servers = ( { connection = \"host=a\" }, { connection = "
        "\"host=b connect_timeout=20\" }, { connection = \"host=c connect_timeout=4\" } );");
    assert_true(config->pool.connect_timeout_us == 20000000);
    pqr_config_free(config);
    config = help_parse("connection = \"host=a connect_timeout=4\";");
    assert_true(config->pool.connect_timeout_us == 4000000);
    pqr_config_free(config);
}

static void a_servers_string_lies_over_the_common_one(void **state)
{
    struct pqr_config *config = help_parse(
        "connection = \"host=common hostaddr=10.0.0.9 port=6000 user=app sslmode=require options='-c "
        "a=1'\";\n"
        "servers = ( { connection = \"host=own sslmode=disable options='-c b=2'\" }, { name = \"n\" },"
        " { name = \"m\"; connection = \"host=x,y port=1,2\" } );");
    (void)state;
    assert_int_equal(config->n_servers, 4);
    assert_string_equal(value(config, 0, "host"), "own");
    assert_string_equal(value(config, 0, "hostaddr"), "(none)"); /* it would lead to the common one */
    assert_string_equal(value(config, 0, "port"), "6000");
    assert_string_equal(value(config, 0, "user"), "app");
    assert_string_equal(value(config, 0, "sslmode"), "disable");
    assert_string_equal(value(config, 0, "options"), "-c a=1 -c b=2");
    assert_string_equal(config->servers[1].name, "n");
    assert_string_equal(value(config, 1, "hostaddr"), "10.0.0.9");
    assert_string_equal(config->servers[2].name, "m-1");
    assert_string_equal(config->servers[3].name, "m-2");
    assert_string_equal(value(config, 3, "port"), "2");
    pqr_config_free(config);
}

static void a_dbname_that_looks_like_a_string_stays_a_dbname(void **state)
{
    struct pqr_config *config = help_conninfo("host=good dbname='host=evil'");
    (void)state;
    assert_string_equal(value(config, 0, "host"), "good");
    assert_string_equal(value(config, 0, "dbname"), "host=evil");
    pqr_config_free(config);
}

static void a_mistyped_option_is_told_what_it_may_be(void **state)
{
    (void)state;
    help_assert_holds(help_conninfo_message("host=a prot=5432"), "did you mean port?");
    help_assert_holds(help_conninfo_message("host=a sslrootcret=x"), "did you mean sslrootcert?");
    help_assert_holds(help_conninfo_message("postgresql://h/db?ssl_mode=require"), "did you mean sslmode?");
    help_assert_holds(help_conninfo_message("host=a sesame=1"), "; correct its name");
}

/* Wherever quotes and percent signs go wrong, a part of the password ends up somewhere else. */
static void no_word_of_a_string_is_ever_quoted(void **state)
{
    static const struct {
        const char *conninfo, *message;
    } table[] = {
        {"host=a password=x " CANARY, ": a word without '=' stands in place of keyword=value"},
        {"host=a password=x " CANARY "=1", ": it has an option that libpq does not know"},
        {"host=a password='" CANARY, ": a single quote is not closed"},
        {"postgresql://u:" CANARY "%zz@h/db", ": a % is not followed by two hexadecimal digits"},
        {"postgresql://u:x@" CANARY "@h/db", " has a host that is empty or holds '@' or a blank"},
        {"postgresql://u:" CANARY "/x@h/db", " has a port that is no number from 1 to 65535"},
        {"postgresql://u:x@h/db?" CANARY "=1", ": it has a parameter that libpq does not know"},
        {"postgresql://u:x@[" CANARY "/db", ": its IPv6 address is not closed"},
        {CANARY, ": a word without '=' stands in place of keyword=value"},
        {"host=a,b,c port=" CANARY ",2", ": its lists of hosts, addresses and ports differ in length"},
        {"host=a hostaddr=" CANARY ",x", ": its lists of hosts, addresses and ports differ in length"},
        {"host=a,," CANARY, " has a host that is empty"},
        {"host=a port=0" CANARY, " has a port that is no number"},
        {"host=a port=65536 password=" CANARY, " has a port that is no number"},
        {"host=a sslmode=" CANARY, ": libpq refuses the value of sslmode; write disable, allow"},
        {"mysql://u:" CANARY "@h/db",
            ": it is a URI, and not one of PostgreSQL; begin it with postgresql://"},
        {"postgress://u:x@h/" CANARY,
            ": it is a URI, and not one of PostgreSQL; begin it with postgresql://"},
        {"host=a gssencmode=" CANARY, ": libpq refuses the value of gssencmode"},
        {"host=a connect_timeout=" CANARY, " has a connect_timeout that is no number of seconds"},
        {"host=a connect_timeout=0 password=" CANARY, " has a connect_timeout that is no number of seconds"},
        {"host=a replication=database password=" CANARY,
            " asks for a replication connection; remove its replication"},
        {"host=a service=" CANARY, ": libpq cannot resolve it"},
        {"host=" CANARY "," CANARY, " names its host number 1 twice"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        char wanted[200];
        char text[300];
        const char *message = help_conninfo_message(table[i].conninfo);
        snprintf(wanted, sizeof(wanted), "connection string%s", table[i].message);
        help_assert_holds(message, wanted);
        help_assert_lacks(message, CANARY);
        help_assert_lacks(message, "\n");
        snprintf(text, sizeof(text), "\nservers = ( { connection = \"%s\" } );", table[i].conninfo);
        message = help_message(text);
        help_assert_holds(message, "t.cfg:2: servers[0]");
        help_assert_lacks(message, CANARY);
    }
}

static void the_common_strings_problems_are_told_once(void **state)
{
    (void)state;
    assert_string_equal(help_message("connection = \"sslmode=x\";\nservers = ( { connection = \"host=a\" },\n"
                                     "{ connection = \"host=b nonsense\" } );"),
        "t.cfg:1: connection: libpq refuses the value of sslmode; write disable, allow, prefer, require, "
        "verify-ca "
        "or verify-full\n"
        "t.cfg:3: servers[1].connection: a word without '=' stands in place of keyword=value; put values "
        "with blanks into "
        "'single "
        "quotes'");
}

static void reading_a_string_connects_to_nobody(void **state)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    char conninfo[100];
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    (void)state;
    assert_true(listener >= 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    snprintf(conninfo, sizeof(conninfo), "host=127.0.0.1 port=%u", (unsigned)ntohs(address.sin_port));
    pqr_config_free(help_conninfo(conninfo));
    assert_int_equal(accept(listener, NULL, NULL), -1); /* on loopback a connect is complete at once */
    assert_true(errno == EAGAIN || errno == EWOULDBLOCK);
    close(listener);
}

static void libpq_itself_accepts_the_parameters(void **state)
{
    struct pqr_config *config =
        help_conninfo("host=/nonexistent user=app password=x dbname=y sslmode=disable");
    (void)state;
    const struct pqr__server_config *server = &config->servers[0];
    PGconn *conn =
        PQconnectStartParams((const char *const *)server->keywords, (const char *const *)server->values, 0);
    assert_non_null(conn);
    help_assert_lacks(PQerrorMessage(conn), "invalid");
    help_assert_holds(PQerrorMessage(conn), "/nonexistent");
    PQfinish(conn);
    pqr_config_free(config);
}

static void assert_options(const char *conninfo, const char *expected)
{
    struct pqr_config *config = help_conninfo(conninfo);
    if (expected)
        assert_string_equal(config->servers[0].options, expected);
    else
        assert_null(config->servers[0].options);
    pqr_config_free(config);
}

static void servers_are_asked_to_look_for_clients_that_are_gone(void **state)
{
    (void)state;
    assert_options("host=db", PQR__CHECK_OPTION);
    assert_options("host=db options='-c a=1'", PQR__CHECK_OPTION " -c a=1"); /* of two the later one counts */
    assert_options(
        "host=db options='-c client_connection_check_interval_=1'", NULL); /* as far as we read them */
    setenv("PGOPTIONS", "-c b=2", 1);
    assert_options("host=db", PQR__CHECK_OPTION " -c b=2");
    assert_options("host=db options='-c a=1'", PQR__CHECK_OPTION " -c a=1");
    unsetenv("PGOPTIONS");
}

static void who_has_an_interval_of_their_own_keeps_it(void **state)
{
    (void)state;
    assert_options("host=db options='-c a=1 -c client_connection_check_interval=0'", NULL);
    assert_options("host=db options=-cCLIENT_connection_CHECK_interval=1s", NULL);
    assert_options("host=db options=--client-connection-check-interval=1s", NULL);
    setenv("PGOPTIONS", "-c client_connection_check_interval=2s", 1);
    assert_options("host=db", NULL);
    unsetenv("PGOPTIONS");
}

static void a_pooler_is_sent_no_options(void **state)
{
    (void)state;
    struct pqr_config *config =
        help_parse("connection = \"user=app\"; servers = ( { connection = \"host=a\"; }, "
                   "{ connection = \"host=b\"; pooler = true; } );");
    assert_non_null(config->servers[0].options);
    assert_null(config->servers[1].options);
    pqr_config_free(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_uri_becomes_a_complete_row_of_parameters),
        cmocka_unit_test(each_host_is_a_server),
        cmocka_unit_test(addresses_stay_beside_their_names),
        cmocka_unit_test(without_a_host_it_is_libpqs_own_socket_folder),
        cmocka_unit_test(the_environments_lists_are_split_too),
        cmocka_unit_test(a_services_lists_are_split_too),
        cmocka_unit_test(database_url_stands_in),
        cmocka_unit_test(what_we_decide_ourselves_is_taken_out),
        cmocka_unit_test(a_files_connect_timeout_counts_more),
        cmocka_unit_test(a_servers_string_lies_over_the_common_one),
        cmocka_unit_test(a_dbname_that_looks_like_a_string_stays_a_dbname),
        cmocka_unit_test(a_mistyped_option_is_told_what_it_may_be),
        cmocka_unit_test(no_word_of_a_string_is_ever_quoted),
        cmocka_unit_test(the_common_strings_problems_are_told_once),
        cmocka_unit_test(reading_a_string_connects_to_nobody),
        cmocka_unit_test(libpq_itself_accepts_the_parameters),
        cmocka_unit_test(servers_are_asked_to_look_for_clients_that_are_gone),
        cmocka_unit_test(who_has_an_interval_of_their_own_keeps_it),
        cmocka_unit_test(a_pooler_is_sent_no_options),
    };
    help_clean_environment();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
