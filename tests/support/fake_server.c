#include "fake_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

static _Noreturn void die(const char *what)
{
    perror(what);
    abort();
}

static _Noreturn void serve_all(int listener, fake_serve serve, const void *data)
{
#ifdef __linux__
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* goes with the test, however that ends */
#endif
    signal(SIGPIPE, SIG_IGN);
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        if (fd < 0)
            continue;
        int on = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        serve(fd, data);
        close(fd);
    }
}

void fake_server_start(struct fake_server *server, fake_serve serve, const void *data)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, length) != 0 ||
        listen(listener, 16) != 0 || getsockname(listener, (struct sockaddr *)&address, &length) != 0)
        die("fake server");
    snprintf(server->conninfo, sizeof(server->conninfo),
        "host=127.0.0.1 port=%d user=app dbname=app sslmode=disable gssencmode=disable",
        ntohs(address.sin_port));
    server->pid = fork();
    if (server->pid < 0)
        die("fork");
    if (server->pid == 0)
        serve_all(listener, serve, data);
    close(listener);
}

void fake_server_stop(struct fake_server *server)
{
    kill(server->pid, SIGKILL);
    while (waitpid(server->pid, NULL, 0) < 0 && errno == EINTR) {}
}

/* --- Writing --- */

static void put(struct fake_bytes *bytes, const void *from, size_t length)
{
    if (length > sizeof(bytes->at) - bytes->length)
        die("fake server: too many bytes");
    memcpy(bytes->at + bytes->length, from, length);
    bytes->length += length;
}

void fake_message(struct fake_bytes *bytes, char type, const char *body, size_t length)
{
    uint32_t size = htonl((uint32_t)(length + 4));
    put(bytes, &type, 1);
    put(bytes, &size, 4);
    put(bytes, body, length);
}

void fake_row(struct fake_bytes *bytes, const char *value)
{
    static const char description[] = "\0\1value\0\0\0\0\0\0\0\0\0\0\31\377\377\377\377\377\377\0";
    struct fake_bytes row = {.length = 0};
    uint32_t length = htonl((uint32_t)strlen(value));
    put(&row, "\0\1", 2);
    put(&row, &length, 4);
    put(&row, value, strlen(value));
    fake_message(bytes, '1', "", 0);
    fake_message(bytes, '2', "", 0);
    fake_message(bytes, 'T', description, sizeof(description));
    fake_message(bytes, 'D', row.at, row.length);
    FAKE_MESSAGE(bytes, 'C', "SELECT 1");
}

void fake_report(
    struct fake_bytes *bytes, char type, const char *severity, const char *sqlstate, const char *text)
{
    struct fake_bytes fields = {.length = 0};
    put(&fields, "S", 1);
    put(&fields, severity, strlen(severity) + 1);
    put(&fields, "V", 1);
    put(&fields, severity, strlen(severity) + 1);
    if (sqlstate) {
        put(&fields, "C", 1);
        put(&fields, sqlstate, strlen(sqlstate) + 1);
    }
    put(&fields, "M", 1);
    put(&fields, text, strlen(text) + 1);
    put(&fields, "", 1);
    fake_message(bytes, type, fields.at, fields.length);
}

void fake_ready(struct fake_bytes *bytes, char status)
{
    fake_message(bytes, 'Z', &status, 1);
}

void fake_welcome(struct fake_bytes *bytes)
{
    fake_message(bytes, 'R', "\0\0\0\0", 4);
    FAKE_MESSAGE(bytes, 'S', "server_version\00015.0");
    FAKE_MESSAGE(bytes, 'S', "client_encoding\0UTF8");
    FAKE_MESSAGE(bytes, 'S', "standard_conforming_strings\0on");
    FAKE_MESSAGE(bytes, 'S', "in_hot_standby\0off");
    fake_message(bytes, 'K', "\0\0\0\1\0\0\0\2", 8);
    fake_ready(bytes, 'I');
}

bool fake_write(int fd, const char *at, size_t length)
{
    while (length > 0) {
        ssize_t written = write(fd, at, length);
        if (written < 0)
            return false;
        at += written;
        length -= (size_t)written;
    }
    return true;
}

/* --- Reading --- */

static bool read_all(int fd, void *at, size_t length)
{
    return recv(fd, at, length, MSG_WAITALL) == (ssize_t)length;
}

static bool skip(int fd, size_t length)
{
    char waste[512];
    while (length > 0) {
        size_t part = length < sizeof(waste) ? length : sizeof(waste);
        if (!read_all(fd, waste, part))
            return false;
        length -= part;
    }
    return true;
}

static bool skip_body(int fd)
{
    uint32_t size;
    return read_all(fd, &size, 4) && ntohl(size) >= 4 && skip(fd, ntohl(size) - 4);
}

bool fake_await_startup(int fd)
{
    return skip_body(fd);
}

bool fake_await(int fd, char type)
{
    char got;
    while (read_all(fd, &got, 1) && skip_body(fd))
        if (got == type)
            return true;
    return false;
}

bool fake_log_in(int fd)
{
    struct fake_bytes bytes = {.length = 0};
    fake_welcome(&bytes);
    return fake_await_startup(fd) && fake_write(fd, bytes.at, bytes.length);
}

void fake_linger(int fd)
{
    char byte;
    while (recv(fd, &byte, 1, 0) > 0) {}
}
