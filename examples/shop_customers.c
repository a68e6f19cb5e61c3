/* What customers do: think for a moment, then look at something or order it, and never say where it is to run. */
#include "shop.h"

#include <stdio.h>
#include <stdlib.h>

enum { THINK_MIN_MS = 10, THINK_MAX_MS = 50 };

struct order {
    struct shop *shop;
    int customer, product;
};

static void think(struct customer *customer);

static void on_read(pqr_reply *reply, void *data)
{
    struct customer *customer = data;
    shop_count(customer->shop, reply, &customer->shop->summary.reads);
    think(customer);
    shop_settle(customer->shop);
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
    shop_count(shop, reply, &shop->summary.orders);
    if (order->customer < CUSTOMERS)
        think(&shop->customers[order->customer]);
    free(order);
    shop_settle(shop);
}

void place_order(struct shop *shop, int customer, int product)
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

void customers_init(struct shop *shop)
{
    for (int i = 0; i < CUSTOMERS; i++) {
        shop->customers[i].shop = shop;
        shop->customers[i].id = i;
        shop->customers[i].think.data = &shop->customers[i];
        uv_timer_init(shop->loop, &shop->customers[i].think);
    }
}

void customers_begin(struct shop *shop)
{
    for (int i = 0; i < CUSTOMERS; i++)
        think(&shop->customers[i]);
}

void customers_stop(struct shop *shop)
{
    for (int i = 0; i < CUSTOMERS; i++)
        uv_timer_stop(&shop->customers[i].think);
}

void customers_close(struct shop *shop)
{
    for (int i = 0; i < CUSTOMERS; i++)
        uv_close((uv_handle_t *)&shop->customers[i].think, NULL);
}
