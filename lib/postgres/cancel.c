/* A cancel request on a thread of its own: it blocks for as long as the server likes, in TLS handshakes too. By a newer
   libpq it is as encrypted as the connection that it cancels, by an older one it never is. */
#include <libpq-fe.h>

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
    bool delivered;
};

static struct pqr__canceller *canceller_of(struct pqr__mail *mail)
{
    return pqr__container_of(mail, struct pqr__canceller, mail);
}

static void dispose(struct pqr__mail *mail)
{
    struct pqr__canceller *canceller = canceller_of(mail);
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

static const struct pqr__mail_ops mail_ops = {.deliver = deliver, .dispose = dispose};

static bool take_target(struct pqr__canceller *canceller, PGconn *pg)
{
#if PQR__HAVE_NEWER
    if (PQcancelCreate && PQcancelBlocking && PQcancelFinish)
        return (canceller->newer = PQcancelCreate(pg)) != NULL;
#endif
    return (canceller->cancel = PQgetCancel(pg)) != NULL;
}

static bool ask(const struct pqr__canceller *canceller)
{
    char error[256];
#if PQR__HAVE_NEWER
    if (canceller->newer)
        return PQcancelBlocking(canceller->newer) == 1;
#endif
    return PQcancel(canceller->cancel, error, sizeof(error)) == 1;
}

static void body(struct pqr__mail *mail)
{
    struct pqr__canceller *canceller = canceller_of(mail);
    canceller->delivered = ask(canceller);
    pqr__mail_post(mail);
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
    struct pqr__canceller *canceller = pqr__calloc(1, sizeof(*canceller));
    if (!canceller)
        return PQR_ENOMEM;
    canceller->mail = (struct pqr__mail){
        .mailbox = conn->home->mailbox, .ops = &mail_ops, .lane = PQR__LANE_CANCEL + conn->server};
    canceller->conn = conn;
    int failed =
        take_target(canceller, conn->pg) ? pqr__mail_start(&canceller->mail, body, STACK_SIZE) : PQR_ENOMEM;
    if (failed) {
        dispose(&canceller->mail);
        return failed;
    }
    conn->canceller = canceller;
    return 0;
}

void pqr__conn_cancel_abandon(struct pqr__conn *conn)
{
    if (conn->canceller)
        pqr__mail_abandon(&conn->canceller->mail, true);
    conn->canceller = NULL;
}
