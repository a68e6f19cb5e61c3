/* The replaceable heap: every allocation of pqrouter's own goes through here. */
#ifndef PQR_BASE_ALLOC_H
#define PQR_BASE_ALLOC_H

#include <stddef.h>

/* All answer NULL when there is no memory. Any thread. */
void *pqr__malloc(size_t size);
void *pqr__calloc(size_t count, size_t size);
void *pqr__realloc(void *memory, size_t size);
void pqr__free(void *memory);
char *pqr__strdup(const char *text);
char *pqr__strndup(const char *text, size_t length);
void *pqr__memdup(const void *memory, size_t size);

/* free() for memory that held a secret. NULL is fine. */
void pqr__free_wiped(void *memory, size_t size);
void pqr__wipe(void *memory, size_t size);

#endif
