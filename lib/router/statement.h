/* pqr_statement: a text that is run again and again, copied once and classified once. */
#ifndef PQR_ROUTER_STATEMENT_H
#define PQR_ROUTER_STATEMENT_H

#include "policy/memo.h"

struct pqr_statement {
    unsigned references; /* the application's, and each request's that runs it */
    size_t length;
    uint64_t generation; /* of the router's knowledge that the verdict comes from; 0: none yet */
    struct pqr__verdict verdict;
    char sql[];
};

/* One owner more; gives it back. */
struct pqr_statement *pqr__statement_ref(const struct pqr_statement *statement);

/* Its verdict by what a router knows now. */
void pqr__statement_classify(const struct pqr_statement *statement, struct pqr__verdict *out,
    struct pqr__memo *memo, const struct pqr__dialect *dialect);

#endif
