/* Growing text and JSON strings. What comes in may be any bytes; what goes out is valid JSON in UTF-8. */
#include "text.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool grow(struct text *text, size_t more)
{
    if (text->failed || more > SIZE_MAX / 2 - text->length) {
        text->failed = true;
        return false;
    }
    if (text->length + more <= text->capacity)
        return true;
    size_t capacity = text->capacity ? text->capacity : 256;
    while (capacity < text->length + more)
        capacity *= 2;
    char *bytes = realloc(text->bytes, capacity);
    if (!bytes) {
        text->failed = true;
        return false;
    }
    text->bytes = bytes;
    text->capacity = capacity;
    return true;
}

void text_add(struct text *text, const char *bytes, size_t length)
{
    if (length == 0 || !grow(text, length))
        return;
    memcpy(text->bytes + text->length, bytes, length);
    text->length += length;
}

void text_puts(struct text *text, const char *string)
{
    text_add(text, string, strlen(string));
}

void text_printf(struct text *text, const char *format, ...)
{
    char buffer[256];
    va_list args;

    va_start(args, format);
    int length = vsnprintf(buffer, sizeof(buffer), format, args);
    va_end(args);
    if (length < 0 || (size_t)length >= sizeof(buffer))
        text->failed = true;
    else
        text_add(text, buffer, (size_t)length);
}

/* No second spelling of a shorter character, no surrogate, nothing above U+10FFFF. */
static bool second_fits(unsigned char first, unsigned char second)
{
    unsigned char low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    unsigned char high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;

    return second >= low && second <= high;
}

/* Bytes of the UTF-8 character (Unicode standard, table 3-7) at p, 0 when there is none. */
static size_t utf8_length(const unsigned char *p, size_t room)
{
    if (p[0] < 0x80)
        return 1;
    if (p[0] < 0xc2 || p[0] > 0xf4)
        return 0;
    size_t length = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    if (room < length || !second_fits(p[0], p[1]))
        return 0;
    for (size_t i = 2; i < length; i++)
        if (p[i] < 0x80 || p[i] > 0xbf)
            return 0;
    return length;
}

static void add_escaped(struct text *text, unsigned char c)
{
    static const char named[] = "\b\t\n\f\r\"\\";
    static const char letters[] = "btnfr\"\\";
    const char *found = c ? strchr(named, c) : NULL;

    if (found) {
        const char escape[2] = {'\\', letters[found - named]};
        text_add(text, escape, 2);
    } else if (c < 0x20) {
        text_printf(text, "\\u%04x", c);
    } else {
        text_puts(text, "\xef\xbf\xbd");
    }
}

void text_json(struct text *text, const char *bytes, size_t length)
{
    const unsigned char *p = (const unsigned char *)bytes;
    size_t begin = 0; /* of the run that is copied as it stands */
    size_t i = 0;

    text_add(text, "\"", 1);
    while (i < length) {
        size_t n = utf8_length(p + i, length - i);
        if (n > 0 && p[i] >= 0x20 && p[i] != '"' && p[i] != '\\') {
            i += n;
            continue;
        }
        text_add(text, bytes + begin, i - begin);
        add_escaped(text, p[i]);
        begin = ++i;
    }
    text_add(text, bytes + begin, i - begin);
    text_add(text, "\"", 1);
}

void text_line(struct text *text, const char *bytes, size_t length)
{
    const unsigned char *p = (const unsigned char *)bytes;
    size_t i = 0;

    while (i < length) {
        size_t n = utf8_length(p + i, length - i);

        if (n > 0 && p[i] >= 0x20 && p[i] != 0x7f)
            text_add(text, bytes + i, n);
        else
            text_puts(text, "\xef\xbf\xbd");
        i += n > 0 ? n : 1;
    }
}

void text_free(struct text *text)
{
    free(text->bytes);
    *text = (struct text){0};
}
