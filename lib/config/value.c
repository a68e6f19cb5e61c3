/* A problem's text begins with the path of the key. */
#include "config/value.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/units.h"

#define tell(reading, line, key, format, ...) \
    pqr__problem_add(                         \
        &(reading)->draft->problems, (line), "%s%s " format, (reading)->prefix, (key)->path, __VA_ARGS__)

uint32_t pqr__value_line(const config_setting_t *setting)
{
    return config_setting_source_line(setting);
}

/* An integer that the expander turned into text because libconfig would have wrapped it. */
static const char *wide_integer(const config_setting_t *setting)
{
    size_t length = strlen(PQR__WIDE_INTEGER);
    const char *text =
        config_setting_type(setting) == CONFIG_TYPE_STRING ? config_setting_get_string(setting) : NULL;
    return text && strncmp(text, PQR__WIDE_INTEGER, length) == 0 ? text + length : NULL;
}

const char *pqr__value_text(const config_setting_t *setting)
{
    if (config_setting_type(setting) != CONFIG_TYPE_STRING || wide_integer(setting))
        return NULL;
    const char *text = config_setting_get_string(setting);
    return text ? text : "";
}

const char *pqr__value_type_name(const config_setting_t *setting)
{
    if (wide_integer(setting))
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
    tell(reading, pqr__value_line(setting), key, "is %s; it must be %s", pqr__value_type_name(setting),
        wanted);
}

static void format_value(char *out, size_t size, const struct pqr__key *key, uint64_t value)
{
    if (key->type == PQR__KEY_DURATION)
        pqr__duration_format(out, size, value);
    else if (key->type == PQR__KEY_SIZE)
        pqr__size_format(out, size, value);
    else
        snprintf(out, size, "%" PRIu64, value);
}

static void out_of_range(
    struct pqr__reading *reading, uint32_t line, const struct pqr__key *key, const char *written)
{
    char low[32];
    char high[32];
    const char *none = key->type == PQR__KEY_NUMBER ? "0 (none), or " : "\"none\", or ";
    format_value(low, sizeof(low), key, key->low);
    format_value(high, sizeof(high), key, key->high);
    tell(reading, line, key, "is %s; it must be %sfrom %s to %s", written, key->none ? none : "", low, high);
}

static bool in_range(const struct pqr__key *key, uint64_t value)
{
    return (value == 0 && key->none) || (value >= key->low && value <= key->high);
}

static void read_number(
    struct pqr__reading *reading, const struct pqr__key *key, const config_setting_t *setting)
{
    char written[24];
    const char *wide = wide_integer(setting);
    if (wide) {
        out_of_range(reading, pqr__value_line(setting), key, wide);
        return;
    }
    if (config_setting_type(setting) != CONFIG_TYPE_INT) {
        pqr__value_wrong_type(reading, key, setting, "an integer");
        return;
    }
    int value = config_setting_get_int(setting);
    if (value < 0 || !in_range(key, (uint64_t)value)) {
        snprintf(written, sizeof(written), "%d", value);
        out_of_range(reading, pqr__value_line(setting), key, written);
        return;
    }
    uint32_t number = (uint32_t)value;
    memcpy(reading->base + key->offset, &number, sizeof(number));
}

/* Only what looks like a mistyped value is worth quoting; anything else may be a secret in the wrong
   place. */
