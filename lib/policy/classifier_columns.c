/* The columns of XMLTABLE(row PASSING document COLUMNS name type more, ...) and of JSON_TABLE(document, path
   COLUMNS(name type more, ...)): their types' input functions run. What stands after a type (paths, defaults) is read
   by the rules for all expressions. What may go wrong is a type that is taken for something else, so whatever does not
   fit is doubted. */
#include "policy/classifier_sql.h"

/* Every word that a column can be called by. */
static bool can_be_column(const struct pqr__seen *seen)
{
    return (seen->token.kind == PQR__TOKEN_WORD || seen->token.kind == PQR__TOKEN_QUOTED) &&
           seen->category != PQR__CATEGORY_RESERVED && seen->category != PQR__CATEGORY_FUNCTION;
}

/* The second word of a column: a type, FOR ORDINALITY, or the path of NESTED. */
static bool second_word(struct pqr__sql *scan)
{
    const struct pqr__seen *seen = pqr__sql_seen(scan, 0);
    if (seen->keyword == PQR__KW_FOR)
        return true;
    if (seen->token.kind == PQR__TOKEN_STRING && pqr__sql_seen(scan, 1)->keyword == PQR__KW_NESTED)
        return true;
    pqr__sql_type_name(scan);
    return pqr__seen_is_name(seen);
}

/* True: the token begins another column, or its list ends where it may. XMLTABLE's list begins with a key word that may
   be a column's name as well: then the next token is no type. */
static bool begins_column(const struct pqr__seen *seen, const struct pqr__frame *frame)
{
    return seen->token.kind == PQR__TOKEN_COMMA ||
           (frame->kind == PQR__FRAME_XML_TABLE && seen->keyword == PQR__KW_COLUMNS);
}

bool pqr__sql_table_column(struct pqr__sql *scan, struct pqr__frame *frame)
{
    const struct pqr__seen *seen = pqr__sql_seen(scan, 0);
    bool comma = seen->token.kind == PQR__TOKEN_COMMA, close = seen->token.kind == PQR__TOKEN_CLOSE;
    if (frame->item == PQR__ITEM_BEFORE && !close && seen->keyword != PQR__KW_COLUMNS)
        return false;
    if ((comma || close) && frame->item != PQR__ITEM_MORE)
        pqr__sql_doubt(scan, PQR__REASON_FUNCTION, pqr__sql_seen(scan, 1));
    if (close)
        return false;
    if (begins_column(seen, frame)) {
        if (!comma && frame->item != PQR__ITEM_BEFORE) /* either may be the key word, or it is a type */
            pqr__sql_doubt(scan, PQR__REASON_TYPE, seen);
        frame->item = PQR__ITEM_NAME;
        return true;
    }
    switch ((enum pqr__item)frame->item) {
    case PQR__ITEM_NAME:
        if (!can_be_column(seen))
            pqr__sql_doubt(scan, PQR__REASON_FUNCTION, seen);
        frame->item = PQR__ITEM_TYPE;
        return pqr__seen_is_name(seen);
    case PQR__ITEM_TYPE:
        frame->item = PQR__ITEM_MORE;
        return second_word(scan);
    case PQR__ITEM_MORE:
    case PQR__ITEM_BEFORE:
        return false;
    }
    return false;
}
