/* Settings into a draft, by the table of keys. A value of a secret key is never quoted. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/units.h"
#include "config/keys.h"
#include "config/tree.h"

/* A group of keys being read: the top of the file or an entry of servers. */
struct reading {
    struct pqr__draft *draft;
    const struct pqr__key *keys;
    size_t n_keys;
    uint32_t *lines;    /* of the keys */
    char *base;         /* what their offsets are relative to */
    const char *prefix; /* before their paths, in messages: "servers[1]." */
    bool no_memory;
};

struct path {
    char text[160];
};

static struct path path_of(const struct reading *reading, const char *key)
{
    struct path path;
    snprintf(path.text, sizeof(path.text), "%s%s", reading->prefix, key);
    return path;
}

#define tell(reading, line, ...) pqr__problem_add(&(reading)->draft->problems, (line), __VA_ARGS__)

static uint32_t line_of(const config_setting_t *setting)
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

static const char *text_of(const config_setting_t *setting)
{
    if (config_setting_type(setting) != CONFIG_TYPE_STRING || wide_integer(setting))
        return NULL;
    const char *text = config_setting_get_string(setting);
    return text ? text : "";
}

static const char *type_name(const config_setting_t *setting)
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
        return "true or false";
    case CONFIG_TYPE_ARRAY:
        return "an array [ ]";
    case CONFIG_TYPE_LIST:
        return "a list ( )";
    default:
        return "nothing";
    }
}

static void wrong_type(
    struct reading *reading, const config_setting_t *setting, const struct pqr__key *key, const char *wanted)
{
    tell(reading, line_of(setting), "%s is %s; it must be %s", path_of(reading, key->path).text,
        type_name(setting), wanted);
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
    struct reading *reading, uint32_t line, const struct pqr__key *key, const char *written)
{
    char low[32];
    char high[32];
    const char *none = key->type == PQR__KEY_NUMBER ? "0 (none), or " : "\"none\", or ";
    format_value(low, sizeof(low), key, key->low);
    format_value(high, sizeof(high), key, key->high);
    tell(reading, line, "%s is %s; it must be %sfrom %s to %s", path_of(reading, key->path).text, written,
        key->none ? none : "", low, high);
}

static bool in_range(const struct pqr__key *key, uint64_t value)
{
    return (value == 0 && key->none) || (value >= key->low && value <= key->high);
}

static void read_number(struct reading *reading, const struct pqr__key *key, const config_setting_t *setting)
{
    char written[24];
    const char *wide = wide_integer(setting);
    if (wide) {
        out_of_range(reading, line_of(setting), key, wide);
        return;
    }
    if (config_setting_type(setting) != CONFIG_TYPE_INT) {
        wrong_type(reading, setting, key, "an integer");
        return;
    }
    int value = config_setting_get_int(setting);
    if (value < 0 || !in_range(key, (uint64_t)value)) {
        snprintf(written, sizeof(written), "%d", value);
        out_of_range(reading, line_of(setting), key, written);
        return;
    }
    uint32_t number = (uint32_t)value;
    memcpy(reading->base + key->offset, &number, sizeof(number));
}

/* Only what looks like a mistyped value is worth quoting; anything else may be a secret in the wrong place. */
static const char *quotable(char *out, size_t size, const char *text)
{
    size_t length = strlen(text);
    static const char allowed[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ .,_+-";
    if (length > 20 || strspn(text, allowed) != length)
        return "not a value that it can have";
    snprintf(out, size, "\"%s\"", text);
    return out;
}

static void wrong_unit(struct reading *reading, uint32_t line, const struct pqr__key *key, const char *text,
    enum pqr__unit_fault fault)
{
    char written[32];
    bool duration = key->type == PQR__KEY_DURATION;
    tell(reading, line, "%s is %s%s; write a whole number and a unit (%s), such as \"%s\"",
        path_of(reading, key->path).text, quotable(written, sizeof(written), text),
        fault == PQR__UNIT_MISSING ? ", without a unit" : "",
        duration ? pqr__duration_units : pqr__size_units, key->initial);
}

static void store_quantity(
    struct reading *reading, const struct pqr__key *key, uint32_t line, const char *text)
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
        tell(reading, line, "%s is %s; it must be a multiple of %s", path_of(reading, key->path).text,
            quotable(written, sizeof(written), text), unit);
    } else {
        memcpy(reading->base + key->offset, &value, sizeof(value));
    }
}

static void read_quantity(
    struct reading *reading, const struct pqr__key *key, const config_setting_t *setting)
{
    const char *text = text_of(setting);
    const char *wide = wide_integer(setting);
    bool integer = config_setting_type(setting) == CONFIG_TYPE_INT;
    if (text || (integer && config_setting_get_int(setting) == 0)) {
        store_quantity(reading, key, line_of(setting), text ? text : "0");
    } else if (wide || integer) {
        char written[16];
        snprintf(written, sizeof(written), "%d", integer ? config_setting_get_int(setting) : 0);
        tell(reading, line_of(setting),
            "%s is %s, without a unit; write it in quotes with one of %s, such as \"%s\"",
            path_of(reading, key->path).text, wide ? wide : written,
            key->type == PQR__KEY_DURATION ? pqr__duration_units : pqr__size_units, key->initial);
    } else {
        wrong_type(reading, setting, key,
            key->type == PQR__KEY_DURATION ? "a duration in quotes, such as \"10s\""
                                           : "a size in quotes, such as \"64MB\"");
    }
}

