/* Names and key words of queries: functions named, relations, clauses, data-modifying words. A key word counts only
   where the grammar fixes its meaning. */
#include "policy/classifier_sql.h"

#include <string.h>

static bool starts_with(const struct pqr__token *token, const char *prefix)
{
    size_t quote = token->kind == PQR__TOKEN_QUOTED ? 1 : 0, length = strlen(prefix);
    return token->length >= length + quote && pqr__name_is(token->at + quote, prefix, length);
}

/* The current token is the dot after a name. */
void pqr__sql_schema(struct pqr__sql *scan)
{
    const struct pqr__seen *name = pqr__sql_seen(scan, 1);
    if (!pqr__token_may_be_pg(&name->token))
        return;
    if (starts_with(&name->token, "pg_temp") || starts_with(&name->token, "pg_toast_temp"))
        pqr__sql_raise(scan, PQR_CLASS_SESSION, PQR__EFFECT_SESSION, PQR__REASON_TEMPORARY, name);
}

/* By the configuration: true when it decided. What a built-in function does stays what it is. */
static bool by_configuration(struct pqr__sql *scan, const struct pqr__seen *name, unsigned function)
{
    enum pqr__catalog_answer answer = pqr__sql_configured(scan, NULL, name);
    if (answer == PQR__CATALOG_HARMFUL)
        pqr__sql_doubt(scan, PQR__REASON_CONFIGURED, name);
    return answer == PQR__CATALOG_HARMLESS && function == PQR__FUNCTION_UNKNOWN;
}

/* Newer versions' functions may be a user's where the server is older. Only a catalog can say that there is none. */
static unsigned function_of(const struct pqr__sql *scan, const struct pqr__seen *name)
{
    if (name->word == NULL)
        return PQR__FUNCTION_UNKNOWN;
    if (name->word->function == PQR__FUNCTION_HARMLESS && (name->flags & PQR__WORD_NEWER) != 0 &&
        !pqr__sql_knows_names(scan))
        return PQR__FUNCTION_UNKNOWN;
    return name->word->function;
}

/* known_only: an unknown name may be a column. */
void pqr__sql_function(struct pqr__sql *scan, const struct pqr__seen *name, bool known_only)
{
    unsigned function = function_of(scan, name);
    pqr__sql_tell(scan, PQR__TOLD_FUNCTION, NULL, name);
    if (scan->named != NULL && by_configuration(scan, name, function))
        return;
    (void)pqr__sql_suspect(scan, PQR__CATALOG_FUNCTION, name); /* a user's overload */
    (void)pqr__sql_suspect(scan, PQR__CATALOG_TYPE, name);     /* a cast written as a call */
    if (function == PQR__FUNCTION_UNKNOWN && pqr__seen_is_type(name))
        return; /* a conversion written as a call */
    if (function == PQR__FUNCTION_HARMLESS || (function == PQR__FUNCTION_UNKNOWN && known_only))
        return;
    if (function == PQR__FUNCTION_UNKNOWN &&
        pqr__sql_known(scan, PQR__CATALOG_FUNCTION, name) == PQR__CATALOG_HARMLESS)
        return;
    if (function == PQR__FUNCTION_SESSION)
        pqr__sql_raise(scan, PQR_CLASS_SESSION, PQR__EFFECT_SESSION, PQR__REASON_SESSION, name);
    else
        pqr__sql_doubt(scan, PQR__REASON_FUNCTION + function, name);
}

/* --- Names and key words --- */

/* INSERT, UPDATE, DELETE, MERGE: a column when it stands where only an expression or a label can; the words
   named here are reserved, so they are no names themselves. */
static bool is_column(const struct pqr__seen *before)
{
    if (before->token.kind == PQR__TOKEN_COMMA || before->token.kind == PQR__TOKEN_OPERATOR ||
        before->token.kind == PQR__TOKEN_BRACKET)
        return true;
    return before->keyword == PQR__KW_SELECT || before->keyword == PQR__KW_WHERE ||
           before->keyword == PQR__KW_AND || before->keyword == PQR__KW_OR ||
           before->keyword == PQR__KW_NOT || before->keyword == PQR__KW_DISTINCT ||
           before->keyword == PQR__KW_WHEN || before->keyword == PQR__KW_THEN ||
           before->keyword == PQR__KW_ELSE || before->keyword == PQR__KW_CASE;
}

