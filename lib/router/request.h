/* One accepted request: a statement of its own, a transaction as a whole, or a statement in one. It is also the
 * reply that its callback sees. Requests come from, and return to, the router's store.
 */
#ifndef PQR_ROUTER_REQUEST_H
#define PQR_ROUTER_REQUEST_H

#include "policy/queue.h"
#include "policy/settle.h"
#include "router/timer.h"
#include "transport/transport.h"

/* XX(name, word) */
#define PQR__REQUEST_MAP(XX)                                                                         \
    XX(FREE, free)         /* those that were put back many at a time stay as they were: called */   \
    XX(ACCEPTED, accepted) /* on its way to a queue or a connection, or in its transaction's list */ \
    XX(QUEUED, queued)                                                                               \
    XX(FLYING, flying)                                                                               \
    XX(CANCELLING, cancelling)                                                                       \
    XX(HOLDING, holding)   /* a transaction that owns its connection; a batch whose reads fly */     \
    XX(BOUND, bound)       /* a query of a batch: goes and ends with that */                         \
    XX(AWAITING, awaiting) /* it went well, and its token is on its way */                           \
    XX(FINISHED, finished) /* answered in full, its callback is due */                               \
    XX(CALLED, called)     /* its callback runs, or has run while its flight goes on */

enum pqr__request_state {
#define XX(name, word) PQR__REQUEST_##name,
    PQR__REQUEST_MAP(XX)
#undef XX
        PQR__REQUEST_STATES
};

enum {
    PQR__NOTICES_KEPT = 4,
    PQR__ERROR_SIZE = 256, /* what is more of a text is cut off */
};

/* By what libpq has to keep of it until it is sent. */
enum pqr__bulk {
    PQR__BULK_SMALL,
    PQR__BULK_LARGE,    /* those behind it would wait for it: it shares no connection */
    PQR__BULK_SWELLING, /* libpq never gives that memory back: the connection is closed after it */
    PQR__BULK_REFUSED,  /* by any server: nothing of it was kept */
};

/* Why it shares no connection; 0: it may. */
enum {
    PQR__ALONE = 1, /* whatever its statement is: by what it is, or since with others it came to harm */
    PQR__ALONE_UNLESS_THERE = 2, /* it asks for a token's replica: unless the server is known to be there */
};

/* Of pqr_reply.flags, beside the public ones: its buffer has struct pqr__causal. */
#define PQR__CAUSAL (1u << 31)

#define PQR__SQLSTATE_TOO_LARGE "54000" /* program_limit_exceeded */

struct pqr__backend;
struct pqr__batch;
struct pqr__slot;
struct pqr_tx;

/* Of a request whose rows are read in parts; in its buffer. */
struct pqr__parts {
    pqr_rows_cb cb;
    int64_t affected; /* where a part told it; -1: none did */
    bool shown;       /* one reached the caller: it is never run again */
    bool withheld;    /* one came when it was to end, and did not */
};

/* Of a request that asks for a token, or is to be after one; in its buffer. */
struct pqr__causal {
    pqr_token after, token;   /* zeros: none */
    struct pqr__slot *awaits; /* where its token is being asked for; NULL: nowhere */
    bool checked;             /* a replica is being asked, or was, whether it is there */
    bool there;               /* and said so */
};

/* The public pqr_reply is this struct. */
struct pqr_reply {
    /* Set anew for each use, side by side: */
    struct pqr__queue_entry entry; /* its link: of the queue, of its slot's air, or of the free ones */
    enum pqr__cause cause;
    bool cancel_asked; /* from the log callback: the deadline is due for that */
    bool stale;        /* what its connection had prepared of it was of no use any more */
    bool shared;       /* the flight it is in has others */
    uint8_t alone;     /* PQR__ALONE... */
    bool uncertain;    /* an earlier attempt was lost, and may have taken effect */
    bool in_whole;     /* its time is that of a transaction that was sent as one */
    uint8_t bulk;      /* enum pqr__bulk */
    uint16_t unsent;   /* given to a connection that was gone: the server knows nothing of them */
    char sqlstate[6];
    struct pqr__slot *slot;   /* where it flies */
    struct pqr_tx *tx;        /* the transaction that it stands for, or is a statement of */
    struct pqr__batch *batch; /* that it leads, or is a query of until it is answered */
    struct pqr__known *known; /* of its text; NULL: nothing yet */
    struct pqr_statement
        *statement; /* whose text it runs, when there was no memory to know it by; else NULL */
    const char *label;
    struct pg_result *result;
    enum pqr__reply_kind reply;
    int n_notices;
    pqr_role route;
    uint32_t attempts; /* that were sent, or may have been */
    uint64_t sent_us, settled_us;
    uint64_t timeout_us; /* from accepted on; 0: none */

