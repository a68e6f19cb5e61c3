/* Over how many connections of each server of a role the requests that share them are spread. Where the servers have
 * cores to spare, more connections answer more at a time; where they have none left, fewer ones carry fuller flights,
 * each of which costs a server a wake-up and an answer. Which it is is learned: while requests stand behind others all
 * the time, one connection less, or more, is in force every other moment for a while, and stays when more requests end
 * in those moments than in those between. As soon as nobody stands behind others, each takes an idle connection again.
 * Pure: the time is passed in.
 */
#ifndef PQR_POLICY_BREADTH_H
#define PQR_POLICY_BREADTH_H

#include <stdbool.h>
#include <stdint.h>

/* Of the time since the sample before. */
struct pqr__breadth_sample {
    uint64_t now_us;
    uint64_t elapsed_us;
    uint64_t served; /* requests that ended */
    uint32_t usable; /* connections that may be shared on a server, the most of any; at least 1 */
    double at_work;  /* what part of those that are in force was shared */
    bool behind;     /* requests stand behind others */
};

struct pqr__breadth {
    uint32_t limit; /* connections; UINT32_MAX: all */
    uint32_t usable;
    double crowded; /* how much of the time of late requests stood behind others, 0 to 1 */
    /* The trial under way. */
    uint32_t trial; /* connections; 0: there is none */
    bool widens;    /* it is one of more, or else the next will be */
    bool in_trial;  /* it is in force, or else the limit is */
    uint32_t parts; /* so large a part more or less is tried next */
    uint32_t moments;
    uint64_t served[2], elapsed_us[2]; /* [in_trial] */
    uint64_t next_us;                  /* no trial before */
    uint64_t wait_us;                  /* doubled by each trial that failed */
};

void pqr__breadth_init(struct pqr__breadth *breadth);
void pqr__breadth_note(struct pqr__breadth *breadth, const struct pqr__breadth_sample *sample);
/* As many of a server's connections may be shared; UINT32_MAX: any number. */
uint32_t pqr__breadth_limit(const struct pqr__breadth *breadth);

#endif
