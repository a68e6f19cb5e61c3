/* From one token to the next, and what the table of words knows of it. Two thirds of all tokens mean nothing to any
   rule: those are stepped over here, so that the rules need not be asked. */
#include <string.h>

#include "policy/classifier_sql.h"
#include "policy/lexer_bytes.h"

/* Key words that end an operand. */
static const bool ending[] = {[PQR__KW_NULL] = true,
    [PQR__KW_TRUE] = true,
    [PQR__KW_FALSE] = true,
    [PQR__KW_END] = true,
    [PQR__KW_ZONE] = false};

/* The bytes of an identifier among eight, as the top bit of each: letters, digits, _, $ and all above 127. No byte's
   sum reaches its neighbour, since the top bits were taken out before. */
#define EACH(byte) ((byte)*UINT64_C(0x0101010101010101))
static inline uint64_t identifier_bytes(uint64_t bytes)
{
    uint64_t low = bytes & EACH(0x7f), folded = low | EACH(0x20);
    uint64_t letters = (folded + EACH(0x80 - 'a')) & ~(folded + EACH(0x80 - 'z' - 1));
    uint64_t digits = (low + EACH(0x80 - '0')) & ~(low + EACH(0x80 - '9' - 1));
    uint64_t others = (EACH(0x80) - (low ^ EACH('_'))) | (EACH(0x80) - (low ^ EACH('$')));
    return (letters | digits | others | bytes) & EACH(0x80);
}

static inline uint64_t eight(const char *bytes)
{
    uint64_t value;
    memcpy(&value, bytes, sizeof(value));
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    value = __builtin_bswap64(value);
#endif
    return value;
}

static inline void know(struct pqr__seen *seen, const struct pqr__word *word)
{
    seen->word = word;
    if (word == NULL) {
        seen->keyword = PQR__KW_NONE;
        seen->category = PQR__CATEGORY_NONE;
        seen->ends = true;
    } else {
        seen->keyword = word->keyword;
        seen->category = word->category;
        seen->ends = word->category == PQR__CATEGORY_NONE || ending[word->keyword];
    }
}

static inline void not_a_word(struct pqr__sql *scan, struct pqr__seen *seen)
{
    static const bool ends[] = {
        [PQR__TOKEN_QUOTED] = true,
        [PQR__TOKEN_UNICODE] = true,
        [PQR__TOKEN_STRING] = true,
        [PQR__TOKEN_NUMBER] = true,
        [PQR__TOKEN_PARAMETER] = true,
        [PQR__TOKEN_CLOSE] = true,
        [PQR__TOKEN_UNBRACKET] = true,
    };
    const struct pqr__token *token = &seen->token;
    seen->word = NULL;
    seen->keyword = PQR__KW_NONE;
    seen->category = PQR__CATEGORY_NONE;
    seen->ends = ends[token->kind];
    if (token->kind == PQR__TOKEN_QUOTED)
        seen->word = pqr__word_find(token->at + 1, token->length - 2, false);
    else if (token->kind == PQR__TOKEN_CLOSE) /* the frame that it closes is still the current one */
        seen->ends = pqr__sql_frame(scan)->kind != PQR__FRAME_DISTINCT_ON &&
                     pqr__sql_frame(scan)->kind != PQR__FRAME_OPERATOR;
}

static inline struct pqr__seen *next(struct pqr__sql *scan)
{
    struct pqr__seen *seen = &scan->ring[++scan->position & 7];
    pqr__lexer_next_inline(&scan->lexer, &seen->token);
    if (seen->token.kind == PQR__TOKEN_WORD)
        know(seen, pqr__word_find(seen->token.at, seen->token.length, true));
    else
        not_a_word(scan, seen);
    return seen;
}

void pqr__sql_next(struct pqr__sql *scan)
{
    (void)next(scan);
}

/* A word, by those rules: nobody knows it, or it is a function's or another name that is not called here. After a dot
   it may be an attribute, after AS a label. */
static inline bool is_quiet_word(const struct pqr__seen *seen, const struct pqr__seen *before)
{
    if (seen->word == NULL)
        return !pqr__token_may_be_pg(&seen->token);
    return seen->keyword <= PQR__KW_OTHER && (seen->word->flags & PQR__WORD_SERVER) == 0 &&
           before->token.kind != PQR__TOKEN_DOT && before->keyword != PQR__KW_AS;
}

