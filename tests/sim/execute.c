/* What statements do: rows, errors by their fate, and a ledger of what was committed. */
#include "policy/freshness.h"
#include "server.h"
#include "wire.h"

enum { LSN_STEP = 56 };

/* Behind a record, not behind the header of a page that has none yet. */
static void write_record(struct sim_server *server)
{
    do
        server->lsn += LSN_STEP;
    while (pqr__lsn_of_insert(server->lsn) != server->lsn);
}

void sim_backend_resolve(struct sim_backend *backend, bool commit)
{
    struct sim_server *server = backend->server;
    if (commit && backend->n_pending > 0)
        write_record(server);
    for (size_t i = 0; i < backend->n_pending; i++) {
        struct sim_entry *entry = backend->pending[i];
        entry->pending--;
        if (commit)
            entry->committed++;
        else
            entry->rolled_back++;
        if (commit)
            entry->commit_lsn = server->lsn;
        entry->commit_timeline = server->timeline;
    }
    backend->n_pending = 0;
}

const char *sim_backend_commit(struct sim_backend *backend)
{
    bool deferred = false;
    for (size_t i = 0; i < backend->n_pending; i++)
        deferred |= backend->pending[i]->fate == SIM_DEFERRED;
    sim_backend_resolve(backend, !deferred);
    return deferred ? "23503" : NULL;
}

/* A standby goes on from time to time. What it has beyond the place where a new timeline began keeps it from that. */
static void replay(struct sim_server *server)
{
    const struct sim_server *upstream = server->upstream;
    if (!server->in_recovery || !upstream || upstream->condition != SIM_UP)
        return;
    if (server->timeline != upstream->timeline && server->lsn > upstream->began_lsn)
        return;
    server->lsn = sim_between(server->world, server->lsn, server->upstream->lsn);
    server->timeline = server->upstream->timeline;
}

static struct pg_result *identity(struct sim_server *server)
{
    replay(server);
    struct pg_result *result = sim_result_new(0, "SELECT 1");
    sim_result_add(result, "%llu", (unsigned long long)server->system_identifier);
    sim_result_add(result, "%s", server->in_recovery ? "t" : "f");
    sim_result_add(result, "%X/%X", (unsigned)(server->lsn >> 32), (unsigned)server->lsn);
    sim_result_add(result, "%u", server->timeline);
    sim_result_add(result, "2026-01-01 %02u:00:%02u+00", server->index, server->starts);
    return result;
}

/* Routers that come and go, and limits that people change. */
static struct pg_result *fleet(struct sim_server *server)
{
    struct pg_result *result = sim_result_new(0, "SELECT 1");
    uint64_t others = sim_skewed(server->world, 0, 50);
    sim_result_add(result, "a name");
    for (int i = 0; i < 3; i++)
        sim_result_add(result, "%llu", (unsigned long long)others);
    sim_result_add(result, "%llu", (unsigned long long)sim_between(server->world, 0, others));
    sim_result_add(result, "%u", server->max_backends);
    sim_result_add(result, "3");
    sim_result_add(result, "%d", sim_chance(server->world, 500) ? -1 : 40);
    sim_result_add(result, "-1");
    return result;
}

static struct pg_result *identity_of(struct sim_backend *backend)
{
    struct pg_result *result = identity(backend->server);
    sim_result_add(result, "%u", backend->pid);
    sim_result_add(result, "backend %llu", (unsigned long long)backend->started_us);
    sim_result_add(result, "read committed");
    sim_result_add(result, "150004");
    return result;
}

static const char *commit(struct sim_backend *backend, struct pg_result **result)
{
    const char *sqlstate = NULL;
    if (backend->tx == PQR__TX_FAILED)
        sim_backend_resolve(backend, false);
    else
        sqlstate = sim_backend_commit(backend);
    *result = sqlstate ? NULL : sim_result_new(0, backend->tx == PQR__TX_FAILED ? "ROLLBACK" : "COMMIT");
    backend->tx = PQR__TX_IDLE;
    return sqlstate;
}

