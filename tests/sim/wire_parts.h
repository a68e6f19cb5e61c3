/* What the files of the wire have in common. */
#ifndef SIM_WIRE_PARTS_H
#define SIM_WIRE_PARTS_H

#include "wire.h"

struct sim_wire *sim_wire_of(struct pqr__transport *transport);
const struct pqr__transport_events *sim_events_of(const struct pqr__conn *conn);

/* wire_connect.c */
int sim_wire_connect(struct pqr__transport *transport, uint32_t number, uint64_t timeout_us, void *context,
    struct pqr__conn **out);

/* wire_events.c. What is under way to the router is dropped, and the backend abandoned. */
void sim_conn_begin_end(struct pqr__conn *conn);
/* What flew is told now, that the connection has ended a little later, and that it is closed when its session is over.
   An alarm's. */
void sim_conn_settle_then_end(void *conn);
/* A connect that was given up is closed some time, as the server likes. */
void sim_conn_linger(struct pqr__conn *conn);
/* Closed as soon as it has ended. */
void sim_conn_abandon(struct pqr__conn *conn);
void sim_conn_free(struct pqr__conn *conn);
/* sim_wire_hurt as an alarm's. */
void sim_conn_hurt(void *conn);

/* wire_result.c */
const char *sim_result_value(const struct pg_result *result, int row, int column);
const char *sim_result_tag(const struct pg_result *result);

#endif
