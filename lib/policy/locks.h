/* Whether all executions of a statement lock the same relations, whatever its parameters are: then several of them in
   one transaction hold nothing that one of them would not hold. Of a partitioned table those partitions are locked that
   a parameter leaves over, and a function may read whatever it likes: executions of one statement under one Sync
   deadlocked with a migration that took two partitions in the other order (measured). Pure. */
#ifndef PQR_POLICY_LOCKS_H
#define PQR_POLICY_LOCKS_H

#include <stdbool.h>
#include <stddef.h>

#include "policy/classifier.h"

/* Of one statement taken for a harmless read. False as well where that can't be told: no catalog yet, or one that a
   definition has outdated. Types are trusted: a domain's check that reads tables is not seen. */
bool pqr__locks_are_fixed(const char *sql, size_t length, const struct pqr__dialect *dialect);

#endif
