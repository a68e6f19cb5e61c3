/* The promises of the design that can be seen at the wire and at the callbacks, checked as things happen. What is
   counted here is counted from the events alone, never from the router's own books. */
#ifndef SIM_CHECKS_H
#define SIM_CHECKS_H

#include "config/config.h"
#include "wire.h"

/* How often what is checked has occurred. */
struct sim_flights {
    uint64_t groups, members, largest; /* several under one Sync */
    uint64_t on_primary, mixed;        /* groups there; groups of several texts */
    uint64_t behind;                   /* flights that were sent while another was in the air */
    uint64_t aborted, apart; /* members that did not run for a neighbour's sake; that ran again, alone */
};

struct sim_checks {
    struct sim_world *world;
    struct sim_flights flights;
    const struct sim_ledger *ledger;
    const struct pqr_config *config;
    uint32_t connections[SIM_MAX_SERVERS];
    uint32_t total;
    uint32_t highest_timeline; /* that a probe told */
    unsigned in_call;          /* public functions of pqrouter being called */
};

/* Promise 3. */
void sim_check_connect(struct sim_checks *checks, const struct pqr__conn *conn);
void sim_check_gone(struct sim_checks *checks, const struct pqr__conn *conn);
/* Promises 2 and 4. Entries: what the flight's items are in the ledger. */
void sim_check_send(struct sim_checks *checks, struct pqr__conn *conn, const struct pqr__flight *flight);
void sim_check_item(struct sim_checks *checks, struct pqr__conn *conn, const struct pqr__flight *flight,
    const struct pqr__item *item, enum pqr__answer_kind kind, const char *sqlstate,
    const struct pg_result *result);
void sim_check_settled(struct sim_checks *checks, struct pqr__conn *conn, const struct pqr__flight *flight,
    bool lost, enum pqr__tx_status tx);
/* Who shares a connection with whom. */
void sim_check_company(struct sim_checks *checks, struct pqr__conn *conn, const struct pqr__flight *flight);
/* Promise 1, one half: no callback from inside a call. */
void sim_check_callback(const struct sim_checks *checks);

/* --- Between checks.c and checks_flights.c --- */

/* NULL: one of the router's own. */
struct sim_entry *sim_check_entry(const struct sim_checks *checks, const struct pqr__item *item);
bool sim_is_proven(const struct sim_entry *entry);
bool sim_is_ended(const struct sim_checks *checks, const struct sim_entry *entry);
void sim_check_aborted(struct sim_checks *checks, struct sim_entry *entry);
void sim_check_history(const struct sim_checks *checks, const struct sim_entry *entry, bool lost, bool stale);

#endif
