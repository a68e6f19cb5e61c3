/* Every lexical form of the PostgreSQL manual, chapter 4.1, section by section. A text's tokens are written as
   one letter a kind, with the token itself where it matters where it ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "policy/lexer.h"

static const char *kind_name(enum pqr__token_kind kind)
{
    static const char *const names[] = {
        [PQR__TOKEN_END] = "end",
        [PQR__TOKEN_ERROR] = "error",
        [PQR__TOKEN_WORD] = "word",
        [PQR__TOKEN_QUOTED] = "quoted",
        [PQR__TOKEN_UNICODE] = "unicode",
        [PQR__TOKEN_STRING] = "string",
        [PQR__TOKEN_NUMBER] = "number",
        [PQR__TOKEN_PARAMETER] = "parameter",
        [PQR__TOKEN_OPERATOR] = "operator",
        [PQR__TOKEN_CAST] = "cast",
        [PQR__TOKEN_ASSIGN] = "assign",
        [PQR__TOKEN_RANGE] = "range",
        [PQR__TOKEN_DOT] = "dot",
        [PQR__TOKEN_COLON] = "colon",
        [PQR__TOKEN_COMMA] = "comma",
        [PQR__TOKEN_SEMICOLON] = "semicolon",
        [PQR__TOKEN_OPEN] = "open",
        [PQR__TOKEN_CLOSE] = "close",
        [PQR__TOKEN_BRACKET] = "bracket",
        [PQR__TOKEN_UNBRACKET] = "unbracket",
    };
    return names[kind];
}

/* "word<a> operator<+> ..." into a static buffer. The text is lexed from an exact-sized copy, so that a read
   beyond its end is seen by the sanitizer. */
static const char *tokens_of(const char *text, size_t length, bool standard_strings)
{
    static char out[2000];
    char *copy = malloc(length == 0 ? 1 : length);
    struct pqr__lexer lexer;
    struct pqr__token token;
    size_t used = 0;
    assert_non_null(copy);
    memcpy(copy, text, length);
    out[0] = '\0';
    pqr__lexer_init(&lexer, copy, length, standard_strings);
    for (pqr__lexer_next(&lexer, &token); token.kind != PQR__TOKEN_END; pqr__lexer_next(&lexer, &token)) {
        assert_true(used < sizeof(out));
        used += (size_t)snprintf(out + used, sizeof(out) - used, "%s%s<%.*s>", used == 0 ? "" : " ",
            kind_name(token.kind), (int)token.length, token.at);
        assert_true(token.length > 0 || token.kind == PQR__TOKEN_ERROR);
    }
    free(copy);
    return out;
}

#define assert_tokens(text, expected) \
    assert_string_equal(tokens_of((text), sizeof(text) - 1, true), (expected))
#define assert_tokens_off(text, expected) \
    assert_string_equal(tokens_of((text), sizeof(text) - 1, false), (expected))

/* 4.1.1 */
static void identifiers_and_key_words(void **state)
{
    (void)state;
    assert_tokens("SELECT _a a1$ b_2", "word<SELECT> word<_a> word<a1$> word<b_2>");
    assert_tokens("größe \x80\xff", "word<größe> word<\x80\xff>");
    assert_tokens("e b x n u E1", "word<e> word<b> word<x> word<n> word<u> word<E1>");
    assert_tokens("\"a b\" \"a\"\"b\" \"sel'ect\"", "quoted<\"a b\"> quoted<\"a\"\"b\"> quoted<\"sel'ect\">");
    assert_tokens("\"a\nb\"\"\"", "quoted<\"a\nb\"\"\">");
    assert_tokens("U&\"d\\0061t\" u&\"x\"", "unicode<U&\"d\\0061t\"> unicode<u&\"x\">");
    assert_tokens("U&\"d!0061t\" UESCAPE '!'", "unicode<U&\"d!0061t\"> word<UESCAPE> string<'!'>");
    assert_tokens("u & \"x\"", "word<u> operator<&> quoted<\"x\">");
    assert_tokens("u&x", "word<u> operator<&> word<x>");
    assert_tokens("a\"b\"", "word<a> quoted<\"b\">");
    assert_tokens("\"\"", "error<\"\">");
    assert_tokens("a \"b", "word<a> error<\"b>");
    assert_tokens("\"b\"\"", "error<\"b\"\">");
    assert_tokens("U&\"b", "error<U&\"b>");
}

