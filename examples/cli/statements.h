/* Statements out of a stream of bytes: each ends with a NUL, the last may lack it. */
#ifndef CLI_STATEMENTS_H
#define CLI_STATEMENTS_H

#include <stdbool.h>
#include <stddef.h>

struct statements {
    char *bytes;
    size_t capacity;
    size_t begin, end; /* what is read and not handed out yet */
    size_t scanned;    /* no NUL from begin up to here */
    bool ended;        /* nothing more will come */
};

extern const char statements_too_long[];

/* A stream that holds just this one. False: out of memory. */
bool statements_init_one(struct statements *in, const char *sql);
/* Room for more bytes; NULL, and statements_too_long tells it, when there is none. Invalidates what statements_next gave. */
char *statements_room(struct statements *in, size_t *room);
/* length bytes were put there; 0: the stream has ended. */
void statements_added(struct statements *in, size_t length);
/* The next statement, ended by a NUL and valid until statements_room. False: more has to be read first, or
   all were given. */
bool statements_next(struct statements *in, char **sql, size_t *length);
void statements_free(struct statements *in);

#endif
