/* Numbers (manual, 4.1.2.6): 1, 1.5, .5, 1., 1e9, 1_000, 0x1F, 0o17, 0b1. */
#include "policy/lexer_bytes.h"

static const char *digits(const struct pqr__lexer *lexer, const char *p)
{
    p = skip(lexer, p, DIGIT);
    while (peek(lexer, p, 0) == '_' && is(peek(lexer, p, 1), DIGIT))
        p = skip(lexer, p + 1, DIGIT);
    return p;
}

static bool is_radix_digit(char byte, char radix)
{
    if (radix == 'x')
        return is(byte, DIGIT) || ((byte | 0x20) >= 'a' && (byte | 0x20) <= 'f');
    return byte >= '0' && byte <= (radix == 'o' ? '7' : '1');
}

static const char *radix_digits(const struct pqr__lexer *lexer, const char *p, char radix)
{
    while (is_radix_digit(peek(lexer, p, 0), radix) ||
           (peek(lexer, p, 0) == '_' && is_radix_digit(peek(lexer, p, 1), radix)))
        p++;
    return p;
}

static const char *decimal(const struct pqr__lexer *lexer, const char *p)
{
    if (is(*p, DIGIT))
        p = digits(lexer, p);
    if (peek(lexer, p, 0) == '.' && peek(lexer, p, 1) != '.') /* 1..2 is a range */
        p = digits(lexer, p + 1);
    if ((peek(lexer, p, 0) | 0x20) == 'e') {
        size_t sign = peek(lexer, p, 1) == '+' || peek(lexer, p, 1) == '-' ? 1 : 0;
        if (is(peek(lexer, p, 1 + sign), DIGIT))
            p = digits(lexer, p + 1 + sign);
    }
    return p;
}

void pqr__lexer_number(struct pqr__lexer *lexer, struct pqr__token *token)
{
    const char *p = lexer->at;
    char radix = (char)(peek(lexer, p, 1) | 0x20);
    if (*p == '0' && (radix == 'x' || radix == 'o' || radix == 'b')) {
        const char *end = radix_digits(lexer, p + 2, radix);
        p = end > p + 2 ? end : p + 1;
    } else {
        p = decimal(lexer, p);
    }
    if (is(peek(lexer, p, 0), WORDLIKE)) /* 15 refuses 1a; whatever it may mean, it is not proven harmless */
        fail(lexer, token);
    else
        finish(lexer, token, PQR__TOKEN_NUMBER, p);
}