/* 4.1.2.1 */
static void standard_strings(void **state)
{
    (void)state;
    assert_tokens("'a' '' 'it''s' ''''", "string<'a'> string<''> string<'it''s'> string<''''>");
    assert_tokens("'a\\' b", "string<'a\\'> word<b>");
    assert_tokens("'a -- /* \" $$' b", "string<'a -- /* \" $$'> word<b>");
    assert_tokens("'a'\n'b'", "string<'a'\n'b'>");
    assert_tokens("'a' \t\r \n 'b' \n 'c'", "string<'a' \t\r \n 'b' \n 'c'>");
    assert_tokens("'a' -- x\n'b'", "string<'a' -- x\n'b'>");
    assert_tokens("'a'\n-- x 'y'\n'b'", "string<'a'\n-- x 'y'\n'b'>");
    assert_tokens("'a' 'b'", "string<'a'> string<'b'>");
    assert_tokens("'a'\n/* x */'b'", "string<'a'> string<'b'>");
    assert_tokens("'a'\nE'b'", "string<'a'> string<E'b'>");
    assert_tokens("'a", "error<'a>");
    assert_tokens("'", "error<'>");
    assert_tokens("'''", "error<'''>");
    assert_tokens("'a'\n'b", "error<'a'\n'b>");
    assert_tokens("'a' -- x", "string<'a'>");
}

static void backslashes_when_not_conforming(void **state)
{
    (void)state;
    assert_tokens_off("'a\\'b' c", "string<'a\\'b'> word<c>");
    assert_tokens_off("'\\\\' c", "string<'\\\\'> word<c>");
    assert_tokens_off("n'\\'' c", "string<n'\\''> word<c>");
    assert_tokens_off("'a''b\\'", "error<'a''b\\'>");
    assert_tokens_off("$$\\$$ c", "string<$$\\$$> word<c>");
    assert_tokens_off("\"a\\\" c", "quoted<\"a\\\"> word<c>");
    assert_tokens_off("b'\\' c", "string<b'\\'> word<c>");
    assert_tokens_off("a U&'x' b", "word<a> error<U&'x' b>");
}

/* 4.1.2.2 */
static void escape_strings(void **state)
{
    (void)state;
    assert_tokens("E'a\\'b' e'\\\\' c", "string<E'a\\'b'> string<e'\\\\'> word<c>");
    assert_tokens("E'a''b\\n\\x41\\u0041' c", "string<E'a''b\\n\\x41\\u0041'> word<c>");
    assert_tokens("E'a'\n'b\\'c' d", "string<E'a'\n'b\\'c'> word<d>");
    assert_tokens("E 'a'", "word<E> string<'a'>");
    assert_tokens("ae'a\\'", "word<ae> string<'a\\'>");
    assert_tokens("E'\\", "error<E'\\>");
    assert_tokens("E'\\'", "error<E'\\'>");
    assert_tokens("E'", "error<E'>");
}

/* 4.1.2.3 */
static void unicode_strings(void **state)
{
    (void)state;
    assert_tokens("U&'d\\0061t' u&'\\'", "string<U&'d\\0061t'> string<u&'\\'>");
    assert_tokens("U&'d!0061' UESCAPE '!'", "string<U&'d!0061'> word<UESCAPE> string<'!'>");
    assert_tokens("U&'a'\n'b\\' c", "string<U&'a'\n'b\\'> word<c>");
    assert_tokens("U& 'a'", "word<U> operator<&> string<'a'>");
    assert_tokens("U&'a", "error<U&'a>");
}

