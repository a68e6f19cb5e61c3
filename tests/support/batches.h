/* A batch in a test, and what it was told. Needs cmocka's headers before it. */
#ifndef PQR_TESTS_BATCHES_H
#define PQR_TESTS_BATCHES_H

#include "app.h"

enum { BATCH_MOST = 8 };

struct batch {
    const char *const *sql;         /* ended by NULL */
    const pqr_statement *statement; /* instead of a text that is "" */
    pqr_batch_options options;
    unsigned n, told;
    struct answer *answers[BATCH_MOST], *done;
};

/* Accepted, not waited for; batch_send: its callbacks have to come in the order of the queries, the whole last. */
void batch_start(struct app *app, struct batch *batch);
void batch_send(struct app *app, struct batch *batch);
/* batch_send, and waits for the end. */
void batch_run(struct app *app, struct batch *batch);
/* Each query, and the whole, ended so. */
void batch_assert_all(const struct batch *batch, pqr_status status, pqr_outcome outcome);

#endif
