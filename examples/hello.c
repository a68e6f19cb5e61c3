/* The smallest program: one query, its answer, the end. README.md shows the same text.
 *
 *     hello 'host=127.0.0.1,127.0.0.1 port=5432,5433 dbname=shop'
 *     DATABASE_URL=postgresql://127.0.0.1/shop hello
 *
 * Each host in the connection string is a server; which one is the primary is found out by asking them. */
#include <pqrouter.h>
#include <stdio.h>
#include <uv.h>

static int failed;

static void on_reply(pqr_reply *reply, void *router)
{
    failed = pqr_reply_status(reply) != PQR_STATUS_OK;
    if (failed)
        fprintf(stderr, "hello: %s\n", pqr_reply_error(reply));
    else
        printf("%s, on %s: %s\n", pqr_reply_value(reply, 0, "greeting", NULL), pqr_reply_server(reply),
            pqr_reply_reason(reply));
    pqr_router_close(router, 0, NULL, NULL);
}

int main(int argc, char **argv)
{
    pqr_config *config = NULL;
    pqr_router *router = NULL;
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
    query.sql = "select 'Hello from ' || current_database() as greeting";
    query.timeout_ms = 5000; /* for an answer, waiting for a server included */
    if (pqr_query_run(NULL, router, &query, on_reply, router) != 0)
        return 1;
    uv_run(uv_default_loop(), UV_RUN_DEFAULT); /* until the router is closed */
    return uv_loop_close(uv_default_loop()) != 0 || failed;
}
