/* What is wrong with a configuration, collected so that people see all of it in one go. */
#ifndef PQR_CONFIG_PROBLEM_H
#define PQR_CONFIG_PROBLEM_H

#include "pqrouter.h"

struct pqr__problem {
    uint32_t line; /* of the expanded text (config/document.h); 0: no line */
    uint32_t order;
    char *text;
};

struct pqr__problems {
    struct pqr__problem *list;
    uint32_t count, capacity;
    uint32_t unkept; /* beyond what is worth keeping */
    bool failed;     /* no memory for one of them */
};

/* Never to be given text of a connection string or of init SQL: it may hold a secret. */
void pqr__problem_add(struct pqr__problems *problems, uint32_t line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

struct pqr__document;
/* Writes them to error, in the order of the lines, each as "file:line: text"; what does not fit is counted in
   the last line. error may be NULL. Answers PQR_ECONFIG. */
int pqr__problems_report(
    struct pqr__problems *problems, const struct pqr__document *document, pqr_error *error);

void pqr__problems_finish(struct pqr__problems *problems);

#endif
