/* The thread's side of a connect. What may go wrong: everything that PQconnectPoll can say, a password callback
   that fails, and that the loop has lost interest in the meantime (a byte in the wake-up pipe says so). */
#include "postgres/connector.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "base/alloc.h"
#include "base/text.h"
#include "postgres/meter.h"
#include "postgres/refusal.h"

enum { PASSWORD_SIZE = 16 * 1024, STACK_SIZE = 256 * 1024 };

#define ABANDONED "abandoned"

/* What the thread does: one of these, or waiting for the server in a state of PQstatus, or with WORKING added inside
   PQconnectPoll. */
enum { PHASE_PASSWORD = -2, PHASE_START = -1, PHASE_WORKING = 1000 };

static void dispose(struct pqr__mail *mail)
{
    pqr__connector_free(pqr__container_of(mail, struct pqr__connector, mail));
}

static void deliver(struct pqr__mail *mail)
{
    struct pqr__connector *connector = pqr__container_of(mail, struct pqr__connector, mail);
    connector->done(connector);
}

static void wake(struct pqr__mail *mail)
{
    struct pqr__connector *connector = pqr__container_of(mail, struct pqr__connector, mail);
    ssize_t written = write(connector->wake[1], "", 1);
    (void)written; /* where it does not fit one is there already */
}

static const struct pqr__mail_ops mail_ops = {.deliver = deliver, .wake = wake, .dispose = dispose};

void pqr__connector_hurry(struct pqr__connector *connector)
{
    wake(&connector->mail);
}

void pqr__connector_free(struct pqr__connector *connector)
{
    PQfinish(connector->pg);
    if (connector->left >= 0)
        close(connector->left);
    close(connector->wake[0]);
    close(connector->wake[1]);
    pqr_config_free(connector->config);
    pqr__free(connector);
}

void pqr__connector_abandon(struct pqr__connector *connector)
{
    int phase = atomic_load(&connector->phase);
    pqr__mail_abandon(&connector->mail, phase < 0 || phase >= PHASE_WORKING);
}

const char *pqr__connector_phase(const struct pqr__connector *connector)
{
    int phase = atomic_load(&connector->phase);
    if (phase == PHASE_PASSWORD)
        return "asking for the password";
    if (phase == PHASE_START)
        return "looking up the host name";
    switch (phase % PHASE_WORKING) {
    case CONNECTION_STARTED:
    case CONNECTION_NEEDED:
        return "reaching the server";
    case CONNECTION_SSL_STARTUP:
    case CONNECTION_GSS_STARTUP:
        return "negotiating encryption";
    case CONNECTION_MADE:
    case CONNECTION_AWAITING_RESPONSE:
        return "waiting for the server to answer";
    default:
        return "logging in";
    }
}

/* Of a connection that has a server at its other end. */
static int keep_socket(const PGconn *pg)
{
    struct sockaddr_storage peer;
    socklen_t length = sizeof(peer);
    int fd = pg ? PQsocket(pg) : -1;
    bool reached = fd >= 0 && getpeername(fd, (struct sockaddr *)&peer, &length) == 0;
    return reached ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;
}

static void refuse(struct pqr__connector *connector, const char *message)
{
    connector->left = keep_socket(connector->pg);
    PQfinish(connector->pg);
    connector->pg = NULL;
    pqr__text_copy(connector->message, sizeof(connector->message), message);
}

/* The loop gave up. */
static bool is_unwanted(const struct pqr__connector *connector)
{
    struct pollfd fd = {.fd = connector->wake[0], .events = POLLIN};
    return poll(&fd, 1, 0) == 1;
}

