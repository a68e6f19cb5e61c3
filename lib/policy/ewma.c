/* A sample weighs a 64th: few enough that a single long report does not make its server look slow, many enough
   that one which became slow is known within a few dozen answers (tests/sim/balance: with a
   16th servers that are alike look different by chance, which costs a tenth of the latency at high load). Some seconds
   of latency, as of a server that was frozen, fade beside a fraction of a millisecond within seven seconds; a half-life
   of 2 s is no better in that table and takes half a minute. */
#include "policy/ewma.h"

enum {
    HALF_LIFE_US = 500000, /* of what is known, without a new sample */
    LONGEST_US =
        1000000000, /* keeps the arithmetic, and the products that strategies make of it, within 64 bits */
    ONE = 65536,
    AT_ONCE = 16,
};

/* (63 / 64)^n of ONE: what n samples leave of the distance to them. */
static const uint16_t left[AT_ONCE + 1] = {0, 64512, 63504, 62512, 61535, 60574, 59627, 58695, 57778, 56875,
    55987, 55112, 54251, 53403, 52569, 51747, 50939};

/* Rounded down, so that it gets there. */
static int64_t distance_after(uint32_t n, int64_t distance)
{
    for (; n > AT_ONCE; n -= AT_ONCE)
        distance = distance * left[AT_ONCE] / ONE;
    return distance * left[n] / ONE;
}

void pqr__ewma_note_many(struct pqr__ewma *ewma, uint32_t n, uint64_t sample_us, uint64_t now_us)
{
    uint64_t sample = sample_us < 1 ? 1 : sample_us > LONGEST_US ? LONGEST_US : sample_us;
    uint64_t value = pqr__ewma_read(ewma, now_us);
    if (value == 0)
        value = sample;
    int64_t distance = distance_after(n, (int64_t)value - (int64_t)sample);
    *ewma = (struct pqr__ewma){.value_us = (uint64_t)((int64_t)sample + distance), .at_us = now_us};
}

void pqr__ewma_note(struct pqr__ewma *ewma, uint64_t sample_us, uint64_t now_us)
{
    pqr__ewma_note_many(ewma, 1, sample_us, now_us);
}

uint64_t pqr__ewma_read(const struct pqr__ewma *ewma, uint64_t now_us)
{
    uint64_t age = now_us > ewma->at_us ? now_us - ewma->at_us : 0;
    if (age == 0 || ewma->value_us == 0)
        return ewma->value_us;
    uint64_t halvings = age / HALF_LIFE_US;
    if (halvings >= 30)
        return 1;
    uint64_t value = ewma->value_us >> halvings;
    value -= value * (age % HALF_LIFE_US) / (2 * (uint64_t)HALF_LIFE_US); /* linear between two halvings */
    return value > 0 ? value : 1;
}
