/* Level n has 64 slots of 64^n ms. An alarm sits at the lowest level whose current lap holds its time; when
   the wheel reaches a slot of a higher level, that slot's alarms are spread over the levels below. */
#include "base/wheel.h"

enum { BITS = 6, MASK = PQR__WHEEL_SLOTS - 1 };

static unsigned shift_of(unsigned level)
{
    return BITS * level;
}

static unsigned level_of(uint64_t differing_bits)
{
    return (63u - (unsigned)__builtin_clzll(differing_bits | 1)) / BITS;
}

void pqr__wheel_init(struct pqr__wheel *wheel, uint64_t now_us)
{
    wheel->now_ms = now_us / 1000;
    wheel->latest.ring = NULL;
    for (unsigned level = 0; level < PQR__WHEEL_LEVELS; level++)
        for (unsigned slot = 0; slot < PQR__WHEEL_SLOTS; slot++)
            pqr__ring_init(&wheel->slots[level][slot]);
    pqr__ring_init(&wheel->far);
}

static struct pqr__link *ring_for(struct pqr__wheel *wheel, uint64_t at_ms)
{
    /* The same lap of a level: all higher bits agree with the present. */
    unsigned level = level_of(at_ms ^ wheel->now_ms);
    return level < PQR__WHEEL_LEVELS ? &wheel->slots[level][(at_ms >> shift_of(level)) & MASK] : &wheel->far;
}

static void place(struct pqr__link *ring, struct pqr__alarm *alarm, uint64_t at_ms)
{
    pqr__link_insert(ring, &alarm->link);
    alarm->at_ms = at_ms;
}

void pqr__wheel_set(struct pqr__wheel *wheel, struct pqr__alarm *alarm, uint64_t at_us)
{
    pqr__wheel_clear(alarm);
    if (!wheel->latest.ring || at_us != wheel->latest.at_us) {
        uint64_t at_ms = at_us / 1000 + (at_us % 1000 != 0);
        wheel->latest.at_us = at_us;
        wheel->latest.at_ms = at_ms > wheel->now_ms ? at_ms : wheel->now_ms + 1;
        wheel->latest.ring = ring_for(wheel, wheel->latest.at_ms);
    }
    place(wheel->latest.ring, alarm, wheel->latest.at_ms);
}

void pqr__wheel_clear(struct pqr__alarm *alarm)
{
    if (pqr__link_listed(&alarm->link))
        pqr__link_remove(&alarm->link);
}

bool pqr__wheel_is_set(const struct pqr__alarm *alarm)
{
    return pqr__link_listed(&alarm->link);
}

static void take_all(struct pqr__wheel *wheel, struct pqr__link *from, struct pqr__link *due)
{
    struct pqr__link moved;
    pqr__ring_init(&moved);
    if (!pqr__ring_empty(from)) {
        moved = *from;
        moved.next->prev = moved.prev->next = &moved;
        pqr__ring_init(from);
    }
    while (!pqr__ring_empty(&moved)) {
        struct pqr__alarm *alarm = pqr__container_of(moved.next, struct pqr__alarm, link);
        pqr__link_remove(&alarm->link);
        pqr__link_insert(alarm->at_ms > wheel->now_ms ? ring_for(wheel, alarm->at_ms) : due, &alarm->link);
    }
}

/* One millisecond on: higher levels first, so that what they hold reaches level 0 in time. */
static void step(struct pqr__wheel *wheel, struct pqr__link *due)
{
    wheel->now_ms++;
    if ((wheel->now_ms & ((UINT64_C(1) << shift_of(PQR__WHEEL_LEVELS)) - 1)) == 0)
        take_all(wheel, &wheel->far, due);
    for (unsigned level = PQR__WHEEL_LEVELS; level-- > 0;) {
        if ((wheel->now_ms & ((UINT64_C(1) << shift_of(level)) - 1)) != 0)
            continue;
        take_all(wheel, &wheel->slots[level][(wheel->now_ms >> shift_of(level)) & MASK], due);
    }
}

/* The next time at which step() may find anything, PQR__NEVER for none. */
static uint64_t next_ms(const struct pqr__wheel *wheel)
{
    for (unsigned level = 0; level < PQR__WHEEL_LEVELS; level++) {
        unsigned current = (unsigned)(wheel->now_ms >> shift_of(level)) & MASK;
        for (unsigned slot = current + 1; slot < PQR__WHEEL_SLOTS; slot++) {
            if (pqr__ring_empty(&wheel->slots[level][slot]))
                continue;
            uint64_t lap = wheel->now_ms >> shift_of(level + 1) << shift_of(level + 1);
            return lap + ((uint64_t)slot << shift_of(level));
        }
    }
    if (pqr__ring_empty(&wheel->far))
        return PQR__NEVER;
    return ((wheel->now_ms >> shift_of(PQR__WHEEL_LEVELS)) + 1) << shift_of(PQR__WHEEL_LEVELS);
}

void pqr__wheel_turn(struct pqr__wheel *wheel, uint64_t now_us, struct pqr__link *due)
{
    uint64_t now_ms = now_us / 1000;
    wheel->latest.ring = NULL;
    while (wheel->now_ms < now_ms) {
        uint64_t next = next_ms(wheel);
        if (next > now_ms) {
            wheel->now_ms = now_ms;
            return;
        }
        wheel->now_ms = next - 1;
        step(wheel, due);
    }
}

uint64_t pqr__wheel_next_us(const struct pqr__wheel *wheel)
{
    uint64_t next = next_ms(wheel);
    return next == PQR__NEVER ? PQR__NEVER : next * 1000;
}
