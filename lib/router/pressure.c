/* What the policies of overload decide, carried out. */
#include "router/pressure.h"

#include <stdio.h>
#include <string.h>

#include "policy/pressure.h"
#include "router/sizing.h"

enum { DEFAULT_TARGET_US = 1000000 }; /* for the level alone, when nothing is turned away */

/* --- in numbers --- */

struct usage {
    uint32_t in_use, max;
};

/* Of the connections that such a request may use. */
static struct usage usage_of(const pqr_router *router, unsigned roles, enum pqr__lane lane)
{
    uint32_t kept = 1 + (lane == PQR__LANE_ADMIN ? 0 : router->config->pool.admin_reserved);
    struct usage usage = {0};
    for (uint32_t i = 0; i < router->n_backends; i++) {
        const struct pqr__backend *backend = &router->backends[i];
        if (!(pqr__backend_roles(backend) & roles))
            continue;
        usage.in_use += pqr__pool_in_use(backend);
        uint32_t most = backend->config->max > kept ? backend->config->max - kept : 0;
        uint32_t ceiling = router->sizing->ceiling(backend);
        usage.max += most < ceiling ? most : ceiling;
    }
    return usage;
}

static uint32_t waiting_for(const pqr_router *router, unsigned roles)
{
    uint32_t waiting = 0;
    for (unsigned lane = 0; lane < PQR__LANES; lane++)
        waiting += pqr__queue_waiting(&router->queue, roles, lane);
    return waiting;
}

static void seconds(char *out, size_t size, uint64_t us)
{
    snprintf(out, size, us < 10000000 ? "%.1f s" : "%.0f s", (double)us / 1e6);
}

void pqr__pressure_numbers(const struct pqr_reply *request, char *out, size_t size)
{
    const pqr_router *router = request->router;
    unsigned roles = 1u << request->entry.role;
    struct usage usage = usage_of(router, roles, request->entry.lane);
    char oldest[32], timeout[32] = "none";
    seconds(oldest, sizeof(oldest), pqr__queue_oldest_us(&router->queue, roles, PQR__LANE_BATCH));
    if (request->timeout_us)
        seconds(timeout, sizeof(timeout), request->timeout_us);
    snprintf(out, size, "%u of %u connections in use, %u waiting, oldest %s, timeout %s", usage.in_use,
        usage.max, waiting_for(router, roles), oldest, timeout);
}

/* --- refused --- */

/* A prediction is a guess, and who is let in has to be served in time as well: one that is sent only to be cancelled
   costs the others more than it had cost to refuse it. */
static uint64_t patience_us(const struct pqr_reply *request)
{
    enum { SPARE = 8 };
    return request->timeout_us - request->timeout_us / SPARE;
}

bool pqr__pressure_refuses(const struct pqr_reply *request, char *why, size_t size)
{
    const pqr_router *router = request->router;
    const struct pqr__queue_entry *entry = &request->entry;
    if (entry->lane == PQR__LANE_ADMIN || entry->exempt || request->timeout_us == 0 ||
        router->queue.codel[entry->role][entry->lane].overloaded) /* where the newest goes first */
        return false;
    uint64_t passed_us = pqr__router_now(router) - request->accepted_us;
    uint64_t wait_us = pqr__queue_expected_us(&router->queue, entry->role, entry->lane);
    if (wait_us + passed_us <= patience_us(request))
        return false;
    char numbers[160], wait[32];
    seconds(wait, sizeof(wait), wait_us);
    pqr__pressure_numbers(request, numbers, sizeof(numbers));
    snprintf(why, size, "it would wait for %s: %s", wait, numbers);
    return true;
}

void pqr__pressure_shed(pqr_router *router)
{
    struct pqr__queue_entry *entry;
    while ((entry = pqr__queue_overdue(&router->queue)) != NULL) {
        struct pqr_reply *request = pqr__container_of(entry, struct pqr_reply, entry);
        char numbers[160], why[256];
        pqr__pressure_numbers(request, numbers, sizeof(numbers));
        snprintf(why, sizeof(why), "turned away in overload, by queue.target: %s", numbers);
        router->shed++;
        router->refused_us = pqr__router_now(router);
        pqr__request_finish(request, PQR_STATUS_OVERLOADED, PQR_OUTCOME_NOT_EXECUTED, why);
    }
}

/* --- told --- */

static uint64_t longest_wait_us(const pqr_router *router)
{
    const struct pqr__queue *queue = &router->queue;
    uint64_t longest_us = 0;
    for (unsigned role = 0; role < PQR__QUEUE_ROLES; role++) {
        uint64_t expected_us = pqr__queue_expected_us(queue, role, PQR__LANE_NORMAL);
        uint64_t oldest_us = queue->codel[role][PQR__LANE_NORMAL].overloaded
                                 ? 0
                                 : pqr__queue_oldest_us(queue, 1u << role, PQR__LANE_NORMAL);
        if (expected_us < oldest_us)
            expected_us = oldest_us;
        if (longest_us < expected_us)
            longest_us = expected_us;
    }
    return longest_us;
}

static pqr_pressure measure(pqr_router *router)
{
    uint64_t now_us = pqr__router_now(router);
    pqr__queue_time(&router->queue, now_us);
    struct usage usage = usage_of(router, PQR__MASK_ALL, PQR__LANE_NORMAL);
    pqr_pressure pressure = {
        .struct_size = sizeof(pressure),
        .expected_wait_us = longest_wait_us(router),
        .oldest_us = pqr__queue_oldest_us(&router->queue, PQR__MASK_ALL, PQR__LANE_BATCH),
        .waiting = pqr__queue_count(&router->queue),
        .in_use = usage.in_use,
        .max = usage.max,
    };
    const struct pqr__pressure_facts facts = {
        .level = router->pressure,
        .overloaded = pqr__queue_overloaded(&router->queue),
        .refused_us = router->refused_us ? now_us - router->refused_us : UINT64_MAX,
        .wait_us = pressure.expected_wait_us,
        .target_us = router->config->queue.target_us ? router->config->queue.target_us : DEFAULT_TARGET_US,
        .interval_us = router->config->queue.interval_us,
    };
    pressure.level = pqr__pressure_level(&facts);
    return pressure;
}

void pqr__pressure_tell(pqr_router *router)
{
    if (!router->callbacks.pressure || router->state != PQR__ROUTER_RUNNING)
        return;
    pqr_pressure pressure = measure(router);
    if (pressure.level == router->pressure)
        return;
    router->pressure = pressure.level;
    router->callbacks.pressure(router->callbacks.data, &pressure);
}

int pqr_router_pressure(pqr_router *router, pqr_pressure *out)
{
    if (!router || !out || out->struct_size < offsetof(pqr_pressure, waiting) || out->struct_size > 4096)
        return PQR_EINVAL;
    size_t size = out->struct_size;
    pqr_pressure pressure = measure(router);
    pressure.struct_size = size;
    memcpy(out, &pressure, size < sizeof(pressure) ? size : sizeof(pressure));
    return 0;
}