static const char *quotable(char *out, size_t size, const char *text)
{
    size_t length = strlen(text);
    static const char allowed[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ .,_+-";
    if (length > 20 || strspn(text, allowed) != length)
        return "not a value that it can have";
    snprintf(out, size, "\"%s\"", text);
    return out;
}

static void wrong_unit(struct pqr__reading *reading, uint32_t line, const struct pqr__key *key,
    const char *text, enum pqr__unit_fault fault)
{
    char written[32];
    bool duration = key->type == PQR__KEY_DURATION;
    tell(reading, line, key, "is %s%s; write a whole number and a unit (%s), such as \"%s\"",
        quotable(written, sizeof(written), text), fault == PQR__UNIT_MISSING ? ", without a unit" : "",
        duration ? pqr__duration_units : pqr__size_units, key->initial);
}

static void store_quantity(
    struct pqr__reading *reading, const struct pqr__key *key, uint32_t line, const char *text)
{
    char written[32];
    uint64_t value = 0;
    enum pqr__unit_fault fault =
        key->type == PQR__KEY_DURATION ? pqr__duration_parse(text, &value) : pqr__size_parse(text, &value);
    if (fault != PQR__UNIT_FINE && fault != PQR__UNIT_TOO_LARGE) {
        wrong_unit(reading, line, key, text, fault);
    } else if (fault == PQR__UNIT_TOO_LARGE || !in_range(key, value)) {
        out_of_range(reading, line, key, quotable(written, sizeof(written), text));
    } else if (key->multiple && value % key->multiple != 0) {
        char unit[32];
        format_value(unit, sizeof(unit), key, key->multiple);
        tell(reading, line, key, "is %s; it must be a multiple of %s",
            quotable(written, sizeof(written), text), unit);
    } else {
        memcpy(reading->base + key->offset, &value, sizeof(value));
    }
}

static void read_quantity(
    struct pqr__reading *reading, const struct pqr__key *key, const config_setting_t *setting)
{
    const char *text = pqr__value_text(setting);
    const char *wide = wide_integer(setting);
    bool integer = config_setting_type(setting) == CONFIG_TYPE_INT;
    if (text || (integer && config_setting_get_int(setting) == 0)) {
        store_quantity(reading, key, pqr__value_line(setting), text ? text : "0");
    } else if (wide || integer) {
        char written[16];
        snprintf(written, sizeof(written), "%d", integer ? config_setting_get_int(setting) : 0);
        tell(reading, pqr__value_line(setting), key,
            "is %s, without a unit; write it in quotes with one of %s, such as \"%s\"", wide ? wide : written,
            key->type == PQR__KEY_DURATION ? pqr__duration_units : pqr__size_units, key->initial);
    } else {
        pqr__value_wrong_type(reading, key, setting,
            key->type == PQR__KEY_DURATION ? "a duration in quotes, such as \"10s\""
                                           : "a size in quotes, such as \"64MB\"");
    }
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
    tell(reading, pqr__value_line(setting), key, "is %s; it must be %s",
        text ? quotable(written, sizeof(written), text) : pqr__value_type_name(setting), choice);
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
        tell(reading, pqr__value_line(setting), key,
            "is %s; it must be the digits that pg_controldata shows, in quotes: \"7012345678901234567\"",
            text ? "no such number" : pqr__value_type_name(setting));
}

/* Each in a line of its own, so that a comment at a statement's end does not swallow the next. */
static void read_sql(
    struct pqr__reading *reading, const struct pqr__key *key, const config_setting_t *setting)
{
    struct pqr__text joined = {.secret = true};
    bool one = pqr__value_text(setting) != NULL;
    int n = one ? 1 : config_setting_length(setting);
    int type = config_setting_type(setting);
    if (!one && type != CONFIG_TYPE_ARRAY && type != CONFIG_TYPE_LIST) {
        pqr__value_wrong_type(
            reading, key, setting, "an array of statements: [\"set statement_timeout = '10s'\"]");
        return;
    }
    for (int i = 0; i < n; i++) {
        const char *text = pqr__value_text(one ? setting : config_setting_get_elem(setting, (unsigned)i));
        if (!text || strspn(text, " \t\r\n;") == strlen(text)) {
            tell(reading, pqr__value_line(setting), key, "has as statement %d %s; it must be SQL in quotes",
                i + 1, text ? "an empty one" : "something that is no text");
            continue;
        }
        pqr__text_puts(&joined, joined.length ? ";\n" : "");
        pqr__text_puts(&joined, text);
    }
    if (n > 0)
        pqr__value_store_text(reading, key, pqr__text_take(&joined));
}

/* Statements that are to be prepared, one each. */
static void read_texts(
    struct pqr__reading *reading, const struct pqr__key *key, const config_setting_t *setting)
{
    enum { LENGTH_MAX = 4096 };
    struct pqr__text joined = {0};
    int type = config_setting_type(setting), n = config_setting_length(setting);
    if (type != CONFIG_TYPE_ARRAY && type != CONFIG_TYPE_LIST) {
        pqr__value_wrong_type(
            reading, key, setting, "an array of statements: [\"select name from shop where id = $1\"]");
        return;
    }
    for (int i = 0; i < n; i++) {
        const char *text = pqr__value_text(config_setting_get_elem(setting, (unsigned)i));
        bool empty = text && strspn(text, " \t\r\n;") == strlen(text);
        if (text && !empty && strlen(text) <= LENGTH_MAX)
            pqr__text_append(&joined, text, strlen(text) + 1);
        else
            tell(reading, pqr__value_line(setting), key, "has as statement %d %s; it must be SQL in quotes",
                i + 1,
                !text   ? "something that is no text"
                : empty ? "an empty one"
                        : "one of more than 4096 bytes");
    }
    if (joined.length > 0 || joined.failed)
        pqr__value_store_text(reading, key, pqr__text_take(&joined));
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
        read_number(reading, key, setting);
        break;
    case PQR__KEY_BOOL:
        read_bool(reading, key, setting);
        break;
    case PQR__KEY_DURATION:
    case PQR__KEY_SIZE:
        read_quantity(reading, key, setting);
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
        read_sql(reading, key, setting);
        break;
    case PQR__KEY_PATTERNS:
        pqr__patterns_read(reading, key, setting);
        break;
    case PQR__KEY_TEXTS:
        read_texts(reading, key, setting);
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
        store_quantity(reading, key, 0, key->initial);
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
