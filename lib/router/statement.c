/* What is known of a statement is its router's knowledge: a table's generation names the router and the state of that,
   and with another one it is looked up anew. */
#include "router/statement.h"

#include <assert.h>
#include <string.h>

#include "base/alloc.h"
#include "base/seldom.h"

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
    if (--statement->references > 0)
        return;
    pqr__known_unref(statement->known);
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

static PQR__SELDOM struct pqr__known *look_up(struct pqr_statement *seen, struct pqr__verdict *out,
    struct pqr__known_table *table, const struct pqr__dialect *dialect)
{
    pqr__known_unref(seen->known);
    seen->known = pqr__known_keep(table, out, seen->sql, seen->length, dialect);
    seen->generation = seen->known ? table->generation : 0;
    return seen->known ? pqr__known_ref(seen->known) : NULL;
}

struct pqr__known *pqr__statement_classify(const struct pqr_statement *statement, struct pqr__verdict *out,
    struct pqr__known_table *table, const struct pqr__dialect *dialect)
{
    struct pqr_statement *seen = own(statement);
    if (seen->generation != table->generation)
        return look_up(seen, out, table, dialect);
    *out = seen->known->verdict;
    return pqr__known_ref(seen->known);
}
