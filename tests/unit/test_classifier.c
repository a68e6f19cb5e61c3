/* Statements and where they may run (classifier_cases.inc); then what must not change an answer, and what must. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "policy/builtins.h"
#include "policy/classifier.h"
#include "policy/lexer.h"

static const struct pqr__dialect usual = {.standard_conforming_strings = true, .ascii_safe = true};

#define R PQR_CLASS_REPLICA, PQR__EFFECT_READ
#define W PQR_CLASS_PRIMARY, PQR__EFFECT_WRITE
#define P PQR_CLASS_PRIMARY, PQR__EFFECT_PARTIAL
#define U PQR_CLASS_PRIMARY, PQR__EFFECT_UNKNOWN
#define S PQR_CLASS_SESSION, PQR__EFFECT_SESSION
#define T PQR_CLASS_SESSION, PQR__EFFECT_TRANSACTION

static const struct {
    const char *sql;
    pqr_class route;
    enum pqr__effect effect;
    const char *reason; /* NULL: whatever */
} cases[] = {
#include "classifier_cases.inc"
};

enum { CASES = sizeof(cases) / sizeof(cases[0]) };

static struct pqr__verdict verdict_of(const char *sql)
{
    struct pqr__verdict verdict;
    pqr__classify(&verdict, sql, strlen(sql), &usual);
    return verdict;
}

static void every_statement_gets_its_answer(void **state)
{
    (void)state;
    unsigned wrong = 0;
    for (size_t i = 0; i < CASES; i++) {
        struct pqr__verdict verdict = verdict_of(cases[i].sql);
        char reason[120];
        pqr__verdict_text(&verdict, cases[i].sql, reason, sizeof(reason));
        if (verdict.route == cases[i].route && verdict.effect == cases[i].effect &&
            (cases[i].reason == NULL || strcmp(reason, cases[i].reason) == 0))
            continue;
        wrong++;
        print_error("%s\n  is %s, effect %d, \"%s\"\n", cases[i].sql, pqr_class_name(verdict.route),
            (int)verdict.effect, reason);
    }
    assert_int_equal(wrong, 0);
}

/* --- What must not change an answer --- */

enum { ROOM = 4000 };

static bool same(const struct pqr__verdict *a, const struct pqr__verdict *b)
{
    return a->route == b->route && a->effect == b->effect && a->reason == b->reason &&
           a->several == b->several && a->query == b->query;
}

static bool is_cut_short(const char *sql)
{
    struct pqr__lexer lexer;
    struct pqr__token token;
    pqr__lexer_init(&lexer, sql, strlen(sql), true);
    do
        pqr__lexer_next(&lexer, &token);
    while (token.kind != PQR__TOKEN_END && token.kind != PQR__TOKEN_ERROR);
    return token.kind == PQR__TOKEN_ERROR;
}

/* The tokens with filler around each, words in capitals or in small letters. */
static void rewrite(char *out, const char *sql, const char *filler, bool capitals)
{
    struct pqr__lexer lexer;
    struct pqr__token token;
    size_t used = (size_t)snprintf(out, ROOM, "%s", filler);
    pqr__lexer_init(&lexer, sql, strlen(sql), true);
    for (pqr__lexer_next(&lexer, &token); token.kind != PQR__TOKEN_END; pqr__lexer_next(&lexer, &token)) {
        for (size_t i = 0; token.kind == PQR__TOKEN_WORD && i < token.length; i++) {
            char byte = token.at[i];
            if (capitals && byte >= 'a' && byte <= 'z')
                byte = (char)(byte - 32);
            else if (!capitals && byte >= 'A' && byte <= 'Z')
                byte = (char)(byte + 32);
            out[used + i] = byte;
        }
        if (token.kind != PQR__TOKEN_WORD)
            memcpy(out + used, token.at, token.length);
        used += token.length;
        used += (size_t)snprintf(out + used, ROOM - used, "%s", filler);
        assert_true(used < ROOM);
    }
}

static void comments_space_and_case_change_nothing(void **state)
{
    (void)state;
    static const char *const fillers[] = {" ", "/**/", "\t/* ; delete from t */ ", " -- ; insert\n "};
    char text[ROOM];
    unsigned tried = 0;
    for (size_t i = 0; i < CASES; i++) {
        struct pqr__verdict plain = verdict_of(cases[i].sql);
        for (size_t j = 0; !is_cut_short(cases[i].sql) && j < 2 * sizeof(fillers) / sizeof(fillers[0]); j++) {
            rewrite(text, cases[i].sql, fillers[j / 2], j % 2 == 0);
            struct pqr__verdict verdict = verdict_of(text);
            if (!same(&plain, &verdict))
                fail_msg("\"%s\" differs from \"%s\"", text, cases[i].sql);
            tried++;
        }
    }
    assert_true(tried > 1500);
}

