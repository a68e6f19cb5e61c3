/* The replaceable heap. The four functions are set once, before any other call, so reading them needs no lock. */
#include "base/alloc.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "pqrouter.h"

static struct {
    void *(*malloc_fn)(size_t);
    void *(*calloc_fn)(size_t, size_t);
    void *(*realloc_fn)(void *, size_t);
    void (*free_fn)(void *);
} heap = {malloc, calloc, realloc, free};

int pqr_set_allocator(void *(*malloc_fn)(size_t size), void *(*calloc_fn)(size_t count, size_t size),
    void *(*realloc_fn)(void *memory, size_t size), void (*free_fn)(void *memory))
{
    if (!malloc_fn || !calloc_fn || !realloc_fn || !free_fn)
        return PQR_EINVAL;
    heap.malloc_fn = malloc_fn;
    heap.calloc_fn = calloc_fn;
    heap.realloc_fn = realloc_fn;
    heap.free_fn = free_fn;
    return 0;
}

void pqr_free(void *memory)
{
    heap.free_fn(memory);
}

void *pqr__malloc(size_t size)
{
    return heap.malloc_fn(size ? size : 1);
}

void *pqr__calloc(size_t count, size_t size)
{
    return heap.calloc_fn(count ? count : 1, size ? size : 1);
}

void *pqr__realloc(void *memory, size_t size)
{
    return heap.realloc_fn(memory, size ? size : 1);
}

void pqr__free(void *memory)
{
    heap.free_fn(memory);
}

void *pqr__memdup(const void *memory, size_t size)
{
    void *copy = pqr__malloc(size);
    if (copy && size)
        memcpy(copy, memory, size);
    return copy;
}

char *pqr__strndup(const char *text, size_t length)
{
    if (length == SIZE_MAX)
        return NULL;
    char *copy = pqr__malloc(length + 1);
    if (!copy)
        return NULL;
    memcpy(copy, text, length);
    copy[length] = '\0';
    return copy;
}

char *pqr__strdup(const char *text)
{
    return pqr__strndup(text, strlen(text));
}

void pqr__wipe(void *memory, size_t size)
{
    volatile unsigned char *byte = memory;
    while (size-- > 0)
        *byte++ = 0;
}

void pqr__free_wiped(void *memory, size_t size)
{
    if (memory)
        pqr__wipe(memory, size);
    heap.free_fn(memory);
}
