/* A web shop on libuv and pqrouter: some customers look at things, some order, and it all goes to the right server
   without the shop saying where. examples/demo runs it on a cluster of its own; it also tells it how to stop and
   start a replica, to show that nobody notices. Towards the end there is a flash sale, far more orders at once than
   the pool has connections, and an administrator who wants to know what is going on.

   usage: shop CONFIG [SECONDS [STOP-COMMAND START-COMMAND]] */
#include <pqrouter.h>
#include <uv.h>

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shop_report.h"

enum { CUSTOMERS = 48, PRODUCTS = 1000, SALE_ORDERS = 3000, THINK_MIN_MS = 10, THINK_MAX_MS = 50 };

enum shop_state { SELLING, DRAINING, CLOSING };

struct customer {
    struct shop *shop;
    uv_timer_t think;
    int id;
};

struct shop {
    uv_loop_t *loop;
    pqr_router *router;
    enum shop_state state;
    uint64_t begin_ms;
    double seconds;
    size_t next_step; /* of the plan */
    char *stop_command, *start_command;
    uv_timer_t tick;
    uv_signal_t interrupt, terminate;
    struct customer customers[CUSTOMERS];
    uint64_t in_flight;
    bool interrupted, failed_to_start;
    struct report report;
    struct summary summary;
    pqr_stats *stats; /* the last ones, for the summary */
};

struct order {
    struct shop *shop;
    int customer, product;
};

static void settle(struct shop *shop);

/* --- What customers do --------------------------------------------------------------------------------- */

/* Counts an answer; true when it is a good one. */
static bool count_reply(struct shop *shop, const pqr_reply *reply, uint64_t *good)
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

static void think(struct customer *customer);

static void on_read(pqr_reply *reply, void *data)
{
    struct customer *customer = data;
    count_reply(customer->shop, reply, &customer->shop->summary.reads);
    think(customer);
    settle(customer->shop);
}

/* A read: nothing here says "replica", the text does. */
static void read_something(struct customer *customer)
{
    char number[16];
    const char *values[] = {number};
    pqr_query query = PQR_QUERY_INIT;
    query.n_params = 1;
    query.param_values = values;
    if (rand() % 2) {
        query.sql = "select name, price, stock from products where id = $1";
        snprintf(number, sizeof(number), "%d", 1 + rand() % PRODUCTS);
    } else {
        query.sql = "select id, product, placed_at from orders where customer = $1 order by id desc limit 5";
        snprintf(number, sizeof(number), "%d", customer->id);
    }
    if (pqr_query_run(NULL, customer->shop->router, &query, on_read, customer) == 0)
        customer->shop->in_flight++;
}

static void on_statement(pqr_reply *reply, void *data)
{
    (void)reply; /* the transaction's own reply tells of the first failure */
    (void)data;
}

/* Runs inside the transaction: two statements and the commit, sent one behind the other. */
static void write_order(pqr_tx *tx, unsigned attempt, void *data)
{
    (void)attempt;
    struct order *order = data;
    char customer[16], product[16];
    snprintf(customer, sizeof(customer), "%d", order->customer);
    snprintf(product, sizeof(product), "%d", order->product);
    const char *insert_values[] = {customer, product}, *update_values[] = {product};
    pqr_query insert = PQR_QUERY_INIT, update = PQR_QUERY_INIT;
    insert.sql = "insert into orders (customer, product) values ($1, $2)";
    insert.n_params = 2;
    insert.param_values = insert_values;
    update.sql = "update products set stock = stock - 1 where id = $1";
    update.n_params = 1;
    update.param_values = update_values;
    if (pqr_tx_query(tx, &insert, on_statement, NULL) == 0 &&
        pqr_tx_query(tx, &update, on_statement, NULL) == 0)
        pqr_tx_commit(tx);
    else
        pqr_tx_rollback(tx);
}

