#include "policy/queue.h"

#include "base/seldom.h"

enum {
    LOOK_AHEAD = 16, /* how far a server looks past entries that avoid it */
    TURN = 100,      /* the credit that a turn costs */
    CREDIT_MAX =
        8 * TURN, /* what was owed for long, to whom no connection could be given, is no reason for a burst */
};

static struct pqr__list *list_of(struct pqr__queue *queue, const struct pqr__queue_entry *entry)
{
    return &queue->lanes[entry->role][entry->lane];
}

void pqr__queue_init(struct pqr__queue *queue, uint32_t max_entries, uint64_t max_bytes)
{
    *queue = (struct pqr__queue){.max_entries = max_entries, .max_bytes = max_bytes, .now_us = 1};
    for (unsigned role = 0; role < PQR__QUEUE_ROLES; role++)
        for (unsigned lane = 0; lane < PQR__LANES; lane++)
            pqr__list_init(&queue->lanes[role][lane]);
}

void pqr__queue_time(struct pqr__queue *queue, uint64_t now_us)
{
    if (now_us > queue->now_us)
        queue->now_us = now_us;
}

uint32_t pqr__queue_lane_count(const struct pqr__queue *queue, unsigned lane)
{
    return queue->count[lane];
}

uint32_t pqr__queue_count(const struct pqr__queue *queue)
{
    uint32_t count = 0;
    for (unsigned lane = 0; lane < PQR__LANES; lane++)
        count += pqr__queue_lane_count(queue, lane);
    return count;
}

static bool fits(const struct pqr__queue *queue, const struct pqr__queue_entry *entry)
{
    return pqr__queue_lane_count(queue, entry->lane) < queue->max_entries &&
           queue->bytes[entry->lane] + entry->bytes <= queue->max_bytes;
}

static bool is_empty(const struct pqr__queue *queue, unsigned role)
{
    unsigned filled = 0;
    for (unsigned lane = 0; lane < PQR__LANES; lane++)
        filled |= queue->filled[lane];
    return (filled >> role & 1) == 0;
}

/* The first of its list. */
static void note_filled(struct pqr__queue *queue, const struct pqr__queue_entry *entry)
{
    if (is_empty(queue, entry->role))
        pqr__drain_begin(&queue->drain[entry->role], queue->now_us);
    queue->filled[entry->lane] |= (uint8_t)(1u << entry->role);
}

/* Before it is put into its list. */
static void count_in(struct pqr__queue *queue, const struct pqr__list *list, struct pqr__queue_entry *entry)
{
    if (entry->sequence == 0) {
        entry->sequence = ++queue->last_sequence;
        entry->entered_us = queue->now_us;
    }
    if (pqr__list_empty(list))
        note_filled(queue, entry);
    queue->bytes[entry->lane] += entry->bytes;
    queue->count[entry->lane] += !entry->exempt;
}

PQR__OFTEN bool pqr__queue_push(struct pqr__queue *queue, struct pqr__queue_entry *entry)
{
    if (entry->exempt)
        assert(entry->bytes == 0);
    else if (!fits(queue, entry))
        return false;
    struct pqr__list *list = list_of(queue, entry);
    entry->sequence = 0;
    count_in(queue, list, entry);
    pqr__list_push_back(list, &entry->link);
    return true;
}

/* Not before where; returns what is behind it then. */
static struct pqr__link *put_back(
    struct pqr__queue *queue, struct pqr__queue_entry *entry, struct pqr__link *where)
{
    struct pqr__list *list = list_of(queue, entry);
    count_in(queue, list, entry);
    while (where != &list->head && pqr__queue_entry_of(where)->sequence < entry->sequence)
        where = where->next;
    pqr__list_insert_before(list, where, &entry->link);
    return where;
}

void pqr__queue_return(struct pqr__queue *queue, struct pqr__queue_entry *entry)
{
    put_back(queue, entry, list_of(queue, entry)->head.next);
}

void pqr__queue_return_all(struct pqr__queue *queue, struct pqr__list *entries)
{
    struct pqr__link *link, *where[PQR__QUEUE_ROLES] = {NULL};
    while ((link = pqr__list_first(entries)) != NULL) {
        struct pqr__queue_entry *entry = pqr__queue_entry_of(link);
        struct pqr__link **at = &where[entry->role];
        pqr__list_remove(entries, link);
        *at = put_back(queue, entry, *at ? *at : list_of(queue, entry)->head.next);
    }
}

