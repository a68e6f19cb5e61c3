/* A hierarchical timing wheel (Varghese and Lauck, 1987): thousands of deadlines that are almost always taken
   out again before they come due. Adding and removing are O(1) and allocate nothing. Resolution 1 ms; an entry
   comes due at its time or up to 1 ms after it, never before. */
#ifndef PQR_BASE_WHEEL_H
#define PQR_BASE_WHEEL_H

#include "base/list.h"

enum { PQR__WHEEL_LEVELS = 6, PQR__WHEEL_SLOTS = 64 };

struct pqr__alarm {
    struct pqr__link link; /* of a slot's ring, or of those that are due; not listed: not set */
    uint64_t at_ms;
};

struct pqr__wheel {
    uint64_t now_ms;
    struct {
        uint64_t at_us, at_ms;
        struct pqr__link *ring; /* NULL: time has gone on since */
    } latest;                   /* that was set: requests that come together are due together */
    struct pqr__link slots[PQR__WHEEL_LEVELS][PQR__WHEEL_SLOTS]; /* rings */
    struct pqr__link far;                                        /* beyond the last level: some 2 years */
};

#define PQR__NEVER UINT64_MAX

void pqr__wheel_init(struct pqr__wheel *wheel, uint64_t now_us);
/* Sets or moves an alarm. A time that has passed comes due at the next turn. */
void pqr__wheel_set(struct pqr__wheel *wheel, struct pqr__alarm *alarm, uint64_t at_us);
/* Fine when it is not set. */
void pqr__wheel_clear(struct pqr__alarm *alarm);
bool pqr__wheel_is_set(const struct pqr__alarm *alarm);
/* Moves what is due at now_us to the ring due (its alarms are still set: pqr__wheel_clear takes them out of it). */
void pqr__wheel_turn(struct pqr__wheel *wheel, uint64_t now_us, struct pqr__link *due);
/* When to turn next (it may be too early, never too late); PQR__NEVER when nothing is set. */
uint64_t pqr__wheel_next_us(const struct pqr__wheel *wheel);

#endif