static bool store_word(struct reading *reading, const struct pqr__key *key, const char *text)
{
    for (uint32_t i = 0; key->words[i]; i++) {
        if (strcmp(key->words[i], text) != 0)
            continue;
        memcpy(reading->base + key->offset, &i, sizeof(i));
        return true;
    }
    return false;
}

static void read_word(struct reading *reading, const struct pqr__key *key, const config_setting_t *setting)
{
    char choice[120] = "";
    char written[32];
    size_t at = 0;
    const char *text = text_of(setting);
    if (text && store_word(reading, key, text))
        return;
    for (uint32_t i = 0; key->words[i] && at < sizeof(choice); i++)
        at += (size_t)snprintf(choice + at, sizeof(choice) - at, "%s\"%s\"", i ? " or " : "", key->words[i]);
    tell(reading, line_of(setting), "%s is %s; it must be %s", path_of(reading, key->path).text,
        text ? quotable(written, sizeof(written), text) : type_name(setting), choice);
}

static void store_text(struct reading *reading, const struct pqr__key *key, char *text)
{
    if (!text)
        reading->no_memory = true;
    else
        memcpy(reading->base + key->offset, &text, sizeof(text));
}

static void read_text(struct reading *reading, const struct pqr__key *key, const config_setting_t *setting)
{
    const char *text = text_of(setting);
    if (text)
        store_text(reading, key, pqr__strdup(text));
    else
        wrong_type(reading, setting, key,
            key->type == PQR__KEY_SECRET ? "a connection string or URI in quotes" : "a text in quotes");
}

static void read_digits(struct reading *reading, const struct pqr__key *key, const config_setting_t *setting)
{
    uint64_t value = 0;
    const char *text = text_of(setting);
    bool fine = text && *text;
    for (const char *at = text; fine && *at; at++)
        fine = *at >= '0' && *at <= '9' && !__builtin_mul_overflow(value, 10u, &value) &&
               !__builtin_add_overflow(value, (uint64_t)(*at - '0'), &value);
    if (fine && value > 0)
        memcpy(reading->base + key->offset, &value, sizeof(value));
    else
        tell(reading, line_of(setting),
            "%s is %s; it must be the digits that pg_controldata shows, in quotes: \"7012345678901234567\"",
            path_of(reading, key->path).text, text ? "no such number" : type_name(setting));
}

/* Each in a line of its own, so that a comment at a statement's end does not swallow the next. */
static void read_sql(struct reading *reading, const struct pqr__key *key, const config_setting_t *setting)
{
    struct pqr__text joined = {0};
    bool one = text_of(setting) != NULL;
    int n = one ? 1 : config_setting_length(setting);
    int type = config_setting_type(setting);
    if (!one && type != CONFIG_TYPE_ARRAY && type != CONFIG_TYPE_LIST) {
        wrong_type(reading, setting, key, "an array of statements: [\"set statement_timeout = '10s'\"]");
        return;
    }
    for (int i = 0; i < n; i++) {
        const char *text = text_of(one ? setting : config_setting_get_elem(setting, (unsigned)i));
        if (!text || strspn(text, " \t\r\n;") == strlen(text)) {
            tell(reading, line_of(setting), "%s: statement %d of it is %s; it must be SQL in quotes",
                path_of(reading, key->path).text, i + 1, text ? "empty" : "no text");
            continue;
        }
        pqr__text_puts(&joined, joined.length ? ";\n" : "");
        pqr__text_puts(&joined, text);
    }
    if (n > 0)
        store_text(reading, key, pqr__text_take(&joined));
}

static void read_servers(struct reading *reading, const config_setting_t *setting);

static void read_value(struct reading *reading, const struct pqr__key *key, const config_setting_t *setting)
{
    reading->lines[key - reading->keys] = line_of(setting);
    switch (key->type) {
    case PQR__KEY_NUMBER:
        read_number(reading, key, setting);
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
    case PQR__KEY_SERVERS:
        read_servers(reading, setting);
        break;
    }
}

static const struct pqr__key *find(const struct reading *reading, const char *path)
{
    for (size_t i = 0; i < reading->n_keys; i++)
        if (strcmp(reading->keys[i].path, path) == 0)
            return &reading->keys[i];
    return NULL;
}

static bool is_group(const struct reading *reading, const char *path)
{
    size_t length = strlen(path);
    for (size_t i = 0; i < reading->n_keys; i++)
        if (strncmp(reading->keys[i].path, path, length) == 0 && reading->keys[i].path[length] == '.')
            return true;
    return false;
}

