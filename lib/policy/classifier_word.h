/* Reading a word and what the table knows of it, compiled into the two loops that read tokens. */
#ifndef PQR_POLICY_CLASSIFIER_WORD_H
#define PQR_POLICY_CLASSIFIER_WORD_H

#include "policy/classifier_sql.h"
#include "policy/lexer_plain.h"

/* The word at a place, which moves behind it; its key, and the hash of that. False: it is the letter before a
   string. */
static inline bool pqr__seen_read_word(struct pqr__seen *seen, const struct pqr__lexer *lexer,
    const char **at, unsigned start, struct pqr__key *key, uint64_t *hash)
{
    const char *p = *at, *end = word_at(lexer, p, key);
    if (start == PQR__START_PREFIX && key->length == 1 && may_be_prefix(p, lexer->end))
        return false;
    *at = end;
    *hash = pqr__key_hash(key);
    seen->token = (struct pqr__token){.at = p, .length = key->length, .kind = PQR__TOKEN_WORD};
    pqr__seen_know(seen, pqr__word_find_key(key, *hash, p));
    return true;
}

#endif
