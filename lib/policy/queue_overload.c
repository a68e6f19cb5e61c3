/* When more comes than can be served: who is turned away, and how long the others wait. */
#include "policy/queue.h"

uint64_t pqr__queue_waited_us(const struct pqr__queue *queue, const struct pqr__queue_entry *entry)
{
    uint64_t from_us = queue->fresh_us[entry->role];
    if (entry->entered_us > from_us)
        from_us = entry->entered_us;
    return queue->now_us > from_us ? queue->now_us - from_us : 0;
}

uint64_t pqr__queue_target_us(const struct pqr__queue *queue, unsigned lane)
{
    const struct pqr__queue_tuning *tuning = &queue->tuning;
    if (lane == PQR__LANE_ADMIN || tuning->target_us == 0)
        return 0;
    return tuning->target_us + (lane == PQR__LANE_BATCH ? tuning->batch_age_us : 0);
}

/* The oldest that may be turned away; exempt ones gather at the front, and are few. */
static struct pqr__queue_entry *oldest(const struct pqr__list *list)
{
    pqr__list_each (link, list)
        if (!pqr__queue_entry_of(link)->exempt)
            return pqr__queue_entry_of(link);
    return NULL;
}

struct pqr__queue_entry *pqr__queue_overdue(const struct pqr__queue *queue)
{
    for (unsigned lane = PQR__LANE_NORMAL; lane < PQR__LANES; lane++) {
        for (unsigned role = 0; queue->filled[lane] >> role != 0; role++) {
            if (!queue->codel[role][lane].overloaded)
                continue;
            struct pqr__queue_entry *entry = oldest(&queue->lanes[role][lane]);
            if (entry && pqr__queue_waited_us(queue, entry) > pqr__queue_target_us(queue, lane))
                return entry;
        }
    }
    return NULL;
}

void pqr__queue_refresh(struct pqr__queue *queue, unsigned roles)
{
    for (unsigned role = 0; role < PQR__QUEUE_ROLES; role++) {
        if (!(roles >> role & 1))
            continue;
        queue->fresh_us[role] = queue->now_us;
        if (queue->drain[role].since_us)
            pqr__drain_begin(&queue->drain[role], queue->now_us);
        for (unsigned lane = 0; lane < PQR__LANES; lane++)
            pqr__codel_emptied(&queue->codel[role][lane]);
    }
}

bool pqr__queue_overloaded(const struct pqr__queue *queue)
{
    for (unsigned role = 0; role < PQR__QUEUE_ROLES; role++)
        for (unsigned lane = 0; lane < PQR__LANES; lane++)
            if (queue->codel[role][lane].overloaded)
                return true;
    return false;
}

/* How many are served before who joins now: those in its lane and in more urgent ones, but of normal requests no more
   than their own times what they are sure to get of the turns. */
static uint32_t ahead_of(const struct pqr__queue *queue, enum pqr__queue_role role, enum pqr__lane lane)
{
    uint32_t ahead = 0, share = queue->tuning.normal_share;
    for (unsigned above = 0; above <= (unsigned)lane; above++)
        ahead += queue->lanes[role][above].count;
    if (lane != PQR__LANE_NORMAL || share == 0)
        return ahead;
    uint64_t by_share = ((uint64_t)queue->lanes[role][lane].count + 1) * 100 / share;
    return by_share < ahead ? (uint32_t)by_share : ahead;
}

uint64_t pqr__queue_expected_us(
    const struct pqr__queue *queue, enum pqr__queue_role role, enum pqr__lane lane)
{
    if (!pqr__queue_makes_wait(queue, role))
        return 0;
    uint32_t ahead = ahead_of(queue, role, lane);
    uint64_t wait_us = pqr__drain_wait_us(&queue->drain[role], ahead);
    uint64_t target_us = pqr__queue_target_us(queue, lane);
    /* In overload the newest is the first, and nobody waits longer than this. */
    return queue->codel[role][lane].overloaded && wait_us > target_us ? target_us : wait_us;
}

uint64_t pqr__queue_oldest_us(const struct pqr__queue *queue, unsigned roles, enum pqr__lane lowest)
{
    uint64_t longest_us = 0;
    for (unsigned role = 0; role < PQR__QUEUE_ROLES; role++) {
        for (unsigned lane = 0; lane <= (unsigned)lowest && (roles >> role & 1); lane++) {
            const struct pqr__queue_entry *entry = oldest(&queue->lanes[role][lane]);
            if (entry && queue->now_us - entry->entered_us > longest_us)
                longest_us = queue->now_us - entry->entered_us;
        }
    }
    return longest_us;
}
