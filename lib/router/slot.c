/* A pooled connection: opened, moved from list to list, given back, closed. What it goes through in between comes as
 * events (slot_events.c).
 */
#include "router/slot.h"

#include "base/alloc.h"
#include "router/dispatch.h"
#include "router/elastic.h"
#include "router/warm.h"

static const char *const state_names[] = {
#define XX(name, word) #word,
    PQR__SLOT_MAP(XX)
#undef XX
};

#define BIT(state) (1u << PQR__SLOT_##state)

/* Row: from; bits: to. */
static const unsigned allowed[PQR__SLOT_STATES] = {
    [PQR__SLOT_CONNECTING] = BIT(IDENTIFYING) | BIT(CLOSING),
    [PQR__SLOT_IDENTIFYING] = BIT(IDLE) | BIT(CLOSING),
    [PQR__SLOT_IDLE] = BIT(BUSY) | BIT(BUSY_ADMIN) | BIT(BUSY_OWN) | BIT(SHARED) | BIT(CLOSING),
    [PQR__SLOT_BUSY] = BIT(IDLE) | BIT(CANCELLING) | BIT(CLOSING),
    [PQR__SLOT_SHARED] = BIT(IDLE) | BIT(CANCELLING) | BIT(CLOSING),
    [PQR__SLOT_BUSY_ADMIN] = BIT(IDLE) | BIT(CANCELLING) | BIT(CLOSING),
    [PQR__SLOT_BUSY_OWN] = BIT(IDLE) | BIT(CLOSING),
    [PQR__SLOT_CANCELLING] = BIT(IDLE) | BIT(CLOSING),
    [PQR__SLOT_CLOSING] = 0,
};

static void note_peak(struct pqr__backend *backend)
{
    pqr_router *router = backend->router;
    uint32_t in_use = pqr__pool_in_use(backend), all = 0;
    if (in_use > backend->peak_usage)
        backend->peak_usage = in_use;
    for (uint32_t i = 0; i < router->n_backends; i++)
        all += pqr__pool_in_use(&router->backends[i]);
    if (all > router->peak_usage)
        router->peak_usage = all;
}

void pqr__slot_move(struct pqr__slot *slot, enum pqr__slot_state to)
{
    struct pqr__list *lists = slot->backend->slots;
    enum pqr__slot_state from = slot->state;
    assert(allowed[from] >> to & 1);
    pqr__elastic_moved(slot->backend, from, to);
    pqr__list_remove(&lists[from], &slot->link);
    slot->state = to;
    if (to == PQR__SLOT_CLOSING)
        slot->closing_since_us = pqr__router_now(slot->backend->router);
    if (to == PQR__SLOT_IDLE) /* handed out last in, first out: the surplus stays idle */
        pqr__list_push_front(&lists[to], &slot->link);
    else
        pqr__list_push_back(&lists[to], &slot->link);
    if (from == PQR__SLOT_IDLE && to != PQR__SLOT_CLOSING) {
        note_peak(slot->backend);
        pqr__pool_taken(slot->backend);
    }
    pqr__log(&slot->backend->router->log, PQR_LOG_DEBUG, "%s: connection of backend %u: %s -> %s",
        slot->backend->config->name, slot->info.backend_pid, state_names[from], state_names[to]);
}

void pqr__slot_close(struct pqr__slot *slot)
{
    pqr_router *router = slot->backend->router;
    if (slot->state != PQR__SLOT_CLOSING)
        pqr__slot_move(slot, PQR__SLOT_CLOSING);
    if (router->state < PQR__ROUTER_CLOSING)
        router->ops->close(slot->conn);
    else
        router->ops->abandon(slot->conn);
}

void pqr__slot_destroy(struct pqr__slot *slot)
{
    pqr__list_remove(&slot->backend->slots[slot->state], &slot->link);
    if (slot->backend->probe.cancelled == slot)
        slot->backend->probe.cancelled = NULL;
    pqr__warm_end(slot);
    pqr__timer_clear(&slot->cancel_again);
    pqr_config_free(slot->config);
    pqr__free(slot);
}

