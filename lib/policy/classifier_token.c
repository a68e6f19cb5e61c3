/* From one token to the next, and what the table of words knows of it. */
#include "policy/classifier_sql.h"
#include "policy/lexer_plain.h"

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

void pqr__sql_next(struct pqr__sql *scan)
{
    struct pqr__seen *seen = scan->current = pqr__sql_advance(scan, scan->current);
    pqr__lexer_next(&scan->lexer, &seen->token);
    if (seen->token.kind == PQR__TOKEN_WORD) {
        struct pqr__key key = key_at(&scan->lexer, seen->token.at, seen->token.length);
        pqr__seen_know(seen, pqr__word_find_key(&key, pqr__key_hash(&key), seen->token.at));
    } else {
        not_a_word(scan, seen);
    }
}
