/* Files on disk: includes, and who may read a file that holds a password. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config_help.h"

#define CANARY "tr0ub4dor"

static pqr_error error;

static int make_folder(void **state)
{
    (void)state;
    help_folder_make();
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    help_folder_remove();
    return 0;
}

static struct pqr_config *load(const char *path)
{
    struct pqr_config *config = NULL;
    if (pqr_config_load(&config, path, &error) != 0)
        fail_msg("not valid: %s", error.message);
    return config;
}

/* What is told for path, without the path's folder. */
static const char *message(const char *path, int code)
{
    static char text[sizeof(error.message)];
    struct pqr_config *config = NULL;
    const size_t folder = (size_t)(strrchr(path, '/') - path) + 1;
    memset(&error, 0, sizeof(error));
    assert_int_equal(pqr_config_load(&config, path, &error), code);
    assert_int_equal(error.code, code);
    assert_null(config);
    size_t length = 0;
    for (const char *at = error.message; *at;) {
        if (strncmp(at, path, folder) == 0)
            at += folder;
        else
            text[length++] = *at++;
    }
    text[length] = '\0';
    return text;
}

static void what_cannot_be_read_says_why(void **state)
{
    char path[400];
    (void)state;
    snprintf(path, sizeof(path), "%s", help_file("there", "", 0600));
    assert_string_equal(message(path, PQR_ECONFIG),
        "there: no server is named; write servers = ( { name = \"...\"; connection = \"host=...\"; } ); or "
        "connection = "
        "\"postgresql://...\";");
    remove(path);
    assert_string_equal(message(path, PQR_EIO), "there: cannot open it: No such file or directory");
    assert_int_equal(mkdir(path, 0700), 0);
    assert_string_equal(message(path, PQR_EIO), "there: it is not a regular file");
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_string_equal(message(path, PQR_EIO), "there: it is not a regular file"); /* and does not wait */
}

static void a_connection_string_is_no_file(void **state)
{
    (void)state;
    help_assert_holds(
        message("host=db password=secret", PQR_EIO), "pqr_config_conninfo takes a connection string");
    help_assert_lacks(message("postgresql://u:secret@db/x", PQR_EIO), "secret");
}

static void a_file_of_more_than_1_mb_is_refused(void **state)
{
    size_t size = (1 << 20) + 1;
    char *text = malloc(size + 1);
    (void)state;
    assert_non_null(text);
    memset(text, ' ', size);
    text[size] = '\0';
    assert_string_equal(message(help_file("large", text, 0600), PQR_EIO),
        "large: it is too large; a configuration is at most 1 MB, with all that it includes");
    free(text);
}

static void an_included_file_stands_where_its_line_is(void **state)
{
    (void)state;
    help_file("pool.cfg", "min = 3;\nmax = 7;", 0600);
    help_file("server.cfg", "{ name = \"b\"; connection = \"host=h2\" }", 0600);
    struct pqr_config *config = load(help_file("main.cfg",
        "connection = \"dbname=shop\";\npool = {\n  @include \"pool.cfg\"\n};\nservers = ( { name = \"a\"; "
        "connection = "
        "\"host=h1\" },\n@include\t\"./server.cfg\" // more\n);\n",
        0600));
    assert_int_equal(config->pool.min, 3);
    assert_int_equal(config->pool.max, 7);
    assert_int_equal(config->n_servers, 2);
    assert_string_equal(config->servers[1].name, "b");
    help_assert_holds(config->source, "/main.cfg");
    pqr_config_free(config);
}

static void problems_name_the_file_and_line_they_are_in(void **state)
{
    (void)state;
    help_file("inner.cfg", "\nmax_byte = 1;\n# no line end", 0600);
    help_file("pool.cfg", "min = 3;\n\n\nmin = 4; maxx = 5;\n", 0600);
    assert_string_equal(
        message(help_file("main.cfg",
                    "connection = \"host=h\n\";\npool = {\n@include \"pool.cfg\"\nmin = 5; mix = 1;\n};\n"
                    "queue = {\n@include \"inner.cfg\" max_rquests = 1;\n};\nlast = 1;",
                    0600),
            PQR_ECONFIG),
        "pool.cfg:4: pool.min is set twice; keep either this one or that of pool.cfg:1\n"
        "pool.cfg:4: pool.maxx is unknown; did you mean pool.max?\n"
        "main.cfg:5: pool.min is set twice; keep either this one or that of pool.cfg:1\n"
        "main.cfg:5: pool.mix is unknown; did you mean pool.min?\n"
        "inner.cfg:2: queue.max_byte is unknown; did you mean queue.max_bytes?\n"
        "main.cfg:8: queue.max_rquests is unknown; did you mean queue.max_requests?\n"
        "main.cfg:10: last is unknown; remove it, or write one of connection, servers, system_identifier, "
        "pool, fleet, tcp, "
        "probe, reads, writes, queue, request, transaction, catalog, statements");
}

