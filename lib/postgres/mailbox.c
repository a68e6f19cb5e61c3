/* The hand-over between threads and the loop. What may go wrong: a thread can be stuck for minutes (DNS, a dead
   name server, a password callback), so nobody ever waits long for one; it finds the box closed when it comes back.
   At the end those that were told to hurry get a moment: a process that exits while one of them is inside libpq, or in
   the Kerberos or TLS library below, pulls those away from under it, and was seen to abort. */
#include "postgres/mailbox.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <uv.h>

#include "base/alloc.h"
#include "pqrouter.h"

enum { MOMENT_MS = 500 };

struct pqr__mailbox {
    atomic_uint references; /* one the loop's, one for each thread */
    pthread_mutex_t lock;
    /* Under the lock: */
    bool open;          /* mails are delivered */
    bool waiting;       /* closed, and the last thread tells the loop that it is done */
    unsigned n_threads; /* that may be in libpq */
    struct pqr__list inbox;
    unsigned n_stuck[PQR__MAILBOX_LANES];
    uv_async_t async;
    uv_timer_t moment;
    unsigned n_handles;
    void (*closed)(void *data);
    void *data;
};

struct start {
    struct pqr__mail *mail;
    void (*body)(struct pqr__mail *mail);
};

static void unref(struct pqr__mailbox *mailbox)
{
    if (atomic_fetch_sub(&mailbox->references, 1) != 1)
        return;
    pthread_mutex_destroy(&mailbox->lock);
    pqr__free(mailbox);
}

static struct pqr__mail *take_first(struct pqr__mailbox *mailbox)
{
    pthread_mutex_lock(&mailbox->lock);
    struct pqr__link *link = pqr__list_first(&mailbox->inbox);
    if (link)
        pqr__list_remove(&mailbox->inbox, link);
    pthread_mutex_unlock(&mailbox->lock);
    return link ? pqr__container_of(link, struct pqr__mail, link) : NULL;
}

void pqr__mailbox_collect(struct pqr__mailbox *mailbox)
{
    /* One at a time: a delivery may lead to another mail being abandoned. */
    struct pqr__mail *mail;
    while ((mail = take_first(mailbox)))
        mail->ops->deliver(mail);
}

static void on_closed(uv_handle_t *handle)
{
    struct pqr__mailbox *mailbox = handle->data;
    if (--mailbox->n_handles > 0)
        return;
    void (*closed)(void *data) = mailbox->closed;
    void *data = mailbox->data;
    unref(mailbox);
    closed(data);
}

/* No thread uses the handle from here on. */
static void stop_waiting(struct pqr__mailbox *mailbox)
{
    pthread_mutex_lock(&mailbox->lock);
    bool waiting = mailbox->waiting;
    mailbox->waiting = false;
    pthread_mutex_unlock(&mailbox->lock);
    if (!waiting)
        return;
    uv_close((uv_handle_t *)&mailbox->async, on_closed);
    uv_close((uv_handle_t *)&mailbox->moment, on_closed);
}

static void on_moment(uv_timer_t *moment)
{
    stop_waiting(moment->data);
}

static void on_async(uv_async_t *async)
{
    struct pqr__mailbox *mailbox = async->data;
    pthread_mutex_lock(&mailbox->lock);
    bool done = !mailbox->open && mailbox->n_threads == 0;
    pthread_mutex_unlock(&mailbox->lock);
    pqr__mailbox_collect(mailbox);
    if (done)
        stop_waiting(mailbox);
}

int pqr__mailbox_open(struct pqr__mailbox **out, uv_loop_t *loop)
{
    struct pqr__mailbox *mailbox = pqr__calloc(1, sizeof(*mailbox));
    if (!mailbox)
        return PQR_ENOMEM;
    atomic_init(&mailbox->references, 1);
    pqr__list_init(&mailbox->inbox);
    mailbox->open = true;
    if (pthread_mutex_init(&mailbox->lock, NULL) != 0) {
        pqr__free(mailbox);
        return PQR_ESYSTEM;
    }
    if (uv_async_init(loop, &mailbox->async, on_async) != 0) {
        unref(mailbox);
        return PQR_ESYSTEM;
    }
    uv_timer_init(loop, &mailbox->moment);
    mailbox->async.data = mailbox->moment.data = mailbox;
    mailbox->n_handles = 2;
    *out = mailbox;
    return 0;
}

