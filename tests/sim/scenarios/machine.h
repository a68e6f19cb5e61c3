/* A database server's machine: statements share its processors. n of them at once get capacity(n) = min(n, cores)
   together, a little less for each past the knee; the numbers are measured (calibration.h). */
#ifndef SCENARIO_MACHINE_H
#define SCENARIO_MACHINE_H

#include "../world.h"

struct machine_job {
    double ends; /* in the machine's own time: work done for each job since the beginning */
    uint64_t order;
    size_t place; /* in the heap, from 1; 0: it does not run */
    void (*done)(void *context);
    void *context;
};

struct machine {
    struct sim_world *world;
    double cores;    /* what all together can get at most */
    uint32_t knee;   /* past so many jobs at once ... */
    double decay;    /* ... each one more costs this part of the whole */
    double slower;   /* times: 1 is as it should be */
    double progress; /* of each job, in microseconds of work */
    uint64_t at_us, orders;
    struct machine_job **heap;
    size_t n, capacity;
    struct sim_alarm alarm;
};

void machine_init(struct machine *machine, struct sim_world *world);
void machine_finish(struct machine *machine);
/* done is called when the job has got that much work, alone on a processor. */
void machine_run(
    struct machine *machine, struct machine_job *job, double work_us, void (*done)(void *), void *context);
/* Fine when it does not run. */
void machine_drop(struct machine *machine, struct machine_job *job);
/* From now on. */
void machine_slow(struct machine *machine, double slower);

#endif
