/* Times, every one of them kept: what is compared within 3% can't be read from buckets that are a sixteenth wide. */
#ifndef SCENARIO_TIMES_H
#define SCENARIO_TIMES_H

#include <stddef.h>
#include <stdint.h>

/* Zeroed it is empty. */
struct times {
    uint32_t *us;
    size_t n, room;
};

void times_add(struct times *times, uint64_t us);
void times_join(struct times *times, const struct times *others);
void times_free(struct times *times);
/* At least this part of them is at or below the answer; 0: there are none. Brings them into order. */
uint64_t times_quantile_us(struct times *times, unsigned percent);

#endif
