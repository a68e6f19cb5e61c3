/* A hash of the names that stand without * and ? says whether any of those patterns can be meant; the few that
   have them are tried one after the other. */
#include "policy/named.h"

#include <string.h>

#include "base/alloc.h"

enum { MAX_BYTES = 1 << 24 };

bool pqr__glob_matches(const char *glob, size_t glob_length, const char *text, size_t length)
{
    size_t g = 0, t = 0, star = SIZE_MAX, kept = 0;
    while (t < length) {
        if (g < glob_length && glob[g] == '*') {
            star = g++;
            kept = t;
        } else if (g < glob_length && (glob[g] == '?' || glob[g] == text[t])) {
            g++;
            t++;
        } else if (star != SIZE_MAX) { /* the last star takes one more */
            g = star + 1;
            t = ++kept;
        } else {
            return false;
        }
    }
    while (g < glob_length && glob[g] == '*')
        g++;
    return g == glob_length;
}

static uint32_t count_lines(const char *text)
{
    uint32_t n = text && *text ? 1 : 0;
    for (const char *at = text; at && (at = strchr(at, '\n')) != NULL; at++)
        n++;
    return n;
}

static bool is_every(const struct pqr__pattern *pattern)
{
    return pattern->schema_length == 1 && pattern->schema[0] == '*';
}

/* Those of text that are wide, or those that are not. */
static bool add(struct pqr__named *named, const char *text, bool harmful, bool wide)
{
    while (text && *text) {
        size_t length = strcspn(text, "\n");
        const char *dot = memchr(text, '.', length);
        struct pqr__pattern *pattern = &named->patterns[named->count];
        *pattern = (struct pqr__pattern){.schema = text,
            .schema_length = (uint8_t)(dot - text),
            .name = dot + 1,
            .name_length = (uint8_t)(text + length - dot - 1),
            .harmful = harmful};
        pattern->wide = memchr(pattern->name, '*', pattern->name_length) != NULL ||
                        memchr(pattern->name, '?', pattern->name_length) != NULL;
        if (pattern->wide == wide)
            named->count++;
        if (!wide && !pattern->wide &&
            !pqr__catalog_add(&named->names, PQR__CATALOG_FUNCTION, pattern->name, pattern->name_length,
                PQR__CATALOG_HARMLESS))
            return false;
        text += length + (text[length] == '\n');
    }
    return true;
}

bool pqr__named_init(struct pqr__named *named, const char *harmless, const char *harmful)
{
    uint32_t most = count_lines(harmless) + count_lines(harmful);
    *named = (struct pqr__named){0};
    pqr__catalog_init(&named->names, MAX_BYTES);
    if (most == 0)
        return true;
    /* One more: add() looks at each before it keeps it. */
    named->patterns = pqr__calloc((size_t)most + 1, sizeof(*named->patterns));
    bool fine = named->patterns && add(named, harmful, true, true) && add(named, harmless, false, true);
    named->wide = named->count;
    if (fine && add(named, harmful, true, false) && add(named, harmless, false, false))
        return true;
    pqr__named_finish(named);
    return false;
}

void pqr__named_finish(struct pqr__named *named)
{
    pqr__free(named->patterns);
    pqr__catalog_finish(&named->names);
    *named = (struct pqr__named){0};
}

static bool names(const struct pqr__pattern *pattern, const char *name, size_t length)
{
    return pqr__glob_matches(pattern->name, pattern->name_length, name, length);
}

/* schema NULL: it stands without one. */
static bool fits(const struct pqr__pattern *pattern, const char *schema, size_t length)
{
    static const char builtin[] = "pg_catalog";
    if (schema)
        return pqr__glob_matches(pattern->schema, pattern->schema_length, schema, length);
    if (!pattern->harmful)
        return is_every(pattern);
    return !pattern->wide ||
           pqr__glob_matches(pattern->schema, pattern->schema_length, builtin, sizeof(builtin) - 1);
}

static enum pqr__catalog_answer find(
    const struct pqr__named *named, const char *schema, size_t schema_length, const char *name, size_t length)
{
    enum pqr__catalog_answer answer = PQR__CATALOG_ABSENT;
    uint32_t n = named->wide;
    if (pqr__catalog_find(&named->names, PQR__CATALOG_FUNCTION, name, length) != PQR__CATALOG_ABSENT)
        n = named->count;
    for (uint32_t i = 0; i < n; i++) {
        const struct pqr__pattern *pattern = &named->patterns[i];
        if (!names(pattern, name, length) || !fits(pattern, schema, schema_length))
            continue;
        if (pattern->harmful)
            return PQR__CATALOG_HARMFUL;
        answer = PQR__CATALOG_HARMLESS;
    }
    return answer;
}

enum pqr__catalog_answer pqr__named_find(const struct pqr__named *named, const char *schema,
    size_t schema_length, const char *name, size_t name_length)
{
    return find(named, schema, schema_length, name, name_length);
}

enum pqr__catalog_answer pqr__named_find_bare(
    const struct pqr__named *named, const char *name, size_t name_length)
{
    return find(named, NULL, 0, name, name_length);
}
