/* A PostgreSQL server that says what a test wants it to say, in a process of its own: messages cut, dripped, out of
   step, without end. serve is called for each connection in turn, and the socket closed when it returns. */
#ifndef PQR_TESTS_FAKE_SERVER_H
#define PQR_TESTS_FAKE_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

typedef void (*fake_serve)(int fd, const void *data);

struct fake_server {
    pid_t pid;
    char conninfo[100];
};

/* Cannot fail: ends the test's process instead. */
void fake_server_start(struct fake_server *server, fake_serve serve, const void *data);
void fake_server_stop(struct fake_server *server);

/* --- For serve --- */

/* Bytes to send, of one or more messages. */
struct fake_bytes {
    size_t length;
    char at[4096];
};

/* One message. body may hold NULs. */
void fake_message(struct fake_bytes *bytes, char type, const char *body, size_t length);
/* A string literal's content, the NUL at its end included. */
#define FAKE_MESSAGE(bytes, type, literal) fake_message(bytes, type, literal, sizeof(literal))
/* ParseComplete, BindComplete, RowDescription of one text column, DataRow, CommandComplete. */
void fake_row(struct fake_bytes *bytes, const char *value);
/* severity, sqlstate (NULL: none) and text; type E or N. */
void fake_report(
    struct fake_bytes *bytes, char type, const char *severity, const char *sqlstate, const char *text);
/* status: I, T or E. */
void fake_ready(struct fake_bytes *bytes, char status);
/* Authentication, parameters, key and ReadyForQuery. */
void fake_welcome(struct fake_bytes *bytes);

/* Reads the startup packet. */
bool fake_await_startup(int fd);
/* Reads messages up to one of this type; false: the client went away. */
bool fake_await(int fd, char type);
/* False: the client went away. */
bool fake_write(int fd, const char *at, size_t length);
/* Both of the beginning. */
bool fake_log_in(int fd);
/* Returns when the client went away. */
void fake_linger(int fd);

#endif
