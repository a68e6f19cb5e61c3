/* Between the load and its books. */
#ifndef PQR_TESTS_CHAOS_LOAD_H
#define PQR_TESTS_CHAOS_LOAD_H

#include "chaos.h"

/* Those before INSERT write nothing. */
enum kind { READ, FAILING, PARTS, INSERT, SLOW_INSERT, TRANSACTION, BATCH, KINDS };
extern const char *const kind_names[KINDS];

struct unit {
    uint8_t kind, steps, calls;
    bool rolls_back; /* by its own wish */
    bool own;        /* it reads what its client wrote last */
    pqr_status status;
    pqr_outcome outcome;
    uint32_t first; /* its rows' numbers begin here */
    unsigned client;
    unsigned shown; /* rows, in parts */
    pqr_request_id id;
};

/* With so many rows of its own to write. */
struct unit *books_new(unsigned client, enum kind kind, unsigned steps);
/* A part of its rows. */
void books_show(struct unit *unit, const pqr_reply *part);
/* Its answer. */
void books_close(struct unit *unit, const pqr_reply *reply);

#endif
