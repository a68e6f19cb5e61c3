#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "batches.h"

/* In the order of the queries, the whole last. */
static void in_order(struct answer *answer, pqr_reply *reply)
{
    struct batch *batch = answer->data;
    (void)reply;
    assert_ptr_equal(answer, batch->told < batch->n ? batch->answers[batch->told] : batch->done);
    batch->told++;
}

static int call(struct app *app, struct batch *batch)
{
    pqr_query queries[BATCH_MOST];
    pqr_batch_query list[BATCH_MOST];
    for (batch->n = 0; batch->sql[batch->n]; batch->n++) {
        pqr_query *query = &queries[batch->n];
        *query = (pqr_query)PQR_QUERY_INIT;
        if (*batch->sql[batch->n])
            query->sql = batch->sql[batch->n];
        else
            query->statement = batch->statement;
        batch->answers[batch->n] = app_answer(app);
        list[batch->n] = (pqr_batch_query){query, app_on_reply, batch->answers[batch->n]};
    }
    batch->done = app_answer(app);
    batch->options.struct_size = sizeof(batch->options);
    return pqr_batch_run(
        &batch->done->id, app->router, &batch->options, list, batch->n, app_on_reply, batch->done);
}

void batch_start(struct app *app, struct batch *batch)
{
    int status = call(app, batch);
    for (unsigned i = 0; i < batch->n; i++)
        app_accepted(batch->answers[i], status);
    app_accepted(batch->done, status);
}

void batch_send(struct app *app, struct batch *batch)
{
    batch_start(app, batch);
    for (unsigned i = 0; i <= batch->n; i++) {
        struct answer *answer = i < batch->n ? batch->answers[i] : batch->done;
        answer->data = batch;
        answer->then = in_order;
    }
}

void batch_run(struct app *app, struct batch *batch)
{
    batch_send(app, batch);
    app_wait(batch->done);
    assert_int_equal(batch->told, batch->n + 1);
}

void batch_assert_all(const struct batch *batch, pqr_status status, pqr_outcome outcome)
{
    for (unsigned i = 0; i < batch->n; i++)
        assert_ended(batch->answers[i], status, outcome);
    assert_ended(batch->done, status, outcome);
}
