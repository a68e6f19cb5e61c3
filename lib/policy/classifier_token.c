/* From one token to the next, and what the table of words knows of it. */
#include "policy/classifier_word.h"

/* In quotes capitals count. */
void pqr__seen_know_quoted(struct pqr__seen *seen, const struct pqr__word *word)
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
        pqr__seen_know_quoted(seen, pqr__word_find(token->at + 1, token->length - 2, true));
    else if (token->kind == PQR__TOKEN_CLOSE)
        seen->ends = pqr__sql_close_ends(scan);
}

/* True: it was one. */
static bool read_word(struct pqr__lexer *lexer, struct pqr__seen *seen)
{
    struct pqr__key key;
    uint64_t hash;
    unsigned start = step(lexer) ? start_of(lexer->at, lexer->end) : PQR__START_OTHER;
    return start <= PQR__START_PREFIX && pqr__seen_read_word(seen, lexer, &lexer->at, start, &key, &hash);
}

void pqr__sql_next(struct pqr__sql *scan)
{
    struct pqr__seen *seen = scan->current = pqr__sql_advance(scan, scan->current);
    if (read_word(&scan->lexer, seen))
        return;
    pqr__lexer_next(&scan->lexer, &seen->token);
    if (seen->token.kind == PQR__TOKEN_WORD)
        pqr__seen_know(seen, pqr__word_find(seen->token.at, seen->token.length, true));
    else
        not_a_word(scan, seen);
}