/* No rule of pqr__sql_query is about it, unless every token matters. */
static inline bool is_quiet(const struct pqr__sql *scan, const struct pqr__seen *seen)
{
    const struct pqr__seen *before = pqr__sql_seen(scan, 1);
    switch ((int)seen->token.kind) {
    case PQR__TOKEN_WORD:
        return !scan->looks_up && is_quiet_word(seen, before);
    case PQR__TOKEN_DOT:
        return !pqr__token_may_be_pg(&before->token);
    case PQR__TOKEN_STRING:
        return before->token.kind != PQR__TOKEN_CLOSE && !pqr__seen_is_name(before);
    case PQR__TOKEN_COMMA:
    case PQR__TOKEN_NUMBER:
    case PQR__TOKEN_PARAMETER:
        return true;
    default:
        return false;
    }
}

/* Bytes that are read without a look at the end; and that many with a blank before them. */
enum { READ = 8, SLACK = 16 };

static inline const char *past_space(const char *p, const char *end)
{
    return is(*p, SPACE) && is(*++p, SPACE) ? run(p + 1, end, SPACE) : p; /* mostly one */
}

/* A word at p, where READ bytes can be read; where it ends. */
static inline const char *word_at(struct pqr__seen *seen, const char *p, const char *end)
{
    uint64_t bytes = eight(p), others = ~identifier_bytes(bytes) & EACH(0x80), first = bytes | EACH(0x20);
    const char *q = p + 8;
    if (others != 0) {
        unsigned bits = (unsigned)__builtin_ctzll(others) & ~7u; /* of the word: a byte has eight */
        q = p + bits / 8;
        first &= (UINT64_C(1) << bits) - 1;
    } else {
        q = run(q, end, WORDLIKE);
    }
    *seen = (struct pqr__seen){
        .token = {.at = p, .length = (uint32_t)(q - p), .kind = PQR__TOKEN_WORD}, .ends = true};
    const struct pqr__word *word = pqr__word_find_read(first, p, (size_t)(q - p));
    if (word != NULL)
        know(seen, word);
    return q;
}

/* A comma or a dot at p that is no rule's business. */
static inline bool is_quiet_mark(const char *p, unsigned start, const struct pqr__seen *before)
{
    if (start == PQR__START_MARK + PQR__TOKEN_COMMA)
        return true;
    return start == PQR__START_DOT && is(p[1], LETTER) && !pqr__token_may_be_pg(&before->token);
}

/* The most usual quiet tokens, names that nobody knows and the marks between them, without a look at anything else.
   Stops at a word that is not (true), or before a token of another kind. */
static bool step_over_names(struct pqr__sql *scan)
{
    const char *p = scan->lexer.at, *const end = scan->lexer.end;
    struct pqr__seen *const ring = scan->ring;
    unsigned position = scan->position;
    bool stopped = false;
    while (!stopped && end - p >= SLACK) {
        p = past_space(p, end);
        if (end - p < READ)
            break;
        unsigned start = pqr__lexer_starts[(unsigned char)*p];
        struct pqr__seen *seen = &ring[(position + 1) & 7];
        if (start == PQR__START_WORD || (start == PQR__START_PREFIX && is(p[1], WORDLIKE))) {
            p = word_at(seen, p, end);
            stopped = !is_quiet_word(seen, &ring[position & 7]);
        } else if (is_quiet_mark(p, start, &ring[position & 7])) {
            enum pqr__token_kind kind = start == PQR__START_DOT ? PQR__TOKEN_DOT : PQR__TOKEN_COMMA;
            *seen = (struct pqr__seen){.token = {.at = p++, .length = 1, .kind = kind}};
        } else {
            break;
        }
        position++;
    }
    scan->position = position;
    scan->lexer.at = p;
    return stopped;
}

void pqr__sql_next_of_query(struct pqr__sql *scan)
{
    const struct pqr__seen *seen;
    bool attentive = pqr__sql_is_attentive(scan), quick = !attentive && !scan->looks_up;
    do {
        if (quick && step_over_names(scan))
            return;
        seen = next(scan);
    } while (!attentive && is_quiet(scan, seen));
}
