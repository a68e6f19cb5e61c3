/* How many connections of a pool may be in use at once: a limit below pool.max that learns where the server's
 * knee is, past which another connection only makes all of them slower. While requests wait and the limit is used
 * up, throughput is measured at it, then at another one, and the two are compared: it climbs as long as that adds
 * throughput, by doubling while it adds nearly as much as connections, then by a quarter; then it holds, and tries a
 * quarter more and a quarter less from time to time. Where a quarter less serves as much it stays, since the latency
 * is lower there. A pool that is not used up teaches nothing, and is never grown. A connect that the server refuses
 * for want of room (53300 above all) or that fails (timed out, reset, refused by the network) sets a second limit, at
 * what was open, which creeps up again. Pure: the time is passed in.
 */
#ifndef PQR_POLICY_CEILING_H
#define PQR_POLICY_CEILING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/shortage.h"

/* XX(name, text): why the limit is what it is, for people */
#define PQR__CEILING_MAP(XX)                                          \
    XX(START, "not used up yet")                                      \
    XX(CLIMBING, "more connections still add throughput")             \
    XX(UNCLEAR, "all are in use, and too few requests end to judge")  \
    XX(KNEE, "more connections added no throughput")                  \
    XX(TRYING_MORE, "trying whether more connections add throughput") \
    XX(TRYING_LESS, "trying whether fewer connections serve as much") \
    XX(MAX, "pool.max")                                               \
    XX(REFUSED, "the server refused more connections")                \
    XX(FAILED, "connects failed when as many were open")              \
    XX(FIXED, "pool.resize is off")

enum pqr__ceiling_reason {
#define XX(name, text) PQR__CEILING_##name,
    PQR__CEILING_MAP(XX)
#undef XX
        PQR__CEILING_REASONS
};

/* Of the time since the sample before. */
struct pqr__ceiling_sample {
    uint64_t now_us;
    uint64_t elapsed_us;
    uint64_t served;
    uint64_t busy_us; /* summed over connections */
    bool waiting;     /* somebody did */
    uint32_t beyond;  /* as many more may be in use than the limit: those of administrators */
};

/* Throughput at a limit. */
struct pqr__ceiling_level {
    uint32_t limit;   /* 0: not measured */
    double served;    /* a second */
    uint64_t counted; /* requests that this was told by */
};

struct pqr__ceiling {
    uint32_t max, limit;
    enum pqr__ceiling_reason reason;
    struct pqr__ceiling_level base;  /* what trials are compared with */
    struct pqr__ceiling_level other; /* the last that was compared with it */
    uint32_t doubted;                /* a climb to the limit from here was perhaps in vain; 0: none was */
    /* The measurement under way. */
    uint64_t elapsed_us, served, busy_us;
    uint64_t base_us;  /* when base was measured */
    bool waited;       /* somebody did at the sample before */
    uint64_t slack_us; /* how long not all of the limit has been in use */
    bool settling;     /* the limit has just changed: what ends now began under the old one */
    uint64_t next_more_us, next_less_us; /* no trial before */
    uint64_t more_wait_us, less_wait_us; /* doubled by each trial that failed */
    struct pqr__shortage shortage;       /* a second limit */
};

/* start: the limit before anything is known. */
void pqr__ceiling_init(struct pqr__ceiling *ceiling, uint32_t start, uint32_t max, uint64_t now_us);
void pqr__ceiling_note(struct pqr__ceiling *ceiling, const struct pqr__ceiling_sample *sample);
/* A connect failed while so many were open, for this reason ("": the network's, a timeout). Where it tells that the
   server or the way to it is in trouble, more is not tried for a while; a wrong password or a missing database says
   nothing of how many. */
void pqr__ceiling_refused(struct pqr__ceiling *ceiling, const char *sqlstate, uint32_t open, uint64_t now_us);

/* A connect succeeded, and so many are open: when that is more than was refused, there is room again. */
void pqr__ceiling_connected(struct pqr__ceiling *ceiling, uint32_t open);

/* It is measuring, or in the middle of a trial or of its way up. */
bool pqr__ceiling_is_learning(const struct pqr__ceiling *ceiling);
/* Connections that may be in use at once. */
uint32_t pqr__ceiling_limit(const struct pqr__ceiling *ceiling);
/* Connections that may be open for it: before anything is known of the server, as many as the climb comes to next,
   which it does anyway, and need not wait for their connects then. */
uint32_t pqr__ceiling_opens(const struct pqr__ceiling *ceiling);
enum pqr__ceiling_reason pqr__ceiling_reason(const struct pqr__ceiling *ceiling);
const char *pqr__ceiling_text(enum pqr__ceiling_reason reason);

#endif
