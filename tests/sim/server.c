#include "server.h"

#include <assert.h>
#include <stdlib.h>

#include "checks.h"

enum { SYNC_US = 200, OWN_US = 150 };

static void go_on(struct sim_backend *backend);
static void wake(void *context);

void sim_server_init(
    struct sim_server *server, struct sim_world *world, struct sim_ledger *ledger, uint32_t index)
{
    *server = (struct sim_server){
        .world = world,
        .ledger = ledger,
        .index = index,
        .timeline = 1,
        .lsn = 0x3000000,
        .system_identifier = UINT64_C(7300000000000000001),
        .starts = 1,
        .max_backends = 100,
        .next_pid = 1000 * (index + 1),
        .slowness = 1,
    };
    pqr__list_init(&server->backends);
}

static void backend_free(struct sim_backend *backend)
{
    struct pqr__link *link;
    while ((link = pqr__list_first(&backend->jobs)) != NULL) {
        pqr__list_remove(&backend->jobs, link);
        free(pqr__container_of(link, struct sim_job, link));
    }
    sim_alarm_clear(backend->server->world, &backend->alarm);
    sim_alarm_clear(backend->server->world, &backend->check);
    pqr__list_remove(&backend->server->backends, &backend->link);
    if (backend->conn)
        backend->conn->backend = NULL;
    if (backend->left)
        sim_wire_session_over(backend->left);
    free(backend);
}

void sim_server_finish(struct sim_server *server)
{
    struct pqr__link *link;
    while ((link = pqr__list_first(&server->backends)) != NULL)
        backend_free(pqr__container_of(link, struct sim_backend, link));
}

void sim_server_disturbed(struct sim_server *server)
{
    server->calm_us = server->world->now_us;
}

void sim_server_migrated(struct sim_server *server)
{
    pqr__list_each (link, &server->backends)
        sim_kept_outdate(&pqr__container_of(link, struct sim_backend, link)->kept);
}

static struct sim_job *current(struct sim_backend *backend)
{
    struct pqr__link *link = pqr__list_first(&backend->jobs);
    return link ? pqr__container_of(link, struct sim_job, link) : NULL;
}

/* The same, where there must be one. */
__attribute__((returns_nonnull)) static struct sim_job *running(struct sim_backend *backend)
{
    assert(!pqr__list_empty(&backend->jobs));
    return pqr__container_of(backend->jobs.head.next, struct sim_job, link);
}

static void sleep_until(struct sim_backend *backend, uint64_t at_us)
{
    sim_alarm_set(backend->server->world, &backend->alarm, at_us, wake, backend);
}

/* --- Execution ----------------------------------------------------------------------------------------- */

static void answer(
    struct sim_backend *backend, enum pqr__answer_kind kind, const char *sqlstate, struct pg_result *result)
{
    struct sim_job *job = running(backend);
    const struct sim_statement *item = &job->items[backend->item];
    enum sim_kept_end end = backend->kept_end;
    backend->kept_end = SIM_KEPT_AS_IT_WAS; /* told once */
    if (kind == PQR__ANSWER_ABORTED && item->way.how == PQR__PREPARED_PARSE)
        end = SIM_KEPT_NOTHING_DONE;
    if (backend->conn)
        sim_wire_item(backend->conn, job->flight, item->item, kind, sqlstate, result,
            &(struct sim_kept_told){item->way, end}, backend->state == SIM_SYNCING);
    else
        sim_result_free(result);
}

static void item_failed(struct sim_backend *backend, const char *sqlstate)
{
    backend->aborted = true;
    if (backend->tx == PQR__TX_OPEN)
        backend->tx = PQR__TX_FAILED;
    answer(backend, PQR__ANSWER_ERROR, sqlstate, NULL);
}

static void item_finished(struct sim_backend *backend)
{
    const struct sim_statement *item = &running(backend)->items[backend->item];
    struct pg_result *result = NULL;
    const char *sqlstate = backend->unfit;
    if (!sqlstate)
        sqlstate = sim_backend_execute(backend, item, &result);
    sim_trace(backend->server->world, "  s%u/%u executed %s %llu: %s", backend->server->index, backend->pid,
        item->entry ? sim_kind_name(item->entry->kind) : "own",
        item->entry ? (unsigned long long)item->entry->nonce : (unsigned long long)item->own,
        sqlstate ? sqlstate : "ok");
    if (sqlstate)
        item_failed(backend, sqlstate);
    else
        answer(backend, PQR__ANSWER_OK, "", result);
    backend->item++;
    go_on(backend);
}

