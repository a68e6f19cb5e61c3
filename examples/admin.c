/* An administrator's request overtakes: two hundred slow ones fill the pool and its queue, and the one with PQR_ADMIN
   does not wait for them.
 *
 *     admin 'host=127.0.0.1 dbname=shop' */
#include <pqrouter.h>
#include <stdio.h>
#include <uv.h>

#define SLOW 200

static pqr_router *router;
static int outstanding, answered, failed;

static void finish(pqr_reply *reply)
{
    if (pqr_reply_status(reply) != PQR_STATUS_OK) {
        fprintf(stderr, "admin: %s\n", pqr_reply_error(reply));
        failed = 1;
    }
    if (--outstanding == 0)
        pqr_router_close(router, 0, NULL, NULL);
}

static void on_slow(pqr_reply *reply, void *data)
{
    (void)data;
    answered++;
    finish(reply);
}

static void on_admin(pqr_reply *reply, void *data)
{
    (void)data;
    printf("the admin request took %.1f ms, %.1f of them waiting; %d of %d others were answered before\n",
        (double)pqr_reply_times(reply).total_us / 1e3, (double)pqr_reply_times(reply).queued_us / 1e3,
        answered, SLOW);
    for (int row = 0; row < pqr_reply_rows(reply); row++)
        printf("  %s connections are %s\n", pqr_reply_value(reply, row, "count", NULL),
            pqr_reply_value(reply, row, "state", NULL));
    finish(reply);
}

static void run(const char *sql, uint32_t flags, pqr_reply_cb cb)
{
    pqr_query query = PQR_QUERY_INIT;

    query.sql = sql;
    query.flags = flags;
    if (pqr_query_run(NULL, router, &query, cb, NULL) == 0)
        outstanding++;
}

static void on_ready(pqr_router *ready, int status, const char *why, void *data)
{
    (void)data;
    if (status != 0) {
        fprintf(stderr, "admin: not ready: %s\n", why);
        failed = 1;
        pqr_router_close(ready, 0, NULL, NULL);
        return;
    }
    for (int i = 0; i < SLOW; i++)
        run("select pg_sleep(0.2)", 0, on_slow);
    run("select state, count(*) from pg_stat_activity where state is not null group by state order by state",
        PQR_ADMIN, on_admin);
}

int main(int argc, char **argv)
{
    uv_loop_t *loop = uv_default_loop();
    pqr_config *config = NULL;
    pqr_error error;

    int code = pqr_config_conninfo(&config, argc > 1 ? argv[1] : NULL, &error);
    if (code == 0)
        code = pqr_router_open(&router, loop, config, NULL, &error);
    pqr_config_free(config);
    if (code != 0) {
        fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    pqr_router_ready(router, 5000, on_ready, NULL);
    uv_run(loop, UV_RUN_DEFAULT);
    return uv_loop_close(loop) != 0 || failed;
}
