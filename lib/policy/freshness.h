/* How far a replica is behind: the primary's LSN over time, held against what the replica has replayed. */
#ifndef PQR_POLICY_FRESHNESS_H
#define PQR_POLICY_FRESHNESS_H

#include <stdbool.h>
#include <stdint.h>

enum { PQR__LSN_MOMENTS = 64 };

/* Oldest first, LSNs strictly rising. Zeroed it is empty. When it is full a moment is thinned out, never
   the oldest, so that the history goes back to the first note: a day of notes a second apart is kept to a third of
   their age. */
struct pqr__lsn_history {
    struct {
        uint64_t time_us; /* when the primary was last known to be at lsn */
        uint64_t lsn;
    } moments[PQR__LSN_MOMENTS];
    uint32_t count;
};

/* The primary was at lsn at now_us. A lower lsn than before means another primary that never had what lies
   above: that part of the history is forgotten. */
void pqr__lsn_history_note(struct pqr__lsn_history *history, uint64_t now_us, uint64_t lsn);

/* now_us minus the last moment the primary was known to be at or below replayed_lsn: never less than the true
   lag at the last note. 0 when the replica has replayed all that is known, however old that knowledge is.
   -1: not known (an empty history, or the replica is behind its beginning). */
int64_t pqr__staleness_us(const struct pqr__lsn_history *history, uint64_t replayed_lsn, uint64_t now_us);

/* Where the records before an insert position end. The position stands after the header of a page that has no
   record yet (24 bytes; 40 at a segment's start), which replay does not pass before one comes: taken as it is, it
   would make every replica of an idle primary look behind. */
uint64_t pqr__lsn_of_insert(uint64_t position);

/* "16/B374D848" (PostgreSQL manual, 8.20: two hexadecimal numbers of up to 8 digits). False, and out left alone,
   when text is NULL or anything else. */
bool pqr__lsn_parse(uint64_t *out, const char *text);

#endif