static void a_syntax_error_in_an_included_file_is_told_there(void **state)
{
    (void)state;
    help_file("bad.cfg", "min = 3;\nmax = = 7;\n", 0600);
    help_assert_holds(
        message(help_file("main.cfg", "pool = {\n\n\n@include \"bad.cfg\"\n};", 0600), PQR_ECONFIG),
        "bad.cfg:2: syntax error, here or just before; write name = value;");
}

static void includes_that_cannot_be_are_refused_at_their_line(void **state)
{
    static const struct {
        const char *text, *message;
    } table[] = {
        {"\n@include \"missing\"", "main.cfg:2: @include \"missing\": cannot open it: No such file or "
                                   "directory; name a regular file, relative to "
                                   "this one"},
        {"\n@include \"folder\"", "main.cfg:2: @include \"folder\": it is not a regular file; name a regular "
                                  "file, relative to this one"},
        {"@include \"/dev/zero\"", "main.cfg:1: @include \"/dev/zero\": it is not a regular file; name a "
                                   "regular file, relative to this one"},
        {"\n\n@include \"main.cfg\"", "main.cfg:3: @include of a file from within itself; remove it"},
        {"@include \"to-main.cfg\"", "to-main.cfg:2: @include of a file from within itself; remove it"},
        {"@include", "main.cfg:1: @include without a file; write @include \"file\""},
        {"@include \"\"", "main.cfg:1: @include of a file without a name; write @include \"file\""},
        {"@include \"a\\x00b\"", "main.cfg:1: @include of a file without a name; write @include \"file\""},
        {"x = 1; @include \"to-main.cfg\"",
            "main.cfg:1: unexpected '@'; an include is a line of its own: @include \"file\""},
        {"connection =\n@include \"value.cfg\"",
            "value.cfg:1: a value in another file than its key; put both into one"},
        {"@include \"key.cfg\"\n\"host=h\";",
            "main.cfg:2: a value in another file than its key; put both into one"},
        {"connection = \"host=h\"\n@include \"value.cfg\"",
            "value.cfg:1: a value in another file than its key; put both into one"},
    };
    char path[400];
    (void)state;
    help_file("to-main.cfg", "\n@include \"main.cfg\"", 0600);
    help_file("value.cfg", "\"password=" CANARY "\"", 0600);
    help_file("key.cfg", "connection =", 0600);
    snprintf(path, sizeof(path), "%s", help_file("folder", "", 0600));
    remove(path);
    assert_int_equal(mkdir(path, 0700), 0);
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        assert_string_equal(
            message(help_file("main.cfg", table[i].text, 0600), PQR_ECONFIG), table[i].message);
}

static void includes_nest_8_deep_and_no_deeper(void **state)
{
    char name[20];
    char text[60];
    const char *path = NULL;
    (void)state;
    help_file("f0", "connection = \"host=h\";", 0600);
    for (int i = 1; i <= 9; i++) {
        snprintf(name, sizeof(name), "f%d", i);
        snprintf(text, sizeof(text), "@include \"f%d\"\n", i - 1);
        path = help_file(name, text, 0600);
        if (i == 8)
            pqr_config_free(load(path));
    }
    assert_string_equal(message(path, PQR_ECONFIG),
        "f1:1: @include of too many files; at most 8 within one another, and 64 in all");
}

static void includes_that_multiply_come_to_an_end(void **state)
{
    static const char line[] = "@include \"f0\"\n";
    const size_t length = strlen(line);
    char *text = calloc(1000, length + 1);
    (void)state;
    assert_non_null(text);
    for (size_t i = 0; i < 1000; i++)
        snprintf(text + i * length, length + 1, "%s", line);
    help_file("f0", "", 0600);
    help_assert_holds(message(help_file("main.cfg", text, 0600), PQR_ECONFIG), "@include of too many files");
    free(text);
}

/* 0640 is for files of root's: for others the group may not read them. */
static void a_password_wants_a_private_file(void **state)
{
    static const unsigned refused[] = {0644, 0604, 0660, 0602, 0620, 0666, 0777, 0601};
    static const char text[] = "\nconnection = \"host=h password=" CANARY "\";";
    (void)state;
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        char wanted[200];
        snprintf(wanted, sizeof(wanted),
            "main.cfg:2: connection holds a password, and others than its owner may read this file (mode "
            "%04o); run "
            "chmod 600 main.cfg",
            refused[i]);
        assert_string_equal(message(help_file("main.cfg", text, refused[i]), PQR_ECONFIG), wanted);
    }
    pqr_config_free(load(help_file("main.cfg", text, 0600)));
    pqr_config_free(load(help_file("main.cfg", text, 0400)));
    const char *path = help_file("main.cfg", text, 0640);
    if (geteuid() != 0) {
        help_assert_holds(message(path, PQR_ECONFIG), "(mode 0640); run chmod 600");
        return;
    }
    pqr_config_free(load(path));
    assert_int_equal(chown(path, 1, (gid_t)-1), 0);
    help_assert_holds(message(path, PQR_ECONFIG), "(mode 0640); run chmod 600");
}

