/* Who may share a connection, and what becomes of those who do. */
#include <string.h>

#include "checks.h"
#include "policy/history.h"
#include "texts.h"

/* A single statement that rolls back whole. */
static bool may_follow(const struct sim_checks *checks, const struct sim_entry *entry)
{
    bool plain = entry->kind == SIM_WRITE || entry->kind == SIM_LOCK_READ || entry->kind == SIM_FUNCTION ||
                 entry->kind == SIM_HIDDEN;
    return plain && (entry->pipelined || checks->config->writes.pipeline);
}

static void check_neighbour(
    const struct sim_checks *checks, const struct pqr__conn *conn, const struct pqr__item *item, bool sending)
{
    const struct sim_entry *entry = sim_check_entry(checks, item);
    if (!entry)
        sim_fail(
            checks->world, "promise 2: own statement %d shares c%u with others", (int)item->own, conn->id);
    const char *kind = sim_kind_name(entry->kind), *why = NULL;
    if (entry->kind != SIM_READ && !may_follow(checks, entry))
        why = "which is no harmless read, nor a write that may follow others";
    else if (entry->in_tx)
        why = "which is of a transaction";
    else if (entry->alone)
        why = "which asked to be alone";
    else if (entry->in_parts)
        why = "whose rows come in parts";
    else if (sending && entry->apart)
        why = "which has come to harm by its neighbours before";
    else if (!entry->proven)
        why = "whose text has no clean history";
    if (why)
        sim_fail(checks->world, "flights: %s %llu (%s), %s, shares c%u with others", kind,
            (unsigned long long)entry->nonce, entry->text, why, conn->id);
}

static void check_neighbours(const struct sim_checks *checks, const struct pqr__conn *conn,
    const struct pqr__flight *flight, bool sending)
{
    if (flight->kind != PQR__FLIGHT_PIPELINE)
        sim_fail(checks->world, "flights: a simple flight shares c%u with others", conn->id);
    for (const struct pqr__item *item = flight->items; item; item = item->next) {
        check_neighbour(checks, conn, item, sending);
        if (flight->n_items > 1 && sim_check_entry(checks, item)->kind != SIM_READ)
            sim_fail(checks->world, "flights: a write shares a Sync on c%u", conn->id);
    }
}

/* A group holds the locks of all its tables until its Sync: on the primary those of one text alone. A backend that
   began as a primary told so: as long as it is one, the router knows. */
static void check_group(
    struct sim_checks *checks, const struct pqr__conn *conn, const struct pqr__flight *flight)
{
    bool primary = conn->backend && !conn->server->in_recovery && !conn->began_in_recovery;
    const char *first = sim_check_entry(checks, flight->items)->text;
    bool mixed = false;
    for (const struct pqr__item *item = flight->items->next; item; item = item->next)
        mixed |= strcmp(sim_check_entry(checks, item)->text, first) != 0;
    if (primary && mixed)
        sim_fail(checks->world, "flights: different texts under one Sync on c%u, to the primary", conn->id);
    if (flight->n_items > checks->config->reads.share_sync)
        sim_fail(checks->world, "flights: %u under one Sync, %u may", flight->n_items,
            checks->config->reads.share_sync);
    checks->flights.groups++;
    checks->flights.members += flight->n_items;
    checks->flights.on_primary += primary;
    checks->flights.mixed += mixed;
    if (flight->n_items > checks->flights.largest)
        checks->flights.largest = flight->n_items;
}

/* Statements prepared on a new connection go together. */
static bool is_own(const struct pqr__flight *flight)
{
    for (const struct pqr__item *item = flight->items; item; item = item->next)
        if (item->own == PQR__OWN_NONE)
            return false;
    return true;
}

bool sim_is_implicit(const struct sim_checks *checks, const struct pqr__flight *flight)
{
    const struct sim_entry *first = sim_check_entry(checks, flight->items);
    return first && first->batch && first->in_tx;
}

bool sim_is_opening(const struct pqr__flight *flight)
{
    const struct pqr__item *next = flight->items->next;
    return flight->items->own == PQR__OWN_BEGIN && next && !next->next;
}

bool sim_is_whole(const struct sim_checks *checks, const struct pqr__flight *flight)
{
    return (flight->n_items > 2 && flight->items->own == PQR__OWN_BEGIN) || sim_is_implicit(checks, flight);
}

