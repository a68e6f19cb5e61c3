/* The rows of one answer, judged and added to the catalog that is built. What may go wrong: they do not fit, or they
   are no answer to what was asked (the objects after an oid, in order), by which a load would have no end. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "router/catalog.h"
#include "router/catalog_sql.h"
#include "router/router.h"

enum column {
    OID_COLUMN,
    KIND,
    NAME,
    HARMFUL,
    PART_KIND,
    PART_NAME,
    PART_BUILTIN,
    PART_VOLATILITY,
    SCHEMA, /* these of functions alone */
    LEAST_ARGS,
    MOST_ARGS,
    COLUMNS
};

static bool is_true(const char *value)
{
    return value && value[0] == 't';
}

static enum pqr__catalog_answer find(
    const struct pqr__catalog *catalog, enum pqr__catalog_kind kind, const char *name)
{
    return pqr__catalog_find(catalog, kind, name, strlen(name));
}

/* What the configuration says of a function. */
static enum pqr__catalog_answer configured(const pqr_router *router, const char *schema, const char *name)
{
    if (router->named.count == 0 || !schema)
        return PQR__CATALOG_ABSENT;
    return pqr__named_find(&router->named, schema, strlen(schema), name, strlen(name));
}

/* The body of a function in SQL. */
static bool query_is_harmful(const pqr_router *router, const char *sql)
{
    struct pqr__dialect dialect = router->dialect;
    struct pqr__verdict verdict;
    dialect.catalog = router->catalog.building;
    pqr__classify(&verdict, sql, strlen(sql), &dialect);
    return verdict.route != PQR_CLASS_REPLICA;
}

/* What something is made of. */
static bool part_is_harmful(const pqr_router *router, const char *const row[COLUMNS])
{
    const struct pqr__catalog *catalog = router->catalog.building;
    const char *name = row[PART_NAME], *volatility = row[PART_VOLATILITY];
    bool builtin = is_true(row[PART_BUILTIN]);
    if (!name) /* it is gone, or locks rows */
        return true;
    switch (row[PART_KIND][0]) {
    case 'f':
        return builtin ? configured(router, "pg_catalog", name) == PQR__CATALOG_HARMFUL ||
                             !pqr__catalog_builtin_is_harmless(name, *(volatility ? volatility : "v"))
                       : find(catalog, PQR__CATALOG_FUNCTION, name) != PQR__CATALOG_HARMLESS;
    case 'o':
        return find(catalog, PQR__CATALOG_OPERATOR, name) != PQR__CATALOG_HARMLESS;
    case 't': /* of a relation's rows it has that one's name */
        return find(catalog, PQR__CATALOG_TYPE, name) == PQR__CATALOG_HARMFUL ||
               find(catalog, PQR__CATALOG_RELATION, name) == PQR__CATALOG_HARMFUL;
    case 'q':
        return query_is_harmful(router, name);
    case 'r':
        return builtin ? pqr__catalog_is_server_view(name)
                       : find(catalog, PQR__CATALOG_RELATION, name) == PQR__CATALOG_HARMFUL;
    default:
        return true;
    }
}

static enum pqr__catalog_kind kind_of(char letter)
{
    return letter == 'f'   ? PQR__CATALOG_FUNCTION
           : letter == 'o' ? PQR__CATALOG_OPERATOR
           : letter == 't' ? PQR__CATALOG_TYPE
           : letter == 'm' ? PQR__CATALOG_VARYING
                           : PQR__CATALOG_RELATION;
}

/* NULL or what is no number of arguments: any. */
static unsigned arguments(const char *text)
{
    return text && text[0] >= '0' && text[0] <= '9' && strlen(text) <= 3 ? (unsigned)strtoul(text, NULL, 10)
                                                                         : UINT_MAX;
}

/* A harmful function of this name that takes so many arguments is known already. */
static bool is_known(const struct pqr__catalog *catalog, const char *name, unsigned least, unsigned most)
{
    size_t length = strlen(name);
    bool counts = pqr__catalog_counts(catalog, name, length);
    if (!counts || most == UINT_MAX || least > most)
        return !counts && find(catalog, PQR__CATALOG_FUNCTION, name) == PQR__CATALOG_HARMFUL;
    for (unsigned n = least; n <= most; n++)
        if (pqr__catalog_find_call(catalog, name, length, n) != PQR__CATALOG_HARMFUL)
            return false;
    return true;
}

static bool add_harmful_function(struct pqr__catalog_loader *loader, const char *const row[COLUMNS])
{
    const char *name = row[NAME];
    unsigned least = arguments(row[LEAST_ARGS]), most = arguments(row[MOST_ARGS]);
    if (is_known(loader->building, name, least, most))
        return true;
    loader->found = true;
    return pqr__catalog_add_call(loader->building, name, strlen(name), least, most);
}

/* False: it does not fit. */
static bool take_row(pqr_router *router, const char *const row[COLUMNS])
{
    struct pqr__catalog_loader *loader = &router->catalog;
    struct pqr__catalog *catalog = loader->building;
    bool first = loader->step < PQR__CATALOG_FIRST_STEPS;
    enum pqr__catalog_answer known_better = configured(router, row[SCHEMA], row[NAME]);
    bool harmful = is_true(row[HARMFUL]) || known_better == PQR__CATALOG_HARMFUL;
    if (known_better == PQR__CATALOG_HARMLESS)
        harmful = false;
    else if (!harmful && row[PART_KIND])
        harmful = loader->pass >= PQR__CATALOG_PASSES_MAX || part_is_harmful(router, row);
    if (row[KIND][0] == 's') {
        catalog->spoiled |= harmful;
        return true;
    }
    if (row[KIND][0] == 'e') {
        catalog->folds = harmful;
        return true;
    }
    enum pqr__catalog_kind kind = kind_of(row[KIND][0]);
    if (!harmful && (!first || kind == PQR__CATALOG_RELATION))
        return true;
    if (harmful && kind == PQR__CATALOG_FUNCTION)
        return add_harmful_function(loader, row);
    if (harmful && find(catalog, kind, row[NAME]) == PQR__CATALOG_HARMFUL)
        return true;
    loader->found = true;
    return pqr__catalog_add(
        catalog, kind, row[NAME], strlen(row[NAME]), harmful ? PQR__CATALOG_HARMFUL : PQR__CATALOG_HARMLESS);
}

/* False: it is no oid, or less than the least it may be. */
static bool take_oid(struct pqr__catalog_loader *loader, const char *text, uint64_t least)
{
    char *end;
    errno = 0;
    unsigned long long oid = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || oid > UINT32_MAX || oid < least)
        return false;
    loader->after = (uint32_t)oid;
    return true;
}

const char *pqr__catalog_take(pqr_router *router, const struct pg_result *result, int *rows)
{
    struct pqr__catalog_loader *loader = &router->catalog;
    const char *row[COLUMNS];
    uint64_t least = (uint64_t)loader->after + 1; /* rows of one object follow each other */
    int n = 0;
    for (; (row[0] = router->ops->result_value(result, n, 0)) != NULL; n++) {
        for (int column = 1; column < COLUMNS; column++)
            row[column] = router->ops->result_value(result, n, column);
        if (!take_oid(loader, row[0], least) || !row[KIND] || !row[NAME])
            return "the server's answers are not those to the questions";
        if (!take_row(router, row))
            return "it would take more than catalog.max_size, or memory is short";
        least = loader->after;
    }
    *rows = n;
    return NULL;
}
