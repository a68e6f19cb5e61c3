/* What a server showed it can't bear, by connects that it refused for want of room (53300 above all) or that failed
 * (timed out, reset, refused by the network): as many connections as were open then, a limit that creeps up again while
 * more would be used, and falls when a connect beyond it succeeds. Pure: the time is passed in.
 */
#ifndef PQR_POLICY_SHORTAGE_H
#define PQR_POLICY_SHORTAGE_H

#include <stdbool.h>
#include <stdint.h>

struct pqr__shortage {
    uint32_t limit;   /* 0: there is none; else at most so many are open */
    bool failed;      /* it is of a connect that failed, not of a refusal */
    uint64_t at_us;   /* when it was set, or crept up, last */
    uint64_t wait_us; /* before it creeps up by one */
};

void pqr__shortage_init(struct pqr__shortage *shortage);
/* A connect failed while so many were open of max, for this reason ("": the network's, a timeout). A wrong password or
   a missing database says nothing of how many. */
void pqr__shortage_refused(
    struct pqr__shortage *shortage, const char *sqlstate, uint32_t open, uint32_t max, uint64_t now_us);
/* A connect succeeded, and so many are open: when that is more than was refused, there is room again. */
void pqr__shortage_connected(struct pqr__shortage *shortage, uint32_t open);
/* All that it leaves is in use, and somebody waits for more. */
void pqr__shortage_creep(struct pqr__shortage *shortage, uint32_t max, uint64_t now_us);
/* The lesser of both. */
uint64_t pqr__shortage_within(const struct pqr__shortage *shortage, uint64_t limit);
/* It was set, or crept up, less than within_us ago. */
bool pqr__shortage_is_recent(const struct pqr__shortage *shortage, uint64_t within_us, uint64_t now_us);

#endif
