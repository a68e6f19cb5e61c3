/* Whether a queue is standing: after CoDel (Nichols and Jacobson, "Controlling Queue Delay", 2012; RFC 8289), with
   what servers do about it (Maurer, "Fail at Scale", 2015): in overload the newest is served first, and whoever has
   waited longer than the target is turned away, until the queue has been empty. A long queue that drains is a burst
   and no overload; one that goes on growing is known for overload after half of the interval. Pure. */
#ifndef PQR_POLICY_CODEL_H
#define PQR_POLICY_CODEL_H

#include <stdbool.h>
#include <stdint.h>

/* Zeroed: all is well. */
struct pqr__codel {
    uint64_t above_since_us; /* since when every wait was longer than the target; 0: they are not */
    uint32_t left_then;
    bool overloaded;
};

/* An entry was taken out in its turn after so long a wait, and so many are left. now_us is never 0. target_us 0:
   nothing is overload. */
void pqr__codel_took(struct pqr__codel *codel, uint64_t waited_us, uint32_t left, uint64_t now_us,
    uint64_t target_us, uint64_t interval_us);
/* The queue is empty. */
void pqr__codel_emptied(struct pqr__codel *codel);

#endif
