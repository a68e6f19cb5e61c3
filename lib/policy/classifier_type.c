/* Type names, and what stands in the parentheses of an alias, FILTER, OVER and JOIN: each may be a list of columns
   with types, whose input functions then run. */
#include "policy/classifier_sql.h"

/* --- Type names --- */

/* schema. stands before the current token. */
static bool is_in_users_schema(const struct pqr__sql *scan)
{
    return pqr__sql_seen(scan, 1)->token.kind == PQR__TOKEN_DOT &&
           pqr__seen_is_users_schema(pqr__sql_seen(scan, 2));
}

/* _int4, the type of int4's arrays. There is no _integer, nor of double, and types that begin with pg_ have no arrays,
   most of them. */
static bool is_builtin_array(const struct pqr__seen *seen)
{
    const struct pqr__token *token = &seen->token;
    if (token->kind != PQR__TOKEN_WORD || token->length < 2 || token->at[0] != '_')
        return false;
    const struct pqr__word *element = pqr__word_find(token->at + 1, token->length - 1, true);
    return element != NULL && (element->flags & PQR__WORD_TYPE) != 0 &&
           element->category != PQR__CATEGORY_COLUMN && strcmp(element->name, "double") != 0 &&
           strncmp(element->name, "pg_", 3) != 0;
}

/* By the catalog, which has no arrays: the elements'. */
static bool suspect_elements(struct pqr__sql *scan, const struct pqr__seen *seen)
{
    struct pqr__seen element = *seen;
    if (!is_builtin_array(seen))
        return false;
    element.token.at++;
    element.token.length--;
    return pqr__sql_suspect(scan, PQR__CATALOG_TYPE, &element);
}

/* By the catalog: true when it decided. A name that it does not have may be a schema. */
static bool users_type(struct pqr__sql *scan, const struct pqr__seen *seen)
{
    bool builtin = pqr__seen_is_type(seen) || is_builtin_array(seen);
    if (scan->catalog == NULL || seen->category == PQR__CATEGORY_RESERVED)
        return false;
    /* A table's name is the type of its rows. */
    if (pqr__sql_suspect(scan, PQR__CATALOG_TYPE, seen) ||
        pqr__sql_suspect(scan, PQR__CATALOG_RELATION, seen) || suspect_elements(scan, seen))
        return true;
    if (pqr__sql_known(scan, PQR__CATALOG_TYPE, seen) == PQR__CATALOG_HARMLESS)
        scan->type = PQR__TYPE_DONE;
    else if (pqr__seen_is_name(seen) && seen->token.kind != PQR__TOKEN_UNICODE &&
             (!builtin || is_in_users_schema(scan)))
        scan->type = PQR__TYPE_SCHEMA;
    return scan->type != PQR__TYPE_NONE;
}

/* TREAT calls the function of pg_catalog that has the type's name: harmless when it is a built-in type's. */
static void treat_as(struct pqr__sql *scan, const struct pqr__seen *seen)
{
    if (!pqr__seen_is_type(seen) || seen->word->function > PQR__FUNCTION_HARMLESS)
        pqr__sql_doubt(scan, PQR__REASON_FUNCTION, seen);
}

/* TREAT(a AS SETOF any_schema.pg_advisory_lock): any of its words may be that name. */
static void watch_treat(struct pqr__sql *scan)
{
    const struct pqr__seen *seen = pqr__sql_seen(scan, 0);
    if (pqr__sql_frame(scan)->kind == PQR__FRAME_TREAT && seen->word != NULL &&
        seen->word->function == PQR__FUNCTION_SESSION)
        pqr__sql_raise(scan, PQR_CLASS_SESSION, PQR__EFFECT_SESSION, PQR__REASON_SESSION, seen);
}

