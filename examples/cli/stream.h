/* Standard input and output beside the loop: each waits on a thread of libuv's pool, so that neither a slow writer
   nor a slow reader of ours holds up connections and deadlines. At most one read and one write are under way. */
#ifndef CLI_STREAM_H
#define CLI_STREAM_H

#include <stdbool.h>
#include <uv.h>

#include "statements.h"
#include "text.h"

struct reader {
    uv_work_t work;
    uv_loop_t *loop;
    struct statements *into;
    int wake[2]; /* closed at its second end to end a read that waits */
    char *room;
    size_t size;
    ssize_t got;
    int error; /* errno of the read that failed */
    bool reading;
    void (*done)(struct reader *reader);
    void *data;
};

/* False: no pipe could be made, errno says why. */
bool reader_init(struct reader *reader, uv_loop_t *loop, struct statements *into);
/* Reads once into the statements, then calls done on the loop. 0 or an errno. */
int reader_start(struct reader *reader);
/* A read that waits ends soon, as if the input had ended; done is called as ever. */
void reader_stop(struct reader *reader);
void reader_finish(struct reader *reader);

struct writer {
    uv_work_t work;
    uv_loop_t *loop;
    struct text pending, under_way;
    int error; /* errno of the write that failed; everything later is dropped */
    bool writing;
    void (*done)(struct writer *writer);
    void *data;
};

/* Writes what is pending when nothing is under way; done is called on the loop after it. */
void writer_start(struct writer *writer);
void writer_finish(struct writer *writer);

#endif
