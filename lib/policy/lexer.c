/* The lexer. Each byte has a class; the class of a token's first byte chooses the scanner. Long runs (strings,
   dollar quotes) go through memchr. What may go wrong: a token that ends elsewhere than PostgreSQL ends it
   would let text be read as something it is not, so every scanner names the rule it follows (scan.l). */
#include "policy/lexer.h"

#include <string.h>

enum {
    LETTER = 1, /* begins an identifier: A-Z a-z _ and every byte above 127 */
    DIGIT = 2,
    DOLLAR = 4,
    SPACE = 8,   /* \v is one from version 16 on, an error before */
    SYMBOL = 16, /* a byte operators are made of */
    NEWLINE = 32,
    WORDLIKE = LETTER | DIGIT | DOLLAR,
};

/* clang-format off */
#define L LETTER
#define D DIGIT
#define M DOLLAR
#define S SPACE
#define N (SPACE | NEWLINE)
#define O SYMBOL
static const unsigned char classes[256] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, S, N, S, S, N, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    S, O, 0, O, M, O, O, 0, 0, 0, O, O, 0, O, 0, O,
    D, D, D, D, D, D, D, D, D, D, 0, 0, O, O, O, O,
    O, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L,
    L, L, L, L, L, L, L, L, L, L, L, 0, 0, 0, O, L,
    O, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L,
    L, L, L, L, L, L, L, L, L, L, L, 0, O, 0, O, 0,
    L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L,
    L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L,
    L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L,
    L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L,
    L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L,
    L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L,
    L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L,
    L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L,
};
#undef L
#undef D
#undef M
#undef S
#undef N
#undef O
/* clang-format on */

static bool is(char byte, unsigned mask)
{
    return (classes[(unsigned char)byte] & mask) != 0;
}

/* The byte at p + n, NUL beyond the end (a NUL begins and continues nothing). */
static char peek(const struct pqr__lexer *lexer, const char *p, size_t n)
{
    if ((size_t)(lexer->end - p) <= n)
        return '\0';
    return p[n];
}

static const char *skip(const struct pqr__lexer *lexer, const char *p, unsigned mask)
{
    while (p < lexer->end && is(*p, mask))
        p++;
    return p;
}

void pqr__lexer_init(struct pqr__lexer *lexer, const char *text, size_t length, bool standard_strings)
{
    *lexer = (struct pqr__lexer){.at = text, .end = text + length, .standard_strings = standard_strings};
}

static void finish(
    struct pqr__lexer *lexer, struct pqr__token *token, enum pqr__token_kind kind, const char *end)
{
    token->kind = kind;
    token->at = lexer->at;
    token->length = (uint32_t)(end - lexer->at);
    lexer->at = end;
}

/* Everything after a mistake is out of step, so it is all part of the mistake. */
static void fail(struct pqr__lexer *lexer, struct pqr__token *token)
{
    finish(lexer, token, PQR__TOKEN_ERROR, lexer->end);
}

/* --- White space and comments (4.1.5: C comments nest) --- */

/* p at the two bytes that open it. NULL: never closed. */
static const char *block_comment(const char *p, const char *end)
{
    size_t depth = 1;
    p += 2;
    for (; end - p >= 2; p++) {
        if (p[0] == '*' && p[1] == '/') {
            p++;
            if (--depth == 0)
                return p + 1;
        } else if (p[0] == '/' && p[1] == '*') {
            p++;
            depth++;
        }
    }
    return NULL;
}

static const char *line_comment(const char *p, const char *end)
{
    while (p < end && !is(*p, NEWLINE))
        p++;
    return p;
}

static bool opens(const struct pqr__lexer *lexer, const char *p, char first, char second)
{
    return peek(lexer, p, 0) == first && peek(lexer, p, 1) == second;
}

/* False: an unterminated comment. */
static bool skip_blank(struct pqr__lexer *lexer)
{
    const char *p = lexer->at;
    for (;;) {
        p = skip(lexer, p, SPACE);
        if (opens(lexer, p, '-', '-'))
            p = line_comment(p, lexer->end);
        else if (opens(lexer, p, '/', '*')) {
            const char *end = block_comment(p, lexer->end);
            if (end == NULL) {
                lexer->at = p;
                return false;
            }
            p = end;
        } else
            break;
    }
    lexer->at = p;
    return true;
}