static void modifying_word(
    struct pqr__sql *scan, const struct pqr__seen *seen, const struct pqr__seen *before)
{
    if (seen->keyword == PQR__KW_UPDATE && before->keyword == PQR__KW_FOR) {
        pqr__sql_doubt(scan, PQR__REASON_LOCKING, seen);
    } else if (!is_column(before)) {
        scan->modifies = true;
        pqr__sql_doubt(scan, scan->leading == PQR__KW_WITH ? PQR__REASON_WITH : PQR__REASON_STATEMENT, seen);
    }
}

/* The other key words of FOR UPDATE and its kin. */
static void locking_word(struct pqr__sql *scan, const struct pqr__seen *seen, const struct pqr__seen *before)
{
    if (before->keyword == PQR__KW_FOR)
        pqr__sql_doubt(scan, PQR__REASON_LOCKING, seen);
}

static void into_word(struct pqr__sql *scan, const struct pqr__seen *seen, const struct pqr__seen *before)
{
    (void)before;
    pqr__sql_doubt(scan, PQR__REASON_INTO, seen);
}

static void as_word(struct pqr__sql *scan, const struct pqr__seen *seen, const struct pqr__seen *before)
{
    (void)seen;
    (void)before;
    if (pqr__sql_in_cast(scan))
        scan->type = PQR__TYPE_EXPECTED;
}

/* Of a JSON constructor when nothing is modified. */
static void returning_word(
    struct pqr__sql *scan, const struct pqr__seen *seen, const struct pqr__seen *before)
{
    (void)seen;
    (void)before;
    if (!scan->modifies)
        scan->type = PQR__TYPE_EXPECTED;
}

/* --- Clauses --- */

static void set_clause(struct pqr__sql *scan, enum pqr__clause clause)
{
    pqr__sql_frame(scan)->clause = (uint8_t)clause;
}

/* Not WITH ORDINALITY, WITH TIME ZONE, WITH TIES. */
static void with_word(struct pqr__sql *scan, const struct pqr__seen *seen, const struct pqr__seen *before)
{
    (void)seen;
    if (before->token.kind != PQR__TOKEN_END && before->token.kind != PQR__TOKEN_OPEN)
        return;
    scan->begun = true;
    set_clause(scan, PQR__CLAUSE_WITH);
}

static void select_word(struct pqr__sql *scan, const struct pqr__seen *seen, const struct pqr__seen *before)
{
    (void)seen;
    (void)before;
    scan->begun = true;
    set_clause(scan, PQR__CLAUSE_OTHER);
}

/* TABLE t: what follows is read like the list after FROM. */
static void table_word(struct pqr__sql *scan, const struct pqr__seen *seen, const struct pqr__seen *before)
{
    (void)seen;
    (void)before;
    scan->begun = true;
    set_clause(scan, PQR__CLAUSE_FROM);
}

/* It may name a table. */
static void values_word(struct pqr__sql *scan, const struct pqr__seen *seen, const struct pqr__seen *before)
{
    (void)seen;
    scan->begun = true;
    if (pqr__sql_frame(scan)->clause != PQR__CLAUSE_FROM || before->token.kind == PQR__TOKEN_OPEN)
        set_clause(scan, PQR__CLAUSE_OTHER);
}

/* Not IS [NOT] DISTINCT FROM. */
static void from_word(struct pqr__sql *scan, const struct pqr__seen *seen, const struct pqr__seen *before)
{
    (void)seen;
    unsigned is = pqr__sql_seen(scan, 2)->keyword;
    if (before->keyword != PQR__KW_DISTINCT || (is != PQR__KW_IS && is != PQR__KW_NOT))
        set_clause(scan, PQR__CLAUSE_FROM);
}