void pqr__slot_send_own(struct pqr__slot *slot, enum pqr__own own, const char *sql)
{
    slot->own_item = (struct pqr__item){.sql = sql, .own = own};
    slot->own_flight = (struct pqr__flight){
        .kind = own == PQR__OWN_INIT ? PQR__FLIGHT_SIMPLE : PQR__FLIGHT_PIPELINE,
        .n_items = 1,
        .items = &slot->own_item,
    };
    slot->own_failed = true; /* until its answer says otherwise */
    slot->backend->router->ops->send(slot->conn, &slot->own_flight);
}

/* When it is idle, administrators will have what is kept for them, and not without it. */
static bool completes_reserve(const struct pqr__slot *slot)
{
    const struct pqr__list *slots = slot->backend->slots;
    uint32_t theirs = slots[PQR__SLOT_IDLE].count + slots[PQR__SLOT_BUSY_ADMIN].count;
    return theirs - (slot->state == PQR__SLOT_BUSY_ADMIN) <
           slot->backend->router->config->pool.admin_reserved;
}

static bool wanted(const struct pqr__slot *slot)
{
    pqr_router *router = slot->backend->router;
    bool usable = slot->backend->role == PQR_ROLE_PRIMARY || slot->backend->role == PQR_ROLE_REPLICA ||
                  slot->backend->role == PQR_ROLE_DOWN;
    if (slot->backend->stay != PQR__STAY_MEMBER ||
        (pqr__pool_surplus(slot->backend) > 0 && (slot->backend->probe.waits || !completes_reserve(slot))))
        return false; /* a new configuration wants it no more, or a router that joined the fleet its place */
    return !slot->doomed && !slot->swollen && usable && router->state < PQR__ROUTER_CLOSING &&
           (slot->expires_us == 0 || pqr__router_now(router) < slot->expires_us);
}

void pqr__slot_release(struct pqr__slot *slot)
{
    assert(pqr__list_empty(&slot->air));
    slot->tx = NULL;
    slot->ours_since_us = pqr__router_now(slot->backend->router);
    if (slot->state == PQR__SLOT_CLOSING || slot->cancel_pending || slot->aside.flies)
        return;
    if (!wanted(slot)) {
        pqr__slot_close(slot);
        return;
    }
    if (slot->aborted) {
        slot->aborted = false;
        pqr__slot_send_own(slot, PQR__OWN_ROLLBACK, "ROLLBACK");
        return;
    }
    if (slot->dirty) {
        slot->dirty = false;
        pqr__slot_send_own(slot, PQR__OWN_DISCARD, "DISCARD ALL");
        return;
    }
    slot->idle_since_us = pqr__router_now(slot->backend->router);
    slot->cancelled = false;
    pqr__slot_move(slot, PQR__SLOT_IDLE);
    pqr__dispatch_soon(slot->backend->router);
    pqr__room_make(slot->backend->router);
}

int pqr__slot_open(struct pqr__backend *backend)
{
    pqr_router *router = backend->router;
    struct pqr__slot *slot = pqr__calloc(1, sizeof(*slot));
    if (!slot)
        return PQR_ENOMEM;
    slot->endpoint = (struct pqr__endpoint){.ops = &pqr__slot_ops, .router = router};
    slot->backend = backend;
    slot->config = pqr__config_ref(router->config);
    slot->state = PQR__SLOT_CONNECTING;
    slot->opened_us = pqr__router_now(router);
    pqr__list_init(&slot->air);
    int error = router->ops->connect(router->transport, backend->index,
        router->config->pool.connect_timeout_us, &slot->endpoint, &slot->conn);
    if (error) {
        pqr_config_free(slot->config);
        pqr__free(slot);
        return error;
    }
    pqr__list_push_back(&backend->slots[PQR__SLOT_CONNECTING], &slot->link);
    return 0;
}