/* libpq's parameters with what is known only now; of two equal keywords the later one counts. */
static PGconn *start_with(const struct pqr__connector *connector, const char *password)
{
    enum { MORE = 2 };
    const struct pqr__server_config *server = connector->server;
    size_t n = 0;
    while (server->keywords[n])
        n++;
    const char **arrays = pqr__calloc(2 * (n + MORE + 1), sizeof(*arrays));
    if (!arrays)
        return NULL;
    const char **keywords = arrays;
    const char **values = arrays + n + MORE + 1;
    for (size_t i = 0; i < n; i++) {
        keywords[i] = server->keywords[i];
        values[i] = server->values[i];
    }
    if (connector->options) {
        keywords[n] = "options";
        values[n++] = connector->options;
    }
    if (password) {
        keywords[n] = "password";
        values[n] = password;
    }
    PGconn *pg = PQconnectStartParams(keywords, values, 0);
    pqr__free(arrays);
    return pg;
}

/* False: refused. */
static bool ask(struct pqr__connector *connector, char *password)
{
    if (!password)
        refuse(connector, pqr_error_text(PQR_ENOMEM));
    else if (connector->password(
                 connector->password_data, connector->server->name, password, PASSWORD_SIZE) != 0)
        refuse(connector, "the password callback failed");
    else if (!memchr(password, '\0', PASSWORD_SIZE))
        refuse(connector, "the password callback wrote no end of string");
    else
        return true;
    return false;
}

static void start(struct pqr__connector *connector, const char *password)
{
    if (is_unwanted(connector)) { /* nobody counts it any more: nothing is opened */
        refuse(connector, ABANDONED);
        return;
    }
    atomic_store(&connector->phase, PHASE_START);
    connector->pg = start_with(connector, password);
    if (!connector->pg)
        refuse(connector, pqr_error_text(PQR_ENOMEM));
}

/* False: the loop gave up. */
static bool wait_for(const struct pqr__connector *connector, PostgresPollingStatusType wanted)
{
    struct pollfd fds[] = {
        {.fd = connector->wake[0], .events = POLLIN},
        {.fd = PQsocket(connector->pg), .events = wanted == PGRES_POLLING_READING ? POLLIN : POLLOUT},
    };
    while (poll(fds, 2, -1) < 0)
        if (errno != EINTR && errno != EAGAIN && errno != ENOMEM)
            return true; /* cannot be; PQconnectPoll will see what is wrong */
    return !fds[0].revents;
}

static void fail(struct pqr__connector *connector)
{
    pqr__refusal_read(
        connector->sqlstate, connector->message, sizeof(connector->message), PQerrorMessage(connector->pg));
    if (!connector->sqlstate[0] && PQconnectionNeedsPassword(connector->pg)) /* libpq had none to give */
        pqr__text_copy(connector->sqlstate, sizeof(connector->sqlstate), "28P01");
    PQfinish(connector->pg);
    connector->pg = NULL;
}

/* libpq would print it. Notices of the server at login have an SQLSTATE and are dropped. */
static void on_notice(void *data, const PGresult *result)
{
    struct pqr__connector *connector = data;
    if (!PQresultErrorField(result, PG_DIAG_SQLSTATE))
        connector->out_of_step = true;
}

static void finish(struct pqr__connector *connector)
{
    PQsetErrorVerbosity(connector->pg, PQERRORS_DEFAULT);
    if (connector->out_of_step)
        refuse(connector, "the server sent what nobody asked for");
    else if (PQsetnonblocking(connector->pg, 1) != 0 || !PQenterPipelineMode(connector->pg))
        fail(connector);
}

/* libpq keeps all parameters that the server cares to report, and waits for the end of them as long as we do. Before
   that it takes little; and it may begin again, with another socket. */
static bool is_drowned(const struct pqr__connector *connector, struct pqr__meter *meter)
{
    enum { WELCOME_MAX = 1024 * 1024 };
    int fd = PQsocket(connector->pg);
    if (PQstatus(connector->pg) == CONNECTION_AUTH_OK && fd >= 0)
        return pqr__meter_after(meter, fd) > WELCOME_MAX;
    pqr__meter_stop(meter);
    return false;
}

