/* A strict reader of JSON (RFC 8259) for tests: is this text valid, and what stands at a path in it. */
#ifndef TESTS_UNIT_JSON_READER_H
#define TESTS_UNIT_JSON_READER_H

#include <stdbool.h>
#include <stddef.h>

/* One value and nothing but white space around it; strings in valid UTF-8, without raw control characters; no
   name twice in an object. */
bool json_valid(const char *text);

/* The raw text of the value at path ("pools.1.server": members by name, elements by number) into out; false when
   there is none or it does not fit. text is valid. */
bool json_at(const char *text, const char *path, char *out, size_t size);

#endif
