/* Servers of a configuration while they are made, and their end. */
#ifndef PQR_CONFIG_SERVERS_H
#define PQR_CONFIG_SERVERS_H

#include "config/config.h"
#include "config/conninfo.h"

/* Wipes and frees what it holds, however little that is. */
void pqr__server_config_finish(struct pqr__server_config *server);

#endif
