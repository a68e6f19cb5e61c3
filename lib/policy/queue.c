#include "policy/queue.h"

/* How far a server looks past entries that avoid it. */
enum { LOOK_AHEAD = 16 };

static struct pqr__queue_entry *entry_of(struct pqr__link *link)
{
    return pqr__container_of(link, struct pqr__queue_entry, link);
}

static struct pqr__list *list_of(struct pqr__queue *queue, const struct pqr__queue_entry *entry)
{
    return &queue->lanes[entry->role][entry->lane];
}

void pqr__queue_init(struct pqr__queue *queue, uint32_t max_entries, uint64_t max_bytes)
{
    *queue = (struct pqr__queue){.max_entries = max_entries, .max_bytes = max_bytes};
    for (unsigned role = 0; role < PQR__QUEUE_ROLES; role++)
        for (unsigned lane = 0; lane < PQR__LANES; lane++)
            pqr__list_init(&queue->lanes[role][lane]);
}

uint32_t pqr__queue_lane_count(const struct pqr__queue *queue, unsigned lane)
{
    uint32_t count = 0;
    for (unsigned role = 0; role < PQR__QUEUE_ROLES; role++)
        count += queue->lanes[role][lane].count;
    return count - queue->exempt[lane];
}

uint32_t pqr__queue_count(const struct pqr__queue *queue)
{
    return pqr__queue_lane_count(queue, PQR__LANE_ADMIN) + pqr__queue_lane_count(queue, PQR__LANE_NORMAL);
}

static bool fits(const struct pqr__queue *queue, const struct pqr__queue_entry *entry)
{
    return pqr__queue_lane_count(queue, entry->lane) < queue->max_entries &&
           entry->bytes <= queue->max_bytes && queue->bytes[entry->lane] <= queue->max_bytes - entry->bytes;
}

static void count_in(struct pqr__queue *queue, const struct pqr__queue_entry *entry)
{
    queue->bytes[entry->lane] += entry->bytes;
    queue->exempt[entry->lane] += entry->exempt;
}

bool pqr__queue_push(struct pqr__queue *queue, struct pqr__queue_entry *entry)
{
    assert(!entry->exempt || entry->bytes == 0);
    if (!entry->exempt && !fits(queue, entry))
        return false;
    entry->sequence = ++queue->last_sequence;
    pqr__list_push_back(list_of(queue, entry), &entry->link);
    count_in(queue, entry);
    return true;
}

void pqr__queue_return(struct pqr__queue *queue, struct pqr__queue_entry *entry)
{
    struct pqr__list *list = list_of(queue, entry);
    struct pqr__link *where = list->head.next;
    if (entry->sequence == 0)
        entry->sequence = ++queue->last_sequence;
    while (where != &list->head && entry_of(where)->sequence < entry->sequence)
        where = where->next;
    pqr__list_insert_before(list, where, &entry->link);
    count_in(queue, entry);
}

void pqr__queue_remove(struct pqr__queue *queue, struct pqr__queue_entry *entry)
{
    pqr__list_remove(list_of(queue, entry), &entry->link);
    queue->bytes[entry->lane] -= entry->bytes;
    queue->exempt[entry->lane] -= entry->exempt;
}

static struct pqr__queue_entry *first_for(const struct pqr__list *list, uint32_t server)
{
    unsigned looked = 0;
    pqr__list_each (link, list) {
        if (!(entry_of(link)->avoid >> server & 1))
            return entry_of(link);
        if (++looked == LOOK_AHEAD)
            break;
    }
    return NULL;
}

struct pqr__queue_entry *pqr__queue_take(
    struct pqr__queue *queue, unsigned roles, enum pqr__lane lowest, uint32_t server)
{
    for (unsigned lane = 0; lane <= (unsigned)lowest; lane++) {
        struct pqr__queue_entry *oldest = NULL;
        for (unsigned role = 0; role < PQR__QUEUE_ROLES; role++) {
            if (!(roles >> role & 1))
                continue;
            struct pqr__queue_entry *entry = first_for(&queue->lanes[role][lane], server);
            if (entry && (!oldest || entry->sequence < oldest->sequence))
                oldest = entry;
        }
        if (oldest) {
            pqr__queue_remove(queue, oldest);
            return oldest;
        }
    }
    return NULL;
}

uint32_t pqr__queue_waiting(const struct pqr__queue *queue, unsigned roles, enum pqr__lane lane)
{
    uint32_t count = 0;
    for (unsigned role = 0; role < PQR__QUEUE_ROLES; role++)
        if (roles >> role & 1)
            count += queue->lanes[role][lane].count;
    return count;
}

struct pqr__queue_entry *pqr__queue_any(const struct pqr__queue *queue)
{
    for (unsigned role = 0; role < PQR__QUEUE_ROLES; role++)
        for (unsigned lane = 0; lane < PQR__LANES; lane++)
            if (!pqr__list_empty(&queue->lanes[role][lane]))
                return entry_of(pqr__list_first(&queue->lanes[role][lane]));
    return NULL;
}

void pqr__queue_forgive(struct pqr__queue *queue)
{
    for (unsigned role = 0; role < PQR__QUEUE_ROLES; role++)
        for (unsigned lane = 0; lane < PQR__LANES; lane++)
            pqr__list_each (link, &queue->lanes[role][lane])
                entry_of(link)->avoid = 0;
}
