/* A heap that counts, and fails when it is told to. */
#ifndef PQR_TESTS_HEAP_H
#define PQR_TESTS_HEAP_H

#include <stddef.h>

struct heap {
    unsigned calls;        /* for memory */
    unsigned failing_from; /* this call and all after it fail; 0: none */
    unsigned failing_at;   /* this one alone does; 0: none */
    unsigned frees;
    size_t blocks; /* not freed */
};
extern struct heap heap;

/* The next call is the first, and none fails; what is not freed stays counted. */
void heap_reset(void);
/* The same, with the library's memory from here: a group's setup. */
int heap_install(void **state);

#endif
