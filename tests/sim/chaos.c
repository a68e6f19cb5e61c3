#include "chaos.h"

#include "base/text.h"

static void repair(void *context);

static struct sim_repair *repair_of(struct sim_chaos *chaos, const struct sim_server *server)
{
    return &chaos->repairs[server->index];
}

static void repair_in(struct sim_chaos *chaos, struct sim_server *server, uint64_t low_us, uint64_t high_us)
{
    sim_alarm_set(chaos->world, &repair_of(chaos, server)->alarm,
        chaos->world->now_us + sim_skewed(chaos->world, low_us, high_us), repair, repair_of(chaos, server));
}

static struct sim_server *newest_primary(const struct sim_chaos *chaos)
{
    struct sim_server *found = NULL;
    for (uint32_t i = 0; i < chaos->wire->n_servers; i++) {
        struct sim_server *server = &chaos->wire->servers[i];
        if (!server->foreign && !server->in_recovery && (!found || server->timeline > found->timeline))
            found = server;
    }
    return found;
}

/* --- On servers ------------------------------------------------------------------------------------------ */

static void restore(struct sim_server *server)
{
    sim_server_disturbed(server);
    server->condition = SIM_UP;
    server->slowness = 1;
    server->max_backends = 100;
    if (server->frozen)
        sim_server_thaw(server);
}

static void follow(struct sim_chaos *chaos, struct sim_server *server)
{
    struct sim_server *primary = newest_primary(chaos);
    if (primary == server || server->foreign)
        return;
    if (!server->in_recovery) /* nobody becomes a standby without a restart */
        sim_server_crash(server);
    server->in_recovery = true;
    server->upstream = primary;
    if (!primary)
        return;
    server->timeline = primary->timeline; /* made anew of that one */
    server->lsn = primary->lsn < server->lsn ? primary->lsn : server->lsn;
}

static void repair(void *context)
{
    struct sim_repair *task = context;
    struct sim_server *server = task->server;
    struct sim_chaos *chaos = task->chaos;
    if (server->condition == SIM_ABSENT && sim_chance(chaos->world, 400)) {
        server->condition = SIM_REFUSING;
        pqr__text_copy(server->sqlstate, sizeof(server->sqlstate), "57P03");
        repair_in(chaos, server, 1000, 1000000);
        return;
    }
    sim_trace(chaos->world, "chaos: s%u is well again", server->index);
    if (task->returns_as_replica)
        follow(chaos, server);
    task->returns_as_replica = false;
    restore(server);
}

static void crash(struct sim_chaos *chaos, struct sim_server *server)
{
    sim_trace(chaos->world, "chaos: s%u crashes", server->index);
    server->condition = SIM_ABSENT;
    sim_server_crash(server);
    repair_in(chaos, server, 1000, 5000000);
}

static void refuse(struct sim_chaos *chaos, struct sim_server *server)
{
    static const char *const reasons[] = {"28P01", "53300", "57P03", "3D000"};
    server->condition = SIM_REFUSING;
    pqr__text_copy(server->sqlstate, sizeof(server->sqlstate), reasons[sim_between(chaos->world, 0, 3)]);
    sim_trace(chaos->world, "chaos: s%u refuses with %s", server->index, server->sqlstate);
    repair_in(chaos, server, 1000, 3000000);
}

static void hinder(struct sim_chaos *chaos, struct sim_server *server)
{
    switch (sim_between(chaos->world, 0, 3)) {
    case 0:
        sim_trace(chaos->world, "chaos: s%u answers no connects", server->index);
        server->condition = SIM_BLACKHOLE;
        break;
    case 1:
        sim_trace(chaos->world, "chaos: s%u freezes", server->index);
        server->frozen = true;
        break;
    case 2:
        server->slowness = (unsigned)sim_between(chaos->world, 5, 200);
        sim_trace(chaos->world, "chaos: s%u is %u times slower", server->index, server->slowness);
        break;
    default:
        server->max_backends = (uint32_t)sim_between(chaos->world, 0, 4);
        sim_trace(chaos->world, "chaos: s%u allows %u connections", server->index, server->max_backends);
        break;
    }
    repair_in(chaos, server, 1000, 4000000);
}

