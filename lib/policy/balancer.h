/* Which of several servers gets the next request. A strategy is a small const vtable, one file each; choosing one
   allocates nothing and reads no clock. Only servers that may run the request and have room are candidates. */
#ifndef PQR_POLICY_BALANCER_H
#define PQR_POLICY_BALANCER_H

#include <stdint.h>

#include "base/random.h"
#include "config/config.h"

enum {
    PQR__BALANCER_SERVERS = 64, /* as many as a configuration may have */
    PQR__RAMP_FULL = 100,       /* a candidate's weight is the configured one times this */
};

struct pqr__candidate {
    uint32_t server;      /* its index in the configuration, below PQR__BALANCER_SERVERS */
    uint32_t outstanding; /* requests it has in the air */
    uint32_t weight;      /* at least 1; see pqr__balancer_ramp */
    bool near;            /* of the zone that is preferred; true for all when none is */
    uint64_t latency_us;  /* of late, see ewma.h; 0: not known */
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
extern const struct pqr__balancer_ops pqr__balancer_random;
extern const struct pqr__balancer_ops pqr__balancer_ewma;

/* random stays the caller's and outlives the balancer. */
void pqr__balancer_init(
    struct pqr__balancer *balancer, enum pqr__balance strategy, struct pqr__random *random);
/* Another strategy from now on. */
void pqr__balancer_use(struct pqr__balancer *balancer, enum pqr__balance strategy);
/* The index will mean another server. */
void pqr__balancer_forget(struct pqr__balancer *balancer, uint32_t server);
/* An index into candidates; n is at least 1. */
uint32_t pqr__balancer_pick(
    struct pqr__balancer *balancer, const struct pqr__candidate *candidates, uint32_t n);

/* Keeps the candidates of the preferred zone, all of them when there is none; how many are left. */
uint32_t pqr__balancer_near(struct pqr__candidate *candidates, uint32_t n);

/* The weight of a server that has had its role since since_us: a tenth at first, all after slow_start_us (0: at
   once), times PQR__RAMP_FULL. */
uint32_t pqr__balancer_ramp(uint32_t weight, uint64_t since_us, uint64_t now_us, uint64_t slow_start_us);

/* --- for strategies --- */

/* One candidate but skip (n: skips none), at random by weight. */
uint32_t pqr__balancer_draw(
    struct pqr__balancer *balancer, const struct pqr__candidate *candidates, uint32_t n, uint32_t skip);

#endif