void pqr__sql_type_name(struct pqr__sql *scan)
{
    const struct pqr__seen *seen = pqr__sql_seen(scan, 0);
    scan->type = PQR__TYPE_NONE;
    pqr__sql_tell(scan, PQR__TOLD_TYPE, NULL, seen);
    if (pqr__sql_frame(scan)->kind == PQR__FRAME_TREAT)
        treat_as(scan, seen);
    if (users_type(scan, seen))
        return;
    if (seen->word != NULL && seen->word->keyword == PQR__KW_PG_CATALOG &&
        pqr__sql_seen(scan, 1)->token.kind != PQR__TOKEN_DOT)
        scan->type = PQR__TYPE_SCHEMA;
    else if (pqr__seen_is_type(seen) || is_builtin_array(seen))
        scan->type = PQR__TYPE_DONE;
    else
        pqr__sql_doubt(scan, pqr__seen_is_name(seen) ? PQR__REASON_TYPE : PQR__REASON_NOT_RECOGNISED, seen);
}

/* The current token stands in the list of an alias's columns: names, perhaps with types. */
static bool column(struct pqr__sql *scan, struct pqr__frame *frame)
{
    const struct pqr__seen *seen = pqr__sql_seen(scan, 0);
    if (seen->token.kind == PQR__TOKEN_CLOSE)
        return false;
    if (seen->token.kind == PQR__TOKEN_COMMA) {
        frame->item = PQR__ITEM_NAME;
        return true;
    }
    if (frame->item == PQR__ITEM_MORE)
        return pqr__seen_is_name(seen) || seen->token.kind == PQR__TOKEN_DOT;
    if (!pqr__seen_is_name(seen)) /* it was a call after all */
        pqr__sql_doubt(
            scan, PQR__REASON_FUNCTION, pqr__sql_seen(scan, seen->token.kind == PQR__TOKEN_OPEN ? 1 : 2));
    else if (frame->item == PQR__ITEM_TYPE)
        pqr__sql_type_name(scan);
    frame->item++;
    return pqr__seen_is_name(seen);
}

static bool begins_frame(const struct pqr__seen *seen)
{
    return seen->keyword == PQR__KW_ROWS || seen->keyword == PQR__KW_RANGE || seen->keyword == PQR__KW_GROUPS;
}

/* What follows ROWS, RANGE or GROUPS, when that is no column's or type's name. */
static bool fits_bound(const struct pqr__seen *seen)
{
    return seen->token.kind == PQR__TOKEN_NUMBER || seen->token.kind == PQR__TOKEN_PARAMETER ||
           seen->token.kind == PQR__TOKEN_STRING || seen->keyword == PQR__KW_BETWEEN ||
           seen->keyword == PQR__KW_INTERVAL || seen->keyword == PQR__KW_UNBOUNDED ||
           seen->keyword == PQR__KW_CURRENT;
}

/* The second word in OVER( ), by the first. */
static bool fits_second(const struct pqr__seen *seen, const struct pqr__seen *first)
{
    if (!pqr__seen_is_name(first) || first->keyword == PQR__KW_ORDER)
        return true;
    if (first->keyword == PQR__KW_PARTITION)
        return seen->keyword == PQR__KW_BY;
    if (begins_frame(first))
        return fits_bound(seen);
    return begins_frame(seen) || seen->keyword == PQR__KW_PARTITION || seen->keyword == PQR__KW_ORDER ||
           seen->token.kind == PQR__TOKEN_CLOSE;
}

/* The third, by those before. */
static bool fits_third(
    const struct pqr__seen *seen, const struct pqr__seen *second, const struct pqr__seen *first)
{
    if (begins_frame(first) && second->keyword == PQR__KW_UNBOUNDED)
        return seen->keyword == PQR__KW_PRECEDING;
    if (begins_frame(first) && second->keyword == PQR__KW_CURRENT)
        return seen->keyword == PQR__KW_ROW;
    return !begins_frame(second) || fits_bound(seen);
}

/* OVER ([name] [PARTITION BY or ORDER BY or a frame. Anything else may be columns with types. */
static bool fits_window(struct pqr__sql *scan)
{
    const struct pqr__seen *seen = pqr__sql_seen(scan, 0), *last = pqr__sql_seen(scan, 1);
    if (pqr__sql_seen(scan, 2)->token.kind == PQR__TOKEN_OPEN)
        return fits_second(seen, last);
    if (pqr__sql_seen(scan, 3)->token.kind == PQR__TOKEN_OPEN)
        return fits_third(seen, last, pqr__sql_seen(scan, 2));
    return true;
}

