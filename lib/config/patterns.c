/* Patterns of functions, schema.name with * and ?: an array of texts in the file, one a line in the configuration. */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "config/value.h"

enum { PATTERNS_MAX = 1000, PART_MAX = 63 };

#define tell(reading, setting, key, format, ...)                                            \
    pqr__problem_add(&(reading)->draft->problems, pqr__value_line(setting), "%s%s " format, \
        (reading)->prefix, (key)->path, __VA_ARGS__)

static bool is_part(const char *text, size_t length)
{
    if (length == 0 || length > PART_MAX)
        return false;
    for (size_t i = 0; i < length; i++)
        if (text[i] == '.' || (unsigned char)text[i] < ' ' || text[i] == 0x7f)
            return false;
    return true;
}

static bool is_pattern(const char *text)
{
    const char *dot = strchr(text, '.');
    return dot && is_part(text, (size_t)(dot - text)) && is_part(dot + 1, strlen(dot + 1));
}

void pqr__patterns_read(
    struct pqr__reading *reading, const struct pqr__key *key, const config_setting_t *setting)
{
    struct pqr__text joined = {0};
    int type = config_setting_type(setting), n = config_setting_length(setting);
    if (type != CONFIG_TYPE_ARRAY && type != CONFIG_TYPE_LIST) {
        pqr__value_wrong_type(
            reading, key, setting, "an array of patterns: [\"shop.price\", \"shop.get_*\"]");
        return;
    }
    if (n > PATTERNS_MAX)
        tell(reading, setting, key, "has %d patterns; it may have at most %d", n, PATTERNS_MAX);
    for (int i = 0; i < n && n <= PATTERNS_MAX; i++) {
        const char *text = pqr__value_text(config_setting_get_elem(setting, (unsigned)i));
        if (!text || !is_pattern(text)) {
            tell(reading, setting, key,
                "has as number %d something that is no schema.name; write one as the catalog spells it, with "
                "* for any letters and ? for one: \"shop.get_*\", \"*.price\"",
                i + 1);
            continue;
        }
        pqr__text_printf(&joined, "%s%s", joined.length ? "\n" : "", text);
    }
    if (joined.length > 0 || joined.failed)
        pqr__value_store_text(reading, key, pqr__text_take(&joined));
}
