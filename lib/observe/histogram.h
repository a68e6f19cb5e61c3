/* Times, counted in buckets whose width is a sixteenth of their value: quantiles of any number of records in a
   fixed 3.7 kB, and a record costs a few instructions. */
#ifndef PQR_OBSERVE_HISTOGRAM_H
#define PQR_OBSERVE_HISTOGRAM_H

#include "pqrouter.h"

/* 16 of width 1 for 0 .. 15, then 16 a power of two up to 2^32 us (71 minutes); longer ones share the last. */
enum { PQR__HISTOGRAM_BUCKETS = 16 + 28 * 16 };

/* Zeroed it is empty. */
struct pqr__histogram {
    uint64_t buckets[PQR__HISTOGRAM_BUCKETS];
    uint64_t max_us;
    uint64_t latest_us; /* what was recorded last: answers that come together took as long */
    unsigned latest;    /* its bucket */
};

void pqr__histogram_record(struct pqr__histogram *histogram, uint64_t us);
/* The same n times. */
void pqr__histogram_record_many(struct pqr__histogram *histogram, uint32_t n, uint64_t us);
/* A quantile is the highest value of its bucket, but never over the highest one recorded: at most a sixteenth
   too high, never too low. */
void pqr__histogram_summary(const struct pqr__histogram *histogram, pqr_latency *out);

#endif
