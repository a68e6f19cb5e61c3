#include "checks.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "texts.h"

struct sim_entry *sim_check_entry(const struct sim_checks *checks, const struct pqr__item *item)
{
    if (item->own != PQR__OWN_NONE)
        return NULL;
    return sim_ledger_find(checks->ledger, item->sql, item->n_params > 0 ? item->param_values[0] : NULL);
}

/* --- Promise 3: limits ---------------------------------------------------------------------------------- */

/* As the server sees them: what is waited for, and what is on its way. */
static uint32_t sessions(const struct pqr__conn *conn)
{
    uint32_t n = 0;
    pqr__list_each (link, &conn->server->backends)
        n += !pqr__container_of(link, struct sim_backend, link)->forsaken;
    pqr__list_each (link, &conn->wire->conns) {
        const struct pqr__conn *other = pqr__container_of(link, struct pqr__conn, link);
        n += other->server == conn->server && (other->state == SIM_CONNECTING || other->logging_in);
    }
    return n;
}

void sim_check_connect(struct sim_checks *checks, const struct pqr__conn *conn)
{
    uint32_t server = conn->server->index, max = checks->config->servers[server].max;
    checks->connections[server]++;
    checks->total++;
    if (checks->connections[server] > max)
        sim_fail(checks->world, "promise 3: %u connections to s%u, max is %u", checks->connections[server],
            server, max);
    if (sessions(conn) > max)
        sim_fail(checks->world, "promise 3: %u sessions on s%u, max is %u", sessions(conn), server, max);
    uint32_t max_total = checks->config->pool.max_total;
    if (max_total > 0 && checks->total > max_total)
        sim_fail(
            checks->world, "promise 3: %u connections in all, max_total is %u", checks->total, max_total);
}

void sim_check_gone(struct sim_checks *checks, const struct pqr__conn *conn)
{
    checks->connections[conn->server->index]--;
    checks->total--;
}

/* --- Promise 2: one owner a connection ------------------------------------------------------------------- */

static void check_shape(
    const struct sim_checks *checks, const struct pqr__conn *conn, const struct pqr__flight *flight)
{
    if (conn->cancelling)
        sim_fail(checks->world, "promise 2: a flight on c%u while a cancel is on its way there", conn->id);
    uint32_t n = 0;
    for (const struct pqr__item *item = flight->items; item; item = item->next)
        n++;
    if (n == 0 || n != flight->n_items || (flight->kind == PQR__FLIGHT_SIMPLE && n != 1))
        sim_fail(checks->world, "a flight of %u items, said to be %u, on c%u", n, flight->n_items, conn->id);
}

static void check_own(const struct sim_checks *checks, struct pqr__conn *conn, enum pqr__own own)
{
    if (own == PQR__OWN_BEGIN) {
        if (conn->began || conn->dirty)
            sim_fail(checks->world, "promise 2: BEGIN on c%u, which is %s", conn->id,
                conn->began ? "in a transaction" : "not reset");
        conn->began = true;
        conn->owner = NULL;
    } else if (conn->began && own == PQR__OWN_COMMIT && conn->owner) {
        if (conn->owner->missing && !conn->aborted)
            sim_fail(
                checks->world, "whole: a transaction is committed without a statement that ended unsent");
        conn->owner->commit_sent |= !conn->aborted; /* an aborted one can only be rolled back */
        conn->owner->commit_failed = false;
    } else if (conn->began && own != PQR__OWN_COMMIT && own != PQR__OWN_ROLLBACK &&
               !(own == PQR__OWN_TOKEN && sim_is_committing(checks, conn))) {
        sim_fail(
            checks->world, "promise 2: own statement %d on c%u within a transaction", (int)own, conn->id);
    }
}

