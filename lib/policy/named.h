/* The functions that a configuration names (reads.harmless_functions, reads.harmful_functions): people who know
   better than the catalog. Patterns of schema.name, as the catalog spells them; of both kinds the harmful one counts.
   Pure, never changes once made. A name that no pattern can be about costs one look-up of a hash. */
#ifndef PQR_POLICY_NAMED_H
#define PQR_POLICY_NAMED_H

#include "policy/catalog.h"

struct pqr__pattern {
    const char *schema, *name;
    uint8_t schema_length, name_length;
    bool harmful;
    bool wide; /* * or ? in the name */
};

struct pqr__named {
    struct pqr__pattern *patterns; /* the wide ones first */
    uint32_t count, wide;
    struct pqr__catalog names; /* of the others, as functions */
};

/* Lists of patterns, one a line; NULL: none. False: no memory; nothing is kept then. */
bool pqr__named_init(struct pqr__named *named, const char *harmless, const char *harmful);
void pqr__named_finish(struct pqr__named *named);

/* Of schema.name. */
enum pqr__catalog_answer pqr__named_find(const struct pqr__named *named, const char *schema,
    size_t schema_length, const char *name, size_t name_length);
/* Of a name that stands without a schema, which may mean any function of that name: harmful when a pattern that
   names it, or one about pg_catalog, is; harmless only by patterns about every schema. */
enum pqr__catalog_answer pqr__named_find_bare(
    const struct pqr__named *named, const char *name, size_t name_length);

/* * stands for any bytes, ? for one. */
bool pqr__glob_matches(const char *glob, size_t glob_length, const char *text, size_t length);

#endif
