/* The life of a connection.
 *
 * The happy path: it comes about (connect.c), the wire is watched, flights come and go, the router closes it. What
 * may go wrong: lost at any moment, from inside a call of the router, from inside libpq's parser, or from the loop.
 * However it ends, there is one way down: poll handle first, PGconn next, events last, from the handles' close
 * callback, so that no event ever comes from inside a call. The socket may outlive all that (linger.c). */
#include "postgres/conn.h"

#include <assert.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"

static const char *const state_names[] = {
    [PQR__CONN_CONNECTING] = "connecting",
    [PQR__CONN_GIVING_UP] = "giving up",
    [PQR__CONN_PIPELINE] = "pipeline",
    [PQR__CONN_SIMPLE] = "simple",
    [PQR__CONN_REFUSED] = "refused",
    [PQR__CONN_CLOSING] = "closing",
    [PQR__CONN_LINGERING] = "lingering",
    [PQR__CONN_GONE] = "gone",
};

#define TO(state) (1u << PQR__CONN_##state)

static const unsigned allowed[] = {
    [PQR__CONN_CONNECTING] = TO(PIPELINE) | TO(GIVING_UP) | TO(REFUSED) | TO(CLOSING),
    [PQR__CONN_GIVING_UP] = TO(CLOSING),
    [PQR__CONN_PIPELINE] = TO(SIMPLE) | TO(CLOSING),
    [PQR__CONN_SIMPLE] = TO(PIPELINE) | TO(CLOSING),
    [PQR__CONN_REFUSED] = 0,
    [PQR__CONN_CLOSING] = TO(LINGERING),
    [PQR__CONN_LINGERING] = TO(GONE),
    [PQR__CONN_GONE] = 0,
};

const struct pqr__server_config *pqr__conn_server(const struct pqr__postgres *home, uint32_t server)
{
    return &home->servers[server].config->servers[home->servers[server].entry];
}

void pqr__conn_move(struct pqr__conn *conn, enum pqr__conn_state to)
{
    assert(allowed[conn->state] & (1u << to));
    pqr__log(&conn->home->log, PQR_LOG_DEBUG, "%s: connection %p: %s -> %s",
        pqr__conn_server(conn->home, conn->server)->name, (void *)conn, state_names[conn->state],
        state_names[to]);
    conn->state = to;
}

/* --- Down --- */

static void on_handle_closed(uv_handle_t *handle)
{
    struct pqr__conn *conn = handle->data;
    if (--conn->n_handles > 0)
        return;
    if (conn->state == PQR__CONN_CLOSING) {
        pqr__flight_settle_lost(conn);
        if (!conn->refused)
            conn->home->base.events->ended(conn->context);
        if (pqr__linger_begin(conn))
            return;
    }
    if (conn->state != PQR__CONN_REFUSED)
        conn->home->base.events->closed(conn->context, conn->left);
    pqr__prepared_finish(&conn->prepared);
    pqr__linger_drop(conn);
    pqr__free(conn);
}

void pqr__conn_close_poll(struct pqr__conn *conn)
{
    if (conn->n_handles > 1 && !uv_is_closing((uv_handle_t *)&conn->poll))
        uv_close((uv_handle_t *)&conn->poll, on_handle_closed);
}

void pqr__conn_close_handles(struct pqr__conn *conn)
{
    pqr__conn_close_poll(conn);
    uv_close((uv_handle_t *)&conn->deadline, on_handle_closed);
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

void pqr__conn_go_down(struct pqr__conn *conn)
{
    pqr__conn_move(conn, PQR__CONN_CLOSING);
    PQclear(conn->held);
    conn->held = NULL;
    pqr__conn_cancel_abandon(conn);
    if (pqr__link_listed(&conn->unflushed))
        pqr__list_remove(&conn->home->unflushed, &conn->unflushed);
    pqr__conn_close_handles(conn);
    pqr__linger_look(conn);
    if (conn->pg && !conn->in_libpq)
        pqr__conn_drop(conn);
}

void pqr__conn_keep_message(struct pqr__conn *conn, const char *message)
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
        conn->said_over |= pqr__result_is_fatal(conn->held);
        pqr__result_sqlstate(conn->sqlstate, conn->held);
        message = pqr__result_message(conn->held);
    }
    if (!conn->message[0])
        pqr__conn_keep_message(conn, message);
    pqr__conn_go_down(conn);
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

void pqr__conn_close(struct pqr__conn *conn)
{
    switch (conn->state) {
    case PQR__CONN_CONNECTING:
        if (conn->connector)
            pqr__conn_give_up(conn);
        else
            pqr__conn_go_down(conn);
        break;
    case PQR__CONN_PIPELINE:
    case PQR__CONN_SIMPLE:
        pqr__conn_keep_message(conn, "the connection was closed");
        pqr__conn_go_down(conn);
        break;
    case PQR__CONN_GIVING_UP:
    case PQR__CONN_REFUSED:
    case PQR__CONN_CLOSING:
    case PQR__CONN_LINGERING:
    case PQR__CONN_GONE:
        break;
    }
}

void pqr__conn_abandon(struct pqr__conn *conn)
{
    conn->abandoned = true;
    pqr__conn_close(conn);
    pqr__linger_abandon(conn);
}
