/* How many connections a pool wants. Offered load is arrivals x service time (Little's law), service time being
 * the time that a connection is taken, divided by the requests served in it: the router's own queue is not in it.
 * Wanted is that load over the utilisation aimed at, and never less than the window's peak. Growing is immediate,
 * shrinking waits for the whole window to agree, one connection at a time: on a load that swings the size swings
 * along once a swing at most. Pure: the time is passed in.
 */
#ifndef PQR_POLICY_RESIZER_H
#define PQR_POLICY_RESIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PQR__RESIZER_PARTS = 16 }; /* of the window */

/* What happened since the sample before. */
struct pqr__load_sample {
    uint64_t now_us;
    uint64_t started; /* requests that got a connection */
    uint64_t served;  /* requests that gave theirs back */
    uint64_t busy_us; /* summed over the connections: the time that each was in use */
    uint32_t peak;    /* most in use at once */
    uint32_t waiting; /* now: this pool's part of those who wait */
};

/* XX(name, text): what decided wanted, for people */
#define PQR__WANTED_MAP(XX)                                       \
    XX(START, "nothing was asked for yet")                        \
    XX(LOAD, "arrivals x service time / pool.target_utilisation") \
    XX(PEAK, "as many were in use at once in pool.window")

enum pqr__wanted_reason {
#define XX(name, text) PQR__WANTED_##name,
    PQR__WANTED_MAP(XX)
#undef XX
        PQR__WANTED_REASONS
};

struct pqr__resizer {
    uint64_t window_us;
    uint32_t utilisation; /* percent */
    uint64_t last_us, last_shrink_us;
    uint32_t last_waiting;
    double arrivals, served, busy; /* each a second, smoothed; busy in connections */
    uint64_t part;                 /* the number of the current one, of time since the beginning of time */
    uint32_t load[PQR__RESIZER_PARTS], peak[PQR__RESIZER_PARTS];
    uint32_t wanted;
    enum pqr__wanted_reason reason;
    uint32_t by_load; /* what the load alone makes of it */
};

void pqr__resizer_init(
    struct pqr__resizer *resizer, uint64_t window_us, uint32_t utilisation, uint64_t now_us);
/* Takes a sample in; resizer->wanted and resizer->reason are what follows from it. */
void pqr__resizer_note(struct pqr__resizer *resizer, const struct pqr__load_sample *sample);
/* Of a request; 0: none was served lately. */
double pqr__resizer_service_us(const struct pqr__resizer *resizer);

/* True when one of `open` connections is to be closed now: the window wants fewer, or more than the cap allows, by
   more than the slack that keeps the size calm. The larger the surplus the sooner the next: it is gone within about
   a window. Never below the floor. */
bool pqr__resizer_shrinks(
    struct pqr__resizer *resizer, uint32_t open, uint32_t floor, uint32_t cap, uint64_t now_us);

/* Of all servers of a role. */
struct pqr__demand {
    uint32_t waiting, in_use;
    uint32_t idle;       /* for who comes next */
    double arrivals;     /* a second, of late: so many at least */
    double likely;       /* so many as like as not */
    double service_us;   /* 0: not known */
    uint64_t connect_us; /* what a connect takes; 0: not known */
};

/* How many connects the waiters are worth, those under way included: only as many as will still be needed when
   the connect has finished, which the connections in use may have made needless by then, or soon after. And, before
   anybody waits, what a rush that begins will need. */
uint32_t pqr__resizer_connects(const struct pqr__demand *demand);

const char *pqr__wanted_text(enum pqr__wanted_reason reason);

#endif
