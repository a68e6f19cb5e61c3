/* After our end of a connection is closed, the server's session may go on: a statement that nobody waits for runs to its
 * end, unless the server looks for its client meanwhile (client_connection_check_interval). Limits count the session, so the
 * socket is kept, beyond the PGconn that says good-bye and closes a descriptor of its own, until the server closes its end.
 *
 * What may go wrong: the server never does (there is a bound), or it goes on sending (what comes is thrown away, and above a
 * limit the socket is closed, which ends the server's sending and, soon after, its session); there is no descriptor left. */
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "postgres/conn.h"

enum {
    BUSY_MS = 5000,  /* for a session that may have a statement to end */
    IDLE_MS = 1000,  /* for one that has nothing to do but to see our end */
    RESET_MS = 1000, /* after the socket was closed in its face */
    TURN_BYTES = 64 * 1024,
    FLOOD_BYTES = 1024 * 1024,
};

enum sight { ALIVE, OVER, FLOODED };

/* In a child after fork the session is the parent's, and goes on. */
void pqr__linger_keep(struct pqr__conn *conn)
{
    int fd = conn->pg ? PQsocket(conn->pg) : -1;
    if (fd < 0 || conn->abandoned || getpid() != conn->home->pid)
        return;
    conn->linger_fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    conn->linger_busy = conn->n_air > 0;
}

static void drop_socket(struct pqr__conn *conn)
{
    if (conn->linger_fd >= 0)
        close(conn->linger_fd);
    conn->linger_fd = -1;
}

/* Throws away what has come, a part of it a turn. */
static enum sight look(struct pqr__conn *conn)
{
    char waste[16 * 1024];
    for (size_t turn = 0; turn < TURN_BYTES;) {
        ssize_t n = recv(conn->linger_fd, waste, sizeof(waste), MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return ALIVE;
        if (n <= 0)
            return OVER;
        turn += (size_t)n;
        conn->lingered += (uint32_t)n;
        if (conn->lingered > FLOOD_BYTES)
            return FLOODED;
    }
    return ALIVE;
}

/* Handles first, as on every way down. */
static void leave(struct pqr__conn *conn)
{
    pqr__conn_move(conn, PQR__CONN_GONE);
    pqr__conn_close_handles(conn);
    drop_socket(conn);
}

static void on_bound(uv_timer_t *timer)
{
    leave(timer->data);
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
    struct pqr__conn *conn = poll->data;
    enum sight sight = look(conn);
    (void)events;
    if (sight == FLOODED) {
        pqr__conn_close_poll(conn);
        drop_socket(conn);
        uv_timer_start(&conn->deadline, on_bound, RESET_MS, 0);
    } else if (sight == OVER || status < 0) {
        leave(conn);
    }
}

bool pqr__linger_begin(struct pqr__conn *conn)
{
    if (conn->linger_fd < 0)
        return false;
    shutdown(conn->linger_fd, SHUT_WR); /* what PQfinish's close would have told the server */
    if (look(conn) == OVER || uv_poll_init(conn->home->loop, &conn->poll, conn->linger_fd) != 0) {
        drop_socket(conn);
        return false;
    }
    pqr__conn_move(conn, PQR__CONN_LINGERING);
    conn->poll.data = conn;
    uv_timer_init(conn->home->loop, &conn->deadline);
    conn->deadline.data = conn;
    conn->n_handles = 2;
    uv_timer_start(&conn->deadline, on_bound, conn->linger_busy ? BUSY_MS : IDLE_MS, 0);
    if (uv_poll_start(&conn->poll, UV_READABLE, on_ready) != 0)
        leave(conn);
    return true;
}

void pqr__linger_abandon(struct pqr__conn *conn)
{
    if (conn->state == PQR__CONN_LINGERING)
        leave(conn);
    else if (conn->state == PQR__CONN_CLOSING)
        drop_socket(conn);
}
