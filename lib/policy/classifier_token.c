/* From one token to the next, and what the table of words knows of it. */
#include "policy/classifier_sql.h"
#include "policy/lexer_bytes.h"

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
    if (token->kind == PQR__TOKEN_QUOTED) {
        seen->word = pqr__word_find(token->at + 1, token->length - 2, false);
        seen->flags = seen->word == NULL ? 0 : seen->word->flags;
    } else if (token->kind == PQR__TOKEN_CLOSE) {
        seen->ends = pqr__sql_close_ends(scan);
    }
}

void pqr__sql_next(struct pqr__sql *scan)
{
    struct pqr__seen *seen = scan->current = pqr__sql_advance(scan, scan->current);
    pqr__lexer_next_inline(&scan->lexer, &seen->token);
    if (seen->token.kind == PQR__TOKEN_WORD)
        pqr__seen_know(seen, pqr__word_find(seen->token.at, seen->token.length, true));
    else
        not_a_word(scan, seen);
}
