/* The socket of an open connection: when it is read, what libpq finds in it, and what it says outside of replies.
 *
 * READABLE stays armed for the connection's whole life, so that the end of an idle connection is noticed, and a
 * reply costs no call of epoll_ctl. What may go wrong: libpq closes the socket whenever it reads or parses (which is
 * why it is watched by a descriptor of our own: libpq's may be another socket's a moment later); the poll handle
 * reports an error and stops itself; a notice shows that the protocol is out of step; the router closes the connection
 * from inside a notice, in the middle of libpq's parser (the PGconn then waits for libpq to return). */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

#include "base/text.h"
#include "postgres/conn.h"

/* The connection whose input libpq is parsing. Not passed as the notice receiver's argument because every PGresult
   keeps that, and may use it when the connection is gone. */
#if defined(__linux__)
__attribute__((
    tls_model("initial-exec"))) /* one pointer: a library that is loaded late has room for it too */
#endif
static _Thread_local struct pqr__conn *parsing;

static void enter_libpq(struct pqr__conn *conn)
{
    parsing = conn;
    conn->in_libpq = true;
}

/* False: the connection is gone. */
static bool leave_libpq(struct pqr__conn *conn)
{
    parsing = NULL;
    conn->in_libpq = false;
    bool open = pqr__conn_is_open(conn);
    if (open && !conn->poisoned)
        return true;
    if (open)
        pqr__conn_lose(conn, "the connection was out of step with the server");
    else
        pqr__conn_drop(conn);
    return false;
}

static void on_notice(void *data, const PGresult *result)
{
    (void)data;
    struct pqr__conn *conn = parsing;
    if (!conn || !pqr__conn_is_open(conn))
        return;
    pqr_notice notice;
    pqr__result_sqlstate(notice.sqlstate, result);
    const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
    pqr__text_copy(notice.severity, sizeof(notice.severity), severity ? severity : "");
    pqr__text_copy(notice.text, sizeof(notice.text), pqr__result_message(result));
    if (!notice.sqlstate[0]) {
        conn->poisoned = true;
        pqr__text_copy(conn->message, sizeof(conn->message), notice.text);
        return;
    }
    bool fatal = pqr__result_is_fatal(result);
    conn->said_over |= fatal || strncmp(notice.sqlstate, "57P0", 4) == 0; /* a crash only warns */
    if (fatal) { /* a session never survives one; while a statement runs it comes as that one's result */
        conn->poisoned = true;
        memcpy(conn->sqlstate, notice.sqlstate, sizeof(conn->sqlstate));
        pqr__text_copy(conn->message, sizeof(conn->message), notice.text);
    }
    struct pqr__flight *flight = NULL;
    struct pqr__item *item = NULL;
    if (conn->n_air > 0) {
        flight = pqr__container_of(conn->flights.head.next, struct pqr__flight, link);
        item =
            flight->running ? flight->running : flight->telling; /* a deferred trigger's: the last item's */
    }
    parsing = NULL; /* what the receiver does to its own results is no business of this connection */
    conn->home->base.events->notice(conn->context, flight, item, &notice);
    parsing = conn;
}

/* In a pipeline libpq has the end of an item's results together with the last of them (libpq's manual, "Processing
   Results"), and need not be asked whether it has. */
static bool has_end(const struct pqr__conn *conn)
{
    return conn->expects_end;
}

/* False: there is nothing to take yet, or nothing is expected. Of what is held already its end is taken at once. */
static bool next_result(struct pqr__conn *conn, PGresult **result)
{
    enter_libpq(conn);
    bool ends = has_end(conn), ready = ends || (!PQisBusy(conn->pg) && conn->n_air > 0);
    if (ready)
        *result = PQgetResult(conn->pg);
    if (ready && !ends && pqr__answer_hold(conn, *result))
        *result = PQgetResult(conn->pg);
    if (leave_libpq(conn))
        return ready;
    if (ready)
        PQclear(*result);
    return false;
}

static void drop_notifications(struct pqr__conn *conn)
{
    enter_libpq(conn);
    PGnotify *notify;
    while ((notify = PQnotifies(conn->pg)))
        PQfreemem(notify);
    leave_libpq(conn);
}

static void parse(struct pqr__conn *conn)
{
    PGresult *result = NULL;
    while (pqr__conn_is_open(conn) && next_result(conn, &result))
        pqr__answer_take(conn, result);
    if (pqr__conn_is_open(conn))
        drop_notifications(conn);
}

static void drop_held(struct pqr__conn *conn)
{
    PQclear(conn->held);
    conn->held = NULL;
}

static bool is_in_parts(const struct pqr__conn *conn)
{
    const struct pqr__flight *first = pqr__container_of(conn->flights.head.next, struct pqr__flight, link);
    return first->items->rows_at_once != 0;
}

