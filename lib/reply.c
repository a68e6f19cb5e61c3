/* What a callback may ask of its reply. */
#include <string.h>

#include "base/text.h"
#include "policy/token.h"
#include "postgres/rows.h"
#include "router/request.h"
#include "router/router.h"

pqr_status pqr_reply_status(const pqr_reply *reply)
{
    return reply->status;
}

pqr_outcome pqr_reply_outcome(const pqr_reply *reply)
{
    return reply->outcome;
}

const char *pqr_reply_error(const pqr_reply *reply)
{
    return reply->status == PQR_STATUS_OK ? "" : pqr__request_error(reply);
}

const char *pqr_reply_sqlstate(const pqr_reply *reply)
{
    return reply->status == PQR_STATUS_OK ? "" : reply->sqlstate;
}

const char *pqr_reply_server(const pqr_reply *reply)
{
    return reply->server == UINT32_MAX ? "" : reply->router->backends[reply->server].config->name;
}

pqr_role pqr_reply_route(const pqr_reply *reply)
{
    return reply->route;
}

const char *pqr_reply_reason(const pqr_reply *reply)
{
    static const char *const targets[] = {
        "", "target primary", "target replica", "target replica only", "target any"};
    if (reply->item.own == PQR__OWN_BEGIN)
        return reply->verdict.route == PQR_CLASS_REPLICA ? "batch of reads" : "transaction";
    if (reply->target != PQR_TARGET_AUTO)
        return targets[reply->target];
    if (reply->verdict.hint != PQR__HINT_NONE)
        return reply->verdict.hint == PQR__HINT_PRIMARY ? "comment pqr:primary" : "comment pqr:replica";
    if (reply->router->config->reads.mode == PQR__READS_EXPLICIT)
        return "reads.mode is explicit";
    char *out = reply->router->reason;
    pqr__verdict_text(&reply->verdict, reply->item.sql, out, sizeof(reply->router->reason));
    return out;
}

unsigned pqr_reply_attempts(const pqr_reply *reply)
{
    return reply->attempts;
}

int pqr_reply_token(const pqr_reply *reply, pqr_token *out)
{
    const struct pqr__causal *causal = pqr__causal_of(reply);
    if (!causal || !pqr__token_is(&causal->token))
        return PQR_ENOENT;
    *out = causal->token;
    return 0;
}

const struct pg_result *pqr_reply_result(const pqr_reply *reply)
{
    return reply->result;
}

struct pg_result *pqr_reply_take(pqr_reply *reply)
{
    struct pg_result *result = reply->result;
    reply->result = NULL;
    return result;
}

int pqr_reply_rows(const pqr_reply *reply)
{
    return pqr__rows_count(reply->result);
}

int pqr_reply_columns(const pqr_reply *reply)
{
    return pqr__rows_columns(reply->result);
}

int pqr_reply_column(const pqr_reply *reply, const char *name)
{
    return name ? pqr__rows_column(reply->result, name) : -1;
}

const char *pqr_reply_value(const pqr_reply *reply, int row, const char *column, int *length)
{
    return pqr_reply_value_at(reply, row, pqr_reply_column(reply, column), length);
}

const char *pqr_reply_value_at(const pqr_reply *reply, int row, int column, int *length)
{
    return pqr__rows_value(reply->result, row, column, length);
}

int64_t pqr_reply_affected(const pqr_reply *reply)
{
    int64_t affected = pqr__rows_affected(reply->result);
    const struct pqr__parts *parts = pqr__parts_of(reply);
    return affected < 0 && parts && reply->status == PQR_STATUS_OK ? parts->affected : affected;
}

int pqr_reply_notice_count(const pqr_reply *reply)
{
    return reply->n_notices;
}

const pqr_notice *pqr_reply_notice(const pqr_reply *reply, int index)
{
    if (!reply->notices || index < 0 || index >= reply->n_notices || index >= PQR__NOTICES_KEPT)
        return NULL;
    return &reply->notices[index];
}

pqr_times pqr_reply_times(const pqr_reply *reply)
{
    uint64_t until_sent = reply->sent_us ? reply->sent_us : reply->settled_us;
    return (pqr_times){
        .queued_us = until_sent - reply->accepted_us,
        .server_us = reply->settled_us - until_sent,
        .total_us = reply->settled_us - reply->accepted_us,
    };
}
