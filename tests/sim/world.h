/* The simulated world's heart: a virtual clock, a queue of events ordered by (time, order of scheduling) and one
   seeded generator. Nothing here or above reads a real clock, so that a seed is one history. */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/random.h"

/* Sits inside whatever it wakes. Zeroed memory is an alarm that is not set. */
struct sim_alarm {
    uint64_t at_us, sequence;
    size_t place; /* in the queue, from 1; 0: not set */
    void (*fire)(void *context);
    void *context;
};

struct sim_world {
    uint64_t seed, now_us, sequence, steps;
    struct pqr__random random;
    struct sim_alarm **queue;
    size_t n_queued, capacity;
    bool trace;
    const char *replay; /* further arguments of the command that replays this run */
};

void sim_world_init(struct sim_world *world, uint64_t seed);
void sim_world_finish(struct sim_world *world);
/* The next event; false when there is none. */
bool sim_world_step(struct sim_world *world);

/* Sets or moves. */
void sim_alarm_set(
    struct sim_world *world, struct sim_alarm *alarm, uint64_t at_us, void (*fire)(void *), void *context);
void sim_alarm_clear(struct sim_world *world, struct sim_alarm *alarm);

bool sim_chance(struct sim_world *world, unsigned per_mille);
/* Evenly from low to high, both included. */
uint64_t sim_between(struct sim_world *world, uint64_t low, uint64_t high);
/* Mostly near low, seldom near high: what latencies look like. */
uint64_t sim_skewed(struct sim_world *world, uint64_t low, uint64_t high);

void sim_trace(const struct sim_world *world, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A broken promise: says which, and how to see it again, and ends the program. */
_Noreturn void sim_fail(const struct sim_world *world, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The simulator's own memory, apart from the heap it watches. Never NULL, zeroed; freed with free(). */
void *sim_alloc(size_t size);

#endif
