/* Simulated PostgreSQL servers: their roles and conditions, and the backends that execute flights, item after item,
   each after its service time. A backend outlives its client's connection, as a real one does: it finishes what it
   was given, and only then sees that nobody listens, unless its server looks for that meanwhile. */
#ifndef SIM_SERVER_H
#define SIM_SERVER_H

#include "base/list.h"
#include "kept.h"
#include "ledger.h"
#include "transport/transport.h"

enum { SIM_MAX_SERVERS = 4, SIM_MAX_PENDING = 64 };

enum sim_condition {
    SIM_UP,
    SIM_ABSENT,    /* nobody listens */
    SIM_REFUSING,  /* connects are answered with an error */
    SIM_BLACKHOLE, /* connects are not answered */
};

struct sim_server {
    struct sim_world *world;
    struct sim_ledger *ledger;
    uint32_t index;
    enum sim_condition condition;
    char sqlstate[6]; /* of the refusal */
    bool frozen;      /* all processes stopped: nothing is answered */
    bool in_recovery;
    uint32_t timeline;
    uint64_t lsn, began_lsn;     /* began: of its timeline */
    struct sim_server *upstream; /* of a replica; NULL: none */
    uint64_t system_identifier;
    bool foreign; /* of another cluster than the others */
    unsigned starts;
    uint32_t max_backends, next_pid;
    struct pqr__list backends;
    uint64_t latency_us, connect_us;
    unsigned slowness; /* service times are multiplied with it */
    uint64_t check_us; /* how often a backend that runs something looks for its client; 0: never */
    bool closes;       /* clients give up what is prepared by Close, not by DEALLOCATE */
    uint64_t calm_us;  /* since when nothing was done to it */
};

/* A statement as a server got it. */
struct sim_statement {
    struct pqr__item *item; /* the client's, to name it in answers; never looked into */
    enum pqr__own own;
    struct sim_entry *entry;
    uint32_t cancel_pid;
    bool read_only, serializable; /* BEGIN */
    bool in_parts;                /* its rows are to come so */
    struct sim_way way;
};

struct sim_job {
    struct pqr__link link;
    struct pqr__flight *flight; /* the client's, to name it in answers; never looked into */
    uint64_t arrives_us;
    uint32_t n_items;
    struct sim_statement items[];
};

enum sim_backend_state {
    SIM_IDLE,      /* waits for what is on its way, if anything is */
    SIM_EXECUTING, /* an item; a cancel ends it */
    SIM_SYNCING,   /* past the last item: commits; a cancel comes too late */
};

struct sim_backend {
    struct sim_server *server;
    struct pqr__conn *conn; /* NULL: nobody listens any more */
    struct pqr__conn *left; /* which has ended, and waits for this session's end; NULL: nobody does */
    bool forsaken;          /* nobody waits, though it goes on: it is in no limit */
    struct pqr__link link;
    uint32_t pid;
    uint64_t started_us;
    enum sim_backend_state state;
    struct pqr__list jobs; /* first: the one that is executed */
    struct sim_alarm alarm, check;
    bool stopped;    /* this process alone, for ever */
    bool stalled;    /* its alarm came while the server was frozen */
    uint64_t eof_us; /* when it sees that the client is gone; 0: it is not */
    uint32_t item;
    unsigned parts_made, parts_left; /* of the item that is executed */
    uint64_t slice_us;               /* between them */
    bool ends;                       /* by itself */
    struct sim_kept kept;
    enum sim_kept_end kept_end; /* of the item that is executed */
    const char *unfit;          /* the error that keeps it from running; NULL: it runs */
    bool aborted;
    enum pqr__tx_status tx;
    bool read_only; /* the transaction */
    struct sim_entry *pending[SIM_MAX_PENDING];
    size_t n_pending;
};

void sim_server_init(
    struct sim_server *server, struct sim_world *world, struct sim_ledger *ledger, uint32_t index);
void sim_server_finish(struct sim_server *server);
/* All that was put off while it was frozen goes on. */
void sim_server_thaw(struct sim_server *server);
/* Every backend dies, in the middle of whatever it does. */
void sim_server_crash(struct sim_server *server);
/* Anything was done to it: promises about undisturbed servers start anew. */
void sim_server_disturbed(struct sim_server *server);

struct sim_backend *sim_backend_start(struct sim_server *server, struct pqr__conn *conn);
/* The job is the backend's now. */
void sim_backend_take(struct sim_backend *backend, struct sim_job *job);
/* The client is gone: what was received is finished, then the backend ends. reset: what was not begun is lost. */
void sim_backend_abandoned(struct sim_backend *backend, bool reset);
/* What is kept prepared there is of no use any more. */
void sim_server_migrated(struct sim_server *server);
/* Dies at once. politely: with a FATAL 57P01 before (pg_terminate_backend). */
void sim_backend_die(struct sim_backend *backend, bool politely);
/* execute.c. NULL, or the SQLSTATE of what went wrong. */
const char *sim_backend_execute(
    struct sim_backend *backend, const struct sim_statement *item, struct pg_result **result);
/* What it wrote is committed, or refused by the SQLSTATE and rolled back. */
const char *sim_backend_commit(struct sim_backend *backend);
void sim_backend_resolve(struct sim_backend *backend, bool commit);
/* A cancel request for a process has arrived. */
bool sim_server_cancel(struct sim_server *server, uint32_t pid);

#endif
