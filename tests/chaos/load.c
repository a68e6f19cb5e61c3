/* What is asked for: clients that ask, and ask again when they are answered. */
#include "load.h"

static unsigned outstanding;
static struct unit *of_client[CHAOS_CLIENTS];
static pqr_statement *statements[KINDS];
static uint64_t random_state;
static pqr_router *asked;

/* What each client wrote last, and was given a token for. */
static struct own {
    uint32_t row;
    pqr_token token; /* zeros: nothing */
} own_of[CHAOS_CLIENTS];

/* --- answers --- */

static void on_done(pqr_reply *reply, void *data)
{
    struct unit *unit = data;
    books_close(unit, reply);
    struct own own = {.row = unit->first};
    if (pqr_reply_token(reply, &own.token) == 0 && !unit->rolls_back)
        own_of[unit->client] = own;
    of_client[unit->client] = NULL;
    outstanding--;
}

/* Of a query of a batch, or a statement of a transaction: each is called before the whole is. */
static void on_part(pqr_reply *reply, void *data)
{
    struct unit *unit = data;
    (void)reply;
    if (unit->calls)
        chaos_fail("%s %u: a part was called after the whole", kind_names[unit->kind], unit->first);
}

/* Now and then it has enough. */
static int on_rows(pqr_reply *part, void *data)
{
    books_show(data, part);
    return chaos_below(&random_state, 20000) == 0;
}

/* --- requests --- */

struct insert {
    char number[16];
    const char *values[1];
    pqr_query query;
};

static void make_insert(struct insert *insert, enum kind kind, uint32_t row)
{
    snprintf(insert->number, sizeof(insert->number), "%u", row);
    insert->values[0] = insert->number;
    insert->query = (pqr_query)PQR_QUERY_INIT;
    insert->query.statement = statements[kind];
    insert->query.n_params = 1;
    insert->query.param_values = insert->values;
}

static void body(pqr_tx *tx, unsigned attempt, void *data)
{
    struct unit *unit = data;
    struct insert insert;
    (void)attempt;
    for (unsigned i = 0; i < unit->steps; i++) {
        make_insert(&insert, INSERT, unit->first + i);
        if (pqr_tx_query(tx, &insert.query, on_part, unit) != 0)
            chaos_fail("a statement was not taken");
    }
    if (unit->rolls_back)
        pqr_tx_rollback(tx);
    else
        pqr_tx_commit(tx);
}

static uint32_t some_timeout(void)
{
    return chaos_percent(&random_state, 10) ? 5 + chaos_below(&random_state, 100) : 0;
}

static uint32_t some_token(void)
{
    return chaos_percent(&random_state, 50) ? PQR_TOKEN : 0;
}

static int run_transaction(struct unit *unit)
{
    pqr_tx_options options = PQR_TX_OPTIONS_INIT;
    options.flags = some_token();
    options.timeout_ms = some_timeout();
    unit->rolls_back = chaos_percent(&random_state, 15);
    return pqr_tx_run(&unit->id, asked, &options, body, on_done, unit);
}

static int run_batch(struct unit *unit)
{
    pqr_batch_options options = PQR_BATCH_OPTIONS_INIT;
    pqr_batch_query queries[CHAOS_STEPS];
    struct insert inserts[CHAOS_STEPS];
    options.flags = some_token();
    options.timeout_ms = some_timeout();
    for (unsigned i = 0; i < unit->steps; i++) {
        make_insert(&inserts[i], INSERT, unit->first + i);
        queries[i] = (pqr_batch_query){.query = &inserts[i].query, .cb = on_part, .data = unit};
    }
    return pqr_batch_run(&unit->id, asked, &options, queries, unit->steps, on_done, unit);
}

/* The row that it wrote last. */
static void read_own(struct unit *unit, struct insert *insert)
{
    const struct own *own = &own_of[unit->client];
    snprintf(insert->number, sizeof(insert->number), "%u", own->row);
    insert->query.after = &own->token;
    unit->own = true;
}

static int run_one(struct unit *unit)
{
    struct insert insert;
    make_insert(&insert, unit->kind, unit->kind < INSERT ? 0 : unit->first);
    insert.query.timeout_ms = some_timeout();
    if (unit->kind == READ && own_of[unit->client].token.lsn != 0)
        read_own(unit, &insert);
    if (unit->kind == PARTS) {
        insert.query.rows = on_rows;
        insert.query.rows_at_once = chaos_below(&random_state, 300);
    }
    if (chaos_percent(&random_state, 5))
        insert.query.flags = PQR_ADMIN;
    else if (unit->kind >= INSERT && some_token())
        insert.query.flags = PQR_TOKEN;
    else if (unit->kind == INSERT && chaos_percent(&random_state, 10))
        insert.query.flags = PQR_PIPELINE;
    return pqr_query_run(&unit->id, asked, &insert.query, on_done, unit);
}

static enum kind choose(void)
{
    static const uint8_t percent[KINDS] = {42, 5, 3, 25, 5, 10, 10};
    unsigned drawn = chaos_below(&random_state, 100), kind = 0;
    for (; drawn >= percent[kind]; kind++)
        drawn -= percent[kind];
    return (enum kind)kind;
}

static void ask(unsigned client)
{
    enum kind kind = choose();
    unsigned steps =
        kind == TRANSACTION || kind == BATCH ? 1 + chaos_below(&random_state, CHAOS_STEPS) : kind >= INSERT;
    struct unit *unit = of_client[client] = books_new(client, kind, steps);
    int failed = kind == TRANSACTION ? run_transaction(unit)
                 : kind == BATCH     ? run_batch(unit)
                                     : run_one(unit);
    if (failed)
        chaos_fail("a request was not taken: %s", pqr_error_name(failed));
    outstanding++;
}

void load_start(uint64_t seed)
{
    static const char *const texts[KINDS] = {
        [READ] = "select count(*) from chaos where id = $1",
        [FAILING] = "select 1 / ($1::int - $1::int)",
        [PARTS] = "select $1::int + generate_series(1, 2000)",
        [INSERT] = "insert into chaos values ($1)",
        [SLOW_INSERT] = "insert into chaos select $1::bigint from pg_sleep(0.05)",
    };
    random_state = seed;
    for (unsigned i = 0; i < KINDS; i++)
        if (texts[i] && pqr_statement_new(&statements[i], texts[i]) != 0)
            chaos_fail("out of memory");
}

void load_run(pqr_router *router)
{
    asked = router;
    for (unsigned i = 0; i < CHAOS_CLIENTS; i++)
        if (!of_client[i])
            ask(i);
}

void load_cancel(pqr_router *router)
{
    const struct unit *unit = of_client[chaos_below(&random_state, CHAOS_CLIENTS)];
    if (unit)
        pqr_request_cancel(router, unit->id);
}

void load_finish(void)
{
    for (unsigned i = 0; i < KINDS; i++)
        pqr_statement_free(statements[i]);
}

unsigned load_outstanding(void)
{
    return outstanding;
}
