/* What is asked for, and what was said of it. A unit is one insert, a transaction or a batch of several; each row has a
   number of its own, and nothing in the table forbids it twice. */
#include <stdlib.h>
#include <string.h>

#include "chaos.h"

enum kind { READ, FAILING, INSERT, SLOW_INSERT, TRANSACTION, BATCH, KINDS };
static const char *const kind_names[KINDS] = {
    "read", "failing read", "insert", "slow insert", "transaction", "batch"};

struct unit {
    uint8_t kind, steps, calls;
    bool rolls_back; /* by its own wish */
    pqr_status status;
    pqr_outcome outcome;
    uint32_t first; /* its rows' numbers begin here */
    unsigned client, answered;
    pqr_request_id id;
};

static struct unit **units;
static unsigned n_units, n_rows, outstanding;
static struct unit *of_client[CHAOS_CLIENTS];
static pqr_statement *statements[KINDS];
static uint64_t random_state;
static pqr_router *asked;

static struct unit *new_unit(unsigned client, enum kind kind, unsigned steps)
{
    if ((n_units & (n_units + 1)) == 0 || !units)
        units = realloc(units, 2 * (n_units + 1) * sizeof(struct unit *));
    struct unit *unit = calloc(1, sizeof(*unit));
    if (!units || !unit)
        chaos_fail("out of memory");
    *unit = (struct unit){.kind = (uint8_t)kind, .steps = (uint8_t)steps, .first = n_rows, .client = client};
    units[n_units++] = unit;
    n_rows += steps;
    return unit;
}

/* --- answers --- */

static void check_answer(const struct unit *unit, const pqr_reply *reply)
{
    pqr_status status = pqr_reply_status(reply);
    pqr_outcome outcome = pqr_reply_outcome(reply);
    if (status == PQR_STATUS_OK && outcome != PQR_OUTCOME_EXECUTED)
        chaos_fail("%s %u: ok, but %s", kind_names[unit->kind], unit->first, pqr_outcome_name(outcome));
    if (unit->kind == FAILING && status == PQR_STATUS_OK)
        chaos_fail("a division by zero went well");
    if (unit->kind == READ && status == PQR_STATUS_SQL_ERROR &&
        strcmp(pqr_reply_sqlstate(reply), "57014") != 0 && strncmp(pqr_reply_sqlstate(reply), "57P", 3) != 0)
        chaos_fail("a read got %s: %s", pqr_reply_sqlstate(reply), pqr_reply_error(reply));
    if (unit->kind == READ && status == PQR_STATUS_OK && pqr_reply_rows(reply) != 1)
        chaos_fail("a read of one row got %d", pqr_reply_rows(reply));
}

