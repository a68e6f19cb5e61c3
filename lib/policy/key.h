/* A name as numbers: its first sixteen bytes, folded, and a hash of those and of its length. Made once for each word of
   a text; the table of built-in words and the catalog's sieve both ask by it.

   Folding sets the bit that tells a from A. Among the bytes of identifiers that makes nothing equal but capitals and
   their small letters; of any other bytes it may make more equal, so a key that is equal is no proof there. */
#ifndef PQR_POLICY_KEY_H
#define PQR_POLICY_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { PQR__KEY_BYTES = 16, PQR__KEY_FOLD = 0x20 };

struct pqr__key {
    uint64_t first, second; /* as little-endian numbers; zeros beyond the name's end */
    uint32_t length;        /* of the whole name */
};

static inline uint64_t pqr__key_half(const char *bytes)
{
    uint64_t value;
    memcpy(&value, bytes, sizeof(value));
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    value = __builtin_bswap64(value);
#endif
    return value;
}

/* Sixteen bytes: so many that are all ones, and zeros. */
static inline const char *pqr__key_mask(size_t length)
{
    static const char masks[2 * PQR__KEY_BYTES] = {
        -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1};
    return masks + PQR__KEY_BYTES - length;
}

/* Of so many bytes, sixteen at most, at a place where sixteen can be read. */
static inline struct pqr__key pqr__key_at(const char *bytes, size_t length)
{
    const uint64_t fold = PQR__KEY_FOLD * UINT64_C(0x0101010101010101);
    const char *mask = pqr__key_mask(length);
    return (struct pqr__key){.first = (pqr__key_half(bytes) | fold) & pqr__key_half(mask),
        .second = (pqr__key_half(bytes + 8) | fold) & pqr__key_half(mask + 8),
        .length = (uint32_t)length};
}

/* Of any name. */
static inline struct pqr__key pqr__key_of(const char *bytes, size_t length)
{
    char copy[PQR__KEY_BYTES] = {0};
    size_t first = length < PQR__KEY_BYTES ? length : PQR__KEY_BYTES;
    memcpy(copy, bytes, first);
    struct pqr__key key = pqr__key_at(copy, first);
    key.length = (uint32_t)length;
    return key;
}

/* Its upper bits are the good ones. As hash_name of builtins.py. */
static inline uint64_t pqr__key_hash(const struct pqr__key *key)
{
    return (key->first ^ (key->second * 3 + key->length)) * UINT64_C(0x9E3779B97F4A7C15);
}

/* Do so many bytes of an identifier spell this name, capitals or not? In any locale. */
static inline bool pqr__name_is(const char *bytes, const char *name, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if ((bytes[i] | PQR__KEY_FOLD) != (name[i] | PQR__KEY_FOLD))
            return false;
    }
    return true;
}

#endif