static bool is_query(const char *sql)
{
    static const char *const words[] = {"select ", "values ", "with ", "table ", "(select ", "(("};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strncmp(sql, words[i], strlen(words[i])) == 0)
            return strchr(sql, ';') == NULL && strstr(sql, "--") == NULL && strstr(sql, "into") == NULL;
    }
    return false;
}

static void a_query_in_parentheses_under_explain_or_beside_another_is_as_strict(void **state)
{
    (void)state;
    static const char *const formats[] = {"(%s)", "explain %s", "explain analyze %s", "explain (analyze) %s",
        "((%s) union all select 1)", "select * from (%s) x", "select 1; %s", "%s;", "%s -- x",
        "select exists (%s)", "with x as (%s) select 1 from x",
        "with x as materialized (%s), y(a) as (select 1) table x", "select array(%s)",
        "select coalesce((%s), 1)"};
    char text[ROOM];
    unsigned tried = 0;
    for (size_t i = 0; i < CASES; i++) {
        struct pqr__verdict plain = verdict_of(cases[i].sql);
        for (size_t j = 0; is_query(cases[i].sql) && j < sizeof(formats) / sizeof(formats[0]); j++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
            (void)snprintf(text, sizeof(text), formats[j], cases[i].sql);
#pragma GCC diagnostic pop
            struct pqr__verdict verdict = verdict_of(text);
            if (verdict.route != plain.route || verdict.effect != plain.effect)
                fail_msg("\"%s\" differs from \"%s\"", text, cases[i].sql);
            tried++;
        }
    }
    assert_true(tried > 1500);
}

static void what_follows_is_never_lost(void **state)
{
    (void)state;
    static const char *const tails[] = {
        "; delete from t", ";delete from t", "\n;/* x */ call p()", "; nonsense"};
    char text[ROOM];
    for (size_t i = 0; i < CASES; i++) {
        for (size_t j = 0; j < sizeof(tails) / sizeof(tails[0]); j++) {
            (void)snprintf(text, sizeof(text), "%s\n%s", cases[i].sql, tails[j]);
            struct pqr__verdict verdict = verdict_of(text);
            if (verdict.route == PQR_CLASS_REPLICA || verdict.effect == PQR__EFFECT_READ)
                fail_msg("\"%s\" is called harmless", text);
        }
    }
}

static void no_prefix_reads_beyond_its_end(void **state)
{
    (void)state;
    for (size_t i = 0; i < CASES; i++) {
        size_t length = strlen(cases[i].sql);
        for (size_t cut = 0; cut <= length; cut++) {
            struct pqr__verdict verdict;
            char *copy = malloc(cut == 0 ? 1 : cut); /* the sanitizer knows where it ends */
            assert_non_null(copy);
            memcpy(copy, cases[i].sql, cut);
            pqr__classify(&verdict, copy, cut, &usual);
            assert_true((size_t)verdict.word_offset + verdict.word_length <= cut);
            free(copy);
        }
    }
}

/* --- Dialect, hints, bounds --- */

static void without_conforming_strings_a_backslash_hides_the_quote(void **state)
{
    (void)state;
    static const struct pqr__dialect off = {.standard_conforming_strings = false, .ascii_safe = true};
    static const char hidden[] = "select '\\'; delete from t; --'",
                      shown[] = "select '\\\\'; delete from t; --'";
    struct pqr__verdict verdict;
    pqr__classify(&verdict, hidden, sizeof(hidden) - 1, &off);
    assert_int_equal(verdict.route, PQR_CLASS_REPLICA);
    pqr__classify(&verdict, shown, sizeof(shown) - 1, &off);
    assert_int_equal(verdict.route, PQR_CLASS_PRIMARY);
    assert_int_equal(verdict_of(hidden).route, PQR_CLASS_PRIMARY);
}

static void an_encoding_that_is_not_safe_means_primary(void **state)
{
    (void)state;
    static const struct pqr__dialect unsafe = {.standard_conforming_strings = true, .ascii_safe = false};
    struct pqr__verdict verdict;
    char reason[120];
    pqr__classify(&verdict, "select 1", 8, &unsafe);
    assert_int_equal(verdict.route, PQR_CLASS_PRIMARY);
    assert_int_equal(verdict.effect, PQR__EFFECT_UNKNOWN);
    pqr__verdict_text(&verdict, "select 1", reason, sizeof(reason));
    assert_string_equal(
        reason, "not safe to read: client encoding, or servers disagree on standard_conforming_strings");
}