void pqr__mailbox_close(struct pqr__mailbox *mailbox, void (*closed)(void *data), void *data)
{
    pthread_mutex_lock(&mailbox->lock);
    mailbox->open = false;
    mailbox->waiting = true;
    bool none = mailbox->n_threads == 0;
    pthread_mutex_unlock(&mailbox->lock);
    struct pqr__mail *mail;
    while ((mail = take_first(mailbox)))
        mail->ops->dispose(mail);
    mailbox->closed = closed;
    mailbox->data = data;
    if (none)
        stop_waiting(mailbox);
    else
        uv_timer_start(&mailbox->moment, on_moment, MOMENT_MS, 0);
}

/* The thread's last act, or what was to be one: it is done with libpq. */
static void leave(struct pqr__mailbox *mailbox)
{
    pthread_mutex_lock(&mailbox->lock);
    if (--mailbox->n_threads == 0 && mailbox->waiting)
        uv_async_send(&mailbox->async);
    pthread_mutex_unlock(&mailbox->lock);
    unref(mailbox);
}

static void *run(void *argument)
{
    struct start start = *(struct start *)argument;
    pqr__free(argument);
    start.body(start.mail);
    return NULL;
}

/* The thread inherits the mask it is created under. */
static int create(void *argument, size_t stack_size)
{
    pthread_attr_t attributes;
    if (pthread_attr_init(&attributes) != 0)
        return -1;
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    if (stack_size)
        pthread_attr_setstacksize(&attributes, stack_size);
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_t thread;
    int failed = pthread_create(&thread, &attributes, run, argument);
    if (failed == EINVAL) /* a program with much thread-local data needs a larger stack than ours */
        failed = pthread_create(&thread, NULL, run, argument) ? EAGAIN : (pthread_detach(thread), 0);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return failed;
}

int pqr__mail_start(struct pqr__mail *mail, void (*body)(struct pqr__mail *mail), size_t stack_size)
{
    struct pqr__mailbox *mailbox = mail->mailbox;
    struct start *start = pqr__malloc(sizeof(*start));
    if (!start)
        return PQR_ENOMEM;
    start->mail = mail;
    start->body = body;
    atomic_fetch_add(&mailbox->references, 1);
    pthread_mutex_lock(&mailbox->lock);
    mailbox->n_threads++;
    pthread_mutex_unlock(&mailbox->lock);
    if (create(start, stack_size) != 0) {
        leave(mailbox);
        pqr__free(start);
        return PQR_ESYSTEM;
    }
    return 0;
}

void pqr__mail_post(struct pqr__mail *mail)
{
    struct pqr__mailbox *mailbox = mail->mailbox;
    pthread_mutex_lock(&mailbox->lock);
    bool wanted = mailbox->open && !mail->abandoned;
    if (wanted) {
        pqr__list_push_back(&mailbox->inbox, &mail->link);
        uv_async_send(&mailbox->async);
    } else if (mail->stuck) {
        mailbox->n_stuck[mail->lane]--;
    }
    pthread_mutex_unlock(&mailbox->lock);
    if (!wanted)
        mail->ops->dispose(mail);
    leave(mailbox);
}

static void give_up(struct pqr__mail *mail, bool stuck)
{
    mail->abandoned = true;
    mail->stuck = stuck;
    if (stuck)
        mail->mailbox->n_stuck[mail->lane]++;
    if (mail->ops->wake)
        mail->ops->wake(mail);
}

void pqr__mail_abandon(struct pqr__mail *mail, bool stuck)
{
    struct pqr__mailbox *mailbox = mail->mailbox;
    pthread_mutex_lock(&mailbox->lock);
    bool posted = pqr__link_listed(&mail->link);
    if (posted)
        pqr__list_remove(&mailbox->inbox, &mail->link);
    else
        give_up(mail, stuck);
    pthread_mutex_unlock(&mailbox->lock);
    if (posted)
        mail->ops->dispose(mail);
}

unsigned pqr__mailbox_stuck(struct pqr__mailbox *mailbox, unsigned lane)
{
    pthread_mutex_lock(&mailbox->lock);
    unsigned n = mailbox->n_stuck[lane];
    pthread_mutex_unlock(&mailbox->lock);
    return n;
}
