/* A batch: moves money between two accounts in one round trip, all or nothing. The whole is known beforehand, so that
   nothing has to be waited for in between; where a statement depends on an answer, see transaction.c.
 *
 *     batch 'host=127.0.0.1 dbname=shop' */
#include <pqrouter.h>
#include <stdio.h>
#include <uv.h>

static void on_reply(pqr_reply *reply, void *data)
{
    const char *balance = pqr_reply_value(reply, 0, "balance", NULL);
    if (balance)
        printf("%s has %s\n", (const char *)data, balance);
}

static int failed;

static void on_done(pqr_reply *reply, void *data)
{
    failed = pqr_reply_status(reply) != PQR_STATUS_OK;
    printf("%s, outcome %s %s\n", pqr_status_name(pqr_reply_status(reply)),
        pqr_outcome_name(pqr_reply_outcome(reply)), pqr_reply_error(reply));
    pqr_router_close(data, 0, NULL, NULL);
}

static int transfer(pqr_router *router)
{
    static struct {
        const char *sql;
        char whose[12];
    } statements[] = {
        {"create temporary table accounts (id int, balance numeric check (balance >= 0)) on commit drop"},
        {"insert into accounts values (1, 100), (2, 0)"},
        {"update accounts set balance = balance - 30 where id = 1 returning balance", "the first"},
        {"update accounts set balance = balance + 30 where id = 2 returning balance", "the second"},
    };
    enum { N = sizeof(statements) / sizeof(statements[0]) };
    pqr_query queries[N];
    pqr_batch_query list[N];
    pqr_batch_options options = PQR_BATCH_OPTIONS_INIT;

    options.timeout_ms = 5000; /* for all of it, waiting for the primary included */
    for (size_t i = 0; i < N; i++) {
        queries[i] = (pqr_query)PQR_QUERY_INIT;
        queries[i].sql = statements[i].sql;
        list[i] = (pqr_batch_query){&queries[i], on_reply, statements[i].whose};
    }
    return pqr_batch_run(NULL, router, &options, list, N, on_done, router);
}

int main(int argc, char **argv)
{
    uv_loop_t *loop = uv_default_loop();
    pqr_config *config = NULL;
    pqr_router *router = NULL;
    pqr_error error;

    int code = pqr_config_conninfo(&config, argc > 1 ? argv[1] : NULL, &error);
    if (code == 0)
        code = pqr_router_open(&router, loop, config, NULL, &error);
    pqr_config_free(config);
    if (code != 0) {
        fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    if (transfer(router) != 0)
        pqr_router_close(router, 0, NULL, NULL);
    uv_run(loop, UV_RUN_DEFAULT);
    return uv_loop_close(loop) != 0 || failed;
}
