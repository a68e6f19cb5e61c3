#include "policy/locks.h"

#include "policy/classifier_sql.h"

static bool is_known(const struct pqr__sql *scan, enum pqr__catalog_kind kind, const struct pqr__token *token)
{
    struct pqr__seen seen = {.token = *token};
    return pqr__sql_known(scan, kind, &seen) != PQR__CATALOG_ABSENT;
}

/* Any name may be that of a table or of a function: t.f calls f, too. */
static bool may_vary(const struct pqr__sql *scan, const struct pqr__token *token)
{
    if (token->kind == PQR__TOKEN_WORD || token->kind == PQR__TOKEN_QUOTED)
        return is_known(scan, PQR__CATALOG_VARYING, token) || is_known(scan, PQR__CATALOG_FUNCTION, token);
    if (token->kind == PQR__TOKEN_OPERATOR)
        return is_known(scan, PQR__CATALOG_OPERATOR, token);
    return token->kind == PQR__TOKEN_UNICODE; /* not decoded */
}

bool pqr__locks_are_fixed(const char *sql, size_t length, const struct pqr__dialect *dialect)
{
    struct pqr__sql scan = {.catalog = dialect->catalog};
    struct pqr__lexer lexer;
    struct pqr__token token;
    if (!scan.catalog || scan.catalog->stale)
        return false;
    pqr__lexer_init(&lexer, sql, length, dialect->standard_conforming_strings);
    for (pqr__lexer_next(&lexer, &token); token.kind > PQR__TOKEN_ERROR; pqr__lexer_next(&lexer, &token))
        if (may_vary(&scan, &token))
            return false;
    return token.kind == PQR__TOKEN_END;
}
