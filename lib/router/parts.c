/* Rows that are read in parts: shown as they come, to one who may say that it is enough. Once one was shown, the
 * request is never run again (policy/settle); once it is to end, no more are, though they go on coming until its
 * cancel, or the answer, is there.
 */
#include "router/router.h"

struct pqr__parts *pqr__parts_of(const struct pqr_reply *request)
{
    return request->item.rows_at_once ? (struct pqr__parts *)(void *)request->buffer : NULL;
}

/* Asked with accessors of replies, so that it has to look like one. */
static bool show(struct pqr_reply *request, const struct pqr__parts *parts, struct pg_result *part)
{
    request->status = PQR_STATUS_OK;
    request->outcome = PQR_OUTCOME_UNKNOWN;
    request->settled_us = pqr__router_now(request->router);
    request->result = part;
    bool enough = parts->cb(request, request->data) != 0;
    request->router->ops->result_free(request->result); /* unless it was taken */
    request->result = NULL;
    return !enough;
}

void pqr__parts_take(struct pqr_reply *request, struct pg_result *part, int64_t affected)
{
    struct pqr__parts *parts = pqr__parts_of(request);
    if (affected >= 0)
        parts->affected = affected;
    if (request->cancel_asked) /* by the log callback, which the loop has not come to */
        pqr__request_end(request, PQR__CAUSE_CANCEL);
    if (request->cause != PQR__CAUSE_NONE) {
        parts->withheld = true;
        request->router->ops->result_free(part);
        return;
    }
    parts->shown = true;
    if (!show(request, parts, part))
        pqr__request_end(request, PQR__CAUSE_CANCEL);
}

const char *pqr__parts_refusal(const struct pqr_reply *request)
{
    return request->verdict.several && request->item.rows_at_once
               ? "rows in parts are those of one statement; run several one by one, or without query.rows"
               : NULL;
}
