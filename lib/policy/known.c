/* A set-associative table: a text's hash names its set, a text is found in one of the ways of that set or not at
 * all, and the ways are replaced in turn. What is found is compared byte by byte, so that a collision costs time
 * and never a wrong verdict.
 */
#include "policy/known.h"

#include <assert.h>
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
uint64_t pqr__known_hash(const char *text, size_t length, uint64_t seed)
{
    uint64_t state = mix(seed, length), rest = 0;
    size_t at = 0;
    for (; at + 8 <= length; at += 8)
        state = mix(state, word_at(text + at));
    memcpy(&rest, text + at, length - at);
    return mix(mix(state, rest), seed);
}

void pqr__known_init(struct pqr__known_table *table, uint64_t seed, uint64_t max_bytes)
{
    *table = (struct pqr__known_table){.seed = seed, .generation = seed | 1, .max_bytes = max_bytes};
}

static uint64_t size_of(const struct pqr__known *known)
{
    return sizeof(*known) + known->length + 1;
}

struct pqr__known *pqr__known_ref(struct pqr__known *known)
{
    known->references++;
    return known;
}

void pqr__known_unref(struct pqr__known *known)
{
    if (!known)
        return;
    assert(known->references > 0);
    if (--known->references == 0)
        pqr__free(known);
}

static void drop(struct pqr__known_table *table, struct pqr__known **entry)
{
    if (*entry)
        table->bytes -= size_of(*entry);
    pqr__known_unref(*entry);
    *entry = NULL;
}

void pqr__known_outdate(struct pqr__known_table *table)
{
    table->generation += 2;
}

void pqr__known_finish(struct pqr__known_table *table)
{
    for (unsigned set = 0; set < PQR__KNOWN_SETS; set++)
        for (unsigned way = 0; way < PQR__KNOWN_WAYS; way++)
            drop(table, &table->entries[set][way]);
}

static struct pqr__known *find(
    const struct pqr__known_table *table, unsigned set, uint64_t tag, const char *sql, size_t length)
{
    for (unsigned way = 0; way < PQR__KNOWN_WAYS; way++) {
        struct pqr__known *known = table->entries[set][way];
        if (known && known->tag == tag && known->length == length && memcmp(known->text, sql, length) == 0)
            return known;
    }
    return NULL;
}

void pqr__known_verdict(struct pqr__known *known, struct pqr__verdict *out,
    const struct pqr__known_table *table, const struct pqr__dialect *dialect)
{
    if (known->generation != table->generation) {
        pqr__classify(&known->verdict, known->text, known->length, dialect);
        known->generation = table->generation;
        known->refused = false;
    }
    *out = known->verdict;
}

static struct pqr__known *new_known(struct pqr__known_table *table, uint64_t tag, const char *sql,
    size_t length, const struct pqr__verdict *verdict)
{
    struct pqr__known *known =
        length < UINT32_MAX ? pqr__malloc(sizeof(struct pqr__known) + length + 1) : NULL;
    if (!known) /* it is read again the next time */
        return NULL;
    *known = (struct pqr__known){
        .references = 1,
        .length = (uint32_t)length,
        .tag = tag,
        .generation = table->generation,
        .number = ++table->last_number,
        .uses = 1,
        .n_types = -1,
        .verdict = *verdict,
    };
    memcpy(known->text, sql, length);
    known->text[length] = '\0';
    return known;
}

/* The table's own reference is the given one's. */
static void enter(struct pqr__known_table *table, unsigned set, struct pqr__known *known)
{
    struct pqr__known **entry = &table->entries[set][table->next[set]++ % PQR__KNOWN_WAYS];
    drop(table, entry);
    if (table->bytes + size_of(known) > table->max_bytes)
        return;
    table->bytes += size_of(known);
    *entry = pqr__known_ref(known);
}

static struct pqr__known *look_up(struct pqr__known_table *table, struct pqr__verdict *out, const char *sql,
    size_t length, const struct pqr__dialect *dialect, bool insist)
{
    uint64_t tag = pqr__known_hash(sql, length, table->seed);
    unsigned set = (unsigned)(tag >> 56) & (PQR__KNOWN_SETS - 1);
    struct pqr__known *known = find(table, set, tag, sql, length);
    if (known) {
        table->hits++;
        known->uses += known->uses != UINT32_MAX;
        pqr__known_verdict(known, out, table, dialect);
        return pqr__known_ref(known);
    }
    table->misses++;
    pqr__classify(out, sql, length, dialect);
    if (insist || table->seen[set] == tag)
        known = new_known(table, tag, sql, length, out);
    if (known && length <= PQR__KNOWN_TEXT_MAX)
        enter(table, set, known);
    table->seen[set] = tag;
    return known;
}

struct pqr__known *pqr__known_classify(struct pqr__known_table *table, struct pqr__verdict *out,
    const char *sql, size_t length, const struct pqr__dialect *dialect)
{
    if (length <= PQR__KNOWN_TEXT_MAX)
        return look_up(table, out, sql, length, dialect, false);
    pqr__classify(out, sql, length, dialect);
    return NULL;
}

struct pqr__known *pqr__known_keep(struct pqr__known_table *table, struct pqr__verdict *out, const char *sql,
    size_t length, const struct pqr__dialect *dialect)
{
    return look_up(table, out, sql, length, dialect, true);
}

static bool same_types(const struct pqr__known *known, int n_params, const Oid *types)
{
    if (known->n_types != n_params)
        return false;
    for (int i = 0; i < n_params; i++)
        if (known->types[i] != (types ? types[i] : 0))
            return false;
    return true;
}

uint64_t pqr__known_number(struct pqr__known *known, int n_params, const Oid *types)
{
    if (n_params > PQR__KNOWN_TYPES)
        return 0;
    if (known->n_types < 0) {
        known->n_types = (int16_t)n_params;
        for (int i = 0; i < n_params; i++)
            known->types[i] = types ? types[i] : 0;
    }
    return same_types(known, n_params, types) ? known->number : 0;
}
