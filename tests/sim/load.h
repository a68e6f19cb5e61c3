/* The application: requests and transactions at random, more of them from inside callbacks, cancels, closing; and
   what it was promised about each, checked at its callback and once more when all is over. */
#ifndef SIM_LOAD_H
#define SIM_LOAD_H

#include "checks.h"
#include "texts.h"

enum { SIM_MAX_TOKENS = 8, SIM_MAX_ATTEMPTS = 8, SIM_MAX_STATEMENTS = 6, SIM_MAX_BATCH = 10 };

struct sim_request {
    struct sim_load *load;
    struct pqr__link link; /* among those not answered */
    struct sim_owner owner;
    struct sim_entry *entry;     /* of a query */
    struct sim_attempt *attempt; /* of a query in a transaction */
    struct sim_tx *tx;           /* of a transaction as a whole */
    struct sim_batch *of_batch;  /* of a query in a batch, and of a batch as a whole */
    pqr_request_id id;
    bool admin, batch, queued; /* queued: it may wait in the router's queue */
    bool needs_replica;
    bool must_succeed;
    bool enough; /* it said so to a part */
    bool wants_token;
    pqr_token after; /* zeros: none */
    uint64_t accepted_us, deadline_us, cancelled_us, answered_us, waiting_us;
    unsigned callbacks;
    pqr_status status;
    pqr_outcome outcome;
};

struct sim_attempt {
    struct sim_owner owner; /* first */
    struct sim_tx *tx;
    unsigned number;
    unsigned plan_statements; /* yet to come */
    bool chained, commits, ends;
    struct sim_request *statements[SIM_MAX_STATEMENTS];
    unsigned n_statements, n_open;
    bool commit_asked, rollback_asked, failed;
};

struct sim_tx {
    struct sim_request *request;
    pqr_tx *handle; /* NULL: not valid */
    bool read_only, on_replica;
    struct sim_attempt *attempts[SIM_MAX_ATTEMPTS];
    unsigned n_attempts, max_attempts;
};

struct sim_batch {
    struct sim_owner owner;
    struct sim_load *load;
    struct sim_request *lead, *queries[SIM_MAX_BATCH];
    unsigned n;
    bool whole; /* one transaction */
};

struct sim_load {
    struct sim_world *world;
    struct sim_checks *checks;
    struct sim_ledger *ledger;
    const struct pqr_config *config;
    pqr_router *router; /* NULL: gone */
    struct sim_request **requests;
    size_t n_requests, capacity;
    struct pqr__list open;
    struct sim_texts texts;
    unsigned repeats; /* of a thousand requests, so many are of a text that comes again */
    unsigned bursts;  /* of a thousand actions that send a request, so many send several */
    unsigned streams; /* of a thousand requests and statements, so many have their rows in parts */
    unsigned causal;  /* of a thousand requests, so many ask for a token, and so many are after one */
    pqr_token tokens[SIM_MAX_TOKENS]; /* the last ones that came */
    unsigned n_tokens;
    unsigned units; /* of a thousand actions that send one request, so many send a transaction or a batch */
    struct sim_alarm tick, close;
    uint64_t interval_us, delay_us; /* between ticks, before the first */
    unsigned budget, proofs, close_chance, ready_calls, ready_callbacks;
    unsigned standbys;   /* that will be there when all is well again */
    bool keeps_open;     /* each server has a connection without being asked */
    uint64_t closing_us; /* 0: not */
    uint64_t drain_us;
    uint64_t admin_us; /* since when an administrator's request could have been served */
    bool closed, memory_fails;
    bool siege; /* every normal request runs for ever, an administrator's does not */
};

void sim_load_init(struct sim_load *load, struct sim_world *world, struct sim_checks *checks,
    struct sim_ledger *ledger, const struct pqr_config *config);
void sim_load_start(struct sim_load *load, pqr_router *router);
/* Promises 1, 7 and 8, and deadlines; `quiet_us`: since when the one primary has been undisturbed and able,
   UINT64_MAX: it is not. */
void sim_load_step(struct sim_load *load, uint64_t quiet_us);
/* How long an administrator's request may wait at most. */
uint64_t sim_load_patience_us(const struct pqr_config *config);
/* No more requests; those that run are cancelled. */
void sim_load_calm(struct sim_load *load);
/* The router has to say that it is ready. */
void sim_load_prove_ready(struct sim_load *load);
/* A read, a write and an administrator's write that have to succeed. */
void sim_load_prove_life(struct sim_load *load);
void sim_load_close(struct sim_load *load);
/* Everything is over: each callback once, no outcome belied by what happened later. */
void sim_load_verify(struct sim_load *load);
void sim_load_finish(struct sim_load *load);

/* --- Between load.c, draw.c, load_tx.c and verify.c --- */

struct sim_request *sim_request_new(struct sim_load *load);
enum sim_fate sim_fate_random(struct sim_load *load, enum sim_kind kind, bool admin);
/* A kind and a fate at random; tx: of a statement in it, or NULL. */
struct sim_entry *sim_entry_random(struct sim_load *load, bool admin, const struct sim_tx *tx);
uint32_t sim_timeout_random(const struct sim_load *load);
/* Runs what an application may do at any moment, from inside callbacks too. */
void sim_load_act(struct sim_load *load);
/* Several transactions at once. */
void sim_load_rush(struct sim_load *load);
void sim_request_accepted(struct sim_request *request, uint32_t timeout_ms);
/* A query's inputs, in memory of their own that is gone when the call has returned. */
struct sim_inputs {
    char *sql, *values[4];
    Oid types[4];
    int lengths[4], formats[4];
};
void sim_inputs_init(struct sim_inputs *inputs, pqr_query *query, const struct sim_entry *entry);
void sim_inputs_finish(struct sim_inputs *inputs);
/* At times its rows are to come in parts. */
void sim_parts_random(struct sim_request *request, pqr_query *query);
/* At times it asks for a token, or is after one. */
void sim_token_random(struct sim_request *request, uint32_t *flags, const pqr_token **after);
/* Promise 6: a token lies behind what was committed; a read does not see less than what it is after. */
void sim_verify_token(const struct sim_request *request, const pqr_reply *reply);
void sim_verify_after(const struct sim_load *load, const pqr_token *after, const pqr_reply *reply);
/* Cancelled, or told that it is enough. */
void sim_request_given_up(struct sim_request *request);
/* What every callback does first. */
void sim_request_answered(struct sim_request *request, pqr_reply *reply);
void sim_tx_random(struct sim_load *load);
void sim_batch_random(struct sim_load *load);
void sim_verify_batch(const struct sim_batch *batch);
/* Something on an open transaction, from outside of its callbacks. */
void sim_tx_poke(struct sim_load *load);
void sim_verify_part(struct sim_request *request, const pqr_reply *part);
void sim_verify_query(struct sim_request *request, const pqr_reply *reply);
void sim_verify_tx(struct sim_request *request);

#endif
