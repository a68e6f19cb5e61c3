/* Which of several servers gets the next request. A strategy is a small const vtable, one file each; choosing one
   allocates nothing and reads no clock. Only servers that may run the request and have room are candidates. */
#ifndef PQR_POLICY_BALANCER_H
#define PQR_POLICY_BALANCER_H

#include <stdint.h>

#include "base/random.h"
#include "config/config.h"

enum { PQR__BALANCER_SERVERS = 64 }; /* as many as a configuration may have */

struct pqr__candidate {
    uint32_t server;      /* its index in the configuration, below PQR__BALANCER_SERVERS */
    uint32_t outstanding; /* requests it has in the air */
    uint32_t weight;      /* at least 1 */
};

struct pqr__balancer;

struct pqr__balancer_ops {
    const char *name;
    /* An index into candidates; n is at least 2. */
    uint32_t (*pick)(struct pqr__balancer *balancer, const struct pqr__candidate *candidates, uint32_t n);
};

struct pqr__balancer {
    const struct pqr__balancer_ops *ops;
    struct pqr__random *random;
    int64_t credit[PQR__BALANCER_SERVERS]; /* round robin: what each server is owed */
};

extern const struct pqr__balancer_ops pqr__balancer_round_robin;
extern const struct pqr__balancer_ops pqr__balancer_least_outstanding;

/* random stays the caller's and outlives the balancer. */
void pqr__balancer_init(
    struct pqr__balancer *balancer, enum pqr__balance strategy, struct pqr__random *random);
/* An index into candidates; n is at least 1. */
uint32_t pqr__balancer_pick(
    struct pqr__balancer *balancer, const struct pqr__candidate *candidates, uint32_t n);

#endif
