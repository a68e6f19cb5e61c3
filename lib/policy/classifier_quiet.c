/* The tokens of a query, one after the other, as long as they are quiet.

   Three of four mean nothing to any rule by themselves: names that nobody knows, the marks between them, key words that
   matter only to what follows. pqr__sql_next_of_query steps over them in one loop, which remembers them for the rules
   and calls none; of those that have one rule and no other, it calls that. What may go wrong: a rule that is about a
   token which is called quiet here would never be asked. So every condition below is one that pqr__sql_query has too,
   or what it calls. The fuzzer compares each answer with the explained one, for which no name and no operator is
   quiet. */
#include "policy/classifier_word.h"

/* What came of a look at a token. */
enum look {
    QUIET,    /* it was read; nobody wants it */
    KEY_WORD, /* it was read; its rule is all that wants it */
    OPENS,    /* likewise */
    CLOSES,   /* likewise */
    LOUD,     /* it was read */
    ELSEWHERE /* it was not read: that takes more than is done here */
};

static inline void take(
    struct pqr__seen *seen, enum pqr__token_kind kind, const char **at, const char *end, bool ends)
{
    *seen =
        (struct pqr__seen){.token = {.at = *at, .length = (uint32_t)(end - *at), .kind = kind}, .ends = ends};
    *at = end;
}

/* A constant, if it ends where it seems to. */
static inline enum look take_constant(
    struct pqr__seen *seen, enum pqr__token_kind kind, const char **at, const char *end)
{
    if (end == NULL)
        return ELSEWHERE;
    take(seen, kind, at, end, true);
    return QUIET;
}

/* --- Words --- */

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

/* pg_ and a few others, none of which is a common word. */
static inline bool begins_with_pg(const struct pqr__key *key)
{
    return (uint16_t)key->first == ('p' | 'g' << 8);
}

/* t.f where a function f is known: it may be called. */
static inline enum look look_at_attribute(struct pqr__seen *seen)
{
    if (seen->word->function > PQR__FUNCTION_HARMLESS || seen->word->keyword == PQR__KW_LAST_VALUE)
        return LOUD;
    pqr__seen_be_name(seen);
    return QUIET;
}

static inline enum look look_after_as(const struct pqr__sql *scan, struct pqr__seen *seen)
{
    if (!pqr__sql_names_after_as(scan))
        return LOUD;
    pqr__seen_be_name(seen);
    return QUIET;
}

static inline enum look look_at_key_word(const struct pqr__sql *scan, const struct pqr__seen *seen)
{
    if (pqr__sql_rules[seen->keyword] == NULL)
        return QUIET;
    return seen->keyword == PQR__KW_AS && !pqr__sql_in_cast(scan) ? QUIET : KEY_WORD;
}

static inline enum look look_at_word(
    const struct pqr__sql *scan, struct pqr__seen *seen, const char **at, unsigned start)
{
    const struct pqr__seen *before = seen - 1;
    struct pqr__key key;
    uint64_t hash;
    if (!pqr__seen_read_word(seen, &scan->lexer, at, start, &key, &hash))
        return ELSEWHERE;
    if (begins_with_pg(&key) || (scan->wary && may_harm(scan, seen, &key, hash)))
        return LOUD;
    if (seen->word == NULL)
        return QUIET;
    if (before->token.kind == PQR__TOKEN_DOT)
        return look_at_attribute(seen);
    return before->keyword == PQR__KW_AS ? look_after_as(scan, seen) : look_at_key_word(scan, seen);
}

/* What stands in quotes is no key word. */
static inline enum look look_at_quoted(const struct pqr__sql *scan, struct pqr__seen *seen, const char **at)
{
    const char *name = *at + 1, *close = plain_quoted_end(&scan->lexer, *at);
    if (close == NULL)
        return ELSEWHERE;
    struct pqr__key key = key_at(&scan->lexer, name, (size_t)(close - name));
    uint64_t hash = pqr__key_hash(&key);
    take(seen, PQR__TOKEN_QUOTED, at, close + 1, true);
    pqr__seen_know_quoted(seen, pqr__word_find_key(&key, hash, name));
    if (begins_with_pg(&key) || (scan->wary && may_harm(scan, seen, &key, hash)))
        return LOUD;
    if (seen->word == NULL)
        return QUIET;
    return seen[-1].token.kind != PQR__TOKEN_DOT && seen->word->keyword != PQR__KW_LAST_VALUE ? QUIET : LOUD;
}

/* --- Other tokens --- */

/* After a name it is a constant of that type, after a parenthesis it may be. */
static inline bool is_quiet_string(const struct pqr__seen *before)
{
    return before->token.kind != PQR__TOKEN_CLOSE && !pqr__seen_is_name(before);
}

static inline enum look look_at_string(const struct pqr__sql *scan, struct pqr__seen *seen, const char **at)
{
    if (!scan->lexer.standard_strings)
        return ELSEWHERE;
    enum look look = take_constant(seen, PQR__TOKEN_STRING, at, plain_string_end(&scan->lexer, *at));
    return look == QUIET && !is_quiet_string(seen - 1) ? LOUD : look;
}

