/* Parentheses, and what the name before one is: a function, a type, an alias, a key word. Without a grammar this
   rests on what can stand before a name: after a complete operand a name can only be an alias or a key word, so
   name( is no call there. */
#include "policy/classifier_sql.h"

static bool is_join_word(const struct pqr__seen *seen)
{
    switch (seen->keyword) {
    case PQR__KW_LEFT:
    case PQR__KW_RIGHT:
    case PQR__KW_FULL:
    case PQR__KW_INNER:
    case PQR__KW_OUTER:
    case PQR__KW_CROSS:
    case PQR__KW_NATURAL:
        return true;
    default:
        return false;
    }
}

static bool is_interval_field(const struct pqr__seen *seen)
{
    return seen->keyword == PQR__KW_DAY || seen->keyword == PQR__KW_HOUR || seen->keyword == PQR__KW_MINUTE;
}

static bool is_list_separator(const struct pqr__seen *seen)
{
    return seen->token.kind == PQR__TOKEN_COMMA || seen->keyword == PQR__KW_BY ||
           seen->keyword == PQR__KW_ALL || seen->keyword == PQR__KW_DISTINCT;
}

/* An unreserved key word that, after the word before it, opens a construct of the grammar. */
static bool is_construct(struct pqr__sql *scan, unsigned keyword, const struct pqr__seen *before)
{
    const struct pqr__frame *frame = pqr__sql_frame(scan);
    switch (keyword) {
    case PQR__KW_JOIN:
        return before->ends || is_join_word(before);
    case PQR__KW_BY:
        return before->keyword == PQR__KW_ORDER || before->keyword == PQR__KW_GROUP ||
               before->keyword == PQR__KW_PARTITION;
    case PQR__KW_ZONE:
        return before->keyword == PQR__KW_TIME;
    case PQR__KW_FIRST:
    case PQR__KW_NEXT:
        return before->keyword == PQR__KW_FETCH;
    case PQR__KW_SECOND: /* day to second(3) */
        return before->keyword == PQR__KW_INTERVAL ||
               (before->keyword == PQR__KW_TO && is_interval_field(pqr__sql_seen(scan, 3)));
    case PQR__KW_MATERIALIZED:
        return frame->clause == PQR__CLAUSE_WITH;
    case PQR__KW_CUBE:
    case PQR__KW_ROLLUP:
        return (frame->clause == PQR__CLAUSE_GROUP_BY && is_list_separator(before)) ||
               (frame->kind == PQR__FRAME_SETS &&
                   (before->token.kind == PQR__TOKEN_COMMA || before->token.kind == PQR__TOKEN_OPEN));
    default:
        return false;
    }
}

/* The name of a WITH query, or of an alias. Both may have a list of columns. */
static bool is_alias(struct pqr__sql *scan, const struct pqr__seen *before)
{
    if (before->keyword == PQR__KW_AS || before->keyword == PQR__KW_ORDINALITY)
        return true;
    return pqr__sql_frame(scan)->clause == PQR__CLAUSE_WITH &&
           (before->keyword == PQR__KW_WITH || before->keyword == PQR__KW_RECURSIVE ||
               before->token.kind == PQR__TOKEN_COMMA);
}

static enum pqr__frame_kind reserved_word(
    struct pqr__sql *scan, const struct pqr__seen *word, const struct pqr__seen *before)
{
    uint8_t clause = pqr__sql_frame(scan)->clause;
    if (word->keyword == PQR__KW_CAST)
        return PQR__FRAME_CAST;
    if (word->keyword == PQR__KW_ON && before->keyword == PQR__KW_DISTINCT)
        return PQR__FRAME_DISTINCT_ON;
    /* FROM f() AS (a int): types; elsewhere a WITH query or a window. */
    if (word->keyword == PQR__KW_AS && clause != PQR__CLAUSE_WITH && clause != PQR__CLAUSE_WINDOW)
        return PQR__FRAME_ALIAS;
    return PQR__FRAME_GROUP;
}