/* The last of its list. */
static void note_emptied(struct pqr__queue *queue, const struct pqr__queue_entry *entry)
{
    queue->filled[entry->lane] &= (uint8_t) ~(1u << entry->role);
    pqr__codel_emptied(&queue->codel[entry->role][entry->lane]);
    if (is_empty(queue, entry->role))
        pqr__drain_end(&queue->drain[entry->role]);
}

static void take_out(struct pqr__queue *queue, struct pqr__list *list, struct pqr__queue_entry *entry)
{
    pqr__list_remove(list, &entry->link);
    queue->bytes[entry->lane] -= entry->bytes;
    queue->count[entry->lane] -= !entry->exempt;
    if (pqr__list_empty(list))
        note_emptied(queue, entry);
}

void pqr__queue_remove(struct pqr__queue *queue, struct pqr__queue_entry *entry)
{
    take_out(queue, list_of(queue, entry), entry);
}

/* --- whose turn it is --- */

static unsigned lowest_of(unsigned bits)
{
    return (unsigned)__builtin_ctz(bits);
}

static struct pqr__link *behind(const struct pqr__link *link, bool newest)
{
    return newest ? link->prev : link->next;
}

static bool avoids(struct pqr__link *link, uint32_t server)
{
    return pqr__queue_entry_of(link)->avoid >> server & 1;
}

static struct pqr__queue_entry *look_behind(
    const struct pqr__list *list, struct pqr__link *link, bool newest, uint32_t server)
{
    for (unsigned looked = 1; looked < LOOK_AHEAD; looked++) {
        link = behind(link, newest);
        if (link == &list->head)
            break;
        if (!avoids(link, server))
            return pqr__queue_entry_of(link);
    }
    return NULL;
}

/* Of a list in which somebody waits: in order, or in overload from the end. */
static struct pqr__queue_entry *first_of_list(
    const struct pqr__queue *queue, unsigned role, unsigned lane, uint32_t server)
{
    const struct pqr__list *list = &queue->lanes[role][lane];
    bool newest = queue->codel[role][lane].overloaded;
    struct pqr__link *first = behind(&list->head, newest);
    return avoids(first, server) ? look_behind(list, first, newest, server) : pqr__queue_entry_of(first);
}

static bool in_overload(const struct pqr__queue *queue, const struct pqr__queue_entry *entry)
{
    return queue->codel[entry->role][entry->lane].overloaded;
}

/* The older one; of two in overload the newer. */
static bool goes_first(const struct pqr__queue *queue, const struct pqr__queue_entry *entry,
    const struct pqr__queue_entry *other)
{
    bool older = entry->sequence < other->sequence;
    return in_overload(queue, entry) && in_overload(queue, other) ? !older : older;
}

static struct pqr__queue_entry *first_of_lane(
    const struct pqr__queue *queue, unsigned roles, unsigned lane, uint32_t server)
{
    unsigned wanted = roles & queue->filled[lane];
    if (!wanted)
        return NULL;
    struct pqr__queue_entry *first = first_of_list(queue, lowest_of(wanted), lane, server);
    while ((wanted &= wanted - 1) != 0) {
        struct pqr__queue_entry *entry = first_of_list(queue, lowest_of(wanted), lane, server);
        if (entry && (!first || goes_first(queue, entry, first)))
            first = entry;
    }
    return first;
}

/* The lane is owed a part of the turn of a more urgent one, or now has it. */
static void yield_to(struct pqr__turn *turn, const struct pqr__queue *queue, struct pqr__queue_entry *entry,
    uint32_t share, bool allowed)
{
    turn->contended |= (uint8_t)(1u << entry->lane);
    if (allowed && queue->credit[entry->lane] + share >= TURN)
        turn->entry = entry;
}

static bool has_aged(const struct pqr__queue *queue, unsigned roles)
{
    for (unsigned role = 0; role < PQR__QUEUE_ROLES; role++) {
        const struct pqr__list *list = &queue->lanes[role][PQR__LANE_BATCH];
        if (!(roles >> role & 1) || pqr__list_empty(list))
            continue;
        const struct pqr__queue_entry *oldest = pqr__queue_entry_of(pqr__list_first(list));
        if (pqr__queue_waited_us(queue, oldest) >= queue->tuning.batch_age_us)
            return true;
    }
    return false;
}

