/* pqr_explain: the classifier for people, with what a router knows. */
#include "router/router.h"

static void ignore(const pqr_finding *finding, void *data)
{
    (void)finding;
    (void)data;
}

int pqr_explain(
    pqr_verdict *out, const pqr_router *router, const char *sql, size_t length, pqr_explain_cb cb, void *data)
{
    struct pqr__dialect dialect = {.standard_conforming_strings = true, .ascii_safe = true};
    struct pqr__verdict verdict;
    bool explicit_only = router != NULL && router->config->reads.mode == PQR__READS_EXPLICIT;
    if (out == NULL || out->struct_size < sizeof(*out) || (sql == NULL && length > 0))
        return PQR_EINVAL;
    if (router != NULL)
        dialect = router->dialect;
    pqr__classify_explained(&verdict, sql, length, &dialect, cb ? cb : ignore, data);
    pqr__verdict_publish(&verdict, sql, explicit_only, out);
    return 0;
}
