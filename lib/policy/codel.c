#include "policy/codel.h"

#include <assert.h>

/* Fewer than so many eighths of those that waited an interval ago: the queue drains; more than so many: it grows. */
enum { DRAINS = 7, GROWS = 9 };

/* Above the target for long enough: half of the interval when more wait than at its beginning, which no burst that is
   being served does. */
static bool stands(const struct pqr__codel *codel, uint32_t left, uint64_t above_us, uint64_t interval_us)
{
    if (above_us >= interval_us)
        return (uint64_t)left * 8 >= (uint64_t)codel->left_then * DRAINS;
    return above_us >= interval_us / 2 && (uint64_t)left * 8 > (uint64_t)codel->left_then * GROWS;
}

void pqr__codel_took(struct pqr__codel *codel, uint64_t waited_us, uint32_t left, uint64_t now_us,
    uint64_t target_us, uint64_t interval_us)
{
    assert(now_us > 0);
    if (codel->overloaded) /* the newest go first now: their waits tell nothing */
        return;
    uint64_t above_us = now_us - codel->above_since_us; /* if it is */
    if (target_us == 0 || waited_us <= target_us) {
        codel->above_since_us = 0;
    } else if (codel->above_since_us > 0 && stands(codel, left, above_us, interval_us)) {
        codel->overloaded = true;
    } else if (codel->above_since_us == 0 || above_us >= interval_us) {
        codel->above_since_us = now_us;
        codel->left_then = left;
    }
}

void pqr__codel_emptied(struct pqr__codel *codel)
{
    *codel = (struct pqr__codel){0};
}