static inline enum look look_at_colon(const struct pqr__sql *scan, struct pqr__seen *seen, const char **at)
{
    const char *next = *at + 1;
    if (next == scan->lexer.end || *next != ':')
        return ELSEWHERE;
    take(seen, PQR__TOKEN_CAST, at, next + 1, false);
    return LOUD;
}

/* Built-in operators are what they seem, and so is this one. */
static inline bool is_quiet_operator(const struct pqr__sql *scan, const char *at, size_t length)
{
    return scan->trusts_operators && pqr__operator_is_builtin(at, length);
}

/* Of one byte or two; those are taken whole when they are known. */
static inline enum look look_at_operator(const struct pqr__sql *scan, struct pqr__seen *seen, const char **at)
{
    const char *next = *at + 1;
    if (next < scan->lexer.end && is(*next, SYMBOL))
        next++;
    if (next == scan->lexer.end || is(*next, SYMBOL) || !is_quiet_operator(scan, *at, (size_t)(next - *at)))
        return ELSEWHERE;
    take(seen, PQR__TOKEN_OPERATOR, at, next, false);
    return QUIET;
}

static inline enum look look_at_dot(const struct pqr__sql *scan, struct pqr__seen *seen, const char **at)
{
    const char *next = *at + 1;
    if (next == scan->lexer.end || is(*next, DIGIT) || *next == '.')
        return ELSEWHERE;
    if (pqr__token_may_be_pg(&seen[-1].token))
        return ELSEWHERE;
    take(seen, PQR__TOKEN_DOT, at, next, false);
    return QUIET;
}

/* --- One after the other --- */

static inline enum look look_at(
    const struct pqr__sql *scan, struct pqr__seen *seen, const char **at, unsigned start)
{
    if (start <= PQR__START_PREFIX)
        return look_at_word(scan, seen, at, start);
    switch (start) {
    case PQR__START_MARK + PQR__TOKEN_COMMA:
    case PQR__START_MARK + PQR__TOKEN_BRACKET:
        take(seen, (enum pqr__token_kind)(start - PQR__START_MARK), at, *at + 1, false);
        return QUIET;
    case PQR__START_MARK + PQR__TOKEN_OPEN:
        take(seen, PQR__TOKEN_OPEN, at, *at + 1, false);
        return OPENS;
    case PQR__START_MARK + PQR__TOKEN_CLOSE:
        take(seen, PQR__TOKEN_CLOSE, at, *at + 1, pqr__sql_close_ends(scan));
        return CLOSES;
    case PQR__START_END:
        take(seen, PQR__TOKEN_END, at, *at, false);
        return LOUD;
    case PQR__START_DOT:
        return look_at_dot(scan, seen, at);
    case PQR__START_NUMBER:
        return take_constant(seen, PQR__TOKEN_NUMBER, at, plain_number_end(*at, scan->lexer.end));
    case PQR__START_DOLLAR:
        return take_constant(seen, PQR__TOKEN_PARAMETER, at, plain_parameter_end(*at, scan->lexer.end));
    case PQR__START_OPERATOR:
    case PQR__START_COMMENT:
        return look_at_operator(scan, seen, at);
    case PQR__START_IDENTIFIER:
        return look_at_quoted(scan, seen, at);
    case PQR__START_COLON:
        return look_at_colon(scan, seen, at);
    case PQR__START_QUOTE:
        return look_at_string(scan, seen, at);
    default:
        return ELSEWHERE;
    }
}

/* The one rule that wants the current token. */
static inline void follow_rule(struct pqr__sql *scan, enum look look)
{
    const struct pqr__seen *seen = pqr__sql_seen(scan, 0);
    if (look == KEY_WORD)
        pqr__sql_rules[seen->keyword](scan, seen, seen - 1);
    else if (look == OPENS)
        pqr__sql_open(scan);
    else
        pqr__sql_close(scan);
}

/* Steps over what is quiet. True: the last token that was read is loud; false: the next one is to be read. */
static bool step_over(struct pqr__sql *scan)
{
    const char *p = scan->lexer.at, *const end = scan->lexer.end;
    struct pqr__seen *seen = pqr__sql_advance(scan, scan->current);
    for (;;) {
        unsigned start = start_past_space(&p, end);
        enum look look = look_at(scan, seen, &p, start);
        if (look != QUIET) {
            scan->current = look == ELSEWHERE ? seen - 1 : seen;
            scan->lexer.at = p;
            if (look >= LOUD)
                return look == LOUD;
            follow_rule(scan, look);
            if (pqr__sql_is_attentive(scan))
                return false;
        }
        seen = pqr__sql_advance(scan, seen);
    }
}

/* The same of a token that was read elsewhere. */
static bool is_quiet(const struct pqr__sql *scan)
{
    const struct pqr__seen *seen = pqr__sql_seen(scan, 0), *before = pqr__sql_seen(scan, 1);
    if (pqr__sql_is_attentive(scan))
        return false;
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
    do {
        if (!pqr__sql_is_attentive(scan) && scan->explain == NULL && step_over(scan))
            return;
        pqr__sql_next(scan);
    } while (is_quiet(scan));
}