static void unknown_key(struct reading *reading, const char *path, uint32_t line)
{
    const struct pqr__key *nearest = pqr__key_nearest(reading->keys, reading->n_keys, path);
    if (nearest)
        tell(reading, line, "%s is unknown; did you mean %s?", path_of(reading, path).text,
            path_of(reading, nearest->path).text);
    else
        tell(reading, line, "%s is unknown; remove it (config/pqrouter.cfg names every key)",
            path_of(reading, path).text);
}

/* Two levels at most: no key has more than one dot. */
static void read_group(struct reading *reading, const config_setting_t *group, const char *within)
{
    for (int i = 0; i < config_setting_length(group); i++) {
        const config_setting_t *setting = config_setting_get_elem(group, (unsigned)i);
        const char *name = config_setting_name(setting);
        char path[120];
        if (name[0] == PQR__DUPLICATE_PREFIX)
            continue;
        snprintf(path, sizeof(path), "%s%s%.80s", within ? within : "", within ? "." : "", name);
        const struct pqr__key *key = find(reading, path);
        if (key)
            read_value(reading, key, setting);
        else if (within || !is_group(reading, path))
            unknown_key(reading, path, line_of(setting));
        else if (!config_setting_is_group(setting))
            tell(reading, line_of(setting), "%s is %s; it must be a group: %s = { ... }", path,
                type_name(setting), path);
        else
            read_group(reading, setting, path);
    }
}

static void set_defaults(struct reading *reading)
{
    for (size_t i = 0; i < reading->n_keys; i++) {
        const struct pqr__key *key = &reading->keys[i];
        uint32_t number = 0;
        if (!key->initial)
            continue;
        if (key->type == PQR__KEY_DURATION || key->type == PQR__KEY_SIZE) {
            store_quantity(reading, key, 0, key->initial);
        } else if (key->type == PQR__KEY_WORD) {
            store_word(reading, key, key->initial);
        } else {
            for (const char *at = key->initial; *at; at++)
                number = number * 10 + (uint32_t)(*at - '0');
            memcpy(reading->base + key->offset, &number, sizeof(number));
        }
    }
}

static void read_server(struct reading *outer, const config_setting_t *setting, uint32_t index)
{
    struct pqr__draft_entry *entry = &outer->draft->entries[outer->draft->n_entries];
    char prefix[32];
    snprintf(prefix, sizeof(prefix), "servers[%u].", (unsigned)index);
    struct reading reading = {.draft = outer->draft,
        .keys = pqr__server_keys,
        .n_keys = PQR__N_SERVER_KEYS,
        .lines = entry->lines,
        .base = (char *)entry,
        .prefix = prefix};
    if (!config_setting_is_group(setting)) {
        tell(outer, line_of(setting),
            "servers[%u] is %s; it must be a group: { name = \"...\"; connection = "
            "\"host=...\"; }",
            (unsigned)index, type_name(setting));
        return;
    }
    entry->index = index;
    entry->line = line_of(setting);
    outer->draft->n_entries++;
    set_defaults(&reading);
    read_group(&reading, setting, NULL);
    outer->no_memory = outer->no_memory || reading.no_memory;
}

static void read_servers(struct reading *reading, const config_setting_t *setting)
{
    int type = config_setting_type(setting);
    int n = config_setting_length(setting);
    if (type != CONFIG_TYPE_LIST && type != CONFIG_TYPE_ARRAY) {
        wrong_type(
            reading, setting, find(reading, "servers"), "a list of groups: servers = ( { ... }, { ... } )");
        return;
    }
    if (n > PQR__MAX_SERVERS) {
        tell(reading, line_of(setting), "servers has %d entries; it must have at most %d", n,
            PQR__MAX_SERVERS);
        return;
    }
    if (n == 0) {
        tell(reading, line_of(setting),
            "servers is empty; name at least one: ( { connection = \"host=...\"; } )");
        return;
    }
    reading->draft->entries = pqr__calloc((size_t)n, sizeof(reading->draft->entries[0]));
    if (!reading->draft->entries) {
        reading->no_memory = true;
        return;
    }
    for (int i = 0; i < n; i++)
        read_server(reading, config_setting_get_elem(setting, (unsigned)i), (uint32_t)i);
}

static struct reading top(struct pqr__draft *draft)
{
    return (struct reading){.draft = draft,
        .keys = pqr__keys,
        .n_keys = PQR__N_KEYS,
        .lines = draft->lines,
        .base = (char *)draft,
        .prefix = ""};
}

void pqr__draft_defaults(struct pqr__draft *draft)
{
    struct reading reading = top(draft);
    set_defaults(&reading);
}

int pqr__draft_read(struct pqr__draft *draft)
{
    struct reading reading = top(draft);
    config_t tree;
    if (!pqr__tree_parse(&tree, &draft->document, &draft->problems))
        return draft->problems.failed ? PQR_ENOMEM : PQR_ECONFIG;
    read_group(&reading, config_root_setting(&tree), NULL);
    pqr__tree_destroy(&tree);
    return reading.no_memory || draft->problems.failed ? PQR_ENOMEM : 0;
}
