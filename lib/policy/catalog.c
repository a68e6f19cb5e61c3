/* One hash for all kinds: open addressing, linear probing, the names in one block of memory. Entries are never
   taken out, a changed database is loaded anew. */
#include "policy/catalog.h"

#include <assert.h>
#include <string.h>

#include "base/alloc.h"
#include "policy/builtins.h"
#include "policy/key.h"

enum { HEAD = 3, FIRST_SLOTS = 64, FIRST_NAMES = 1024, NAME_MAX_BYTES = 255 };

void pqr__catalog_init(struct pqr__catalog *catalog, size_t max_bytes)
{
    *catalog = (struct pqr__catalog){.max_bytes = max_bytes};
}

void pqr__catalog_finish(struct pqr__catalog *catalog)
{
    pqr__free(catalog->slots);
    pqr__free(catalog->names);
    pqr__free(catalog->sieve);
    *catalog = (struct pqr__catalog){.max_bytes = catalog->max_bytes};
}

enum { SMALLEST = 64 - 6 }; /* the shift of a sieve of one word */

static size_t bits_of(unsigned shift)
{
    return (size_t)1 << (64 - shift);
}

static void drop_sieve(struct pqr__catalog *catalog)
{
    pqr__free(catalog->sieve);
    catalog->sieve = NULL;
}

static size_t bytes_of(size_t slots, size_t names)
{
    return sizeof(struct pqr__catalog) + slots * sizeof(struct pqr__catalog_slot) + names;
}

size_t pqr__catalog_bytes(const struct pqr__catalog *catalog)
{
    size_t sieve = catalog->sieve == NULL ? 0 : bits_of(catalog->sieve_shift) / 8;
    return bytes_of(catalog->capacity, catalog->names_capacity) + sieve;
}

/* FNV-1a, then mixed: names are short. */
static uint32_t hash_of(unsigned kind, const char *name, size_t length)
{
    uint32_t hash = (UINT32_C(2166136261) ^ kind) * UINT32_C(16777619);
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)name[i]) * UINT32_C(16777619);
    hash = (hash ^ (hash >> 16)) * UINT32_C(0x85EBCA6B);
    return hash ^ (hash >> 13);
}

/* The slot of the name, or the free one where it belongs. There is always a free one. */
static struct pqr__catalog_slot *slot_of(
    const struct pqr__catalog *catalog, uint32_t hash, unsigned kind, const char *name, size_t length)
{
    for (uint32_t at = hash;; at++) {
        struct pqr__catalog_slot *slot = &catalog->slots[at & (catalog->capacity - 1)];
        if (slot->at == 0)
            return slot;
        const unsigned char *entry = catalog->names + (slot->at - 1);
        if (slot->hash == hash && entry[0] == kind && entry[2] == length &&
            memcmp(entry + HEAD, name, length) == 0)
            return slot;
    }
}

static bool grow_slots(struct pqr__catalog *catalog)
{
    if (catalog->count + 1 <= catalog->capacity / 4 * 3)
        return true;
    uint32_t capacity = catalog->capacity == 0 ? FIRST_SLOTS : catalog->capacity * 2;
    if (capacity == 0 || bytes_of(capacity, catalog->names_capacity) > catalog->max_bytes)
        return false;
    struct pqr__catalog_slot *slots = pqr__calloc(capacity, sizeof(*slots));
    if (!slots)
        return false;
    for (uint32_t i = 0; i < catalog->capacity; i++) {
        uint32_t at = catalog->slots[i].hash;
        if (catalog->slots[i].at == 0)
            continue;
        while (slots[at & (capacity - 1)].at != 0)
            at++;
        slots[at & (capacity - 1)] = catalog->slots[i];
    }
    pqr__free(catalog->slots);
    catalog->slots = slots;
    catalog->capacity = capacity;
    return true;
}

static bool grow_names(struct pqr__catalog *catalog, size_t more)
{
    if (catalog->names_used + more <= catalog->names_capacity)
        return true;
    size_t capacity = catalog->names_capacity == 0 ? FIRST_NAMES : catalog->names_capacity * 2;
    if (capacity > UINT32_MAX || bytes_of(catalog->capacity, capacity) > catalog->max_bytes)
        return false;
    unsigned char *names = pqr__realloc(catalog->names, capacity);
    if (!names)
        return false;
    catalog->names = names;
    catalog->names_capacity = capacity;
    return true;
}

