/* Inside of the lexer: the classes of bytes and the steps that its files share. The scanners are called with the
   lexer at the token's first byte and make the token; each names the rule it follows (scan.l). What may go wrong: a
   token that ends elsewhere than PostgreSQL ends it would let text be read as something it is not. */
#ifndef PQR_POLICY_LEXER_BYTES_H
#define PQR_POLICY_LEXER_BYTES_H

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "policy/key.h"
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

/* --- One token, where most of the time goes: so it is here, to be compiled into its users --- */

/* What a token's first byte says. */
enum pqr__start {
    PQR__START_OTHER = 0,
    PQR__START_WORD,
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
    PQR__START_END,  /* no byte's: nothing is left */
    PQR__START_MARK, /* + a kind: a token of this byte alone */
};

extern const unsigned char pqr__lexer_starts[256];

static inline unsigned start_of(const char *p, const char *end)
{
    return p < end ? pqr__lexer_starts[(unsigned char)*p] : PQR__START_END;
}

/* What is seldom, and long. */
void pqr__lexer_other(struct pqr__lexer *lexer, struct pqr__token *token);

/* Where a run of bytes of these classes ends. */
static inline const char *run(const char *p, const char *end, unsigned mask)
{
    for (; end - p >= 4; p += 4) {
        if (!is(p[0], mask))
            return p;
        if (!is(p[1], mask))
            return p + 1;
        if (!is(p[2], mask))
            return p + 2;
        if (!is(p[3], mask))
            return p + 3;
    }
    while (p < end && is(*p, mask))
        p++;
    return p;
}

/* --- Words, sixteen bytes at once --- */

/* p, or a copy of what stands there: sixteen bytes can be read from it. */
static inline const char *readable(const struct pqr__lexer *lexer, const char *p)
{
    if (__builtin_expect(p >= lexer->near_end, 0))
        return lexer->tail + PQR__LEXER_STRIDE - (lexer->end - p);
    return p;
}

#ifdef __SSE2__
static inline __m128i are_between(__m128i bytes, char first, char last)
{
    /* Moved to where signed bytes begin, since only those are compared. */
    __m128i moved = _mm_sub_epi8(bytes, _mm_set1_epi8((char)(first + 128)));
    return _mm_cmplt_epi8(moved, _mm_set1_epi8((char)(last - first + 1 - 128)));
}

/* How many of the sixteen bytes at p belong to a word, from the first on. */
static inline size_t word_bytes(const char *p)
{
    __m128i bytes, all, underscore = _mm_set1_epi8('_'), dollar = _mm_set1_epi8('$');
    memcpy(&bytes, p, sizeof(bytes));
    all = are_between(_mm_or_si128(bytes, _mm_set1_epi8(PQR__KEY_FOLD)), 'a', 'z');
    all = _mm_or_si128(all, are_between(bytes, '0', '9'));
    all = _mm_or_si128(all, _mm_cmpeq_epi8(bytes, underscore));
    all = _mm_or_si128(all, _mm_cmpeq_epi8(bytes, dollar));
    all = _mm_or_si128(all, bytes); /* those above 127 too: the top bit counts */
    return (size_t)__builtin_ctz(~(unsigned)_mm_movemask_epi8(all));
}
#else
static inline size_t word_bytes(const char *p)
{
    size_t n = 0;
    while (n < PQR__KEY_BYTES && is(p[n], WORDLIKE))
        n++;
    return n;
}
#endif

/* The word at p: its key, and where it ends. */
static inline const char *word_at(const struct pqr__lexer *lexer, const char *p, struct pqr__key *key)
{
    const char *bytes = readable(lexer, p);
    size_t length = word_bytes(bytes);
    *key = pqr__key_at(bytes, length);
    if (length < PQR__LEXER_STRIDE)
        return p + length;
    const char *q = run(p + PQR__LEXER_STRIDE, lexer->end, WORDLIKE);
    key->length = (uint32_t)(q - p);
    return q;
}

/* The key of a name at p. */
static inline struct pqr__key key_at(const struct pqr__lexer *lexer, const char *p, size_t length)
{
    struct pqr__key key = pqr__key_at(readable(lexer, p), length < PQR__KEY_BYTES ? length : PQR__KEY_BYTES);
    key.length = (uint32_t)length;
    return key;
}

static inline const char *word_end(const struct pqr__lexer *lexer, const char *p)
{
    size_t length = word_bytes(readable(lexer, p));
    return length < PQR__LEXER_STRIDE ? p + length : run(p + PQR__LEXER_STRIDE, lexer->end, WORDLIKE);
}

/* White space and comments. False: an unterminated comment. */
bool pqr__lexer_blank(struct pqr__lexer *lexer);

static inline const char *past_space(const char *p, const char *end)
{
    if (p < end && is(*p, SPACE)) /* mostly one */
        p++;
    return p < end && is(*p, SPACE) ? run(p + 1, end, SPACE) : p;
}

/* The same, and what begins there. */
static inline unsigned start_past_space(const char **at, const char *end)
{
    const char *p = *at;
    unsigned start = start_of(p, end);
    if (start == PQR__START_SPACE) { /* mostly one */
        start = start_of(++p, end);
        if (start == PQR__START_SPACE) {
            p = run(p + 1, end, SPACE);
            start = start_of(p, end);
        }
    }
    *at = p;
    return start;
}

/* Steps to the next token. False: to an unterminated comment. */
static inline bool step(struct pqr__lexer *lexer)
{
    const char *const end = lexer->end, *const p = past_space(lexer->at, end);
    lexer->at = p;
    return start_of(p, end) != PQR__START_COMMENT || pqr__lexer_blank(lexer);
}

/* Most are 42 or 4.2; NULL: this one takes another look. */
static inline const char *plain_number_end(const char *p, const char *end)
{
    const char *q = run(p + 1, end, DIGIT);
    if (end - q > 1 && *q == '.' && is(q[1], DIGIT))
        q = run(q + 2, end, DIGIT);
    return q < end && (*q == '.' || is(*q, WORDLIKE)) ? NULL : q;
}

/* The end of a word or number that is nothing else; NULL: it takes another look. */
static inline const char *plain_end(const struct pqr__lexer *lexer, const char *p, unsigned start)
{
    if (start == PQR__START_NUMBER)
        return plain_number_end(p, lexer->end);
    const char *q = word_end(lexer, p);
    return q == p + 1 && start == PQR__START_PREFIX ? NULL : q;
}

static inline void pqr__lexer_next_inline(struct pqr__lexer *lexer, struct pqr__token *token)
{
    if (!step(lexer)) {
        fail(lexer, token);
        return;
    }
    const char *const end = lexer->end, *const p = lexer->at, *q = NULL;
    if (p == end) {
        finish(lexer, token, PQR__TOKEN_END, p);
        return;
    }
    unsigned start = start_of(p, end);
    enum pqr__token_kind kind = PQR__TOKEN_WORD;
    if (start >= PQR__START_MARK) {
        kind = (enum pqr__token_kind)(start - PQR__START_MARK);
        q = p + 1;
    } else if (start - PQR__START_WORD <= PQR__START_NUMBER - PQR__START_WORD) {
        kind = start == PQR__START_NUMBER ? PQR__TOKEN_NUMBER : PQR__TOKEN_WORD;
        q = plain_end(lexer, p, start);
    } else if (start == PQR__START_DOT && end - p > 1 && is(p[1], LETTER)) {
        kind = PQR__TOKEN_DOT;
        q = p + 1;
    }
    if (q == NULL)
        pqr__lexer_other(lexer, token);
    else
        finish(lexer, token, kind, q);
}

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
