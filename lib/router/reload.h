/* Another configuration for a router that runs. */
#ifndef PQR_ROUTER_RELOAD_H
#define PQR_ROUTER_RELOAD_H

#include "router/router.h"

/* Carries out a reload that was asked for from the log callback, and gives up the places of servers that have left. */
void pqr__reload_advance(pqr_router *router);

#endif
