/* Tokens in their usual form, compiled into the loops that read nearly all of them here: words, names in quotes,
   numbers, parameters and strings, without anything that takes a second look. Each says where the token ends, or NULL:
   the scanners of the lexer have to read it. What may go wrong: an end that is not where those would find it. The
   fuzzer compares the answers of a loop that uses this with those of one that does not. */
#ifndef PQR_POLICY_LEXER_PLAIN_H
#define PQR_POLICY_LEXER_PLAIN_H

#if defined(__SSE2__) && defined(__x86_64__)
#define PQR_SIXTEEN_AT_ONCE
#include <emmintrin.h>
#endif

#include "policy/key.h"
#include "policy/lexer_bytes.h"

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

/* --- White space --- */

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
    if (p < end && *p == ' ') /* mostly one */
        p++;
    unsigned start = start_of(p, end);
    if (start == PQR__START_SPACE) {
        p = run(p + 1, end, SPACE);
        start = start_of(p, end);
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

/* --- Sixteen bytes at once --- */

/* p, or a copy of what stands there: sixteen bytes can be read from it. */
static inline const char *readable(const struct pqr__lexer *lexer, const char *p)
{
    if (__builtin_expect(p >= lexer->near_end, 0))
        return lexer->tail + PQR__LEXER_STRIDE - (lexer->end - p);
    return p;
}

#ifdef PQR_SIXTEEN_AT_ONCE
static inline __m128i are_between(__m128i bytes, char first, char last)
{
    /* Moved to where signed bytes end, since only those are compared. */
    __m128i moved = _mm_add_epi8(bytes, _mm_set1_epi8((char)(127 - last)));
    return _mm_cmpgt_epi8(moved, _mm_set1_epi8((char)(126 - (last - first))));
}

/* How many of the sixteen bytes at p belong to a word, from the first on, and the key of those. */
static inline size_t word_bytes(const char *p, struct pqr__key *key)
{
    __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)p);
    __m128i folded = _mm_or_si128(bytes, _mm_set1_epi8(PQR__KEY_FOLD));
    __m128i all = are_between(folded, 'a', 'z');
    all = _mm_or_si128(all, are_between(bytes, '0', '9'));
    all = _mm_or_si128(all, _mm_cmpeq_epi8(bytes, _mm_set1_epi8('_')));
    all = _mm_or_si128(all, _mm_cmpeq_epi8(bytes, _mm_set1_epi8('$')));
    all = _mm_or_si128(all, bytes); /* those above 127 too: the top bit counts */
    size_t length = (size_t)__builtin_ctz(~(unsigned)_mm_movemask_epi8(all));
    __m128i mask = _mm_loadu_si128((const __m128i *)(const void *)pqr__key_mask(length));
    folded = _mm_and_si128(folded, mask);
    key->first = (uint64_t)_mm_cvtsi128_si64(folded);
    key->second = (uint64_t)_mm_cvtsi128_si64(_mm_unpackhi_epi64(folded, folded));
    key->length = (uint32_t)length;
    return length;
}

/* The first such byte of the sixteen at p; 16: none. */
static inline unsigned find_byte(const char *p, char byte)
{
    __m128i same = _mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *)(const void *)p), _mm_set1_epi8(byte));
    return (unsigned)__builtin_ctz((unsigned)_mm_movemask_epi8(same) | 1u << PQR__LEXER_STRIDE);
}
#else
static inline size_t word_bytes(const char *p, struct pqr__key *key)
{
    size_t n = 0;
    while (n < PQR__KEY_BYTES && is(p[n], WORDLIKE))
        n++;
    *key = pqr__key_at(p, n);
    return n;
}

static inline unsigned find_byte(const char *p, char byte)
{
    unsigned n = 0;
    while (n < PQR__LEXER_STRIDE && p[n] != byte)
        n++;
    return n;
}
#endif

/* --- Words and names in quotes --- */

/* The word at p: its key, and where it ends. */
static inline const char *word_at(const struct pqr__lexer *lexer, const char *p, struct pqr__key *key)
{
    size_t length = word_bytes(readable(lexer, p), key);
    if (length < PQR__LEXER_STRIDE)
        return p + length;
    const char *q = run(p + PQR__LEXER_STRIDE, lexer->end, WORDLIKE);
    key->length = (uint32_t)(q - p);
    return q;
}

/* A word of one letter may be the letter before a string. */
static inline bool may_be_prefix(const char *p, const char *end)
{
    return end - p > 1 && (p[1] == '\'' || p[1] == '&');
}

/* The key of a name at p. */
static inline struct pqr__key key_at(const struct pqr__lexer *lexer, const char *p, size_t length)
{
    struct pqr__key key = pqr__key_at(readable(lexer, p), length < PQR__KEY_BYTES ? length : PQR__KEY_BYTES);
    key.length = (uint32_t)length;
    return key;
}

/* The first such byte from p on; NULL: none. Mostly it is near. */
static inline const char *next_byte(const struct pqr__lexer *lexer, const char *p, char byte)
{
    unsigned n = find_byte(readable(lexer, p), byte);
    if (n < PQR__LEXER_STRIDE)
        return p + n;
    return memchr(p, byte, (size_t)(lexer->end - p));
}

/* p at the opening quote; the closing one. */
static inline const char *plain_quoted_end(const struct pqr__lexer *lexer, const char *p)
{
    const char *close = next_byte(lexer, p + 1, '"');
    if (close == NULL || close == p + 1 || (lexer->end - close > 1 && close[1] == '"'))
        return NULL;
    return close;
}

/* --- Constants --- */

/* Most are 42 or 4.2. */
static inline const char *plain_number_end(const char *p, const char *end)
{
    const char *q = run(p + 1, end, DIGIT);
    if (end - q > 1 && *q == '.' && is(q[1], DIGIT))
        q = run(q + 2, end, DIGIT);
    return q < end && (*q == '.' || is(*q, WORDLIKE)) ? NULL : q;
}

static inline const char *plain_parameter_end(const char *p, const char *end)
{
    const char *q = p + 1;
    while (q < end && is(*q, DIGIT)) /* mostly one */
        q++;
    return q == p + 1 || (q < end && is(*q, LETTER)) ? NULL : q;
}

/* After a string: not its end, or the other half stands on the next line. A blank alone joins nothing. */
static inline bool may_go_on(const char *p, const char *end)
{
    if (p < end && *p == ' ')
        p++;
    return p < end && (*p == '\'' || *p == '-' || is(*p, SPACE));
}

/* p at the quote; backslashes are bytes like others. */
static inline const char *plain_string_end(const struct pqr__lexer *lexer, const char *p)
{
    const char *close = next_byte(lexer, p + 1, '\'');
    return close == NULL || may_go_on(close + 1, lexer->end) ? NULL : close + 1;
}

#endif
