/* Recursive descent; every function takes the place where its construct must start and answers the place after
   it, NULL when it does not stand there. */
#include "json_reader.h"

#include <stdlib.h>
#include <string.h>

enum { DEEPEST = 32 };

static const char *value(const char *at, int depth);

static const char *space(const char *at)
{
    return at + strspn(at, " \t\r\n");
}

static int continuation_bytes(unsigned char lead)
{
    if (lead < 0x80)
        return 0;
    if (lead >= 0xC2 && lead <= 0xDF)
        return 1;
    if (lead >= 0xE0 && lead <= 0xEF)
        return 2;
    return lead >= 0xF0 && lead <= 0xF4 ? 3 : -1;
}

static bool is_second_byte(unsigned char lead, unsigned char byte)
{
    unsigned char low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    unsigned char high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    return byte >= low && byte <= high;
}

static const char *character(const char *at)
{
    unsigned char lead = (unsigned char)*at++;
    int more = continuation_bytes(lead);
    if (lead < 0x20 || more < 0)
        return NULL;
    if (more > 0 && !is_second_byte(lead, (unsigned char)*at))
        return NULL;
    for (; more > 0; more--, at++)
        if (((unsigned char)*at & 0xC0) != 0x80)
            return NULL;
    return at;
}

static const char *escape(const char *at)
{
    if (*at == 'u')
        return strspn(at + 1, "0123456789abcdefABCDEF") >= 4 ? at + 5 : NULL;
    return *at && strchr("\"\\/bfnrt", *at) ? at + 1 : NULL;
}

static const char *string(const char *at)
{
    if (*at++ != '"')
        return NULL;
    while (at && *at != '"')
        at = *at == '\\' ? escape(at + 1) : character(at);
    return at ? at + 1 : NULL;
}

static const char *digits(const char *at)
{
    size_t n = strspn(at, "0123456789");
    return n ? at + n : NULL;
}

static const char *number(const char *at)
{
    if (*at == '-')
        at++;
    at = *at == '0' ? at + 1 : digits(at);
    if (at && *at == '.')
        at = digits(at + 1);
    if (at && (*at == 'e' || *at == 'E'))
        at = digits(at + 1 + (at[1] == '+' || at[1] == '-'));
    return at;
}

static const char *word(const char *at)
{
    static const char *const words[] = {"true", "false", "null"};
    for (int i = 0; i < 3; i++)
        if (strncmp(at, words[i], strlen(words[i])) == 0)
            return at + strlen(words[i]);
    return NULL;
}

/* The value's place, from a member's or an element's start. */
static const char *value_of(const char *at, bool object)
{
    if (!object)
        return at;
    at = string(at);
    if (!at)
        return NULL;
    at = space(at);
    return *at == ':' ? space(at + 1) : NULL;
}

static bool named_before(const char *members, const char *at)
{
    size_t length = (size_t)(string(at) - at);
    for (const char *other = members; other < at;) {
        if (string(other) == other + length && memcmp(other, at, length) == 0)
            return true;
        other = space(value(value_of(other, true), 0));
        other = space(other + 1);
    }
    return false;
}

static const char *collection(const char *at, int depth)
{
    bool object = *at == '{';
    char end = object ? '}' : ']';
    at = space(at + 1);
    if (*at == end)
        return at + 1;
    const char *members = at;
    for (;;) {
        const char *inside = value_of(at, object);
        if (!inside || (object && named_before(members, at)))
            return NULL;
        at = value(inside, depth);
        if (!at)
            return NULL;
        at = space(at);
        if (*at == end)
            return at + 1;
        if (*at != ',')
            return NULL;
        at = space(at + 1);
    }
}

static const char *value(const char *at, int depth)
{
    if (*at == '"')
        return string(at);
    if (*at == '{' || *at == '[')
        return depth < DEEPEST ? collection(at, depth + 1) : NULL;
    return *at == '-' || (*at >= '0' && *at <= '9') ? number(at) : word(at);
}

bool json_valid(const char *text)
{
    const char *end = value(space(text), 0);
    return end && *space(end) == '\0';
}

/* The member or element of the collection at `at` that the first step of path names. */
static const char *child(const char *at, const char *step, size_t length)
{
    bool object = *at == '{';
    if (!object && *at != '[')
        return NULL;
    unsigned long index = object ? 0 : strtoul(step, NULL, 10);
    for (at = space(at + 1); *at != '}' && *at != ']';) {
        const char *inside = value_of(at, object);
        if (object ? string(at) == at + length + 2 && memcmp(at + 1, step, length) == 0 : index-- == 0)
            return inside;
        at = space(value(inside, 0));
        if (*at == ',')
            at = space(at + 1);
    }
    return NULL;
}

bool json_at(const char *text, const char *path, char *out, size_t size)
{
    const char *at = space(text);
    while (at && *path) {
        size_t length = strcspn(path, ".");
        at = child(at, path, length);
        path += length + (path[length] == '.');
    }
    if (!at)
        return false;
    size_t length = (size_t)(value(at, 0) - at);
    if (length >= size)
        return false;
    memcpy(out, at, length);
    out[length] = '\0';
    return true;
}
