/* Text that grows, and JSON strings in it. An append that found no memory is remembered in failed, so that a
   row of appends is checked once, at its end. */
#ifndef CLI_TEXT_H
#define CLI_TEXT_H

#include <stdbool.h>
#include <stddef.h>

struct text {
    char *bytes;
    size_t length, capacity;
    bool failed;
};

void text_add(struct text *text, const char *bytes, size_t length);
void text_puts(struct text *text, const char *string);
void text_printf(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A JSON string with its quotes. Bytes that are no UTF-8 become U+FFFD, one for each. */
void text_json(struct text *text, const char *bytes, size_t length);
/* One line for people: control characters and bytes that are no UTF-8 become U+FFFD. */
void text_line(struct text *text, const char *bytes, size_t length);
void text_free(struct text *text);

#endif
