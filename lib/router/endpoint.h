/* Whoever opened a connection: the context of its events. The first member of a pool's slot and of a probe. */
#ifndef PQR_ROUTER_ENDPOINT_H
#define PQR_ROUTER_ENDPOINT_H

#include "transport/transport.h"

struct pqr__endpoint;

struct pqr__endpoint_ops {
    void (*connected)(struct pqr__endpoint *endpoint, const struct pqr__connect_info *info);
    void (*refused)(struct pqr__endpoint *endpoint, const struct pqr__refusal *refusal);
    void (*item)(struct pqr__endpoint *endpoint, struct pqr__flight *flight, struct pqr__item *item,
        const struct pqr__answer *answer);
    void (*settled)(
        struct pqr__endpoint *endpoint, struct pqr__flight *flight, const struct pqr__settled *facts);
    void (*notice)(struct pqr__endpoint *endpoint, struct pqr__flight *flight, struct pqr__item *item,
        const pqr_notice *notice);
    void (*cancelled)(struct pqr__endpoint *endpoint, bool delivered);
    void (*ended)(struct pqr__endpoint *endpoint);
    void (*closed)(struct pqr__endpoint *endpoint, bool left);
};

struct pqr__endpoint {
    const struct pqr__endpoint_ops *ops;
    pqr_router *router;
};

#endif
