/* A write, and a read that sees it, on whichever server.
 *
 *     tokens 'host=127.0.0.1,127.0.0.1 port=5432,5433 user=app dbname=app' */
#include <pqrouter.h>
#include <stdio.h>
#include <uv.h>

static pqr_router *router;
static int failed;

static void end(const pqr_reply *reply)
{
    failed = pqr_reply_status(reply) != PQR_STATUS_OK;
    if (failed)
        fprintf(stderr, "tokens: %s %s\n", pqr_reply_sqlstate(reply), pqr_reply_error(reply));
    pqr_router_close(router, 0, NULL, NULL);
}

static void on_read(pqr_reply *reply, void *data)
{
    (void)data;
    if (pqr_reply_status(reply) == PQR_STATUS_OK)
        printf("read on %s: %s notes\n", pqr_reply_server(reply), pqr_reply_value(reply, 0, "count", NULL));
    end(reply);
}

static void on_written(pqr_reply *reply, void *data)
{
    char cookie[PQR_TOKEN_SIZE];
    pqr_token token = {0}; /* zeros mean none: such a read may see less */
    pqr_query query = PQR_QUERY_INIT;

    (void)data;
    if (pqr_reply_status(reply) != PQR_STATUS_OK) {
        end(reply);
        return;
    }
    /* As text it may come back from a browser; without one, the primary knows. */
    if (pqr_reply_token(reply, &token) != 0)
        query.target = PQR_TARGET_PRIMARY;
    pqr_token_print(&token, cookie, sizeof(cookie));
    printf("written on %s, token %s\n", pqr_reply_server(reply), cookie);
    query.sql = "select count(*) from notes";
    query.after = &token;
    query.timeout_ms = 5000;
    if (pqr_query_run(NULL, router, &query, on_read, NULL) != 0)
        pqr_router_close(router, 0, NULL, NULL);
}

static void on_table(pqr_reply *reply, void *data)
{
    pqr_query query = PQR_QUERY_INIT;

    (void)data;
    if (pqr_reply_status(reply) != PQR_STATUS_OK) {
        end(reply);
        return;
    }
    query.sql = "insert into notes (note) values ('buy tea')";
    query.flags = PQR_TOKEN;
    query.timeout_ms = 5000;
    if (pqr_query_run(NULL, router, &query, on_written, NULL) != 0)
        pqr_router_close(router, 0, NULL, NULL);
}

int main(int argc, char **argv)
{
    pqr_config *config = NULL;
    pqr_query query = PQR_QUERY_INIT;
    pqr_error error;

    int code = pqr_config_conninfo(&config, argc > 1 ? argv[1] : NULL, &error);
    if (code == 0)
        code = pqr_router_open(&router, uv_default_loop(), config, NULL, &error);
    pqr_config_free(config);
    if (code != 0) {
        fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    query.sql = "create table if not exists notes (id int generated always as identity, note text)";
    query.timeout_ms = 5000;
    if (pqr_query_run(NULL, router, &query, on_table, NULL) != 0)
        return 1;
    uv_run(uv_default_loop(), UV_RUN_DEFAULT);
    return uv_loop_close(uv_default_loop()) != 0 || failed;
}
