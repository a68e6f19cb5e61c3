/* A set-associative table: a text's hash names its set, a text is found in one of the ways of that set or not at
 * all, and the ways are replaced in turn. What is found is compared byte by byte, so that a collision costs time
 * and never a wrong verdict.
 */
#include "policy/known.h"

#include <assert.h>
#include <string.h>

#include "base/alloc.h"
#include "base/seldom.h"
#include "policy/locks.h"
#include "policy/lexer.h"

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

void pqr__known_unref_many(struct pqr__known *known, uint32_t n)
{
    assert(known->references >= n);
    known->references -= n;
    if (known->references == 0)
        pqr__free(known);
}

void pqr__known_unref(struct pqr__known *known)
{
    if (known)
        pqr__known_unref_many(known, 1);
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

static void unname(struct pqr__known **named, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        pqr__known_unref(named[i]);
    pqr__free(named);
}

void pqr__known_finish(struct pqr__known_table *table)
{
    unname(table->named, table->n_named);
    table->named = NULL;
    table->n_named = 0;
    for (unsigned set = 0; set < PQR__KNOWN_SETS; set++)
        for (unsigned way = 0; way < PQR__KNOWN_WAYS; way++)
            drop(table, &table->entries[set][way]);
}

static bool is_of(const struct pqr__known *known, uint64_t tag, const char *sql, size_t length)
{
    return known && known->tag == tag && known->length == length && memcmp(known->text, sql, length) == 0;
}

static struct pqr__known *find(
    const struct pqr__known_table *table, unsigned set, uint64_t tag, const char *sql, size_t length)
{
    for (unsigned way = 0; way < PQR__KNOWN_WAYS; way++)
        if (is_of(table->entries[set][way], tag, sql, length))
            return table->entries[set][way];
    return NULL;
}

static void judge(struct pqr__known *known)
{
    enum pqr__effect effect = known->verdict.effect;
    known->ready = (effect == PQR__EFFECT_READ || effect == PQR__EFFECT_WRITE) && !known->verdict.several &&
                   known->n_types >= 0 && known->spare == 0 &&
                   !pqr__types_of_users(known->types, (size_t)known->n_types);
}

static PQR__SELDOM void read_anew(
    struct pqr__known *known, const struct pqr__known_table *table, const struct pqr__dialect *dialect)
{
    pqr__classify(&known->verdict, known->text, known->length, dialect);
    known->fixed_locks = pqr__locks_are_fixed(known->text, known->length, dialect);
    known->generation = table->generation;
    known->refused = false;
    known->waits_in = 0;
    judge(known);
}

void pqr__known_refused(struct pqr__known *known)
{
    known->refused = true;
    known->waits_in = 0;
}

void pqr__known_verdict(struct pqr__known *known, struct pqr__verdict *out,
    const struct pqr__known_table *table, const struct pqr__dialect *dialect)
{
    if (known->generation != table->generation)
        read_anew(known, table, dialect);
    *out = known->verdict;
}

static struct pqr__known *new_known(struct pqr__known_table *table, uint64_t tag, const char *sql,
    size_t length, const struct pqr__verdict *verdict, const struct pqr__dialect *dialect, uint32_t uses)
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
        .uses = uses,
        .n_types = -1,
        .fixed_locks = pqr__locks_are_fixed(sql, length, dialect),
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

/* It gets a place of its own again. */
static struct pqr__known *find_named(
    struct pqr__known_table *table, unsigned set, uint64_t tag, const char *sql, size_t length)
{
    for (uint32_t i = 0; i < table->n_named; i++) {
        if (!is_of(table->named[i], tag, sql, length))
            continue;
        enter(table, set, table->named[i]);
        return table->named[i];
    }
    return NULL;
}

static struct pqr__known *look_up(struct pqr__known_table *table, struct pqr__verdict *out, const char *sql,
    size_t length, const struct pqr__dialect *dialect, bool insist)
{
    uint64_t tag = pqr__known_hash(sql, length, table->seed);
    unsigned set = (unsigned)(tag >> 56) & (PQR__KNOWN_SETS - 1);
    struct pqr__known *known = find(table, set, tag, sql, length);
    if (!known && table->n_named > 0)
        known = find_named(table, set, tag, sql, length);
    if (known) {
        table->hits++;
        known->uses += known->uses != UINT32_MAX;
        pqr__known_verdict(known, out, table, dialect);
        return pqr__known_ref(known);
    }
    table->misses++;
    pqr__classify(out, sql, length, dialect);
    bool again = table->seen[set] == tag;
    if (insist || again)
        known = new_known(table, tag, sql, length, out, dialect, again ? 2 : 1);
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

/* --- named beforehand --- */

/* The highest $n of a text: of these the server infers the types. */
static int16_t parameters_of(const char *sql, size_t length, const struct pqr__dialect *dialect)
{
    struct pqr__lexer lexer;
    struct pqr__token token;
    int highest = 0;
    pqr__lexer_init(&lexer, sql, length, dialect->standard_conforming_strings);
    for (pqr__lexer_next(&lexer, &token); token.kind > PQR__TOKEN_ERROR; pqr__lexer_next(&lexer, &token)) {
        int number = 0;
        for (uint32_t i = 1; token.kind == PQR__TOKEN_PARAMETER && i < token.length && number < 10000; i++)
            number = 10 * number + (token.at[i] - '0');
        highest = number > highest ? number : highest;
    }
    return (int16_t)highest;
}

/* Nobody has run it yet: what is guessed of its types may be told better. */
static void guess(
    struct pqr__known_table *table, struct pqr__known *known, const struct pqr__dialect *dialect)
{
    int16_t n = parameters_of(known->text, known->length, dialect);
    known->uses = UINT32_MAX;
    if (known->n_types >= 0 || n > PQR__KNOWN_TYPES)
        return;
    known->n_types = n;
    memset(known->types, 0, sizeof(known->types));
    known->spare = ++table->last_number;
    judge(known);
}

bool pqr__known_name(struct pqr__known_table *table, const char *texts, const struct pqr__dialect *dialect)
{
    struct pqr__verdict verdict;
    uint32_t n = 0, most = 0;
    for (const char *text = texts; text && *text; text += strlen(text) + 1)
        most++;
    struct pqr__known **named = most ? pqr__calloc(most, sizeof(struct pqr__known *)) : NULL;
    if (most && !named)
        return false;
    for (const char *text = texts; n < most; text += strlen(text) + 1) {
        named[n] = pqr__known_keep(table, &verdict, text, strlen(text), dialect);
        if (!named[n]) {
            unname(named, n);
            return false;
        }
        guess(table, named[n++], dialect);
    }
    unname(table->named, table->n_named);
    table->named = named;
    table->n_named = n;
    return true;
}

/* --- numbers --- */

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
    bool same = same_types(known, n_params, types);
    if (known->n_types < 0 || (known->spare && !same)) {
        known->number = known->spare ? known->spare : known->number;
        known->n_types = (int16_t)n_params;
        for (int i = 0; i < n_params; i++)
            known->types[i] = types ? types[i] : 0;
        same = true;
    }
    known->spare = 0;
    judge(known);
    return same ? known->number : 0;
}

uint64_t pqr__known_ready_number(const struct pqr__known *known, int n_params, const Oid *types)
{
    return known->ready && same_types(known, n_params, types) ? known->number : 0;
}
