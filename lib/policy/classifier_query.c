/* Rules for the tokens of SELECT, VALUES, TABLE, WITH and of statements that hold queries. They only ever make
   the finding stricter. What may go wrong is a harmful construct that no rule sees; so names, types and
   operators are harmless only when they are known to be, and key words only where the grammar fixes their
   meaning. */
#include "policy/classifier_sql.h"

/* After a dot, and after AS where a label or an alias stands, every word is a name. */
static void take_as_name(struct pqr__sql *scan)
{
    const struct pqr__seen *before = pqr__sql_seen(scan, 1);
    if (before->token.kind == PQR__TOKEN_DOT ||
        (before->keyword == PQR__KW_AS && pqr__sql_names_after_as(scan)))
        pqr__seen_be_name(scan->current);
}

static void operator_name(struct pqr__sql *scan)
{
    const struct pqr__seen *seen = pqr__sql_seen(scan, 0);
    pqr__sql_tell(scan, PQR__TOLD_OPERATOR, NULL, seen);
    if (pqr__sql_suspect(scan, PQR__CATALOG_OPERATOR, seen))
        return;
    if (!pqr__operator_is_builtin(seen->token.at, seen->token.length) &&
        pqr__sql_known(scan, PQR__CATALOG_OPERATOR, seen) != PQR__CATALOG_HARMLESS)
        pqr__sql_doubt(scan, PQR__REASON_OPERATOR, seen);
}

/* Inside of OPERATOR( ): an operator, perhaps with a schema, which must be pg_catalog. Anything else is a call of a
   function that has this name; so is operator(*), unless it stands after an operand. */
static void operator_frame(struct pqr__sql *scan)
{
    const struct pqr__seen *seen = pqr__sql_seen(scan, 0), *last = pqr__sql_seen(scan, 1);
    bool fits = false;
    if (seen->token.kind == PQR__TOKEN_OPERATOR)
        fits = pqr__sql_frame(scan)->item != 0 || seen->token.length > 1 || seen->token.at[0] != '*';
    else if (seen->token.kind == PQR__TOKEN_CLOSE)
        fits = last->token.kind == PQR__TOKEN_OPERATOR;
    else
        fits = seen->token.kind == PQR__TOKEN_DOT ||
               (seen->word != NULL && seen->word->keyword == PQR__KW_PG_CATALOG);
    if (!fits)
        pqr__sql_doubt(scan, PQR__REASON_OPERATOR, seen);
}

/* The token after a name last_value. */
static void check_sequence(struct pqr__sql *scan)
{
    scan->sequence = false;
    if (pqr__sql_seen(scan, 0)->token.kind != PQR__TOKEN_OPEN)
        pqr__sql_doubt(scan, PQR__REASON_SEQUENCE, pqr__sql_seen(scan, 1));
}

void pqr__sql_query(struct pqr__sql *scan)
{
    const struct pqr__seen *seen = pqr__sql_seen(scan, 0);
    if (seen->token.kind == PQR__TOKEN_WORD)
        take_as_name(scan);
    if (pqr__sql_is_attentive(scan)) {
        if (scan->sequence)
            check_sequence(scan);
        if (pqr__sql_frame(scan)->kind == PQR__FRAME_COUNTED)
            pqr__sql_count(scan);
        if ((scan->type != PQR__TYPE_NONE || scan->watched) && pqr__sql_type(scan))
            return;
        if (pqr__sql_frame(scan)->kind == PQR__FRAME_OPERATOR)
            operator_frame(scan);
    }
    switch ((int)seen->token.kind) {
    case PQR__TOKEN_WORD:
    case PQR__TOKEN_QUOTED:
    case PQR__TOKEN_UNICODE:
        pqr__sql_name(scan);
        break;
    case PQR__TOKEN_STRING:
        pqr__sql_string(scan);
        break;
    case PQR__TOKEN_OPERATOR:
        operator_name(scan);
        break;
    case PQR__TOKEN_CAST:
        scan->type = PQR__TYPE_EXPECTED;
        break;
    case PQR__TOKEN_DOT:
        pqr__sql_schema(scan);
        break;
    case PQR__TOKEN_OPEN:
        pqr__sql_open(scan);
        break;
    case PQR__TOKEN_CLOSE:
        pqr__sql_close(scan);
        break;
    case PQR__TOKEN_SEMICOLON:
    case PQR__TOKEN_ERROR:
        pqr__sql_doubt(scan, PQR__REASON_NOT_RECOGNISED, seen);
        break;
    default:
        break;
    }
}