/* 4.1.2.4 */
static void dollar_quotes(void **state)
{
    (void)state;
    assert_tokens("$$a'b$$ $x$ $$ $y$ $x$ c", "string<$$a'b$$> string<$x$ $$ $y$ $x$> word<c>");
    assert_tokens("$$$$ $a$$a$", "string<$$$$> string<$a$$a$>");
    assert_tokens("$a$ $a $a$", "string<$a$ $a $a$>");
    assert_tokens("$a$ $b$a$ c", "string<$a$ $b$a$> word<c>");
    assert_tokens("$A$ $a$ $A$", "string<$A$ $a$ $A$>");
    assert_tokens("$_1$ x $_1$ $é$ $é$", "string<$_1$ x $_1$> string<$é$ $é$>");
    assert_tokens("a$$b$$", "word<a$$b$$>");
    assert_tokens("1+$$b$$", "number<1> operator<+> string<$$b$$>");
    assert_tokens("$$a", "error<$$a>");
    assert_tokens("$a$ $$", "error<$a$ $$>");
    assert_tokens("$a", "error<$a>");
    assert_tokens("$ a", "error<$ a>");
    assert_tokens("$", "error<$>");
    assert_tokens("$a$", "error<$a$>");
    assert_tokens("$a$b$a", "error<$a$b$a>");
}

/* 4.1.2.5, and N'' */
static void bit_strings(void **state)
{
    (void)state;
    assert_tokens("B'01' x'1F' X'' b''", "string<B'01'> string<x'1F'> string<X''> string<b''>");
    assert_tokens("B'0'\n'1'", "string<B'0'\n'1'>");
    assert_tokens("x'1\\' a", "string<x'1\\'> word<a>");
    assert_tokens("N'a''b' n'c'", "string<N'a''b'> string<n'c'>");
    assert_tokens("B'0", "error<B'0>");
}

/* 4.1.2.6 */
static void numbers(void **state)
{
    (void)state;
    assert_tokens("42 3.5 4. .001 5e2 1.925e-3 1.e+5",
        "number<42> number<3.5> number<4.> number<.001> number<5e2> number<1.925e-3> number<1.e+5>");
    assert_tokens("0x1F 0XaB 0o17 0b101 0", "number<0x1F> number<0XaB> number<0o17> number<0b101> number<0>");
    assert_tokens(
        "1_000 1_0.0_1 0x_1F 1_0e1_0", "number<1_000> number<1_0.0_1> number<0x_1F> number<1_0e1_0>");
    assert_tokens("1..10", "number<1> range<..> number<10>");
    assert_tokens("a.b.c 1.", "word<a> dot<.> word<b> dot<.> word<c> number<1.>");
    assert_tokens("a.1", "word<a> number<.1>");
    assert_tokens("1+2-3", "number<1> operator<+> number<2> operator<-> number<3>");
    assert_tokens("1a", "error<1a>");
    assert_tokens("1__0", "error<1__0>");
    assert_tokens("1_", "error<1_>");
    assert_tokens("1e", "error<1e>");
    assert_tokens("1e+", "error<1e+>");
    assert_tokens("0x", "error<0x>");
    assert_tokens("0b12", "error<0b12>");
    assert_tokens("0o8", "error<0o8>");
    assert_tokens("1.5x", "error<1.5x>");
}

/* 4.1.3 */
static void operators(void **state)
{
    (void)state;
    assert_tokens("a+b a->>b a@>b", "word<a> operator<+> word<b> word<a> operator<->>> word<b> word<a> "
                                    "operator<@>> word<b>");
    assert_tokens("@- =- *+ <=+ <- ||-", "operator<@-> operator<=> operator<-> operator<*> operator<+> "
                                         "operator<<=> operator<+> operator<<> operator<-> operator<||->");
    assert_tokens("+- -+", "operator<+> operator<-> operator<-> operator<+>");
    assert_tokens("a+--b\nc", "word<a> operator<+> word<c>");
    assert_tokens("a*/*b*/c", "word<a> operator<*> word<c>");
    assert_tokens("a@/*b*/-c", "word<a> operator<@> operator<-> word<c>");
    assert_tokens("a@--b", "word<a> operator<@>");
    assert_tokens("!= <> >= #>> ?& ~~* |/",
        "operator<!=> operator<<>> operator<>=> operator<#>>> operator<?&> "
        "operator<~~*> operator<|/>");
    assert_tokens("a<>-1", "word<a> operator<<>> operator<-> number<1>");
    assert_tokens("`", "operator<`>");
    assert_tokens("!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!! a",
        "error<!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!! a>");
}

