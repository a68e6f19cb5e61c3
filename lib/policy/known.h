/* Texts that came before, and what is known of each: its verdict, so that hashing takes the place of reading; its
   history, which says what it may share a connection with; its number, under which connections may keep it prepared.
   Bounded in entries and in bytes; a text that was never sent twice takes no room. What is known of a text is counted:
   requests and statements that hold it keep it, in the table or not. Texts that are named beforehand are kept whatever
   else comes. */
#ifndef PQR_POLICY_KNOWN_H
#define PQR_POLICY_KNOWN_H

#include "policy/classifier.h"
#include "policy/history.h"

enum {
    PQR__KNOWN_SETS = 256, /* a power of two */
    PQR__KNOWN_WAYS = 4,
    PQR__KNOWN_TEXT_MAX = 16384, /* bytes, of a long report; a longer text is read each time */
    PQR__KNOWN_TYPES = 16,       /* parameters whose types are remembered */
};

struct pqr__known {
    uint32_t references;
    uint32_t length;
    uint64_t tag;        /* of the hash */
    uint64_t generation; /* of the knowledge that the verdict comes from */
    uint64_t number;     /* no other text of this table has had it */
    uint64_t spare;  /* the number that it gets when its types, a guess, are not those first given; 0: none */
    uint32_t uses;   /* from the first one that was seen; saturating */
    int16_t n_types; /* of the parameters, as first given; -1: not yet */
    bool unfit;      /* named, and could not be prepared */
    bool ready;      /* one read or write, with its number for good, and no types of users */
    bool fixed_locks; /* all executions lock the same: policy/locks.h */
    bool refused;     /* a replica refused it, though its text is harmless: it is the primary's */
    uint8_t
        waits_in; /* its owner's, 0 until that has set it: 0 again when its verdict is read anew, or it is refused */
    struct pqr__verdict verdict;
    struct pqr__history history;
    Oid types[PQR__KNOWN_TYPES];
    char text[];
};

struct pqr__known_table {
    uint64_t seed;
    uint64_t generation; /* another one, and never 0, after each change of what verdicts depend on */
    uint64_t bytes, max_bytes;
    uint64_t hits, misses;
    uint64_t last_number;
    uint64_t seen[PQR__KNOWN_SETS]; /* the last text of each set that was read: kept when it comes again */
    uint8_t next[PQR__KNOWN_SETS];  /* which way is replaced next */
    struct pqr__known *entries[PQR__KNOWN_SETS][PQR__KNOWN_WAYS];
    struct pqr__known **named; /* each counted; found here when it has lost its place above */
    uint32_t n_named;
};

/* seed: so that nobody outside can know which texts share a set. */
void pqr__known_init(struct pqr__known_table *table, uint64_t seed, uint64_t max_bytes);
void pqr__known_finish(struct pqr__known_table *table);
/* The dialect or the catalog changed: verdicts are read anew, refusals forgotten, histories and numbers stay. */
void pqr__known_outdate(struct pqr__known_table *table);

/* As pqr__classify, of a text that may have been read before. What is known of it, one more owner's, or NULL. */
struct pqr__known *pqr__known_classify(struct pqr__known_table *table, struct pqr__verdict *out,
    const char *sql, size_t length, const struct pqr__dialect *dialect);
/* The same of a text that is worth keeping at its first sight, however long. NULL: no memory. */
struct pqr__known *pqr__known_keep(struct pqr__known_table *table, struct pqr__verdict *out, const char *sql,
    size_t length, const struct pqr__dialect *dialect);
/* These texts and no others are named from now on: each ended by a NUL, the last by two; NULL: none. They count as
   used often, and their parameters as of the types that the server infers, until requests name others. False: no
   memory, nothing has changed. */
bool pqr__known_name(struct pqr__known_table *table, const char *texts, const struct pqr__dialect *dialect);
/* By a replica. */
void pqr__known_refused(struct pqr__known *known);
/* Its verdict by what the table's owner knows now. */
void pqr__known_verdict(struct pqr__known *known, struct pqr__verdict *out,
    const struct pqr__known_table *table, const struct pqr__dialect *dialect);

struct pqr__known *pqr__known_ref(struct pqr__known *known);
/* NULL is fine. */
void pqr__known_unref(struct pqr__known *known);
/* So many owners less. */
void pqr__known_unref_many(struct pqr__known *known, uint32_t n);

/* Its number, when these are the types that it was first given with; 0 otherwise. types as in pqr_query. What was
   guessed of a named text gives way to what is given. */
uint64_t pqr__known_number(struct pqr__known *known, int n_params, const Oid *types);

/* The same for most: its number, and those types change nothing of its verdict (pqr__classify_types). 0: it is not as
   simple as that, or these are other types. */
uint64_t pqr__known_ready_number(const struct pqr__known *known, int n_params, const Oid *types);

/* Of a text; a set and a tag are taken from it. */
uint64_t pqr__known_hash(const char *text, size_t length, uint64_t seed);

#endif
