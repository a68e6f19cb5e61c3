/* A web shop on libuv and pqrouter: some customers look at things, some order, and it all goes to the right server
   without the shop saying where (shop_customers.c). examples/demo runs it on a cluster of its own; it also tells it how to
   stop and start a replica, to show that nobody notices (shop_plan.c). Here it is opened and closed.

   usage: shop CONFIG [SECONDS [STOP-COMMAND START-COMMAND]] */
#include "shop.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

bool shop_count(struct shop *shop, const pqr_reply *reply, uint64_t *good)
{
    bool ok = pqr_reply_status(reply) == PQR_STATUS_OK;
    if (ok)
        (*good)++;
    else if (shop->interrupted)
        return false; /* it was we who closed */
    else if (shop->summary.failed++ == 0)
        snprintf(shop->summary.first_failure, sizeof(shop->summary.first_failure), "%s, %s: %s",
            pqr_status_name(pqr_reply_status(reply)), pqr_outcome_name(pqr_reply_outcome(reply)),
            pqr_reply_error(reply));
    return ok;
}

void shop_mark(struct shop *shop, struct reads_mark *at)
{
    pqr_stats *stats;
    if (pqr_router_stats(shop->router, &stats) != 0)
        return;
    report_mark(&shop->report, at, stats);
    pqr_stats_free(stats);
}

static void on_closed(void *data)
{
    struct shop *shop = data;
    uv_close((uv_handle_t *)&shop->tick, NULL);
    uv_close((uv_handle_t *)&shop->interrupt, NULL);
    uv_close((uv_handle_t *)&shop->terminate, NULL);
    customers_close(shop);
}

static void close_shop(struct shop *shop, uint32_t drain_ms)
{
    shop->state = CLOSING;
    pqr_stats_free(shop->stats);
    if (pqr_router_stats(shop->router, &shop->stats) != 0)
        shop->stats = NULL;
    pqr_router_close(shop->router, drain_ms, on_closed, shop);
}

static void on_counted(pqr_reply *reply, void *data)
{
    struct shop *shop = data;
    uint64_t good = 0;
    if (shop_count(shop, reply, &good))
        shop->summary.orders_found = strtoll(pqr_reply_value(reply, 0, "count", NULL), NULL, 10);
    if (shop->state != CLOSING)
        close_shop(shop, 5000);
}

void shop_settle(struct shop *shop)
{
    shop->in_flight--;
    if (shop->state != DRAINING || shop->in_flight > 0)
        return;
    pqr_query query = PQR_QUERY_INIT;
    query.sql = "select count(*) from orders";
    query.timeout_ms = 5000;
    query.target = PQR_TARGET_PRIMARY;
    if (pqr_query_run(NULL, shop->router, &query, on_counted, shop) != 0)
        close_shop(shop, 5000);
}

void shop_shut(struct shop *shop)
{
    shop_mark(shop, &shop->summary.end);
    shop->state = DRAINING;
    customers_stop(shop);
    shop->in_flight++;
    shop_settle(shop);
}

static void on_tick(uv_timer_t *timer)
{
    struct shop *shop = timer->data;
    shop->report.now_s = (double)(uv_now(shop->loop) - shop->begin_ms) / 1000;
    plan_run(shop);
    pqr_stats *stats;
    if (shop->state == SELLING && pqr_router_stats(shop->router, &stats) == 0) {
        report_table(&shop->report, stats, &shop->summary);
        pqr_stats_free(stats);
    }
}

static void on_ready(pqr_router *router, int status, const char *why, void *data)
{
    struct shop *shop = data;
    (void)router;
    if (shop->state == CLOSING)
        return;
    if (status != 0) {
        fprintf(stderr, "shop: the servers are not ready: %s\n", why);
        shop->failed_to_start = true;
        close_shop(shop, 0);
        return;
    }
    shop->begin_ms = uv_now(shop->loop);
    shop_mark(shop, &shop->summary.begin);
    uv_timer_start(&shop->tick, on_tick, 0, 50);
    customers_begin(shop);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct shop *shop = handle->data;
    (void)number;
    shop->interrupted = true;
    if (shop->state != CLOSING)
        close_shop(shop, 1000);
}

static void on_log(void *data, pqr_log_level level, const char *text)
{
    struct shop *shop = data;
    (void)level;
    report_event(&shop->report, "pqrouter: %s", text);
}

static int open_router(struct shop *shop, const char *file)
{
    pqr_error error;
    pqr_config *config;
    pqr_callbacks callbacks = PQR_CALLBACKS_INIT;
    callbacks.data = shop;
    callbacks.log = on_log;
    callbacks.log_level = PQR_LOG_ERROR;
    callbacks.role_change = plan_role_change;
    int code = pqr_config_load(&config, file, &error);
    if (code == 0) {
        code = pqr_router_open(&shop->router, shop->loop, config, &callbacks, &error);
        pqr_config_free(config);
    }
    if (code == 0)
        code = pqr_router_ready(shop->router, 15000, on_ready, shop);
    else
        fprintf(stderr, "shop: %s\n", error.message);
    return code;
}

static void init_handles(struct shop *shop)
{
    uv_timer_init(shop->loop, &shop->tick);
    uv_signal_init(shop->loop, &shop->interrupt);
    uv_signal_init(shop->loop, &shop->terminate);
    shop->tick.data = shop->interrupt.data = shop->terminate.data = shop;
    uv_signal_start(&shop->interrupt, on_signal, SIGINT);
    uv_signal_start(&shop->terminate, on_signal, SIGTERM);
    customers_init(shop);
}

int main(int argc, char **argv)
{
    static struct shop shop; /* zeroed */
    shop.seconds = argc > 2 ? strtod(argv[2], NULL) : 20;
    if (argc < 2 || argc == 4 || argc > 5 || shop.seconds <= 0) {
        fprintf(stderr, "usage: shop CONFIG [SECONDS [STOP-COMMAND START-COMMAND]]\n");
        return 2;
    }
    if (argc == 5) {
        shop.stop_command = argv[3];
        shop.start_command = argv[4];
    }
    shop.loop = uv_default_loop();
    shop.summary.orders_found = -1;
    report_init(&shop.report);
    init_handles(&shop);
    if (open_router(&shop, argv[1]) != 0)
        return 1;
    uv_run(shop.loop, UV_RUN_DEFAULT);
    int left = uv_loop_close(shop.loop);
    assert(left == 0);
    (void)left;
    if (!shop.failed_to_start && shop.stats)
        report_summary(&shop.report, &shop.summary, shop.stats);
    pqr_stats_free(shop.stats);
    return shop.interrupted ? 130 : shop.failed_to_start || shop.summary.failed > 0 ? 1 : 0;
}
