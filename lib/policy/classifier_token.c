/* From one token to the next, and what the table of words knows of it.

   Three of four tokens of a query mean nothing to any rule by themselves: names that nobody knows, the marks between
   them, key words that matter only to what follows. pqr__sql_next_of_query steps over them in one loop, which remembers
   them for the rules and calls none. What may go wrong: a rule that is about a token which is called quiet here would
   never be asked. So every condition below is one that pqr__sql_query has too, or what it calls. The fuzzer compares
   each answer with the explained one, for which no name and no operator is quiet. */
#include "policy/classifier_sql.h"
#include "policy/lexer_bytes.h"

/* --- Any token --- */

/* In quotes capitals count. */
static inline void know_quoted(struct pqr__seen *seen, const struct pqr__word *word)
{
    if (word == NULL || memcmp(word->name, seen->token.at + 1, word->length) != 0)
        return;
    seen->word = word;
    seen->flags = word->flags;
}

static void not_a_word(struct pqr__sql *scan, struct pqr__seen *seen)
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
    seen->flags = 0;
    if (token->kind == PQR__TOKEN_QUOTED)
        know_quoted(seen, pqr__word_find(token->at + 1, token->length - 2, true));
    else if (token->kind == PQR__TOKEN_CLOSE)
        seen->ends = pqr__sql_close_ends(scan);
}

/* It is a word, and not the letter before a string. */
static inline bool begins_word(const char *p, const char *end, unsigned start)
{
    if (start != PQR__START_PREFIX)
        return start == PQR__START_WORD;
    return end - p < 2 || (p[1] != '\'' && p[1] != '&');
}

/* The word at a place; its hash. */
static inline uint64_t read_word(
    const struct pqr__lexer *lexer, struct pqr__seen *seen, const char **at, struct pqr__key *key)
{
    const char *p = *at;
    *at = word_at(lexer, p, key);
    uint64_t hash = pqr__key_hash(key);
    seen->token = (struct pqr__token){.at = p, .length = key->length, .kind = PQR__TOKEN_WORD};
    pqr__seen_know(seen, pqr__word_find_key(key, hash, p));
    return hash;
}

void pqr__sql_next(struct pqr__sql *scan)
{
    struct pqr__lexer *lexer = &scan->lexer;
    struct pqr__seen *seen = scan->current = pqr__sql_advance(scan, scan->current);
    struct pqr__key key;
    if (step(lexer) && begins_word(lexer->at, lexer->end, start_of(lexer->at, lexer->end))) {
        (void)read_word(lexer, seen, &lexer->at, &key);
        return;
    }
    pqr__lexer_next(lexer, &seen->token);
    if (seen->token.kind == PQR__TOKEN_WORD)
        pqr__seen_know(seen, pqr__word_find(seen->token.at, seen->token.length, true));
    else
        not_a_word(scan, seen);
}

/* --- Tokens that are stepped over --- */

/* What came of a look at a token. */
enum look {
    QUIET,    /* it was read; nobody wants it */
    LOUD,     /* it was read */
    ELSEWHERE /* it was not read: that takes more than is done here */
};

static inline enum look read(
    struct pqr__seen *seen, enum pqr__token_kind kind, const char **at, const char *end, bool ends)
{
    *seen =
        (struct pqr__seen){.token = {.at = *at, .length = (uint32_t)(end - *at), .kind = kind}, .ends = ends};
    *at = end;
    return QUIET;
}

/* --- Quiet words --- */

enum { NAME_MAX_LENGTH = 63 };

/* The catalog may call what is spelled so harmful, or the configuration may; or they can't be asked for it here. */
static inline bool may_harm(
    const struct pqr__sql *scan, const struct pqr__seen *seen, const struct pqr__key *key, uint64_t hash)
{
    const uint64_t beyond_ascii = UINT64_C(0x8080808080808080);
    if (key->length > NAME_MAX_LENGTH || (scan->named != NULL && seen[-1].token.kind == PQR__TOKEN_DOT))
        return true;
    if (scan->folds && (key->length > PQR__KEY_BYTES || ((key->first | key->second) & beyond_ascii) != 0))
        return true;
    return pqr__sieve_holds(&scan->sieve, hash);
}

static inline bool begins_with_pg(const struct pqr__key *key)
{
    const uint64_t pg = 'p' | 'g' << 8 | ('_' | PQR__KEY_FOLD) << 16;
    return (key->first & 0xffffff) == pg;
}

/* t.f where a function f is known: it may be called. */
static inline bool is_quiet_attribute(struct pqr__seen *seen)
{
    if (seen->word->function > PQR__FUNCTION_HARMLESS || seen->word->keyword == PQR__KW_LAST_VALUE)
        return false;
    pqr__seen_be_name(seen);
    return true;
}