/* 4.1.4 */
static void special_characters(void **state)
{
    (void)state;
    assert_tokens("$1 $23+$4", "parameter<$1> parameter<$23> operator<+> parameter<$4>");
    assert_tokens("$1a", "error<$1a>");
    assert_tokens("a[1:2] (b, c);",
        "word<a> bracket<[> number<1> colon<:> number<2> unbracket<]> open<(> word<b> "
        "comma<,> word<c> close<)> semicolon<;>");
    assert_tokens("a::int b:=1 c=>2 d.*", "word<a> cast<::> word<int> word<b> assign<:=> number<1> word<c> "
                                          "assign<=>> number<2> word<d> dot<.> operator<*>");
    assert_tokens("a:::b", "word<a> cast<::> colon<:> word<b>");
    assert_tokens("a==>b", "word<a> operator<==>> word<b>");
}

/* 4.1.5 */
static void comments(void **state)
{
    (void)state;
    assert_tokens("a -- b\nc -- d\re", "word<a> word<c> word<e>");
    assert_tokens("a --", "word<a>");
    assert_tokens("a/* b */c", "word<a> word<c>");
    assert_tokens("/* a /* b */ c */ d", "word<d>");
    assert_tokens("/**/a/***/b/*/**/*/c", "word<a> word<b> word<c>");
    assert_tokens("/* -- */ a", "word<a>");
    assert_tokens("-- /*\na", "word<a>");
    assert_tokens("/* ' */ a", "word<a>");
    assert_tokens("a /* b", "word<a> error</* b>");
    assert_tokens("/* /* */", "error</* /* */>");
    assert_tokens("/*/", "error</*/>");
    assert_tokens("/*", "error</*>");
}

static void bytes_that_begin_nothing(void **state)
{
    (void)state;
    assert_tokens("a \\d", "word<a> error<\\d>");
    assert_tokens("{a}", "error<{a}>");
    assert_tokens("a\x01", "word<a> error<\x01>");
    assert_tokens("a\x7f", "word<a> error<\x7f>");
    assert_tokens(" \t\n\v\f\r", "");
    assert_tokens("", "");
    assert_int_equal(strncmp(tokens_of("a\0b", 3, true), "word<a> error<", 14), 0);
}

static void leading_comments_are_given_one_by_one(void **state)
{
    (void)state;
    static const char text[] = " -- a\n/* b /* c */ */ d -- e";
    struct pqr__lexer lexer;
    struct pqr__token comment;
    pqr__lexer_init(&lexer, text, sizeof(text) - 1, true);
    assert_true(pqr__lexer_comment(&lexer, &comment));
    assert_int_equal(comment.length, 4);
    assert_memory_equal(comment.at, "-- a", 4);
    assert_true(pqr__lexer_comment(&lexer, &comment));
    assert_memory_equal(comment.at, "/* b /* c */ */", 15);
    assert_false(pqr__lexer_comment(&lexer, &comment));
    assert_int_equal(*lexer.at, 'd');
}

/* The whole text is covered, whatever its bytes: a token ends where it ends, never beyond. */
static void any_bytes_end(void **state)
{
    (void)state;
    static const char alphabet[] = "'\"$\\/*-+eEuU&bx0.1_a \n;:()";
    unsigned seed = 1;
    for (int round = 0; round < 20000; round++) {
        char text[24];
        size_t length = (size_t)round % sizeof(text);
        for (size_t i = 0; i < length; i++) {
            seed = seed * 1103515245U + 12345U;
            text[i] = alphabet[(seed >> 16) % (sizeof(alphabet) - 1)];
        }
        (void)tokens_of(text, length, round % 2 == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(identifiers_and_key_words),
        cmocka_unit_test(standard_strings),
        cmocka_unit_test(backslashes_when_not_conforming),
        cmocka_unit_test(escape_strings),
        cmocka_unit_test(unicode_strings),
        cmocka_unit_test(dollar_quotes),
        cmocka_unit_test(bit_strings),
        cmocka_unit_test(numbers),
        cmocka_unit_test(operators),
        cmocka_unit_test(special_characters),
        cmocka_unit_test(comments),
        cmocka_unit_test(bytes_that_begin_nothing),
        cmocka_unit_test(leading_comments_are_given_one_by_one),
        cmocka_unit_test(any_bytes_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