bool pqr__lexer_comment(struct pqr__lexer *lexer, struct pqr__token *comment)
{
    const char *end = NULL;
    lexer->at = skip(lexer, lexer->at, SPACE);
    if (opens(lexer, lexer->at, '-', '-'))
        end = line_comment(lexer->at, lexer->end);
    else if (opens(lexer, lexer->at, '/', '*'))
        end = block_comment(lexer->at, lexer->end);
    if (end == NULL)
        return false;
    finish(lexer, comment, PQR__TOKEN_END, end);
    return true;
}

/* --- Strings (4.1.2.1 to 4.1.2.5) --- */

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
        p = line_comment(p, lexer->end);
    }
    return newline && peek(lexer, p, 0) == '\'' ? p + 1 : NULL;
}

enum string_form { PLAIN, ESCAPED, BITS };

/* p after the opening quote. */
static void string(struct pqr__lexer *lexer, struct pqr__token *token, const char *p, enum string_form form)
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

static void identifier(
    struct pqr__lexer *lexer, struct pqr__token *token, const char *p, enum pqr__token_kind kind)
{
    const char *end = quoted(p, lexer->end, '"', true);
    if (end == NULL || end == p + 1) /* "" is refused */
        fail(lexer, token);
    else
        finish(lexer, token, kind, end);
}

/* 4.1.2.4. A tag is an identifier without dollar signs; $1 is a parameter. */
static void dollar(struct pqr__lexer *lexer, struct pqr__token *token)
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

/* --- Words (4.1.1); a letter before a quote may be a string's prefix --- */

/* U&'...' (refused without standard_conforming_strings, 4.1.2.3) and U&"...". */
static bool unicode(struct pqr__lexer *lexer, struct pqr__token *token)
{
    const char *p = lexer->at;
    char quote = peek(lexer, p, 2);
    if (peek(lexer, p, 1) != '&' || (quote != '"' && quote != '\''))
        return false;
    if (quote == '"')
        identifier(lexer, token, p + 3, PQR__TOKEN_UNICODE);
    else if (lexer->standard_strings)
        string(lexer, token, p + 3, PLAIN);
    else
        fail(lexer, token);
    return true;
}

/* True when the word was a prefix and the token is made. */
static bool prefixed(struct pqr__lexer *lexer, struct pqr__token *token)
{
    enum string_form form = PLAIN;
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
    string(lexer, token, lexer->at + 2, form);
    return true;
}

static void word(struct pqr__lexer *lexer, struct pqr__token *token)
{
    const char *end = skip(lexer, lexer->at + 1, WORDLIKE);
    if (end > lexer->at + 1 || !prefixed(lexer, token))
        finish(lexer, token, PQR__TOKEN_WORD, end);
}

/* --- Numbers (4.1.2.6): 1, 1.5, .5, 1., 1e9, 1_000, 0x1F, 0o17, 0b1 --- */

static const char *digits(const struct pqr__lexer *lexer, const char *p)
{
    p = skip(lexer, p, DIGIT);
    while (peek(lexer, p, 0) == '_' && is(peek(lexer, p, 1), DIGIT))
        p = skip(lexer, p + 1, DIGIT);
    return p;
}

static bool is_radix_digit(char byte, char radix)
{
    if (radix == 'x')
        return is(byte, DIGIT) || ((byte | 0x20) >= 'a' && (byte | 0x20) <= 'f');
    return byte >= '0' && byte <= (radix == 'o' ? '7' : '1');
}

static const char *radix_digits(const struct pqr__lexer *lexer, const char *p, char radix)
{
    while (is_radix_digit(peek(lexer, p, 0), radix) ||
           (peek(lexer, p, 0) == '_' && is_radix_digit(peek(lexer, p, 1), radix)))
        p++;
    return p;
}

static const char *decimal(const struct pqr__lexer *lexer, const char *p)
{
    if (is(*p, DIGIT))
        p = digits(lexer, p);
    if (peek(lexer, p, 0) == '.' && peek(lexer, p, 1) != '.') /* 1..2 is a range */
        p = digits(lexer, p + 1);
    if ((peek(lexer, p, 0) | 0x20) == 'e') {
        size_t sign = peek(lexer, p, 1) == '+' || peek(lexer, p, 1) == '-' ? 1 : 0;
        if (is(peek(lexer, p, 1 + sign), DIGIT))
            p = digits(lexer, p + 1 + sign);
    }
    return p;
}

