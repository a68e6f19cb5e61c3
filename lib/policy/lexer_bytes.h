/* Inside of the lexer: the classes of bytes and what its files share. The scanners are called with the
   lexer at the token's first byte and make the token; each names the rule it follows (scan.l). What may go wrong: a
   token that ends elsewhere than PostgreSQL ends it would let text be read as something it is not. */
#ifndef PQR_POLICY_LEXER_BYTES_H
#define PQR_POLICY_LEXER_BYTES_H

#include "policy/lexer.h"

enum {
    LETTER = 1, /* begins an identifier: A-Z a-z _ and every byte above 127 */
    DIGIT = 2,
    DOLLAR = 4,
    SPACE = 8,   /* \v is one from version 16 on, an error before */
    SYMBOL = 16, /* a byte operators are made of */
    NEWLINE = 32,
    WORDLIKE = LETTER | DIGIT | DOLLAR,
};

extern const unsigned char pqr__lexer_classes[256];

static inline bool is(char byte, unsigned mask)
{
    return (pqr__lexer_classes[(unsigned char)byte] & mask) != 0;
}

/* The byte at p + n, NUL beyond the end (a NUL begins and continues nothing). */
static inline char peek(const struct pqr__lexer *lexer, const char *p, size_t n)
{
    if ((size_t)(lexer->end - p) <= n)
        return '\0';
    return p[n];
}

static inline const char *skip(const struct pqr__lexer *lexer, const char *p, unsigned mask)
{
    while (p < lexer->end && is(*p, mask))
        p++;
    return p;
}

static inline bool opens(const struct pqr__lexer *lexer, const char *p, char first, char second)
{
    return peek(lexer, p, 0) == first && peek(lexer, p, 1) == second;
}

static inline void finish(
    struct pqr__lexer *lexer, struct pqr__token *token, enum pqr__token_kind kind, const char *end)
{
    token->kind = kind;
    token->at = lexer->at;
    token->length = (uint32_t)(end - lexer->at);
    lexer->at = end;
}

/* Everything after a mistake is out of step, so it is all part of the mistake. */
static inline void fail(struct pqr__lexer *lexer, struct pqr__token *token)
{
    finish(lexer, token, PQR__TOKEN_ERROR, lexer->end);
}

/* What a token's first byte says. */
enum pqr__start {
    PQR__START_WORD = 0,
    PQR__START_PREFIX, /* a word, or a letter before a string */
    PQR__START_NUMBER,
    PQR__START_DOT,
    PQR__START_OPERATOR,
    PQR__START_QUOTE,      /* ' */
    PQR__START_IDENTIFIER, /* " */
    PQR__START_DOLLAR,
    PQR__START_COLON,
    PQR__START_COMMENT, /* an operator, or two bytes that open a comment */
    PQR__START_SPACE,
    PQR__START_OTHER,
    PQR__START_END,  /* no byte's: nothing is left */
    PQR__START_MARK, /* + a kind: a token of this byte alone */
};

extern const unsigned char pqr__lexer_starts[256];

static inline unsigned start_of(const char *p, const char *end)
{
    return p < end ? pqr__lexer_starts[(unsigned char)*p] : PQR__START_END;
}

/* White space and comments. False: an unterminated comment. */
bool pqr__lexer_blank(struct pqr__lexer *lexer);
const char *pqr__lexer_line_comment(const char *p, const char *end);

enum pqr__string_form { PLAIN, ESCAPED, BITS };

/* A string, p after its opening quote; "..."; $...; a word that may be a string's prefix: true when it was. */
void pqr__lexer_string(
    struct pqr__lexer *lexer, struct pqr__token *token, const char *p, enum pqr__string_form form);
void pqr__lexer_identifier(
    struct pqr__lexer *lexer, struct pqr__token *token, const char *p, enum pqr__token_kind kind);
void pqr__lexer_dollar(struct pqr__lexer *lexer, struct pqr__token *token);
bool pqr__lexer_prefixed(struct pqr__lexer *lexer, struct pqr__token *token);
void pqr__lexer_number(struct pqr__lexer *lexer, struct pqr__token *token);

#endif