/* NULL, or why the statement can't be found, parsed, or planned. */
static const char *find_statement(struct sim_backend *backend, const struct sim_statement *item)
{
    struct sim_world *world = backend->server->world;
    struct sim_kept_rules rules = {.closes = backend->server->closes,
        .in_failed = backend->tx == PQR__TX_FAILED,
        .refuses = sim_chance(world, item->own == PQR__OWN_PREPARE ? 200 : 2)};
    if (item->way.how == PQR__PREPARED_PARSE && sim_chance(world, 5))
        sim_kept_take(&backend->kept, item->way.number);
    const char *sqlstate = sim_kept_use(&backend->kept, &item->way, &rules, &backend->kept_end);
    if (backend->conn)
        sim_check_kept(backend->conn->wire->checks, sim_kept_count(&backend->kept));
    return sqlstate;
}

/* Until its next part, or its end; one without an end waits for a cancel. */
static void run_on(struct sim_backend *backend)
{
    if (backend->parts_left > 0 || backend->ends)
        sleep_until(backend, backend->server->world->now_us + backend->slice_us);
}

static void send_part(struct sim_backend *backend)
{
    struct sim_job *job = running(backend);
    const struct sim_statement *item = &job->items[backend->item];
    struct pg_result *part = sim_result_new(item->entry->nonce, "");
    sim_result_add(part, "%u", ++backend->parts_made);
    backend->parts_left--;
    if (backend->conn)
        sim_wire_part(backend->conn, job->flight, item->item, part);
    else
        sim_result_free(part);
    run_on(backend);
}

static void start_item(struct sim_backend *backend)
{
    struct sim_server *server = backend->server;
    const struct sim_statement *item = &running(backend)->items[backend->item];
    struct sim_entry *entry = item->entry;
    backend->state = SIM_EXECUTING;
    backend->unfit = find_statement(backend, item);
    uint64_t service_us = OWN_US;
    backend->parts_made = backend->parts_left = 0;
    backend->ends = true;
    if (entry && !backend->unfit) {
        entry->tries++;
        service_us = entry->service_us * server->slowness;
        bool runs = backend->tx != PQR__TX_FAILED && !(sim_kind_writes(entry->kind) && server->in_recovery);
        backend->ends = !runs || (entry->fate != SIM_ENDLESS && entry->fate != SIM_STUCK);
        if (runs && item->in_parts)
            backend->parts_left = (unsigned)sim_between(server->world, 0, 6);
    }
    backend->slice_us = service_us / (backend->parts_left + 1);
    run_on(backend);
}

static void synced(struct sim_backend *backend)
{
    struct sim_job *job = running(backend);
    if (backend->tx == PQR__TX_IDLE && backend->aborted) {
        sim_backend_resolve(backend, false);
    } else if (backend->tx == PQR__TX_IDLE) {
        const char *sqlstate = sim_backend_commit(backend);
        backend->item = job->n_items - 1;
        if (sqlstate)
            answer(backend, PQR__ANSWER_ERROR, sqlstate, NULL);
    }
    if (backend->conn)
        sim_wire_settled(backend->conn, job->flight, backend->tx);
    pqr__list_remove(&backend->jobs, &job->link);
    free(job);
    backend->state = SIM_IDLE;
    backend->item = 0;
    backend->aborted = false;
    go_on(backend);
}

static void go_on(struct sim_backend *backend)
{
    struct sim_job *job = current(backend);
    uint64_t now_us = backend->server->world->now_us;
    if (!job) {
        if (backend->eof_us)
            sleep_until(backend, backend->eof_us);
        return;
    }
    if (job->arrives_us > now_us) {
        sleep_until(backend, job->arrives_us);
        return;
    }
    for (; backend->aborted && backend->item < job->n_items; backend->item++)
        answer(backend, PQR__ANSWER_ABORTED, "", NULL);
    if (backend->item < job->n_items) {
        start_item(backend);
        return;
    }
    backend->state = SIM_SYNCING;
    sleep_until(backend, now_us + SYNC_US);
}

static void wake(void *context)
{
    struct sim_backend *backend = context;
    if (backend->server->frozen || backend->stopped) {
        backend->stalled = true;
        return;
    }
    switch (backend->state) {
    case SIM_IDLE:
        if (current(backend)) {
            go_on(backend);
        } else if (backend->eof_us) {
            sim_backend_resolve(backend, false);
            backend_free(backend);
        }
        return;
    case SIM_EXECUTING:
        if (backend->parts_left > 0)
            send_part(backend);
        else
            item_finished(backend);
        return;
    case SIM_SYNCING:
        synced(backend);
        return;
    }
}

/* --- From outside -------------------------------------------------------------------------------------- */

void sim_server_thaw(struct sim_server *server)
{
    server->frozen = false;
    pqr__list_each (link, &server->backends) {
        struct sim_backend *backend = pqr__container_of(link, struct sim_backend, link);
        if (backend->stalled && !backend->stopped)
            sleep_until(backend, server->world->now_us + sim_between(server->world, 0, 100));
        backend->stalled = false;
    }
}

