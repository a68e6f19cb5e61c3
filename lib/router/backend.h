/* A configured server: its role, its probe, its pool. */
#ifndef PQR_ROUTER_BACKEND_H
#define PQR_ROUTER_BACKEND_H

#include "config/config.h"
#include "observe/histogram.h"
#include "policy/ceiling.h"
#include "policy/ewma.h"
#include "policy/fleet.h"
#include "policy/queue.h"
#include "policy/resizer.h"
#include "policy/roles.h"
#include "router/probe.h"
#include "router/slot.h"
#include "router/timer.h"

/* What its connections were used for since the last sample. pqr__slot_move fills it, by pqr__elastic_moved. */
struct pqr__load {
    uint64_t at_us; /* busy_us is complete up to here */
    uint64_t started,
        served;         /* connections taken, and given back; a request of several in a flight counts too */
    uint64_t cancelled; /* of served */
    uint64_t busy_us;   /* summed over connections */
    uint64_t shared_us; /* of busy_us: by those that share them */
    uint32_t peak;      /* most in use at once */
    uint64_t sampled_us;
    uint64_t connect_us; /* what a connect takes, smoothed; 0: none has succeeded yet */
};

/* Whether it is one of the configuration's servers. */
enum pqr__backend_stay {
    PQR__STAY_GONE, /* its place is free */
    PQR__STAY_MEMBER,
    PQR__STAY_LEAVING, /* by a reload: finishes what runs on it */
};

struct pqr__backend {
    pqr_router *router;
    uint32_t index; /* its place; the transport's number of it */
    enum pqr__backend_stay stay;
    struct pqr_config *source; /* holds config */
    const struct pqr__server_config *config;

    pqr_role role;
    pqr_role told;                 /* as the application knows it */
    uint64_t since_us;             /* when it came into its role; 0: with the router itself */
    struct pqr__identity identity; /* as last probed */
    struct pqr__observation seen;
    int64_t lag_us;
    uint64_t rtt_us;
    uint64_t
        replayed_lsn;   /* of a replica, at least; 0: not known. Never kept beyond the loss of a connection */
    uint64_t behind_us; /* when it was last asked for more than it had */
    char problem[300];  /* "" when there is none */
    bool refused_for_good; /* password, role or database: trying again soon is no use */

    struct pqr__probe probe;

    struct pqr__list slots[PQR__SLOT_STATES];
    uint32_t failures; /* connects in a row */
    uint64_t retry_us; /* not before, after a failed connect */
    struct pqr__timer retry;
    uint64_t cold_until_us; /* connections opened before that are not warmed up */
    uint32_t warm_losses;   /* connections in a row that were lost while they were */

    struct pqr__load load;
    struct pqr__resizer resizer;
    struct pqr__ceiling ceiling;
    struct pqr__fleet fleet;

    uint32_t peak_usage;
    uint32_t flying; /* requests in the air of its slots */
    uint64_t connects, connect_failures, left_behind, reads, writes, errors;
    struct pqr__histogram latency;
    struct pqr__ewma answers; /* latency of its reads of late */
};

/* A member from now on: server number `number` of the configuration. */
void pqr__backend_init(struct pqr__backend *backend, pqr_router *router, uint32_t index,
    const struct pqr_config *config, uint32_t number);

/* Its role allows it to run something, and it can or soon will. */
bool pqr__backend_serves(const struct pqr__backend *backend, pqr_role role);
/* The queues it may take from now. */
unsigned pqr__backend_roles(const struct pqr__backend *backend);
/* No replica served until a moment ago (reads.slow_start), and the primary stood in: it has the connections that the
   load takes, which they don't have yet. It goes on with the reads that none of them has room for. */
bool pqr__backends_hand_back(const pqr_router *router);
/* A problem for people: kept, and logged when it is news. */
void pqr__backend_problem(struct pqr__backend *backend, pqr_log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* No server will let us in until somebody mends something: nobody needs to wait for that. */
bool pqr__backends_hopeless(const pqr_router *router);
/* What has been seen of the servers changed: finds every server's role anew and acts on it. */
void pqr__backends_judge(pqr_router *router);
/* Tells the application of roles that changed. */
void pqr__backends_tell(pqr_router *router);

/* --- its pool (pool.c) --- */

uint32_t pqr__pool_total(const struct pqr__backend *backend); /* all that max counts, the probe included */
uint32_t pqr__pool_open(const struct pqr__backend *backend);  /* identified, and not closing */
uint32_t pqr__pool_surplus(
    const struct pqr__backend *backend); /* beyond pqr__pool_max, since that was lowered */
uint32_t pqr__pool_coming(const struct pqr__backend *backend); /* being opened, and not identified yet */
/* What total may be: max, or this router's part of what the server admits. */
uint32_t pqr__pool_max(const struct pqr__backend *backend);
uint32_t pqr__pool_in_use(const struct pqr__backend *backend);
uint32_t pqr__pool_asked_for(const struct pqr__backend *backend); /* of those: not by the router itself */
/* How busy it is, for the balancer: connections in use, and requests that fly on them. */
uint32_t pqr__pool_outstanding(const struct pqr__backend *backend);
/* Requests of this lane may take one of its idle connections. */
bool pqr__pool_has_room(const struct pqr__backend *backend, enum pqr__lane lane);
/* The one to be used next, NULL: none is idle. */
struct pqr__slot *pqr__pool_idle(const struct pqr__backend *backend);
/* Of its shared connections as many, the first ones, may take more. */
uint32_t pqr__pool_shares(const struct pqr__backend *backend);
/* Idle connections that only administrators may take now. */
uint32_t pqr__pool_reserve(const struct pqr__backend *backend);
/* An idle one was taken: where hardly another is left, it is looked soon whether a rush begins (grow.c). */
void pqr__pool_taken(struct pqr__backend *backend);
/* Opens connections for who waits, for min and for the reserve, as far as limits allow (grow.c). */
void pqr__pools_grow(pqr_router *router);
/* Closes an idle connection when the resizer says so. */
void pqr__pool_shrink(struct pqr__backend *backend);
/* Closes idle connections beyond max, but for the reserve: busy ones end for it. */
void pqr__pool_fit(struct pqr__backend *backend);
/* The configuration changed: what is taken over all is brought down to max_total, then new servers' probes begin. */
void pqr__room_changed(pqr_router *router);
/* A connection is idle, or gone: as far as that has not come to its end. */
void pqr__room_make(pqr_router *router);
/* Its probe may connect. False: a lower max or max_total is still exceeded, and it goes on when that is over. */
bool pqr__room_for_probe(struct pqr__backend *backend);
/* Closes what has been idle too long or lived too long. */
void pqr__pool_trim(struct pqr__backend *backend);

#endif