bool pqr__catalog_add(struct pqr__catalog *catalog, enum pqr__catalog_kind kind, const char *name,
    size_t length, enum pqr__catalog_answer answer)
{
    assert(answer != PQR__CATALOG_ABSENT);
    drop_sieve(catalog);
    if (length > NAME_MAX_BYTES || !grow_slots(catalog) || !grow_names(catalog, HEAD + length))
        return false;
    uint32_t hash = hash_of(kind, name, length);
    struct pqr__catalog_slot *slot = slot_of(catalog, hash, kind, name, length);
    if (slot->at == 0) {
        unsigned char *entry = catalog->names + catalog->names_used;
        *slot = (struct pqr__catalog_slot){.hash = hash, .at = (uint32_t)catalog->names_used + 1};
        entry[0] = (unsigned char)kind;
        entry[1] = PQR__CATALOG_ABSENT;
        entry[2] = (unsigned char)length;
        memcpy(entry + HEAD, name, length);
        catalog->names_used += HEAD + length;
        catalog->count++;
    }
    unsigned char *known = &catalog->names[slot->at - 1 + 1];
    if (*known < PQR__CATALOG_COUNTED && answer >= PQR__CATALOG_COUNTED)
        catalog->harmful[kind]++;
    if (*known < (unsigned char)answer)
        *known = (unsigned char)answer;
    return true;
}

/* As it is kept. */
static enum pqr__catalog_answer kept(
    const struct pqr__catalog *catalog, enum pqr__catalog_kind kind, const char *name, size_t length)
{
    if (catalog->count == 0 || length > NAME_MAX_BYTES)
        return PQR__CATALOG_ABSENT;
    const struct pqr__catalog_slot *slot = slot_of(catalog, hash_of(kind, name, length), kind, name, length);
    if (slot->at == 0)
        return PQR__CATALOG_ABSENT;
    return (enum pqr__catalog_answer)catalog->names[slot->at - 1 + 1];
}

enum pqr__catalog_answer pqr__catalog_find(
    const struct pqr__catalog *catalog, enum pqr__catalog_kind kind, const char *name, size_t length)
{
    enum pqr__catalog_answer answer = kept(catalog, kind, name, length);
    if (answer == PQR__CATALOG_COUNTED)
        return PQR__CATALOG_HARMFUL;
    return catalog->stale && answer == PQR__CATALOG_HARMLESS ? PQR__CATALOG_ABSENT : answer;
}

/* --- Calls --- */

enum {
    CALL_ARGS_MAX = 100, /* a function has no more, or it is harmful with any number */
    CALL_RANGE_MAX = 8,  /* likewise, by its defaults */
};

/* The name, and the number as a byte. */
static size_t call_key(char out[NAME_MAX_BYTES + 1], const char *name, size_t length, unsigned n_args)
{
    memcpy(out, name, length);
    out[length] = (char)n_args;
    return length + 1;
}

bool pqr__catalog_add_call(
    struct pqr__catalog *catalog, const char *name, size_t length, unsigned least, unsigned most)
{
    char key[NAME_MAX_BYTES + 1];
    if (length >= NAME_MAX_BYTES || most > CALL_ARGS_MAX || least > most || most - least >= CALL_RANGE_MAX)
        return pqr__catalog_add(catalog, PQR__CATALOG_FUNCTION, name, length, PQR__CATALOG_HARMFUL);
    for (unsigned n = least; n <= most; n++)
        if (!pqr__catalog_add(
                catalog, PQR__CATALOG_CALL, key, call_key(key, name, length, n), PQR__CATALOG_HARMFUL))
            return false;
    return pqr__catalog_add(catalog, PQR__CATALOG_FUNCTION, name, length, PQR__CATALOG_COUNTED);
}

bool pqr__catalog_counts(const struct pqr__catalog *catalog, const char *name, size_t length)
{
    return !catalog->stale && kept(catalog, PQR__CATALOG_FUNCTION, name, length) == PQR__CATALOG_COUNTED;
}

