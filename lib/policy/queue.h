/* Where accepted requests wait: one queue a role, each a row of lanes, bounded by entries and bytes. A request
   waits for its role, never behind one server. Each lane has the bounds for itself, so that a flood of normal
   requests leaves room for an administrator's. Pure: entries are the caller's memory, the time is told to it.

   Whose turn it is: the most urgent lane, the oldest in it. But
   - normal requests get normal_share of what they and administrators both want;
   - batch requests that have waited for batch_age get batch_share of what they and others both want;
   - a list of normal or batch requests in overload (codel.h) serves its newest first. */
#ifndef PQR_POLICY_QUEUE_H
#define PQR_POLICY_QUEUE_H

#include "base/list.h"
#include "policy/codel.h"
#include "policy/drain.h"

enum pqr__queue_role {
    PQR__QUEUE_PRIMARY,
    PQR__QUEUE_REPLICA,      /* the primary may serve it when no replica can */
    PQR__QUEUE_REPLICA_ONLY, /* apart, so that the primary need not search behind it */
    PQR__QUEUE_ANY,
    PQR__QUEUE_ROLES
};

enum pqr__lane { PQR__LANE_ADMIN, PQR__LANE_NORMAL, PQR__LANE_BATCH, PQR__LANES };

enum {
    PQR__MASK_PRIMARY = 1u << PQR__QUEUE_PRIMARY,
    PQR__MASK_REPLICA = 1u << PQR__QUEUE_REPLICA,
    PQR__MASK_REPLICA_ONLY = 1u << PQR__QUEUE_REPLICA_ONLY,
    PQR__MASK_ANY = 1u << PQR__QUEUE_ANY,
    PQR__MASK_ALL = (1u << PQR__QUEUE_ROLES) - 1,
};

struct pqr__queue_entry {
    struct pqr__link link;
    uint64_t sequence;   /* 0: never queued; kept when it comes back */
    uint64_t entered_us; /* when it was queued first */
    uint64_t avoid;      /* bit n: not on server n */
    uint64_t bytes;      /* which of all that ever wait at a time add up in 64 bits */
    uint8_t role;        /* enum pqr__queue_role */
    uint8_t lane;        /* enum pqr__lane */
    bool exempt;         /* the router's own: takes no place from anybody, is never turned away; bytes is 0 */
};

/* Zeroed: strict priority, and nothing is overload. */
struct pqr__queue_tuning {
    uint32_t normal_share, batch_share; /* percent */
    uint64_t batch_age_us;
    uint64_t target_us, interval_us; /* batch requests may wait for batch_age longer */
};

struct pqr__queue {
    struct pqr__list lanes[PQR__QUEUE_ROLES][PQR__LANES];
    uint8_t filled[PQR__LANES]; /* bit r: somebody waits in the lane for role r */
    struct pqr__codel codel[PQR__QUEUE_ROLES][PQR__LANES];
    struct pqr__drain drain[PQR__QUEUE_ROLES];
    uint64_t fresh_us[PQR__QUEUE_ROLES]; /* waits count from here: before, no server took from it */
    uint64_t now_us;                     /* see pqr__queue_time */
    uint64_t last_sequence;
    uint64_t bytes[PQR__LANES];
    uint32_t count[PQR__LANES];  /* of the entries, exempt ones left out */
    uint32_t credit[PQR__LANES]; /* hundredths of a turn that the more urgent ones owe */
    uint32_t max_entries;        /* of a lane, as max_bytes */
    uint64_t max_bytes;
    struct pqr__queue_tuning tuning;
};

void pqr__queue_init(struct pqr__queue *queue, uint32_t max_entries, uint64_t max_bytes);
/* The time for all that follows. */
void pqr__queue_time(struct pqr__queue *queue, uint64_t now_us);

/* At the end of its lane; false: its lane is full, which it never is for an exempt entry. */
bool pqr__queue_push(struct pqr__queue *queue, struct pqr__queue_entry *entry);