static void on_order(pqr_reply *reply, void *data)
{
    struct order *order = data;
    struct shop *shop = order->shop;
    count_reply(shop, reply, &shop->summary.orders);
    if (order->customer < CUSTOMERS)
        think(&shop->customers[order->customer]);
    free(order);
    settle(shop);
}

static void place_order(struct shop *shop, int customer, int product)
{
    struct order *order = malloc(sizeof(*order));
    if (!order)
        return;
    *order = (struct order){.shop = shop, .customer = customer, .product = product};
    if (pqr_tx_run(NULL, shop->router, NULL, write_order, on_order, order) == 0)
        shop->in_flight++;
    else
        free(order);
}

static void on_thought(uv_timer_t *timer)
{
    struct customer *customer = timer->data;
    if (rand() % 8 == 0)
        place_order(customer->shop, customer->id, 1 + rand() % PRODUCTS);
    else
        read_something(customer);
}

static void think(struct customer *customer)
{
    if (customer->shop->state == SELLING)
        uv_timer_start(&customer->think, on_thought,
            (uint64_t)(THINK_MIN_MS + rand() % (THINK_MAX_MS - THINK_MIN_MS)), 0);
}

/* --- What happens to the shop ---------------------------------------------------------------------------- */

static void free_handle(uv_handle_t *handle)
{
    free(handle);
}

static void on_child_exit(uv_process_t *process, int64_t status, int signal)
{
    struct shop *shop = process->data;
    if (status != 0 || signal != 0)
        report_event(&shop->report, "that command failed");
    uv_close((uv_handle_t *)process, free_handle);
}

static void spawn(struct shop *shop, char *command)
{
    uv_process_t *process = calloc(1, sizeof(*process));
    if (!command || !process) {
        free(process);
        return;
    }
    char shell[] = "/bin/sh", option[] = "-c";
    char *arguments[] = {shell, option, command, NULL};
    uv_stdio_container_t streams[] = {
        {.flags = UV_IGNORE}, {.flags = UV_IGNORE}, {.flags = UV_INHERIT_FD, .data.fd = 2}};
    uv_process_options_t options = {
        .file = shell, .args = arguments, .exit_cb = on_child_exit, .stdio_count = 3, .stdio = streams};
    process->data = shop;
    if (uv_spawn(shop->loop, process, &options) != 0)
        uv_close((uv_handle_t *)process, free_handle);
}

static void stop_replica(struct shop *shop)
{
    if (!shop->stop_command)
        return;
    report_event(&shop->report, "a replica is being stopped, with requests under way on it");
    spawn(shop, shop->stop_command);
}

static void start_replica(struct shop *shop)
{
    if (!shop->start_command)
        return;
    report_event(&shop->report, "it is being started again");
    spawn(shop, shop->start_command);
}

static void on_normal_question(pqr_reply *reply, void *data)
{
    struct shop *shop = data;
    uint64_t good = 0;
    shop->summary.sale.normal_us = pqr_reply_times(reply).total_us;
    shop->summary.sale.normal_done = count_reply(shop, reply, &good);
    settle(shop);
}

static void on_admin_question(pqr_reply *reply, void *data)
{
    struct shop *shop = data;
    uint64_t good = 0;
    struct overtaking *sale = &shop->summary.sale;
    sale->admin_us = pqr_reply_times(reply).total_us;
    sale->admin_done = count_reply(shop, reply, &good);
    report_event(&shop->report, "the administrator has an answer after %.1f ms; the queue goes on",
        (double)sale->admin_us / 1000);
    settle(shop);
}

