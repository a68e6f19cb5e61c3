/* What one connection's server keeps prepared: numbers of statements, bounded, the least recently used makes room.
 * No libpq in here.
 *
 * Flights follow one another before the first is answered, and a flight that fails skips what comes after in it. The
 * books are exact all the same, by three rules: only one flight at a time prepares anything (the caller sees to it);
 * until that is answered only this flight itself uses the new name; and it never gives up a statement that it uses.
 * So an answer, in the order of sending, always finds the books as they were when it was sent, and what did not run
 * can be taken back.
 */
#ifndef PQR_POSTGRES_PREPARED_H
#define PQR_POSTGRES_PREPARED_H

#include <stdbool.h>
#include <stdint.h>

struct pqr__prepared_entry;

struct pqr__prepared {
    struct pqr__prepared_entry
        *entries; /* [0] is the head of the list by use; NULL: nothing was prepared yet */
    uint16_t *buckets;
    uint16_t capacity; /* of entries, the head included; a power of two, as many buckets */
    uint16_t free;     /* the first entry of no use, chained; 0: none */
    uint16_t count;
    uint16_t limit;  /* 0: nothing is ever prepared */
    uint8_t turn;    /* of the flight that is being sent */
    uint64_t latest; /* that it used last, and finds again without looking; 0: none */
};

enum pqr__prepared_how {
    PQR__PREPARED_TEXT,  /* send the text */
    PQR__PREPARED_NAME,  /* send the name */
    PQR__PREPARED_PARSE, /* prepare it under its name first */
};

void pqr__prepared_init(struct pqr__prepared *prepared, uint32_t limit);
void pqr__prepared_finish(struct pqr__prepared *prepared);

/* A flight is about to be sent. */
void pqr__prepared_next_flight(struct pqr__prepared *prepared);
/* How to send this statement in it. may_prepare: no earlier flight that prepares is in the air. *given_up: the
   statement to give up before that, 0: none. Never fails: without memory it is the text. */
enum pqr__prepared_how pqr__prepared_use(
    struct pqr__prepared *prepared, uint64_t statement, bool may_prepare, uint64_t *given_up);

/* The server says: prepared. */
void pqr__prepared_done(struct pqr__prepared *prepared, uint64_t statement);
/* It was not prepared. kept: what was to be given up for it, and was not; 0: nothing. */
void pqr__prepared_undone(struct pqr__prepared *prepared, uint64_t statement, uint64_t kept);
/* The server has something of this name that is of no use: it is replaced at the next use. */
void pqr__prepared_stale(struct pqr__prepared *prepared, uint64_t statement);
/* The server does not know the name. */
void pqr__prepared_lost(struct pqr__prepared *prepared, uint64_t statement);
/* The server has forgotten all that it had when it said so. */
void pqr__prepared_lost_all(struct pqr__prepared *prepared);

enum { PQR__PREPARED_NAME_SIZE = 4 + 20 + 1 };

/* "pqr_" and the number. */
void pqr__prepared_name(char name[PQR__PREPARED_NAME_SIZE], uint64_t statement);

#endif
