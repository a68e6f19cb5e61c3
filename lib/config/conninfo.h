/* Connection strings, parsed by libpq itself (PostgreSQL manual, sections 34.1.1 and 34.2). Nothing here
   quotes a word of one: a slip of the quotes makes any part of a password look like a host or an option's
   name. */
#ifndef PQR_CONFIG_CONNINFO_H
#define PQR_CONFIG_CONNINFO_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>

/* Parameters of a connection; all of one libpq have the same rows. */
struct pqr__conninfo {
    PQconninfoOption *options; /* libpq's memory */
};

/* NULL is an empty one. 0; PQR_ENOMEM; PQR_ECONFIG, with what is wrong with it in why, fit for people. */
int pqr__conninfo_parse(struct pqr__conninfo *out, const char *text, char *why, size_t size);

/* What libpq would use: conninfo with the service file, the environment and libpq's defaults behind it. No
   connection is tried. Errors as above. */
int pqr__conninfo_resolve(
    struct pqr__conninfo *out, const struct pqr__conninfo *conninfo, char *why, size_t size);

/* own over common. "host" and "hostaddr" go together: an own one hides both common ones; options are added
   up. 0 or PQR_ENOMEM. */
int pqr__conninfo_merge(struct pqr__conninfo *own, const struct pqr__conninfo *common);

/* NULL when it is not set, or empty. Valid until it changes. */
const char *pqr__conninfo_get(const struct pqr__conninfo *conninfo, const char *keyword);
/* The value that libpq was built with; NULL: none. */
const char *pqr__conninfo_built_in(const struct pqr__conninfo *conninfo, const char *keyword);
/* Whether this libpq has such a parameter. */
bool pqr__conninfo_knows(const struct pqr__conninfo *conninfo, const char *keyword);
bool pqr__conninfo_has_secret(const struct pqr__conninfo *conninfo);

/* Wipes and frees. Fine after {NULL}. */
void pqr__conninfo_finish(struct pqr__conninfo *conninfo);

#endif
