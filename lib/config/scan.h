/* The words of a configuration file, by libconfig's lexical rules. libconfig reads what the expander
   writes from them, never the file itself (config/document.h says why). */
#ifndef PQR_CONFIG_SCAN_H
#define PQR_CONFIG_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum pqr__word_kind {
    PQR__WORD_END,
    PQR__WORD_NAME,    /* true and false included */
    PQR__WORD_NUMBER,  /* starts as one does */
    PQR__WORD_STRING,  /* with its quotes */
    PQR__WORD_MARK,    /* one of = : , ; { } ( ) [ ] */
    PQR__WORD_INCLUDE, /* @include at the start of a line: a string follows */
    PQR__WORD_BAD,     /* see problem */
};

struct pqr__word {
    enum pqr__word_kind kind;
    const char *start;
    size_t length;
    uint32_t line;       /* where it starts */
    const char *problem; /* of a bad one: a static text */
};

struct pqr__scanner {
    const char *at, *end;
    uint32_t line;
    bool line_start; /* nothing but blanks since the line's start */
};

void pqr__scan_init(struct pqr__scanner *scanner, const char *text, size_t length);
struct pqr__word pqr__scan_next(struct pqr__scanner *scanner);

/* What a string word means: length bytes and a NUL at out, which has room for word->length bytes. */
size_t pqr__scan_string(const struct pqr__word *word, char *out);

struct pqr__number {
    bool integer;  /* otherwise it has a fraction or an exponent */
    bool fits;     /* the integer has 32 bits */
    int32_t value; /* then */
};

/* What a number word means. False: it is none. */
bool pqr__scan_number(const struct pqr__word *word, struct pqr__number *out);

#endif
