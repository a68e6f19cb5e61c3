/* Words of the statement are hostile: control characters in them are escaped. */
#include "explain.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct steps {
    struct text *line;
    const char *sql;
};

static void put_word(struct steps *steps, const pqr_finding *finding)
{
    char kind[24];

    snprintf(kind, sizeof(kind), "    %-9s ", finding->kind);
    text_puts(steps->line, kind);
    if (finding->length == 0)
        text_puts(steps->line, "-");
    else
        text_line(steps->line, steps->sql + finding->offset, finding->length < 64 ? finding->length : 64);
}

/* Of relations the catalog lists those that need a look: views, temporary tables and the like. */
static const char *catalog_word(const pqr_finding *finding)
{
    if (!finding->catalog)
        return "not read";
    bool unlisted = strcmp(finding->kind, "relation") == 0 && strcmp(finding->catalog, "unknown") == 0;
    return unlisted ? "an ordinary table, or none" : finding->catalog;
}

static void on_step(const pqr_finding *finding, void *data)
{
    struct steps *steps = data;
    char known[160];

    put_word(steps, finding);
    if (finding->reason) {
        snprintf(known, sizeof(known), ": %s, ", pqr_class_name(finding->route));
        text_puts(steps->line, known);
        text_line(steps->line, finding->reason, strlen(finding->reason));
    } else {
        snprintf(known, sizeof(known), ": built-in %s, catalog %s%s%s",
            finding->builtin ? finding->builtin : "none", catalog_word(finding),
            finding->configured ? ", configured " : "", finding->configured ? finding->configured : "");
        text_puts(steps->line, known);
    }
    text_puts(steps->line, "\n");
}

void explain_statement(
    struct text *line, const pqr_router *router, const char *sql, size_t length, bool explain)
{
    struct text below = {0};
    struct steps steps = {.line = &below, .sql = sql};
    pqr_verdict verdict = PQR_VERDICT_INIT;

    (void)pqr_explain(
        &verdict, router, sql, length, explain ? on_step : NULL, &steps); /* refuses NULL alone */
    line->length = 0;
    text_puts(line, pqr_class_name(verdict.route));
    text_puts(line, " ");
    text_line(line, verdict.reason, strlen(verdict.reason)); /* it quotes the statement */
    text_puts(line, "\n");
    if (below.length > 0)
        text_add(line, below.bytes, below.length);
    text_free(&below);
}
