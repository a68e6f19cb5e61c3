/* A problem's text begins with the path of the key. */
#include "config/value.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"

uint32_t pqr__value_line(const config_setting_t *setting)
{
    return config_setting_source_line(setting);
}

const char *pqr__value_wide(const config_setting_t *setting)
{
    size_t length = strlen(PQR__WIDE_INTEGER);
    const char *text =
        config_setting_type(setting) == CONFIG_TYPE_STRING ? config_setting_get_string(setting) : NULL;
    return text && strncmp(text, PQR__WIDE_INTEGER, length) == 0 ? text + length : NULL;
}

const char *pqr__value_text(const config_setting_t *setting)
{
    if (config_setting_type(setting) != CONFIG_TYPE_STRING || pqr__value_wide(setting))
        return NULL;
    const char *text = config_setting_get_string(setting);
    return text ? text : "";
}

const char *pqr__value_type_name(const config_setting_t *setting)
{
    if (pqr__value_wide(setting))
        return "an integer";
    switch (config_setting_type(setting)) {
    case CONFIG_TYPE_GROUP:
        return "a group { }";
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_INT64:
        return "an integer";
    case CONFIG_TYPE_FLOAT:
        return "a number with a fraction";
    case CONFIG_TYPE_STRING:
        return "a text";
    case CONFIG_TYPE_BOOL:
        return "a boolean";
    case CONFIG_TYPE_ARRAY:
        return "an array [ ]";
    case CONFIG_TYPE_LIST:
        return "a list ( )";
    default:
        return "nothing";
    }
}

void pqr__value_wrong_type(struct pqr__reading *reading, const struct pqr__key *key,
    const config_setting_t *setting, const char *wanted)
{
    pqr__value_tell(reading, pqr__value_line(setting), key, "is %s; it must be %s",
        pqr__value_type_name(setting), wanted);
}

const char *pqr__value_quotable(char *out, size_t size, const char *text)
{
    size_t length = strlen(text);
    static const char allowed[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ .,_+-";
    if (length > 20 || strspn(text, allowed) != length)
        return "not a value that it can have";
    snprintf(out, size, "\"%s\"", text);
    return out;
}

static bool store_word(struct pqr__reading *reading, const struct pqr__key *key, const char *text)
{
    for (uint32_t i = 0; key->words[i]; i++) {
        if (strcmp(key->words[i], text) != 0)
            continue;
        memcpy(reading->base + key->offset, &i, sizeof(i));
        return true;
    }
    return false;
}

static void read_word(
    struct pqr__reading *reading, const struct pqr__key *key, const config_setting_t *setting)
{
    char choice[120] = "";
    char written[32];
    size_t at = 0;
    const char *text = pqr__value_text(setting);
    if (text && store_word(reading, key, text))
        return;
    for (uint32_t i = 0; key->words[i] && at < sizeof(choice); i++)
        at += (size_t)snprintf(choice + at, sizeof(choice) - at, "%s\"%s\"", i ? " or " : "", key->words[i]);
    pqr__value_tell(reading, pqr__value_line(setting), key, "is %s; it must be %s",
        text ? pqr__value_quotable(written, sizeof(written), text) : pqr__value_type_name(setting), choice);
}

void pqr__value_store_text(struct pqr__reading *reading, const struct pqr__key *key, char *text)
{
    if (!text)
        reading->no_memory = true;
    else
        memcpy(reading->base + key->offset, &text, sizeof(text));
}

static void read_text(
    struct pqr__reading *reading, const struct pqr__key *key, const config_setting_t *setting)
{
    const char *text = pqr__value_text(setting);
    if (text)
        pqr__value_store_text(reading, key, pqr__strdup(text));
    else
        pqr__value_wrong_type(reading, key, setting,
            key->type == PQR__KEY_SECRET ? "a connection string or URI in quotes" : "a text in quotes");
}

static void read_digits(
    struct pqr__reading *reading, const struct pqr__key *key, const config_setting_t *setting)
{
    uint64_t value = 0;
    const char *text = pqr__value_text(setting);
    bool fine = text && *text;
    for (const char *at = text; fine && *at; at++)
        fine = *at >= '0' && *at <= '9' && !__builtin_mul_overflow(value, 10u, &value) &&
               !__builtin_add_overflow(value, (uint64_t)(*at - '0'), &value);
    if (fine && value > 0)
        memcpy(reading->base + key->offset, &value, sizeof(value));
    else
        pqr__value_tell(reading, pqr__value_line(setting), key,
            "is %s; it must be the digits that pg_controldata shows, in quotes: \"7012345678901234567\"",
            text ? "no such number" : pqr__value_type_name(setting));
}

static void store_bool(struct pqr__reading *reading, const struct pqr__key *key, bool value)
{
    memcpy(reading->base + key->offset, &value, sizeof(value));
}

static void read_bool(
    struct pqr__reading *reading, const struct pqr__key *key, const config_setting_t *setting)
{
    if (config_setting_type(setting) == CONFIG_TYPE_BOOL)
        store_bool(reading, key, config_setting_get_bool(setting) != 0);
    else
        pqr__value_wrong_type(reading, key, setting, "true or false, without quotes");
}

void pqr__value_read(
    struct pqr__reading *reading, const struct pqr__key *key, const config_setting_t *setting)
{
    reading->lines[key - reading->keys] = pqr__value_line(setting);
    switch (key->type) {
    case PQR__KEY_NUMBER:
        pqr__value_read_number(reading, key, setting);
        break;
    case PQR__KEY_BOOL:
        read_bool(reading, key, setting);
        break;
    case PQR__KEY_DURATION:
    case PQR__KEY_SIZE:
        pqr__value_read_quantity(reading, key, setting);
        break;
    case PQR__KEY_WORD:
        read_word(reading, key, setting);
        break;
    case PQR__KEY_TEXT:
    case PQR__KEY_SECRET:
        read_text(reading, key, setting);
        break;
    case PQR__KEY_DIGITS:
        read_digits(reading, key, setting);
        break;
    case PQR__KEY_SQL:
        pqr__value_read_sql(reading, key, setting);
        break;
    case PQR__KEY_PATTERNS:
        pqr__patterns_read(reading, key, setting);
        break;
    case PQR__KEY_TEXTS:
        pqr__value_read_texts(reading, key, setting);
        break;
    case PQR__KEY_SERVERS:
        assert(false); /* the reader takes them */
    }
}

void pqr__value_default(struct pqr__reading *reading, const struct pqr__key *key)
{
    uint32_t number = 0;
    if (!key->initial)
        return;
    if (key->type == PQR__KEY_DURATION || key->type == PQR__KEY_SIZE) {
        pqr__value_store_quantity(reading, key, 0, key->initial);
    } else if (key->type == PQR__KEY_WORD) {
        store_word(reading, key, key->initial);
    } else if (key->type == PQR__KEY_BOOL) {
        store_bool(reading, key, strcmp(key->initial, "true") == 0);
    } else {
        for (const char *at = key->initial; *at; at++)
            number = number * 10 + (uint32_t)(*at - '0');
        memcpy(reading->base + key->offset, &number, sizeof(number));
    }
}
