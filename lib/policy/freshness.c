#include "policy/freshness.h"

#include <assert.h>
#include <stddef.h>

/* Every second moment of the older half goes. The one before a gap then stands for it, with an earlier time:
   a replica in the gap seems staler than it is, never fresher. */
static void thin_out(struct pqr__lsn_history *history)
{
    uint32_t half = history->count / 2, kept = 0;
    for (uint32_t i = 0; i < history->count; i++)
        if (i >= half || i % 2 == 0)
            history->moments[kept++] = history->moments[i];
    history->count = kept;
}

void pqr__lsn_history_note(struct pqr__lsn_history *history, uint64_t now_us, uint64_t lsn)
{
    while (history->count > 0 && history->moments[history->count - 1].lsn >= lsn)
        history->count--;
    if (history->count == PQR__LSN_MOMENTS)
        thin_out(history);
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