static struct pqr__turn turn_of_lanes(
    const struct pqr__queue *queue, unsigned roles, enum pqr__lane lowest, uint32_t server)
{
    const struct pqr__queue_tuning *tuning = &queue->tuning;
    struct pqr__turn turn = {0};
    struct pqr__queue_entry *first[PQR__LANES];
    for (unsigned lane = 0; lane < PQR__LANES; lane++) {
        first[lane] = first_of_lane(queue, roles, lane, server);
        if (!turn.entry && lane <= (unsigned)lowest)
            turn.entry = first[lane];
    }
    struct pqr__queue_entry *normal = first[PQR__LANE_NORMAL], *batch = first[PQR__LANE_BATCH];
    if (!turn.entry)
        return turn;
    if (normal && turn.entry->lane < PQR__LANE_NORMAL)
        yield_to(&turn, queue, normal, tuning->normal_share, lowest >= PQR__LANE_NORMAL);
    if (batch && turn.entry->lane < PQR__LANE_BATCH && has_aged(queue, roles))
        yield_to(&turn, queue, batch, tuning->batch_share, lowest >= PQR__LANE_BATCH);
    return turn;
}

struct pqr__turn pqr__queue_turn(
    const struct pqr__queue *queue, unsigned roles, enum pqr__lane lowest, uint32_t server)
{
    bool only_normal = ((queue->filled[PQR__LANE_ADMIN] | queue->filled[PQR__LANE_BATCH]) & roles) == 0;
    if (only_normal && lowest >= PQR__LANE_NORMAL) /* as it is most of the time */
        return (struct pqr__turn){.entry = first_of_lane(queue, roles, PQR__LANE_NORMAL, server)};
    return turn_of_lanes(queue, roles, lowest, server);
}

static PQR__SELDOM void settle_credit(struct pqr__queue *queue, struct pqr__turn turn)
{
    const uint32_t share[PQR__LANES] = {0, queue->tuning.normal_share, queue->tuning.batch_share};
    for (unsigned lane = PQR__LANE_NORMAL; lane < PQR__LANES; lane++) {
        if (!(turn.contended >> lane & 1))
            continue;
        uint32_t credit = queue->credit[lane] + share[lane];
        if (turn.entry->lane == lane)
            credit -= TURN;
        queue->credit[lane] = credit < CREDIT_MAX ? credit : CREDIT_MAX;
    }
}

/* While others wait behind them, or as the last: so many, and this one is the last of them. Of the others of a row
   CoDel has nothing to learn: they were all taken at this moment, and those before it waited no less. */
static void note_taken(
    struct pqr__queue *queue, const struct pqr__list *list, const struct pqr__queue_entry *entry, uint32_t n)
{
    if (!entry->exempt)
        pqr__codel_took(&queue->codel[entry->role][entry->lane], pqr__queue_waited_us(queue, entry),
            list->count - n, queue->now_us, pqr__queue_target_us(queue, entry->lane),
            queue->tuning.interval_us);
    pqr__drain_took(&queue->drain[entry->role], n, queue->now_us);
}

void pqr__queue_take(struct pqr__queue *queue, struct pqr__turn turn)
{
    struct pqr__list *list = list_of(queue, turn.entry);
    if (turn.contended)
        settle_credit(queue, turn);
    note_taken(queue, list, turn.entry, 1);
    take_out(queue, list, turn.entry);
}

struct pqr__list *pqr__queue_row(
    struct pqr__queue *queue, unsigned roles, const struct pqr__queue_entry *entry)
{
    for (unsigned lane = 0; lane < PQR__LANES; lane++)
        if ((queue->filled[lane] & roles) != (lane == entry->lane ? 1u << entry->role : 0))
            return NULL;
    return in_overload(queue, entry) ? NULL : list_of(queue, entry);
}

void pqr__queue_take_row(struct pqr__queue *queue, struct pqr__queue_entry *last, uint32_t n, uint64_t bytes,
    struct pqr__list *out)
{
    struct pqr__list *list = list_of(queue, last);
    note_taken(queue, list, last, n);
    pqr__list_move(list, &last->link, n, out);
    queue->bytes[last->lane] -= bytes;
    queue->count[last->lane] -= n;
    if (pqr__list_empty(list))
        note_emptied(queue, last);
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
    for (unsigned lane = 0; lane < PQR__LANES; lane++)
        if (queue->filled[lane])
            return pqr__queue_entry_of(pqr__list_first(&queue->lanes[lowest_of(queue->filled[lane])][lane]));
    return NULL;
}

static void forgive(struct pqr__queue *queue, uint64_t servers)
{
    for (unsigned role = 0; role < PQR__QUEUE_ROLES; role++)
        for (unsigned lane = 0; lane < PQR__LANES; lane++)
            pqr__list_each (link, &queue->lanes[role][lane])
                pqr__queue_entry_of(link)->avoid &= ~servers;
}

void pqr__queue_forgive(struct pqr__queue *queue)
{
    forgive(queue, UINT64_MAX);
}

void pqr__queue_forgive_server(struct pqr__queue *queue, uint32_t server)
{
    forgive(queue, UINT64_C(1) << server);
}
