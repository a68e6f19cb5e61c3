/* How a connection comes about: a connector thread opens it. What may go wrong: it is refused, takes too long, or is
 * closed by us meanwhile: then the thread hands over what it has, to be lingered on, or keeps it when something else
 * than the server holds it up. */
#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "postgres/conn.h"
#include "postgres/connector.h"

enum {
    STUCK_MAX = 2,   /* threads of abandoned connects that a server may hold */
    MOMENT_MS = 500, /* for a connector to come to its end */
};

/* The end of it, unless the server has to be waited for. */
static void refuse(struct pqr__conn *conn, struct pqr__refusal *refusal)
{
    refusal->lingers = conn->fd >= 0;
    if (refusal->lingers) {
        conn->refused = true;
        pqr__conn_go_down(conn);
    } else {
        pqr__conn_move(conn, PQR__CONN_REFUSED);
        pqr__conn_close_handles(conn);
    }
    conn->home->base.events->refused(conn->context, refusal);
}

/* What the connector leaves: open in the last moment, or at the other end of a socket a login may go on. */
static void take_over(struct pqr__conn *conn, struct pqr__connector *connector)
{
    conn->pg = connector->pg;
    conn->fd = conn->pg ? fcntl(PQsocket(conn->pg), F_DUPFD_CLOEXEC, 0) : connector->left;
    connector->pg = NULL;
    connector->left = -1;
}

static void on_moment(uv_timer_t *timer)
{
    struct pqr__conn *conn = timer->data;
    pqr__mailbox_collect(conn->home->mailbox); /* the loop may have been held up */
    if (conn->state != PQR__CONN_GIVING_UP)
        return;
    pqr__connector_abandon(conn->connector);
    conn->connector = NULL;
    pqr__conn_go_down(conn);
}

/* Limits count a connect until nothing is left of it at the server. What holds the thread up for longer is seldom the
   server; where it comes back before anything was opened, it opens nothing. */
void pqr__conn_give_up(struct pqr__conn *conn)
{
    pqr__conn_move(conn, PQR__CONN_GIVING_UP);
    pqr__connector_hurry(conn->connector);
    uv_timer_start(&conn->deadline, on_moment, MOMENT_MS, 0);
}

static void on_deadline(uv_timer_t *timer)
{
    struct pqr__conn *conn = timer->data;
    /* The loop may have been held up: what is here by now was in time. */
    pqr__mailbox_collect(conn->home->mailbox);
    if (conn->state != PQR__CONN_CONNECTING)
        return;
    char text[200];
    snprintf(text, sizeof(text), "no connection within the connect timeout; it was %s",
        pqr__connector_phase(conn->connector));
    conn->refused = true;
    pqr__conn_give_up(conn);
    struct pqr__refusal refusal = {.message = text, .timeout = true, .lingers = true};
    conn->home->base.events->refused(conn->context, &refusal);
}

/* Name servers, Kerberos, the password callback: what holds one thread would hold the next as well. */
static void on_stuck(uv_timer_t *timer)
{
    struct pqr__conn *conn = timer->data;
    struct pqr__refusal refusal = {
        .message =
            "earlier attempts are still held up (looking up the host name, or in the password callback)",
        .timeout = true,
    };
    refuse(conn, &refusal);
}

static void tell_connected(struct pqr__conn *conn)
{
    struct pqr__connect_info info = pqr__conn_info(conn);
    conn->in_recovery = info.in_recovery;
    conn->pid = info.backend_pid;
    conn->home->base.events->connected(conn->context, &info);
}

static void open_wire(struct pqr__conn *conn, PGconn *pg)
{
    conn->pg = pg;
    int failed = pqr__wire_open(conn);
    if (!failed) {
        conn->at_ms = uv_now(conn->home->loop);
        pqr__conn_move(conn, PQR__CONN_PIPELINE);
        tell_connected(conn);
        return;
    }
    pqr__conn_drop(conn);
    struct pqr__refusal refusal = {.message = uv_strerror(failed)};
    refuse(conn, &refusal);
}

static void note_options(struct pqr__postgres *home, uint32_t server)
{
    if (home->servers[server].plain)
        return;
    home->servers[server].plain = true;
    pqr__log(&home->log, PQR_LOG_INFO,
        "%s: takes no " PQR__CHECK_SETTING
        ": a statement that nobody waits for may run on, and counts for 5 s",
        pqr__conn_server(home, server)->name);
}

static void on_connector(struct pqr__connector *connector)
{
    struct pqr__conn *conn = connector->owner;
    uv_timer_stop(&conn->deadline);
    if (connector->refused_options)
        note_options(conn->home, conn->server);
    conn->connector = NULL;
    if (conn->state == PQR__CONN_GIVING_UP) {
        take_over(conn, connector);
        pqr__connector_free(connector);
        pqr__conn_go_down(conn);
        return;
    }
    assert(conn->state == PQR__CONN_CONNECTING);
    PGconn *pg = connector->pg;
    if (pg) {
        connector->pg = NULL;
        pqr__connector_free(connector);
        open_wire(conn, pg);
        return;
    }
    take_over(conn, connector);
    struct pqr__refusal refusal = {.message = conn->message};
    memcpy(refusal.sqlstate, connector->sqlstate, sizeof(refusal.sqlstate));
    pqr__conn_keep_message(conn, connector->message);
    pqr__connector_free(connector);
    refuse(conn, &refusal);
}

static int start_connector(struct pqr__conn *conn, uint64_t timeout_us)
{
    struct pqr__postgres *home = conn->home;
    bool stuck = pqr__mailbox_stuck(home->mailbox, PQR__LANE_CONNECT + conn->server) >= STUCK_MAX;
    int failed =
        stuck ? 0
              : pqr__connector_start(&conn->connector, home->mailbox, home->servers[conn->server].config,
                    home->servers[conn->server].entry, home->servers[conn->server].plain,
                    PQR__LANE_CONNECT + conn->server, &home->callbacks, on_connector, conn);
    if (failed)
        return failed;
    uv_timer_init(home->loop, &conn->deadline);
    conn->deadline.data = conn;
    conn->n_handles = 1;
    /* The loop's time is that of its last turn. */
    uint64_t now_ms = uv_hrtime() / 1000000;
    uint64_t late_ms = now_ms > uv_now(home->loop) ? now_ms - uv_now(home->loop) : 0;
    if (stuck)
        uv_timer_start(&conn->deadline, on_stuck, 0, 0);
    else
        uv_timer_start(&conn->deadline, on_deadline, late_ms + timeout_us / 1000 + 1, 0);
    return 0;
}

/* Behind a pooler the names would be another session's. */
static uint32_t most_prepared(const struct pqr__postgres *home, uint32_t server)
{
    bool none = home->config->statements.prepare_threshold == 0 || pqr__conn_server(home, server)->pooler;
    return none ? 0 : home->config->statements.max_prepared;
}

int pqr__conn_connect(struct pqr__transport *transport, uint32_t server, uint64_t timeout_us, void *context,
    struct pqr__conn **out)
{
    struct pqr__conn *conn = pqr__calloc(1, sizeof(*conn));
    if (!conn)
        return PQR_ENOMEM;
    conn->well.message = "";
    conn->home = (struct pqr__postgres *)transport;
    conn->context = context;
    conn->server = server;
    conn->state = PQR__CONN_CONNECTING;
    conn->fd = -1;
    pqr__list_init(&conn->flights);
    pqr__prepared_init(&conn->prepared, most_prepared(conn->home, server));
    int failed = start_connector(conn, timeout_us);
    if (failed) {
        pqr__free(conn);
        return failed;
    }
    *out = conn;
    return 0;
}
