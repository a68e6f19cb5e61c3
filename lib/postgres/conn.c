/* The life of a connection.
 *
 * The happy path: a connector thread opens it, the wire is watched, flights come and go, the router closes it.
 * What may go wrong: refused or timed out while connecting; closed by us while connecting (the thread keeps
 * what it has); lost at any moment after that, from inside a call of the router, from inside libpq's parser, or
 * from the loop. However it ends, there is one way down: poll handle first, PGconn next, events last, from the
 * handles' close callback, so that no event ever comes from inside a call. */
#include "postgres/conn.h"

#include <assert.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/text.h"
#include "postgres/connector.h"

enum {
    STUCK_MAX = 2,   /* threads of abandoned connects that a server may hold */
    MOMENT_MS = 500, /* for a connector to come to its end */
};

static const char *const state_names[] = {
    [PQR__CONN_CONNECTING] = "connecting",
    [PQR__CONN_GIVING_UP] = "giving up",
    [PQR__CONN_PIPELINE] = "pipeline",
    [PQR__CONN_SIMPLE] = "simple",
    [PQR__CONN_REFUSED] = "refused",
    [PQR__CONN_CLOSING] = "closing",
};

#define TO(state) (1u << PQR__CONN_##state)

static const unsigned allowed[] = {
    [PQR__CONN_CONNECTING] = TO(PIPELINE) | TO(GIVING_UP) | TO(REFUSED) | TO(CLOSING),
    [PQR__CONN_GIVING_UP] = TO(REFUSED) | TO(CLOSING),
    [PQR__CONN_PIPELINE] = TO(SIMPLE) | TO(CLOSING),
    [PQR__CONN_SIMPLE] = TO(PIPELINE) | TO(CLOSING),
    [PQR__CONN_REFUSED] = 0,
    [PQR__CONN_CLOSING] = 0,
};

static const struct pqr__server_config *server_of(const struct pqr__postgres *home, uint32_t server)
{
    return &home->servers[server].config->servers[home->servers[server].entry];
}

void pqr__conn_move(struct pqr__conn *conn, enum pqr__conn_state to)
{
    assert(allowed[conn->state] & (1u << to));
    pqr__log(&conn->home->log, PQR_LOG_DEBUG, "%s: connection %p: %s -> %s",
        server_of(conn->home, conn->server)->name, (void *)conn, state_names[conn->state], state_names[to]);
    conn->state = to;
}

static const struct pqr__transport_events *events_of(const struct pqr__conn *conn)
{
    return conn->home->base.events;
}

/* --- Down --- */

static void on_handle_closed(uv_handle_t *handle)
{
    struct pqr__conn *conn = handle->data;
    if (--conn->n_handles > 0)
        return;
    if (conn->state == PQR__CONN_CLOSING) {
        pqr__flight_settle_lost(conn);
        events_of(conn)->closed(conn->context);
    }
    pqr__prepared_finish(&conn->prepared);
    pqr__free(conn);
}

static void close_handles(struct pqr__conn *conn)
{
    unsigned n = conn->n_handles;
    uv_close((uv_handle_t *)&conn->deadline, on_handle_closed);
    if (n > 1)
        uv_close((uv_handle_t *)&conn->poll, on_handle_closed);
}

/* Politely, but in a child after fork: the session is the parent's, and saying good-bye would end it there. */
void pqr__conn_drop(struct pqr__conn *conn)
{
    if (getpid() == conn->home->pid)
        PQfinish(conn->pg);
    else if (PQsocket(conn->pg) >= 0)
        close(PQsocket(conn->pg));
    conn->pg = NULL;
}

static void go_down(struct pqr__conn *conn)
{
    pqr__conn_move(conn, PQR__CONN_CLOSING);
    PQclear(conn->held);
    conn->held = NULL;
    pqr__conn_cancel_abandon(conn);
    if (pqr__link_listed(&conn->unflushed))
        pqr__list_remove(&conn->home->unflushed, &conn->unflushed);
    close_handles(conn); /* before the socket, whose number may be another one's at once */
    if (conn->pg && !conn->in_libpq)
        pqr__conn_drop(conn);
}

/* One line, without the end that libpq's messages have. */
static void keep_message(struct pqr__conn *conn, const char *message)
{
    size_t length = strcspn(message, "\n");
    if (length >= sizeof(conn->message))
        length = sizeof(conn->message) - 1;
    memcpy(conn->message, message, length);
    conn->message[length] = '\0';
}

void pqr__conn_lose(struct pqr__conn *conn, const char *message)
{
    if (!pqr__conn_is_open(conn))
        return;
    if (conn->held && pqr__result_is_error(conn->held)) {
        pqr__result_sqlstate(conn->sqlstate, conn->held);
        message = pqr__result_message(conn->held);
    }
    if (!conn->message[0])
        keep_message(conn, message);
    go_down(conn);
}

static void refuse(struct pqr__conn *conn, const struct pqr__refusal *refusal)
{
    pqr__conn_move(conn, PQR__CONN_REFUSED);
    close_handles(conn);
    events_of(conn)->refused(conn->context, refusal);
}

