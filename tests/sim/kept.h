/* What a backend keeps prepared, and what becomes there of a statement that comes by its number, or is to be prepared
   under it. The client's books are the library's own (postgres/prepared); this is the server they are kept of. */
#ifndef SIM_KEPT_H
#define SIM_KEPT_H

#include "postgres/prepared.h"
#include "world.h"

enum { SIM_KEPT_MAX = 320 };

struct sim_kept {
    struct {
        uint64_t number;
        bool outdated; /* a definition changed: it can't be run any more */
        bool taken;    /* the application made it */
    } entries[SIM_KEPT_MAX];
    unsigned count;
};

/* How the client sent a statement. */
struct sim_way {
    enum pqr__prepared_how how;
    uint64_t number, given_up; /* given_up: before it is prepared; 0: none */
};

/* What the client may conclude for its books. */
enum sim_kept_end {
    SIM_KEPT_AS_IT_WAS,
    SIM_KEPT_PREPARED,
    SIM_KEPT_NOT_PREPARED, /* but what was to be given up for it is */
    SIM_KEPT_NOTHING_DONE,
    SIM_KEPT_TAKEN,       /* there is one of this name that we do not know of */
    SIM_KEPT_OLD_UNKNOWN, /* what was to be given up is not there */
    SIM_KEPT_UNKNOWN,
    SIM_KEPT_OUTDATED,
};

/* What travels with the answer. */
struct sim_kept_told {
    struct sim_way way;
    enum sim_kept_end end;
};

struct sim_kept_rules {
    bool closes;    /* given up by Close, which never fails; else by DEALLOCATE */
    bool in_failed; /* the transaction has failed */
    bool refuses;   /* the statement can't even be parsed */
};

/* Before a statement runs. NULL, or the SQLSTATE that it fails with unrun. */
const char *sim_kept_use(struct sim_kept *kept, const struct sim_way *way, const struct sim_kept_rules *rules,
    enum sim_kept_end *end);
/* DISCARD ALL, DEALLOCATE ALL. */
void sim_kept_forget(struct sim_kept *kept);
/* A definition changed, that all of them depend on. */
void sim_kept_outdate(struct sim_kept *kept);
/* The application prepares something of its own under this number's name. */
void sim_kept_take(struct sim_kept *kept, uint64_t number);
/* Of ours. */
unsigned sim_kept_count(const struct sim_kept *kept);

/* The client's books after an answer; true: its error only says that what was kept is of no use. */
bool sim_kept_book(struct pqr__prepared *books, const struct sim_way *way, enum sim_kept_end end);

#endif