static void a_nul_is_no_part_of_sql(void **state)
{
    (void)state;
    struct pqr__verdict verdict;
    pqr__classify(&verdict, "select 1\0", 9, &usual);
    assert_int_equal(verdict.route, PQR_CLASS_PRIMARY);
    assert_int_equal(verdict.effect, PQR__EFFECT_UNKNOWN);
    pqr__classify(&verdict, NULL, 0, &usual);
    assert_int_equal(verdict.route, PQR_CLASS_PRIMARY);
}

static void leading_comments_hint(void **state)
{
    (void)state;
    static const struct {
        const char *sql;
        enum pqr__hint hint;
    } hints[] = {
        {"select 1", PQR__HINT_NONE},
        {"/*pqr:primary*/ select 1", PQR__HINT_PRIMARY},
        {"/*pqr:replica*/ delete from t", PQR__HINT_REPLICA},
        {" \n/* pqr: replica\t*/select 1", PQR__HINT_REPLICA},
        {"/* by: app */ -- x\n /*pqr:primary*/ select 1", PQR__HINT_PRIMARY},
        {"/*pqr:primary*//*pqr:replica*/ select 1", PQR__HINT_PRIMARY},
        {"/*pqr:primary*/", PQR__HINT_PRIMARY},
        {"select 1 /*pqr:primary*/", PQR__HINT_NONE},
        {"; /*pqr:primary*/ select 1", PQR__HINT_NONE},
        {"/*pqr:primary x*/ select 1", PQR__HINT_NONE},
        {"/*pqr:primaryx*/ select 1", PQR__HINT_NONE},
        {"/*xpqr:primary*/ select 1", PQR__HINT_NONE},
        {"/*pqr:*/ select 1", PQR__HINT_NONE},
        {"/*pqr:primary", PQR__HINT_NONE},
        {"--pqr:primary\nselect 1", PQR__HINT_NONE},
        {"/**/ select 1", PQR__HINT_NONE},
    };
    for (size_t i = 0; i < sizeof(hints) / sizeof(hints[0]); i++) {
        struct pqr__verdict verdict = verdict_of(hints[i].sql);
        if (verdict.hint != hints[i].hint)
            fail_msg("%s: hint %d", hints[i].sql, (int)verdict.hint);
    }
    assert_int_equal(verdict_of("/*pqr:replica*/ delete from t").route, PQR_CLASS_PRIMARY);
}

static void nesting_is_bounded(void **state)
{
    (void)state;
    enum { DEEP = 100000 };
    static char text[2 * DEEP + 32];
    for (int i = 0; i < 3; i++) {
        size_t depth = i == 0 ? 200 : i == 1 ? 300 : DEEP;
        size_t at = (size_t)sprintf(text, "select ");
        memset(text + at, '(', depth);
        text[at + depth] = '1';
        memset(text + at + depth + 1, ')', depth);
        text[at + 2 * depth + 1] = '\0';
        struct pqr__verdict verdict = verdict_of(text);
        assert_int_equal(verdict.route, i == 0 ? PQR_CLASS_REPLICA : PQR_CLASS_PRIMARY);
        assert_int_equal(verdict.effect, i == 0 ? PQR__EFFECT_READ : PQR__EFFECT_WRITE);
    }
}

static void reasons_are_escaped_and_fit(void **state)
{
    (void)state;
    static const char sql[] = "select \"a\nb\"(1)";
    char reason[120], tiny[8], text[400];
    struct pqr__verdict verdict = verdict_of(sql);
    pqr__verdict_text(&verdict, sql, reason, sizeof(reason));
    assert_null(strchr(reason, '\n'));
    pqr__verdict_text(&verdict, sql, tiny, sizeof(tiny));
    assert_true(strlen(tiny) < sizeof(tiny));
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    memcpy(text, "select ", 7);
    memcpy(text + sizeof(text) - 4, "(1)", 3);
    verdict = verdict_of(text);
    pqr__verdict_text(&verdict, text, reason, sizeof(reason));
    assert_int_equal(strncmp(reason, "unknown function xxx", 20), 0);
    assert_true(strlen(reason) < sizeof(reason));
}

/* --- The public function --- */

