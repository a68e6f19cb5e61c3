/* PQcancel on a thread of its own: it blocks for as long as the server likes. */
#include <libpq-fe.h>

#include "base/alloc.h"
#include "postgres/conn.h"
#include "postgres/mailbox.h"

enum {
    STACK_SIZE = 256 * 1024,
    STUCK_MAX = 8, /* threads that a server which does not answer may hold */
};

struct pqr__canceller {
    struct pqr__mail mail;
    struct pqr__conn *conn; /* the loop's; the thread must not look at it */
    PGcancel *cancel;
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

static void body(struct pqr__mail *mail)
{
    struct pqr__canceller *canceller = canceller_of(mail);
    char error[256];
    canceller->delivered = PQcancel(canceller->cancel, error, sizeof(error)) == 1;
    pqr__mail_post(mail);
}

int pqr__conn_cancel(struct pqr__conn *conn)
{
    if (!pqr__conn_is_open(conn) || conn->canceller)
        return PQR_EINVAL;
    if (pqr__mailbox_stuck(conn->home->mailbox, PQR__LANE_CANCEL + conn->server) >= STUCK_MAX)
        return PQR_ESYSTEM;
    struct pqr__canceller *canceller = pqr__calloc(1, sizeof(*canceller));
    if (!canceller)
        return PQR_ENOMEM;
    canceller->mail = (struct pqr__mail){
        .mailbox = conn->home->mailbox, .ops = &mail_ops, .lane = PQR__LANE_CANCEL + conn->server};
    canceller->conn = conn;
    canceller->cancel = PQgetCancel(conn->pg);
    int failed = canceller->cancel ? pqr__mail_start(&canceller->mail, body, STACK_SIZE) : PQR_ENOMEM;
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
