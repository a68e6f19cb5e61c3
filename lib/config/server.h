/* One server of a configuration: its complete parameters for libpq, and its end. */
#ifndef PQR_CONFIG_SERVER_H
#define PQR_CONFIG_SERVER_H

#include "config/conninfo.h"
#include "config/draft.h"

/* What a connection string gives to each of its hosts. */
struct pqr__server_source {
    const struct pqr__draft *draft;
    const struct pqr__draft_entry *entry; /* of the list of servers; NULL: there is none */
    struct pqr__conninfo own;             /* what people wrote */
    struct pqr__conninfo resolved;        /* the same, with service file, environment and defaults */
};

/* host or hostaddr may be NULL, not both. number: of the host in its string, from 1; 0: it is the only one.
   0 or PQR_ENOMEM. */
int pqr__server_config_make(struct pqr__server_config *out, const struct pqr__server_source *source,
    const char *host, const char *hostaddr, const char *port, uint32_t number);

/* Wipes and frees what it holds, however little that is. */
void pqr__server_config_finish(struct pqr__server_config *server);

#endif
