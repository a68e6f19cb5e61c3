/* The lexer. Each byte has a class; the class of a token's first byte chooses the scanner. */
#include <string.h>

#include "policy/lexer_bytes.h"

/* clang-format off */
#define L LETTER
#define D DIGIT
#define M DOLLAR
#define S SPACE
#define N (SPACE | NEWLINE)
#define O SYMBOL
const unsigned char pqr__lexer_classes[256] = {
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

void pqr__lexer_init(struct pqr__lexer *lexer, const char *text, size_t length, bool standard_strings)
{
    *lexer = (struct pqr__lexer){.at = text, .end = text + length, .standard_strings = standard_strings};
}

/* --- Words (4.1.1); a letter before a quote may be a string's prefix --- */

static void word(struct pqr__lexer *lexer, struct pqr__token *token)
{
    const char *end = skip(lexer, lexer->at + 1, WORDLIKE);
    if (end > lexer->at + 1 || !pqr__lexer_prefixed(lexer, token))
        finish(lexer, token, PQR__TOKEN_WORD, end);
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
        pqr__lexer_number(lexer, token);
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
        pqr__lexer_string(lexer, token, lexer->at + 1, lexer->standard_strings ? PLAIN : ESCAPED);
        break;
    case '"':
        pqr__lexer_identifier(lexer, token, lexer->at + 1, PQR__TOKEN_QUOTED);
        break;
    case '$':
        pqr__lexer_dollar(lexer, token);
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
        if (!pqr__lexer_blank(lexer)) {
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
        pqr__lexer_number(lexer, token);
    else if (is(*p, SYMBOL))
        operator(lexer, token);
    else
        punctuation(lexer, token);
}
