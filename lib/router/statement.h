/* pqr_statement: a text that is run again and again, copied once and classified once. */
#ifndef PQR_ROUTER_STATEMENT_H
#define PQR_ROUTER_STATEMENT_H

#include "policy/known.h"

struct pqr_statement {
    unsigned references; /* the application's, and each request's that runs it */
    size_t length;
    uint64_t generation; /* of the table that known is from, when it was looked up; 0: it is not */
    struct pqr__known
        *known; /* what the router that ran it last knows of it; NULL: not run yet, or no memory */
    char sql[];
};

/* One owner more; gives it back. */
struct pqr_statement *pqr__statement_ref(const struct pqr_statement *statement);

/* Its verdict by what a router knows now. What is known of it, one more owner's, or NULL. */
struct pqr__known *pqr__statement_classify(const struct pqr_statement *statement, struct pqr__verdict *out,
    struct pqr__known_table *table, const struct pqr__dialect *dialect);

#endif
