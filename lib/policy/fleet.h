/* Many routers against one server, none of which knows the others: each counts them, and keeps to its fair part of
 * what the server admits. A smaller part counts at once; a larger one when two counts agree, since one that just
 * restarts is missing from a single count. Pure: the counts come from router/probe.
 */
#ifndef PQR_POLICY_FLEET_H
#define PQR_POLICY_FLEET_H

#include <stdbool.h>
#include <stdint.h>

/* As a server tells it: routers that count themselves, this one included, and limits (negative: none). */
struct pqr__fleet_count {
    uint32_t all, of_role, of_database; /* each at least 1 */
    uint32_t before; /* how many of all are named before this one: they get the remainder first */
    int64_t max_connections, reserved; /* of the server; reserved are for superusers */
    int64_t role_limit, database_limit;
};

struct pqr__fleet {
    uint32_t least;  /* never less than that: the probe, the reserve and one */
    uint32_t margin; /* connections left alone */
    uint32_t share;  /* what this router may have open */
    uint32_t last;   /* what the last count alone would give */
    uint32_t members;
};

/* Before the first count it has the least. */
void pqr__fleet_init(struct pqr__fleet *fleet, uint32_t least, uint32_t margin);
void pqr__fleet_counted(struct pqr__fleet *fleet, const struct pqr__fleet_count *count);

/* What one count gives: the smallest of the parts of the server's, the role's and the database's limit, less the
   margin. */
uint32_t pqr__fleet_part(const struct pqr__fleet_count *count, uint32_t margin);

#endif
