/* pqr_classify: the classifier for people, under PostgreSQL's default settings. */
#include "policy/classifier.h"
#include "base/text.h"

static void apply_hint(struct pqr__verdict *verdict, pqr_verdict *out)
{
    if (verdict->route == PQR_CLASS_SESSION || verdict->hint == PQR__HINT_NONE)
        return;
    bool primary = verdict->hint == PQR__HINT_PRIMARY;
    out->route = primary ? PQR_CLASS_PRIMARY : PQR_CLASS_REPLICA;
    pqr__text_copy(out->reason, sizeof(out->reason), primary ? "comment pqr:primary" : "comment pqr:replica");
}

int pqr_classify(pqr_verdict *out, const char *sql, size_t length)
{
    static const struct pqr__dialect usual = {.standard_conforming_strings = true, .ascii_safe = true};
    struct pqr__verdict verdict;
    if (out == NULL || out->struct_size < sizeof(*out) || (sql == NULL && length > 0))
        return PQR_EINVAL;
    pqr__classify(&verdict, sql, length, &usual);
    out->route = verdict.route;
    pqr__verdict_text(&verdict, sql, out->reason, sizeof(out->reason));
    apply_hint(&verdict, out);
    return 0;
}
