/* Look-ups in the generated table: open addressing over a hash of a name's first and last eight bytes. */
#include "policy/builtins.h"

#include <string.h>

#include "policy/builtins.inc" /* words, slots, operators, operator_slots */

/* count (at most 8) bytes as a little-endian number, A-Z and a-z alike. */
static uint64_t load(const char *bytes, size_t count)
{
    uint64_t value = 0;
    for (size_t i = 0; i < count; i++)
        value |= (uint64_t)((unsigned char)bytes[i] | 0x20) << (8 * i);
    return value;
}

/* As hash_name of builtins.py. */
static uint64_t hash(const char *bytes, size_t length)
{
    size_t count = length < 8 ? length : 8;
    uint64_t first = load(bytes, count), last = load(bytes + length - count, count);
    uint64_t mixed = first * UINT64_C(0x9E3779B97F4A7C15) + (last ^ length) * UINT64_C(0xC2B2AE3D27D4EB4F);
    return mixed ^ (mixed >> 29);
}

static bool equal(const char *name, const char *bytes, size_t length, bool fold)
{
    if (!fold)
        return memcmp(name, bytes, length) == 0;
    for (size_t i = 0; i < length; i++) {
        char byte = bytes[i];
        if (byte >= 'A' && byte <= 'Z')
            byte = (char)(byte | 0x20);
        if (byte != name[i])
            return false;
    }
    return true;
}

const struct pqr__word *pqr__word_find(const char *bytes, size_t length, bool fold)
{
    const size_t mask = sizeof(slots) / sizeof(slots[0]) - 1;
    if (length == 0 || length > 63)
        return NULL;
    for (size_t at = hash(bytes, length) & mask; slots[at] != 0; at = (at + 1) & mask) {
        const struct pqr__word *word = &words[slots[at] - 1];
        if (word->length == length && equal(word->name, bytes, length, fold))
            return word;
    }
    return NULL;
}

bool pqr__operator_is_builtin(const char *bytes, size_t length)
{
    const size_t mask = sizeof(operator_slots) / sizeof(operator_slots[0]) - 1;
    for (size_t at = hash(bytes, length) & mask; operator_slots[at] != 0; at = (at + 1) & mask) {
        const char *name = operators[operator_slots[at] - 1];
        if (strlen(name) == length && memcmp(name, bytes, length) == 0)
            return true;
    }
    return false;
}
