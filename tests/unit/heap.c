#include "heap.h"

#include <stdbool.h>
#include <stdlib.h>

#include "pqrouter.h"

struct heap heap;

static bool fails(void)
{
    heap.calls++;
    return (heap.failing_from > 0 && heap.calls >= heap.failing_from) || heap.calls == heap.failing_at;
}

static void *counted(void *memory)
{
    heap.blocks += memory != NULL;
    return memory;
}

static void *own_malloc(size_t size)
{
    return fails() ? NULL : counted(malloc(size));
}

static void *own_calloc(size_t count, size_t size)
{
    return fails() ? NULL : counted(calloc(count, size));
}

static void *own_realloc(void *memory, size_t size)
{
    if (fails())
        return NULL;
    return memory ? realloc(memory, size) : counted(malloc(size));
}

static void own_free(void *memory)
{
    heap.frees += memory != NULL;
    heap.blocks -= memory != NULL;
    free(memory);
}

void heap_reset(void)
{
    heap = (struct heap){.blocks = heap.blocks};
}

int heap_install(void **state)
{
    (void)state;
    heap_reset();
    return pqr_set_allocator(own_malloc, own_calloc, own_realloc, own_free);
}
