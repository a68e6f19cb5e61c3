/* Puts the layers together: the router on the transport of libpq and libuv. */
#include "pqrouter.h"

#include <stdio.h>
#include <unistd.h>
#include <uv.h>

#include "base/error.h"
#include "base/log.h"
#include "config/config.h"
#include "postgres/postgres.h"
#include "router/router.h"

#define TEXT_OF(x) #x
#define TEXT(x)    TEXT_OF(x)

const char *pqr_version(void)
{
    return TEXT(PQR_VERSION_MAJOR) "." TEXT(PQR_VERSION_MINOR) "." TEXT(PQR_VERSION_PATCH);
}

int pqr_router_open(pqr_router **out, struct uv_loop_s *loop, const pqr_config *config,
    const pqr_callbacks *callbacks, pqr_error *error)
{
    pqr_router *router;
    struct pqr__transport *transport;
    if (!out || !loop || !config)
        return pqr__error_set(
            error, PQR_EINVAL, "pqr_router_open needs a place for its result, a loop and a configuration");
    uint64_t seed = uv_hrtime() ^ ((uint64_t)getpid() << 32) ^ (uint64_t)(uintptr_t)out;
    int status = pqr__router_create(&router, config, callbacks, seed, error);
    if (status)
        return status;
    status = pqr__postgres_open(
        &transport, loop, config, &pqr__router_events, router, &router->callbacks, &router->log);
    if (status) {
        pqr__router_free(router);
        return pqr__error_set(error, status, "%s", pqr_error_text(status));
    }
    if (config->note)
        pqr__log(&router->log, PQR_LOG_WARNING, "configuration: %s", config->note);
    pqr__router_start(router, transport);
    *out = router;
    return 0;
}
