/* What the parts of the shop share: shop.c, shop_customers.c and shop_plan.c. */
#ifndef SHOP_H
#define SHOP_H

#include <pqrouter.h>
#include <uv.h>

#include "shop_report.h"

enum { CUSTOMERS = 48, PRODUCTS = 1000 };

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

/* --- shop.c --- */

/* Counts an answer; true when it is a good one. */
bool shop_count(struct shop *shop, const pqr_reply *reply, uint64_t *good);
/* After each answer: when the shop is shut and the last one is there, the orders are counted on the primary. */
void shop_settle(struct shop *shop);
/* Keeps what the servers have done so far. */
void shop_mark(struct shop *shop, struct reads_mark *at);
/* No more customers, and what they asked for is waited for. */
void shop_shut(struct shop *shop);

/* --- shop_customers.c --- */

void customers_init(struct shop *shop);
void customers_begin(struct shop *shop);
void customers_stop(struct shop *shop);
void customers_close(struct shop *shop);
/* A customer from CUSTOMERS on is nobody who goes on thinking. */
void place_order(struct shop *shop, int customer, int product);

/* --- shop_plan.c --- */

/* What is due by now. */
void plan_run(struct shop *shop);
/* For pqr_callbacks: tells of it, and marks when the replica was away. */
void plan_role_change(void *data, const char *server, pqr_role from, pqr_role to);

#endif