/* The statement may have to be sent again with its BEGIN, unseen: one that has run, though it was rolled back, only when
   it is a read or vouched for. */
static void check_opening(
    struct sim_checks *checks, const struct pqr__conn *conn, const struct pqr__flight *flight, bool behind)
{
    const struct sim_entry *entry = sim_check_entry(checks, flight->items->next);
    if (behind)
        sim_fail(checks->world, "flights: a transaction begins behind others on c%u", conn->id);
    if (!entry || entry->kind == SIM_CALL || entry->kind == SIM_ODD || entry->kind == SIM_SEVERAL ||
        entry->in_parts)
        sim_fail(checks->world, "flights: %s goes with its BEGIN on c%u", flight->items->next->sql, conn->id);
    if (entry->owner->shown)
        sim_fail(checks->world,
            "promise 4: a transaction begins again with %llu, and answers of it were shown",
            (unsigned long long)entry->nonce);
    if (entry->may_have_run && entry->kind != SIM_READ && !entry->idempotent)
        sim_fail(checks->world, "promise 4: %s %llu is sent again with its BEGIN, but may have run",
            sim_kind_name(entry->kind), (unsigned long long)entry->nonce);
    checks->flights.begins++;
    checks->flights.begun_again += entry->sends > 0;
}

/* A statement that leaves something behind may be one that wants a BEGIN before it. */
static void check_implicit(const struct sim_checks *checks, const struct pqr__flight *flight)
{
    for (const struct pqr__item *item = flight->items; item; item = item->next) {
        const struct sim_entry *entry = sim_check_entry(checks, item);
        if (!entry || entry->kind == SIM_SESSION)
            sim_fail(checks->world, "flights: a transaction without BEGIN holds %s", item->sql);
    }
}

static void check_whole(
    struct sim_checks *checks, const struct pqr__conn *conn, const struct pqr__flight *flight, bool behind)
{
    if (behind)
        sim_fail(checks->world, "flights: a transaction is sent behind others on c%u", conn->id);
    if (sim_is_implicit(checks, flight)) {
        check_implicit(checks, flight);
        checks->flights.implicit++;
    }
    checks->flights.wholes++;
}

static bool is_of(const struct sim_checks *checks, const struct pqr__flight *flight, const void *batch)
{
    for (const struct pqr__item *item = flight->items; item; item = item->next) {
        const struct sim_entry *entry = sim_check_entry(checks, item);
        if (!entry || entry->batch != batch || entry->sends > 1 || entry->apart || entry->kind != SIM_READ)
            return false;
    }
    return true;
}

/* The reads of one batch, for the first time: whoever asked for it wants them behind one another. */
static bool is_one_batch(
    const struct sim_checks *checks, const struct pqr__conn *conn, const struct pqr__flight *flight)
{
    const struct sim_entry *first = sim_check_entry(checks, flight->items);
    if (!first || !first->batch || first->in_tx)
        return false;
    pqr__list_each (link, &conn->flights)
        if (!is_of(checks, pqr__container_of(link, struct pqr__flight, link), first->batch))
            return false;
    return is_of(checks, flight, first->batch);
}

static const struct pqr__flight *last_of(const struct pqr__conn *conn)
{
    struct pqr__link *last = pqr__list_last(&conn->flights);
    return last ? pqr__container_of(last, struct pqr__flight, link) : NULL;
}

bool sim_is_committing(const struct sim_checks *checks, const struct pqr__conn *conn)
{
    const struct pqr__flight *last = last_of(conn);
    if (!last)
        return false;
    const struct pqr__item *item = last->items;
    while (item->next)
        item = item->next;
    return item->own == PQR__OWN_COMMIT || sim_is_implicit(checks, last);
}

static enum pqr__own own_of(const struct pqr__flight *flight)
{
    return flight ? flight->items->own : PQR__OWN_NONE;
}

/* A token's question goes behind one flight that commits, or alone; a standby is asked before all else. */
static void check_aside(
    struct sim_checks *checks, const struct pqr__conn *conn, const struct pqr__flight *flight)
{
    const struct pqr__flight *last = last_of(conn);
    const struct sim_entry *entry = last ? sim_check_entry(checks, last->items) : NULL;
    bool write = entry && entry->kind != SIM_READ && !entry->in_tx && last->n_items == 1;
    bool asked = own_of(flight) == PQR__OWN_TOKEN;
    checks->flights.asked += asked;
    checks->flights.checked += !asked;
    if (conn->flights.count > 1 || (last && !asked) || (last && !write && !sim_is_committing(checks, conn)))
        sim_fail(checks->world, "promise 6: own statement %d is sent behind others on c%u",
            (int)own_of(flight), conn->id);
}