static void check_owner(
    const struct sim_checks *checks, struct pqr__conn *conn, const struct sim_entry *entry)
{
    if (!conn->identified)
        sim_fail(checks->world, "c%u serves a request before its identity is known", conn->id);
    if (checks->config->pool.init_sql && !conn->initialised)
        sim_fail(checks->world, "c%u serves a request before its init SQL ran", conn->id);
    if (conn->dirty && !conn->began)
        sim_fail(checks->world, "promise 2: c%u keeps the state of an earlier transaction", conn->id);
    if (entry->in_tx != conn->began)
        sim_fail(checks->world, "promise 2: %s %llu %s on c%u", sim_kind_name(entry->kind),
            (unsigned long long)entry->nonce,
            entry->in_tx ? "outside of its transaction" : "within a transaction", conn->id);
    if (conn->began && conn->owner && conn->owner != entry->owner)
        sim_fail(checks->world, "promise 2: %llu is of another transaction than c%u",
            (unsigned long long)entry->nonce, conn->id);
    conn->owner = conn->began ? entry->owner : NULL;
    if (entry->kind == SIM_SESSION)
        conn->dirty = true;
}

/* The inputs were copied, and are what the caller gave. */
static void check_inputs(
    const struct sim_checks *checks, const struct pqr__item *item, const struct sim_entry *entry)
{
    bool same = strcmp(item->sql, entry->text) == 0 && item->n_params == entry->n_params;
    for (int i = 0; same && i < entry->n_params; i++) {
        char text[60];
        const char *expected = sim_entry_value(entry, i, text, sizeof(text)), *value = item->param_values[i];
        same = expected && value ? strcmp(expected, value) == 0 : expected == value;
        same = same && item->param_types[i] == sim_entry_type(entry, i) &&
               (!value || item->param_lengths[i] == i);
    }
    if (!same)
        sim_fail(checks->world, "inputs: %llu is sent with others than were given",
            (unsigned long long)entry->nonce);
}

/* --- Promise 4: no write twice -------------------------------------------------------------------------- */

static void check_entry(
    const struct sim_checks *checks, const struct pqr__conn *conn, const struct sim_entry *entry)
{
    unsigned long long nonce = (unsigned long long)entry->nonce;
    const char *kind = sim_kind_name(entry->kind);
    if (entry->answered)
        sim_fail(checks->world, "%s %llu is sent after it was answered", kind, nonce);
    if (entry->in_air)
        sim_fail(checks->world, "%s %llu is sent while it is in the air", kind, nonce);
    if (entry->parts_seen > 0)
        sim_fail(checks->world, "promise 4: %s %llu is sent again, and %u parts of it were shown", kind,
            nonce, entry->parts_seen);
    if (entry->may_have_run && sim_kind_writes(entry->kind) && !entry->idempotent)
        sim_fail(checks->world, "promise 4: %s %llu is sent again, but may have run", kind, nonce);
    if (entry->kind == SIM_COPY || entry->kind == SIM_CONTROL ||
        (entry->kind == SIM_SESSION && !entry->in_tx))
        sim_fail(checks->world, "%s %llu must not be sent", kind, nonce);
    if (conn->server->foreign)
        sim_fail(checks->world, "%s %llu is sent to another cluster", kind, nonce);
    /* What began in recovery and was promoted since is taken for a replica until it is probed. */
    bool taken_for_replica = conn->began_in_recovery && (entry->kind == SIM_READ || entry->replica_allowed);
    if (conn->backend && !conn->server->in_recovery && !taken_for_replica &&
        conn->server->timeline < checks->highest_timeline)
        sim_fail(
            checks->world, "%s %llu is sent to s%u, a primary of the past", kind, nonce, conn->server->index);
    /* A backend that began in recovery told so: as long as it still is, the router knows. */
    bool known_replica = conn->backend && conn->server->in_recovery && conn->began_in_recovery;
    if (known_replica && entry->kind != SIM_READ && !entry->replica_allowed)
        sim_fail(
            checks->world, "promise 4: %s %llu is sent to the replica s%u", kind, nonce, conn->server->index);
}

static void note_proof(const struct sim_checks *checks, const struct pqr__flight *flight)
{
    for (const struct pqr__item *item = flight->items; item; item = item->next) {
        struct sim_entry *entry = sim_check_entry(checks, item);
        if (entry)
            entry->proven = sim_is_proven(entry);
    }
}