/* json_value( and its like: a user's function of that name where the server is older than the key word. Only a
   catalog can say that there is none. */
static enum pqr__frame_kind newer_word(struct pqr__sql *scan, const struct pqr__seen *word)
{
    pqr__sql_function(scan, word, true);
    if (word->word->function == PQR__FUNCTION_UNKNOWN && !pqr__seen_is_type(word) &&
        !pqr__sql_knows_names(scan))
        pqr__sql_doubt(scan, PQR__REASON_FUNCTION, word);
    return pqr__seen_is_type(word) ? PQR__FRAME_TYPE : PQR__FRAME_CALL;
}

/* Words of the grammar. Most name no function of a user's; substring(a, b) and overlay(a, b) may: only with FROM and
   PLACING in it they are pg_catalog's. */
static enum pqr__frame_kind column_word(struct pqr__sql *scan, const struct pqr__seen *word)
{
    switch (word->keyword) {
    case PQR__KW_TREAT:
        return PQR__FRAME_TREAT;
    case PQR__KW_XMLROOT:
        return PQR__FRAME_XML_ROOT;
    case PQR__KW_XMLTABLE:
        return PQR__FRAME_XML_TABLE;
    case PQR__KW_JSON_TABLE:
        return PQR__FRAME_JSON_TABLE;
    case PQR__KW_XMLSERIALIZE:
        return PQR__FRAME_CAST;
    case PQR__KW_GROUPING:
        return PQR__FRAME_GROUP;
    default:
        break;
    }
    if ((word->flags & PQR__WORD_NEWER) != 0)
        return newer_word(scan, word);
    if (pqr__seen_is_type(word))
        return PQR__FRAME_TYPE;
    pqr__sql_function(scan, word, true);
    return PQR__FRAME_CALL;
}

/* A function's name too, but of another signature than the table knows. */
static enum pqr__frame_kind sample(struct pqr__sql *scan, const struct pqr__seen *name)
{
    const struct pqr__token *token = &name->token;
    (void)pqr__sql_suspect(scan, PQR__CATALOG_FUNCTION, name); /* a user's, in a schema before pg_catalog */
    if ((token->length != 6 || !pqr__name_is(token->at, "system", 6)) &&
        (token->length != 9 || !pqr__name_is(token->at, "bernoulli", 9)))
        pqr__sql_doubt(scan, PQR__REASON_FUNCTION, name);
    return PQR__FRAME_SAMPLE;
}

/* Judged when it is closed. */
static enum pqr__frame_kind counted(struct pqr__sql *scan, const struct pqr__seen *name)
{
    pqr__sql_tell(scan, PQR__TOLD_FUNCTION, NULL, name);
    (void)pqr__sql_suspect(scan, PQR__CATALOG_TYPE, name);
    return PQR__FRAME_COUNTED;
}

static enum pqr__frame_kind call(struct pqr__sql *scan, const struct pqr__seen *name)
{
    if (pqr__sql_counts(scan, name))
        return counted(scan, name);
    pqr__sql_function(scan, name, false);
    return pqr__seen_is_type(name) ? PQR__FRAME_TYPE : PQR__FRAME_CALL;
}

