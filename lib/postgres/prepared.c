#include "postgres/prepared.h"

#include <assert.h>
#include <string.h>

#include "base/alloc.h"

enum { CAPACITY_MIN = 16 };

enum state {
    COMING, /* the flight in the air that prepares asks for it */
    KNOWN,
    STALE, /* the server has it, and it is of no use */
};

struct pqr__prepared_entry {
    uint64_t statement;
    uint16_t next, prev; /* by use, the latest first */
    uint16_t chain;      /* of its bucket, or of the free ones */
    uint8_t state;
    uint8_t
        turn; /* of the flight that used it last; it may be mistaken for one 256 flights older, which makes
                     the text be sent where something could have been given up */
};

void pqr__prepared_init(struct pqr__prepared *prepared, uint32_t limit)
{
    assert(limit < UINT16_MAX / 2);
    *prepared = (struct pqr__prepared){.limit = (uint16_t)limit};
}

void pqr__prepared_finish(struct pqr__prepared *prepared)
{
    pqr__free(prepared->entries);
    pqr__free(prepared->buckets);
    *prepared = (struct pqr__prepared){.limit = 0};
}

/* --- The table ------------------------------------------------------------------------------------------- */

static uint16_t *bucket_of(const struct pqr__prepared *prepared, uint64_t statement)
{
    uint64_t hash = statement * UINT64_C(0x9E3779B97F4A7C15);
    return &prepared->buckets[(hash >> 48) & (prepared->capacity - 1u)];
}

static uint16_t find(const struct pqr__prepared *prepared, uint64_t statement)
{
    if (!prepared->entries)
        return 0;
    uint16_t at = *bucket_of(prepared, statement);
    while (at && prepared->entries[at].statement != statement)
        at = prepared->entries[at].chain;
    return at;
}

static void link_after(struct pqr__prepared *prepared, uint16_t where, uint16_t at)
{
    struct pqr__prepared_entry *entries = prepared->entries;
    entries[at].prev = where;
    entries[at].next = entries[where].next;
    entries[entries[where].next].prev = at;
    entries[where].next = at;
}

static void unlink_entry(const struct pqr__prepared *prepared, uint16_t at)
{
    struct pqr__prepared_entry *entries = prepared->entries;
    entries[entries[at].prev].next = entries[at].next;
    entries[entries[at].next].prev = entries[at].prev;
}

static void chain(const struct pqr__prepared *prepared, uint16_t at)
{
    uint16_t *bucket = bucket_of(prepared, prepared->entries[at].statement);
    prepared->entries[at].chain = *bucket;
    *bucket = at;
}

static void add_free(struct pqr__prepared *prepared, uint16_t from)
{
    for (uint16_t at = from; at < prepared->capacity; at++) {
        prepared->entries[at].chain = prepared->free;
        prepared->free = at;
    }
}

/* False: no memory; everything is as it was. */
static bool grow(struct pqr__prepared *prepared)
{
    uint16_t old = prepared->capacity, capacity = old ? (uint16_t)(2 * old) : CAPACITY_MIN;
    uint16_t *buckets = pqr__calloc(capacity, sizeof(*buckets));
    struct pqr__prepared_entry *entries =
        buckets ? pqr__realloc(prepared->entries, capacity * sizeof(*entries)) : NULL;
    if (!entries) {
        pqr__free(buckets);
        return false;
    }
    pqr__free(prepared->buckets);
    prepared->buckets = buckets;
    prepared->entries = entries;
    prepared->capacity = capacity;
    if (!old)
        entries[0] = (struct pqr__prepared_entry){.next = 0};
    for (uint16_t at = entries[0].next; at; at = entries[at].next)
        chain(prepared, at);
    add_free(prepared, old ? old : 1);
    return true;
}

static void insert(struct pqr__prepared *prepared, uint64_t statement, enum state state, uint16_t where)
{
    uint16_t at = prepared->free;
    assert(at != 0);
    prepared->free = prepared->entries[at].chain;
    prepared->entries[at].statement = statement;
    prepared->entries[at].state = (uint8_t)state;
    prepared->entries[at].turn = prepared->turn;
    chain(prepared, at);
    link_after(prepared, where, at);
    prepared->count++;
}

static void drop(struct pqr__prepared *prepared, uint16_t at)
{
    uint16_t *chained = bucket_of(prepared, prepared->entries[at].statement);
    while (*chained != at)
        chained = &prepared->entries[*chained].chain;
    *chained = prepared->entries[at].chain;
    unlink_entry(prepared, at);
    prepared->entries[at].chain = prepared->free;
    prepared->free = at;
    prepared->count--;
    prepared->latest = 0;
}

