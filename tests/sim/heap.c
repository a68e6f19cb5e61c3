#include "heap.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pqrouter.h"

struct sim_heap sim_heap;

/* In front of each block, of a size that keeps the alignment. */
union header {
    size_t size;
    max_align_t aligned;
};

static bool refused(void)
{
    sim_heap.calls++;
    bool fails = sim_heap.fail_at != 0 &&
                 (sim_heap.fail_on ? sim_heap.calls >= sim_heap.fail_at : sim_heap.calls == sim_heap.fail_at);
    sim_heap.failed += fails;
    return fails;
}

static void *account(union header *header, size_t size)
{
    header->size = size;
    sim_heap.blocks++;
    sim_heap.bytes += (int64_t)size;
    if (sim_heap.bytes > sim_heap.peak_bytes)
        sim_heap.peak_bytes = sim_heap.bytes;
    return header + 1;
}

static void *heap_malloc(size_t size)
{
    union header *header = refused() ? NULL : malloc(sizeof(*header) + size);
    if (!header)
        return NULL;
    /* What nobody wrote must not look like zeroes. */
    memset(header + 1, 0xA5, size);
    return account(header, size);
}

static void *heap_calloc(size_t count, size_t size)
{
    union header *header = refused() ? NULL : calloc(1, sizeof(*header) + count * size);
    return header ? account(header, count * size) : NULL;
}

static void heap_free(void *memory)
{
    if (!memory)
        return;
    union header *header = (union header *)memory - 1;
    sim_heap.blocks--;
    sim_heap.bytes -= (int64_t)header->size;
    free(header);
}

static void *heap_realloc(void *memory, size_t size)
{
    if (!memory)
        return heap_malloc(size);
    if (refused())
        return NULL;
    /* Always moves, so that a pointer kept over it is found. */
    union header *old = (union header *)memory - 1, *header = malloc(sizeof(*header) + size);
    if (!header)
        return NULL;
    memcpy(header + 1, memory, old->size < size ? old->size : size);
    heap_free(memory);
    return account(header, size);
}

void sim_heap_install(void)
{
    if (pqr_set_allocator(heap_malloc, heap_calloc, heap_realloc, heap_free) != 0) {
        fputs("the heap cannot be replaced\n", stderr);
        exit(2);
    }
}

void sim_heap_reset(uint64_t fail_at, bool fail_on)
{
    sim_heap = (struct sim_heap){.fail_at = fail_at, .fail_on = fail_on};
}
