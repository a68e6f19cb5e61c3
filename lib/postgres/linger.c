/* After our end of a connection is closed, the server's session may go on: a statement that nobody waits for runs to
 * its end, unless the server looks for its client meanwhile (client_connection_check_interval). Limits count the
 * session, so the socket is kept, beyond the PGconn that says good-bye and closes a descriptor of its own, until the
 * server closes its end.
 *
 * What may go wrong: the server never does (there is a bound), or it goes on sending (what comes is thrown away, and
 * above a limit the socket is closed, which ends the server's sending and, soon after, its session); or the connection
 * is cut (reset, or the system has given it up), and no end will be seen. A server that closes with something unread
 * resets too, so that the session may well be over, but only the server's own word for that is believed; else it is
 * given the time in which it would find out. */
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "postgres/conn.h"

enum {
    BUSY_MS = 5000, /* for a session that may have a statement to end */
    IDLE_MS = 1000, /* for one that has nothing to do but to see our end */
    /* For one that has lost the socket, and need not tell us: */
    CUT_BUSY_MS = 1000, /* twice what it takes to look for its client */
    CUT_IDLE_MS = 100,  /* it waits for nothing else */
    TURN_BYTES = 64 * 1024,
    FLOOD_BYTES = 1024 * 1024,
};

enum sight { ALIVE, OVER, FLOODED };

/* Before we end anything ourselves. A peer that has closed its end has a name still, unless something was sent to it
   after that: then the error that is left tells its end from a reset (on Linux). */
static bool is_cut(int fd)
{
    struct sockaddr_storage peer;
    socklen_t length = sizeof(peer);
    int error = 0;
    if (getpeername(fd, (struct sockaddr *)&peer, &length) == 0)
        return false;
    length = sizeof(error);
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0 || error != EPIPE;
}

static uint32_t bound_ms(const struct pqr__conn *conn, bool busy)
{
    if (!conn->cut)
        return busy ? BUSY_MS : IDLE_MS;
    if (conn->said_over)
        return 0;
    if (!busy)
        return CUT_IDLE_MS;
    return conn->home->servers[conn->server].plain ? BUSY_MS : CUT_BUSY_MS;
}

/* In a child after fork the session is the parent's, and goes on. */
void pqr__linger_look(struct pqr__conn *conn)
{
    if (conn->fd < 0 || getpid() != conn->home->pid)
        return;
    conn->cut = is_cut(conn->fd);
    bool logging_in = !conn->pg;
    conn->linger_ms = bound_ms(conn, logging_in || conn->n_air > 0);
}

void pqr__linger_drop(struct pqr__conn *conn)
{
    if (conn->fd >= 0)
        close(conn->fd);
    conn->fd = -1;
}

/* Throws away what has come, a part of it a turn. */
static enum sight look(struct pqr__conn *conn)
{
    char waste[16 * 1024];
    for (size_t turn = 0; turn < TURN_BYTES;) {
        ssize_t n = recv(conn->fd, waste, sizeof(waste), MSG_DONTWAIT);
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
}

/* Of one that was cut nothing is known. */
static void leave_behind(struct pqr__conn *conn)
{
    conn->left = !conn->cut;
    leave(conn);
}

static void warn(const struct pqr__conn *conn)
{
    char session[40] = "a login";
    if (conn->pid)
        snprintf(session, sizeof(session), "the session of backend %u", conn->pid);
    pqr__log(&conn->home->log, PQR_LOG_WARNING,
        "%s: %s goes on %u s after its connection was closed, and does not count in pool.max any more; end "
        "it there "
        "(pg_terminate_backend), and set statement_timeout",
        pqr__conn_server(conn->home, conn->server)->name, session, conn->linger_ms / 1000);
}

static void on_bound(uv_timer_t *timer)
{
    struct pqr__conn *conn = timer->data;
    if (!conn->cut)
        warn(conn);
    leave_behind(conn);
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
    struct pqr__conn *conn = poll->data;
    enum sight sight = look(conn);
    (void)events;
    if (sight == FLOODED) {
        pqr__conn_close_poll(conn);
        pqr__linger_drop(conn);
        conn->cut = true;
        uv_timer_start(&conn->deadline, on_bound, CUT_BUSY_MS, 0);
    } else if (sight == OVER || status < 0) {
        leave(conn);
    }
}

/* False: it is closed already, or can't be watched. */
static bool watch(struct pqr__conn *conn)
{
    shutdown(conn->fd, SHUT_WR); /* what PQfinish's close would have told the server */
    if (look(conn) == OVER || uv_poll_init(conn->home->loop, &conn->poll, conn->fd) != 0)
        return false;
    conn->poll.data = conn;
    conn->n_handles++;
    return true;
}

bool pqr__linger_begin(struct pqr__conn *conn)
{
    if (conn->linger_ms == 0 || conn->abandoned || (!conn->cut && !watch(conn)))
        return false;
    pqr__conn_move(conn, PQR__CONN_LINGERING);
    uv_timer_init(conn->home->loop, &conn->deadline);
    conn->deadline.data = conn;
    conn->n_handles++;
    uv_timer_start(&conn->deadline, on_bound, conn->linger_ms, 0);
    if (!conn->cut && uv_poll_start(&conn->poll, UV_READABLE, on_ready) != 0)
        leave(conn);
    return true;
}

void pqr__linger_abandon(struct pqr__conn *conn)
{
    if (conn->state == PQR__CONN_LINGERING)
        leave_behind(conn);
}