/* Its connector is back, or on its own from now on. */
static void given_up(struct pqr__conn *conn)
{
    struct pqr__refusal refusal = {.timeout = true, .message = conn->message};
    conn->connector = NULL;
    if (conn->timed_out)
        refuse(conn, &refusal);
    else
        go_down(conn);
}

static void on_moment(uv_timer_t *timer)
{
    struct pqr__conn *conn = timer->data;
    pqr__mailbox_collect(conn->home->mailbox); /* the loop may have been held up */
    if (conn->state != PQR__CONN_GIVING_UP)
        return;
    pqr__connector_abandon(conn->connector);
    given_up(conn);
}

/* Limits count a connect until nothing is left of it at the server. What holds the thread up for longer is seldom the
   server; where it comes back before anything was opened, it opens nothing. */
static void give_up(struct pqr__conn *conn, bool timed_out)
{
    pqr__conn_move(conn, PQR__CONN_GIVING_UP);
    conn->timed_out = timed_out;
    pqr__connector_hurry(conn->connector);
    uv_timer_start(&conn->deadline, on_moment, MOMENT_MS, 0);
}

void pqr__conn_close(struct pqr__conn *conn)
{
    switch (conn->state) {
    case PQR__CONN_CONNECTING:
        if (conn->connector)
            give_up(conn, false);
        else
            go_down(conn);
        break;
    case PQR__CONN_GIVING_UP:
        conn->timed_out = false;
        break;
    case PQR__CONN_PIPELINE:
    case PQR__CONN_SIMPLE:
        keep_message(conn, "the connection was closed");
        go_down(conn);
        break;
    case PQR__CONN_REFUSED:
    case PQR__CONN_CLOSING:
        break;
    }
}

/* --- Up --- */

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
    keep_message(conn, text);
    give_up(conn, true);
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

static bool is_ascii_safe(const char *encoding)
{
    static const char *const unsafe[] = {"SJIS", "SHIFT_JIS_2004", "BIG5", "GBK", "UHC", "GB18030", "JOHAB"};
    for (size_t i = 0; encoding && i < sizeof(unsafe) / sizeof(*unsafe); i++)
        if (strcmp(encoding, unsafe[i]) == 0)
            return false;
    return encoding != NULL;
}

static bool is_on(const PGconn *pg, const char *parameter)
{
    const char *value = PQparameterStatus(pg, parameter);
    return value && strcmp(value, "on") == 0;
}

struct pqr__connect_info pqr__conn_info(const struct pqr__conn *conn)
{
    return (struct pqr__connect_info){
        .backend_pid = (uint32_t)PQbackendPID(conn->pg),
        .server_version = (uint32_t)PQserverVersion(conn->pg),
        .in_recovery = is_on(conn->pg, "in_hot_standby"),
        .standard_conforming_strings = is_on(conn->pg, "standard_conforming_strings"),
        .encoding_ascii_safe = is_ascii_safe(PQparameterStatus(conn->pg, "client_encoding")),
    };
}

static void tell_connected(struct pqr__conn *conn)
{
    struct pqr__connect_info info = pqr__conn_info(conn);
    conn->in_recovery = info.in_recovery;
    events_of(conn)->connected(conn->context, &info);
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

static void on_connector(struct pqr__connector *connector)
{
    struct pqr__conn *conn = connector->owner;
    uv_timer_stop(&conn->deadline);
    if (conn->state == PQR__CONN_GIVING_UP) {
        pqr__connector_free(connector);
        given_up(conn);
        return;
    }
    assert(conn->state == PQR__CONN_CONNECTING);
    conn->connector = NULL;
    PGconn *pg = connector->pg;
    connector->pg = NULL;
    if (pg) {
        pqr__connector_free(connector);
        open_wire(conn, pg);
        return;
    }
    struct pqr__refusal refusal = {.message = conn->message};
    memcpy(refusal.sqlstate, connector->sqlstate, sizeof(refusal.sqlstate));
    keep_message(conn, connector->message);
    pqr__connector_free(connector);
    refuse(conn, &refusal);
}

static int start_connector(struct pqr__conn *conn, uint64_t timeout_us)
{
    struct pqr__postgres *home = conn->home;
    bool stuck = pqr__mailbox_stuck(home->mailbox, PQR__LANE_CONNECT + conn->server) >= STUCK_MAX;
    int failed = stuck ? 0
                       : pqr__connector_start(&conn->connector, home->mailbox,
                             home->servers[conn->server].config, home->servers[conn->server].entry,
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
    bool none = home->config->statements.prepare_threshold == 0 || server_of(home, server)->pooler;
    return none ? 0 : home->config->statements.max_prepared;
}

int pqr__conn_connect(struct pqr__transport *transport, uint32_t server, uint64_t timeout_us, void *context,
    struct pqr__conn **out)
{
    struct pqr__conn *conn = pqr__calloc(1, sizeof(*conn));
    if (!conn)
        return PQR_ENOMEM;
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
