/* All that is named goes in one flight. A statement that can't be prepared takes those after it along, so these are
 * sent again without it. What may go wrong: its table is missing (told once, tried again on the next connection), or a
 * migration has locked it, or the server falls over it: then the connection ends, and for a while new ones of this
 * server enter the pool without.
 */
#include "router/warm.h"

#include <string.h>

#include "base/alloc.h"
#include "router/router.h"

enum {
    PATIENCE_US = 2000000, /* for all of them; a lock may keep one longer than anybody wants to wait */
    COLD_US = 60 * 1000000,
    LOSSES = 2, /* connections in a row that ended while they were prepared: it is no chance */
};

struct warm_item {
    struct pqr__item item;
    struct pqr__known *known;
    Oid types[PQR__KNOWN_TYPES]; /* as when it was sent */
    bool done;                   /* prepared, or refused */
};

struct pqr__warming {
    uint32_t n, done, before; /* before: done when the flight was sent */
    struct warm_item items[];
};

void pqr__warm_tune(pqr_router *router)
{
    if (!pqr__known_name(&router->known, router->config->statements.warm_up, &router->dialect))
        pqr__log(&router->log, PQR_LOG_ERROR, "statements.warm_up is not taken over: out of memory");
}

static void fill(struct warm_item *item, struct pqr__known *known)
{
    memcpy(item->types, known->types, sizeof(item->types));
    item->known = pqr__known_ref(known);
    item->item = (struct pqr__item){.own = PQR__OWN_PREPARE,
        .statement = known->number,
        .sql = known->text,
        .n_params = known->n_types,
        .param_types = item->types};
}

/* Those that are not done yet. */
static void send(struct pqr__slot *slot)
{
    struct pqr__warming *warming = slot->warming;
    struct pqr__item *last = NULL;
    slot->own_flight = (struct pqr__flight){.kind = PQR__FLIGHT_PIPELINE};
    for (uint32_t i = 0; i < warming->n; i++) {
        struct warm_item *item = &warming->items[i];
        if (item->done)
            continue;
        item->item.next = NULL;
        *(last ? &last->next : &slot->own_flight.items) = &item->item;
        last = &item->item;
        slot->own_flight.n_items++;
    }
    warming->before = warming->done;
    slot->backend->router->ops->send(slot->conn, &slot->own_flight);
}

bool pqr__warm_begin(struct pqr__slot *slot)
{
    struct pqr__backend *backend = slot->backend;
    const struct pqr__known_table *known = &backend->router->known;
    if (known->n_named == 0 || backend->config->pooler ||
        backend->cold_until_us > pqr__router_now(backend->router))
        return false;
    struct pqr__warming *warming =
        pqr__calloc(1, sizeof(*warming) + known->n_named * sizeof(warming->items[0]));
    if (!warming) /* they are prepared when they are used */
        return false;
    for (uint32_t i = 0; i < known->n_named; i++)
        if (known->named[i]->n_types >= 0)
            fill(&warming->items[warming->n++], known->named[i]);
    slot->warming = warming;
    slot->ours_since_us = pqr__router_now(backend->router);
    slot->own_item = (struct pqr__item){.own = PQR__OWN_PREPARE};
    slot->own_failed = false; /* whatever becomes of each of them */
    if (warming->n > 0) {
        send(slot);
        return true;
    }
    pqr__warm_end(slot);
    return false;
}

/* Once, until it went well in between. */
static void refused(
    const struct pqr__backend *backend, struct pqr__known *known, const struct pqr__answer *answer)
{
    if (!known->unfit)
        pqr__log(&backend->router->log, PQR_LOG_WARNING,
            "%s: statements.warm_up: not prepared: \"%.200s\": %s %s", backend->config->name, known->text,
            answer->message, answer->sqlstate);
    known->unfit = true;
}

void pqr__warm_item(struct pqr__slot *slot, struct pqr__item *item, const struct pqr__answer *answer)
{
    struct warm_item *warm = pqr__container_of(item, struct warm_item, item);
    if (answer->kind == PQR__ANSWER_ABORTED)
        return;
    slot->warming->done += !warm->done;
    warm->done = true;
    if (answer->kind == PQR__ANSWER_ERROR)
        refused(slot->backend, warm->known, answer);
    else
        warm->known->unfit = false;
}

/* For a while new connections of this server do without. */
static void grow_cold(struct pqr__backend *backend, const char *why)
{
    backend->warm_losses = 0;
    backend->cold_until_us = pqr__router_now(backend->router) + COLD_US;
    pqr__log(&backend->router->log, PQR_LOG_WARNING,
        "%s: statements.warm_up: %s; connections opened in the next minute go without", backend->config->name,
        why);
}

bool pqr__warm_settled(struct pqr__slot *slot, const struct pqr__settled *facts, bool entering)
{
    struct pqr__warming *warming = slot->warming;
    struct pqr__backend *backend = slot->backend;
    if (facts->lost && entering && ++backend->warm_losses >= LOSSES)
        grow_cold(backend, "connections are lost by it");
    bool goes_on = !facts->lost && facts->tx == PQR__TX_IDLE && slot->state == PQR__SLOT_IDENTIFYING;
    if (goes_on && warming->before < warming->done && warming->done < warming->n) {
        send(slot);
        return true;
    }
    if (goes_on)
        backend->warm_losses = 0;
    pqr__warm_end(slot);
    return false;
}

bool pqr__warm_gives_up(struct pqr__slot *slot)
{
    const pqr_router *router = slot->backend->router;
    uint64_t timeout_us = router->config->pool.connect_timeout_us;
    uint64_t patience_us = timeout_us < PATIENCE_US ? timeout_us : PATIENCE_US;
    if (!slot->warming || pqr__router_now(router) - slot->ours_since_us < patience_us)
        return false;
    grow_cold(slot->backend, "it takes too long");
    return true;
}

void pqr__warm_end(struct pqr__slot *slot)
{
    struct pqr__warming *warming = slot->warming;
    for (uint32_t i = 0; warming && i < warming->n; i++)
        pqr__known_unref(warming->items[i].known);
    pqr__free(warming);
    slot->warming = NULL;
}
