/* Look-ups in the generated table: open addressing over a hash of a name's first and last eight bytes. */
#include "policy/builtins.h"

#include <string.h>

#include "policy/builtins.inc" /* words, slots, operators, operator_slots */

/* Names are compared eight bytes at a time with the bit set that tells a from A. Among the bytes of identifiers
   that maps only capitals to other letters of the table. */
#define FOLD (PQR__WORD_FOLD * UINT64_C(0x0101010101010101))

static uint64_t eight(const char *bytes)
{
    uint64_t value;
    memcpy(&value, bytes, sizeof(value));
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    value = __builtin_bswap64(value);
#endif
    return value | FOLD;
}

static uint64_t four(const char *bytes)
{
    uint32_t value;
    memcpy(&value, bytes, sizeof(value));
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    value = __builtin_bswap32(value);
#endif
    return value | (uint32_t)FOLD;
}

static uint64_t one(const char *bytes)
{
    return (unsigned char)(*bytes | 0x20);
}

struct ends {
    uint64_t first, last; /* eight bytes of each end, as little-endian numbers; all of a shorter name */
};

/* Reads each byte of the name, none beside it; short names by parts that overlap. */
static struct ends ends_of(const char *name, size_t length)
{
    struct ends ends;
    if (length >= 8)
        return (struct ends){eight(name), eight(name + length - 8)};
    if (length >= 4)
        ends.first = four(name) | four(name + length - 4) << (8 * (length - 4));
    else
        ends.first = one(name) | one(name + length / 2) << (8 * (length / 2)) |
                     one(name + length - 1) << (8 * (length - 1));
    ends.last = ends.first;
    return ends;
}

/* As hash_name of builtins.py. */
static size_t hash(struct ends ends, size_t length)
{
    uint64_t mixed =
        ends.first * UINT64_C(0x9E3779B97F4A7C15) + (ends.last ^ length) * UINT64_C(0xC2B2AE3D27D4EB4F);
    return (size_t)(mixed ^ (mixed >> 29));
}

/* Of the same length, and the same ends but for capitals: what lies between them, and the capitals. */
static bool equal(const char *name, const char *bytes, size_t length, bool fold)
{
    if (!fold)
        return memcmp(name, bytes, length) == 0;
    for (size_t i = 8; i + 8 < length; i += 8) {
        if (eight(name + i) != eight(bytes + i))
            return false;
    }
    return length <= 8 || eight(name + length - 8) == eight(bytes + length - 8);
}

static inline const struct pqr__word *find(struct ends ends, const char *bytes, size_t length, bool fold)
{
    const size_t mask = sizeof(slots) / sizeof(slots[0]) - 1;
    for (size_t at = hash(ends, length) & mask; slots[at] != 0; at = (at + 1) & mask) {
        const struct pqr__word *word = &words[slots[at] - 1];
        if (word->first == ends.first && word->length == length && equal(word->name, bytes, length, fold))
            return word;
    }
    return NULL;
}

static bool fits(size_t length) /* none is shorter or longer */
{
    return length >= 2 && length <= 63;
}

const struct pqr__word *pqr__word_find(const char *bytes, size_t length, bool fold)
{
    return fits(length) ? find(ends_of(bytes, length), bytes, length, fold) : NULL;
}

const struct pqr__word *pqr__word_find_read(uint64_t first, const char *bytes, size_t length)
{
    if (!fits(length))
        return NULL;
    struct ends ends = {.first = first, .last = length <= 8 ? first : eight(bytes + length - 8)};
    return find(ends, bytes, length, true);
}

bool pqr__operator_is_builtin(const char *bytes, size_t length)
{
    const size_t mask = sizeof(operator_slots) / sizeof(operator_slots[0]) - 1;
    if (length == 0)
        return false;
    for (size_t at = hash(ends_of(bytes, length), length) & mask; operator_slots[at] != 0;
         at = (at + 1) & mask) {
        const char *name = operators[operator_slots[at] - 1];
        if (strlen(name) == length && memcmp(name, bytes, length) == 0)
            return true;
    }
    return false;
}
