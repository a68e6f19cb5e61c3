/* Calls of functions of which some overloads are harmful, told apart by how many arguments they take. What may go wrong
   is a comma that is not counted, so whatever separates anything but arguments, or stands for none, makes it any
   number: such a call is as harmful as the worst overload. Functions that take any number, and aggregates with
   arguments outside of the parentheses, are never told apart (router/catalog_sql.c). */
#include "policy/classifier_sql.h"

enum { ANY = UINT8_MAX, BRACKETS_MAX = UINT8_MAX };

static bool is_star(const struct pqr__sql *scan)
{
    const struct pqr__seen *seen = pqr__sql_seen(scan, 0);
    return pqr__sql_seen(scan, 1)->token.kind == PQR__TOKEN_OPEN && seen->token.length == 1 &&
           seen->token.at[0] == '*';
}

void pqr__sql_count(struct pqr__sql *scan)
{
    struct pqr__frame *frame = pqr__sql_frame(scan);
    switch ((int)pqr__sql_kind(scan)) {
    case PQR__TOKEN_COMMA:
        if (frame->more == 0 && frame->item != ANY)
            frame->item++;
        break;
    case PQR__TOKEN_BRACKET:
        if (++frame->more == BRACKETS_MAX)
            frame->item = ANY;
        break;
    case PQR__TOKEN_UNBRACKET:
        if (frame->more-- == 0)
            frame->item = ANY;
        break;
    case PQR__TOKEN_OPERATOR: /* f(*) has none */
        if (is_star(scan))
            frame->item = ANY;
        break;
    case PQR__TOKEN_WORD: /* f(a ORDER BY b, c) */
        if (pqr__sql_seen(scan, 0)->keyword == PQR__KW_ORDER)
            frame->item = ANY;
        break;
    default:
        break;
    }
}

/* The function's name, read once more. */
static struct pqr__seen name_of_call(const struct pqr__sql *scan, const char *at)
{
    struct pqr__lexer lexer = scan->lexer;
    struct pqr__seen name = {0};
    lexer.at = at;
    pqr__lexer_next(&lexer, &name.token);
    size_t quote = name.token.kind == PQR__TOKEN_QUOTED ? 1 : 0;
    name.word = pqr__word_find(name.token.at + quote, name.token.length - 2 * quote, quote == 0);
    return name;
}

/* What PostgreSQL's own function of that name does stays what it is, as everywhere: whatever stands before the name. */
static void judge_builtin(struct pqr__sql *scan, const struct pqr__seen *name)
{
    unsigned function = name->word == NULL ? PQR__FUNCTION_UNKNOWN : name->word->function;
    if (function == PQR__FUNCTION_SESSION)
        pqr__sql_raise(scan, PQR_CLASS_SESSION, PQR__EFFECT_SESSION, PQR__REASON_SESSION, name);
    else if (function > PQR__FUNCTION_HARMLESS)
        pqr__sql_doubt(scan, PQR__REASON_FUNCTION + function, name);
}

void pqr__sql_judge_counted(struct pqr__sql *scan)
{
    const struct pqr__frame *frame = pqr__sql_frame(scan);
    unsigned depth = scan->depth < PQR__DEPTH_MAX ? scan->depth : PQR__DEPTH_MAX;
    struct pqr__seen name = name_of_call(scan, scan->counted[depth]);
    unsigned n_args = pqr__sql_seen(scan, 1)->token.kind == PQR__TOKEN_OPEN ? 0 : frame->item + 1U;
    if (frame->item == ANY || pqr__sql_known_call(scan, &name, n_args) != PQR__CATALOG_HARMLESS)
        pqr__sql_doubt(scan, PQR__REASON_FUNCTION + PQR__FUNCTION_WRITE, &name);
    judge_builtin(scan, &name);
}
