/* A sample weighs a 64th: few enough that a single long report does not make its server look slow, many enough
   that one which became slow is known within a few dozen answers (tests/sim/balance: with a
   16th servers that are alike look different by chance, which costs a tenth of the latency at high load). Some seconds
   of latency, as of a server that was frozen, fade beside a fraction of a millisecond within seven seconds; a half-life
   of 2 s is no better in that table and takes half a minute. */
#include "policy/ewma.h"

enum {
    SAMPLES = 64,
    HALF_LIFE_US = 500000, /* of what is known, without a new sample */
    LONGEST_US =
        1000000000 /* keeps the arithmetic, and the products that strategies make of it, within 64 bits */
};

/* Rounded away from where it is, so that it gets there. */
static uint64_t closer(uint64_t value, uint64_t sample)
{
    return sample > value ? value + (sample - value + SAMPLES - 1) / SAMPLES
                          : value - (value - sample + SAMPLES - 1) / SAMPLES;
}

void pqr__ewma_note_many(struct pqr__ewma *ewma, uint32_t n, uint64_t sample_us, uint64_t now_us)
{
    uint64_t sample = sample_us < 1 ? 1 : sample_us > LONGEST_US ? LONGEST_US : sample_us;
    uint64_t value = pqr__ewma_read(ewma, now_us);
    if (value == 0)
        value = sample;
    for (; n > 0 && value != sample; n--)
        value = closer(value, sample);
    *ewma = (struct pqr__ewma){.value_us = value, .at_us = now_us};
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
