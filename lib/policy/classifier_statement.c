/* What a statement is, by its first words; the rules for all that is no query (manual, part VI, SQL commands). */
#include "policy/classifier_sql.h"

/* The rest of the statement is read for: */
enum rest { QUERY, UTILITY, DEFINITION, COPY };

static const struct leading {
    bool known;
    uint8_t route, effect, rest;
} leadings[PQR__KEYWORDS] = {
#define LEADING(keyword, route, effect, rest) \
    [PQR__KW_##keyword] = {true, PQR_CLASS_##route, PQR__EFFECT_##effect, rest}
    LEADING(SELECT, REPLICA, READ, QUERY),
    LEADING(VALUES, REPLICA, READ, QUERY),
    LEADING(TABLE, REPLICA, READ, QUERY),
    LEADING(WITH, REPLICA, READ, QUERY),
    LEADING(INSERT, PRIMARY, WRITE, QUERY),
    LEADING(UPDATE, PRIMARY, WRITE, QUERY),
    LEADING(DELETE, PRIMARY, WRITE, QUERY),
    LEADING(MERGE, PRIMARY, WRITE, QUERY),
    LEADING(SHOW, REPLICA, READ, UTILITY),
    LEADING(COPY, REPLICA, COPY, COPY),
    LEADING(CREATE, PRIMARY, WRITE, DEFINITION),
    LEADING(ALTER, PRIMARY, WRITE, DEFINITION),
    LEADING(DROP, PRIMARY, WRITE, DEFINITION),
    LEADING(REFRESH, PRIMARY, WRITE, DEFINITION),
    LEADING(TRUNCATE, PRIMARY, WRITE, UTILITY),
    LEADING(COMMENT, PRIMARY, WRITE, UTILITY),
    LEADING(GRANT, PRIMARY, WRITE, UTILITY),
    LEADING(REVOKE, PRIMARY, WRITE, UTILITY),
    LEADING(SECURITY, PRIMARY, WRITE, UTILITY),
    LEADING(REASSIGN, PRIMARY, WRITE, UTILITY),
    LEADING(IMPORT, PRIMARY, WRITE, UTILITY),
    LEADING(NOTIFY, PRIMARY, WRITE, UTILITY),
    LEADING(LOCK, PRIMARY, WRITE, UTILITY),
    LEADING(DO, PRIMARY, PARTIAL, UTILITY),
    LEADING(CALL, PRIMARY, PARTIAL, QUERY),
    LEADING(VACUUM, PRIMARY, PARTIAL, UTILITY),
    LEADING(ANALYZE, PRIMARY, PARTIAL, UTILITY),
    LEADING(ANALYSE, PRIMARY, PARTIAL, UTILITY),
    LEADING(CLUSTER, PRIMARY, PARTIAL, UTILITY),
    LEADING(REINDEX, PRIMARY, PARTIAL, UTILITY),
    LEADING(CHECKPOINT, PRIMARY, PARTIAL, UTILITY),
    LEADING(SET, SESSION, SESSION, UTILITY),
    LEADING(RESET, SESSION, SESSION, UTILITY),
    LEADING(DISCARD, SESSION, SESSION, UTILITY),
    LEADING(LISTEN, SESSION, SESSION, UTILITY),
    LEADING(UNLISTEN, SESSION, SESSION, UTILITY),
    LEADING(DECLARE, SESSION, SESSION, UTILITY),
    LEADING(FETCH, SESSION, SESSION, UTILITY),
    LEADING(MOVE, SESSION, SESSION, UTILITY),
    LEADING(CLOSE, SESSION, SESSION, UTILITY),
    LEADING(PREPARE, SESSION, SESSION, UTILITY),
    LEADING(EXECUTE, SESSION, SESSION, UTILITY),
    LEADING(DEALLOCATE, SESSION, SESSION, UTILITY),
    LEADING(LOAD, SESSION, SESSION, UTILITY),
    LEADING(SAVEPOINT, SESSION, SESSION, UTILITY),
    LEADING(RELEASE, SESSION, SESSION, UTILITY),
    LEADING(BEGIN, SESSION, TRANSACTION, UTILITY),
    LEADING(START, SESSION, TRANSACTION, UTILITY),
    LEADING(COMMIT, SESSION, TRANSACTION, UTILITY),
    LEADING(END, SESSION, TRANSACTION, UTILITY),
    LEADING(ABORT, SESSION, TRANSACTION, UTILITY),
    LEADING(ROLLBACK, SESSION, TRANSACTION, UTILITY),
};

/* A query begins at the current token, as if nothing stood before it. */
void pqr__sql_forget(struct pqr__sql *scan)
{
    scan->current[-1] = (struct pqr__seen){0};
}

/* --- Rules for tokens outside of queries --- */

/* Parentheses are counted, mistakes and temporary schemas are seen. */
void pqr__sql_outside(struct pqr__sql *scan)
{
    switch ((int)pqr__sql_kind(scan)) {
    case PQR__TOKEN_OPEN:
        scan->depth++;
        *pqr__sql_frame(scan) = (struct pqr__frame){0};
        break;
    case PQR__TOKEN_CLOSE:
        if (scan->depth > 0)
            scan->depth--;
        else
            pqr__sql_doubt(scan, PQR__REASON_NOT_RECOGNISED, pqr__sql_seen(scan, 0));
        break;
    case PQR__TOKEN_DOT:
        pqr__sql_schema(scan);
        break;
    case PQR__TOKEN_ERROR:
        pqr__sql_doubt(scan, PQR__REASON_NOT_RECOGNISED, pqr__sql_seen(scan, 0));
        break;
    default:
        break;
    }
}

void pqr__sql_read_utility(struct pqr__sql *scan)
{
    for (; !pqr__sql_is_over(scan); pqr__sql_next(scan))
        pqr__sql_outside(scan);
}

static void read_query(struct pqr__sql *scan)
{
    for (; !pqr__sql_is_over(scan); pqr__sql_next_of_query(scan))
        pqr__sql_query(scan);
    if (scan->sequence) /* it was the last word */
        pqr__sql_doubt(scan, PQR__REASON_SEQUENCE, pqr__sql_seen(scan, 1));
    if (scan->type == PQR__TYPE_EXPECTED || scan->type == PQR__TYPE_SCHEMA ||
        (!scan->begun && !scan->modifies))
        pqr__sql_doubt(scan, PQR__REASON_NOT_RECOGNISED, pqr__sql_seen(scan, 0));
}

/* --- First words --- */

/* ROLLBACK TO a savepoint, COMMIT and ROLLBACK PREPARED, PREPARE TRANSACTION: by the words after the first.
   The current token is the first after it. */
static void refine(struct pqr__sql *scan)
{
    const struct pqr__seen *seen = pqr__sql_seen(scan, 0);
    struct pqr__finding *finding = &scan->finding;
    if (scan->leading == PQR__KW_PREPARE && seen->keyword == PQR__KW_TRANSACTION)
        finding->effect = PQR__EFFECT_TRANSACTION;
    if (scan->leading != PQR__KW_ROLLBACK && scan->leading != PQR__KW_COMMIT)
        return;
    if (seen->keyword == PQR__KW_PREPARED) { /* ends another session's transaction, needs none itself */
        finding->route = PQR_CLASS_PRIMARY;
        finding->effect = PQR__EFFECT_PARTIAL;
        finding->reason = PQR__REASON_STATEMENT;
    }
    if (scan->leading == PQR__KW_COMMIT)
        return;
    if (seen->keyword == PQR__KW_WORK || seen->keyword == PQR__KW_TRANSACTION) {
        pqr__sql_next(scan);
        seen = pqr__sql_seen(scan, 0);
    }
    if (seen->keyword == PQR__KW_TO)
        finding->effect = PQR__EFFECT_SESSION;
}

static bool begins_query(const struct pqr__seen *seen)
{
    return seen->keyword == PQR__KW_SELECT || seen->keyword == PQR__KW_VALUES ||
           seen->keyword == PQR__KW_TABLE || seen->keyword == PQR__KW_WITH ||
           seen->token.kind == PQR__TOKEN_OPEN;
}

/* EXPLAIN (SELECT 1) or EXPLAIN (ANALYZE) SELECT 1; stays where it is. */
static bool has_options(struct pqr__sql *scan)
{
    struct pqr__lexer lexer = scan->lexer;
    pqr__sql_next(scan);
    bool options = !begins_query(pqr__sql_seen(scan, 0));
    scan->current--;
    scan->lexer = lexer;
    return options;
}

/* EXPLAIN runs its statement or not; either way it is as strict as the statement. Stops on its first word. */
static void look_through_explain(struct pqr__sql *scan)
{
    pqr__sql_next(scan);
    if (pqr__sql_kind(scan) == PQR__TOKEN_OPEN && has_options(scan)) {
        while (pqr__sql_kind(scan) != PQR__TOKEN_CLOSE && !pqr__sql_is_over(scan))
            pqr__sql_next(scan);
        if (pqr__sql_kind(scan) == PQR__TOKEN_CLOSE)
            pqr__sql_next(scan);
        return;
    }
    if (pqr__sql_seen(scan, 0)->keyword == PQR__KW_ANALYZE ||
        pqr__sql_seen(scan, 0)->keyword == PQR__KW_ANALYSE)
        pqr__sql_next(scan);
    if (pqr__sql_seen(scan, 0)->keyword == PQR__KW_VERBOSE)
        pqr__sql_next(scan);
}

/* ((SELECT 1)) */
static void read_parenthesised(struct pqr__sql *scan)
{
    for (; pqr__sql_kind(scan) == PQR__TOKEN_OPEN; pqr__sql_next(scan))
        pqr__sql_query(scan);
    if (!begins_query(pqr__sql_seen(scan, 0)))
        pqr__sql_doubt(scan, PQR__REASON_NOT_RECOGNISED, pqr__sql_seen(scan, 0));
    read_query(scan);
}

/* The history of another statement says nothing about this one. */
static void begin_history(struct pqr__sql *scan)
{
    _Static_assert(PQR__HISTORY == 5, "each is cleared here");
    struct pqr__seen *tokens = scan->tokens;
    const struct pqr__seen nothing = {0};
    tokens[PQR__HISTORY] = *scan->current;
    /* One by one: of a loop or memset the compiler makes an instruction that takes longer than a short statement's
       words. */
    tokens[0] = nothing;
    tokens[1] = nothing;
    tokens[2] = nothing;
    tokens[3] = nothing;
    tokens[4] = nothing;
    scan->current = tokens + PQR__HISTORY;
}

static void reset(struct pqr__sql *scan)
{
    scan->finding = (struct pqr__finding){
        .route = PQR_CLASS_REPLICA, .effect = PQR__EFFECT_READ, .reason = PQR__REASON_READ};
    scan->leading = PQR__KW_NONE;
    scan->depth = 0;
    scan->closed = PQR__FRAME_GROUP;
    scan->type = PQR__TYPE_NONE;
    scan->modifies = false;
    scan->watched = false;
    scan->sequence = false;
    scan->begun = false;
    scan->frames[0] = (struct pqr__frame){0};
    begin_history(scan);
}

/* Not what it defines in pg_temp, and not what a CALL or a volatile function may do. */
bool pqr__sql_defines(const struct pqr__sql *scan)
{
    if (scan->finding.route != PQR_CLASS_PRIMARY)
        return false;
    switch ((int)scan->leading) {
    case PQR__KW_CREATE:
    case PQR__KW_ALTER:
    case PQR__KW_DROP:
    case PQR__KW_REFRESH:
    case PQR__KW_IMPORT:
    case PQR__KW_DO:
        return true;
    default:
        return false;
    }
}

bool pqr__sql_is_query(const struct pqr__sql *scan)
{
    const struct leading *leading = &leadings[scan->leading];
    return leading->known && leading->rest == QUERY && scan->leading != PQR__KW_CALL;
}

/* What the first word alone asks for. */
static void announce(struct pqr__sql *scan, const struct leading *leading)
{
    bool session = leading->route == PQR_CLASS_SESSION;
    if (leading->route != PQR_CLASS_REPLICA || leading->effect != PQR__EFFECT_READ) /* so far it is a read */
        pqr__sql_raise(scan, (pqr_class)leading->route, (enum pqr__effect)leading->effect,
            session ? PQR__REASON_COMMAND : PQR__REASON_STATEMENT, pqr__sql_seen(scan, 0));
}

/* The current token is the statement's first word, so nothing but its rule is about it. */
static void begin_query(struct pqr__sql *scan)
{
    const struct pqr__seen *first = pqr__sql_seen(scan, 0);
    if (pqr__sql_rules[first->keyword] != NULL)
        pqr__sql_rules[first->keyword](scan, first, first - 1);
    pqr__sql_next_of_query(scan);
}

static void read_rest(struct pqr__sql *scan, enum rest rest)
{
    switch (rest) {
    case QUERY:
        begin_query(scan);
        read_query(scan);
        break;
    case DEFINITION:
        pqr__sql_read_definition(scan);
        break;
    case COPY:
        pqr__sql_read_copy(scan);
        break;
    case UTILITY:
        pqr__sql_next(scan);
        refine(scan);
        pqr__sql_read_utility(scan);
        break;
    }
}

void pqr__sql_statement(struct pqr__sql *scan)
{
    reset(scan);
    if (pqr__sql_seen(scan, 0)->keyword == PQR__KW_EXPLAIN) {
        look_through_explain(scan);
        pqr__sql_forget(scan);
    }
    const struct pqr__seen *first = pqr__sql_seen(scan, 0);
    const struct leading *leading = &leadings[first->keyword];
    scan->leading = (enum pqr__keyword)first->keyword;
    scan->begun = scan->leading == PQR__KW_CALL;
    if (pqr__sql_kind(scan) == PQR__TOKEN_OPEN) {
        read_parenthesised(scan);
    } else if (!leading->known) {
        pqr__sql_doubt(scan, PQR__REASON_NOT_RECOGNISED, first);
        pqr__sql_read_utility(scan);
    } else {
        announce(scan, leading);
        read_rest(scan, (enum rest)leading->rest);
    }
    if (scan->depth != 0)
        pqr__sql_doubt(scan, PQR__REASON_NOT_RECOGNISED, pqr__sql_seen(scan, 0));
}
