/* Read your own writes: writes that ask for a token, and reads that are to be after one; what was promised about both. */
#include <string.h>

#include "load.h"

/* One that some write brought, at times one from nowhere. NULL: none. */
static const pqr_token *pick(struct sim_load *load, pqr_token *room)
{
    struct sim_world *world = load->world;
    if (load->n_tokens == 0 || !sim_chance(world, load->causal))
        return NULL;
    unsigned kept = load->n_tokens < SIM_MAX_TOKENS ? load->n_tokens : SIM_MAX_TOKENS;
    unsigned back = (unsigned)sim_skewed(world, 0, kept - 1); /* the latest mostly */
    *room = load->tokens[(load->n_tokens - 1 - back) % SIM_MAX_TOKENS];
    if (sim_chance(world, 10))
        room->timeline += (uint32_t)sim_between(world, 0, 3);
    if (sim_chance(world, 10))
        room->lsn += sim_between(world, 0, 1000000);
    if (sim_chance(world, 5))
        room->system_identifier++;
    return room;
}

void sim_token_random(struct sim_request *request, uint32_t *flags, const pqr_token **after)
{
    struct sim_load *load = request->load;
    if (sim_chance(load->world, load->causal)) {
        request->wants_token = true;
        *flags |= PQR_TOKEN;
    }
    *after = pick(load, &request->after);
    if (!*after)
        request->after = (pqr_token){0};
}

/* Not the time before the commit, nor a history that it is not in. */
static void verify_covers(
    const struct sim_request *request, const pqr_token *token, const struct sim_entry *entry)
{
    if (!sim_kind_writes(entry->kind) || entry->committed == 0 || entry->commit_lsn == 0 || entry->idempotent)
        return;
    if (token->timeline != entry->commit_timeline || token->lsn < entry->commit_lsn)
        sim_fail(request->load->world,
            "promise 6: the token of %llu is %u, %llX, and it was committed at %u, %llX",
            (unsigned long long)entry->nonce, token->timeline, (unsigned long long)token->lsn,
            entry->commit_timeline, (unsigned long long)entry->commit_lsn);
}

static void verify_all(const struct sim_request *request, const pqr_token *token)
{
    if (request->entry)
        verify_covers(request, token, request->entry);
    for (unsigned i = 0; request->of_batch && i < request->of_batch->n; i++)
        verify_covers(request, token, request->of_batch->queries[i]->entry);
    const struct sim_tx *tx = request->tx;
    const struct sim_attempt *last = tx && tx->n_attempts > 0 ? tx->attempts[tx->n_attempts - 1] : NULL;
    for (unsigned i = 0; last && i < last->n_statements; i++)
        verify_covers(request, token, last->statements[i]->entry);
}

void sim_verify_token(const struct sim_request *request, const pqr_reply *reply)
{
    struct sim_load *load = request->load;
    pqr_token token;
    if (pqr_reply_token(reply, &token) != 0)
        return;
    if (!request->wants_token || request->status != PQR_STATUS_OK)
        sim_fail(load->world, "promise 6: a token that nobody asked for, or of what went wrong");
    verify_all(request, &token);
    load->tokens[load->n_tokens++ % SIM_MAX_TOKENS] = token;
    load->checks->flights.tokens++;
}

void sim_verify_after(const struct sim_load *load, const pqr_token *after, const pqr_reply *reply)
{
    const struct pg_result *result = pqr_reply_result(reply);
    if (after->lsn == 0 || pqr_reply_status(reply) != PQR_STATUS_OK || !result || result->seen_lsn == 0)
        return;
    load->checks->flights.after++;
    load->checks->flights.after_on_standby += result->seen_on_standby;
    if (result->seen_on_standby && after->system_identifier != result->seen_cluster)
        sim_fail(load->world, "promise 6: a read after another cluster's token is answered by a standby");
    if (after->system_identifier != result->seen_cluster)
        return;
    if (result->seen_timeline < after->timeline)
        sim_fail(load->world, "promise 6: a read after timeline %u sees timeline %u", after->timeline,
            result->seen_timeline);
    if (result->seen_on_standby && result->seen_lsn < after->lsn)
        sim_fail(load->world, "promise 6: a read after %llX sees what a standby had at %llX",
            (unsigned long long)after->lsn, (unsigned long long)result->seen_lsn);
}
