#include "machine.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void arm(struct machine *machine);

/* Work a microsecond for each of the jobs. */
static double speed(const struct machine *machine)
{
    double n = (double)machine->n;
    double capacity = n < machine->cores ? n : machine->cores;
    if (machine->n > machine->knee)
        capacity /= 1 + machine->decay * (n - machine->knee);
    return capacity / n / machine->slower;
}

static void advance(struct machine *machine)
{
    uint64_t now_us = machine->world->now_us;
    if (machine->n > 0)
        machine->progress += (double)(now_us - machine->at_us) * speed(machine);
    machine->at_us = now_us;
}

static bool before(const struct machine_job *a, const struct machine_job *b)
{
    return a->ends < b->ends || (a->ends <= b->ends && a->order < b->order);
}

static void put(struct machine *machine, size_t place, struct machine_job *job)
{
    machine->heap[place] = job;
    job->place = place;
}

static void sift(struct machine *machine, size_t place)
{
    struct machine_job *job = machine->heap[place];
    for (; place > 1 && before(job, machine->heap[place / 2]); place /= 2)
        put(machine, place, machine->heap[place / 2]);
    for (size_t child; (child = 2 * place) <= machine->n; place = child) {
        if (child < machine->n && before(machine->heap[child + 1], machine->heap[child]))
            child++;
        if (!before(machine->heap[child], job))
            break;
        put(machine, place, machine->heap[child]);
    }
    put(machine, place, job);
}

static void take_out(struct machine *machine, struct machine_job *job)
{
    size_t place = job->place;
    struct machine_job *last = machine->heap[machine->n--];
    job->place = 0;
    if (last == job)
        return;
    put(machine, place, last);
    sift(machine, place);
}

static void ended(void *context)
{
    struct machine *machine = context;
    advance(machine);
    while (machine->n > 0 && machine->heap[1]->ends <= machine->progress + 1e-6) {
        struct machine_job *job = machine->heap[1];
        take_out(machine, job);
        job->done(job->context);
    }
    arm(machine);
}

static void arm(struct machine *machine)
{
    if (machine->n == 0) {
        sim_alarm_clear(machine->world, &machine->alarm);
        return;
    }
    double left_us = (machine->heap[1]->ends - machine->progress) / speed(machine);
    uint64_t at_us = machine->world->now_us + (left_us > 0 ? (uint64_t)ceil(left_us) : 0);
    sim_alarm_set(machine->world, &machine->alarm, at_us, ended, machine);
}

void machine_init(struct machine *machine, struct sim_world *world)
{
    *machine = (struct machine){.world = world, .cores = 1, .knee = UINT32_MAX, .slower = 1};
}

void machine_finish(struct machine *machine)
{
    sim_alarm_clear(machine->world, &machine->alarm);
    free(machine->heap);
    machine->heap = NULL;
}

static void grow(struct machine *machine)
{
    machine->capacity = machine->capacity ? 2 * machine->capacity : 64;
    struct machine_job **grown = sim_alloc(machine->capacity * sizeof(struct machine_job *));
    if (machine->heap)
        memcpy(grown, machine->heap, (machine->n + 1) * sizeof(struct machine_job *));
    free(machine->heap);
    machine->heap = grown;
}

void machine_run(
    struct machine *machine, struct machine_job *job, double work_us, void (*done)(void *), void *context)
{
    advance(machine);
    if (machine->n + 2 > machine->capacity)
        grow(machine);
    *job = (struct machine_job){
        .ends = machine->progress + work_us, .order = machine->orders++, .done = done, .context = context};
    put(machine, ++machine->n, job);
    sift(machine, machine->n);
    arm(machine);
}

void machine_drop(struct machine *machine, struct machine_job *job)
{
    if (job->place == 0)
        return;
    advance(machine);
    take_out(machine, job);
    arm(machine);
}

void machine_slow(struct machine *machine, double slower)
{
    advance(machine);
    machine->slower = slower;
    arm(machine);
}
