/* pqr_classify: the classifier for people, under PostgreSQL's default settings. */
#include "base/text.h"
#include "policy/classifier.h"

static void decide(pqr_verdict *out, pqr_class route, const char *reason)
{
    out->route = route;
    pqr__text_copy(out->reason, sizeof(out->reason), reason);
}

void pqr__verdict_publish(
    const struct pqr__verdict *verdict, const char *sql, bool explicit_only, pqr_verdict *out)
{
    out->route = verdict->route;
    pqr__verdict_text(verdict, sql, out->reason, sizeof(out->reason));
    if (verdict->route == PQR_CLASS_SESSION)
        return;
    if (verdict->hint == PQR__HINT_PRIMARY)
        decide(out, PQR_CLASS_PRIMARY, "comment pqr:primary");
    else if (verdict->hint == PQR__HINT_REPLICA)
        decide(out, PQR_CLASS_REPLICA, "comment pqr:replica");
    else if (explicit_only && verdict->route == PQR_CLASS_REPLICA)
        decide(out, PQR_CLASS_PRIMARY, "reads.mode is explicit");
}

int pqr_classify(pqr_verdict *out, const char *sql, size_t length)
{
    static const struct pqr__dialect usual = {.standard_conforming_strings = true, .ascii_safe = true};
    struct pqr__verdict verdict;
    if (out == NULL || out->struct_size < sizeof(*out) || (sql == NULL && length > 0))
        return PQR_EINVAL;
    pqr__classify(&verdict, sql, length, &usual);
    pqr__verdict_publish(&verdict, sql, false, out);
    return 0;
}
