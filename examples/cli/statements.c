/* Splits a stream at its NUL bytes. Memory is that of the longest statement: bytes handed out are overwritten by
   the next read. */
#include "statements.h"

#include <stdlib.h>
#include <string.h>

#define READ_SIZE ((size_t)64 * 1024)
/* What PostgreSQL takes in one message. */
#define MAX_STATEMENT ((size_t)1 << 30)

const char statements_too_long[] =
    "a statement is longer than 1 GiB or than memory; each statement has to end with a NUL byte";

bool statements_init_one(struct statements *in, const char *sql)
{
    size_t size = strlen(sql) + 1;

    *in = (struct statements){.bytes = malloc(size), .capacity = size, .end = size, .ended = true};
    if (!in->bytes)
        return false;
    memcpy(in->bytes, sql, size);
    return true;
}

char *statements_room(struct statements *in, size_t *room)
{
    if (in->begin > 0) {
        memmove(in->bytes, in->bytes + in->begin, in->end - in->begin);
        in->end -= in->begin;
        in->scanned -= in->begin;
        in->begin = 0;
    }
    /* One byte stays free, for the NUL that the last statement may lack. */
    if (in->capacity - in->end < READ_SIZE + 1) {
        if (in->end > MAX_STATEMENT)
            return NULL;
        size_t capacity = in->capacity * 2 + READ_SIZE + 1;
        char *bytes = realloc(in->bytes, capacity);
        if (!bytes)
            return NULL;
        in->bytes = bytes;
        in->capacity = capacity;
    }
    *room = in->capacity - in->end - 1;
    return in->bytes + in->end;
}

void statements_added(struct statements *in, size_t length)
{
    in->end += length;
    if (length > 0)
        return;
    in->ended = true;
    if (in->end > in->begin && in->bytes[in->end - 1] != '\0')
        in->bytes[in->end++] = '\0';
}

bool statements_next(struct statements *in, char **sql, size_t *length)
{
    const char *found =
        in->end > in->scanned ? memchr(in->bytes + in->scanned, '\0', in->end - in->scanned) : NULL;

    if (!found) {
        in->scanned = in->end;
        return false;
    }
    *sql = in->bytes + in->begin;
    *length = (size_t)(found - *sql);
    in->begin = in->scanned = in->begin + *length + 1;
    return true;
}

void statements_free(struct statements *in)
{
    free(in->bytes);
    *in = (struct statements){0};
}