static const char *own_statement(
    struct sim_backend *backend, const struct sim_statement *statement, struct pg_result **result)
{
    switch (statement->own) {
    case PQR__OWN_IDENTITY:
    case PQR__OWN_PROBE:
        *result = identity_of(backend);
        break;
    case PQR__OWN_CANCEL:
        *result = sim_result_new(0, "SELECT 1");
        sim_result_add(*result, "%s", sim_server_cancel(backend->server, statement->cancel_pid) ? "t" : "f");
        break;
    case PQR__OWN_BEGIN:
        if (statement->serializable && backend->server->in_recovery)
            return "0A000";
        backend->tx = PQR__TX_OPEN;
        backend->read_only = statement->read_only || backend->server->in_recovery;
        *result = sim_result_new(0, "BEGIN");
        break;
    case PQR__OWN_COMMIT:
        return commit(backend, result);
    case PQR__OWN_ROLLBACK:
        sim_backend_resolve(backend, false);
        backend->tx = PQR__TX_IDLE;
        *result = sim_result_new(0, "ROLLBACK");
        break;
    case PQR__OWN_DISCARD:
        if (backend->tx != PQR__TX_IDLE)
            return "25001";
        sim_kept_forget(&backend->kept);
        *result = sim_result_new(0, "DISCARD ALL");
        break;
    case PQR__OWN_FLEET:
        *result = fleet(backend->server);
        break;
    case PQR__OWN_CATALOG: /* there is nothing but built-ins */
        *result = sim_result_new(0, "SELECT 0");
        break;
    case PQR__OWN_CHANGES: /* somebody defines something now and then */
        *result = sim_result_new(0, "SELECT 1");
        sim_result_add(*result, "%llu", (unsigned long long)sim_skewed(backend->server->world, 0, 2));
        break;
    case PQR__OWN_TOKEN:
        if (backend->server->in_recovery)
            return "55000";
        if (backend->tx == PQR__TX_FAILED)
            return "25P02";
        *result = sim_result_new(0, "SELECT 1");
        sim_result_add(
            *result, "%X/%X", (unsigned)(backend->server->lsn >> 32), (unsigned)backend->server->lsn);
        sim_result_add(*result, "%08X00000000000000FF", backend->server->timeline);
        break;
    case PQR__OWN_REPLAYED:
        replay(backend->server);
        *result = sim_result_new(0, "SELECT 1");
        sim_result_add(
            *result, "%X/%X", (unsigned)(backend->server->lsn >> 32), (unsigned)backend->server->lsn);
        break;
    case PQR__OWN_PREPARE: /* which has been done before it, or not */
        *result = sim_result_new(0, "");
        break;
    case PQR__OWN_NONE:
    case PQR__OWN_INIT:
        *result = sim_result_new(0, "SET");
        break;
    }
    return NULL;
}

static const char *fate(struct sim_backend *backend, struct sim_entry *entry)
{
    switch (entry->fate) {
    case SIM_BAD:
        return entry->nonce % 8 == 0 ? "26000" : "23505"; /* of the statement's own, in a function perhaps */
    case SIM_NO_STANDBY:
        return backend->server->in_recovery ? (entry->nonce % 2 ? "0A000" : "25006") : NULL;
    case SIM_CONFLICT:
        return entry->tries == 1 ? "40001" : NULL;
    case SIM_HALF:
        if (backend->tx != PQR__TX_IDLE)
            return "2D000";
        entry->committed++;
        return entry->nonce % 2 ? "22012" : "26000";
    case SIM_FINE:
    case SIM_DEFERRED:
    case SIM_ENDLESS:
    case SIM_STUCK:
    case SIM_ENDS_TX:
        break;
    }
    return NULL;
}

static void see(const struct sim_server *server, struct pg_result *result)
{
    result->seen_cluster = server->system_identifier;
    result->seen_lsn = server->lsn;
    result->seen_timeline = server->timeline;
    result->seen_on_standby = server->in_recovery;
}

static const char *statement(struct sim_backend *backend, struct sim_entry *entry, struct pg_result **result)
{
    bool writes = sim_kind_writes(entry->kind);
    if (backend->tx == PQR__TX_FAILED && entry->kind == SIM_RESCUE)
        backend->tx = PQR__TX_OPEN;
    if (backend->tx == PQR__TX_FAILED)
        return "25P02";
    bool read_only = backend->server->in_recovery || (backend->tx == PQR__TX_OPEN && backend->read_only);
    if (read_only && (writes || entry->kind == SIM_LOCK_READ))
        return "25006";
    const char *sqlstate = fate(backend, entry);
    if (sqlstate)
        return sqlstate;
    if (entry->kind == SIM_SESSION && entry->nonce % 3 == 0)
        sim_kept_forget(&backend->kept);
    if (!writes)
        entry->reads++;
    else if (backend->n_pending < SIM_MAX_PENDING) {
        backend->pending[backend->n_pending++] = entry;
        entry->pending++;
    }
    if (entry->fate == SIM_ENDS_TX && backend->item > 0) /* nothing can that comes with BEGIN */
        entry->fate = SIM_FINE;
    if (entry->fate == SIM_ENDS_TX && backend->tx == PQR__TX_OPEN) {
        sim_backend_commit(backend);
        backend->tx = PQR__TX_IDLE;
    }
    *result = sim_result_new(entry->nonce, writes ? "INSERT 0 1" : "SELECT 1");
    sim_result_add(*result, "%llu", (unsigned long long)entry->nonce);
    if (entry->kind == SIM_READ)
        see(backend->server, *result);
    return NULL;
}

const char *sim_backend_execute(
    struct sim_backend *backend, const struct sim_statement *item, struct pg_result **result)
{
    return item->entry ? statement(backend, item->entry, result) : own_statement(backend, item, result);
}
