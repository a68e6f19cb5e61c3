/* Reads and writes that may wait for a terminal or a pipe, one at a time, on the thread pool. The descriptors stay
   blocking: they are shared with other programs, a non-blocking one would surprise the shell. */
#include "stream.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

bool reader_init(struct reader *reader, uv_loop_t *loop, struct statements *into)
{
    *reader = (struct reader){.loop = loop, .into = into, .work.data = reader};
    return pipe(reader->wake) == 0;
}

static void read_work(uv_work_t *work)
{
    struct reader *reader = work->data;

    for (;;) {
        struct pollfd wait[2] = {
            {.fd = STDIN_FILENO, .events = POLLIN},
            {.fd = reader->wake[0], .events = POLLIN},
        };
        (void)poll(wait, 2, -1);
        if (wait[1].revents) {
            reader->got = 0;
            return;
        }
        if (!wait[0].revents)
            continue;
        reader->got = read(STDIN_FILENO, reader->room, reader->size);
        if (reader->got >= 0)
            return;
        if (errno != EINTR && errno != EAGAIN) {
            reader->error = errno;
            return;
        }
    }
}

static void after_read(uv_work_t *work, int status)
{
    struct reader *reader = work->data;

    (void)status; /* never cancelled */
    reader->reading = false;
    statements_added(reader->into, reader->got > 0 ? (size_t)reader->got : 0);
    reader->done(reader);
}

int reader_start(struct reader *reader)
{
    reader->room = statements_room(reader->into, &reader->size);
    if (!reader->room)
        return ENOMEM;
    if (uv_queue_work(reader->loop, &reader->work, read_work, after_read) != 0)
        return EIO;
    reader->reading = true;
    return 0;
}

void reader_stop(struct reader *reader)
{
    if (reader->wake[1] >= 0)
        (void)close(reader->wake[1]);
    reader->wake[1] = -1;
}

void reader_finish(struct reader *reader)
{
    reader_stop(reader);
    (void)close(reader->wake[0]);
}

static void write_work(uv_work_t *work)
{
    struct writer *writer = work->data;
    const char *bytes = writer->under_way.bytes;
    size_t left = writer->under_way.length;

    while (left > 0) {
        ssize_t n = write(STDOUT_FILENO, bytes, left);

        if (n >= 0) {
            bytes += n;
            left -= (size_t)n;
        } else if (errno == EAGAIN) {
            struct pollfd wait = {.fd = STDOUT_FILENO, .events = POLLOUT};
            (void)poll(&wait, 1, -1);
        } else if (errno != EINTR) {
            writer->error = errno;
            return;
        }
    }
}

static void after_write(uv_work_t *work, int status)
{
    struct writer *writer = work->data;

    (void)status; /* never cancelled */
    writer->writing = false;
    writer->under_way.length = 0;
    if (writer->error)
        writer->pending.length = 0;
    writer->done(writer);
}

void writer_start(struct writer *writer)
{
    if (writer->writing || writer->error || writer->pending.length == 0)
        return;
    struct text empty = writer->under_way;
    writer->under_way = writer->pending;
    writer->pending = empty;
    writer->work.data = writer;
    if (uv_queue_work(writer->loop, &writer->work, write_work, after_write) != 0)
        writer->error = EIO;
    else
        writer->writing = true;
}

void writer_finish(struct writer *writer)
{
    text_free(&writer->pending);
    text_free(&writer->under_way);
}