void pqr__wire_cut_off(struct pqr__conn *conn)
{
    char text[160];
    memcpy(conn->sqlstate, PQR__SQLSTATE_CUT_OFF, sizeof(conn->sqlstate));
    snprintf(text, sizeof(text),
        is_in_parts(conn)
            ? "a part of the result is larger than request.max_result (%llu bytes): ask for fewer rows at "
              "once, or raise the limit"
            : "the result is larger than request.max_result (%llu bytes): read its rows in parts "
              "(query.rows), or raise the limit",
        (unsigned long long)conn->home->config->request.max_result_bytes);
    drop_held(conn);
    pqr__conn_lose(conn, text);
}

/* libpq keeps all rows, and all parameters that the server cares to report, asked for or not. */
static void check_size(struct pqr__conn *conn)
{
    enum { IDLE_BYTES_MAX = 64 * 1024 };
    bool idle = conn->n_air == 0;
    uint64_t limit = idle ? IDLE_BYTES_MAX : conn->home->config->request.max_result_bytes;
    if (conn->completed || limit == 0 || pqr__meter_after(&conn->meter, conn->fd) <= limit)
        return;
    if (idle)
        pqr__conn_lose(conn, "the server keeps sending what nobody asked for");
    else
        pqr__wire_cut_off(conn);
}

static void read_input(struct pqr__conn *conn)
{
    conn->completed = false;
    pqr__meter_before(&conn->meter, conn->fd);
    bool alive = PQconsumeInput(conn->pg) == 1;
    parse(conn);
    if (!pqr__conn_is_open(conn))
        return;
    if (!alive || PQsocket(conn->pg) < 0) /* libpq closed it: lost, or it can make nothing of what came */
        pqr__conn_lose(conn, PQerrorMessage(conn->pg));
    else
        check_size(conn);
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
    struct pqr__conn *conn = poll->data;
    struct pqr__postgres *home = conn->home;
    (void)events;
    if (status < 0)
        conn->armed = 0; /* libuv stopped the handle; libpq shall find out why */
    conn->reading = true;
    home->base.read_us = pqr__clock_us();
    do {
        read_input(conn);
    } while (pqr__conn_is_open(conn) && pqr__tls_has_more(conn->ssl));
    home->base.read_us = 0;
    home->base.events->read(home->base.router);
    conn->reading = false;
    if (pqr__conn_is_open(conn))
        pqr__flight_resume(conn);
    if (pqr__conn_is_open(conn))
        pqr__wire_arm(conn);
}

void pqr__wire_arm(struct pqr__conn *conn)
{
    int left = PQflush(conn->pg);
    pqr__cork_end(conn);
    if (left < 0) {
        pqr__conn_lose(conn, PQerrorMessage(conn->pg));
        return;
    }
    int wanted = UV_READABLE | (left ? UV_WRITABLE : 0);
    if (wanted == conn->armed)
        return;
    int failed = uv_poll_start(&conn->poll, wanted, on_ready);
    if (failed)
        pqr__conn_lose(conn, uv_strerror(failed));
    else
        conn->armed = wanted;
}

/* An idle handle keeps the loop from waiting until it has run, wherever in the turn something is sent. */
void pqr__wire_arm_soon(struct pqr__conn *conn)
{
    struct pqr__postgres *home = conn->home;
    if (conn->reading || pqr__link_listed(&conn->unflushed))
        return;
    if (pqr__list_empty(&home->unflushed))
        uv_idle_start(&home->flusher, pqr__wire_flush_all);
    pqr__list_push_back(&home->unflushed, &conn->unflushed);
}

void pqr__wire_flush_all(uv_idle_t *idle)
{
    struct pqr__postgres *home = idle->data;
    struct pqr__link *link;
    uv_idle_stop(idle);
    while ((link = pqr__list_first(&home->unflushed))) {
        pqr__list_remove(&home->unflushed, link);
        pqr__wire_arm(pqr__container_of(link, struct pqr__conn, unflushed));
    }
}

int pqr__wire_open(struct pqr__conn *conn)
{
    conn->fd = fcntl(PQsocket(conn->pg), F_DUPFD_CLOEXEC, 0);
    if (conn->fd < 0)
        return uv_translate_sys_error(errno);
    pqr__cork_open(conn);
    conn->ssl = pqr__tls_of(conn->pg);
    int failed = uv_poll_init(conn->home->loop, &conn->poll, conn->fd);
    if (failed)
        return failed;
    conn->poll.data = conn;
    conn->n_handles++;
    PQsetNoticeReceiver(conn->pg, on_notice, NULL);
    conn->armed = UV_READABLE;
    return uv_poll_start(&conn->poll, UV_READABLE, on_ready);
}

bool pqr__wire_stirs(const struct pqr__conn *conn)
{
    char byte;
    return recv(conn->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 ||
           (errno != EAGAIN && errno != EWOULDBLOCK);
}
