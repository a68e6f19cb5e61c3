/* A cancel request on a thread of its own. By a newer libpq it is as encrypted as the connection that it cancels, and
   ends when nobody waits for it any more; by an older one it never is encrypted, and blocks for as long as the server
   likes. */
#include <errno.h>
#include <libpq-fe.h>
#include <poll.h>
#include <unistd.h>
#include <uv.h>

#include "base/alloc.h"
#include "postgres/conn.h"
#include "postgres/mailbox.h"
#include "postgres/newer.h"

enum {
    STACK_SIZE = 256 * 1024,
    STUCK_MAX = 8, /* threads that a server which does not answer may hold */
};

struct pqr__canceller {
    struct pqr__mail mail;
    struct pqr__conn *conn; /* the loop's; the thread must not look at it */
    PGcancel *cancel;
#if PQR__HAVE_NEWER
    PGcancelConn *newer; /* instead of it */
#endif
    int wake[2]; /* a pipe: a byte in it says that nobody waits; -1: what is asked by can't be given up */
    bool delivered;
};

static struct pqr__canceller *canceller_of(struct pqr__mail *mail)
{
    return pqr__container_of(mail, struct pqr__canceller, mail);
}

static void dispose(struct pqr__mail *mail)
{
    struct pqr__canceller *canceller = canceller_of(mail);
    if (canceller->wake[0] >= 0) {
        close(canceller->wake[0]);
        close(canceller->wake[1]);
    }
    PQfreeCancel(canceller->cancel);
#if PQR__HAVE_NEWER
    if (canceller->newer && PQcancelFinish)
        PQcancelFinish(canceller->newer);
#endif
    pqr__free(canceller);
}

static void deliver(struct pqr__mail *mail)
{
    struct pqr__canceller *canceller = canceller_of(mail);
    struct pqr__conn *conn = canceller->conn;
    bool delivered = canceller->delivered;
    conn->canceller = NULL;
    dispose(mail);
    conn->home->base.events->cancelled(conn->context, delivered);
}

static void wake(struct pqr__mail *mail)
{
    int fd = canceller_of(mail)->wake[1];
    ssize_t written = fd >= 0 ? write(fd, "", 1) : 0;
    (void)written; /* the pipe is empty */
}

static const struct pqr__mail_ops mail_ops = {.deliver = deliver, .wake = wake, .dispose = dispose};

/* PQR_ENOMEM, PQR_ESYSTEM. */
static int take_target(struct pqr__canceller *canceller, PGconn *pg)
{
#if PQR__HAVE_NEWER
    if (PQcancelCreate && PQcancelStart && PQcancelPoll && PQcancelSocket && PQcancelFinish) {
        if (uv_pipe(canceller->wake, UV_NONBLOCK_PIPE, UV_NONBLOCK_PIPE) != 0)
            return PQR_ESYSTEM;
        canceller->newer = PQcancelCreate(pg);
        return canceller->newer ? 0 : PQR_ENOMEM;
    }
#endif
    canceller->cancel = PQgetCancel(pg);
    return canceller->cancel ? 0 : PQR_ENOMEM;
}

#if PQR__HAVE_NEWER
/* False: nobody waits. */
static bool wait_for(const struct pqr__canceller *canceller, PostgresPollingStatusType wanted)
{
    struct pollfd fds[] = {
        {.fd = canceller->wake[0], .events = POLLIN},
        {.fd = PQcancelSocket(canceller->newer),
            .events = wanted == PGRES_POLLING_READING ? POLLIN : POLLOUT},
    };
    while (poll(fds, 2, -1) < 0)
        if (errno != EINTR && errno != EAGAIN && errno != ENOMEM)
            return true; /* cannot be; PQcancelPoll will see what is wrong */
    return !fds[0].revents;
}

static bool ask_newer(const struct pqr__canceller *canceller)
{
    PostgresPollingStatusType status =
        PQcancelStart(canceller->newer) == 1 ? PGRES_POLLING_WRITING : PGRES_POLLING_FAILED;
    while (status == PGRES_POLLING_READING || status == PGRES_POLLING_WRITING) {
        if (!wait_for(canceller, status))
            return false;
        status = PQcancelPoll(canceller->newer);
    }
    return status == PGRES_POLLING_OK;
}
#endif

static bool ask(const struct pqr__canceller *canceller)
{
    char error[256];
#if PQR__HAVE_NEWER
    if (canceller->newer)
        return ask_newer(canceller);
#endif
    return PQcancel(canceller->cancel, error, sizeof(error)) == 1;
}

static void body(struct pqr__mail *mail)
{
    struct pqr__canceller *canceller = canceller_of(mail);
    canceller->delivered = ask(canceller);
    pqr__mail_post(mail);
}

/* PQR_ENOMEM, PQR_ESYSTEM. */
static int start(struct pqr__conn *conn)
{
    struct pqr__canceller *canceller = pqr__calloc(1, sizeof(*canceller));
    if (!canceller)
        return PQR_ENOMEM;
    canceller->mail = (struct pqr__mail){
        .mailbox = conn->home->mailbox, .ops = &mail_ops, .lane = PQR__LANE_CANCEL + conn->server};
    canceller->conn = conn;
    canceller->wake[0] = canceller->wake[1] = -1;
    int failed = take_target(canceller, conn->pg);
    if (!failed)
        failed = pqr__mail_start(&canceller->mail, body, STACK_SIZE);
    if (failed)
        dispose(&canceller->mail);
    else
        conn->canceller = canceller;
    return failed;
}

int pqr__conn_cancel(struct pqr__conn *conn)
{
    if (!pqr__conn_is_open(conn) || conn->canceller)
        return PQR_EINVAL;
    pqr__wire_arm(conn); /* it must not overtake what it is to cancel */
    if (!pqr__conn_is_open(conn))
        return PQR_EINVAL;
    if (pqr__mailbox_stuck(conn->home->mailbox, PQR__LANE_CANCEL + conn->server) >= STUCK_MAX)
        return PQR_ESYSTEM;
    return start(conn);
}

void pqr__conn_cancel_abandon(struct pqr__conn *conn)
{
    if (conn->canceller)
        pqr__mail_abandon(&conn->canceller->mail, true);
    conn->canceller = NULL;
}
