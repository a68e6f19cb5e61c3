/* A configuration file with all that it includes, as one text for libconfig.
 *
 * libconfig 1.5 is never shown the files: it wraps integers silently, stops at the first duplicate key,
 * loses a string's memory on some syntax errors, and its scanner ends the process when an @include names a
 * directory. So the files are taken apart into words here, and a text of plain words is written from them:
 * includes expanded, comments dropped, integers in canonical form, '@' only as an escape. A line of it is
 * a line of one of the files; pqr__document_origin tells which. */
#ifndef PQR_CONFIG_DOCUMENT_H
#define PQR_CONFIG_DOCUMENT_H

#include "base/text.h"
#include "config/file.h"
#include "config/problem.h"

/* In the written text an integer beyond 32 bits is a string that starts with this. */
#define PQR__WIDE_INTEGER "\x01"
/* The second of two settings of one name comes under a name that starts with this; it is reported already. */
#define PQR__DUPLICATE_PREFIX '*'

struct pqr__origin {
    const char *file;
    uint32_t line;      /* 0: none */
    int32_t file_index; /* in files; -1: none */
};

/* From this line of the written text on, lines are those of a file. */
struct pqr__segment {
    uint32_t line;
    uint32_t file, file_line;
};

enum { PQR__MAX_FILES = 64, PQR__MAX_INCLUDE_DEPTH = 8, PQR__MAX_CONFIG_BYTES = 1 << 20 };

struct pqr__document {
    const char *label; /* what it is called where there is no file */
    struct pqr__file files[PQR__MAX_FILES];
    uint32_t n_files;
    struct pqr__segment *segments;
    uint32_t n_segments, segments_capacity;
    struct pqr__text text; /* for libconfig */
    uint32_t line;         /* of text, where it ends */
    size_t bytes_read;     /* of all files, a file that is included twice counts twice */
    uint32_t error_line;   /* of text: the first syntax error; 0: none */
    char error[300];
};

void pqr__document_init(struct pqr__document *document, const char *label);
void pqr__document_finish(struct pqr__document *document);

/* Expands files[0], which the caller has put there. Duplicate keys go to problems, the first syntax error to
   error_line and error, and text ends there. 0 or PQR_ENOMEM. */
int pqr__document_expand(struct pqr__document *document, struct pqr__problems *problems);

struct pqr__origin pqr__document_origin(const struct pqr__document *document, uint32_t line);

#endif
