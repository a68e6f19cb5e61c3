/* Where accepted requests wait: one queue a role, each a row of lanes, bounded by entries and bytes. A request
   waits for its role, never behind one server. Each lane has the bounds for itself, so that a flood of normal
   requests leaves room for an administrator's. Pure: entries are the caller's memory. */
#ifndef PQR_POLICY_QUEUE_H
#define PQR_POLICY_QUEUE_H

#include "base/list.h"

enum pqr__queue_role {
    PQR__QUEUE_PRIMARY,
    PQR__QUEUE_REPLICA,      /* the primary may serve it when no replica can */
    PQR__QUEUE_REPLICA_ONLY, /* apart, so that the primary need not search behind it */
    PQR__QUEUE_ANY,
    PQR__QUEUE_ROLES
};

enum pqr__lane { PQR__LANE_ADMIN, PQR__LANE_NORMAL, PQR__LANES };

enum {
    PQR__MASK_PRIMARY = 1u << PQR__QUEUE_PRIMARY,
    PQR__MASK_REPLICA = 1u << PQR__QUEUE_REPLICA,
    PQR__MASK_REPLICA_ONLY = 1u << PQR__QUEUE_REPLICA_ONLY,
    PQR__MASK_ANY = 1u << PQR__QUEUE_ANY,
};

struct pqr__queue_entry {
    struct pqr__link link;
    uint64_t sequence; /* 0: never queued; kept when it comes back */
    uint64_t avoid;    /* bit n: not on server n */
    uint64_t bytes;
    uint8_t role; /* enum pqr__queue_role */
    uint8_t lane; /* enum pqr__lane */
    bool exempt;  /* the router's own: takes no place from anybody; bytes is 0 */
};

struct pqr__queue {
    struct pqr__list lanes[PQR__QUEUE_ROLES][PQR__LANES];
    uint64_t last_sequence;
    uint64_t bytes[PQR__LANES];
    uint32_t exempt[PQR__LANES]; /* of the entries */
    uint32_t max_entries;        /* of a lane, as max_bytes */
    uint64_t max_bytes;
};

void pqr__queue_init(struct pqr__queue *queue, uint32_t max_entries, uint64_t max_bytes);

/* At the end of its lane; false: its lane is full, which it never is for an exempt entry. */
bool pqr__queue_push(struct pqr__queue *queue, struct pqr__queue_entry *entry);

/* Back to where it was by its sequence; it was accepted, so bounds do not refuse it. */
void pqr__queue_return(struct pqr__queue *queue, struct pqr__queue_entry *entry);

void pqr__queue_remove(struct pqr__queue *queue, struct pqr__queue_entry *entry);

/* Takes out the oldest entry of the most urgent lane, at most `lowest`, among the roles of the mask, that does
   not avoid the server. Looks at no more than a few entries of each list. NULL: none. */
struct pqr__queue_entry *pqr__queue_take(
    struct pqr__queue *queue, unsigned roles, enum pqr__lane lowest, uint32_t server);

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

#endif
