/* A transaction: moves money between two accounts, on one connection of the primary, all or nothing. The body may
   run again (when the server ends it with 40001 or 40P01), so it starts from nothing each time.
 *
 *     transaction 'host=127.0.0.1 dbname=shop' */
#include <pqrouter.h>
#include <stdio.h>
#include <uv.h>

static int failed;

static void on_statement(pqr_reply *reply, void *data)
{
    (void)data;
    if (pqr_reply_status(reply) != PQR_STATUS_OK)
        fprintf(stderr, "transaction: %s\n", pqr_reply_error(reply));
}

static void on_balance(pqr_reply *reply, void *data)
{
    pqr_tx *tx = data;
    const char *balance = pqr_reply_value(reply, 0, "balance", NULL);

    printf("the first account would have %s\n", balance ? balance : "nothing");
    if (!balance || balance[0] == '-')
        pqr_tx_rollback(tx);
    else
        pqr_tx_commit(tx);
}

static void body(pqr_tx *tx, unsigned attempt, void *data)
{
    static const char *const statements[] = {
        "create temporary table accounts (id int, balance numeric) on commit drop",
        "insert into accounts values (1, 100), (2, 0)",
        "update accounts set balance = balance - 30 where id = 1",
        "update accounts set balance = balance + 30 where id = 2",
    };
    pqr_query query = PQR_QUERY_INIT;

    (void)data;
    printf("attempt %u\n", attempt);
    for (size_t i = 0; i < sizeof(statements) / sizeof(statements[0]); i++) {
        query.sql = statements[i];
        pqr_tx_query(tx, &query, on_statement, NULL);
    }
    query.sql = "select balance from accounts where id = 1";
    pqr_tx_query(tx, &query, on_balance, tx);
}

static void on_done(pqr_reply *reply, void *data)
{
    failed = pqr_reply_status(reply) != PQR_STATUS_OK;
    printf("%s, outcome %s on %s\n", pqr_status_name(pqr_reply_status(reply)),
        pqr_outcome_name(pqr_reply_outcome(reply)), pqr_reply_server(reply));
    if (failed)
        fprintf(stderr, "transaction: %s\n", pqr_reply_error(reply));
    pqr_router_close(data, 0, NULL, NULL);
}

int main(int argc, char **argv)
{
    uv_loop_t *loop = uv_default_loop();
    pqr_config *config = NULL;
    pqr_router *router = NULL;
    pqr_tx_options options = PQR_TX_OPTIONS_INIT;
    pqr_error error;

    int code = pqr_config_conninfo(&config, argc > 1 ? argv[1] : NULL, &error);
    if (code == 0)
        code = pqr_router_open(&router, loop, config, NULL, &error);
    pqr_config_free(config);
    if (code != 0) {
        fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    options.isolation = PQR_SERIALIZABLE;
    options.timeout_ms = 5000; /* for all of it, waiting for the primary included */
    if (pqr_tx_run(NULL, router, &options, body, on_done, router) != 0)
        pqr_router_close(router, 0, NULL, NULL);
    uv_run(loop, UV_RUN_DEFAULT);
    return uv_loop_close(loop) != 0 || failed;
}
