/* Hands what a thread has finished over to the loop, or back to the thread when nobody waits for it any more.
 *
 * At any moment a mail has exactly one owner: the thread, until pqr__mail_post; then the inbox; then the loop.
 * Whether a mail is still wanted is decided under one lock, so that "the loop gave up" and "the thread is done"
 * cannot both believe to be first. The mailbox is counted: threads that outlive the loop find it closed and keep
 * what they have.
 */
#ifndef PQR_POSTGRES_MAILBOX_H
#define PQR_POSTGRES_MAILBOX_H

#include "base/list.h"

struct uv_loop_s;
struct pqr__mailbox;
struct pqr__mail;

struct pqr__mail_ops {
    /* Loop thread: the mail is the receiver's now. */
    void (*deliver)(struct pqr__mail *mail);
    /* Loop thread, under the lock, while the thread still owns it: hurry, nobody waits. May be NULL. */
    void (*wake)(struct pqr__mail *mail);
    /* Either thread: nobody wants it; frees it. */
    void (*dispose)(struct pqr__mail *mail);
};

struct pqr__mail {
    struct pqr__link link;
    struct pqr__mailbox *mailbox;
    const struct pqr__mail_ops *ops;
    unsigned lane;
    bool abandoned, stuck; /* under the lock */
};

/* Of whose threads count together: a server's connects, and its cancels. */
enum { PQR__LANE_CONNECT = 0, PQR__LANE_CANCEL = 64, PQR__MAILBOX_LANES = 128 };

/* PQR_ENOMEM, PQR_ESYSTEM. */
int pqr__mailbox_open(struct pqr__mailbox **out, struct uv_loop_s *loop);
/* Loop thread. Nothing is delivered from now on; closed(data) comes when its handles are off the loop, which is when
   its threads are done, or after a moment. */
void pqr__mailbox_close(struct pqr__mailbox *mailbox, void (*closed)(void *data), void *data);
/* Loop thread: delivers what has come in and not been told yet. */
void pqr__mailbox_collect(struct pqr__mailbox *mailbox);

/* Starts a thread that runs body(mail) and must end in pqr__mail_post. All signals are blocked in it. mailbox, ops
   and lane are set by the caller. stack_size 0: the system's default. PQR_ENOMEM, PQR_ESYSTEM: no thread, the mail
   stays the caller's. */
int pqr__mail_start(struct pqr__mail *mail, void (*body)(struct pqr__mail *mail), size_t stack_size);
/* The thread's last act; it must not touch the mail afterwards. */
void pqr__mail_post(struct pqr__mail *mail);
/* Loop thread: gives up a mail that was not delivered yet; it must not be touched afterwards. stuck: its thread may
   be held by something for long; it is counted until it has come back. */
void pqr__mail_abandon(struct pqr__mail *mail, bool stuck);
/* Abandoned threads that have not come back. */
unsigned pqr__mailbox_stuck(struct pqr__mailbox *mailbox, unsigned lane);

#endif
