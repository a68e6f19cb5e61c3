/* The transport towards real servers: libpq connections on the application's libuv loop. */
#ifndef PQR_POSTGRES_POSTGRES_H
#define PQR_POSTGRES_POSTGRES_H

#include "base/log.h"
#include "transport/transport.h"

struct uv_loop_s;

/* Opens the transport; the configuration is kept by a reference of its own, log and callbacks (which may be NULL)
   are copied. It holds the loop alive until ops->shutdown, and frees itself when the `down` event has
   returned: there is no other way to give it up, so open it when nothing else of the router can fail any more.
   PQR_ENOMEM, PQR_ESYSTEM. */
int pqr__postgres_open(struct pqr__transport **out, struct uv_loop_s *loop, const struct pqr_config *config,
    const struct pqr__transport_events *events, void *router, const pqr_callbacks *callbacks,
    const struct pqr__log *log);

#endif
