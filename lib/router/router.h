/* The router: everything of one database and one user, on one loop. It knows the outside by the transport only.
 *
 * Order of an event: the endpoint's handler, then the callbacks that became due, then the next step of closing.
 * User code never runs anywhere else, but transactions' bodies, after what waits was given out, and the log callback.
 * That one may run in the middle of anything: what it asks for is noted and done from the loop (in_log, poked).
 */
#ifndef PQR_ROUTER_ROUTER_H
#define PQR_ROUTER_ROUTER_H

#include "base/log.h"
#include "base/random.h"
#include "policy/arrivals.h"
#include "policy/balancer.h"
#include "policy/breadth.h"
#include "policy/budget.h"
#include "policy/freshness.h"
#include "policy/named.h"
#include "policy/known.h"
#include "router/backend.h"
#include "router/catalog.h"
#include "router/elastic.h"
#include "router/request.h"

enum {
    PQR__SERVERS_MAX = 64,
    PQR__KNOWN_BYTES = 512 * 1024, /* of texts that are remembered */
};

/* XX(name, word) */
#define PQR__ROUTER_MAP(XX)                                                          \
    XX(RUNNING, running)                                                             \
    XX(DRAINING, draining) /* refuses new requests, lets the accepted ones finish */ \
    XX(ENDING, ending)     /* every request was told to end */                       \
    XX(CLOSING, closing)   /* no request is left: connections close */               \
    XX(DOWN, down)         /* the transport shuts down */

enum pqr__router_state {
#define XX(name, word) PQR__ROUTER_##name,
    PQR__ROUTER_MAP(XX)
#undef XX
        PQR__ROUTER_STATES
};

struct pqr_router {
    enum pqr__router_state state;
    struct pqr_config *config;
    pqr_callbacks callbacks;
    struct pqr__log log;
    struct pqr__transport *transport;
    const struct pqr__transport_ops *ops;
    struct pqr__random random;
    struct pqr__dialect dialect; /* as the connections opened so far tell */
    bool dialect_known;
    uint64_t token_number, replayed_number; /* of our own texts, to be kept prepared (aside.c) */
    struct pqr__named named;                /* the functions that the configuration names */
    struct pqr__known_table known;
    struct pqr__catalog_loader catalog;

    struct pqr__wheel wheel;
    uint64_t due_us;   /* no timer is due before */
    uint64_t armed_us; /* when the transport's timer is; 0: it wakes up at once */
    bool in_event;
    bool in_log;              /* the log callback runs */
    bool poked;               /* from inside a call: something waits that was not seen to yet */
    bool thin;                /* a pool has hardly one left to give: a rush may begin */
    bool crowded;             /* by a new configuration more is taken than there may be (room.c) */
    uint64_t thin_us;         /* when thin was set last */
    uint64_t event_us;        /* the time for all that an event, or a call outside of one, does; 0: neither */
    struct pqr__timer upkeep; /* once a second: idle and lifetime limits */
    const struct pqr__sizing *sizing;
    struct pqr__timer resize; /* often while there is load: how large the pools are to be */
    uint64_t resize_us;       /* when it is due; PQR__NEVER: not set */

    struct pqr__backend *backends; /* PQR__SERVERS_MAX places, which stay where they are */
    uint32_t n_backends;           /* up to the last that is taken */
    unsigned in_demand;            /* bit of each role whose servers were used within the resizer's window */
    struct pqr__breadth breadth[PQR_ROLE_REPLICA + 1]; /* by role */
    uint32_t breadth_now[PQR__ROLES];                  /* what they say; looked at for each request */
    struct pqr_config *pending; /* to be taken up when the event under way is over; NULL: none */
    struct pqr__cluster cluster;
    struct pqr__lsn_history history;
    struct pqr__balancer balancer;

    struct pqr__queue queue;
    struct pqr__arrivals arrivals[PQR__QUEUE_ROLES];
    struct pqr__request_store store;
    struct pqr__batch_store batch_store;
    struct pqr__list finished; /* requests whose callback is due */
    struct pqr__list bodies;   /* of transactions, due */
    struct pqr__list waiters;  /* pqr_router_ready */

    struct pqr__timer drain;
    uint64_t drain_at_us;
    bool drain_over;
    pqr_close_cb close_cb;
    void *close_data;

    char reason[160]; /* what pqr_reply_reason shows */

    uint64_t opened_us;
    unsigned served;             /* queues that some server takes from */
    bool was_served;             /* at any time */
    uint64_t unserved_us;        /* since when none is */
    uint64_t refused_us;         /* when one was refused or turned away last; 0: never */
    pqr_pressure_level pressure; /* as the application knows it */
    uint32_t peak_usage;
    uint64_t accepted, by_status[8], by_outcome[3];
    uint64_t answered_in_air; /* well, while their flight went on: in none of the above but accepted */
    uint64_t fallback_primary, retries, misroutes, refused, shed;
    uint64_t pipelined_writes, batches, batch_queries;
    uint64_t tokens, token_checks, token_misses;
    struct pqr__histogram latency, queued;
};

/* Everything but the connections; nothing happens until it is started. PQR_ENOMEM. */
int pqr__router_create(pqr_router **out, const struct pqr_config *config, const pqr_callbacks *callbacks,
    uint64_t seed, pqr_error *error);
/* Gives it its transport (whose events are pqr__router_events, and whose router this is) and begins probing. */
void pqr__router_start(pqr_router *router, struct pqr__transport *transport);
/* PQR_EINVAL; what is wrong with the call goes to the log. router NULL is fine. */
int pqr__misused(const pqr_router *router, const char *call, const char *flaw);
/* Of a router that was never started. */
void pqr__router_free(pqr_router *router);

extern const struct pqr__transport_events pqr__router_events;

static inline uint64_t pqr__router_now(const pqr_router *router)
{
    return router->event_us ? router->event_us : router->ops->now_us(router->transport);
}

/* Around what the application asks for: the clock is read once. Not once a turn of the loop: the application may have
   been busy for long since that began, and its deadlines would lose that. */
static inline void pqr__call_begin(pqr_router *router)
{
    if (router->in_event)
        return;
    router->event_us = router->ops->now_us(router->transport);
    pqr__queue_time(&router->queue, router->event_us);
}

static inline void pqr__call_end(pqr_router *router)
{
    if (!router->in_event)
        router->event_us = 0;
}

/* Answers those who wait for pqr_router_ready, as far as they can be answered. */
void pqr__ready_call(pqr_router *router);
/* Takes over what the configuration says of queue, balancing and sizes. */
void pqr__router_tune(pqr_router *router);
/* Answers a request in the middle of a flight (pqr__request_answer). */
void pqr__event_answer(struct pqr_reply *request);
/* The loop comes back to the router in its next turn. */
void pqr__router_wake(pqr_router *router);
/* Of a router that closes: goes as far as it can go now. */
void pqr__router_advance_close(pqr_router *router);
void pqr__router_drain_due(struct pqr__timer *timer);

#endif