void sim_check_send(struct sim_checks *checks, struct pqr__conn *conn, const struct pqr__flight *flight)
{
    check_shape(checks, conn, flight);
    sim_check_memory_sent(checks, flight);
    note_proof(checks, flight);
    sim_check_company(checks, conn, flight);
    bool implicit = sim_is_implicit(checks, flight); /* as if BEGIN and COMMIT stood around it */
    if (implicit)
        check_own(checks, conn, PQR__OWN_BEGIN);
    for (const struct pqr__item *item = flight->items; item; item = item->next) {
        if (item->own != PQR__OWN_NONE) {
            sim_trace(checks->world, "  c%u < own %d", conn->id, (int)item->own);
            check_own(checks, conn, item->own);
            continue;
        }
        struct sim_entry *entry = sim_check_entry(checks, item);
        if (!entry)
            sim_fail(checks->world, "c%u is sent a text that nobody gave us: %s", conn->id, item->sql);
        sim_trace(checks->world, "  c%u < %s %llu%s%s", conn->id, sim_kind_name(entry->kind),
            (unsigned long long)entry->nonce, entry->of ? ": " : "", entry->of ? entry->of->sql : "");
        check_owner(checks, conn, entry);
        check_entry(checks, conn, entry);
        check_inputs(checks, item, entry);
        checks->flights.apart += entry->apart && entry->aborted;
        checks->flights.parts_again += entry->in_parts && entry->sends > 0;
        entry->parts_told = 0;
        entry->in_air = true;
        entry->final = false;
        entry->answer_seen = entry->aborted = entry->stale = false;
        entry->sqlstate[0] = '\0';
        checks->flights.missed +=
            entry->asked > 0 && entry->asked == entry->sends && !conn->server->in_recovery;
        entry->sends++;
        entry->sent_us = checks->world->now_us;
        entry->conn = conn;
        entry->sent_to_standby = conn->server->in_recovery;
    }
    if (implicit)
        check_own(checks, conn, PQR__OWN_COMMIT);
}

/* --- What came of it -------------------------------------------------------------------------------------- */

/* What a server refuses before it runs it. */
static bool refused_unrun(const char *sqlstate)
{
    return strcmp(sqlstate, "25006") == 0 || strcmp(sqlstate, "57P03") == 0 || strcmp(sqlstate, "53300") == 0;
}

static bool error_proves_rollback(const struct sim_entry *entry, const char *sqlstate)
{
    if (sqlstate[0] == '\0' || strcmp(sqlstate, "57P01") == 0)
        return false;
    return refused_unrun(sqlstate) || (entry->kind != SIM_CALL && entry->kind != SIM_ODD);
}

/* What one of the router's own statements did to the connection. */
static void own_answered(struct pqr__conn *conn, enum pqr__own own, const struct pg_result *result)
{
    conn->identified |= own == PQR__OWN_IDENTITY || own == PQR__OWN_PROBE;
    conn->initialised |= own == PQR__OWN_INIT;
    if (own == PQR__OWN_PROBE && result && !conn->server->foreign)
        conn->timeline = (uint32_t)strtoul(result->values[3], NULL, 10);
    if (own == PQR__OWN_DISCARD) /* which takes back what the init SQL set, too */
        conn->dirty = conn->initialised = false;
}

static bool commit_failed(enum pqr__answer_kind kind, const char *sqlstate, const struct pg_result *result)
{
    if (kind == PQR__ANSWER_ABORTED)
        return true;
    if (kind == PQR__ANSWER_OK)
        return result && strcmp(result->tag, "ROLLBACK") == 0;
    return sqlstate[0] != '\0' && strcmp(sqlstate, "57P01") != 0;
}

void sim_check_part(struct sim_checks *checks, const struct pqr__conn *conn, const struct pqr__flight *flight,
    const struct pqr__item *item, const struct pg_result *part)
{
    struct sim_entry *entry = sim_check_entry(checks, item);
    sim_trace(checks->world, "  c%u > part %s", conn->id, part->values[0]);
    if (!entry || !entry->in_parts || item != flight->telling || flight->n_items != 1 ||
        conn->flights.count != 1)
        sim_fail(checks->world, "c%u tells a part that nobody asked for", conn->id);
    entry->parts_told++;
}

