/* Something that comes due on the router's wheel. */
#ifndef PQR_ROUTER_TIMER_H
#define PQR_ROUTER_TIMER_H

#include "base/wheel.h"
#include "pqrouter.h"

struct pqr__timer {
    struct pqr__alarm alarm;
    void (*due)(struct pqr__timer *timer);
};

/* Sets or moves it; due runs from the loop, once, never from inside a call. */
void pqr__timer_set(pqr_router *router, struct pqr__timer *timer, uint64_t at_us);
/* Fine when it is not set. */
void pqr__timer_clear(struct pqr__timer *timer);

#endif
