/* Every key of the configuration: one table drives reading, ranges, defaults and suggestions. */
#ifndef PQR_CONFIG_KEYS_H
#define PQR_CONFIG_KEYS_H

#include <stddef.h>

#include "config/draft.h"

enum pqr__key_type {
    PQR__KEY_NUMBER,   /* uint32_t */
    PQR__KEY_BOOL,     /* bool */
    PQR__KEY_DURATION, /* uint64_t, microseconds */
    PQR__KEY_SIZE,     /* uint64_t, bytes */
    PQR__KEY_WORD,     /* an enum: the position in words */
    PQR__KEY_TEXT,     /* char * */
    PQR__KEY_SECRET,   /* char *, never quoted in a message */
    PQR__KEY_DIGITS,   /* uint64_t, in quotes */
    PQR__KEY_SQL,      /* char *, from a text or an array of texts, joined by ';' */
    PQR__KEY_PATTERNS, /* char *, from an array of schema.name, one a line */
    PQR__KEY_TEXTS,    /* char *, from an array of SQL texts, each ended by a NUL, the last by two */
    PQR__KEY_SERVERS,  /* the list of servers */
};

struct pqr__key {
    const char *path; /* "pool.min" */
    enum pqr__key_type type;
    bool none;                /* 0 and "none" are allowed below low, and mean none */
    const char *initial;      /* as in a file, without quotes; NULL: nothing */
    uint64_t low, high;       /* both allowed */
    uint64_t multiple;        /* of durations: 0, or what they must be a multiple of */
    const char *const *words; /* ended by NULL */
    size_t offset;            /* in struct pqr__draft, or in struct pqr__draft_entry */
};

extern const struct pqr__key pqr__keys[PQR__N_KEYS];
extern const struct pqr__key pqr__entry_keys[PQR__N_ENTRY_KEYS];

/* How many letters are to be changed to make one of the other. */
size_t pqr__word_distance(const char *left, const char *right);

/* For people who wrote a key that there is not: writes the nearest one, or the nearest group when they
   wrote a group. False: none is near. */
bool pqr__key_nearest(
    char *out, size_t size, const struct pqr__key *keys, size_t n_keys, const char *path, bool group);

/* The keys of the group that path is in; at the top, keys and groups. */
void pqr__key_siblings(char *out, size_t size, const struct pqr__key *keys, size_t n_keys, const char *path);

#endif