    pqr_router *router;
    uint64_t id;
    enum pqr__request_state state;
    uint32_t server;       /* where it was sent last; UINT32_MAX: nowhere */
    struct pqr__link link; /* of the router's finished ones, or its transaction's */
    struct pqr__timer deadline;
    struct pqr__flight flight; /* of the requests that begin with it */
    struct pqr__item item;
    struct pqr__verdict verdict;
    pqr_target target;
    uint32_t flags;
    uint32_t place; /* in its batch */
    pqr_reply_cb cb;
    void *data;
    char *buffer; /* the copied inputs, behind struct pqr__parts where it has that */
    size_t buffer_size;

    pqr_status status;
    pqr_outcome outcome;
    uint64_t accepted_us;
    pqr_notice *notices; /* PQR__NOTICES_KEPT of them, once there is one; NULL: none, or no memory for them */
    char *error;         /* NULL: nothing is to be said; see pqr__request_say */
};

struct pqr__request_store {
    struct pqr_reply **all; /* by the low bits of the id */
    struct pqr__link *free; /* of those the ones of no use, the latest first, each with the next behind it */
    uint32_t count, n_free, capacity;
};

/* Of batches those of no use, the latest first. */
struct pqr__batch_store {
    struct pqr__batch *free;
    uint32_t n_free;
};

/* --- input.c --- */
/* As most are: a statement, without formats, flags, a label and rows in parts; and nothing is wrong with it. */
bool pqr__query_is_plain(const pqr_query *query);
/* Checks what a caller gave: the query with every member set, which is made in room where it has fewer; NULL: it is not
   valid, and *flaw says why. */
const pqr_query *pqr__query_check(pqr_query *room, const pqr_query *query, const char **flaw);
/* Copies the text, which has that length, or holds the statement; the parameters, and the label; false: no memory. Of
   one that no server takes only the label, and entry.bytes is what its message would have. What is known of the text,
   and its number, are found already. */
bool pqr__request_copy(struct pqr_reply *request, const pqr_query *query, size_t length);
/* The same of a plain one that has its number. False: it has to be copied as any other, its buffer has no room for it,
   or much. */
bool pqr__request_copy_plain(struct pqr_reply *request, const pqr_query *query);
enum pqr__bulk pqr__bulk_of(uint64_t bytes);
/* Why what is too large is not sent. */
void pqr__request_explain_size(uint64_t bytes, char *out, size_t size);

/* --- request.c --- */
/* A request with its inputs copied, or NULL: no memory. query was checked. own: PQR__OWN_NONE, BEGIN or CATALOG. */
struct pqr_reply *pqr__request_new(
    pqr_router *router, const pqr_query *query, enum pqr__own own, pqr_reply_cb cb, void *data);
/* Its text and the types of its parameters may mean something else than when it was accepted. */
void pqr__request_classify(struct pqr_reply *request);
/* One that the application did not ask for: it is in no statistics. */
static inline bool pqr__request_is_own(const struct pqr_reply *request)
{
    return request->item.own == PQR__OWN_CATALOG;
}
/* Of the link of a queue, or of a slot's air. */
static inline struct pqr_reply *pqr__request_of(struct pqr__link *link)
{
    return pqr__container_of(link, struct pqr_reply, entry.link);
}
/* It may change something: all but harmless reads. */
static inline bool pqr__request_writes(const struct pqr_reply *request)
{
    return request->verdict.effect != PQR__EFFECT_READ;
}
/* Takes back one that pqr__request_new has just made. */
void pqr__request_discard(struct pqr_reply *request);
/* Sets when it has to be answered; timeout_ms as in pqr_query. */
void pqr__request_arm(struct pqr_reply *request, uint32_t timeout_ms);

