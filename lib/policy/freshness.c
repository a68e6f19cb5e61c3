#include "policy/freshness.h"

#include <assert.h>
#include <stddef.h>

/* By how much a replica just short of moment i + 1 would seem staler if moment i were gone: its moment would be
   i - 1. Above 1, and the same for a gap of a second, a minute ago, as for a gap of a minute, an hour ago. */
static double exaggeration(const struct pqr__lsn_history *history, uint32_t i, uint64_t now_us)
{
    uint64_t seems_us = now_us - history->moments[i - 1].time_us;
    uint64_t is_us = now_us - history->moments[i + 1].time_us;
    return (double)seems_us / (double)(is_us + 1);
}

/* Makes room at the place where it costs least. The moment before the gap then stands for it, with an earlier
   time: a replica in the gap seems staler than it is, never fresher. */
static void thin_out(struct pqr__lsn_history *history, uint64_t now_us)
{
    uint32_t victim = 1;
    double least = exaggeration(history, 1, now_us);
    for (uint32_t i = 2; i + 1 < history->count; i++) {
        double cost = exaggeration(history, i, now_us);
        if (cost < least) {
            least = cost;
            victim = i;
        }
    }
    history->count--;
    for (uint32_t i = victim; i < history->count; i++)
        history->moments[i] = history->moments[i + 1];
}

void pqr__lsn_history_note(struct pqr__lsn_history *history, uint64_t now_us, uint64_t lsn)
{
    while (history->count > 0 && history->moments[history->count - 1].lsn >= lsn)
        history->count--;
    if (history->count == PQR__LSN_MOMENTS)
        thin_out(history, now_us);
    assert(history->count < PQR__LSN_MOMENTS);
    history->moments[history->count].time_us = now_us;
    history->moments[history->count].lsn = lsn;
    history->count++;
}

int64_t pqr__staleness_us(const struct pqr__lsn_history *history, uint64_t replayed_lsn, uint64_t now_us)
{
    uint32_t reached = history->count;
    while (reached > 0 && history->moments[reached - 1].lsn > replayed_lsn)
        reached--;
    if (reached == 0)
        return -1;
    if (reached == history->count)
        return 0;
    uint64_t then_us = history->moments[reached - 1].time_us;
    return now_us > then_us ? (int64_t)(now_us - then_us) : 0;
}

uint64_t pqr__lsn_of_insert(uint64_t position)
{
    enum { PAGE = 8192, SHORT_HEADER = 24, LONG_HEADER = 40 };
    const uint64_t smallest_segment = 1u << 20; /* initdb --wal-segsize */

    if (position % PAGE == SHORT_HEADER)
        return position - SHORT_HEADER;
    if (position % smallest_segment == LONG_HEADER)
        return position - LONG_HEADER;
    return position;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* 1 to 8 digits; what follows them, or NULL. */
static const char *half_parse(uint64_t *out, const char *text)
{
    uint64_t value = 0;
    int digits = 0;
    for (; hex_digit(*text) >= 0; text++) {
        if (++digits > 8)
            return NULL;
        value = value << 4 | (uint64_t)hex_digit(*text);
    }
    *out = value;
    return digits > 0 ? text : NULL;
}

bool pqr__lsn_parse(uint64_t *out, const char *text)
{
    uint64_t high = 0, low = 0;
    const char *rest = text ? half_parse(&high, text) : NULL;
    if (!rest || *rest != '/')
        return false;
    rest = half_parse(&low, rest + 1);
    if (!rest || *rest != '\0')
        return false;
    *out = high << 32 | low;
    return true;
}