/* A column can't be called SELECT or WITH. */
static bool fits_join(struct pqr__sql *scan)
{
    unsigned first = pqr__sql_seen(scan, 0)->keyword;
    return pqr__sql_seen(scan, 1)->token.kind != PQR__TOKEN_OPEN || first == PQR__KW_SELECT ||
           first == PQR__KW_WITH;
}

/* FILTER (WHERE ... */
static bool fits_filter(struct pqr__sql *scan)
{
    return pqr__sql_seen(scan, 1)->token.kind != PQR__TOKEN_OPEN ||
           pqr__sql_seen(scan, 0)->keyword == PQR__KW_WHERE;
}

/* These are looked at at their beginning, others to their end. */
static void stop_watching(struct pqr__sql *scan, struct pqr__frame *frame)
{
    if (scan->watched && (frame->kind == PQR__FRAME_FILTER || frame->kind == PQR__FRAME_OVER ||
                             frame->kind == PQR__FRAME_JOIN))
        scan->watched = ++frame->item < PQR__WATCHED_TOKENS;
}

/* A type's name goes on, or ends; true when the token was part of it. */
static bool continue_type(struct pqr__sql *scan)
{
    const struct pqr__seen *seen = pqr__sql_seen(scan, 0);
    switch ((enum pqr__type_state)scan->type) {
    case PQR__TYPE_EXPECTED:
        pqr__sql_type_name(scan);
        return seen->token.kind == PQR__TOKEN_WORD || seen->token.kind == PQR__TOKEN_QUOTED;
    case PQR__TYPE_SCHEMA:
        scan->type = PQR__TYPE_EXPECTED;
        if (seen->token.kind == PQR__TOKEN_DOT)
            return true;
        scan->type = PQR__TYPE_NONE;
        pqr__sql_doubt(scan, PQR__REASON_TYPE, pqr__sql_seen(scan, 1));
        return false;
    case PQR__TYPE_DONE:
        if (seen->token.kind == PQR__TOKEN_DOT) /* it was a schema */
            pqr__sql_doubt(scan, PQR__REASON_TYPE, pqr__sql_seen(scan, 1));
        if (seen->token.kind != PQR__TOKEN_OPEN)
            scan->type = PQR__TYPE_NONE;
        return false;
    case PQR__TYPE_NONE:
        return false;
    }
    return false;
}

/* FILTER( ), OVER( ) and JOIN( ) begin as they should. */
static void check_beginning(struct pqr__sql *scan, struct pqr__frame *frame)
{
    if ((frame->kind == PQR__FRAME_FILTER && !fits_filter(scan)) ||
        (frame->kind == PQR__FRAME_OVER && !fits_window(scan)))
        pqr__sql_doubt(scan, PQR__REASON_TYPE, pqr__sql_seen(scan, 0));
    if (frame->kind == PQR__FRAME_JOIN && !fits_join(scan))
        pqr__sql_doubt(scan, PQR__REASON_FUNCTION, pqr__sql_seen(scan, 2));
    stop_watching(scan, frame);
}

bool pqr__sql_type(struct pqr__sql *scan)
{
    watch_treat(scan);
    unsigned before = scan->type;
    bool taken = continue_type(scan);
    if (before == PQR__TYPE_EXPECTED || before == PQR__TYPE_SCHEMA)
        return taken;
    struct pqr__frame *frame = pqr__sql_frame(scan);
    check_beginning(scan, frame);
    if (scan->type != PQR__TYPE_NONE)
        return false;
    if (frame->kind == PQR__FRAME_XML_TABLE || frame->kind == PQR__FRAME_COLUMNS)
        return pqr__sql_table_column(scan, frame);
    return frame->kind == PQR__FRAME_ALIAS && column(scan, frame);
}
