/* What a new configuration changes in a running router: whether it may, and which server becomes which. A router
   numbers its servers by places that stay theirs until they have left for good. Pure. */
#ifndef PQR_POLICY_RELOAD_H
#define PQR_POLICY_RELOAD_H

#include "config/config.h"

enum { PQR__RELOAD_PLACES = 64 };

struct pqr__reload_place {
    const struct pqr__server_config *server; /* whose it is; NULL: it is free */
    bool leaving;                            /* it left, and has connections still */
};

struct pqr__reload_plan {
    uint32_t place_of[PQR__RELOAD_PLACES]; /* of each server of the new configuration */
    bool joins[PQR__RELOAD_PLACES];        /* by place: a server that was not there */
    bool returns[PQR__RELOAD_PLACES]; /* by place: one that was leaving; its connections count as they did */
    bool leaves[PQR__RELOAD_PLACES];  /* by place */
    bool renews[PQR__RELOAD_PLACES];  /* by place: stays, but its connections are made anew */
};

/* The same host, port and database are the same server, whatever it is called. system_identifier: the pinned one; 0:
   none yet. PQR_ECONFIG: what can't change, or too many servers, in error; nothing of plan counts then. */
int pqr__reload_plan(struct pqr__reload_plan *plan, const struct pqr_config *now,
    const struct pqr_config *next, const struct pqr__reload_place places[PQR__RELOAD_PLACES],
    uint64_t system_identifier, pqr_error *error);

#endif
