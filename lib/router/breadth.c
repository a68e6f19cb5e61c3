#include "router/breadth.h"

#include "router/elastic.h"
#include "router/sizing.h"

static const pqr_role roles[] = {PQR_ROLE_PRIMARY, PQR_ROLE_REPLICA};
enum { N_ROLES = sizeof(roles) / sizeof(*roles) };

void pqr__breadths_init(pqr_router *router)
{
    for (unsigned i = 0; i < N_ROLES; i++)
        pqr__breadth_init(&router->breadth[roles[i]]);
    for (unsigned role = 0; role < PQR__ROLES; role++)
        router->breadth_now[role] = UINT32_MAX;
}

/* Connections that others than administrators may have. */
static uint32_t usable_of(const struct pqr__backend *backend)
{
    uint32_t open = pqr__pool_open(backend), reserve = pqr__pool_reserve(backend);
    uint32_t ceiling = backend->router->sizing->ceiling(backend);
    uint32_t left = open > reserve ? open - reserve : 0;
    return left < ceiling ? left : ceiling;
}

/* Of all servers of the role; usable 0: there is none. */
static struct pqr__breadth_sample sample_of(pqr_router *router, pqr_role role)
{
    struct pqr__breadth_sample sample = {.now_us = pqr__router_now(router)};
    uint64_t room_us = 0, shared_us = 0;
    bool taken = false;
    uint32_t in_use = 0, flying = 0, limit = pqr__breadth_limit(&router->breadth[role]);
    for (uint32_t i = 0; i < router->n_backends; i++) {
        struct pqr__backend *backend = &router->backends[i];
        const struct pqr__load *load = &backend->load;
        if (backend->stay != PQR__STAY_MEMBER || backend->role != role)
            continue;
        pqr__elastic_book(backend);
        uint32_t usable = usable_of(backend);
        uint64_t elapsed_us = load->at_us - load->sampled_us;
        if (sample.elapsed_us == 0 || elapsed_us < sample.elapsed_us) /* one was never sampled before */
            sample.elapsed_us = elapsed_us;
        sample.served += load->served - load->cancelled;
        sample.usable = usable > sample.usable ? usable : sample.usable;
        taken |= pqr__ceiling_is_learning(&backend->ceiling);
        room_us += (usable < limit ? usable : limit) * elapsed_us;
        shared_us += load->shared_us;
        in_use += pqr__pool_in_use(backend);
        flying += backend->flying;
    }
    sample.behind = flying > in_use && !taken; /* one thing is tried at a time */
    sample.at_work = room_us > 0 ? (double)shared_us / (double)room_us : 0;
    return sample;
}

static void note(pqr_router *router, pqr_role role)
{
    struct pqr__breadth *breadth = &router->breadth[role];
    struct pqr__breadth_sample sample = sample_of(router, role);
    if (sample.usable > 0)
        pqr__breadth_note(breadth, &sample);
    if (breadth->trial > 0) /* by short samples, lest it take long */
        pqr__elastic_wake(router, true);
    router->breadth_now[role] = router->config->pool.resize ? pqr__breadth_limit(breadth) : UINT32_MAX;
}

void pqr__breadths_due(pqr_router *router)
{
    for (unsigned i = 0; i < N_ROLES; i++)
        note(router, roles[i]);
}