/* Back to where it was by its sequence; it was accepted, so bounds do not refuse it. */
void pqr__queue_return(struct pqr__queue *queue, struct pqr__queue_entry *entry);
/* The same of many, in the order of their sequence and all of one lane: each list is gone through once. entries is
   empty after it. */
void pqr__queue_return_all(struct pqr__queue *queue, struct pqr__list *entries);

void pqr__queue_remove(struct pqr__queue *queue, struct pqr__queue_entry *entry);

/* Whose turn it is; good until the queue changes. */
struct pqr__turn {
    struct pqr__queue_entry *entry; /* NULL: nobody's */
    uint8_t contended;              /* bit l: lane l wanted it too, and is owed a part of it */
};

/* In the lanes down to `lowest`, among the roles of the mask, not avoiding the server. Looks at no more than a few
   entries of each list. */
struct pqr__turn pqr__queue_turn(
    const struct pqr__queue *queue, unsigned roles, enum pqr__lane lowest, uint32_t server);
/* Takes out the entry whose turn it is, which there has to be. */
void pqr__queue_take(struct pqr__queue *queue, struct pqr__turn turn);

/* The list of an entry, which was just taken out of it in its turn, when nobody else waits for these roles and it is
   served in order: those in it have the next turns, one after the other, but for those that avoid the server. NULL: it
   is not as simple as that. */
struct pqr__list *pqr__queue_row(
    struct pqr__queue *queue, unsigned roles, const struct pqr__queue_entry *entry);
/* Takes out the first ones of a row up to last, n of them, of so many bytes, none of them exempt. */
void pqr__queue_take_row(struct pqr__queue *queue, struct pqr__queue_entry *last, uint32_t n, uint64_t bytes,
    struct pqr__list *out);

/* Entries waiting in one lane, over the roles of the mask. */
uint32_t pqr__queue_waiting(const struct pqr__queue *queue, unsigned roles, enum pqr__lane lane);
/* All, but for exempt ones. */
uint32_t pqr__queue_count(const struct pqr__queue *queue);
/* The same of one lane, over all roles. */
uint32_t pqr__queue_lane_count(const struct pqr__queue *queue, unsigned lane);

/* An entry of any role and lane, NULL when empty: for closing. */
struct pqr__queue_entry *pqr__queue_any(const struct pqr__queue *queue);

/* No entry avoids any server any longer: roles have changed. */
void pqr__queue_forgive(struct pqr__queue *queue);
/* The same of one server, whose number will be another's. */
void pqr__queue_forgive_server(struct pqr__queue *queue, uint32_t server);

/* --- overload (queue_overload.c) --- */

/* One that is to be turned away; it stays. NULL: none. */
struct pqr__queue_entry *pqr__queue_overdue(const struct pqr__queue *queue);
/* Servers take from these roles again, after a time without any: that time does not count as overload. */
void pqr__queue_refresh(struct pqr__queue *queue, unsigned roles);
bool pqr__queue_overloaded(const struct pqr__queue *queue);
/* How long who joins now may expect to wait; 0: not at all, or not known. */
uint64_t pqr__queue_expected_us(
    const struct pqr__queue *queue, enum pqr__queue_role role, enum pqr__lane lane);
/* The longest wait of all in the roles and lanes down to `lowest`, up to now. */
uint64_t pqr__queue_oldest_us(const struct pqr__queue *queue, unsigned roles, enum pqr__lane lowest);

/* Between queue.c and queue_overload.c: an entry's wait, the time without servers left out. */
uint64_t pqr__queue_waited_us(const struct pqr__queue *queue, const struct pqr__queue_entry *entry);
/* What is more than this in a lane is overload; 0: nothing is. */
uint64_t pqr__queue_target_us(const struct pqr__queue *queue, unsigned lane);

/* Who joins now may expect to wait. */
static inline bool pqr__queue_makes_wait(const struct pqr__queue *queue, unsigned role)
{
    return queue->drain[role].gap_ns != 0;
}

static inline struct pqr__queue_entry *pqr__queue_entry_of(struct pqr__link *link)
{
    return pqr__container_of(link, struct pqr__queue_entry, link);
}

#endif
