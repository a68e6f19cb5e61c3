/* Opening goes: configuration, loop, signals, router; closing goes the other way round. The first Ctrl-C closes the
   router, which cancels what runs on the servers; a second one finds the default handler and ends the process. */
#include "session.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

static int load_config(pqr_config **out, const char *command, const char *text)
{
    static pqr_error error; /* 8 kB */
    bool conninfo = strchr(text, '=') || strstr(text, "://");
    int code = conninfo ? pqr_config_conninfo(out, text, &error) : pqr_config_load(out, text, &error);

    if (code == 0)
        return CLI_OK;
    if (!*text)
        cli_complain(command, "CONFIG is empty; write a configuration file's name or a connection string");
    else if (code == PQR_ECONFIG)
        fprintf(stderr, "%s\n", error.message); /* one a line, each with its place */
    else if (code == PQR_EIO && access(text, F_OK) != 0)
        cli_complain(command,
            "%s; CONFIG is a configuration file's name, or a connection string such as "
            "'host=db1,db2 dbname=shop'",
            error.message);
    else
        cli_complain(command, "%s", error.message[0] ? error.message : pqr_error_text(code));
    return CLI_USAGE;
}

static void on_log(void *data, pqr_log_level level, const char *text)
{
    const struct session *session = data;

    if (!session->quiet || session->verbose)
        fprintf(stderr, "pqrouter %s: %s: %s\n", session->command, pqr_log_level_name(level), text);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct session *session = handle->data;

    session->signal = number;
    session_close(session);
    if (session->interrupted)
        session->interrupted(session);
}

static void close_signals(struct session *session)
{
    for (size_t i = 0; i < 2; i++)
        uv_close((uv_handle_t *)&session->signals[i], NULL);
}

static int open_loop(struct session *session)
{
    static const int numbers[2] = {SIGINT, SIGTERM};
    int code = uv_loop_init(&session->loop);

    if (code != 0)
        return code;
    for (size_t i = 0; i < 2; i++) {
        (void)uv_signal_init(&session->loop, &session->signals[i]);
        session->signals[i].data = session;
    }
    for (size_t i = 0; i < 2 && code == 0; i++)
        code = uv_signal_start(&session->signals[i], on_signal, numbers[i]);
    if (code != 0) {
        close_signals(session);
        (void)uv_run(&session->loop, UV_RUN_DEFAULT);
        (void)uv_loop_close(&session->loop);
    }
    return code;
}

static int open_router(struct session *session, const pqr_config *config)
{
    static pqr_error error;
    pqr_callbacks callbacks = PQR_CALLBACKS_INIT;

    callbacks.data = session;
    callbacks.log = on_log;
    callbacks.log_level = session->verbose ? PQR_LOG_DEBUG : PQR_LOG_WARNING;
    int code = pqr_router_open(&session->router, &session->loop, config, &callbacks, &error);
    if (code == 0)
        return CLI_OK;
    cli_complain(session->command, "the router cannot be opened: %s",
        error.message[0] ? error.message : pqr_error_text(code));
    close_signals(session);
    (void)uv_run(&session->loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&session->loop);
    return CLI_PROBLEM;
}

int session_open(struct session *session, const char *text)
{
    pqr_config *config = NULL;
    int status = load_config(&config, session->command, text);

    if (status != CLI_OK)
        return status;
    int code = open_loop(session);
    if (code != 0) {
        cli_complain(session->command, "no event loop: %s", uv_strerror(code));
        status = CLI_PROBLEM;
    } else {
        status = open_router(session, config);
    }
    pqr_config_free(config);
    return status;
}

static void on_closed(void *data)
{
    struct session *session = data;

    session->router = NULL;
    close_signals(session);
}

void session_close(struct session *session)
{
    if (session->closing)
        return;
    session->closing = true;
    for (size_t i = 0; i < 2; i++)
        (void)uv_signal_stop(&session->signals[i]);
    pqr_router_close(session->router, 0, on_closed, session);
}

int session_run(struct session *session, const int *status)
{
    (void)uv_run(&session->loop, UV_RUN_DEFAULT);
    int code = uv_loop_close(&session->loop);
    if (code != 0)
        cli_complain(session->command, "a handle was left open: %s", uv_strerror(code));
    return session->signal ? 128 + session->signal : *status;
}
