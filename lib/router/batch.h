/* pqr_batch_run: queries that go out as one. The lead is the request that waits, is bound to a connection and is told
 * last; the queries are requests too, bound to it. Of a transaction (`whole`) the lead's flight holds BEGIN (the lead's
 * own item), the queries and COMMIT, and all are told when it is settled. Of queries alone (`plain`) neither BEGIN nor
 * COMMIT is sent: what comes before a Sync is one implicit transaction, which the Sync commits (manual, 55.2.3 and
 * 34.5.1.3), and the server has two statements less to run. Harmless reads are sent as flights of their own, behind one
 * another; from then on each is a request like any other, and the lead waits for the last.
 */
#ifndef PQR_ROUTER_BATCH_H
#define PQR_ROUTER_BATCH_H

#include "policy/settle_unit.h"
#include "router/router.h"

struct pqr__batch {
    struct pqr_reply *lead;
    bool whole;     /* one transaction */
    bool plain;     /* which needs no BEGIN */
    bool implicit;  /* and was sent without one */
    bool scattered; /* reads that are on their way, each for itself */
    pqr_isolation isolation;
    unsigned max_attempts;
    struct pqr__item commit; /* and its answer: */
    enum pqr__reply_kind commit_reply;
    bool committed;
    char commit_sqlstate[6];
    char commit_error[200];
    uint64_t bytes;      /* of all, at most, as libpq will have to keep them */
    uint32_t n, open;    /* queries, and those that are not told yet */
    uint32_t failed;     /* the first that went wrong; n: none */
    enum pqr__fate fate; /* of a transaction, when it was last sent */
    pqr_status worst;    /* of reads: what the first that went wrong was told */
    pqr_outcome worst_outcome;
    struct pqr__batch *next;     /* of those of no use */
    uint32_t room;               /* for queries */
    struct pqr_reply *queries[]; /* NULL: told */
};

static inline bool pqr__batch_leads(const struct pqr_reply *request)
{
    return request->batch && request->batch->lead == request;
}

/* By the verdicts of its queries: where it goes, and whether it is a transaction. */
void pqr__batch_judge(struct pqr__batch *batch);
/* A text may mean something else now. */
void pqr__batch_reclassify(struct pqr__batch *batch);
/* The lead is answered: so is everybody who is not yet. Its status, outcome and error are set. */
void pqr__batch_tell(struct pqr__batch *batch);
/* One of the queries is answered. */
void pqr__batch_told(struct pqr_reply *query);
/* Before it is run again. */
void pqr__batch_forget(struct pqr__batch *batch);
/* Its reads are to end, wherever they are: the lead's cause is set. */
void pqr__batch_end(struct pqr__batch *batch);
/* Memory for one of n queries, all zero; NULL: there is none. */
struct pqr__batch *pqr__batch_take(pqr_router *router, size_t n);
/* Gives it back; its queries were never accepted. */
void pqr__batch_put(pqr_router *router, struct pqr__batch *batch);
/* The same of one whose queries are told, before its lead is. */
void pqr__batch_free(struct pqr__batch *batch);
void pqr__batch_store_finish(struct pqr__batch_store *store);

/* --- batch_fly.c --- */
/* Sends it, on a connection that nothing flies on. */
void pqr__batch_fly(struct pqr__batch *batch, struct pqr__slot *slot);
/* It has the notices of this query, too: those of the commit can't be told from them. */
bool pqr__batch_hears(const struct pqr__batch *batch, const struct pqr_reply *query);
/* The answer to its COMMIT, or an error of the Sync that stands for it. */
void pqr__batch_committed(struct pqr__batch *batch, const struct pqr__answer *answer);
/* Its flight is over: what became of it is written into the lead as the reply to one statement, and told by *settled
   as far as a lost connection may be left out of account. */
void pqr__batch_settle(struct pqr__batch *batch, struct pqr__settled *settled);

#endif
