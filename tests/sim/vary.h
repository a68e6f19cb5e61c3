/* Configurations drawn from a seed. */
#ifndef SIM_VARY_H
#define SIM_VARY_H

#include <stdint.h>

#include "world.h"

struct pqr_config;

/* Seldom large. */
uint32_t sim_pick(struct sim_world *world, uint32_t low, uint32_t high);
/* *fewer: the same without its last server, left alone when that is the only one. Both are to be freed, even after an
   error: PQR_ENOMEM. */
int sim_vary(
    struct sim_world *world, uint32_t n_servers, struct pqr_config **config, struct pqr_config **fewer);

#endif
