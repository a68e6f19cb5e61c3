#include "world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { START_US = 1000000000 };

void *sim_alloc(size_t size)
{
    void *memory = calloc(1, size ? size : 1);
    if (!memory) {
        fputs("the simulator itself has no memory\n", stderr);
        exit(2);
    }
    return memory;
}

void sim_world_init(struct sim_world *world, uint64_t seed)
{
    *world = (struct sim_world){.seed = seed, .now_us = START_US, .replay = ""};
    pqr__random_seed(&world->random, seed);
}

void sim_world_finish(struct sim_world *world)
{
    for (size_t i = 1; i <= world->n_queued; i++)
        world->queue[i]->place = 0;
    free(world->queue);
    world->queue = NULL;
    world->n_queued = 0;
}

static bool before(const struct sim_alarm *a, const struct sim_alarm *b)
{
    return a->at_us != b->at_us ? a->at_us < b->at_us : a->sequence < b->sequence;
}

static void put(struct sim_world *world, size_t place, struct sim_alarm *alarm)
{
    world->queue[place] = alarm;
    alarm->place = place;
}

/* Finds the place of an alarm that was put at `place`, up or down the heap. */
static void sift(struct sim_world *world, size_t place)
{
    struct sim_alarm *alarm = world->queue[place];
    for (; place > 1 && before(alarm, world->queue[place / 2]); place /= 2)
        put(world, place, world->queue[place / 2]);
    for (size_t child; (child = 2 * place) <= world->n_queued; place = child) {
        if (child < world->n_queued && before(world->queue[child + 1], world->queue[child]))
            child++;
        if (!before(world->queue[child], alarm))
            break;
        put(world, place, world->queue[child]);
    }
    put(world, place, alarm);
}

void sim_alarm_clear(struct sim_world *world, struct sim_alarm *alarm)
{
    size_t place = alarm->place;
    if (place == 0)
        return;
    alarm->place = 0;
    struct sim_alarm *last = world->queue[world->n_queued--];
    if (last == alarm)
        return;
    put(world, place, last);
    sift(world, place);
}

void sim_alarm_set(
    struct sim_world *world, struct sim_alarm *alarm, uint64_t at_us, void (*fire)(void *), void *context)
{
    sim_alarm_clear(world, alarm);
    if (world->n_queued + 2 > world->capacity) {
        world->capacity = world->capacity ? 2 * world->capacity : 256;
        struct sim_alarm **grown = sim_alloc(world->capacity * sizeof(*grown));
        if (world->queue)
            memcpy(grown, world->queue, (world->n_queued + 1) * sizeof(struct sim_alarm *));
        free(world->queue);
        world->queue = grown;
    }
    alarm->at_us = at_us > world->now_us ? at_us : world->now_us;
    alarm->sequence = world->sequence++;
    alarm->fire = fire;
    alarm->context = context;
    put(world, ++world->n_queued, alarm);
    sift(world, world->n_queued);
}

bool sim_world_step(struct sim_world *world)
{
    if (world->n_queued == 0)
        return false;
    struct sim_alarm *alarm = world->queue[1];
    sim_alarm_clear(world, alarm);
    world->now_us = alarm->at_us;
    world->steps++;
    alarm->fire(alarm->context);
    return true;
}

bool sim_chance(struct sim_world *world, unsigned per_mille)
{
    return per_mille > 0 && pqr__random_below(&world->random, 1000) < per_mille;
}

uint64_t sim_between(struct sim_world *world, uint64_t low, uint64_t high)
{
    return high <= low ? low : low + pqr__random_below(&world->random, high - low + 1);
}

uint64_t sim_skewed(struct sim_world *world, uint64_t low, uint64_t high)
{
    uint64_t span = high > low ? high - low : 0;
    for (int i = 0; i < 3; i++)
        span = sim_between(world, 0, span);
    return low + span;
}

__attribute__((format(printf, 3, 0))) static void print(
    const struct sim_world *world, FILE *to, const char *format, va_list values)
{
    fprintf(to, "%10.3f ms  ", (double)(world->now_us - START_US) / 1000);
    vfprintf(to, format, values);
    fputc('\n', to);
}

void sim_trace(const struct sim_world *world, const char *format, ...)
{
    if (!world->trace)
        return;
    va_list values;
    va_start(values, format);
    print(world, stdout, format, values);
    va_end(values);
}

void sim_fail(const struct sim_world *world, const char *format, ...)
{
    fflush(stdout);
    fprintf(stderr, "seed %llu: broken promise at\n", (unsigned long long)world->seed);
    va_list values;
    va_start(values, format);
    print(world, stderr, format, values);
    va_end(values);
    fprintf(stderr, "to see it again: sim --seed %llu --trace%s\n", (unsigned long long)world->seed,
        world->replay);
    fflush(stderr);
    /* Not exit(): leaks of a run cut short are no news. */
    _Exit(1);
}
