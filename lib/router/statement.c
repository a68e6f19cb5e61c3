/* The verdict of a statement depends on what its router has learned (the servers' dialect, and later their catalog):
   the memo's generation names that state of knowledge, and a verdict of another generation is read anew. */
#include "router/statement.h"

#include <assert.h>
#include <string.h>

#include "base/alloc.h"

int pqr_statement_new(pqr_statement **out, const char *sql)
{
    if (!out || !sql)
        return PQR_EINVAL;
    size_t length = strlen(sql);
    struct pqr_statement *statement = pqr__calloc(1, sizeof(*statement) + length + 1);
    if (!statement)
        return PQR_ENOMEM;
    statement->references = 1;
    statement->length = length;
    memcpy(statement->sql, sql, length + 1);
    *out = statement;
    return 0;
}

void pqr_statement_free(pqr_statement *statement)
{
    if (!statement)
        return;
    assert(statement->references > 0);
    if (--statement->references == 0)
        pqr__free(statement);
}

/* Callers see it as constant; the count and what is known of it are not part of what they see. */
static struct pqr_statement *own(const struct pqr_statement *statement)
{
    union {
        const struct pqr_statement *seen;
        struct pqr_statement *own;
    } cast = {.seen = statement};
    return cast.own;
}

struct pqr_statement *pqr__statement_ref(const struct pqr_statement *statement)
{
    own(statement)->references++;
    return own(statement);
}

void pqr__statement_classify(const struct pqr_statement *statement, struct pqr__verdict *out,
    struct pqr__memo *memo, const struct pqr__dialect *dialect)
{
    struct pqr_statement *known = own(statement);
    if (known->generation != memo->generation) {
        pqr__classify(&known->verdict, known->sql, known->length, dialect);
        known->generation = memo->generation;
    }
    *out = known->verdict;
}
