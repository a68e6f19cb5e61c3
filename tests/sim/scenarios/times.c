#include "times.h"

#include <stdlib.h>
#include <string.h>

#include "../world.h"

static void reserve(struct times *times, size_t n)
{
    if (n <= times->room)
        return;
    size_t room = n > 2 * times->room ? n : 2 * times->room;
    uint32_t *grown = sim_alloc(room * sizeof(*grown));
    if (times->n > 0)
        memcpy(grown, times->us, times->n * sizeof(*grown));
    free(times->us);
    times->us = grown;
    times->room = room;
}

void times_add(struct times *times, uint64_t us)
{
    reserve(times, times->n + 1);
    times->us[times->n++] = us < UINT32_MAX ? (uint32_t)us : UINT32_MAX;
}

void times_join(struct times *times, const struct times *others)
{
    reserve(times, times->n + others->n);
    if (others->n > 0)
        memcpy(times->us + times->n, others->us, others->n * sizeof(*others->us));
    times->n += others->n;
}

void times_free(struct times *times)
{
    free(times->us);
    *times = (struct times){0};
}

static int compare(const void *a, const void *b)
{
    uint32_t one = *(const uint32_t *)a, other = *(const uint32_t *)b;
    return one < other ? -1 : one > other;
}

uint64_t times_quantile_us(struct times *times, unsigned percent)
{
    if (times->n == 0)
        return 0;
    qsort(times->us, times->n, sizeof(*times->us), compare);
    return times->us[(times->n * percent + 99) / 100 - 1];
}
