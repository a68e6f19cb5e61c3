/* A string builder that grows to a bound. A failed append (no memory, bound reached) is remembered, so that a
   row of appends is checked once, at its end. */
#ifndef PQR_BASE_TEXT_H
#define PQR_BASE_TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct pqr__text {
    char *bytes; /* always ended by a NUL once anything was appended; NULL before */
    size_t length, capacity;
    size_t limit; /* 0: none */
    bool failed;
    bool secret; /* set by the user: memory is wiped before it is given back */
};

void pqr__text_append(struct pqr__text *text, const char *bytes, size_t length);
void pqr__text_puts(struct pqr__text *text, const char *string);
void pqr__text_printf(struct pqr__text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* As a JSON string with its quotes; control characters escaped, bytes that are no UTF-8 replaced. */
void pqr__text_json(struct pqr__text *text, const char *bytes, size_t length);
/* Forgets the content, keeps the memory. */
void pqr__text_clear(struct pqr__text *text);
/* Frees what it holds; the struct may be used again, limit and secret stay. */
void pqr__text_finish(struct pqr__text *text);
/* The string, now the caller's (pqr_free); NULL when anything failed. */
char *pqr__text_take(struct pqr__text *text);

/* Copies hostile text into out (always ended by a NUL), control characters as \xNN, cut to fit. */
void pqr__text_escape(char *out, size_t size, const char *text);
/* strlcpy, by another name. */
void pqr__text_copy(char *out, size_t size, const char *text);

#endif
