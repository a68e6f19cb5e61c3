/* The lexer. Each byte has a class; the class of a token's first byte chooses the scanner. */
#include <string.h>

#include "policy/lexer_plain.h"

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
    const char *end = text + length;
    lexer->at = text;
    lexer->end = end;
    lexer->standard_strings = standard_strings;
    memset(lexer->tail, 0, sizeof(lexer->tail));
    if (length >= PQR__LEXER_STRIDE) {
        lexer->near_end = end - PQR__LEXER_STRIDE + 1;
        memcpy(lexer->tail, end - PQR__LEXER_STRIDE, PQR__LEXER_STRIDE);
    } else {
        lexer->near_end = text;
        memcpy(lexer->tail + PQR__LEXER_STRIDE - length, text, length);
    }
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
    if (end < lexer->end && !is(*end, SYMBOL)) { /* mostly */
        finish(lexer, token, PQR__TOKEN_OPERATOR, end);
        return;
    }
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

/* --- The first byte chooses --- */

/* clang-format off */
#define W PQR__START_WORD
#define P PQR__START_PREFIX
#define D PQR__START_NUMBER
#define T PQR__START_DOT
#define O PQR__START_OPERATOR
#define Q PQR__START_QUOTE
#define C PQR__START_COMMENT
#define I PQR__START_IDENTIFIER
#define A PQR__START_DOLLAR
#define B PQR__START_COLON
#define S PQR__START_SPACE
#define X PQR__START_OTHER
#define M(kind) (PQR__START_MARK + PQR__TOKEN_##kind)
const unsigned char pqr__lexer_starts[256] = {
    X, X, X, X, X, X, X, X, X, S, S, S, S, S, X, X,
    X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X,
    S, O, I, O, A, O, O, Q, M(OPEN), M(CLOSE), O, O, M(COMMA), C, T, C,
    D, D, D, D, D, D, D, D, D, D, B, M(SEMICOLON), O, O, O, O,
    O, W, P, W, W, P, W, W, W, W, W, W, W, W, P, W,
    W, W, W, W, W, P, W, W, P, W, W, M(BRACKET), X, M(UNBRACKET), O, W,
    O, W, P, W, W, P, W, W, W, W, W, W, W, W, P, W,
    W, W, W, W, W, P, W, W, P, W, W, X, O, X, O, X,
    W, W, W, W, W, W, W, W, W, W, W, W, W, W, W, W,
    W, W, W, W, W, W, W, W, W, W, W, W, W, W, W, W,
    W, W, W, W, W, W, W, W, W, W, W, W, W, W, W, W,
    W, W, W, W, W, W, W, W, W, W, W, W, W, W, W, W,
    W, W, W, W, W, W, W, W, W, W, W, W, W, W, W, W,
    W, W, W, W, W, W, W, W, W, W, W, W, W, W, W, W,
    W, W, W, W, W, W, W, W, W, W, W, W, W, W, W, W,
    W, W, W, W, W, W, W, W, W, W, W, W, W, W, W, W,
};
#undef W
#undef P
#undef D
#undef T
#undef O
#undef Q
#undef C
#undef I
#undef A
#undef B
#undef S
#undef X
#undef M
/* clang-format on */

static void punctuation(struct pqr__lexer *lexer, struct pqr__token *token)
{
    switch (*lexer->at) {
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

/* What is seldom, and long. */
static void other(struct pqr__lexer *lexer, struct pqr__token *token)
{
    const char *p = lexer->at;
    switch (pqr__lexer_starts[(unsigned char)*p]) {
    case PQR__START_WORD:
    case PQR__START_PREFIX: /* one letter */
        if (!pqr__lexer_prefixed(lexer, token))
            finish(lexer, token, PQR__TOKEN_WORD, p + 1);
        break;
    case PQR__START_NUMBER:
        pqr__lexer_number(lexer, token);
        break;
    case PQR__START_DOT:
        dot(lexer, token);
        break;
    case PQR__START_OPERATOR:
    case PQR__START_COMMENT: /* it was none */
        operator(lexer, token);
        break;
    default:
        punctuation(lexer, token);
        break;
    }
}

/* The end of a word or number that is nothing else. */
static const char *plain_end(const struct pqr__lexer *lexer, const char *p, unsigned start)
{
    struct pqr__key key;
    if (start == PQR__START_NUMBER)
        return plain_number_end(p, lexer->end);
    const char *q = word_at(lexer, p, &key);
    return key.length == 1 && may_be_prefix(p, lexer->end) ? NULL : q;
}

/* The token at the lexer's place, if it is one of the usual ones. */
static bool plain(struct pqr__lexer *lexer, struct pqr__token *token, unsigned start)
{
    const char *p = lexer->at, *end = NULL;
    enum pqr__token_kind kind = PQR__TOKEN_WORD;
    if (start >= PQR__START_MARK) {
        kind = (enum pqr__token_kind)(start - PQR__START_MARK);
        end = p + 1;
    } else if (start <= PQR__START_NUMBER) {
        kind = start == PQR__START_NUMBER ? PQR__TOKEN_NUMBER : PQR__TOKEN_WORD;
        end = plain_end(lexer, p, start);
    } else if (start == PQR__START_END) {
        kind = PQR__TOKEN_END;
        end = p;
    }
    if (end == NULL)
        return false;
    finish(lexer, token, kind, end);
    return true;
}

void pqr__lexer_next(struct pqr__lexer *lexer, struct pqr__token *token)
{
    if (!step(lexer))
        fail(lexer, token);
    else if (!plain(lexer, token, start_of(lexer->at, lexer->end)))
        other(lexer, token);
}