static void by_word(struct pqr__sql *scan, const struct pqr__seen *seen, const struct pqr__seen *before)
{
    (void)seen;
    if (before->keyword == PQR__KW_GROUP)
        set_clause(scan, PQR__CLAUSE_GROUP_BY);
}

static void window_word(struct pqr__sql *scan, const struct pqr__seen *seen, const struct pqr__seen *before)
{
    (void)seen;
    (void)before;
    set_clause(scan, PQR__CLAUSE_WINDOW);
}

static void clause_word(struct pqr__sql *scan, const struct pqr__seen *seen, const struct pqr__seen *before)
{
    (void)seen;
    (void)before;
    set_clause(scan, PQR__CLAUSE_OTHER);
}

/* INSERT or MERGE begins its statement there; elsewhere it is a label: SELECT a merge INTO TEMP t. */
static bool begins_modification(struct pqr__sql *scan, unsigned back)
{
    const struct pqr__seen *word = pqr__sql_seen(scan, back), *before = pqr__sql_seen(scan, back + 1);
    if (word->keyword != PQR__KW_INSERT && word->keyword != PQR__KW_MERGE)
        return false;
    return before->token.kind == PQR__TOKEN_END || before->token.kind == PQR__TOKEN_OPEN ||
           pqr__sql_frame(scan)->clause == PQR__CLAUSE_WITH;
}

/* SELECT INTO [LOCAL] TEMP t; INSERT INTO temp is a table of that name. */
static void temporary_word(
    struct pqr__sql *scan, const struct pqr__seen *seen, const struct pqr__seen *before)
{
    unsigned into = before->keyword == PQR__KW_LOCAL || before->keyword == PQR__KW_GLOBAL ? 2 : 1;
    if (pqr__sql_seen(scan, into)->keyword == PQR__KW_INTO && !begins_modification(scan, into + 1))
        pqr__sql_raise(scan, PQR_CLASS_SESSION, PQR__EFFECT_SESSION, PQR__REASON_TEMPORARY, seen);
}

/* select last_value from a_sequence: a standby is ahead there. last_value(x) is a window function. */
static void last_value_word(
    struct pqr__sql *scan, const struct pqr__seen *seen, const struct pqr__seen *before)
{
    (void)seen;
    if (before->keyword != PQR__KW_AS)
        scan->sequence = true;
}

pqr__sql_rule *const pqr__sql_rules[PQR__KEYWORDS] = {
    [PQR__KW_INSERT] = modifying_word,
    [PQR__KW_UPDATE] = modifying_word,
    [PQR__KW_DELETE] = modifying_word,
    [PQR__KW_MERGE] = modifying_word,
    [PQR__KW_NO] = locking_word,
    [PQR__KW_KEY] = locking_word,
    [PQR__KW_SHARE] = locking_word,
    [PQR__KW_INTO] = into_word,
    [PQR__KW_TEMP] = temporary_word,
    [PQR__KW_TEMPORARY] = temporary_word,
    [PQR__KW_AS] = as_word,
    [PQR__KW_RETURNING] = returning_word,
    [PQR__KW_LAST_VALUE] = last_value_word,
    [PQR__KW_WITH] = with_word,
    [PQR__KW_SELECT] = select_word,
    [PQR__KW_TABLE] = table_word,
    [PQR__KW_VALUES] = values_word,
    [PQR__KW_FROM] = from_word,
    [PQR__KW_BY] = by_word,
    [PQR__KW_WINDOW] = window_word,
    [PQR__KW_WHERE] = clause_word,
    [PQR__KW_HAVING] = clause_word,
    [PQR__KW_ORDER] = clause_word,
    [PQR__KW_LIMIT] = clause_word,
    [PQR__KW_OFFSET] = clause_word,
    [PQR__KW_FETCH] = clause_word,
    [PQR__KW_UNION] = clause_word,
    [PQR__KW_INTERSECT] = clause_word,
    [PQR__KW_EXCEPT] = clause_word,
};

