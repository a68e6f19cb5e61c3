/* The books of what connections were used for, and the samples that the policies get of them. */
#ifndef PQR_ROUTER_ELASTIC_H
#define PQR_ROUTER_ELASTIC_H

#include "router/backend.h"

void pqr__elastic_init(struct pqr__backend *backend);
/* The configuration may be another one. */
void pqr__elastic_tune(struct pqr__backend *backend);
/* A connection is about to change its state. */
void pqr__elastic_moved(struct pqr__backend *backend, enum pqr__slot_state from, enum pqr__slot_state to);
/* Completes the books up to now. */
void pqr__elastic_book(struct pqr__backend *backend);
void pqr__elastic_connected(struct pqr__backend *backend, uint64_t took_us);
/* A connect failed: sqlstate "": not by the server's word. */
void pqr__elastic_refused(struct pqr__backend *backend, const char *sqlstate);
/* Members and others of this role. */
uint32_t pqr__elastic_servers(const pqr_router *router, pqr_role role);
/* A connection in this state is used for somebody: what the router asks for itself, the catalog, is no demand. */
bool pqr__elastic_counts(enum pqr__slot_state state);
/* Its part of the requests that wait. */
uint32_t pqr__elastic_waiting(const struct pqr__backend *backend);
/* The sizes are looked at soon; sooner when somebody waits. */
void pqr__elastic_wake(pqr_router *router, bool waiting);
void pqr__elastic_due(struct pqr__timer *timer);
/* Why it has the size that it has, for people. */
void pqr__elastic_explain(const struct pqr__backend *backend, char *out, size_t size);

#endif