enum pqr__catalog_answer pqr__catalog_find_call(
    const struct pqr__catalog *catalog, const char *name, size_t length, unsigned n_args)
{
    char key[NAME_MAX_BYTES + 1];
    if (n_args > CALL_ARGS_MAX || !pqr__catalog_counts(catalog, name, length))
        return pqr__catalog_find(catalog, PQR__CATALOG_FUNCTION, name, length);
    return kept(catalog, PQR__CATALOG_CALL, key, call_key(key, name, length, n_args)) == PQR__CATALOG_HARMFUL
               ? PQR__CATALOG_HARMFUL
               : PQR__CATALOG_HARMLESS;
}

/* --- The sieve --- */

enum {
    SIEVE_BITS = 16, /* for each name, so that one in sixteen others is looked up in vain */
};

static uint32_t count_sieved(const struct pqr__catalog *catalog)
{
    return catalog->harmful[PQR__CATALOG_FUNCTION] + catalog->harmful[PQR__CATALOG_TYPE] +
           catalog->harmful[PQR__CATALOG_RELATION];
}

struct pqr__sieve pqr__catalog_sieve(const struct pqr__catalog *catalog)
{
    static const uint64_t nothing = 0, everything = UINT64_MAX;
    if (catalog == NULL || count_sieved(catalog) == 0)
        return (struct pqr__sieve){.words = &nothing, .shift = SMALLEST};
    if (catalog->sieve == NULL)
        return (struct pqr__sieve){.words = &everything, .shift = SMALLEST};
    return (struct pqr__sieve){.words = catalog->sieve, .shift = catalog->sieve_shift};
}

static void fill_sieve(const struct pqr__catalog *catalog)
{
    for (size_t at = 0; at < catalog->names_used; at += HEAD + catalog->names[at + 2]) {
        const unsigned char *entry = catalog->names + at;
        if (entry[0] == PQR__CATALOG_OPERATOR || entry[0] == PQR__CATALOG_CALL ||
            entry[1] < PQR__CATALOG_COUNTED)
            continue;
        struct pqr__key key = pqr__key_of((const char *)entry + HEAD, entry[2]);
        uint64_t bit = pqr__key_hash(&key) >> catalog->sieve_shift;
        catalog->sieve[bit / 64] |= UINT64_C(1) << bit % 64;
    }
}

static void make_sieve(struct pqr__catalog *catalog)
{
    unsigned shift = SMALLEST;
    drop_sieve(catalog);
    while (bits_of(shift) < (size_t)count_sieved(catalog) * SIEVE_BITS)
        shift--;
    if (pqr__catalog_bytes(catalog) + bits_of(shift) / 8 > catalog->max_bytes)
        return;
    catalog->sieve = pqr__calloc(bits_of(shift) / 64, sizeof(uint64_t));
    if (!catalog->sieve)
        return;
    catalog->sieve_shift = shift;
    fill_sieve(catalog);
}

/* --- What the database's own things are made of --- */

bool pqr__catalog_builtin_is_harmless(const char *name, char volatility)
{
    const struct pqr__word *word = pqr__word_find(name, strlen(name), false);
    if (word == NULL || word->function == PQR__FUNCTION_UNKNOWN)
        return volatility == 'i';
    return word->function == PQR__FUNCTION_HARMLESS;
}

bool pqr__catalog_is_server_view(const char *name)
{
    const struct pqr__word *word = pqr__word_find(name, strlen(name), false);
    return strncmp(name, "pg_stat_", 8) == 0 || strncmp(name, "pg_statio_", 10) == 0 ||
           (word != NULL && (word->flags & PQR__WORD_SERVER) != 0);
}

void pqr__catalog_seal(struct pqr__catalog *catalog)
{
    static const char *const unseen[] = {
        "=", "<>", "<", "<=", ">", ">=", "~~", "!~~", "~~*", "!~~*", "~", "!~"};
    make_sieve(catalog);
    for (size_t i = 0; i < sizeof(unseen) / sizeof(unseen[0]); i++)
        if (pqr__catalog_find(catalog, PQR__CATALOG_OPERATOR, unseen[i], strlen(unseen[i])) ==
            PQR__CATALOG_HARMFUL)
            catalog->spoiled = true;
}
