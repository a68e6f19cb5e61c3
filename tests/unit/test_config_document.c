/* The text that is written for libconfig: what it may see, and which line of which file each of its lines
   is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "config/document.h"
#include "config_help.h"

static struct pqr__document document;
static struct pqr__problems problems;

static int begin(void **state)
{
    (void)state;
    help_folder_make();
    pqr__document_init(&document, "label");
    memset(&problems, 0, sizeof(problems));
    return 0;
}

static int end(void **state)
{
    (void)state;
    pqr__document_finish(&document);
    pqr__problems_finish(&problems);
    help_folder_remove();
    return 0;
}

static void expand(const char *name, const char *text)
{
    assert_int_equal(pqr__file_of_text(&document.files[0], name, text, strlen(text)), 0);
    document.n_files = 1;
    assert_int_equal(pqr__document_expand(&document, &problems), 0);
}

static void only_plain_words_are_left(void **state)
{
    (void)state;
    expand(
        "t.cfg", "a : 0x10; /* c */ b = \"q\\\"\\\\@\n\\t\" # d\nc = [ 5000000000, 1.25, TRUE ]; d = { };");
    assert_string_equal(document.text.bytes, " a = 16 ; b = \"q\\\"\\\\\\x40\\x0a\\x09\"\n\n c = [ \"\x01"
                                             "5000000000\" , 0.5 , TRUE ] ; d = { } ;\n");
    assert_int_equal(document.error_line, 0);
    assert_int_equal(problems.count, 0);
}

static void no_at_sign_is_ever_left(void **state)
{
    (void)state;
    expand("t.cfg", "a = \"@include \\\"/tmp\\\"\n@include \\\"/tmp\\\"\"; // @include "
                    "\"/tmp\"\n/*\n@include \"/tmp\"\n*/");
    assert_int_equal(document.error_line, 0);
    assert_null(strchr(document.text.bytes, '@'));
}

static void a_line_knows_its_file(void **state)
{
    char path[400];
    (void)state;
    help_file("inner", "x = 1;\n\ny = 2;", 0600);
    snprintf(path, sizeof(path), "%s", help_file("outer", "", 0600));
    expand(path, "a = 1;\n@include \"inner\"\nb = 2;\n");
    static const struct {
        const char *key, *file;
        uint32_t line;
    } table[] = {{" a ", "/outer", 1}, {" x ", "/inner", 1}, {" y ", "/inner", 3}, {" b ", "/outer", 3}};
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        uint32_t line = 1;
        const char *found = strstr(document.text.bytes, table[i].key);
        assert_non_null(found);
        for (const char *at = document.text.bytes; at < found; at++)
            line += *at == '\n';
        struct pqr__origin origin = pqr__document_origin(&document, line);
        help_assert_holds(origin.file, table[i].file);
        assert_int_equal(origin.line, table[i].line);
    }
}

static void the_text_ends_where_the_first_syntax_error_is(void **state)
{
    (void)state;
    expand("t.cfg", "a = 1;\nb = = \n $ c = 2;");
    assert_int_equal(document.error_line, 3);
    assert_null(strchr(document.text.bytes, 'c'));
    assert_int_equal(pqr__document_origin(&document, document.error_line).line, 3);
}

static void a_key_set_again_comes_under_another_name(void **state)
{
    (void)state;
    expand("t.cfg", "a = 1; a = 2; g = { a = 3; }; a = 4;");
    assert_string_equal(document.text.bytes, " a = 1 ; *1 = 2 ; g = { a = 3 ; } ; *2 = 4 ;\n");
    assert_int_equal(problems.count, 2);
}

static void what_is_on_no_line_has_the_files_name_or_the_label(void **state)
{
    (void)state;
    assert_string_equal(pqr__document_origin(&document, 5).file, "label");
    expand("t.cfg", "a = 1;");
    assert_string_equal(pqr__document_origin(&document, 0).file, "t.cfg");
    assert_int_equal(pqr__document_origin(&document, 0).line, 0);
    assert_int_equal(pqr__document_origin(&document, 0).file_index, -1);
}

#define with_document(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_document(only_plain_words_are_left),
        with_document(no_at_sign_is_ever_left),
        with_document(a_line_knows_its_file),
        with_document(the_text_ends_where_the_first_syntax_error_is),
        with_document(a_key_set_again_comes_under_another_name),
        with_document(what_is_on_no_line_has_the_files_name_or_the_label),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