static void outdate(struct pqr__prepared *prepared, uint16_t at)
{
    prepared->entries[at].state = STALE;
    prepared->latest = 0;
}

/* --- Sending --------------------------------------------------------------------------------------------- */

void pqr__prepared_next_flight(struct pqr__prepared *prepared)
{
    prepared->turn++;
    prepared->latest = 0;
}

static enum pqr__prepared_how use_entry(
    struct pqr__prepared *prepared, uint16_t at, bool may_prepare, uint64_t *given_up)
{
    struct pqr__prepared_entry *entry = &prepared->entries[at];
    bool ours = entry->turn == prepared->turn;
    if ((entry->state == COMING && !ours) || (entry->state == STALE && !may_prepare))
        return PQR__PREPARED_TEXT;
    entry->turn = prepared->turn;
    if (entry->prev != 0) {
        unlink_entry(prepared, at);
        link_after(prepared, 0, at);
    }
    if (entry->state != STALE)
        return PQR__PREPARED_NAME;
    entry->state = COMING;
    *given_up = entry->statement;
    return PQR__PREPARED_PARSE;
}

static enum pqr__prepared_how use(
    struct pqr__prepared *prepared, uint64_t statement, bool may_prepare, uint64_t *given_up)
{
    uint16_t at = find(prepared, statement);
    if (at)
        return use_entry(prepared, at, may_prepare, given_up);
    if (!may_prepare || prepared->limit == 0)
        return PQR__PREPARED_TEXT;
    if (prepared->count == prepared->limit) {
        uint16_t last = prepared->entries[0].prev;
        if (prepared->entries[last].turn == prepared->turn)
            return PQR__PREPARED_TEXT;
        *given_up = prepared->entries[last].statement;
        drop(prepared, last);
    } else if (!prepared->free && !grow(prepared)) {
        return PQR__PREPARED_TEXT;
    }
    insert(prepared, statement, COMING, 0);
    return PQR__PREPARED_PARSE;
}

enum pqr__prepared_how pqr__prepared_use(
    struct pqr__prepared *prepared, uint64_t statement, bool may_prepare, uint64_t *given_up)
{
    *given_up = 0;
    if (prepared->latest == statement) /* once more in the same flight: nothing has changed */
        return PQR__PREPARED_NAME;
    enum pqr__prepared_how how = use(prepared, statement, may_prepare, given_up);
    prepared->latest = how == PQR__PREPARED_TEXT ? 0 : statement;
    return how;
}

/* --- What the server says -------------------------------------------------------------------------------- */

void pqr__prepared_done(struct pqr__prepared *prepared, uint64_t statement)
{
    uint16_t at = find(prepared, statement);
    if (at && prepared->entries[at].state == COMING)
        prepared->entries[at].state = KNOWN;
}

void pqr__prepared_undone(struct pqr__prepared *prepared, uint64_t statement, uint64_t kept)
{
    uint16_t at = find(prepared, statement);
    bool coming = at && prepared->entries[at].state == COMING;
    if (coming && kept == statement) {
        outdate(prepared, at);
        return;
    }
    if (coming)
        drop(prepared, at);
    uint16_t again = kept ? find(prepared, kept) : 0;
    if (again) /* the same flight gave it up, and then was to prepare it anew: it will not */
        prepared->entries[again].state = KNOWN;
    else if (kept)
        insert(prepared, kept, KNOWN, prepared->entries[0].prev);
}

void pqr__prepared_stale(struct pqr__prepared *prepared, uint64_t statement)
{
    uint16_t at = find(prepared, statement);
    if (at && prepared->entries[at].state == KNOWN)
        outdate(prepared, at);
}

void pqr__prepared_lost(struct pqr__prepared *prepared, uint64_t statement)
{
    uint16_t at = find(prepared, statement);
    if (at && prepared->entries[at].state != COMING)
        drop(prepared, at);
}

void pqr__prepared_lost_all(struct pqr__prepared *prepared)
{
    for (uint16_t at = prepared->entries ? prepared->entries[0].next : 0, next; at; at = next) {
        next = prepared->entries[at].next;
        if (prepared->entries[at].state != COMING)
            drop(prepared, at);
    }
}

void pqr__prepared_name(char name[PQR__PREPARED_NAME_SIZE], uint64_t statement)
{
    char digits[20], *at = digits + sizeof(digits);
    do {
        *--at = (char)('0' + statement % 10);
    } while ((statement /= 10) > 0);
    size_t length = (size_t)(digits + sizeof(digits) - at);
    memcpy(name, "pqr_", 4);
    memcpy(name + 4, at, length);
    name[4 + length] = '\0';
}
