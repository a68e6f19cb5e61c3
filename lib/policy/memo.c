/* A set-associative table: a text's hash names its set, a text is found in one of the ways of that set or not at
 * all, and the ways are replaced in turn. What is found is compared byte by byte, so that a collision costs time
 * and never a wrong verdict.
 */
#include "policy/memo.h"

#include <string.h>

#include "base/alloc.h"

static uint64_t mix(uint64_t state, uint64_t word)
{
    state = (state ^ word) * UINT64_C(0xD6E8FEB86659FD93); /* odd, so that nothing is lost */
    return state ^ (state >> 32);
}

static uint64_t word_at(const char *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, sizeof(word));
    return word;
}

/* Eight bytes a multiplication. Good enough: what is found is compared. */
uint64_t pqr__memo_hash(const char *text, size_t length, uint64_t seed)
{
    uint64_t state = mix(seed, length), rest = 0;
    size_t at = 0;
    for (; at + 8 <= length; at += 8)
        state = mix(state, word_at(text + at));
    memcpy(&rest, text + at, length - at);
    return mix(mix(state, rest), seed);
}

void pqr__memo_init(struct pqr__memo *memo, uint64_t seed, uint64_t max_bytes)
{
    *memo = (struct pqr__memo){.seed = seed, .generation = seed | 1, .max_bytes = max_bytes};
}

static void drop(struct pqr__memo *memo, struct pqr__memo_entry *entry)
{
    if (!entry->text)
        return;
    memo->bytes -= entry->length;
    pqr__free(entry->text);
    entry->text = NULL;
}

void pqr__memo_clear(struct pqr__memo *memo)
{
    for (unsigned set = 0; set < PQR__MEMO_SETS; set++)
        for (unsigned way = 0; way < PQR__MEMO_WAYS; way++)
            drop(memo, &memo->entries[set][way]);
    memset(memo->seen, 0, sizeof(memo->seen));
    memo->generation += 2;
}

void pqr__memo_finish(struct pqr__memo *memo)
{
    pqr__memo_clear(memo);
}

static const struct pqr__memo_entry *find(
    const struct pqr__memo *memo, unsigned set, uint32_t tag, const char *sql, size_t length)
{
    for (unsigned way = 0; way < PQR__MEMO_WAYS; way++) {
        const struct pqr__memo_entry *entry = &memo->entries[set][way];
        if (entry->tag == tag && entry->text && entry->length == length &&
            memcmp(entry->text, sql, length) == 0)
            return entry;
    }
    return NULL;
}

static void keep(struct pqr__memo *memo, unsigned set, uint32_t tag, const char *sql, size_t length,
    const struct pqr__verdict *verdict)
{
    struct pqr__memo_entry *entry = &memo->entries[set][memo->next[set]++ % PQR__MEMO_WAYS];
    drop(memo, entry);
    if (memo->bytes + length > memo->max_bytes)
        return;
    entry->text = pqr__memdup(sql, length);
    if (!entry->text) /* no memory: it is read again the next time */
        return;
    entry->length = (uint32_t)length;
    entry->tag = tag;
    entry->verdict = *verdict;
    memo->bytes += length;
}

void pqr__memo_classify(struct pqr__memo *memo, struct pqr__verdict *out, const char *sql, size_t length,
    const struct pqr__dialect *dialect)
{
    if (length > PQR__MEMO_TEXT_MAX) {
        pqr__classify(out, sql, length, dialect);
        return;
    }
    uint64_t hashed = pqr__memo_hash(sql, length, memo->seed);
    unsigned set = (unsigned)(hashed >> 56) & (PQR__MEMO_SETS - 1);
    uint32_t tag = (uint32_t)hashed | 1;
    const struct pqr__memo_entry *entry = find(memo, set, tag, sql, length);
    if (entry) {
        memo->hits++;
        *out = entry->verdict;
        return;
    }
    memo->misses++;
    pqr__classify(out, sql, length, dialect);
    if (memo->seen[set] == tag)
        keep(memo, set, tag, sql, length, out);
    memo->seen[set] = tag;
}
