/* A connection comes about, or is refused. */
#include "base/text.h"
#include "checks.h"
#include "wire_parts.h"

enum { CONNECT_RETRY_US = 20000 };

static void refuse(struct pqr__conn *conn, const char *sqlstate, bool timeout)
{
    struct pqr__refusal refusal = {
        .message = "the simulated server does not want us", .timeout = timeout, .lingers = timeout};
    pqr__text_copy(refusal.sqlstate, sizeof(refusal.sqlstate), sqlstate);
    const struct pqr__transport_events *events = sim_events_of(conn);
    void *receiver = conn->context;
    sim_trace(conn->wire->world, "  c%u refused%s %s", conn->id, timeout ? ", too late" : "", sqlstate);
    sim_server_disturbed(conn->server);
    if (timeout) {
        sim_conn_linger(conn);
    } else {
        sim_check_gone(conn->wire->checks, conn);
        sim_conn_free(conn);
    }
    events->refused(receiver, &refusal);
}

static void connected(struct pqr__conn *conn)
{
    conn->state = SIM_OPEN;
    conn->began_in_recovery = conn->server->in_recovery;
    conn->backend = sim_backend_start(conn->server, conn);
    sim_trace(
        conn->wire->world, "  c%u connected to s%u/%u", conn->id, conn->server->index, conn->backend->pid);
    struct pqr__connect_info info = {
        .backend_pid = conn->backend->pid,
        .server_version = 150004,
        .in_recovery = conn->server->in_recovery,
        .standard_conforming_strings = true,
        .encoding_ascii_safe = true,
    };
    sim_events_of(conn)->connected(conn->context, &info);
}

static void try(void *context)
{
    struct pqr__conn *conn = context;
    struct sim_server *server = conn->server;
    struct sim_world *world = conn->wire->world;
    if (world->now_us >= conn->give_up_us)
        refuse(conn, "", true);
    else if (server->condition == SIM_BLACKHOLE || server->frozen) {
        uint64_t at_us = world->now_us + CONNECT_RETRY_US;
        sim_alarm_set(world, &conn->alarm, at_us < conn->give_up_us ? at_us : conn->give_up_us, try, conn);
    } else if (server->condition == SIM_ABSENT || sim_chance(world, conn->wire->connect_lost))
        refuse(conn, "", false);
    else if (server->condition == SIM_REFUSING)
        refuse(conn, server->sqlstate, false);
    else if (server->backends.count >= server->max_backends)
        refuse(conn, "53300", false);
    else
        connected(conn);
}

int sim_wire_connect(struct pqr__transport *transport, uint32_t number, uint64_t timeout_us, void *context,
    struct pqr__conn **out)
{
    struct sim_wire *wire = sim_wire_of(transport);
    struct sim_world *world = wire->world;
    if (wire->shut || number >= 64 || wire->server_of[number] >= wire->n_servers)
        sim_fail(world, "connect to server %u%s", number, wire->shut ? " after shutdown" : "");
    number = wire->server_of[number];
    if (sim_chance(world, wire->connect_no_memory)) {
        sim_server_disturbed(&wire->servers[number]);
        return PQR_ENOMEM;
    }
    struct pqr__conn *conn = sim_alloc(sizeof(*conn));
    conn->wire = wire;
    conn->server = &wire->servers[number];
    conn->context = context;
    conn->id = ++wire->next_id;
    pqr__prepared_init(&conn->books, wire->checks->config->statements.max_prepared);
    pqr__list_init(&conn->flights);
    pqr__list_init(&conn->messages);
    pqr__list_push_back(&wire->conns, &conn->link);
    sim_trace(world, "  c%u connects to s%u", conn->id, number);
    sim_check_connect(wire->checks, conn);
    conn->give_up_us = world->now_us + timeout_us;
    uint64_t takes_us = sim_skewed(world, conn->server->connect_us, 5 * conn->server->connect_us);
    sim_alarm_set(
        world, &conn->alarm, world->now_us + (takes_us < timeout_us ? takes_us : timeout_us), try, conn);
    *out = conn;
    return 0;
}
