/* Look-ups in the generated tables. */
#include "policy/builtins.h"

#include "policy/builtins.inc" /* pqr__words, pqr__word_slots, pqr__operator_slots */

const struct pqr__word *pqr__word_find_long(uint64_t hash, const char *bytes, size_t length)
{
    for (size_t at = hash >> (64 - PQR__WORD_BITS); pqr__word_slots[at] != 0;
         at = (at + 1) % PQR__WORD_SLOTS) {
        const struct pqr__word *word = &pqr__words[pqr__word_slots[at] - 1];
        if (word->length == length && pqr__name_is(bytes, word->name, length))
            return word;
    }
    return NULL;
}

const struct pqr__word *pqr__word_find(const char *bytes, size_t length, bool fold)
{
    struct pqr__key key = pqr__key_of(bytes, length);
    const struct pqr__word *word = pqr__word_find_key(&key, pqr__key_hash(&key), bytes);
    bool same = word != NULL && (fold || (word->length == length && memcmp(word->name, bytes, length) == 0));
    return same ? word : NULL;
}
