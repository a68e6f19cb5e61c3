/* A string after a name: a constant of a type (type 'text'), whose input function runs, or what a key word takes. */
#include "policy/classifier_sql.h"

/* CHARACTER VARYING and its like: the word before VARYING. */
bool pqr__sql_is_varying(const struct pqr__seen *before)
{
    return before->keyword == PQR__KW_CHARACTER || before->keyword == PQR__KW_CHAR ||
           before->keyword == PQR__KW_NCHAR || before->keyword == PQR__KW_BIT;
}

/* Key words that want an operand, whatever stands before them. */
static bool wants_operand(const struct pqr__seen *seen)
{
    switch (seen->keyword) {
    case PQR__KW_BY:
    case PQR__KW_ZONE:
    case PQR__KW_ESCAPE:
    case PQR__KW_BETWEEN:
    case PQR__KW_PASSING:
    case PQR__KW_CONTENT:
    case PQR__KW_DOCUMENT:
    case PQR__KW_ROWS:
    case PQR__KW_RANGE:
    case PQR__KW_GROUPS:
        return true;
    default:
        return false;
    }
}

/* Among these a key word is followed by an operand: PATH and VERSION. */
static bool is_in_list_of_xml(const struct pqr__sql *scan)
{
    unsigned kind = pqr__sql_frame_now(scan)->kind;
    return kind == PQR__FRAME_XML_ROOT || kind == PQR__FRAME_XML_TABLE || kind == PQR__FRAME_COLUMNS;
}

/* Perhaps an operand's end: a key word may be a column's name, if none of those that go on with what stands before them
   or want an operand (JSON_OBJECT('a' VALUE ..., PASSING BY REF ..., FETCH FIRST ...). */
static bool may_end(const struct pqr__sql *scan, unsigned back)
{
    const struct pqr__seen *seen = pqr__sql_seen(scan, back), *before = pqr__sql_seen(scan, back + 1);
    if (wants_operand(seen))
        return false;
    if (seen->ends || seen->keyword == PQR__KW_END)
        return true;
    if (seen->category != PQR__CATEGORY_UNRESERVED && seen->category != PQR__CATEGORY_COLUMN)
        return false;
    if (before->keyword == PQR__KW_FETCH ||
        (before->keyword == PQR__KW_BY && (seen->keyword == PQR__KW_REF || seen->keyword == PQR__KW_VALUE)))
        return false;
    return !before->ends && !is_in_list_of_xml(scan);
}

static bool is_xml_text(const struct pqr__seen *seen)
{
    return seen->keyword == PQR__KW_XMLPARSE || seen->keyword == PQR__KW_XMLSERIALIZE;
}

/* The token before the current one, an unreserved or function-like key word before a string, is no type's name. */
static bool takes_string(const struct pqr__sql *scan)
{
    const struct pqr__seen *before = pqr__sql_seen(scan, 2);
    switch (pqr__sql_seen(scan, 1)->keyword) {
    case PQR__KW_LIKE:
    case PQR__KW_ILIKE:
        return may_end(scan, before->keyword == PQR__KW_NOT ? 3 : 2);
    case PQR__KW_ESCAPE:
        return may_end(scan, 2);
    case PQR__KW_PASSING: /* nothing but a key word stands after an operand in XMLTABLE( ) and its like */
        return before->ends;
    case PQR__KW_REF: /* PASSING BY REF 'x'; before any other BY stands another word */
    case PQR__KW_VALUE:
        return before->keyword == PQR__KW_BY && pqr__sql_seen(scan, 3)->keyword == PQR__KW_PASSING;
    case PQR__KW_VERSION: /* all that can follow a comma in XMLROOT( ) but STANDALONE */
        return before->token.kind == PQR__TOKEN_COMMA &&
               pqr__sql_frame_now(scan)->kind == PQR__FRAME_XML_ROOT;
    case PQR__KW_UESCAPE:
        return before->token.kind == PQR__TOKEN_STRING || before->token.kind == PQR__TOKEN_UNICODE;
    case PQR__KW_ZONE:
        return before->keyword == PQR__KW_TIME;
    case PQR__KW_BY:
        return before->keyword == PQR__KW_ORDER || before->keyword == PQR__KW_GROUP ||
               before->keyword == PQR__KW_PARTITION;
    case PQR__KW_CONTENT:
    case PQR__KW_DOCUMENT:
        return before->token.kind == PQR__TOKEN_OPEN && is_xml_text(pqr__sql_seen(scan, 3));
    case PQR__KW_VARYING:
        return pqr__sql_is_varying(before);
    default:
        return false;
    }
}

/* pg_catalog's own types alone are known by a qualified name. */
static bool is_qualified_type(const struct pqr__sql *scan, const struct pqr__seen *last)
{
    const struct pqr__seen *schema = pqr__sql_seen(scan, 3);
    return pqr__seen_is_type(last) && schema->word && schema->word->keyword == PQR__KW_PG_CATALOG &&
           pqr__sql_seen(scan, 4)->token.kind != PQR__TOKEN_DOT;
}

void pqr__sql_string(struct pqr__sql *scan)
{
    const struct pqr__seen *last = pqr__sql_seen(scan, 1), *before = pqr__sql_seen(scan, 2);
    if (last->token.kind == PQR__TOKEN_CLOSE) {
        if (scan->closed != PQR__FRAME_TYPE && last->ends) /* typename(modifiers) 'text', or no SQL */
            pqr__sql_doubt(scan, PQR__REASON_TYPE, last);
        return;
    }
    if (last->token.kind != PQR__TOKEN_WORD && last->token.kind != PQR__TOKEN_QUOTED)
        return;
    if (last->category != PQR__CATEGORY_RESERVED && last->category != PQR__CATEGORY_COLUMN &&
        (pqr__sql_suspect(scan, PQR__CATALOG_TYPE, last) ||
            pqr__sql_known(scan, PQR__CATALOG_TYPE, last) == PQR__CATALOG_HARMLESS))
        return;
    if (before->token.kind == PQR__TOKEN_DOT) {
        if (!is_qualified_type(scan, last))
            pqr__sql_doubt(scan, PQR__REASON_TYPE, last);
        return;
    }
    if (before
            ->ends) /* a name after an operand is no type's: SUBSTRING(a SIMILAR 'b' ESCAPE 'c'), or no SQL */
        return;
    bool newer = (last->flags & PQR__WORD_NEWER) != 0; /* where it is no key word yet, perhaps a type */
    bool grammar = last->category == PQR__CATEGORY_RESERVED ||
                   (last->category == PQR__CATEGORY_COLUMN && !newer) || takes_string(scan);
    if (!grammar && !pqr__seen_is_type(last))
        pqr__sql_doubt(scan, PQR__REASON_TYPE, last);
}
