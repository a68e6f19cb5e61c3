/* Writes words of the files into a document's text, in a form that holds no surprise for libconfig. */
#ifndef PQR_CONFIG_EMIT_H
#define PQR_CONFIG_EMIT_H

#include "config/document.h"
#include "config/scan.h"

enum { PQR__MAX_NESTING = 32, PQR__MAX_NAMES = 2000 };

/* A name that was set in a scope. */
struct pqr__seen {
    const char *start;
    size_t length;
    uint32_t line; /* of the text */
};

/* What a bracket opened. */
struct pqr__scope {
    char open;        /* '{', '(', '[', or 0 at the top */
    const char *name; /* the key whose value it is; NULL: an element of a list */
    size_t name_length;
    uint32_t element;    /* the number of the element being written, of a list */
    uint32_t first_name; /* in names */
};

struct pqr__emitter {
    struct pqr__document *document;
    struct pqr__problems *problems;
    struct pqr__scope scopes[PQR__MAX_NESTING];
    uint32_t depth;          /* index of the innermost scope */
    struct pqr__seen *names; /* of all open scopes, outermost first */
    uint32_t n_names, names_capacity, names_total, duplicates;
    struct pqr__seen key; /* the last one written */
    char previous; /* the last word: a mark itself, 'n'ame of a key, 'w'ord, '"' or '1' as value; 0: none */
    uint32_t previous_file;
    bool no_memory;
};

/* Writes a name, number, string or mark that stands in that file. False: it is told in document->error, or
   there is no memory. */
bool pqr__emit_word(struct pqr__emitter *emitter, const struct pqr__word *word, uint32_t file);

/* The first syntax error, at the line where the text ends. Always false. */
bool pqr__emit_fail(struct pqr__emitter *emitter, const char *text);
/* Always false. */
bool pqr__emit_no_memory(struct pqr__emitter *emitter);

/* Whether a string means something printable; line ends and tabs are. */
bool pqr__emit_printable(const char *bytes, size_t length);

void pqr__emit_finish(struct pqr__emitter *emitter);

#endif
