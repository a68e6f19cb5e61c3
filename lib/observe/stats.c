#include "observe/stats.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/alloc.h"

int pqr__stats_new(struct pqr_stats **out, size_t n_pools, size_t text_bytes)
{
    if (n_pools > SIZE_MAX / 4 / sizeof(pqr_pool_stats) || text_bytes > SIZE_MAX / 4)
        return PQR_ENOMEM;
    /* The pools first: text needs no alignment. */
    size_t pools_at = (sizeof(struct pqr_stats) + _Alignof(max_align_t) - 1) & ~(_Alignof(max_align_t) - 1);
    size_t text_at = pools_at + n_pools * sizeof(pqr_pool_stats);
    char *block = pqr__calloc(1, text_at + text_bytes);
    if (!block)
        return PQR_ENOMEM;
    struct pqr_stats *stats = (struct pqr_stats *)(void *)block;
    stats->pools = (pqr_pool_stats *)(void *)(block + pools_at);
    stats->text = block + text_at;
    stats->text_size = text_bytes;
    stats->totals.struct_size = sizeof(stats->totals);
    stats->totals.n_pools = n_pools;
    for (size_t i = 0; i < n_pools; i++)
        stats->pools[i].server = stats->pools[i].host = stats->pools[i].port = stats->pools[i].problem =
            stats->pools[i].sizing = stats->pools[i].zone = "";
    *out = stats;
    return 0;
}

const char *pqr__stats_text(struct pqr_stats *stats, const char *string)
{
    size_t left = stats->text_size - stats->text_used;
    if (!string || left < 2)
        return "";
    size_t length = strnlen(string, left - 1);
    char *copy = stats->text + stats->text_used;
    memcpy(copy, string, length);
    copy[length] = '\0';
    stats->text_used += length + 1;
    return copy;
}

const pqr_router_totals *pqr_stats_totals(const pqr_stats *stats)
{
    return stats ? &stats->totals : NULL;
}

const pqr_pool_stats *pqr_stats_pool(const pqr_stats *stats, size_t index)
{
    return stats && index < stats->totals.n_pools ? &stats->pools[index] : NULL;
}

void pqr_stats_free(pqr_stats *stats)
{
    pqr__free(stats);
}