/* A replica becomes primary; the old one dies and comes back as a replica, at once or after a time as a second
   primary that nobody should believe. */
static void promote(struct sim_chaos *chaos, struct sim_server *server)
{
    if (!chaos->failovers || !server->in_recovery || server->condition != SIM_UP)
        return;
    struct sim_server *old = newest_primary(chaos);
    sim_trace(
        chaos->world, "chaos: s%u is promoted, s%d was primary", server->index, old ? (int)old->index : -1);
    server->in_recovery = false;
    server->began_lsn = server->lsn;
    server->timeline = (old && old->timeline > server->timeline ? old->timeline : server->timeline) + 1;
    server->lsn += 112;
    server->upstream = NULL;
    for (uint32_t i = 0; i < chaos->wire->n_servers; i++)
        sim_server_disturbed(&chaos->wire->servers[i]);
    if (!old)
        return;
    repair_of(chaos, old)->returns_as_replica = true;
    if (sim_chance(chaos->world, 700))
        crash(chaos, old);
    for (uint32_t i = 0; i < chaos->wire->n_servers; i++)
        if (chaos->wire->servers[i].in_recovery)
            chaos->wire->servers[i].upstream = server;
}

/* --- On connections -------------------------------------------------------------------------------------- */

static struct pqr__conn *random_conn(const struct sim_chaos *chaos)
{
    if (chaos->wire->conns.count == 0)
        return NULL;
    uint64_t skip = sim_between(chaos->world, 0, chaos->wire->conns.count - 1);
    struct pqr__link *link = pqr__list_first(&chaos->wire->conns);
    while (skip-- > 0)
        link = link->next;
    return pqr__container_of(link, struct pqr__conn, link);
}

static void hurt_conn(struct sim_chaos *chaos)
{
    struct pqr__conn *conn = random_conn(chaos);
    if (conn)
        sim_wire_hurt(conn);
}

/* Half of those that are hurt learn it at once. */
void sim_chaos_hurt_probes(struct sim_chaos *chaos)
{
    pqr__list_each (link, &chaos->wire->conns) {
        struct pqr__conn *conn = pqr__container_of(link, struct pqr__conn, link);
        if (conn->timeline == 0 || !sim_chance(chaos->world, 700))
            continue;
        if (conn->backend && sim_chance(chaos->world, 500))
            sim_backend_die(conn->backend, false);
        else
            sim_wire_hurt(conn);
    }
}

/* Somebody's migration, or a session that forgets what it prepared: no fault of a server, only of what is kept. */
static void migrate(void *context)
{
    struct sim_chaos *chaos = context;
    struct sim_world *world = chaos->world;
    struct pqr__conn *conn = random_conn(chaos);
    sim_alarm_set(world, &chaos->migration, world->now_us + sim_skewed(world, 0, 3 * chaos->migrations_us),
        migrate, chaos);
    if (sim_chance(world, 300)) {
        sim_trace(world, "chaos: a migration");
        for (uint32_t i = 0; i < chaos->wire->n_servers; i++)
            sim_server_migrated(&chaos->wire->servers[i]);
    } else if (conn && conn->backend) {
        sim_trace(world, "chaos: c%u has forgotten what it prepared", conn->id);
        sim_kept_forget(&conn->backend->kept);
    }
}

static void strike(void *context)
{
    struct sim_chaos *chaos = context;
    struct sim_world *world = chaos->world;
    struct sim_server *server = &chaos->wire->servers[sim_between(world, 0, chaos->wire->n_servers - 1)];
    sim_alarm_set(
        world, &chaos->alarm, world->now_us + sim_skewed(world, 0, 3 * chaos->interval_us), strike, chaos);
    uint64_t what = sim_between(world, 0, 99);
    bool busy = repair_of(chaos, server)->alarm.place != 0;
    if (what < 55) {
        hurt_conn(chaos);
        return;
    }
    if (busy)
        return;
    sim_server_disturbed(server);
    if (what < 70)
        crash(chaos, server);
    else if (what < 80)
        refuse(chaos, server);
    else if (what < 92)
        hinder(chaos, server);
    else
        promote(chaos, server);
}

