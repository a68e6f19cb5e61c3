/* Parameters, NULL among them, and rows by the names of their columns.
 *
 *     params CONFIG-FILE */
#include <pqrouter.h>
#include <stdio.h>
#include <uv.h>

static int failed;

static void on_reply(pqr_reply *reply, void *data)
{
    pqr_router *router = data;

    failed = pqr_reply_status(reply) != PQR_STATUS_OK;
    if (failed)
        fprintf(stderr, "params: %s %s\n", pqr_reply_sqlstate(reply), pqr_reply_error(reply));
    for (int row = 0; row < pqr_reply_rows(reply); row++) {
        const char *note = pqr_reply_value(reply, row, "note", NULL);

        printf("%s costs %s, note: %s\n", pqr_reply_value(reply, row, "article", NULL),
            pqr_reply_value(reply, row, "price", NULL), note ? note : "none");
    }
    pqr_router_close(router, 0, NULL, NULL);
}

static int ask(pqr_router *router)
{
    /* Values go beside the text, never into it: nothing to quote, nothing to inject. */
    const char *values[] = {"tea", "4.20", NULL};
    pqr_query query = PQR_QUERY_INIT;

    query.sql = "select $1::text as article, $2::numeric as price, $3::text as note"
                " union all select 'coffee', $2::numeric * 2, 'it''s hot' order by price";
    query.n_params = 3;
    query.param_values = values;
    query.timeout_ms = 2000;
    query.label = "price list"; /* what logs say instead of the text */
    return pqr_query_run(NULL, router, &query, on_reply, router);
}

int main(int argc, char **argv)
{
    uv_loop_t *loop = uv_default_loop();
    pqr_config *config = NULL;
    pqr_router *router = NULL;
    pqr_error error;

    if (argc != 2) {
        fprintf(stderr, "params: name a configuration file, such as config/pqrouter.cfg\n");
        return 2;
    }
    int code = pqr_config_load(&config, argv[1], &error);
    if (code == 0)
        code = pqr_router_open(&router, loop, config, NULL, &error);
    pqr_config_free(config);
    if (code != 0) {
        fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    if (ask(router) != 0)
        pqr_router_close(router, 0, NULL, NULL);
    uv_run(loop, UV_RUN_DEFAULT);
    return uv_loop_close(loop) != 0 || failed;
}
