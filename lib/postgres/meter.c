#include "postgres/meter.h"

#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <netinet/in.h>
#ifdef __linux__
#include <linux/tcp.h> /* netinet/tcp.h's struct ends before the counter */
#else
#include <netinet/tcp.h>
#endif

enum { LIBPQ_BUFFER = 16 * 1024 };

static uint64_t unread(int fd)
{
    int bytes = 0;
    return ioctl(fd, FIONREAD, &bytes) == 0 && bytes > 0 ? (uint64_t)bytes : 0;
}

/* False: not TCP, or the system does not count. */
static bool received(int fd, uint64_t *bytes)
{
#if defined(__linux__)
    struct tcp_info info;
    socklen_t length = sizeof(info);
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) != 0 ||
        length < offsetof(struct tcp_info, tcpi_bytes_received) + sizeof(info.tcpi_bytes_received))
        return false;
    *bytes = info.tcpi_bytes_received;
    return true;
#elif defined(TCP_CONNECTION_INFO)
    struct tcp_connection_info info;
    socklen_t length = sizeof(info);
    if (getsockopt(fd, IPPROTO_TCP, TCP_CONNECTION_INFO, &info, &length) != 0)
        return false;
    *bytes = info.tcpi_rxbytes;
    return true;
#else
    (void)fd;
    (void)bytes;
    return false;
#endif
}

/* What has been read from it, which stands still meanwhile: known exactly when nothing came between the questions, else
   between two bounds. */
static bool consumed(int fd, uint64_t *least, uint64_t *most)
{
    unsigned tries = 8;
    uint64_t came, before, after = unread(fd);
    do {
        before = after;
        if (!received(fd, &came))
            return false;
        after = unread(fd);
    } while (after != before && --tries > 0);
    *least = came - after;
    *most = came - before;
    return true;
}

void pqr__meter_stop(struct pqr__meter *meter)
{
    meter->running = false;
}

void pqr__meter_before(struct pqr__meter *meter, int fd)
{
    if (meter->running && !meter->tcp)
        meter->before = unread(fd);
}

static void start(struct pqr__meter *meter, int fd)
{
    meter->running = true;
    meter->bytes = meter->results = meter->parts = 0;
    uint64_t least;
    meter->tcp = consumed(fd, &least, &meter->base);
}

static uint64_t estimate(uint64_t before, uint64_t after)
{
    uint64_t least = before < LIBPQ_BUFFER ? before : LIBPQ_BUFFER;
    return before > after && before - after > least ? before - after : least;
}

uint64_t pqr__meter_after(struct pqr__meter *meter, int fd)
{
    uint64_t least, most;
    if (!meter->running)
        start(meter, fd);
    else if (!meter->tcp)
        meter->bytes += estimate(meter->before, unread(fd));
    else if (consumed(fd, &least, &most) && least > meter->base)
        meter->bytes = least - meter->base;
    /* Rows of the first read are in the parts alone. */
    return meter->bytes > meter->parts ? meter->bytes - meter->parts : 0;
}

void pqr__meter_part(struct pqr__meter *meter, uint64_t bytes)
{
    if (meter->tcp)
        meter->parts += bytes;
    else
        meter->running = false;
}
