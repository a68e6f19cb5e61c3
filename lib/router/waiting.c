/* For people: what a request waited for, in vain. */
#include <string.h>

#include "base/text.h"
#include "router/pressure.h"
#include "router/router.h"

/* What is idle, and yet not for everybody; and the mend where there is nothing else to be had. */
static void name_reserve(struct pqr__text *text, const struct pqr__backend *backend)
{
    uint32_t reserved = backend->router->config->pool.admin_reserved;
    uint32_t idle = backend->slots[PQR__SLOT_IDLE].count;
    if (idle == 0 || idle > pqr__pool_reserve(backend))
        return;
    pqr__text_printf(text, ", %u idle kept for administrators (pool.admin_reserved is %u", idle, reserved);
    if (pqr__pool_in_use(backend) == 0 && backend->failures > 0)
        pqr__text_printf(
            text, ": lower it, or have the server admit %u connections, one is the probe's", reserved + 2);
    pqr__text_puts(text, ")");
}

/* Each server with what it is, and how busy unless that does not matter. */
static void name_servers(struct pqr__text *text, const pqr_router *router, bool busy, bool admin)
{
    for (uint32_t i = 0; i < router->n_backends; i++) {
        const struct pqr__backend *backend = &router->backends[i];
        if (backend->stay != PQR__STAY_MEMBER)
            continue;
        pqr__text_printf(text, "; %s is %s", backend->config->name,
            backend->role == PQR_ROLE_UNKNOWN ? "not probed yet" : pqr_role_name(backend->role));
        if (busy)
            pqr__text_printf(text, ", %u of %u in use", pqr__pool_in_use(backend), backend->config->max);
        if (busy && !admin)
            name_reserve(text, backend);
        if (backend->problem[0])
            pqr__text_printf(text, " (%s)", backend->problem);
    }
}

void pqr__waiting_explain(const struct pqr_reply *request, bool turn, char *out, size_t size)
{
    static const char dots[] = "...";
    static const char *const roles[] = {"the primary", "a replica", "a replica", "any server"};
    const char *role = roles[request->entry.role];
    const pqr_router *router = request->router;
    struct pqr__text text = {0};
    char numbers[160];
    pqr__pressure_numbers(request, numbers, sizeof(numbers));
    if (turn)
        pqr__text_printf(&text, "it waited for %s; %s", role, numbers);
    else if (request->entry.role != PQR__QUEUE_REPLICA)
        pqr__text_printf(&text, "no server can run it, it needs %s", role);
    else if (router->config->reads.primary == PQR__PRIMARY_NEVER)
        pqr__text_printf(&text, "no server can run it, it needs %s, since reads.primary is never", role);
    else
        pqr__text_printf(&text, "no server can run it, it needs %s or the primary", role);
    name_servers(&text, router, turn, request->entry.lane == PQR__LANE_ADMIN);
    pqr__text_escape(out, size, text.failed || !text.bytes ? "it was still waiting" : text.bytes);
    if (text.bytes && strlen(text.bytes) >= size)
        memcpy(out + size - sizeof(dots), dots, sizeof(dots));
    pqr__text_finish(&text);
}
