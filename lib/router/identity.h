/* What a connection is connected to. The same row answers a new connection's identity and a server's probe:
 * 0 system identifier, 1 in recovery ('t'/'f'), 2 LSN (insert LSN of a primary, replay LSN of a standby),
 * 3 timeline, 4 postmaster start, 5 backend pid, 6 backend start, 7 default_transaction_isolation,
 * 8 server_version_num. Times are seconds since 1970 as the server prints them: compared, never computed with.
 */
#ifndef PQR_ROUTER_IDENTITY_H
#define PQR_ROUTER_IDENTITY_H

#include "transport/transport.h"

struct pqr__identity {
    bool known;
    bool in_recovery;
    bool serializable; /* the default isolation: a standby refuses every statement then */
    uint64_t system_identifier;
    uint64_t lsn;
    uint32_t timeline;
    uint32_t server_version;
    uint32_t backend_pid;
    char postmaster_start[32];
    char backend_start[32];
};

extern const char pqr__identity_sql[];
/* $1 backend pid, $2 its start: cancels that backend if it is still the same. */
extern const char pqr__cancel_sql[];

/* $1: this router's name, which becomes the session's application_name; others are counted by theirs. One row:
   0 that name; 1 others, 2 of the same role, 3 of the same database, 4 named before this one; 5 max_connections,
   6 reserved for superusers, 7 and 8 connection limit of the role and of the database, negative: none. */
extern const char pqr__fleet_sql[];
/* What its application_name begins with. */
#define PQR__FLEET_PREFIX "pqrouter fleet "
struct pqr__fleet_count;
/* false: the row is not of that form. */
bool pqr__fleet_read(
    struct pqr__fleet_count *count, const struct pqr__transport_ops *ops, const struct pg_result *result);

/* Of the running server that the row is from: its system identifier and its postmaster's start, never 0. */
uint64_t pqr__identity_instance(const struct pqr__identity *identity);

/* false: the row is not of that form (identity is then left as it was). */
bool pqr__identity_read(
    struct pqr__identity *identity, const struct pqr__transport_ops *ops, const struct pg_result *result);

#endif
