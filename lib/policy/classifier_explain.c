/* The classifier's steps for whoever wants to know them: each name that is looked up and what was known of it, each
   rule that asked for more than a harmless read. Nothing here has a part in the verdict. */
#include "policy/classifier_sql.h"

static const char *const answers[] = {[PQR__CATALOG_ABSENT] = "unknown",
    [PQR__CATALOG_HARMLESS] = "harmless",
    [PQR__CATALOG_HARMFUL] = "harmful"};

static const char *builtin_function(const struct pqr__sql *scan, const struct pqr__seen *name)
{
    static const char *const texts[] = {
        [PQR__FUNCTION_UNKNOWN] = NULL,
        [PQR__FUNCTION_HARMLESS] = "harmless",
        [PQR__FUNCTION_WRITE] = "volatile",
        [PQR__FUNCTION_SESSION] = "session",
        [PQR__FUNCTION_LOCK] = "lock",
        [PQR__FUNCTION_STANDBY] = "refused by a standby",
        [PQR__FUNCTION_OTHERS] = "other sessions or the server",
        [PQR__FUNCTION_FILES] = "files of the server",
        [PQR__FUNCTION_SQL] = "runs SQL of its own",
        [PQR__FUNCTION_SERVER] = "one server's own state",
    };
    if (name->word == NULL)
        return NULL;
    if (name->word->function == PQR__FUNCTION_HARMLESS && (name->flags & PQR__WORD_NEWER) != 0 &&
        !pqr__sql_knows_names(scan))
        return "harmless (not in every version)";
    return texts[name->word->function];
}

static const char *builtin(const struct pqr__sql *scan, enum pqr__told kind, const struct pqr__seen *schema,
    const struct pqr__seen *name)
{
    if (schema != NULL && pqr__seen_is_users_schema(schema))
        return NULL;
    switch (kind) {
    case PQR__TOLD_FUNCTION:
        return builtin_function(scan, name);
    case PQR__TOLD_OPERATOR:
        return pqr__operator_is_builtin(name->token.at, name->token.length) ? "harmless" : NULL;
    case PQR__TOLD_TYPE:
        return pqr__seen_is_type(name) ? "harmless" : NULL;
    case PQR__TOLD_RELATION:
        return (name->flags & PQR__WORD_SERVER) != 0 ? "one server's own state" : NULL;
    }
    return NULL;
}

void pqr__sql_explain_name(const struct pqr__sql *scan, enum pqr__told kind, const struct pqr__seen *schema,
    const struct pqr__seen *name)
{
    static const char *const words[] = {"function", "operator", "type", "relation"};
    static const enum pqr__catalog_kind kinds[] = {
        PQR__CATALOG_FUNCTION, PQR__CATALOG_OPERATOR, PQR__CATALOG_TYPE, PQR__CATALOG_RELATION};
    const struct pqr__explain *explain = scan->explain;
    pqr_finding finding = {.kind = words[kind],
        .offset = (size_t)(name->token.at - explain->sql),
        .length = name->token.length,
        .builtin = builtin(scan, kind, schema, name)};
    if (kind == PQR__TOLD_FUNCTION && pqr__sql_counts(scan, name))
        finding.catalog = "harmful with some numbers of arguments";
    else if (scan->catalog != NULL)
        finding.catalog = answers[pqr__sql_known(scan, kinds[kind], name)];
    if (kind == PQR__TOLD_FUNCTION && scan->named != NULL) {
        enum pqr__catalog_answer answer = pqr__sql_configured(scan, schema, name);
        finding.configured = answer == PQR__CATALOG_ABSENT ? NULL : answers[answer];
    }
    explain->cb(&finding, explain->data);
}

void pqr__sql_explain_rule(
    const struct pqr__sql *scan, pqr_class route, unsigned reason, const struct pqr__seen *seen)
{
    const struct pqr__explain *explain = scan->explain;
    struct pqr__verdict verdict = {.route = route, .reason = (uint16_t)reason};
    char text[120];
    if (route == PQR_CLASS_REPLICA)
        return;
    if (seen->token.at != NULL) {
        verdict.word_offset = (uint32_t)(seen->token.at - explain->sql);
        verdict.word_length = seen->token.length;
    }
    pqr__verdict_text(&verdict, explain->sql, text, sizeof(text));
    pqr_finding finding = {.kind = "rule",
        .offset = verdict.word_offset,
        .length = verdict.word_length,
        .route = route,
        .reason = text};
    explain->cb(&finding, explain->data);
}
