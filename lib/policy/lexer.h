/* PostgreSQL's lexical rules (manual, section 4.1): text in, tokens out, one at a time. Any bytes are fine; what
   PostgreSQL would refuse, or cannot have meant, ends in one ERROR token. Linear in the text, no recursion, no
   allocation; the tokens point into the text, which is shorter than 4 GiB. Where versions differ (14 splits "1a" in
   two, 15 refuses it) the stricter one is followed. */
#ifndef PQR_POLICY_LEXER_H
#define PQR_POLICY_LEXER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum pqr__token_kind {
    PQR__TOKEN_END = 0,
    PQR__TOKEN_ERROR,   /* unterminated, a byte that begins nothing, trailing junk; nothing follows it */
    PQR__TOKEN_WORD,    /* an identifier or key word without quotes */
    PQR__TOKEN_QUOTED,  /* "..." */
    PQR__TOKEN_UNICODE, /* U&"...": not decoded */
    PQR__TOKEN_STRING,  /* every form of string, bit string included, with its continuations */
    PQR__TOKEN_NUMBER,
    PQR__TOKEN_PARAMETER, /* $1 */
    PQR__TOKEN_OPERATOR,
    PQR__TOKEN_CAST,   /* :: */
    PQR__TOKEN_ASSIGN, /* := and => */
    PQR__TOKEN_RANGE,  /* .. */
    PQR__TOKEN_DOT,
    PQR__TOKEN_COLON,
    PQR__TOKEN_COMMA,
    PQR__TOKEN_SEMICOLON,
    PQR__TOKEN_OPEN,      /* ( */
    PQR__TOKEN_CLOSE,     /* ) */
    PQR__TOKEN_BRACKET,   /* [ */
    PQR__TOKEN_UNBRACKET, /* ] */
};

struct pqr__token {
    const char *at;
    uint32_t length;
    enum pqr__token_kind kind;
};

enum { PQR__LEXER_STRIDE = 16 }; /* so many bytes are read at once */

struct pqr__lexer {
    const char *at, *end;
    const char *near_end; /* from here on fewer bytes are left than are read at once */
    bool standard_strings;
    char tail
        [2 *
            PQR__LEXER_STRIDE]; /* the text's last bytes, as many as are read at once, and zeros after them */
};

void pqr__lexer_init(struct pqr__lexer *lexer, const char *text, size_t length, bool standard_strings);
void pqr__lexer_next(struct pqr__lexer *lexer, struct pqr__token *token);

/* Steps over white space and one comment; false when no comment is next. An unterminated one is left. */
bool pqr__lexer_comment(struct pqr__lexer *lexer, struct pqr__token *comment);

#endif
