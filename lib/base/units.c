/* Whole numbers only: a fraction of a unit is a whole number of the next smaller one. */
#include "base/units.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct unit {
    const char *name;
    uint64_t factor;
};

static const struct unit durations[] = {{"us", 1}, {"ms", 1000}, {"s", 1000000}, {"min", UINT64_C(60000000)},
    {"h", UINT64_C(3600000000)}, {"d", UINT64_C(86400000000)}};
static const struct unit sizes[] = {{"B", 1}, {"kB", UINT64_C(1) << 10}, {"MB", UINT64_C(1) << 20},
    {"GB", UINT64_C(1) << 30}, {"TB", UINT64_C(1) << 40}};

const char pqr__duration_units[] = "us, ms, s, min, h, d";
const char pqr__size_units[] = "B, kB, MB, GB, TB";

enum { N_DURATIONS = sizeof(durations) / sizeof(durations[0]), N_SIZES = sizeof(sizes) / sizeof(sizes[0]) };

/* The digits at *at, which it moves behind. False: too many. */
static bool read_digits(const char **at, uint64_t *number)
{
    *number = 0;
    for (; **at >= '0' && **at <= '9'; ++*at)
        if (__builtin_mul_overflow(*number, 10u, number) ||
            __builtin_add_overflow(*number, (uint64_t)(**at - '0'), number))
            return false;
    return true;
}

static const struct unit *find(const char *name, const struct unit *units, size_t n_units)
{
    for (size_t i = 0; i < n_units; i++)
        if (strcmp(name, units[i].name) == 0)
            return &units[i];
    return NULL;
}

static enum pqr__unit_fault parse(const char *text, const struct unit *units, size_t n_units, uint64_t *out)
{
    uint64_t number;
    const char *at = text;
    if (strcmp(text, "none") == 0) {
        *out = 0;
        return PQR__UNIT_FINE;
    }
    if (!read_digits(&at, &number))
        return PQR__UNIT_TOO_LARGE;
    if (at == text)
        return PQR__UNIT_SYNTAX;
    while (*at == ' ')
        at++;
    const struct unit *unit = *at ? find(at, units, n_units) : number == 0 ? &units[0] : NULL;
    if (!unit)
        return *at ? PQR__UNIT_UNKNOWN : PQR__UNIT_MISSING;
    if (__builtin_mul_overflow(number, unit->factor, &number))
        return PQR__UNIT_TOO_LARGE;
    *out = number;
    return PQR__UNIT_FINE;
}

static void format(char *out, size_t size, uint64_t value, const struct unit *units, size_t n_units)
{
    size_t best = 0;
    for (size_t i = 0; value > 0 && i < n_units; i++)
        if (value % units[i].factor == 0)
            best = i;
    if (value == 0)
        snprintf(out, size, "0");
    else
        snprintf(out, size, "%" PRIu64 "%s", value / units[best].factor, units[best].name);
}

enum pqr__unit_fault pqr__duration_parse(const char *text, uint64_t *out_us)
{
    return parse(text, durations, N_DURATIONS, out_us);
}

enum pqr__unit_fault pqr__size_parse(const char *text, uint64_t *out_bytes)
{
    return parse(text, sizes, N_SIZES, out_bytes);
}

void pqr__duration_format(char *out, size_t size, uint64_t us)
{
    format(out, size, us, durations, N_DURATIONS);
}

void pqr__size_format(char *out, size_t size, uint64_t bytes)
{
    format(out, size, bytes, sizes, N_SIZES);
}