/* Behind the question how far the standby is. */
static void check_checked(
    const struct sim_checks *checks, const struct pqr__conn *conn, const struct pqr__flight *flight)
{
    struct sim_entry *entry = sim_check_entry(checks, flight->items);
    if (conn->flights.count != 1 || flight->n_items != 1 || !entry || entry->kind != SIM_READ ||
        !entry->causal)
        sim_fail(checks->world, "promise 6: c%u was asked how far it is, for nobody", conn->id);
    else
        entry->asked = entry->sends + 1;
}

/* Which of these it is, and whether it may be. False: it is none. */
static bool check_causal(
    struct sim_checks *checks, const struct pqr__conn *conn, const struct pqr__flight *flight)
{
    enum pqr__own own = own_of(flight);
    if (own == PQR__OWN_TOKEN || own == PQR__OWN_REPLAYED)
        check_aside(checks, conn, flight);
    else if (own_of(last_of(conn)) == PQR__OWN_REPLAYED)
        check_checked(checks, conn, flight);
    else
        return false;
    return true;
}

void sim_check_company(struct sim_checks *checks, struct pqr__conn *conn, const struct pqr__flight *flight)
{
    if (check_causal(checks, conn, flight))
        return;
    bool group = flight->n_items > 1, behind = !pqr__list_empty(&conn->flights);
    uint32_t flying = flight->n_items;
    if (sim_is_whole(checks, flight)) {
        check_whole(checks, conn, flight, behind);
        return;
    }
    if (sim_is_opening(flight)) {
        check_opening(checks, conn, flight, behind);
        return;
    }
    if (!behind && (!group || is_own(flight)))
        return;
    if (is_one_batch(checks, conn, flight)) {
        if (group)
            check_group(checks, conn, flight);
        return;
    }
    check_neighbours(checks, conn, flight, true);
    pqr__list_each (link, &conn->flights) {
        const struct pqr__flight *other = pqr__container_of(link, struct pqr__flight, link);
        check_neighbours(checks, conn, other, false);
        flying += other->n_items;
    }
    if (flying > checks->config->pool.pipeline_depth)
        sim_fail(checks->world, "flights: %u in the air of c%u, %u may", flying, conn->id,
            checks->config->pool.pipeline_depth);
    checks->flights.behind += behind;
    checks->flights.writes_behind += behind && sim_check_entry(checks, flight->items)->kind != SIM_READ;
    if (group)
        check_group(checks, conn, flight);
}

bool sim_is_proven(const struct sim_entry *entry)
{
    return entry->of && entry->of->clean >= PQR__HISTORY_CLEAN;
}

/* Cancelled, too late, or of a transaction that may be: what comes of it then is no fault of its text. */
bool sim_is_ended(const struct sim_checks *checks, const struct sim_entry *entry)
{
    return entry->in_tx || entry->given_up || checks->world->now_us >= entry->deadline_us;
}

void sim_check_harm(struct sim_checks *checks, struct sim_entry *entry)
{
    if (entry->in_tx && entry->batch) /* all of it is one */
        return;
    bool hit = strcmp(entry->sqlstate, "57014") == 0 && !sim_is_ended(checks, entry);
    checks->flights.aborted += entry->aborted;
    checks->flights.hit += hit;
    entry->apart |= entry->aborted || hit;
}

/* Counted generously: an error of one that was to end counts for its text, as an execution does, and one that was asked
   for before its text was known counts not at all. */
void sim_check_history(const struct sim_checks *checks, const struct sim_entry *entry, bool lost)
{
    bool stale = entry->stale, failed = !lost && entry->sqlstate[0] != '\0' && !stale,
         ended = sim_is_ended(checks, entry);
    if (!entry->of)
        return;
    if (failed && !ended)
        entry->of->clean = entry->familiar ? 0 : entry->of->clean;
    else if (ended || (!entry->aborted && !stale)) /* it may have been answered before it was lost */
        entry->of->clean++;
}
