/* Whether definitions were changed behind the router's back, by a count of what was written to the system catalogs.
 * Pure: the count comes from router/probe_more.
 */
#ifndef PQR_POLICY_CHANGES_H
#define PQR_POLICY_CHANGES_H

#include <stdbool.h>
#include <stdint.h>

/* All zero at first. */
struct pqr__changes {
    bool known;   /* there was a count before */
    bool pending; /* something has changed since they were read last */
    uint64_t count;
    uint64_t not_before_us; /* they are read again */
    uint64_t wait_us;       /* which is so long after the last time */
};

/* True: they are to be read anew. At once, unless changes go on (temporary views, say): then less and less often, down
   to once in longest_us, until there were none for as long as it was waited last. */
bool pqr__changes_note(struct pqr__changes *changes, uint64_t count, uint64_t longest_us, uint64_t now_us);

#endif