static void the_public_answer_follows_the_hint_but_for_sessions(void **state)
{
    (void)state;
    static const struct {
        const char *sql;
        pqr_class route;
        const char *reason;
    } answers[] = {
        {"select 1", PQR_CLASS_REPLICA, "read"},
        {"select nextval('s')", PQR_CLASS_PRIMARY, "volatile function nextval"},
        {"/*pqr:primary*/ select 1", PQR_CLASS_PRIMARY, "comment pqr:primary"},
        {"/*pqr:replica*/ select f()", PQR_CLASS_REPLICA, "comment pqr:replica"},
        {"/*pqr:replica*/ set a = 1", PQR_CLASS_SESSION, "session: SET"},
    };
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        pqr_verdict verdict = PQR_VERDICT_INIT;
        assert_int_equal(pqr_classify(&verdict, answers[i].sql, strlen(answers[i].sql)), 0);
        assert_int_equal(verdict.route, answers[i].route);
        assert_string_equal(verdict.reason, answers[i].reason);
    }
}

static void the_public_function_checks_its_arguments(void **state)
{
    (void)state;
    pqr_verdict verdict = PQR_VERDICT_INIT, unset = {0};
    assert_int_equal(pqr_classify(NULL, "", 0), PQR_EINVAL);
    assert_int_equal(pqr_classify(&verdict, NULL, 1), PQR_EINVAL);
    assert_int_equal(pqr_classify(&unset, "", 0), PQR_EINVAL);
    assert_int_equal(pqr_classify(&verdict, NULL, 0), 0);
    assert_string_equal(verdict.reason, "empty");
}

/* --- The table --- */

static void names_are_found_as_postgresql_folds_them(void **state)
{
    (void)state;
    assert_non_null(pqr__word_find("NextVal", 7, true));
    assert_ptr_equal(pqr__word_find("NextVal", 7, true), pqr__word_find("nextval", 7, false));
    assert_null(pqr__word_find("NextVal", 7, false));
    assert_null(pqr__word_find("nextva", 6, true));
    assert_null(pqr__word_find("", 0, true));
    assert_null(pqr__word_find("PG-SLEEP", 8, true));
    assert_non_null(pqr__word_find("PG_SLEEP", 8, true));
    /* The same ends, another middle. */
    assert_non_null(pqr__word_find("pg_stat_get_db_TUPLES_fetched", 29, true));
    assert_null(pqr__word_find("pg_stat_get_db_tuplez_fetched", 29, true));
    assert_int_equal(pqr__word_find("setval", 6, true)->function, PQR__FUNCTION_WRITE);
    assert_true(pqr__operator_is_builtin("->>", 3));
    assert_false(pqr__operator_is_builtin("->>>", 4));
    assert_false(pqr__operator_is_builtin("<~", 2));
}

static void queries_are_known_from_what_may_want_a_transaction_block(void **state)
{
    (void)state;
    static const char *const queries[] = {"select f(1)", "insert into t values (1)", "update t set n = 1",
        "delete from t", "with x as (insert into t values (1) returning n) select n from x", "values (1)",
        "table t", "explain analyze update t set n = 1", "select 1 into t", "select 1;",
        "merge into t using u on t.n = u.n when matched then delete"};
    static const char *const others[] = {"", "lock table t", "set local x = 1",
        "declare c cursor for select 1", "call f()", "truncate t", "create table t as select 1",
        "savepoint s", "begin", "gibberish", "show all", "explain execute x", "select 1; lock table t",
        "lock table t; select 1"};
    for (size_t i = 0; i < sizeof(queries) / sizeof(queries[0]); i++)
        if (!verdict_of(queries[i]).query)
            fail_msg("no query: %s", queries[i]);
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        if (verdict_of(others[i]).query)
            fail_msg("a query: %s", others[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_statement_gets_its_answer),
        cmocka_unit_test(comments_space_and_case_change_nothing),
        cmocka_unit_test(a_query_in_parentheses_under_explain_or_beside_another_is_as_strict),
        cmocka_unit_test(what_follows_is_never_lost),
        cmocka_unit_test(no_prefix_reads_beyond_its_end),
        cmocka_unit_test(without_conforming_strings_a_backslash_hides_the_quote),
        cmocka_unit_test(an_encoding_that_is_not_safe_means_primary),
        cmocka_unit_test(a_nul_is_no_part_of_sql),
        cmocka_unit_test(leading_comments_hint),
        cmocka_unit_test(queries_are_known_from_what_may_want_a_transaction_block),
        cmocka_unit_test(nesting_is_bounded),
        cmocka_unit_test(reasons_are_escaped_and_fit),
        cmocka_unit_test(the_public_answer_follows_the_hint_but_for_sessions),
        cmocka_unit_test(the_public_function_checks_its_arguments),
        cmocka_unit_test(names_are_found_as_postgresql_folds_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
