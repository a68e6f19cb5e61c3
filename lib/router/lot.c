#include "router/lot.h"

#include "router/breadth.h"

uint32_t pqr__lot_shares(const struct pqr__backend *backend)
{
    uint32_t most = pqr__pool_shares(backend), limit = pqr__breadth_here(backend);
    return most < limit ? most : limit;
}

/* Idle connections that may be shared too, the reserve apart. */
static uint32_t idle_of(const struct pqr__backend *backend)
{
    if (!pqr__pool_has_room(backend, PQR__LANE_NORMAL))
        return 0;
    uint32_t spare = backend->slots[PQR__SLOT_IDLE].count - pqr__pool_reserve(backend);
    uint32_t shares = pqr__lot_shares(backend), shared = backend->slots[PQR__SLOT_SHARED].count;
    uint32_t left = shares > shared ? shares - shared : 0;
    return spare < left ? spare : left;
}

static uint32_t idle_of_role(const pqr_router *router, pqr_role role)
{
    uint32_t idle = 0;
    for (uint32_t i = 0; i < router->n_backends; i++)
        if (router->backends[i].role == role)
            idle += idle_of(&router->backends[i]);
    return idle;
}

/* Open connections that may be shared, the reserve apart. */
static uint32_t sharable_of(const struct pqr__backend *backend)
{
    uint32_t reserve = pqr__pool_reserve(backend), shares = pqr__lot_shares(backend);
    uint32_t open = backend->slots[PQR__SLOT_SHARED].count + backend->slots[PQR__SLOT_IDLE].count;
    uint32_t theirs = open > reserve ? open - reserve : 0;
    return theirs < shares ? theirs : shares;
}

struct pqr__lot pqr__lot_of(
    const pqr_router *router, const struct pqr__sharing *sharing, unsigned roles, enum pqr__lane lane)
{
    unsigned asked = roles & router->queue.filled[lane];
    struct pqr__lot lot = {
        .waiting = pqr__queue_waiting(&router->queue, asked, lane), .most = sharing->depth / 2};
    uint32_t outstanding = lot.waiting, servers = 0, connections = 0;
    if (sharing->share_sync <= 1)
        return lot;
    for (uint32_t i = 0; i < router->n_backends; i++) {
        const struct pqr__backend *backend = &router->backends[i];
        if (!(pqr__backend_roles(backend) & asked))
            continue;
        outstanding += backend->flying;
        connections += sharable_of(backend);
        servers++;
    }
    lot.most = pqr__sharing_lot(sharing, outstanding, servers, connections);
    return lot;
}

uint32_t pqr__lot_share(const struct pqr__backend *backend, struct pqr__lot lot, uint32_t quick)
{
    if (quick >= lot.most)
        return lot.most;
    uint32_t idle = idle_of_role(backend->router, backend->role);
    uint32_t fair = idle > 1 ? (lot.waiting + idle - 1) / idle : lot.waiting;
    uint32_t share = fair > quick ? fair : quick;
    return share < lot.most ? share : lot.most;
}
