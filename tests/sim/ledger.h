/* The ledger: one entry an application statement, found again by the number (nonce) in its text, or in its first
   parameter where the text is one of those that come again. It knows what the statement is, what will become of it, and
   what the servers did with it, whatever the router says. */
#ifndef SIM_LEDGER_H
#define SIM_LEDGER_H

#include "world.h"

enum sim_kind {
    SIM_READ,      /* harmless: any server */
    SIM_LOCK_READ, /* a read for the primary alone */
    SIM_WRITE,     /* rolls back whole */
    SIM_FUNCTION,  /* select f(n), which writes */
    SIM_HIDDEN,    /* the same, with a comment that sends it to a replica */
    SIM_SEVERAL,   /* two statements in one string */
    SIM_CALL,      /* may have committed when it fails */
    SIM_ODD,       /* nobody knows the command but the server */
    SIM_SESSION,   /* leaves state: only within a transaction */
    SIM_COPY,      /* never sent */
    SIM_CONTROL,   /* never sent */
    SIM_RESCUE,    /* rollback to savepoint: a failed transaction goes on */
    SIM_KINDS
};

enum sim_fate {
    SIM_FINE,
    SIM_BAD,        /* fails with 23505 */
    SIM_DEFERRED,   /* fails at its Sync or COMMIT, after it answered with success */
    SIM_CONFLICT,   /* 40001, the first time */
    SIM_ENDLESS,    /* runs until it is cancelled */
    SIM_STUCK,      /* runs for ever, cancelled or not */
    SIM_NO_STANDBY, /* a read that a standby refuses */
    SIM_ENDS_TX,    /* commits the transaction it is in */
    SIM_HALF,       /* a CALL that commits and then fails */
};

/* Who a statement belongs to: one request, or one attempt at a transaction. */
struct sim_owner {
    bool transaction;
    bool commit_sent, commit_failed; /* failed: the server said so */
    bool missing;                    /* a statement ended before it was sent */
    bool shown;                      /* the application has seen an answer that forbids to begin it again */
};

struct sim_text;

struct sim_entry {
    uint64_t nonce;
    enum sim_kind kind;
    enum sim_fate fate;
    uint64_t service_us;
    char text[120];
    struct sim_text *of; /* one of those that come again; NULL: a text of its own */
    int n_params;
    bool familiar;    /* its text has come so often before that the router knows it */
    bool other_types; /* than the text's parameters mostly have */

    struct sim_owner *owner;
    const void *batch; /* that it is of; NULL: none */
    bool causal;       /* it is after a token */
    bool in_tx, idempotent, alone, pipelined, in_parts, replica_allowed, answered;
    bool given_up;        /* by the application: it was cancelled */
    uint64_t deadline_us; /* of its request */

    /* The client's end, kept by checks.c. */
    unsigned sends, asked; /* asked: the number of that before which a standby was asked how far it is */
    bool in_air, may_have_run;
    bool final;       /* the last answer: nothing can take it back, though its flight goes on */
    bool answer_seen; /* one that proves that it had no effect */
    uint64_t sent_us;
    const void *conn; /* of the last send */
    bool sent_to_standby;
    bool proven;         /* at the last send its text had a clean history */
    bool apart;          /* its neighbours brought harm upon it: flies alone from then on */
    bool stale;          /* the last answer: what was kept prepared of it is of no use */
    bool aborted;        /* the last answer: it did not run */
    char sqlstate[6];    /* the same: its error, or "" */
    unsigned parts_told; /* at the wire, of the last send */
    unsigned parts_seen; /* by the application */

    /* The servers' end. */
    unsigned tries;
    unsigned pending, committed, rolled_back, reads;
    uint64_t commit_lsn; /* where its commit was; 0: it was not, or not with others */
    uint32_t commit_timeline;
};

struct sim_ledger {
    struct sim_entry **entries;
    size_t count, capacity;
};

struct sim_entry *sim_ledger_add(struct sim_ledger *ledger, enum sim_kind kind, enum sim_fate fate);
/* Of a text that comes again. */
struct sim_entry *sim_ledger_add_text(struct sim_ledger *ledger, struct sim_text *text, enum sim_fate fate);
/* By the first number of seven digits or more in a text, else in the first parameter (may be NULL); NULL when there is
   none that we gave out. */
struct sim_entry *sim_ledger_find(const struct sim_ledger *ledger, const char *sql, const char *parameter);
void sim_ledger_finish(struct sim_ledger *ledger);

/* What parameter number i of a statement is: written to out, or NULL; and its type. */
const char *sim_entry_value(const struct sim_entry *entry, int i, char *out, size_t size);
unsigned sim_entry_type(const struct sim_entry *entry, int i);

bool sim_kind_writes(enum sim_kind kind);
const char *sim_kind_name(enum sim_kind kind);

#endif