static inline bool is_quiet_after_as(const struct pqr__sql *scan, struct pqr__seen *seen)
{
    if (!pqr__sql_names_after_as(scan))
        return false;
    pqr__seen_be_name(seen);
    return true;
}

/* What stands in quotes is no key word. */
static inline bool is_quiet_quoted(const struct pqr__seen *seen)
{
    if (seen->word == NULL)
        return true;
    return seen[-1].token.kind != PQR__TOKEN_DOT && seen->word->keyword != PQR__KW_LAST_VALUE;
}

static inline bool is_quiet_key_word(const struct pqr__sql *scan, const struct pqr__seen *seen)
{
    return pqr__sql_rules[seen->keyword] == NULL || (seen->keyword == PQR__KW_AS && !pqr__sql_in_cast(scan));
}

static inline enum look look_at_word(const struct pqr__sql *scan, struct pqr__seen *seen, const char **at)
{
    const struct pqr__seen *before = seen - 1;
    struct pqr__key key;
    uint64_t hash = read_word(&scan->lexer, seen, at, &key);
    if (begins_with_pg(&key) || (scan->wary && may_harm(scan, seen, &key, hash)))
        return LOUD;
    if (seen->word == NULL)
        return QUIET;
    if (before->token.kind == PQR__TOKEN_DOT)
        return is_quiet_attribute(seen) ? QUIET : LOUD;
    if (before->keyword == PQR__KW_AS)
        return is_quiet_after_as(scan, seen) ? QUIET : LOUD;
    return is_quiet_key_word(scan, seen) ? QUIET : LOUD;
}

static inline enum look look_at_quoted(const struct pqr__sql *scan, struct pqr__seen *seen, const char **at)
{
    const char *name = *at + 1, *end = scan->lexer.end, *close = memchr(name, '"', (size_t)(end - name));
    if (close == NULL || close == name || (end - close > 1 && close[1] == '"'))
        return ELSEWHERE;
    struct pqr__key key = key_at(&scan->lexer, name, (size_t)(close - name));
    uint64_t hash = pqr__key_hash(&key);
    (void)read(seen, PQR__TOKEN_QUOTED, at, close + 1, true);
    know_quoted(seen, pqr__word_find_key(&key, hash, name));
    if (begins_with_pg(&key) || (scan->wary && may_harm(scan, seen, &key, hash)))
        return LOUD;
    return is_quiet_quoted(seen) ? QUIET : LOUD;
}

/* --- Other tokens --- */

/* Built-in operators are what they seem, and so is this one. */
static inline bool is_quiet_operator(const struct pqr__sql *scan, const char *at, size_t length)
{
    return scan->trusts_operators && pqr__operator_is_builtin(at, length);
}

/* After a name it is a constant of that type, after a parenthesis it may be. */
static inline bool is_quiet_string(const struct pqr__seen *before)
{
    return before->token.kind != PQR__TOKEN_CLOSE && !pqr__seen_is_name(before);
}

/* Not the end of a string, or the other half stands on the next line. A blank alone joins nothing. */
static inline bool may_go_on(const char *p, const char *end)
{
    if (p < end && *p == ' ')
        p++;
    return p < end && (*p == '\'' || *p == '-' || is(*p, SPACE));
}

static inline enum look look_at_string(const struct pqr__sql *scan, struct pqr__seen *seen, const char **at)
{
    const char *end = scan->lexer.end, *p = *at + 1;
    if (!scan->lexer.standard_strings)
        return ELSEWHERE;
    p = memchr(p, '\'', (size_t)(end - p));
    if (p == NULL || may_go_on(p + 1, end))
        return ELSEWHERE;
    (void)read(seen, PQR__TOKEN_STRING, at, p + 1, true);
    return is_quiet_string(seen - 1) ? QUIET : LOUD;
}

static inline enum look look_at_number(const struct pqr__sql *scan, struct pqr__seen *seen, const char **at)
{
    const char *end = plain_number_end(*at, scan->lexer.end);
    return end == NULL ? ELSEWHERE : read(seen, PQR__TOKEN_NUMBER, at, end, true);
}

static inline enum look look_at_parameter(
    const struct pqr__sql *scan, struct pqr__seen *seen, const char **at)
{
    const char *digits = *at + 1, *end = run(digits, scan->lexer.end, DIGIT);
    if (end == digits || (end < scan->lexer.end && is(*end, LETTER)))
        return ELSEWHERE;
    return read(seen, PQR__TOKEN_PARAMETER, at, end, true);
}

