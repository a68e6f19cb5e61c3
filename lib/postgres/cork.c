/* Without PQsendPipelineSync (libpq before 17) each flight is sent on its own, and each wakes the server up. The first
 * of a turn of the loop goes at once; what follows it in the same turn the system is told to keep together (tcp(7)).
 * That costs two calls more for all of them, and makes one packet and one wake-up of many. On a Unix socket there is
 * nothing like it, and on other systems than Linux it is not done.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "postgres/conn.h"
#include "postgres/newer.h"

static bool is_tcp(int fd)
{
    struct sockaddr_storage address;
    socklen_t length = sizeof(address);
    return getsockname(fd, (struct sockaddr *)&address, &length) == 0 &&
           (address.ss_family == AF_INET || address.ss_family == AF_INET6);
}

void pqr__cork_open(struct pqr__conn *conn)
{
    conn->together = is_tcp(conn->fd);
#if PQR__HAVE_NEWER
    conn->together &= !PQsendPipelineSync;
#endif
}

/* libpq's socket, not the one it once had: a closed one's number may be another's. */
static void cork(struct pqr__conn *conn, bool corked)
{
#ifdef TCP_CORK
    int value = corked, fd = PQsocket(conn->pg);
    conn->corked = setsockopt(fd, IPPROTO_TCP, TCP_CORK, &value, sizeof(value)) == 0 && corked;
#else
    conn->corked = corked;
#endif
}

void pqr__cork_begin(struct pqr__conn *conn)
{
    if (conn->fresh && conn->together && !conn->corked)
        cork(conn, true);
    conn->fresh = true;
}

void pqr__cork_end(struct pqr__conn *conn)
{
    conn->fresh = false;
    if (conn->corked)
        cork(conn, false);
}
