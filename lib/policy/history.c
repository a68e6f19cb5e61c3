#include "policy/history.h"

void pqr__history_done(struct pqr__history *history, uint64_t took_us)
{
    uint32_t took = took_us < PQR__HISTORY_MAX_US ? (uint32_t)took_us : PQR__HISTORY_MAX_US;
    if (!history->known) {
        history->known = true;
        history->mean_us_8 = took * 8;
        history->deviation_us_4 = took * 2; /* a half */
    } else {
        uint32_t mean = history->mean_us_8 / 8;
        uint32_t apart = took > mean ? took - mean : mean - took;
        history->deviation_us_4 += apart - history->deviation_us_4 / 4;
        history->mean_us_8 += took - mean;
    }
    if (history->clean < PQR__HISTORY_CLEAN)
        history->clean++;
}

void pqr__history_failed(struct pqr__history *history)
{
    history->clean = 0;
}

uint64_t pqr__history_mean_us(const struct pqr__history *history)
{
    return history->known ? history->mean_us_8 / 8 : UINT64_MAX;
}

uint64_t pqr__history_bound_us(const struct pqr__history *history)
{
    if (!history->known)
        return UINT64_MAX;
    return history->mean_us_8 / 8 + (uint64_t)history->deviation_us_4;
}

bool pqr__history_is_fast(const struct pqr__history *history, uint64_t limit_us)
{
    return history->clean >= PQR__HISTORY_CLEAN && pqr__history_bound_us(history) <= limit_us;
}