static void number(struct pqr__lexer *lexer, struct pqr__token *token)
{
    const char *p = skip(lexer, lexer->at, DIGIT);
    if (p == lexer->end || (*p != '.' && !is(*p, WORDLIKE))) { /* most are whole and small */
        finish(lexer, token, PQR__TOKEN_NUMBER, p);
        return;
    }
    p = lexer->at;
    char radix = (char)(peek(lexer, p, 1) | 0x20);
    if (*p == '0' && (radix == 'x' || radix == 'o' || radix == 'b')) {
        const char *end = radix_digits(lexer, p + 2, radix);
        p = end > p + 2 ? end : p + 1;
    } else {
        p = decimal(lexer, p);
    }
    if (is(peek(lexer, p, 0), WORDLIKE)) /* 15 refuses 1a; whatever it may mean, it is not proven harmless */
        fail(lexer, token);
    else
        finish(lexer, token, PQR__TOKEN_NUMBER, p);
}

/* --- Operators (4.1.3) --- */

/* A trailing + or - belongs to it only when a byte of ~!@#%^&|`? does too. */
static const char *trim(const char *p, const char *end)
{
    for (const char *q = p; q < end; q++) {
        if (strchr("~!@#%^&|`?", *q) != NULL)
            return end;
    }
    while (end - p > 1 && (end[-1] == '+' || end[-1] == '-'))
        end--;
    return end;
}

static void operator(struct pqr__lexer *lexer, struct pqr__token *token)
{
    const char *p = lexer->at, *end = p + 1;
    while (end < lexer->end && is(*end, SYMBOL)) {
        if (opens(lexer, end, '-', '-') || opens(lexer, end, '/', '*'))
            break;
        end++;
    }
    if (end - p > 1)
        end = trim(p, end);
    if (end - p >= 64) /* NAMEDATALEN: refused */
        fail(lexer, token);
    else if (end - p == 2 && p[0] == '=' && p[1] == '>')
        finish(lexer, token, PQR__TOKEN_ASSIGN, end);
    else
        finish(lexer, token, PQR__TOKEN_OPERATOR, end);
}

static void dot(struct pqr__lexer *lexer, struct pqr__token *token)
{
    char next = peek(lexer, lexer->at, 1);
    if (is(next, DIGIT))
        number(lexer, token);
    else if (next == '.')
        finish(lexer, token, PQR__TOKEN_RANGE, lexer->at + 2);
    else
        finish(lexer, token, PQR__TOKEN_DOT, lexer->at + 1);
}

static void colon(struct pqr__lexer *lexer, struct pqr__token *token)
{
    char next = peek(lexer, lexer->at, 1);
    if (next == ':')
        finish(lexer, token, PQR__TOKEN_CAST, lexer->at + 2);
    else if (next == '=')
        finish(lexer, token, PQR__TOKEN_ASSIGN, lexer->at + 2);
    else
        finish(lexer, token, PQR__TOKEN_COLON, lexer->at + 1);
}

static void mark(struct pqr__lexer *lexer, struct pqr__token *token, enum pqr__token_kind kind)
{
    finish(lexer, token, kind, lexer->at + 1);
}

static void punctuation(struct pqr__lexer *lexer, struct pqr__token *token)
{
    switch (*lexer->at) {
    case ',':
        mark(lexer, token, PQR__TOKEN_COMMA);
        break;
    case '(':
        mark(lexer, token, PQR__TOKEN_OPEN);
        break;
    case ')':
        mark(lexer, token, PQR__TOKEN_CLOSE);
        break;
    case ';':
        mark(lexer, token, PQR__TOKEN_SEMICOLON);
        break;
    case '[':
        mark(lexer, token, PQR__TOKEN_BRACKET);
        break;
    case ']':
        mark(lexer, token, PQR__TOKEN_UNBRACKET);
        break;
    case '.':
        dot(lexer, token);
        break;
    case ':':
        colon(lexer, token);
        break;
    case '\'':
        string(lexer, token, lexer->at + 1, lexer->standard_strings ? PLAIN : ESCAPED);
        break;
    case '"':
        identifier(lexer, token, lexer->at + 1, PQR__TOKEN_QUOTED);
        break;
    case '$':
        dollar(lexer, token);
        break;
    default:
        fail(lexer, token);
        break;
    }
}

void pqr__lexer_next(struct pqr__lexer *lexer, struct pqr__token *token)
{
    const char *p = skip(lexer, lexer->at, SPACE);
    lexer->at = p;
    if (p < lexer->end && (*p == '-' || *p == '/')) { /* perhaps a comment */
        if (!skip_blank(lexer)) {
            fail(lexer, token);
            return;
        }
        p = lexer->at;
    }
    if (p == lexer->end)
        finish(lexer, token, PQR__TOKEN_END, p);
    else if (is(*p, LETTER))
        word(lexer, token);
    else if (is(*p, DIGIT))
        number(lexer, token);
    else if (is(*p, SYMBOL))
        operator(lexer, token);
    else
        punctuation(lexer, token);
}