/* schema.name( : known only when the schema is pg_catalog. */
static enum pqr__frame_kind qualified_call(struct pqr__sql *scan, const struct pqr__seen *name)
{
    const struct pqr__seen *schema = pqr__sql_seen(scan, 3), *more = pqr__sql_seen(scan, 4);
    if (schema->word != NULL && schema->word->keyword == PQR__KW_PG_CATALOG &&
        more->token.kind != PQR__TOKEN_DOT && more->keyword != PQR__KW_TABLESAMPLE)
        return call(scan, name);
    bool users = pqr__seen_is_users_schema(schema) && more->keyword != PQR__KW_TABLESAMPLE;
    if (users && pqr__sql_counts(scan, name))
        return counted(scan, name);
    enum pqr__catalog_answer configured =
        scan->named == NULL ? PQR__CATALOG_ABSENT : pqr__sql_configured(scan, schema, name);
    pqr__sql_tell(scan, PQR__TOLD_FUNCTION, schema, name);
    if (configured == PQR__CATALOG_HARMFUL)
        pqr__sql_doubt(scan, PQR__REASON_CONFIGURED, name);
    else if (configured == PQR__CATALOG_HARMLESS && users)
        return PQR__FRAME_CALL;
    if (users && (pqr__sql_suspect(scan, PQR__CATALOG_FUNCTION, name) ||
                     pqr__sql_known(scan, PQR__CATALOG_FUNCTION, name) == PQR__CATALOG_HARMLESS))
        return PQR__FRAME_CALL;
    struct pqr__seen whole = *name;
    whole.token.at = schema->token.at;
    whole.token.length += (uint32_t)(name->token.at - schema->token.at);
    pqr__sql_doubt(scan, PQR__REASON_FUNCTION, &whole);
    return PQR__FRAME_CALL;
}

/* name( after a complete operand: a key word that goes on with it, else an alias. Reserved and function-like key
   words can't be aliases; filter and over can, so what stands in their parentheses is looked at. */
static enum pqr__frame_kind after_operand(struct pqr__sql *scan, const struct pqr__seen *name)
{
    bool from = pqr__sql_frame(scan)->clause == PQR__CLAUSE_FROM;
    if (name->category == PQR__CATEGORY_FUNCTION)
        return PQR__FRAME_GROUP;
    switch (name->keyword) {
    case PQR__KW_FILTER:
        return from ? PQR__FRAME_ALIAS : PQR__FRAME_FILTER;
    case PQR__KW_OVER: /* no window functions in FROM */
        return from ? PQR__FRAME_ALIAS : PQR__FRAME_OVER;
    case PQR__KW_REPEATABLE:
        return scan->closed == PQR__FRAME_SAMPLE ? PQR__FRAME_GROUP : PQR__FRAME_ALIAS;
    case PQR__KW_SECOND: /* interval '1' second(3) */
        return pqr__sql_seen(scan, 2)->token.kind == PQR__TOKEN_STRING ? PQR__FRAME_TYPE : PQR__FRAME_ALIAS;
    case PQR__KW_BETWEEN:
    case PQR__KW_ESCAPE:
    case PQR__KW_PASSING:
    case PQR__KW_VALUES:
        return from ? PQR__FRAME_ALIAS : PQR__FRAME_GROUP;
    default:
        return PQR__FRAME_ALIAS;
    }
}

/* A call of a function that is called columns has nothing in it that reads as columns with types. */
static bool is_json_table(struct pqr__sql *scan)
{
    unsigned kind = pqr__sql_frame(scan)->kind;
    return kind == PQR__FRAME_JSON_TABLE || kind == PQR__FRAME_COLUMNS;
}

static enum pqr__frame_kind json_columns(struct pqr__sql *scan)
{
    if (pqr__sql_frame(scan)->kind == PQR__FRAME_JSON_TABLE)
        pqr__sql_frame(scan)->item = 1;
    return PQR__FRAME_COLUMNS;
}

static enum pqr__frame_kind after_name(struct pqr__sql *scan, const struct pqr__seen *name)
{
    const struct pqr__seen *before = pqr__sql_seen(scan, 2);
    if (before->token.kind == PQR__TOKEN_DOT)
        return qualified_call(scan, name);
    if (name->category == PQR__CATEGORY_RESERVED)
        return reserved_word(scan, name, before);
    if (name->keyword == PQR__KW_OPERATOR)
        return PQR__FRAME_OPERATOR;
    if (name->keyword == PQR__KW_COLUMNS && is_json_table(scan))
        return json_columns(scan);
    if (name->keyword == PQR__KW_SETS && before->keyword == PQR__KW_GROUPING)
        return PQR__FRAME_SETS;
    if (name->keyword == PQR__KW_VARYING && pqr__sql_is_varying(before))
        return PQR__FRAME_TYPE;
    if (is_construct(scan, name->keyword, before))
        return PQR__FRAME_GROUP;
    if (name->keyword == PQR__KW_JOIN)
        return PQR__FRAME_JOIN;
    if (before->ends)
        return after_operand(scan, name);
    if (is_alias(scan, before))
        return PQR__FRAME_ALIAS;
    if (before->keyword == PQR__KW_TABLESAMPLE)
        return sample(scan, name);
    if (name->category == PQR__CATEGORY_COLUMN)
        return column_word(scan, name);
    return call(scan, name);
}