/* One question to the primary, twice: behind everybody, and with the right of way. */
static void flash_sale(struct shop *shop)
{
    struct overtaking *sale = &shop->summary.sale;
    for (int i = 0; i < SALE_ORDERS; i++)
        place_order(shop, CUSTOMERS + i, 1 + rand() % PRODUCTS);
    sale->orders = SALE_ORDERS;
    pqr_stats *stats;
    if (pqr_router_stats(shop->router, &stats) == 0) {
        sale->waiting = pqr_stats_totals(stats)->waiting;
        pqr_stats_free(stats);
    }
    report_event(
        &shop->report, "flash sale: %u orders at once, %u of them must wait", sale->orders, sale->waiting);
    report_want_table(&shop->report);
    pqr_query query = PQR_QUERY_INIT;
    query.sql = "select state, count(*) from pg_stat_activity where usename = current_user group by state";
    query.target = PQR_TARGET_PRIMARY;
    if (pqr_query_run(NULL, shop->router, &query, on_normal_question, shop) == 0)
        shop->in_flight++;
    query.flags = PQR_ADMIN;
    if (pqr_query_run(NULL, shop->router, &query, on_admin_question, shop) == 0)
        shop->in_flight++;
}

/* Keeps what the servers have done so far. */
static void mark(struct shop *shop, struct reads_mark *at)
{
    pqr_stats *stats;
    if (pqr_router_stats(shop->router, &stats) != 0)
        return;
    report_mark(&shop->report, at, stats);
    pqr_stats_free(stats);
}

static void on_role_change(void *data, const char *server, pqr_role from, pqr_role to)
{
    struct shop *shop = data;
    struct summary *summary = &shop->summary;
    if (shop->state != SELLING || from == PQR_ROLE_UNKNOWN)
        return;
    report_event(
        &shop->report, "pqrouter: %s was %s, now it is %s", server, pqr_role_name(from), pqr_role_name(to));
    if (to == PQR_ROLE_DOWN && !summary->left.taken) {
        snprintf(summary->stopped, sizeof(summary->stopped), "%s", server);
        mark(shop, &summary->left);
    } else if (to == PQR_ROLE_REPLICA && strcmp(server, summary->stopped) == 0) {
        mark(shop, &summary->back);
    }
}

/* --- From opening to closing ----------------------------------------------------------------------------- */

static void on_closed(void *data)
{
    struct shop *shop = data;
    uv_close((uv_handle_t *)&shop->tick, NULL);
    uv_close((uv_handle_t *)&shop->interrupt, NULL);
    uv_close((uv_handle_t *)&shop->terminate, NULL);
    for (int i = 0; i < CUSTOMERS; i++)
        uv_close((uv_handle_t *)&shop->customers[i].think, NULL);
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
    if (count_reply(shop, reply, &good))
        shop->summary.orders_found = strtoll(pqr_reply_value(reply, 0, "count", NULL), NULL, 10);
    if (shop->state != CLOSING)
        close_shop(shop, 5000);
}

/* After each answer: when the shop is shut and the last one is there, the orders are counted on the primary. */
static void settle(struct shop *shop)
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

static void shut(struct shop *shop)
{
    mark(shop, &shop->summary.end);
    shop->state = DRAINING;
    for (int i = 0; i < CUSTOMERS; i++)
        uv_timer_stop(&shop->customers[i].think);
    shop->in_flight++;
    settle(shop);
}

static const struct step {
    double at; /* as a part of the whole time */
    void (*run)(struct shop *shop);
} plan[] = {{0.25, stop_replica}, {0.5, start_replica}, {0.8, flash_sale}, {1, shut}};

static void on_tick(uv_timer_t *timer)
{
    struct shop *shop = timer->data;
    shop->report.now_s = (double)(uv_now(shop->loop) - shop->begin_ms) / 1000;
    while (shop->state == SELLING && shop->report.now_s >= plan[shop->next_step].at * shop->seconds)
        plan[shop->next_step++].run(shop);
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
    mark(shop, &shop->summary.begin);
    uv_timer_start(&shop->tick, on_tick, 0, 50);
    for (int i = 0; i < CUSTOMERS; i++)
        think(&shop->customers[i]);
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
    callbacks.role_change = on_role_change;
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
    for (int i = 0; i < CUSTOMERS; i++) {
        shop->customers[i].shop = shop;
        shop->customers[i].id = i;
        shop->customers[i].think.data = &shop->customers[i];
        uv_timer_init(shop->loop, &shop->customers[i].think);
    }
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
