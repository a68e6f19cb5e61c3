/* The promises of the design that can be seen at the wire and at the callbacks, checked as things happen. What is
   counted here is counted from the events alone, never from the router's own books. */
#ifndef SIM_CHECKS_H
#define SIM_CHECKS_H

#include "config/config.h"
#include "wire.h"

enum { SIM_MAX_NUMBERS = 200, SIM_MAX_TYPES = 8, SIM_MAX_IN_AIR = 1000 };

/* How often what is checked has occurred. */
struct sim_flights {
    uint64_t groups, members, largest; /* several under one Sync */
    uint64_t on_primary, mixed;        /* groups there; groups of several texts */
    uint64_t behind;                   /* flights that were sent while another was in the air */
    uint64_t wholes, batches,
        batches_ok;               /* transactions sent as one; batches answered; of them such and ok */
    uint64_t implicit;            /* of those sent as one: without BEGIN and COMMIT */
    uint64_t begins, begun_again; /* statements sent with their transaction's BEGIN; once more */
    uint64_t refused;             /* of those, for BEGIN was */
    uint64_t hit;                 /* by the cancel of a neighbour */
    uint64_t writes_behind;       /* of them, writes */
    uint64_t aborted, apart;      /* members that did not run for a neighbour's sake; that ran again, alone */
    uint64_t prepared, by_name, stale; /* statements kept; sent so; that turned out to be of no use */
    uint64_t stale_writes, stale_in_group, stale_in_tx;
    uint64_t parts, in_parts;         /* shown; requests of which one was */
    uint64_t enough;                  /* of those, said so */
    uint64_t tokens, asked;           /* that came with a reply; sent behind or after a commit */
    uint64_t after, after_on_standby; /* reads that were to be after one, and were answered */
    uint64_t checked, missed;         /* standbys asked; that said no, and the read was sent again */
    uint64_t parts_lost, parts_again; /* lost behind a part; before the first, and run again */
};

struct sim_checks {
    struct sim_world *world;
    struct sim_flights flights;
    const struct sim_ledger *ledger;
    const struct pqr_config *config;
    uint32_t connections[SIM_MAX_SERVERS];
    uint32_t total;
    struct {
        uint64_t number;
        char sql[120];
        int n_params;
        unsigned types[SIM_MAX_TYPES];
    } statements[SIM_MAX_NUMBERS]; /* that the router gave numbers to */
    unsigned n_statements;
    struct {
        const struct pqr__flight *flight;
        uint64_t sum; /* of what it points to */
    } in_air[SIM_MAX_IN_AIR];
    unsigned n_in_air;
    uint32_t highest_timeline; /* that a probe told */
    unsigned in_call;          /* public functions of pqrouter being called */
};

/* Promise 3. */
void sim_check_connect(struct sim_checks *checks, const struct pqr__conn *conn);
void sim_check_gone(struct sim_checks *checks, const struct pqr__conn *conn);
/* Promises 2 and 4. Entries: what the flight's items are in the ledger. */
void sim_check_send(struct sim_checks *checks, struct pqr__conn *conn, const struct pqr__flight *flight);
void sim_check_item(struct sim_checks *checks, struct pqr__conn *conn, const struct pqr__flight *flight,
    const struct pqr__item *item, const struct pqr__answer *answer);
void sim_check_part(struct sim_checks *checks, const struct pqr__conn *conn, const struct pqr__flight *flight,
    const struct pqr__item *item, const struct pg_result *part);
void sim_check_settled(struct sim_checks *checks, struct pqr__conn *conn, const struct pqr__flight *flight,
    bool lost, enum pqr__tx_status tx);
/* The sender's memory: as it was when it was sent. */
void sim_check_memory_sent(struct sim_checks *checks, const struct pqr__flight *flight);
void sim_check_memory_settled(struct sim_checks *checks, const struct pqr__flight *flight);
/* Who shares a connection with whom. */
void sim_check_company(struct sim_checks *checks, struct pqr__conn *conn, const struct pqr__flight *flight);
/* A number means one text with these types. */
void sim_check_statement(struct sim_checks *checks, const struct pqr__item *item);
void sim_check_way(struct sim_checks *checks, enum pqr__prepared_how how);
/* Promise 8: so many does a backend keep. */
void sim_check_kept(const struct sim_checks *checks, unsigned count);
/* Promise 1, one half: no callback from inside a call. */
void sim_check_callback(const struct sim_checks *checks);

/* A transaction's BEGIN and its first statement. */
bool sim_is_opening(const struct pqr__flight *flight);
/* A transaction that is sent as one: BEGIN, statements and COMMIT; or the statements alone, which its Sync commits. */
bool sim_is_whole(const struct sim_checks *checks, const struct pqr__flight *flight);
/* The last in its air ends a transaction. */
bool sim_is_committing(const struct sim_checks *checks, const struct pqr__conn *conn);
bool sim_is_implicit(const struct sim_checks *checks, const struct pqr__flight *flight);

/* --- Between checks.c, checks_flights.c and checks_prepared.c --- */

/* NULL: one of the router's own. */
struct sim_entry *sim_check_entry(const struct sim_checks *checks, const struct pqr__item *item);
bool sim_is_proven(const struct sim_entry *entry);
bool sim_is_ended(const struct sim_checks *checks, const struct sim_entry *entry);
/* After its answer: what its neighbours did to it. */
void sim_check_harm(struct sim_checks *checks, struct sim_entry *entry);
void sim_check_history(const struct sim_checks *checks, const struct sim_entry *entry, bool lost);
void sim_check_stale(struct sim_checks *checks, struct sim_entry *entry, bool in_group);

#endif
