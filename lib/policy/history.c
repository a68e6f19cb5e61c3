#include "policy/history.h"

enum { ONE = 65536, AT_ONCE = 16 };

/* (7 / 8)^n and (3 / 4)^n of ONE: what n executions leave of the distance of the mean from how long they took, and of
   the deviation. */
static const uint16_t mean_left[AT_ONCE + 1] = {0, 57344, 50176, 43904, 38416, 33614, 29412, 25736, 22519,
    19704, 17241, 15086, 13200, 11550, 10106, 8843, 7738};
static const uint16_t deviation_left[AT_ONCE + 1] = {
    0, 49152, 36864, 27648, 20736, 15552, 11664, 8748, 6561, 4921, 3691, 2768, 2076, 1557, 1168, 876, 657};

/* n times: deviation = 3/4 deviation + 1/4 |distance|, distance = 7/8 distance; the sum of that series in one. */
static void draw_closer(struct pqr__history *history, uint32_t n, uint32_t took)
{
    int64_t distance_8 = (int64_t)history->mean_us_8 - 8 * (int64_t)took;
    uint64_t apart_8 = (uint64_t)(distance_8 < 0 ? -distance_8 : distance_8);
    uint64_t deviation_4 = (uint64_t)history->deviation_us_4 * deviation_left[n] +
                           apart_8 * (uint64_t)(mean_left[n] - deviation_left[n]);
    history->deviation_us_4 = (uint32_t)(deviation_4 / ONE);
    history->mean_us_8 = (uint32_t)(8 * (int64_t)took + distance_8 * mean_left[n] / ONE);
}

void pqr__history_done_many(struct pqr__history *history, uint32_t n, uint64_t took_us)
{
    uint32_t took = took_us < PQR__HISTORY_MAX_US ? (uint32_t)took_us : PQR__HISTORY_MAX_US;
    uint32_t left = PQR__HISTORY_CLEAN - history->clean;
    history->clean += n < left ? n : left;
    if (!history->known) {
        history->known = true;
        history->mean_us_8 = took * 8;
        history->deviation_us_4 = took * 2; /* a half */
        n--;
    }
    for (; n > AT_ONCE; n -= AT_ONCE)
        draw_closer(history, AT_ONCE, took);
    if (n > 0)
        draw_closer(history, n, took);
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
