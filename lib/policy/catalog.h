/* What a statement's text can't say: which of the database's own functions, operators, types and relations a
   replica can be trusted with. By bare name and kind: of all that share a name, in every schema and with every
   signature, the strictest decides, so that no search_path and no overload resolution can change an answer.

   Filled by router/catalog.c; pure. Bounded in bytes. A name that it does not have is unknown, and no error. */
#ifndef PQR_POLICY_CATALOG_H
#define PQR_POLICY_CATALOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum pqr__catalog_kind {
    PQR__CATALOG_FUNCTION,
    PQR__CATALOG_OPERATOR,
    PQR__CATALOG_TYPE,
    PQR__CATALOG_RELATION, /* only harmful ones are worth their room */
    PQR__CATALOG_VARYING,  /* relations over others, of which a parameter may tell those that are read */
    PQR__CATALOG_CALL, /* a function's name and, in one byte more, a number of arguments: the harmful ones */
    PQR__CATALOG_KINDS
};

/* In order of strictness. COUNTED: of a function, harmful with some numbers of arguments; it is kept so, and found as
   HARMFUL by whoever does not ask with a number. */
enum pqr__catalog_answer {
    PQR__CATALOG_ABSENT = 0,
    PQR__CATALOG_HARMLESS,
    PQR__CATALOG_COUNTED,
    PQR__CATALOG_HARMFUL
};

/* A set of names by the hashes of their keys (policy/key.h), a bit each. It says yes to some that are not in it, and
   never no to one that is. */
struct pqr__sieve {
    const uint64_t *words;
    unsigned shift; /* leaves as many of a hash's upper bits as tell the bits apart */
};

static inline bool pqr__sieve_holds(const struct pqr__sieve *sieve, uint64_t hash)
{
    uint64_t bit = hash >> sieve->shift;
    return ((sieve->words[bit / 64] >> bit % 64) & 1) != 0;
}

struct pqr__catalog_slot {
    uint32_t hash;
    uint32_t at; /* of the entry in names, plus 1; 0: free */
};

struct pqr__catalog {
    struct pqr__catalog_slot *slots;
    uint32_t capacity; /* a power of two, or 0 */
    uint32_t count;
    uint32_t harmful[PQR__CATALOG_KINDS];
    unsigned char *names; /* entries one after the other: kind, answer, length, name */
    size_t names_used, names_capacity;
    size_t max_bytes;
    uint64_t *sieve; /* the words of that of the harmful names, operators apart; NULL: not made */
    unsigned sieve_shift;
    bool stale; /* a definition changed since it was loaded */
    bool
        spoiled; /* what statements call unseen (comparisons, implicit casts) is volatile: nothing is harmless */
    bool
        folds; /* what the server makes of letters beyond ASCII is not known: it folds them, or recodes names */
};

/* Zeroes it; slots and names come with the first entry. */
void pqr__catalog_init(struct pqr__catalog *catalog, size_t max_bytes);
void pqr__catalog_finish(struct pqr__catalog *catalog);

/* Adds a name, or makes its answer stricter. False: no memory, or it would take more than max_bytes; nothing
   changed then. answer is not ABSENT; a length above 255 is refused too. */
bool pqr__catalog_add(struct pqr__catalog *catalog, enum pqr__catalog_kind kind, const char *name,
    size_t length, enum pqr__catalog_answer answer);
/* While stale, what was harmless is absent. */
enum pqr__catalog_answer pqr__catalog_find(
    const struct pqr__catalog *catalog, enum pqr__catalog_kind kind, const char *name, size_t length);
/* A function that is harmful takes so many arguments, defaults and all; UINT_MAX: any number. False: as above. */
bool pqr__catalog_add_call(
    struct pqr__catalog *catalog, const char *name, size_t length, unsigned least, unsigned most);
/* Whether the number of arguments counts; and what is known of a call with so many. */
bool pqr__catalog_counts(const struct pqr__catalog *catalog, const char *name, size_t length);
enum pqr__catalog_answer pqr__catalog_find_call(
    const struct pqr__catalog *catalog, const char *name, size_t length, unsigned n_args);
/* The memory it takes, this struct included. */
size_t pqr__catalog_bytes(const struct pqr__catalog *catalog);

/* Of a function in pg_catalog that something is made of: volatility is pg_proc's letter. The built-in table
   decides; one that it does not know is harmless when it is immutable. */
bool pqr__catalog_builtin_is_harmless(const char *name, char volatility);
/* A relation of pg_catalog that shows one server's own state. */
bool pqr__catalog_is_server_view(const char *name);
/* The names that may be harmful, operators apart: none without a catalog, any while it is not sealed. Valid until the
   catalog changes. */
struct pqr__sieve pqr__catalog_sieve(const struct pqr__catalog *catalog);
/* All is loaded: makes the sieve, if there is memory for it; sees whether an operator that key words stand for (IN,
   LIKE, DISTINCT, ORDER BY ...) is harmful. */
void pqr__catalog_seal(struct pqr__catalog *catalog);

#endif
