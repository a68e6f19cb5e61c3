/* Units of work, and what was said of them. One is an insert, a transaction or a batch of several; each row has a
   number of its own, and nothing in the table forbids it twice. */
#include <stdlib.h>
#include <string.h>

#include "load.h"

enum { ROWS = 2000 };

const char *const kind_names[KINDS] = {
    "read", "failing read", "read in parts", "insert", "slow insert", "transaction", "batch"};

static struct unit **units;
static unsigned n_units, n_rows, own_reads, own_on_replicas;

struct unit *books_new(unsigned client, enum kind kind, unsigned steps)
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

/* Of a read that somebody ended: by a cancel, a restart, or for a replica's sake. */
static bool is_excused(const char *sqlstate)
{
    return strcmp(sqlstate, "57014") == 0 || strncmp(sqlstate, "57P", 3) == 0 ||
           strcmp(sqlstate, "40001") == 0;
}

static void check_read(const struct unit *unit, const pqr_reply *reply)
{
    bool ok = pqr_reply_status(reply) == PQR_STATUS_OK;
    if (pqr_reply_status(reply) == PQR_STATUS_SQL_ERROR && !is_excused(pqr_reply_sqlstate(reply)))
        chaos_fail("a read got %s: %s", pqr_reply_sqlstate(reply), pqr_reply_error(reply));
    if (ok && unit->kind == READ && pqr_reply_rows(reply) != 1)
        chaos_fail("a read of one row got %d", pqr_reply_rows(reply));
    if (ok && unit->own && strcmp(pqr_reply_value_at(reply, 0, 0, NULL), "1") != 0)
        chaos_fail("a client's own row was there %s times, on %s", pqr_reply_value_at(reply, 0, 0, NULL),
            pqr_reply_server(reply));
    own_on_replicas += ok && unit->own && pqr_reply_route(reply) == PQR_ROLE_REPLICA;
    own_reads += ok && unit->own;
    if (ok && unit->kind == PARTS && (unit->shown != ROWS || pqr_reply_affected(reply) != ROWS))
        chaos_fail(
            "a read of %d rows showed %u, and says %d", ROWS, unit->shown, (int)pqr_reply_affected(reply));
}

void books_close(struct unit *unit, const pqr_reply *reply)
{
    unit->status = pqr_reply_status(reply);
    unit->outcome = pqr_reply_outcome(reply);
    if (++unit->calls != 1)
        chaos_fail("%s %u was called %u times", kind_names[unit->kind], unit->first, unit->calls);
    if (unit->status == PQR_STATUS_OK && unit->outcome != PQR_OUTCOME_EXECUTED)
        chaos_fail("%s %u: ok, but %s", kind_names[unit->kind], unit->first, pqr_outcome_name(unit->outcome));
    if (unit->kind == FAILING && unit->status == PQR_STATUS_OK)
        chaos_fail("a division by zero went well");
    if (unit->kind == READ || unit->kind == PARTS)
        check_read(unit, reply);
}

/* Each row once, in order, and nothing after the answer. */
void books_show(struct unit *unit, const pqr_reply *part)
{
    if (unit->calls)
        chaos_fail("a part came after the answer");
    for (int row = 0; row < pqr_reply_rows(part); row++) {
        unsigned long number = strtoul(pqr_reply_value_at(part, row, 0, NULL), NULL, 10);
        if (number != ++unit->shown)
            chaos_fail("row %lu was shown as the %uth", number, unit->shown);
    }
}

/* --- the end --- */

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

void books_verify(struct cluster *cluster)
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
    printf(
        "%10u  reads of what their clients had just written, %u on replicas\n", own_reads, own_on_replicas);
    for (unsigned i = 0; i < n_units; i++)
        free(units[i]);
    free(units);
    free(rows);
}