/* --- The rest -------------------------------------------------------------------------------------------- */

void sim_chaos_init(struct sim_chaos *chaos, struct sim_wire *wire)
{
    *chaos = (struct sim_chaos){.wire = wire, .world = wire->world};
    for (uint32_t i = 0; i < wire->n_servers; i++)
        chaos->repairs[i] = (struct sim_repair){.chaos = chaos, .server = &wire->servers[i]};
}

void sim_chaos_start(struct sim_chaos *chaos)
{
    if (chaos->interval_us > 0)
        sim_alarm_set(chaos->world, &chaos->alarm,
            chaos->world->now_us + sim_skewed(chaos->world, 0, 1000000), strike, chaos);
    if (chaos->migrations_us > 0)
        sim_alarm_set(chaos->world, &chaos->migration,
            chaos->world->now_us + sim_skewed(chaos->world, 0, 3 * chaos->migrations_us), migrate, chaos);
}

void sim_chaos_heal(struct sim_chaos *chaos)
{
    sim_trace(chaos->world, "chaos: all is well again");
    sim_alarm_clear(chaos->world, &chaos->alarm);
    sim_alarm_clear(chaos->world, &chaos->migration);
    chaos->wire->connect_no_memory = chaos->wire->connect_lost = 0;
    chaos->wire->send_lost = chaos->wire->cancel_lost = chaos->wire->cancel_stuck = 0;
    chaos->wire->answer_lost = chaos->wire->commit_lost = 0;
    pqr__list_each (conn_link, &chaos->wire->conns) {
        struct pqr__conn *conn = pqr__container_of(conn_link, struct pqr__conn, link);
        sim_alarm_clear(chaos->world, &conn->blow);
        /* What is in the air on a stopped process stays so: somebody has to give it up. */
        bool idle = pqr__list_empty(&conn->flights);
        if (conn->doomed || (conn->backend && conn->backend->stopped && idle))
            sim_wire_reset(conn);
    }
    for (uint32_t i = 0; i < chaos->wire->n_servers; i++) {
        struct sim_server *server = &chaos->wire->servers[i];
        sim_alarm_clear(chaos->world, &chaos->repairs[i].alarm);
        follow(chaos, server);
        restore(server);
        struct pqr__link *link;
        /* Those whose client has gone would hold their slots. */
        for (link = server->backends.head.next; link != &server->backends.head;) {
            struct sim_backend *backend = pqr__container_of(link, struct sim_backend, link);
            link = link->next;
            if (!backend->conn)
                sim_backend_die(backend, false);
        }
    }
}

uint64_t sim_chaos_quiet_us(const struct sim_chaos *chaos)
{
    const struct sim_server *primary = NULL;
    uint64_t quiet_us = 0;
    for (uint32_t i = 0; i < chaos->wire->n_servers; i++) {
        const struct sim_server *server = &chaos->wire->servers[i];
        if (server->foreign)
            continue;
        bool able = server->condition == SIM_UP && !server->frozen && server->slowness == 1 &&
                    server->max_backends == 100;
        if (!able || (!server->in_recovery && primary))
            return UINT64_MAX;
        if (!server->in_recovery)
            primary = server;
        if (server->calm_us > quiet_us)
            quiet_us = server->calm_us;
    }
    return primary ? quiet_us : UINT64_MAX;
}

void sim_chaos_finish(struct sim_chaos *chaos)
{
    sim_alarm_clear(chaos->world, &chaos->alarm);
    sim_alarm_clear(chaos->world, &chaos->migration);
    for (uint32_t i = 0; i < SIM_MAX_SERVERS; i++)
        sim_alarm_clear(chaos->world, &chaos->repairs[i].alarm);
}
