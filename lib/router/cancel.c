/* Requests that are to end while they fly. A cancel ends whatever runs on the connection: that is the request that was
 * to end, or one before it, which rolls back whole and is run again; then the next cancel follows. Nothing new is given
 * to the connection until the last cancel was answered.
 *
 * What may go wrong: a cancel that reaches the server before the statement does, or between two, is ignored there. As
 * long as what was to end still runs it is cancelled again, until request.cancel_grace is over.
 */
#include "router/dispatch.h"
#include "router/transaction.h"

enum { AGAIN_US = 50 * 1000 };

static const struct pqr_reply *head_of(const struct pqr__slot *slot)
{
    return pqr__request_of(pqr__list_first(&slot->air));
}

/* The flight that runs has a request that is to end. */
static bool is_to_end(const struct pqr__slot *slot)
{
    uint32_t n = head_of(slot)->flight.n_items;
    pqr__list_each (link, &slot->air) {
        if (n-- == 0)
            break;
        if (pqr__request_of(link)->cause != PQR__CAUSE_NONE)
            return true;
    }
    return false;
}

/* Of one that the router owns nobody else would be given anything either. */
static bool is_kept_to_itself(const struct pqr__slot *slot)
{
    return slot->state == PQR__SLOT_CANCELLING || slot->state == PQR__SLOT_BUSY_OWN;
}

static bool may_ask(const struct pqr__slot *slot)
{
    return is_kept_to_itself(slot) && !slot->cancel_pending && !slot->doomed &&
           !pqr__list_empty(&slot->air) && is_to_end(slot);
}

static void ask(struct pqr__slot *slot)
{
    struct pqr__backend *backend = slot->backend;
    slot->cancel_pending = slot->cancelled = true;
    slot->cancelled_flight = &head_of(slot)->flight;
    if (!pqr__probe_cancel(&backend->probe, slot) && backend->router->ops->cancel(slot->conn) != 0)
        slot->cancel_pending = false; /* no memory: the grace will close the connection */
}

static void again_due(struct pqr__timer *timer)
{
    struct pqr__slot *slot = pqr__container_of(timer, struct pqr__slot, cancel_again);
    if (may_ask(slot))
        ask(slot);
}

void pqr__run_cancel_next(struct pqr__slot *slot)
{
    pqr_router *router = slot->backend->router;
    if (!may_ask(slot))
        return;
    if (slot->cancelled_flight != &head_of(slot)->flight) {
        ask(slot);
    } else {
        slot->cancel_again.due = again_due;
        pqr__timer_set(router, &slot->cancel_again, pqr__router_now(router) + AGAIN_US);
    }
}

void pqr__run_cancel(struct pqr_reply *request)
{
    struct pqr__slot *slot = request->slot;
    pqr_router *router = request->router;
    pqr__timer_set(
        router, &request->deadline, pqr__router_now(router) + router->config->request.cancel_grace_us);
    if (slot->state == PQR__SLOT_CLOSING || slot->cancel_pending)
        return;
    if (!is_kept_to_itself(slot))
        pqr__slot_move(slot, PQR__SLOT_CANCELLING);
    ask(slot);
}

void pqr__run_cancelled(struct pqr__slot *slot, bool safe)
{
    const struct pqr__transport_ops *ops = slot->backend->router->ops;
    bool again = !safe && !slot->doomed && !pqr__list_empty(&slot->air) && is_kept_to_itself(slot);
    slot->cancel_pending = false;
    slot->doomed |= !safe;
    if (again && ops->cancel(slot->conn) == 0) /* the probe failed us: by the cancel protocol then */
        slot->cancel_pending = true;
    else if (slot->tx && slot->doomed) /* a cancel that is astray must not hit its next statement */
        pqr__slot_close(slot);
    else if (!pqr__list_empty(&slot->air))
        pqr__run_cancel_next(slot);
    else if (slot->tx)
        pqr__tx_advance(slot->tx);
    else
        pqr__slot_release(slot);
}