struct sim_backend *sim_backend_start(struct sim_server *server, struct pqr__conn *conn)
{
    struct sim_backend *backend = sim_alloc(sizeof(*backend));
    backend->server = server;
    backend->conn = conn;
    backend->pid = server->next_pid++;
    backend->started_us = server->world->now_us;
    pqr__list_init(&backend->jobs);
    pqr__list_push_back(&server->backends, &backend->link);
    return backend;
}

void sim_backend_take(struct sim_backend *backend, struct sim_job *job)
{
    pqr__list_push_back(&backend->jobs, &job->link);
    if (backend->state == SIM_IDLE && current(backend) == job)
        go_on(backend);
}

/* client_connection_check_interval. What commits is not interrupted. */
static void look_for_client(void *context)
{
    struct sim_backend *backend = context;
    struct sim_server *server = backend->server;
    if (backend->state == SIM_EXECUTING && !server->frozen && !backend->stopped)
        sim_backend_die(backend, false);
    else
        sim_alarm_set(server->world, &backend->check, server->world->now_us + server->check_us,
            look_for_client, backend);
}

void sim_backend_abandoned(struct sim_backend *backend, bool reset)
{
    struct sim_world *world = backend->server->world;
    if (backend->state != SIM_IDLE && backend->server->check_us > 0)
        sim_alarm_set(world, &backend->check,
            world->now_us + backend->server->latency_us + sim_between(world, 0, backend->server->check_us),
            look_for_client, backend);
    backend->conn = NULL;
    backend->eof_us = backend->server->world->now_us + backend->server->latency_us;
    struct sim_job *first = backend->state == SIM_IDLE ? NULL : current(backend);
    pqr__list_each (link, &backend->jobs) {
        struct sim_job *job = pqr__container_of(link, struct sim_job, link);
        if (!reset || job == first)
            continue;
        pqr__list_remove(&backend->jobs, link);
        free(job);
    }
    if (backend->state == SIM_IDLE && !backend->stalled)
        go_on(backend);
}

/* Whether a commit under way had become durable when everything ended. */
static bool made_it(struct sim_backend *backend)
{
    if (backend->state == SIM_IDLE)
        return false;
    struct sim_job *job = running(backend);
    bool committing = backend->state == SIM_SYNCING && backend->tx == PQR__TX_IDLE && !backend->aborted;
    committing |= backend->state == SIM_EXECUTING && backend->tx == PQR__TX_OPEN &&
                  job->items[backend->item].own == PQR__OWN_COMMIT;
    return committing && sim_chance(backend->server->world, 500);
}

void sim_backend_die(struct sim_backend *backend, bool politely)
{
    struct sim_world *world = backend->server->world;
    if (made_it(backend))
        sim_backend_commit(backend);
    else
        sim_backend_resolve(backend, false);
    struct pqr__conn *conn = backend->conn;
    bool failed = backend->state == SIM_SYNCING && backend->aborted; /* which nothing takes the place of */
    if (conn && politely && backend->state == SIM_IDLE) {
        sim_wire_notice(conn, NULL, "57P01", "FATAL");
    } else if (conn && politely && !failed) {
        uint32_t last = running(backend)->n_items - 1;
        backend->item = backend->item < last ? backend->item : last;
        answer(backend, PQR__ANSWER_ERROR, sim_chance(world, 700) ? "57P01" : "", NULL);
    }
    backend_free(backend);
    if (conn)
        sim_wire_broken(conn, !politely && sim_chance(world, 500));
}

/* A standby begins again at an earlier place. */
static void go_back(struct sim_server *server)
{
    uint64_t back = sim_skewed(server->world, 0, 2000);
    if (server->in_recovery && server->lsn > back + server->began_lsn)
        server->lsn -= back;
}

void sim_server_crash(struct sim_server *server)
{
    struct pqr__link *link;
    bool politely = sim_chance(server->world, 300);
    while ((link = pqr__list_first(&server->backends)) != NULL)
        sim_backend_die(pqr__container_of(link, struct sim_backend, link), politely);
    server->starts++;
    server->frozen = false;
    go_back(server);
}

bool sim_server_cancel(struct sim_server *server, uint32_t pid)
{
    pqr__list_each (link, &server->backends) {
        struct sim_backend *backend = pqr__container_of(link, struct sim_backend, link);
        if (backend->pid != pid)
            continue;
        const struct sim_statement *item =
            backend->state == SIM_EXECUTING ? &running(backend)->items[backend->item] : NULL;
        bool hits = item && (item->entry || item->own == PQR__OWN_BEGIN || item->own == PQR__OWN_TOKEN ||
                                item->own == PQR__OWN_REPLAYED);
        sim_trace(server->world, "  s%u/%u is told to cancel%s", server->index, pid, hits ? "" : " nothing");
        if (!hits || backend->unfit || (item->entry && item->entry->fate == SIM_STUCK) || backend->stopped)
            return true;
        sim_alarm_clear(server->world, &backend->alarm);
        item_failed(backend, "57014");
        backend->item++;
        go_on(backend);
        return true;
    }
    return false;
}