static inline enum look look_at_colon(const struct pqr__sql *scan, struct pqr__seen *seen, const char **at)
{
    const char *next = *at + 1;
    if (next == scan->lexer.end || *next != ':')
        return ELSEWHERE;
    (void)read(seen, PQR__TOKEN_CAST, at, next + 1, false);
    return LOUD;
}

/* Of one byte or two; those are taken whole when they are known. */
static inline enum look look_at_operator(const struct pqr__sql *scan, struct pqr__seen *seen, const char **at)
{
    const char *next = *at + 1;
    if (next < scan->lexer.end && is(*next, SYMBOL))
        next++;
    if (next == scan->lexer.end || is(*next, SYMBOL) || !is_quiet_operator(scan, *at, (size_t)(next - *at)))
        return ELSEWHERE;
    return read(seen, PQR__TOKEN_OPERATOR, at, next, false);
}

static inline enum look look_at_dot(const struct pqr__sql *scan, struct pqr__seen *seen, const char **at)
{
    const char *next = *at + 1;
    if (next == scan->lexer.end || is(*next, DIGIT) || *next == '.')
        return ELSEWHERE;
    if (pqr__token_may_be_pg(&seen[-1].token))
        return ELSEWHERE;
    return read(seen, PQR__TOKEN_DOT, at, next, false);
}

/* --- One after the other --- */

static inline enum look look_at(
    const struct pqr__sql *scan, struct pqr__seen *seen, const char **at, unsigned start)
{
    if (start == PQR__START_WORD)
        return look_at_word(scan, seen, at);
    switch (start) {
    case PQR__START_PREFIX:
        if (!begins_word(*at, scan->lexer.end, start))
            return ELSEWHERE;
        return look_at_word(scan, seen, at);
    case PQR__START_MARK + PQR__TOKEN_COMMA:
    case PQR__START_MARK + PQR__TOKEN_BRACKET:
        return read(seen, (enum pqr__token_kind)(start - PQR__START_MARK), at, *at + 1, false);
    case PQR__START_MARK + PQR__TOKEN_OPEN:
        (void)read(seen, PQR__TOKEN_OPEN, at, *at + 1, false);
        return LOUD;
    case PQR__START_MARK + PQR__TOKEN_CLOSE:
        (void)read(seen, PQR__TOKEN_CLOSE, at, *at + 1, pqr__sql_close_ends(scan));
        return LOUD;
    case PQR__START_DOT:
        return look_at_dot(scan, seen, at);
    case PQR__START_NUMBER:
        return look_at_number(scan, seen, at);
    case PQR__START_OPERATOR:
    case PQR__START_COMMENT:
        return look_at_operator(scan, seen, at);
    case PQR__START_IDENTIFIER:
        return look_at_quoted(scan, seen, at);
    case PQR__START_COLON:
        return look_at_colon(scan, seen, at);
    case PQR__START_DOLLAR:
        return look_at_parameter(scan, seen, at);
    case PQR__START_QUOTE:
        return look_at_string(scan, seen, at);
    default:
        return ELSEWHERE;
    }
}

/* Steps over what is quiet. True: the last token that was read is loud; false: the next one is to be read. */
static bool step_over(struct pqr__sql *scan)
{
    const char *p = scan->lexer.at, *const end = scan->lexer.end;
    struct pqr__seen *current = scan->current;
    enum look look = QUIET;
    while (look == QUIET) {
        unsigned start = start_past_space(&p, end);
        struct pqr__seen *seen = pqr__sql_advance(scan, current);
        look = look_at(scan, seen, &p, start);
        if (look != ELSEWHERE)
            current = seen;
    }
    scan->current = current;
    scan->lexer.at = p;
    return look == LOUD;
}

/* The same of a token that was read elsewhere. */
static bool is_quiet(const struct pqr__sql *scan)
{
    const struct pqr__seen *seen = pqr__sql_seen(scan, 0), *before = pqr__sql_seen(scan, 1);
    switch ((int)seen->token.kind) {
    case PQR__TOKEN_DOT:
        return !pqr__token_may_be_pg(&before->token);
    case PQR__TOKEN_STRING:
        return is_quiet_string(before);
    case PQR__TOKEN_OPERATOR:
        return is_quiet_operator(scan, seen->token.at, seen->token.length);
    case PQR__TOKEN_COMMA:
    case PQR__TOKEN_NUMBER:
    case PQR__TOKEN_PARAMETER:
        return true;
    default:
        return false;
    }
}

void pqr__sql_next_of_query(struct pqr__sql *scan)
{
    if (pqr__sql_is_attentive(scan)) {
        pqr__sql_next(scan);
        return;
    }
    do {
        if (scan->explain == NULL && step_over(scan))
            return;
        pqr__sql_next(scan);
    } while (is_quiet(scan));
}
