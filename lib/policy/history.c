#include "policy/history.h"

void pqr__history_done_many(struct pqr__history *history, uint32_t n, uint64_t took_us)
{
    uint32_t took = took_us < PQR__HISTORY_MAX_US ? (uint32_t)took_us : PQR__HISTORY_MAX_US;
    uint32_t mean_8 = history->mean_us_8, deviation_4 = history->deviation_us_4;
    uint32_t left = PQR__HISTORY_CLEAN - history->clean;
    history->clean += n < left ? n : left;
    if (!history->known) {
        history->known = true;
        mean_8 = took * 8;
        deviation_4 = took * 2; /* a half */
        n--;
    }
    for (; n > 0; n--) {
        uint32_t mean = mean_8 / 8, apart = took > mean ? took - mean : mean - took;
        deviation_4 += apart - deviation_4 / 4;
        mean_8 += took - mean;
    }
    history->mean_us_8 = mean_8;
    history->deviation_us_4 = deviation_4;
}

void pqr__history_done(struct pqr__history *history, uint64_t took_us)
{
    pqr__history_done_many(history, 1, took_us);
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
