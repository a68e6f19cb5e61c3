/* The transport of lib/postgres on a loop of its own, driven by a test: what the router would see is recorded.
   Whatever does not happen within 20 s ends the test's process. Needs the static library. */
#ifndef PQR_TESTS_RIG_H
#define PQR_TESTS_RIG_H

#include <stdbool.h>
#include <uv.h>

#include "config/config.h"
#include "transport/transport.h"

#define RIG_MS     UINT64_C(1000) /* in microseconds */
#define RIG_SECOND (1000 * RIG_MS)

struct rig {
    uv_loop_t loop;
    uv_timer_t guard;
    struct pqr_config *config;
    struct pqr__server_config server;
    struct pqr__transport *transport;
    unsigned timers;   /* how often the timer was due */
    char warning[400]; /* the last one in the log */
    bool down;
};

enum { PARTY_ANSWERS = 8 };

struct party_answer {
    enum pqr__answer_kind kind;
    bool stale, at_sync;
    char sqlstate[6];
    char message[200];
    char value[64]; /* row 0, column 0; "NULL" */
    char tag[32];
};

/* One connection, its one flight, or a few that follow one another. */
struct party {
    struct rig *rig;
    struct pqr__conn *conn;
    struct pqr__connect_info info;
    bool connected, refused, timeout, lingers, ended, closed, left;
    char sqlstate[6]; /* of a refusal or a loss */
    char message[1000];
    struct pqr__flight flight;
    struct pqr__flight row[PARTY_ANSWERS];
    struct pqr__item items[PARTY_ANSWERS];
    struct pqr__item *answered; /* the last one of the flight that is being answered */
    unsigned n_answers;
    struct party_answer answers[PARTY_ANSWERS];
    unsigned n_parts;
    int part_rows, largest_part; /* of all parts; of the one with the most */
    char last_part[64];          /* its last row, column 0 */
    int64_t affected;            /* as the last part told; -1: it did not */
    unsigned close_at_part;      /* the connection, inside the event of this one; 0: of none */
    bool closed_at_part;
    bool keep;                /* the next result */
    struct pg_result *result; /* the one kept, to be freed by the test */
    unsigned settled;         /* flights */
    struct pqr__settled facts;
    unsigned notices;
    pqr_notice notice; /* the last one */
    bool notice_in_flight;
    struct pqr__item *notice_item;
    bool close_on_notice;
    bool close_on_item;
    unsigned cancelled;
    bool delivered;
    char log
        [400]; /* of events, parts apart: c connected, r refused, i item, s settled, L settled as lost, n notice, x cancelled,
                      z closed */
};

/* conninfo: PQconninfoParse's; one host. callbacks may be NULL. */
void rig_open(struct rig *rig, const char *conninfo, const pqr_callbacks *callbacks);
/* The transport goes down, and nothing may be left on the loop. */
void rig_close(struct rig *rig);
/* Returns when no thread but this one is left, so that leak checkers at the process's end see none. */
void rig_end(void);
/* Turns the loop until *flag. */
void rig_until(struct rig *rig, const bool *flag);
void rig_until_count(struct rig *rig, const unsigned *count, unsigned at_least);

void party_connect(struct party *party, struct rig *rig, uint64_t timeout_us);
/* Connects, and waits until that is done. */
void party_join(struct party *party, struct rig *rig);
void party_send(struct party *party, enum pqr__flight_kind kind, unsigned n, const char *const *sql);
/* Sends the first n of party->items, which the test has filled in. */
void party_send_items(struct party *party, unsigned n);
/* One statement, and waits until it is settled. */
void party_run(struct party *party, const char *sql);
void party_run_simple(struct party *party, const char *sql);
/* Waits until it is refused, and for nothing that may be left of it at the server. */
void party_refused(struct party *party);
/* Closes and waits for closed. */
void party_leave(struct party *party);

#endif
