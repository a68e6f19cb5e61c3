/* What happens to the shop while it is open: a replica is stopped and comes back; there is a flash sale, far more
   orders at once than the pool has connections, and an administrator who wants to know what is going on. */
#include "shop.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EVALUATIONS = 4, SALE_ORDERS = 3000 };

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

static void on_evaluation(pqr_reply *reply, void *data)
{
    struct shop *shop = data;
    shop_count(shop, reply, &shop->summary.reads);
    shop_settle(shop);
}

/* Reads that take a second or so: whichever replica is stopped then, some are under way on it. */
static void evaluate(struct shop *shop)
{
    pqr_query query = PQR_QUERY_INIT;
    query.sql = "select sum(price * n % 7) from products, generate_series(1, 3000) n";
    for (int i = 0; i < EVALUATIONS; i++)
        if (pqr_query_run(NULL, shop->router, &query, on_evaluation, shop) == 0)
            shop->in_flight++;
}

static void stop_replica(struct shop *shop)
{
    if (!shop->stop_command)
        return;
    report_event(
        &shop->report, "%d long reads begin, and a replica is being stopped under them", EVALUATIONS);
    evaluate(shop);
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
    shop->summary.sale.normal_done = shop_count(shop, reply, &good);
    shop_settle(shop);
}

static void on_admin_question(pqr_reply *reply, void *data)
{
    struct shop *shop = data;
    uint64_t good = 0;
    struct overtaking *sale = &shop->summary.sale;
    sale->admin_us = pqr_reply_times(reply).total_us;
    sale->admin_done = shop_count(shop, reply, &good);
    report_event(&shop->report, "the administrator has an answer after %.1f ms; the queue goes on",
        (double)sale->admin_us / 1000);
    shop_settle(shop);
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

void plan_role_change(void *data, const char *server, pqr_role from, pqr_role to)
{
    struct shop *shop = data;
    struct summary *summary = &shop->summary;
    if (shop->state != SELLING || from == PQR_ROLE_UNKNOWN)
        return;
    report_event(
        &shop->report, "pqrouter: %s was %s, now it is %s", server, pqr_role_name(from), pqr_role_name(to));
    if (to == PQR_ROLE_DOWN && !summary->left.taken) {
        snprintf(summary->stopped, sizeof(summary->stopped), "%s", server);
        shop_mark(shop, &summary->left);
    } else if (to == PQR_ROLE_REPLICA && strcmp(server, summary->stopped) == 0) {
        shop_mark(shop, &summary->back);
    }
}

static const struct step {
    double at; /* as a part of the whole time */
    void (*run)(struct shop *shop);
} plan[] = {{0.25, stop_replica}, {0.5, start_replica}, {0.8, flash_sale}, {1, shop_shut}};

void plan_run(struct shop *shop)
{
    while (shop->state == SELLING && shop->report.now_s >= plan[shop->next_step].at * shop->seconds)
        plan[shop->next_step++].run(shop);
}