static void establish(struct pqr__connector *connector)
{
    struct pqr__meter meter = {.running = false};
    PQsetNoticeReceiver(connector->pg, on_notice, connector);
    PQsetErrorVerbosity(connector->pg, PQERRORS_VERBOSE); /* for the SQLSTATE of a refusal */
    PostgresPollingStatusType status =
        PQstatus(connector->pg) == CONNECTION_BAD ? PGRES_POLLING_FAILED : PGRES_POLLING_WRITING;
    while (status == PGRES_POLLING_READING || status == PGRES_POLLING_WRITING) {
        atomic_store(&connector->phase, (int)PQstatus(connector->pg));
        if (!wait_for(connector, status)) {
            refuse(connector, ABANDONED);
            return;
        }
        atomic_fetch_add(&connector->phase, PHASE_WORKING);
        pqr__meter_before(&meter, PQsocket(connector->pg));
        status = PQconnectPoll(connector->pg);
        if (is_drowned(connector, &meter)) {
            refuse(connector, "the server sends too much while a session begins");
            return;
        }
    }
    if (status == PGRES_POLLING_OK)
        finish(connector);
    else
        fail(connector);
}

static void open_connection(struct pqr__connector *connector, const char *password)
{
    start(connector, password);
    if (connector->pg)
        establish(connector);
}

/* It is about what we have added: by name (a server older than it, or on a system without it), or about options as
   such, as some that stand in front of servers take none. */
static bool refuses_options(const struct pqr__connector *connector)
{
    return !connector->pg && connector->options && connector->sqlstate[0] &&
           (strstr(connector->message, PQR__CHECK_SETTING) || strstr(connector->message, "options"));
}

/* The same connect, once more and unseen, without what the server refuses. */
static void open_plain(struct pqr__connector *connector, const char *password)
{
    connector->options = NULL;
    connector->sqlstate[0] = '\0';
    connector->out_of_step = false;
    open_connection(connector, password);
    connector->refused_options = connector->pg != NULL;
}

static void body(struct pqr__mail *mail)
{
    struct pqr__connector *connector = pqr__container_of(mail, struct pqr__connector, mail);
    char *password = connector->password ? pqr__calloc(1, PASSWORD_SIZE) : NULL;
    if (!connector->password || ask(connector, password)) {
        open_connection(connector, password);
        if (refuses_options(connector))
            open_plain(connector, password);
    }
    pqr__free_wiped(password, password ? PASSWORD_SIZE : 0);
    pqr__mail_post(mail);
}

static int prepare(struct pqr__connector *connector, const pqr_callbacks *callbacks)
{
    if (uv_pipe(connector->wake, UV_NONBLOCK_PIPE, UV_NONBLOCK_PIPE) != 0)
        return PQR_ESYSTEM;
    if (callbacks && callbacks->password) {
        connector->password = callbacks->password;
        connector->password_data = callbacks->data;
    }
    atomic_init(&connector->phase, connector->password ? PHASE_PASSWORD : PHASE_START);
    return 0;
}

int pqr__connector_start(struct pqr__connector **out, struct pqr__mailbox *mailbox,
    const struct pqr_config *config, uint32_t entry, bool plain, uint32_t lane,
    const pqr_callbacks *callbacks, void (*done)(struct pqr__connector *connector), void *owner)
{
    struct pqr__connector *connector = pqr__calloc(1, sizeof(*connector));
    if (!connector)
        return PQR_ENOMEM;
    int failed = prepare(connector, callbacks);
    if (failed) {
        pqr__free(connector);
        return failed;
    }
    connector->config = pqr__config_ref(config); /* the thread may outlive the router */
    connector->server = &config->servers[entry];
    connector->options = plain ? NULL : connector->server->options;
    connector->left = -1;
    connector->done = done;
    connector->owner = owner;
    /* The application's password callback gets as much stack as its other threads have. */
    connector->mail = (struct pqr__mail){.mailbox = mailbox, .ops = &mail_ops, .lane = lane};
    failed = pqr__mail_start(&connector->mail, body, connector->password ? 0 : STACK_SIZE);
    if (failed) {
        pqr__connector_free(connector);
        return failed;
    }
    *out = connector;
    return 0;
}