void sim_check_item(struct sim_checks *checks, struct pqr__conn *conn, const struct pqr__flight *flight,
    const struct pqr__item *item, const struct pqr__answer *answer)
{
    enum pqr__answer_kind kind = answer->kind;
    const char *sqlstate = answer->sqlstate;
    const struct pg_result *result = answer->result;
    static const char *const words[] = {"ok", "error", "aborted"};
    struct sim_entry *entry = sim_check_entry(checks, item);
    sim_trace(
        checks->world, "  c%u > %s %s%s", conn->id, words[kind], sqlstate, answer->stale ? ", stale" : "");
    bool corrected = !flight->telling && !item->next; /* at the Sync */
    if (item != flight->telling && !corrected)
        sim_fail(checks->world, "c%u answers out of order", conn->id);
    if (kind == PQR__ANSWER_OK)
        own_answered(conn, item->own, result);
    bool commit = item->own == PQR__OWN_COMMIT || (answer->at_sync && sim_is_implicit(checks, flight));
    if (commit && conn->owner)
        conn->owner->commit_failed = commit_failed(kind, sqlstate, result);
    if (!entry)
        return;
    entry->aborted = kind == PQR__ANSWER_ABORTED;
    checks->flights.refused += entry->aborted && sim_is_opening(flight);
    entry->stale = answer->stale;
    if (answer->stale)
        sim_check_stale(checks, entry, flight->n_items > 1);
    pqr__text_copy(entry->sqlstate, sizeof(entry->sqlstate), sqlstate);
    sim_check_harm(checks, entry);
    entry->answer_seen =
        kind == PQR__ANSWER_ABORTED || (kind == PQR__ANSWER_ERROR && error_proves_rollback(entry, sqlstate));
    entry->final = kind == PQR__ANSWER_OK && entry->kind == SIM_READ && !entry->in_tx && item->next;
    entry->may_have_run |= entry->final;
}

/* A transaction that was sent as one: an error in it proves that nothing of it has an effect. */
static bool is_undone(
    const struct sim_checks *checks, const struct pqr__conn *conn, const struct pqr__flight *flight)
{
    bool undone = conn->owner && conn->owner->commit_failed;
    if (!sim_is_whole(checks, flight))
        return false;
    for (const struct pqr__item *item = flight->items; item; item = item->next) {
        const struct sim_entry *entry = sim_check_entry(checks, item);
        undone |= entry && error_proves_rollback(entry, entry->sqlstate);
    }
    return undone;
}

void sim_check_settled(struct sim_checks *checks, struct pqr__conn *conn, const struct pqr__flight *flight,
    bool lost, enum pqr__tx_status tx)
{
    bool undone = is_undone(checks, conn, flight), commit = flight->items->own == PQR__OWN_COMMIT;
    sim_check_memory_settled(checks, flight);
    for (const struct pqr__item *item = flight->items; item; item = item->next) {
        struct sim_entry *entry = sim_check_entry(checks, item);
        if (!entry)
            continue;
        entry->in_air = false;
        checks->flights.parts_lost += lost && entry->parts_seen > 0;
        sim_check_history(checks, entry, lost);
        bool unrun = lost ? !flight->sent || entry->stale : entry->answer_seen; /* stale: nothing of it ran */
        if (!undone && !unrun)
            entry->may_have_run = true;
    }
    if (!lost && conn->timeline > checks->highest_timeline)
        checks->highest_timeline = conn->timeline;
    if (lost && !flight->sent && commit && conn->owner)
        conn->owner->commit_sent = false;
    conn->aborted = !lost && tx == PQR__TX_FAILED;
    if (!lost && tx == PQR__TX_IDLE) {
        conn->began = false;
        conn->owner = NULL;
    }
}

void sim_check_callback(const struct sim_checks *checks)
{
    if (checks->in_call > 0)
        sim_fail(checks->world, "promise 1: a callback from inside a call");
}
