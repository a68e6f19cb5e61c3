/* Reads that are to be after a token: where they may run.
 *
 * What is known of a replica is how far it had come, by its probe or when it was asked; it only goes on from there, as
 * long as its connections live. A crash takes a standby back, and every connection with it: then nothing is known. The
 * check is another transaction than the read, and goes before it: under REPEATABLE READ one that said yes was followed
 * by a read that did not see the row.
 */
#include "base/seldom.h"
#include "policy/token.h"
#include "router/aside.h"
#include "router/batch.h"
#include "router/dispatch.h"

static const pqr_token *token_of(const struct pqr_reply *request)
{
    const struct pqr__causal *causal = pqr__causal_of(request);
    return causal && pqr__token_is(&causal->after) ? &causal->after : NULL;
}

PQR__SELDOM void pqr__after_learn(struct pqr__backend *backend, uint64_t lsn)
{
    if (lsn < backend->replayed_lsn)
        backend->replayed_lsn = lsn;
}

/* A primary has all of its history: one that has not come to the token's timeline is of the past. */
static enum pqr__there where(const struct pqr__backend *backend, const pqr_token *token)
{
    const struct pqr__identity *identity = &backend->identity;
    bool past =
        token->system_identifier == identity->system_identifier && token->timeline > identity->timeline;
    if (backend->role == PQR_ROLE_PRIMARY)
        return past ? PQR__THERE_NEVER : PQR__THERE;
    if (backend->config->pooler) /* which may have connected to another server since */
        return PQR__THERE_NEVER;
    return pqr__token_there(token, identity->system_identifier, identity->timeline, backend->replayed_lsn);
}

/* An answer of rows in parts can't be taken back, nor can what may write, on a server that was promoted meanwhile; a
   transaction and a batch go by more than one flight. */
static bool may_ask(const struct pqr_reply *request)
{
    return !request->tx && !request->batch && request->item.rows_at_once == 0 &&
           !pqr__request_writes(request);
}

PQR__SELDOM bool pqr__after_is_there(const struct pqr_reply *request, const struct pqr__backend *backend)
{
    const pqr_token *token = token_of(request);
    return !token || where(backend, token) == PQR__THERE;
}

PQR__SELDOM bool pqr__after_admits(const struct pqr_reply *request, const struct pqr__backend *backend)
{
    const pqr_token *token = token_of(request);
    enum pqr__there there = token ? where(backend, token) : PQR__THERE;
    return there == PQR__THERE || (there == PQR__THERE_NOT_YET && may_ask(request));
}

PQR__SELDOM void pqr__after_check(struct pqr_reply *request, struct pqr__slot *slot)
{
    const pqr_token *token = token_of(request);
    if (!token)
        return;
    struct pqr__causal *causal = pqr__causal_of(request);
    causal->checked = where(slot->backend, token) == PQR__THERE_NOT_YET;
    causal->there = false;
    if (!causal->checked)
        return;
    request->router->token_checks++;
    pqr__aside_send(slot, request, PQR__OWN_REPLAYED);
}

PQR__SELDOM bool pqr__after_missed(const struct pqr_reply *request)
{
    const struct pqr__causal *causal = pqr__causal_of(request);
    return causal->checked && !causal->there;
}

static bool has_primary(const struct pqr_reply *request)
{
    return request->entry.role == PQR__QUEUE_ANY ||
           (request->entry.role != PQR__QUEUE_REPLICA_ONLY &&
               request->router->config->reads.primary != PQR__PRIMARY_NEVER);
}

static void refuse(struct pqr_reply *request)
{
    pqr__request_finish(request, PQR_STATUS_UNAVAILABLE, PQR_OUTCOME_NOT_EXECUTED,
        request->entry.role != PQR__QUEUE_PRIMARY
            ? "no replica is known to have what the token stands for; the primary would, but may not run this"
            : "no server has come to the token's timeline yet");
}

PQR__SELDOM void pqr__after_elsewhere(struct pqr_reply *request)
{
    bool tried = request->entry.role == PQR__QUEUE_PRIMARY;
    if (tried || !has_primary(request)) {
        refuse(request);
        return;
    }
    request->router->fallback_primary++;
    pqr__dispatch_again(request, true, false);
}

/* Replicas that have just said no are not asked by everybody. */
static bool is_asked(const struct pqr__backend *backend)
{
    enum { AGAIN_US = 2000 };
    return pqr__router_now(backend->router) - backend->behind_us >= AGAIN_US;
}

/* Of those that serve its role: a bit each. */
struct candidates {
    uint64_t all, there, asked;
};

static struct candidates candidates_of(const struct pqr_reply *request, const pqr_token *token)
{
    const pqr_router *router = request->router;
    struct candidates found = {0};
    for (uint32_t i = 0; i < router->n_backends; i++) {
        const struct pqr__backend *backend = &router->backends[i];
        if (!(pqr__backend_roles(backend) >> request->entry.role & 1))
            continue;
        enum pqr__there there = where(backend, token);
        found.all |= UINT64_C(1) << i;
        if (there == PQR__THERE)
            found.there |= UINT64_C(1) << i;
        else if (there == PQR__THERE_NOT_YET && may_ask(request) && is_asked(backend))
            found.asked |= UINT64_C(1) << i;
    }
    return found;
}

PQR__SELDOM bool pqr__after_place(struct pqr_reply *request)
{
    const pqr_token *token = token_of(request);
    if (!token || request->entry.role == PQR__QUEUE_PRIMARY)
        return true;
    struct candidates found = candidates_of(request, token);
    uint64_t good = found.there ? found.there : found.asked;
    request->entry.avoid = found.all & ~good;
    if (good || !found.all) /* none serves now: it waits, and is looked at when one does */
        return true;
    request->entry.avoid = 0;
    if (!has_primary(request)) {
        refuse(request);
        return false;
    }
    request->router->fallback_primary++;
    request->entry.role = PQR__QUEUE_PRIMARY;
    return true;
}
