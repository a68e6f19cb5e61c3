#include "policy/codel.h"

#include <assert.h>

/* Fewer than so many eighths of those that waited an interval ago: the queue drains. */
enum { EIGHTHS = 7 };

void pqr__codel_took(struct pqr__codel *codel, uint64_t waited_us, uint32_t left, uint64_t now_us,
    uint64_t target_us, uint64_t interval_us)
{
    assert(now_us > 0);
    if (codel->overloaded) /* the newest go first now: their waits tell nothing */
        return;
    bool above = target_us > 0 && waited_us > target_us;
    bool over = codel->above_since_us > 0 && now_us - codel->above_since_us >= interval_us;
    bool drains = (uint64_t)left * 8 < (uint64_t)codel->left_then * EIGHTHS;
    if (!above) {
        codel->above_since_us = 0;
    } else if (over && !drains) {
        codel->overloaded = true;
    } else if (codel->above_since_us == 0 || over) {
        codel->above_since_us = now_us;
        codel->left_then = left;
    }
}

void pqr__codel_emptied(struct pqr__codel *codel)
{
    *codel = (struct pqr__codel){0};
}