/* A relation is read only where its own name stands after FROM or TABLE, whatever the name in front of a column or of a
   whole row is then. From there on every name may be one, to the next clause of that frame: a list goes on after the
   condition of a join. Frames in parentheses take that over, but for calls and lists of columns, which hold none; what
   a subquery in them reads stands after a FROM of its own. Everywhere else a name that is a harmful relation's too is
   something else: a column, a label, an alias. */
static bool may_be_relation(
    struct pqr__sql *scan, const struct pqr__seen *seen, const struct pqr__seen *before)
{
    if (pqr__sql_frame(scan)->clause != PQR__CLAUSE_FROM)
        return false;
    return seen->category != PQR__CATEGORY_RESERVED || before->token.kind == PQR__TOKEN_DOT;
}

/* An argument list follows, which is counted. */
static bool will_be_counted(const struct pqr__sql *scan, const struct pqr__seen *seen)
{
    if (!pqr__sql_counts(scan, seen))
        return false;
    struct pqr__lexer ahead = scan->lexer;
    struct pqr__token next;
    pqr__lexer_next(&ahead, &next);
    return next.kind == PQR__TOKEN_OPEN;
}

/* After a dot a name may call a function, as t.f does where t has no column f. */
static void attribute(struct pqr__sql *scan, const struct pqr__seen *seen)
{
    if (!will_be_counted(scan, seen))
        pqr__sql_function(scan, seen, true);
}

static void by_catalog(struct pqr__sql *scan, const struct pqr__seen *seen, const struct pqr__seen *before)
{
    if (may_be_relation(scan, seen, before))
        (void)pqr__sql_suspect(scan, PQR__CATALOG_RELATION, seen);
    if (seen->word == NULL && before->token.kind == PQR__TOKEN_DOT)
        attribute(scan, seen);
}

/* Where it can hardly be anything else. */
static void tell_relation(struct pqr__sql *scan, const struct pqr__seen *seen, const struct pqr__seen *before)
{
    bool begins = before->keyword == PQR__KW_FROM || before->keyword == PQR__KW_JOIN ||
                  before->keyword == PQR__KW_TABLE || before->token.kind == PQR__TOKEN_COMMA ||
                  before->token.kind == PQR__TOKEN_DOT;
    bool in_from = pqr__sql_frame(scan)->clause == PQR__CLAUSE_FROM || before->keyword == PQR__KW_TABLE;
    if (begins && in_from && seen->category != PQR__CATEGORY_RESERVED)
        pqr__sql_tell(scan, PQR__TOLD_RELATION, NULL, seen);
}

void pqr__sql_name(struct pqr__sql *scan)
{
    const struct pqr__seen *seen = pqr__sql_seen(scan, 0), *before = pqr__sql_seen(scan, 1);
    if (seen->token.kind == PQR__TOKEN_UNICODE) { /* could spell anything */
        pqr__sql_doubt(scan, PQR__REASON_NOT_RECOGNISED, seen);
        return;
    }
    if (scan->explain != NULL)
        tell_relation(scan, seen, before);
    if (scan->catalog != NULL || scan->named != NULL)
        by_catalog(scan, seen, before);
    if (seen->word == NULL) {
        if (pqr__token_may_be_pg(&seen->token) &&
            (starts_with(&seen->token, "pg_stat_") || starts_with(&seen->token, "pg_statio_")))
            pqr__sql_doubt(scan, PQR__REASON_VIEW, seen);
        return;
    }
    if ((seen->flags & PQR__WORD_SERVER) != 0)
        pqr__sql_doubt(scan, PQR__REASON_VIEW, seen);
    if (seen->word->keyword == PQR__KW_LAST_VALUE) /* in quotes and after a dot too */
        last_value_word(scan, seen, before);
    if (before->token.kind == PQR__TOKEN_DOT) /* (x).f calls f(x) where x has no column f */
        attribute(scan, seen);
    else if (pqr__sql_rules[seen->keyword] != NULL)
        pqr__sql_rules[seen->keyword](scan, seen, before);
}