static void on_done(pqr_reply *reply, void *data)
{
    struct unit *unit = data;
    if (++unit->calls != 1)
        chaos_fail("%s %u was called %u times", kind_names[unit->kind], unit->first, unit->calls);
    check_answer(unit, reply);
    unit->status = pqr_reply_status(reply);
    unit->outcome = pqr_reply_outcome(reply);
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
    unit->answered++;
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

static int run_transaction(struct unit *unit)
{
    pqr_tx_options options = PQR_TX_OPTIONS_INIT;
    options.timeout_ms = some_timeout();
    unit->rolls_back = chaos_percent(&random_state, 15);
    return pqr_tx_run(&unit->id, asked, &options, body, on_done, unit);
}

static int run_batch(struct unit *unit)
{
    pqr_batch_options options = PQR_BATCH_OPTIONS_INIT;
    pqr_batch_query queries[CHAOS_STEPS];
    struct insert inserts[CHAOS_STEPS];
    options.timeout_ms = some_timeout();
    for (unsigned i = 0; i < unit->steps; i++) {
        make_insert(&inserts[i], INSERT, unit->first + i);
        queries[i] = (pqr_batch_query){.query = &inserts[i].query, .cb = on_part, .data = unit};
    }
    return pqr_batch_run(&unit->id, asked, &options, queries, unit->steps, on_done, unit);
}

static int run_one(struct unit *unit)
{
    struct insert insert;
    make_insert(&insert, unit->kind, unit->kind == READ ? 0 : unit->first);
    insert.query.timeout_ms = some_timeout();
    if (chaos_percent(&random_state, 5))
        insert.query.flags = PQR_ADMIN;
    else if (unit->kind == INSERT && chaos_percent(&random_state, 10))
        insert.query.flags = PQR_PIPELINE;
    return pqr_query_run(&unit->id, asked, &insert.query, on_done, unit);
}

static enum kind choose(void)
{
    static const uint8_t percent[KINDS] = {45, 5, 25, 5, 10, 10};
    unsigned drawn = chaos_below(&random_state, 100), kind = 0;
    for (; drawn >= percent[kind]; kind++)
        drawn -= percent[kind];
    return (enum kind)kind;
}

static void ask(unsigned client)
{
    enum kind kind = choose();
    bool writes = kind != READ && kind != FAILING;
    unsigned steps =
        kind == TRANSACTION || kind == BATCH ? 1 + chaos_below(&random_state, CHAOS_STEPS) : writes;
    struct unit *unit = of_client[client] = new_unit(client, kind, steps);
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

unsigned load_outstanding(void)
{
    return outstanding;
}

/* --- the books --- */

static unsigned *count_rows(struct cluster *cluster)
{
    unsigned *rows = calloc(n_rows + 1, sizeof(unsigned));
    const char *list = cluster_exec(cluster, 0, "select id from chaos");
    if (!rows)
        chaos_fail("out of memory");
    for (char *end; *list; list = *end == '\n' ? end + 1 : end) {
        unsigned long row = strtoul(list, &end, 10);
        if (end == list || row >= n_rows)
            chaos_fail("a row that nobody asked for: %.20s", list);
        rows[row]++;
    }
    return rows;
}

/* How often its rows are there: the same for all of them. */
static unsigned rows_of(const struct unit *unit, const unsigned *rows)
{
    for (unsigned i = 1; i < unit->steps; i++)
        if (rows[unit->first + i] != rows[unit->first])
            chaos_fail("%s %u is there in part", kind_names[unit->kind], unit->first);
    return rows[unit->first];
}

static void verify_unit(const struct unit *unit, const unsigned *rows)
{
    if (unit->calls != 1)
        chaos_fail("%s %u was called %u times", kind_names[unit->kind], unit->first, unit->calls);
    if (unit->steps == 0)
        return;
    unsigned found = rows_of(unit, rows);
    bool done = unit->status == PQR_STATUS_OK && !unit->rolls_back;
    bool known = unit->outcome != PQR_OUTCOME_UNKNOWN;
    if (found > 1 || (known && found != done))
        chaos_fail("%s %u: %s, %s%s, and %u times in the table", kind_names[unit->kind], unit->first,
            pqr_status_name(unit->status), pqr_outcome_name(unit->outcome),
            unit->rolls_back ? ", to be rolled back" : "", found);
}

void load_verify(struct cluster *cluster)
{
    unsigned by[PQR_STATUS_CLOSED + 1][PQR_OUTCOME_UNKNOWN + 1] = {0}, unknown_done = 0;
    unsigned *rows = count_rows(cluster);
    for (unsigned i = 0; i < n_units; i++) {
        const struct unit *unit = units[i];
        verify_unit(unit, rows);
        by[unit->status][unit->outcome]++;
        unknown_done += unit->outcome == PQR_OUTCOME_UNKNOWN && unit->steps > 0 && rows[unit->first] > 0;
    }
    for (unsigned status = 0; status <= PQR_STATUS_CLOSED; status++)
        for (unsigned outcome = 0; outcome <= PQR_OUTCOME_UNKNOWN; outcome++)
            if (by[status][outcome])
                printf("%10u  %s, %s\n", by[status][outcome], pqr_status_name((pqr_status)status),
                    pqr_outcome_name((pqr_outcome)outcome));
    printf("%10u  of the unknown ones had been done\n", unknown_done);
    for (unsigned i = 0; i < n_units; i++)
        free(units[i]);
    for (unsigned i = 0; i < KINDS; i++)
        pqr_statement_free(statements[i]);
    free(units);
    free(rows);
}
