/* Every form of string, quoted identifiers, dollar quotes and parameters (manual, 4.1.1 and 4.1.2.1 to 4.1.2.5).
   Long runs go through memchr. */
#include <string.h>

#include "policy/lexer_bytes.h"

/* p after the opening quote; the place after the closing one, or NULL. A doubled quote goes on when doubles is
   set; in bit strings it does not. */
static const char *quoted(const char *p, const char *end, char quote, bool doubles)
{
    while ((p = memchr(p, quote, (size_t)(end - p))) != NULL) {
        p++;
        if (!doubles || p == end || *p != quote)
            return p;
        p++;
    }
    return NULL;
}

/* The same where a backslash takes the next byte with it. */
static const char *escaped(const char *p, const char *end)
{
    while (p < end) {
        if (*p == '\\') {
            if (end - p < 2)
                break;
            p += 2;
        } else if (*p++ == '\'') {
            if (p == end || *p != '\'')
                return p;
            p++;
        }
    }
    return NULL;
}

/* 4.1.2.1: a string goes on after white space with a newline in it, and in its own way: the second half of
   E'a' '\'' is escaped too. Only comments of the -- kind may stand between. Returns the place after the next
   opening quote, or NULL. */
static const char *continuation(const struct pqr__lexer *lexer, const char *p)
{
    bool newline = false;
    for (;;) {
        for (; p < lexer->end && is(*p, SPACE); p++)
            newline |= is(*p, NEWLINE);
        if (!opens(lexer, p, '-', '-'))
            break;
        p = pqr__lexer_line_comment(p, lexer->end);
    }
    return newline && peek(lexer, p, 0) == '\'' ? p + 1 : NULL;
}

/* p after the opening quote. */
void pqr__lexer_string(
    struct pqr__lexer *lexer, struct pqr__token *token, const char *p, enum pqr__string_form form)
{
    const char *end = NULL;
    while (p != NULL) {
        end = form == ESCAPED ? escaped(p, lexer->end) : quoted(p, lexer->end, '\'', form == PLAIN);
        if (end == NULL) {
            fail(lexer, token);
            return;
        }
        p = continuation(lexer, end);
    }
    finish(lexer, token, PQR__TOKEN_STRING, end);
}

void pqr__lexer_identifier(
    struct pqr__lexer *lexer, struct pqr__token *token, const char *p, enum pqr__token_kind kind)
{
    const char *end = quoted(p, lexer->end, '"', true);
    if (end == NULL || end == p + 1) /* "" is refused */
        fail(lexer, token);
    else
        finish(lexer, token, kind, end);
}

/* 4.1.2.4. A tag is an identifier without dollar signs; $1 is a parameter. */
void pqr__lexer_dollar(struct pqr__lexer *lexer, struct pqr__token *token)
{
    const char *tag = lexer->at, *p = tag + 1;
    if (is(peek(lexer, p, 0), DIGIT)) {
        p = skip(lexer, p, DIGIT);
        if (is(peek(lexer, p, 0), LETTER))
            fail(lexer, token);
        else
            finish(lexer, token, PQR__TOKEN_PARAMETER, p);
        return;
    }
    p = skip(lexer, p, LETTER | DIGIT);
    if (peek(lexer, p, 0) != '$') {
        fail(lexer, token);
        return;
    }
    size_t length = (size_t)(p + 1 - tag);
    for (p++; (size_t)(lexer->end - p) >= length; p++) {
        p = memchr(p, '$', (size_t)(lexer->end - p) - length + 1);
        if (p == NULL)
            break;
        if (memcmp(p, tag, length) == 0) {
            finish(lexer, token, PQR__TOKEN_STRING, p + length);
            return;
        }
    }
    fail(lexer, token);
}

/* --- Prefixes: a letter before a quote --- */

/* U&'...' (refused without standard_conforming_strings, 4.1.2.3) and U&"...". */
static bool unicode(struct pqr__lexer *lexer, struct pqr__token *token)
{
    const char *p = lexer->at;
    char quote = peek(lexer, p, 2);
    if (peek(lexer, p, 1) != '&' || (quote != '"' && quote != '\''))
        return false;
    if (quote == '"')
        pqr__lexer_identifier(lexer, token, p + 3, PQR__TOKEN_UNICODE);
    else if (lexer->standard_strings)
        pqr__lexer_string(lexer, token, p + 3, PLAIN);
    else
        fail(lexer, token);
    return true;
}

/* True when the word was a prefix and the token is made. */
bool pqr__lexer_prefixed(struct pqr__lexer *lexer, struct pqr__token *token)
{
    enum pqr__string_form form = PLAIN;
    switch (*lexer->at) {
    case 'u':
    case 'U':
        return unicode(lexer, token);
    case 'e':
    case 'E':
        form = ESCAPED;
        break;
    case 'b':
    case 'B':
    case 'x':
    case 'X':
        form = BITS;
        break;
    case 'n': /* the type nchar and a usual string */
    case 'N':
        form = lexer->standard_strings ? PLAIN : ESCAPED;
        break;
    default:
        return false;
    }
    if (peek(lexer, lexer->at, 1) != '\'')
        return false;
    pqr__lexer_string(lexer, token, lexer->at + 2, form);
    return true;
}
