/* A file read whole into memory. */
#ifndef PQR_CONFIG_FILE_H
#define PQR_CONFIG_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct pqr__file {
    char *name;
    char *text; /* may hold NUL bytes; one more is at its end */
    size_t length;
    bool on_disk; /* false: a text that a caller had in memory; no fact below counts */
    dev_t device;
    ino_t inode;
    uid_t owner;
    mode_t mode;
};

/* Reads a regular file of at most limit bytes. 0; PQR_ENOMEM; PQR_EIO, with the reason in why (of size
   bytes). */
int pqr__file_read(struct pqr__file *out, const char *name, size_t limit, char *why, size_t size);

/* From memory. 0 or PQR_ENOMEM. */
int pqr__file_of_text(struct pqr__file *out, const char *name, const char *text, size_t length);

/* Whether only its owner can read it; a file of root's may be readable by its group. As PostgreSQL asks of
   key files (manual, section 34.19.1). */
bool pqr__file_is_private(const struct pqr__file *file);

bool pqr__file_same(const struct pqr__file *left, const struct pqr__file *right);

/* Wipes and frees what it holds. */
void pqr__file_finish(struct pqr__file *file);

#endif