static void a_file_without_a_password_may_be_open(void **state)
{
    (void)state;
    pqr_config_free(load(help_file("main.cfg", "connection = \"host=h user=app\";", 0644)));
    pqr_config_free(load(help_file("main.cfg", "connection = \"host=h password=''\";", 0644)));
    pqr_config_free(load(help_file(
        "main.cfg", "connection = \"host=h\"; pool = { init_sql = \"select 'password=x'\"; };", 0644)));
}

static void only_the_file_that_holds_it_has_to_be_private(void **state)
{
    static const char main_text[] = "\n@include \"secret.cfg\"\nservers = ( { connection = \"host=h\" } );";
    (void)state;
    help_file("secret.cfg", "connection = \"password=" CANARY "\";", 0600);
    pqr_config_free(load(help_file("main.cfg", main_text, 0644)));
    help_file("secret.cfg", "connection = \"password=" CANARY "\";", 0644);
    assert_string_equal(message(help_file("main.cfg", main_text, 0600), PQR_ECONFIG),
        "secret.cfg:1: connection holds a password, and others than its owner may read this file (mode "
        "0644); run chmod "
        "600 secret.cfg");
}

static void every_place_of_a_password_counts_and_each_file_is_told_once(void **state)
{
    static const char *const table[] = {
        "servers = ( { connection = \"host=h\" },\n{ connection = \"host=i password=" CANARY "\" } );",
        "\nconnection = \"postgresql://u:" CANARY "@h/db\";",
        "\nconnection = \"host=h sslpassword=" CANARY "\";",
        "\nconnection = \"host=h password=" CANARY "\"; servers = ( { connection = \"password=" CANARY
        "2\" } );",
        "\nconnection = \"host=h passw\" \"ord=" CANARY "\";",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        const char *text = message(help_file("main.cfg", table[i], 0644), PQR_ECONFIG);
        help_assert_holds(text, "main.cfg:2: ");
        help_assert_holds(text, "holds a password, and others than its owner may read this file (mode 0644)");
        help_assert_lacks(text, "\n");
        help_assert_lacks(text, CANARY);
    }
}

static void no_message_shows_a_secret_wherever_it_stands(void **state)
{
    static const char *const table[] = {
        "connection = \"host=h password=" CANARY "\"; pool = { idle_timeout = \"password=" CANARY "\"; };",
        "connection = \"host=h password=" CANARY "\"; reads = { balance = \"pw " CANARY "!\"; };",
        "connection = \"host=h\" password = " CANARY ";",
        "connection = \"host=h password=\"" CANARY "\";",
        "connection = host=h password=" CANARY ";",
        "connection = \"host=h password=" CANARY,
        "connection = [\"password=" CANARY "\"];",
        "password = \"" CANARY "\";",
        "pool = { init_sql = [\"set role " CANARY "\", 1]; };",
        "servers = \"password=" CANARY "\";",
        "servers = ( \"password=" CANARY "\" );",
        "servers = ( { name = \"password=" CANARY " x\"; } );",
        "servers = ( { name = \"a\"; connection = \"password=" CANARY "\"; connection = \"password=" CANARY
        "\" } );",
        "system_identifier = \"" CANARY "\";",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        help_assert_lacks(message(help_file("main.cfg", table[i], 0600), PQR_ECONFIG), CANARY);
}

#define with_folder(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_folder(what_cannot_be_read_says_why),
        with_folder(a_connection_string_is_no_file),
        with_folder(a_file_of_more_than_1_mb_is_refused),
        with_folder(an_included_file_stands_where_its_line_is),
        with_folder(problems_name_the_file_and_line_they_are_in),
        with_folder(a_syntax_error_in_an_included_file_is_told_there),
        with_folder(includes_that_cannot_be_are_refused_at_their_line),
        with_folder(includes_nest_8_deep_and_no_deeper),
        with_folder(includes_that_multiply_come_to_an_end),
        with_folder(a_password_wants_a_private_file),
        with_folder(a_file_without_a_password_may_be_open),
        with_folder(only_the_file_that_holds_it_has_to_be_private),
        with_folder(every_place_of_a_password_counts_and_each_file_is_told_once),
        with_folder(no_message_shows_a_secret_wherever_it_stands),
    };
    help_clean_environment();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
