#include "base/text.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"

/* realloc may leave the old copy lying about. */
static char *grow(struct pqr__text *text, size_t capacity)
{
    if (!text->secret)
        return pqr__realloc(text->bytes, capacity);
    char *bytes = pqr__malloc(capacity);
    if (!bytes)
        return NULL;
    if (text->bytes)
        memcpy(bytes, text->bytes, text->length + 1);
    pqr__free_wiped(text->bytes, text->capacity);
    return bytes;
}

static void give_back(struct pqr__text *text)
{
    if (text->secret)
        pqr__free_wiped(text->bytes, text->capacity);
    else
        pqr__free(text->bytes);
}

static bool reserve(struct pqr__text *text, size_t more)
{
    if (text->failed || more > SIZE_MAX / 4 || text->length > SIZE_MAX / 4) {
        text->failed = true;
        return false;
    }
    size_t need = text->length + more + 1;
    if (text->limit && need > text->limit) {
        text->failed = true;
        return false;
    }
    if (need <= text->capacity)
        return true;
    size_t capacity = text->capacity ? text->capacity : 64;
    while (capacity < need)
        capacity *= 2;
    char *bytes = grow(text, capacity);
    if (!bytes) {
        text->failed = true;
        return false;
    }
    text->bytes = bytes;
    text->capacity = capacity;
    return true;
}

void pqr__text_append(struct pqr__text *text, const char *bytes, size_t length)
{
    if (!reserve(text, length))
        return;
    if (length)
        memcpy(text->bytes + text->length, bytes, length);
    text->length += length;
    text->bytes[text->length] = '\0';
}

void pqr__text_puts(struct pqr__text *text, const char *string)
{
    pqr__text_append(text, string, strlen(string));
}

void pqr__text_printf(struct pqr__text *text, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (length < 0 || !reserve(text, (size_t)length)) {
        text->failed = true;
        return;
    }
    va_start(args, format);
    vsnprintf(text->bytes + text->length, (size_t)length + 1, format, args);
    va_end(args);
    text->length += (size_t)length;
}

/* The length of the valid UTF-8 sequence at bytes (RFC 3629), 0 when there is none. */
static size_t utf8_length(const unsigned char *bytes, size_t left)
{
    static const struct {
        unsigned char low, high, second_low, second_high;
        size_t length;
    } forms[] = {{0xC2, 0xDF, 0x80, 0xBF, 2}, {0xE0, 0xE0, 0xA0, 0xBF, 3}, {0xE1, 0xEC, 0x80, 0xBF, 3},
        {0xED, 0xED, 0x80, 0x9F, 3}, {0xEE, 0xEF, 0x80, 0xBF, 3}, {0xF0, 0xF0, 0x90, 0xBF, 4},
        {0xF1, 0xF3, 0x80, 0xBF, 4}, {0xF4, 0xF4, 0x80, 0x8F, 4}};
    if (bytes[0] < 0x80)
        return 1;
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        if (bytes[0] < forms[i].low || bytes[0] > forms[i].high)
            continue;
        if (left < forms[i].length || bytes[1] < forms[i].second_low || bytes[1] > forms[i].second_high)
            return 0;
        for (size_t k = 2; k < forms[i].length; k++)
            if ((bytes[k] & 0xC0) != 0x80)
                return 0;
        return forms[i].length;
    }
    return 0;
}

static void json_character(struct pqr__text *text, const char *bytes, size_t length)
{
    unsigned char byte = (unsigned char)bytes[0];
    if (length == 0)
        pqr__text_puts(text, "\\ufffd");
    else if (byte == '"' || byte == '\\')
        pqr__text_printf(text, "\\%c", byte);
    else if (byte == '\n')
        pqr__text_puts(text, "\\n");
    else if (byte == '\t')
        pqr__text_puts(text, "\\t");
    else if (byte < 0x20 || byte == 0x7F)
        pqr__text_printf(text, "\\u%04x", byte);
    else
        pqr__text_append(text, bytes, length);
}

void pqr__text_json(struct pqr__text *text, const char *bytes, size_t length)
{
    pqr__text_puts(text, "\"");
    for (size_t i = 0; i < length;) {
        size_t step = utf8_length((const unsigned char *)bytes + i, length - i);
        json_character(text, bytes + i, step);
        i += step ? step : 1;
    }
    pqr__text_puts(text, "\"");
}

void pqr__text_clear(struct pqr__text *text)
{
    text->length = 0;
    text->failed = false;
    if (text->bytes)
        text->bytes[0] = '\0';
}

void pqr__text_finish(struct pqr__text *text)
{
    give_back(text);
    *text = (struct pqr__text){.limit = text->limit, .secret = text->secret};
}

char *pqr__text_take(struct pqr__text *text)
{
    pqr__text_puts(text, "");
    char *bytes = text->failed ? NULL : text->bytes;
    if (!bytes)
        give_back(text);
    *text = (struct pqr__text){.limit = text->limit, .secret = text->secret};
    return bytes;
}

void pqr__text_escape(char *out, size_t size, const char *text)
{
    static const char hex[] = "0123456789abcdef";
    size_t at = 0;
    for (; *text && at + 5 < size; text++) {
        unsigned char byte = (unsigned char)*text;
        if (byte >= 0x20 && byte != 0x7F) {
            out[at++] = (char)byte;
            continue;
        }
        out[at++] = '\\';
        out[at++] = 'x';
        out[at++] = hex[byte >> 4];
        out[at++] = hex[byte & 15];
    }
    if (size)
        out[at] = '\0';
}

void pqr__text_copy(char *out, size_t size, const char *text)
{
    if (!size)
        return;
    size_t length = 0;
    while (length < size - 1 &&
           text[length]) /* strnlen, without gcc's doubts where it sees both buffers (b_lto) */
        length++;
    memcpy(out, text, length);
    out[length] = '\0';
}
