/* The heap under test: counts what pqrouter holds, and refuses allocations by number. */
#ifndef SIM_HEAP_H
#define SIM_HEAP_H

#include <stdbool.h>
#include <stdint.h>

struct sim_heap {
    uint64_t calls;   /* that wanted memory, since sim_heap_reset */
    uint64_t fail_at; /* the number of the call that fails, from 1; 0: none */
    bool fail_on;     /* and all after it */
    uint64_t failed;
    int64_t blocks, bytes, peak_bytes;
};

extern struct sim_heap sim_heap;

/* Once, before anything else of pqrouter. */
void sim_heap_install(void);
void sim_heap_reset(uint64_t fail_at, bool fail_on);

#endif
