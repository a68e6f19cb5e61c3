/* White space and comments (manual, 4.1.5: C comments nest). */
#include "policy/lexer_bytes.h"

/* p at the two bytes that open it. NULL: never closed. */
static const char *block_comment(const char *p, const char *end)
{
    size_t depth = 1;
    p += 2;
    for (; end - p >= 2; p++) {
        if (p[0] == '*' && p[1] == '/') {
            p++;
            if (--depth == 0)
                return p + 1;
        } else if (p[0] == '/' && p[1] == '*') {
            p++;
            depth++;
        }
    }
    return NULL;
}

const char *pqr__lexer_line_comment(const char *p, const char *end)
{
    while (p < end && !is(*p, NEWLINE))
        p++;
    return p;
}

bool pqr__lexer_blank(struct pqr__lexer *lexer)
{
    const char *p = lexer->at;
    for (;;) {
        p = skip(lexer, p, SPACE);
        if (opens(lexer, p, '-', '-'))
            p = pqr__lexer_line_comment(p, lexer->end);
        else if (opens(lexer, p, '/', '*')) {
            const char *end = block_comment(p, lexer->end);
            if (end == NULL) {
                lexer->at = p;
                return false;
            }
            p = end;
        } else
            break;
    }
    lexer->at = p;
    return true;
}

bool pqr__lexer_comment(struct pqr__lexer *lexer, struct pqr__token *comment)
{
    const char *end = NULL;
    lexer->at = skip(lexer, lexer->at, SPACE);
    if (opens(lexer, lexer->at, '-', '-'))
        end = pqr__lexer_line_comment(lexer->at, lexer->end);
    else if (opens(lexer, lexer->at, '/', '*'))
        end = block_comment(lexer->at, lexer->end);
    if (end == NULL)
        return false;
    finish(lexer, comment, PQR__TOKEN_END, end);
    return true;
}
