/* Replies as JSON objects, one a line. Values are strings as the server spelt them, or null. */
#include "reply.h"

#include <libpq-fe.h>
#include <string.h>

static void add_member(struct text *out, const char *name, const char *value)
{
    text_printf(out, "\"%s\":", name);
    text_json(out, value, strlen(value));
    text_puts(out, ",");
}

static void add_columns(struct text *out, const pqr_reply *reply)
{
    const PGresult *result = pqr_reply_result(reply);
    int columns = pqr_reply_columns(reply);

    text_puts(out, "\"columns\":[");
    for (int i = 0; i < columns; i++) {
        const char *name = PQfname(result, i);

        if (i > 0)
            text_puts(out, ",");
        text_json(out, name, strlen(name));
    }
    text_puts(out, "],");
}

static void add_row(struct text *out, const pqr_reply *reply, int row, int columns)
{
    text_puts(out, "[");
    for (int i = 0; i < columns; i++) {
        int length = 0;
        const char *value = pqr_reply_value_at(reply, row, i, &length);

        if (i > 0)
            text_puts(out, ",");
        if (value)
            text_json(out, value, (size_t)length);
        else
            text_puts(out, "null");
    }
    text_puts(out, "]");
}

static void add_rows(struct text *out, const pqr_reply *reply)
{
    int rows = pqr_reply_rows(reply);
    int columns = pqr_reply_columns(reply);

    text_puts(out, "\"rows\":[");
    for (int i = 0; i < rows && !out->failed; i++) {
        if (i > 0)
            text_puts(out, ",");
        add_row(out, reply, i, columns);
    }
    text_puts(out, "]");
}

static void add_notices(struct text *out, const pqr_reply *reply)
{
    const pqr_notice *notice;
    int count = pqr_reply_notice_count(reply);

    if (count <= 0)
        return;
    text_printf(out, ",\"notice_count\":%d,\"notices\":[", count);
    for (int i = 0; i < count && (notice = pqr_reply_notice(reply, i)); i++) {
        text_puts(out, i > 0 ? ",{" : "{");
        add_member(out, "severity", notice->severity);
        add_member(out, "sqlstate", notice->sqlstate);
        text_puts(out, "\"text\":");
        text_json(out, notice->text, strlen(notice->text));
        text_puts(out, "}");
    }
    text_puts(out, "]");
}

void reply_json(struct text *out, const pqr_reply *reply)
{
    const char *error = pqr_reply_error(reply);
    int64_t affected = pqr_reply_affected(reply);

    text_puts(out, "{");
    add_member(out, "status", pqr_status_name(pqr_reply_status(reply)));
    add_member(out, "sqlstate", pqr_reply_sqlstate(reply));
    add_member(out, "outcome", pqr_outcome_name(pqr_reply_outcome(reply)));
    add_member(out, "server", pqr_reply_server(reply));
    add_member(out, "reason", pqr_reply_reason(reply));
    if (error[0])
        add_member(out, "error", error);
    if (affected >= 0)
        text_printf(out, "\"affected\":%lld,", (long long)affected);
    add_columns(out, reply);
    add_rows(out, reply);
    add_notices(out, reply);
    text_puts(out, "}\n");
}
