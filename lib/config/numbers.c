/* Values that are numbers, durations and sizes. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/units.h"
#include "config/value.h"

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
    pqr__value_tell(
        reading, line, key, "is %s; it must be %sfrom %s to %s", written, key->none ? none : "", low, high);
}

static bool in_range(const struct pqr__key *key, uint64_t value)
{
    return (value == 0 && key->none) || (value >= key->low && value <= key->high);
}

void pqr__value_read_number(
    struct pqr__reading *reading, const struct pqr__key *key, const config_setting_t *setting)
{
    char written[24];
    const char *wide = pqr__value_wide(setting);
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

static void wrong_unit(struct pqr__reading *reading, uint32_t line, const struct pqr__key *key,
    const char *text, enum pqr__unit_fault fault)
{
    char written[32];
    bool duration = key->type == PQR__KEY_DURATION;
    pqr__value_tell(reading, line, key, "is %s%s; write a whole number and a unit (%s), such as \"%s\"",
        pqr__value_quotable(written, sizeof(written), text),
        fault == PQR__UNIT_MISSING ? ", without a unit" : "",
        duration ? pqr__duration_units : pqr__size_units, key->initial);
}

void pqr__value_store_quantity(
    struct pqr__reading *reading, const struct pqr__key *key, uint32_t line, const char *text)
{
    char written[32];
    uint64_t value = 0;
    enum pqr__unit_fault fault =
        key->type == PQR__KEY_DURATION ? pqr__duration_parse(text, &value) : pqr__size_parse(text, &value);
    if (fault != PQR__UNIT_FINE && fault != PQR__UNIT_TOO_LARGE) {
        wrong_unit(reading, line, key, text, fault);
    } else if (fault == PQR__UNIT_TOO_LARGE || !in_range(key, value)) {
        out_of_range(reading, line, key, pqr__value_quotable(written, sizeof(written), text));
    } else if (key->multiple && value % key->multiple != 0) {
        char unit[32];
        format_value(unit, sizeof(unit), key, key->multiple);
        pqr__value_tell(reading, line, key, "is %s; it must be a multiple of %s",
            pqr__value_quotable(written, sizeof(written), text), unit);
    } else {
        memcpy(reading->base + key->offset, &value, sizeof(value));
    }
}

void pqr__value_read_quantity(
    struct pqr__reading *reading, const struct pqr__key *key, const config_setting_t *setting)
{
    const char *text = pqr__value_text(setting);
    const char *wide = pqr__value_wide(setting);
    bool integer = config_setting_type(setting) == CONFIG_TYPE_INT;
    if (text || (integer && config_setting_get_int(setting) == 0)) {
        pqr__value_store_quantity(reading, key, pqr__value_line(setting), text ? text : "0");
    } else if (wide || integer) {
        char written[16];
        snprintf(written, sizeof(written), "%d", integer ? config_setting_get_int(setting) : 0);
        pqr__value_tell(reading, pqr__value_line(setting), key,
            "is %s, without a unit; write it in quotes with one of %s, such as \"%s\"", wide ? wide : written,
            key->type == PQR__KEY_DURATION ? pqr__duration_units : pqr__size_units, key->initial);
    } else {
        pqr__value_wrong_type(reading, key, setting,
            key->type == PQR__KEY_DURATION ? "a duration in quotes, such as \"10s\""
                                           : "a size in quotes, such as \"64MB\"");
    }
}
