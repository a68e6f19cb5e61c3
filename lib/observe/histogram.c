#include "observe/histogram.h"

static unsigned bucket_of(uint64_t us)
{
    if (us > UINT32_MAX)
        return PQR__HISTOGRAM_BUCKETS - 1;
    /* The leading bit picks the row, the four below it the bucket; up to 15 there is one row, the first. */
    unsigned row = 31u - (unsigned)__builtin_clz((unsigned)us | 16) - 4;
    return 16 * row + (unsigned)(us >> row);
}

/* The highest value that falls into it. */
static uint64_t bucket_top(unsigned bucket)
{
    if (bucket < 16)
        return bucket;
    unsigned row = bucket / 16 - 1;
    return ((uint64_t)(bucket - 16 * row + 1) << row) - 1;
}

void pqr__histogram_record_many(struct pqr__histogram *histogram, uint32_t n, uint64_t us)
{
    if (us != histogram->latest_us) {
        histogram->latest_us = us;
        histogram->latest = bucket_of(us);
        if (us > histogram->max_us)
            histogram->max_us = us;
    }
    histogram->buckets[histogram->latest] += n;
}

void pqr__histogram_record(struct pqr__histogram *histogram, uint64_t us)
{
    pqr__histogram_record_many(histogram, 1, us);
}

static uint64_t quantile(const struct pqr__histogram *histogram, uint64_t count, unsigned percent)
{
    /* Rounded up, without overflow: at least this many records are at or below the answer. */
    uint64_t rank = count / 100 * percent + (count % 100 * percent + 99) / 100;
    uint64_t seen = 0;
    for (unsigned i = 0; i < PQR__HISTOGRAM_BUCKETS - 1; i++) {
        seen += histogram->buckets[i];
        if (seen >= rank)
            return bucket_top(i) < histogram->max_us ? bucket_top(i) : histogram->max_us;
    }
    return histogram->max_us;
}

void pqr__histogram_summary(const struct pqr__histogram *histogram, pqr_latency *out)
{
    *out = (pqr_latency){.max_us = histogram->max_us};
    for (unsigned i = 0; i < PQR__HISTOGRAM_BUCKETS; i++)
        out->count += histogram->buckets[i];
    if (out->count == 0)
        return;
    out->p50_us = quantile(histogram, out->count, 50);
    out->p90_us = quantile(histogram, out->count, 90);
    out->p99_us = quantile(histogram, out->count, 99);
}