/* A parenthesis in FROM may hold joins. */
static enum pqr__clause inherited(enum pqr__clause outer, enum pqr__frame_kind kind)
{
    return kind == PQR__FRAME_GROUP && outer == PQR__CLAUSE_FROM ? PQR__CLAUSE_FROM : PQR__CLAUSE_OTHER;
}

static void watch(struct pqr__sql *scan)
{
    const struct pqr__frame *frame = pqr__sql_frame(scan);
    switch (frame->kind) {
    case PQR__FRAME_ALIAS:
    case PQR__FRAME_COUNTED:
    case PQR__FRAME_OPERATOR:
    case PQR__FRAME_TREAT:
    case PQR__FRAME_XML_TABLE:
    case PQR__FRAME_COLUMNS:
        scan->watched = true;
        break;
    case PQR__FRAME_FILTER:
    case PQR__FRAME_OVER:
    case PQR__FRAME_JOIN:
        scan->watched = frame->item < PQR__WATCHED_TOKENS;
        break;
    default:
        scan->watched = false;
        break;
    }
}

void pqr__sql_open(struct pqr__sql *scan)
{
    const struct pqr__seen *last = pqr__sql_seen(scan, 1);
    enum pqr__clause outer = (enum pqr__clause)pqr__sql_frame(scan)->clause;
    enum pqr__frame_kind kind = PQR__FRAME_GROUP;
    if (scan->type == PQR__TYPE_DONE)
        kind = PQR__FRAME_TYPE;
    else if (pqr__seen_is_name(last))
        kind = after_name(scan, last);
    scan->type = PQR__TYPE_NONE;
    if (++scan->depth >= PQR__DEPTH_MAX)
        pqr__sql_doubt(scan, PQR__REASON_DEEP, pqr__sql_seen(scan, 0));
    *pqr__sql_frame(scan) =
        (struct pqr__frame){.kind = (uint8_t)kind, .clause = (uint8_t)inherited(outer, kind)};
    if (kind == PQR__FRAME_OPERATOR)
        pqr__sql_frame(scan)->item = pqr__sql_seen(scan, 2)->ends;
    else if (kind == PQR__FRAME_XML_TABLE)
        pqr__sql_frame(scan)->item = PQR__ITEM_BEFORE;
    else if (kind == PQR__FRAME_COUNTED)
        scan->counted[scan->depth < PQR__DEPTH_MAX ? scan->depth : PQR__DEPTH_MAX] = last->token.at;
    watch(scan);
}

/* Without its columns JSON_TABLE( ) is a call, where the server is older than the key word. */
static void check_json_table(struct pqr__sql *scan)
{
    const struct pqr__frame *frame = pqr__sql_frame(scan);
    if (frame->kind == PQR__FRAME_JSON_TABLE && frame->item == 0)
        pqr__sql_doubt(scan, PQR__REASON_FUNCTION, pqr__sql_seen(scan, 0));
}

void pqr__sql_close(struct pqr__sql *scan)
{
    scan->closed = (enum pqr__frame_kind)pqr__sql_frame(scan)->kind;
    check_json_table(scan);
    if (scan->closed == PQR__FRAME_COUNTED)
        pqr__sql_judge_counted(scan);
    if (scan->depth == 0)
        pqr__sql_doubt(scan, PQR__REASON_NOT_RECOGNISED, pqr__sql_seen(scan, 0));
    else
        scan->depth--;
    watch(scan);
}
