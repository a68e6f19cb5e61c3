/* Verdicts by text: an application sends the same few hundred texts over and over, and hashing one is many times
   cheaper than reading it. Bounded in entries and in bytes; one that was never sent twice takes no room. */
#ifndef PQR_POLICY_MEMO_H
#define PQR_POLICY_MEMO_H

#include "policy/classifier.h"

enum {
    PQR__MEMO_SETS = 256, /* a power of two */
    PQR__MEMO_WAYS = 4,
    PQR__MEMO_TEXT_MAX = 4096, /* bytes; a longer text is read each time */
};

struct pqr__memo_entry {
    char *text; /* NULL: free */
    uint32_t length;
    uint32_t tag; /* of the hash */
    struct pqr__verdict verdict;
};

struct pqr__memo {
    uint64_t seed;
    uint64_t
        generation; /* another one, and never 0, after each clear: what a verdict kept elsewhere is worth */
    uint64_t bytes, max_bytes; /* of the texts kept */
    uint64_t hits, misses;
    uint32_t seen[PQR__MEMO_SETS]; /* the last text of each set that was read: kept when it comes again */
    uint8_t next[PQR__MEMO_SETS];  /* which way is replaced next */
    struct pqr__memo_entry entries[PQR__MEMO_SETS][PQR__MEMO_WAYS];
};

/* seed: so that nobody outside can know which texts share a set. */
void pqr__memo_init(struct pqr__memo *memo, uint64_t seed, uint64_t max_bytes);
void pqr__memo_finish(struct pqr__memo *memo);
/* Forgets everything: the dialect changed. */
void pqr__memo_clear(struct pqr__memo *memo);
/* As pqr__classify, of a text that may have been read before. */
void pqr__memo_classify(struct pqr__memo *memo, struct pqr__verdict *out, const char *sql, size_t length,
    const struct pqr__dialect *dialect);

/* Of a text; a set and a tag are taken from it. */
uint64_t pqr__memo_hash(const char *text, size_t length, uint64_t seed);

#endif