/* --- request_end.c --- */
/* Its answer is known: takes it out of everything and calls back from the loop, never from inside a call.
   Nothing of the caller's runs in here. error may be NULL. */
void pqr__request_finish(
    struct pqr_reply *request, pqr_status status, pqr_outcome outcome, const char *error);
/* Answers one that is too large, before it went anywhere. */
void pqr__request_refuse_size(struct pqr_reply *request);
/* Answers one that waits and never will be run. */
void pqr__request_give_up(struct pqr_reply *request);
/* Ends it for this cause, wherever it is. Later causes do not replace the first. */
void pqr__request_end(struct pqr_reply *request, enum pqr__cause cause);
/* Its deadline. */
void pqr__request_due(struct pqr__timer *timer);

/* --- request_call.c --- */
/* What went wrong, for people; NULL or "": nothing did. Memory is taken only now: most never have anything to say. */
void pqr__request_say_instead(struct pqr_reply *request, const char *text);
static inline void pqr__request_say(struct pqr_reply *request, const char *text)
{
    if (request->error || (text && *text))
        pqr__request_say_instead(request, text);
}
/* What was said last; "" when nothing was. */
const char *pqr__request_error(const struct pqr_reply *request);
/* Forgets what its last flight brought, before it is run again. */
void pqr__request_forget(struct pqr_reply *request);
/* Runs its callback, and gives up the result. It is not put back. */
void pqr__request_call(struct pqr_reply *request);
/* Ends and calls one at once, from an event of its own: a read whose flight goes on and that went well. It stays in the
   air, since the flight is its memory or is a neighbour's; what it says of its server is counted with the flight
   (pqr__request_count_served), and it is put back when that ends. */
void pqr__request_answer(struct pqr_reply *request);
/* Of reads that were answered in the air, what they took of the server. */
void pqr__request_count_served(struct pqr__backend *backend, uint32_t n, uint64_t took_us, uint64_t now_us);
/* Runs the callbacks that are due. */
void pqr__requests_call(pqr_router *router);

/* --- parts.c --- */
/* NULL: its rows come with its answer. */
struct pqr__parts *pqr__parts_of(const struct pqr_reply *request);
/* The next part: shown, unless it is to end. Takes it over; from an event of its own. */
void pqr__parts_take(struct pqr_reply *request, struct pg_result *part, int64_t affected);
/* It can't have parts: why. NULL: it can, or wants none. */
const char *pqr__parts_refusal(const struct pqr_reply *request);

/* --- aside.c, after.c --- */
/* NULL: it asks for no token, and is after none. */
struct pqr__causal *pqr__causal_of(const struct pqr_reply *request);

/* --- store.c --- */
void pqr__request_store_init(struct pqr__request_store *store);
void pqr__request_store_finish(struct pqr__request_store *store);
/* Requests that were taken and not put back. */
uint32_t pqr__request_store_active(const struct pqr__request_store *store);
/* A free one under an id that was never used, with what its last use left in it; NULL: no memory. */
struct pqr_reply *pqr__request_take(pqr_router *router);
/* Its memory for the next. */
void pqr__request_put(struct pqr_reply *request);
/* How many of the first of a connection's air, most at most, were answered in it, are of one text, and leave nothing
   behind but their memory; up to *last. */
uint32_t pqr__request_bare(const struct pqr__request_store *store, const struct pqr__list *air, uint32_t most,
    struct pqr__link **last);
/* Puts those back. */
void pqr__request_put_bare(
    struct pqr__request_store *store, struct pqr__list *air, struct pqr__link *last, uint32_t n);
/* The active request of an id, or NULL. */
struct pqr_reply *pqr__request_find(pqr_router *router, uint64_t id);

#endif
