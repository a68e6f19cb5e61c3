/* Reads by bytes, never by the locale's idea of a letter. Every byte sequence is some row of words. */
#include "config/scan.h"

#include <string.h>

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\f';
}

static bool in_name(char c)
{
    return is_letter(c) || is_digit(c) || c == '_' || c == '-';
}

static int hex_digit(char c)
{
    if (is_digit(c))
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool starts(const struct pqr__scanner *scanner, const char *text)
{
    size_t length = strlen(text);
    return (size_t)(scanner->end - scanner->at) >= length && memcmp(scanner->at, text, length) == 0;
}

void pqr__scan_init(struct pqr__scanner *scanner, const char *text, size_t length)
{
    static const char byte_order_mark[] = "\xEF\xBB\xBF"; /* some editors write it, nobody sees it */
    *scanner = (struct pqr__scanner){.at = text, .end = text + length, .line = 1, .line_start = true};
    if (starts(scanner, byte_order_mark))
        scanner->at += strlen(byte_order_mark);
}

static void step(struct pqr__scanner *scanner)
{
    if (*scanner->at == '\n') {
        scanner->line++;
        scanner->line_start = true;
    } else if (!is_blank(*scanner->at)) {
        scanner->line_start = false;
    }
    scanner->at++;
}

static struct pqr__word word_from(
    const struct pqr__scanner *scanner, enum pqr__word_kind kind, const char *start, uint32_t line)
{
    return (struct pqr__word){
        .kind = kind, .start = start, .length = (size_t)(scanner->at - start), .line = line};
}

static struct pqr__word bad(const struct pqr__scanner *scanner, uint32_t line, const char *problem)
{
    return (struct pqr__word){.kind = PQR__WORD_BAD, .start = scanner->at, .line = line, .problem = problem};
}

static void skip_line(struct pqr__scanner *scanner)
{
    while (scanner->at < scanner->end && *scanner->at != '\n')
        step(scanner);
}

/* False: it does not end. */
static bool skip_comment(struct pqr__scanner *scanner)
{
    step(scanner);
    step(scanner);
    while (scanner->at < scanner->end && !starts(scanner, "*/"))
        step(scanner);
    if (scanner->at == scanner->end)
        return false;
    step(scanner);
    step(scanner);
    return true;
}

/* Blanks and comments. False: a comment that begins in *line does not end. */
static bool skip(struct pqr__scanner *scanner, uint32_t *line)
{
    while (scanner->at < scanner->end) {
        *line = scanner->line;
        if (is_blank(*scanner->at) || *scanner->at == '\n')
            step(scanner);
        else if (*scanner->at == '#' || starts(scanner, "//"))
            skip_line(scanner);
        else if (!starts(scanner, "/*"))
            return true;
        else if (!skip_comment(scanner))
            return false;
    }
    return true;
}

static struct pqr__word scan_string(struct pqr__scanner *scanner)
{
    const char *start = scanner->at;
    uint32_t line = scanner->line;
    step(scanner);
    while (scanner->at < scanner->end && *scanner->at != '"') {
        if (*scanner->at == '\\' && scanner->at + 1 < scanner->end)
            step(scanner);
        step(scanner);
    }
    if (scanner->at == scanner->end)
        return bad(scanner, line, "the string that begins here does not end; close it with \"");
    step(scanner);
    return word_from(scanner, PQR__WORD_STRING, start, line);
}

static struct pqr__word scan_run(struct pqr__scanner *scanner, enum pqr__word_kind kind)
{
    const char *start = scanner->at;
    while (
        scanner->at < scanner->end &&
        (in_name(*scanner->at) || (kind == PQR__WORD_NUMBER && strchr("+.", *scanner->at) && *scanner->at)))
        step(scanner);
    return word_from(scanner, kind, start, scanner->line);
}

static struct pqr__word scan_at(struct pqr__scanner *scanner)
{
    static const char include[] = "@include";
    static const char unexpected[] = "unexpected '@'; an include is a line of its own: @include \"file\"";
    const char *start = scanner->at;
    if (!scanner->line_start || !starts(scanner, include))
        return bad(scanner, scanner->line, unexpected);
    for (size_t i = 0; i < strlen(include); i++)
        step(scanner);
    if (scanner->at < scanner->end && in_name(*scanner->at))
        return bad(scanner, scanner->line, unexpected);
    return word_from(scanner, PQR__WORD_INCLUDE, start, scanner->line);
}

static struct pqr__word no_word(const struct pqr__scanner *scanner)
{
    unsigned char byte = (unsigned char)*scanner->at;
    if (byte >= 0x80)
        return bad(scanner, scanner->line,
            "a character outside of ASCII, such as a curly quote or a no-break space of copied text; replace "
            "it");
    if (byte < 0x20 || byte == 0x7F)
        return bad(scanner, scanner->line, "a control character; remove it");
    if (byte == '\'')
        return bad(scanner, scanner->line, "a single quote; put text into double ones: \"text\"");
    return bad(scanner, scanner->line, "a character that has no meaning here; remove it");
}

struct pqr__word pqr__scan_next(struct pqr__scanner *scanner)
{
    uint32_t line = scanner->line;
    if (!skip(scanner, &line))
        return bad(scanner, line, "the comment that begins here does not end; close it with */");
    const char *start = scanner->at;
    if (start == scanner->end)
        return word_from(scanner, PQR__WORD_END, start, scanner->line);
    if (*start == '"')
        return scan_string(scanner);
    if (*start == '@')
        return scan_at(scanner);
    if (is_letter(*start))
        return scan_run(scanner, PQR__WORD_NAME);
    if (is_digit(*start) || *start == '-' || *start == '+' || *start == '.')
        return scan_run(scanner, PQR__WORD_NUMBER);
    if (*start == '\0' || !strchr("=:,;{}()[]", *start))
        return no_word(scanner);
    step(scanner);
    return word_from(scanner, PQR__WORD_MARK, start, scanner->line);
}

/* The byte that an escape at its backslash means, and its length in *length: 1 when it is none, since a lone
   backslash is itself. */
static char unescape(const char *at, const char *end, size_t *length)
{
    static const char known[] = "n\nr\rt\tf\f\\\\\"\"";
    *length = 1;
    if (at + 1 == end)
        return *at;
    for (const char *pair = known; *pair; pair += 2) {
        if (*pair != at[1])
            continue;
        *length = 2;
        return pair[1];
    }
    bool hex =
        (at[1] == 'x' || at[1] == 'X') && end - at >= 4 && hex_digit(at[2]) >= 0 && hex_digit(at[3]) >= 0;
    if (!hex)
        return *at;
    *length = 4;
    return (char)(unsigned char)(hex_digit(at[2]) * 16 + hex_digit(at[3]));
}

size_t pqr__scan_string(const struct pqr__word *word, char *out)
{
    const char *end = word->start + word->length - 1;
    size_t count = 0;
    size_t length = 1;
    for (const char *at = word->start + 1; at < end; at += length) {
        length = 1;
        out[count] = *at;
        if (*at == '\\')
            out[count] = unescape(at, end, &length);
        count++;
    }
    out[count] = '\0';
    return count;
}

/* Digits of a base with libconfig's suffix L or LL up to end; *value stops growing far beyond 32 bits. */
static bool read_digits(const char *at, const char *end, int base, int64_t *value)
{
    const char *start = at;
    *value = 0;
    for (; at < end && hex_digit(*at) >= 0 && hex_digit(*at) < base; at++)
        if (*value < INT64_C(1) << 40)
            *value = *value * base + hex_digit(*at);
    if (at == start)
        return false;
    for (int i = 0; i < 2 && at < end && *at == 'L'; i++)
        at++;
    return at == end;
}

static const char *skip_digits(const char *at, const char *end)
{
    while (at < end && is_digit(*at))
        at++;
    return at;
}

/* Digits with a point in, before or behind them, or none, and perhaps an exponent. */
static bool is_float(const char *at, const char *end)
{
    const char *start = at;
    bool point = false;
    at = skip_digits(at, end);
    if (at < end && *at == '.') {
        point = true;
        at = skip_digits(at + 1, end);
    }
    if (at - start == (point ? 1 : 0))
        return false;
    if (at == end)
        return true;
    if (*at != 'e' && *at != 'E')
        return false;
    at++;
    if (at < end && (*at == '-' || *at == '+'))
        at++;
    return at < end && skip_digits(at, end) == end;
}

bool pqr__scan_number(const struct pqr__word *word, struct pqr__number *out)
{
    const char *at = word->start;
    const char *end = at + word->length;
    int64_t wide;
    bool negative = *at == '-';
    bool sign = negative || *at == '+';
    bool hex = !sign && word->length > 2 && at[0] == '0' && (at[1] == 'x' || at[1] == 'X');
    if (hex)
        at += 2;
    else if (sign)
        at++;
    *out = (struct pqr__number){.integer = read_digits(at, end, hex ? 16 : 10, &wide)};
    if (!out->integer)
        return !hex && is_float(at, end);
    if (negative)
        wide = -wide;
    out->fits = wide >= INT32_MIN && wide <= INT32_MAX;
    if (out->fits)
        out->value = (int32_t)wide;
    return true;
}
