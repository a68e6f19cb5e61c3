/* Windows of some length and of some count: a window of fewer would be told by chance. Two windows share the say, so
   that a pool that grows is believed soon. */
#include "policy/drain.h"

enum { WINDOW_US = 100000, WINDOW_TAKEN = 8 };

void pqr__drain_begin(struct pqr__drain *drain, uint64_t now_us)
{
    *drain = (struct pqr__drain){.since_us = now_us};
}

void pqr__drain_took(struct pqr__drain *drain, uint32_t n, uint64_t now_us)
{
    if (drain->since_us == 0)
        return;
    drain->taken += n;
    uint64_t took_us = now_us - drain->since_us;
    if (took_us < WINDOW_US || drain->taken < WINDOW_TAKEN)
        return;
    uint64_t gap_ns = took_us * 1000 / drain->taken;
    drain->gap_ns = drain->gap_ns ? (drain->gap_ns + gap_ns) / 2 : gap_ns;
    drain->since_us = now_us;
    drain->taken = 0;
}

void pqr__drain_end(struct pqr__drain *drain)
{
    *drain = (struct pqr__drain){0};
}

uint64_t pqr__drain_wait_us(const struct pqr__drain *drain, uint32_t ahead)
{
    return (uint64_t)ahead * drain->gap_ns / 1000;
}
