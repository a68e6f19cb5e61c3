/* Goes through the settings of a document and finds the key of each. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "config/conninfo.h"
#include "config/value.h"

#define tell(reading, line, ...) pqr__problem_add(&(reading)->draft->problems, (line), __VA_ARGS__)

static const struct pqr__key *find(const struct pqr__reading *reading, const char *path)
{
    for (size_t i = 0; i < reading->n_keys; i++)
        if (strcmp(reading->keys[i].path, path) == 0)
            return &reading->keys[i];
    return NULL;
}

static bool is_group(const struct pqr__reading *reading, const char *path)
{
    size_t length = strlen(path);
    for (size_t i = 0; i < reading->n_keys; i++)
        if (strncmp(reading->keys[i].path, path, length) == 0 && reading->keys[i].path[length] == '.')
            return true;
    return false;
}

/* Of a connection string. */
static bool is_parameter(const char *word)
{
    struct pqr__conninfo all;
    char why[200];
    if (pqr__conninfo_parse(&all, NULL, why, sizeof(why)) != 0)
        return false;
    bool known = pqr__conninfo_knows(&all, word);
    pqr__conninfo_finish(&all);
    return known;
}

static void unknown_key(struct pqr__reading *reading, const char *path, const config_setting_t *setting)
{
    char text[400];
    bool group = config_setting_is_group(setting);
    if (pqr__key_nearest(text, sizeof(text), reading->keys, reading->n_keys, path, group)) {
        tell(reading, pqr__value_line(setting), "%s%s is unknown; did you mean %s%s?", reading->prefix, path,
            reading->prefix, text);
        return;
    }
    if (is_parameter(path)) {
        tell(reading, pqr__value_line(setting),
            "%s%s is a parameter of libpq; write it into the connection string: %sconnection = \"%s=...\"",
            reading->prefix, path, reading->prefix, path);
        return;
    }
    pqr__key_siblings(text, sizeof(text), reading->keys, reading->n_keys, path);
    tell(reading, pqr__value_line(setting), "%s%s is unknown; remove it, or write one of %s", reading->prefix,
        path, text);
}

static void read_servers(
    struct pqr__reading *reading, const struct pqr__key *key, const config_setting_t *setting);

static void read_group(struct pqr__reading *reading, const config_setting_t *group, const char *within);

/* within: the group that the setting is in, NULL at the top; no key is deeper than that. */
static void read_setting(struct pqr__reading *reading, const config_setting_t *setting, const char *within)
{
    char path[120];
    const char *name = config_setting_name(setting);
    if (name[0] == PQR__DUPLICATE_PREFIX)
        return;
    snprintf(path, sizeof(path), "%s%s%.60s", within ? within : "", within ? "." : "", name);
    const struct pqr__key *key = find(reading, path);
    if (key && key->type == PQR__KEY_SERVERS)
        read_servers(reading, key, setting);
    else if (key)
        pqr__value_read(reading, key, setting);
    else if (within || !is_group(reading, path))
        unknown_key(reading, path, setting);
    else if (!config_setting_is_group(setting))
        tell(reading, pqr__value_line(setting), "%s is %s; it must be a group: %s = { ... }", path,
            pqr__value_type_name(setting), path);
    else
        read_group(reading, setting, path);
}

static void read_group(struct pqr__reading *reading, const config_setting_t *group, const char *within)
{
    for (int i = 0; i < config_setting_length(group); i++)
        read_setting(reading, config_setting_get_elem(group, (unsigned)i), within);
}

static void set_defaults(struct pqr__reading *reading)
{
    for (size_t i = 0; i < reading->n_keys; i++)
        pqr__value_default(reading, &reading->keys[i]);
}

static void read_entry(struct pqr__reading *outer, const config_setting_t *setting, uint32_t index)
{
    struct pqr__draft_entry *entry = &outer->draft->entries[outer->draft->n_entries];
    char prefix[32];
    snprintf(prefix, sizeof(prefix), "servers[%u].", (unsigned)index);
    struct pqr__reading reading = {.draft = outer->draft,
        .keys = pqr__entry_keys,
        .n_keys = PQR__N_ENTRY_KEYS,
        .lines = entry->lines,
        .base = (char *)entry,
        .prefix = prefix};
    if (!config_setting_is_group(setting)) {
        tell(outer, pqr__value_line(setting),
            "servers[%u] is %s; it must be a group: { name = \"...\"; connection = \"host=...\"; }",
            (unsigned)index, pqr__value_type_name(setting));
        return;
    }
    entry->index = index;
    entry->line = pqr__value_line(setting);
    outer->draft->n_entries++;
    set_defaults(&reading);
    read_group(&reading, setting, NULL);
    outer->no_memory = outer->no_memory || reading.no_memory;
}

/* False: told. */
static bool count_entries(
    struct pqr__reading *reading, const struct pqr__key *key, const config_setting_t *setting)
{
    int type = config_setting_type(setting);
    int n = config_setting_length(setting);
    if (type != CONFIG_TYPE_LIST && type != CONFIG_TYPE_ARRAY)
        pqr__value_wrong_type(reading, key, setting, "a list of groups: servers = ( { ... }, { ... } )");
    else if (n > PQR__MAX_SERVERS)
        tell(reading, pqr__value_line(setting), "servers has %d entries; it may have at most %d", n,
            PQR__MAX_SERVERS);
    else if (n == 0)
        tell(reading, pqr__value_line(setting),
            "servers is empty; write at least one: ( { connection = \"host=...\"; } )");
    else
        return true;
    return false;
}

static void read_servers(
    struct pqr__reading *reading, const struct pqr__key *key, const config_setting_t *setting)
{
    reading->lines[PQR__KEY_SERVER_LIST] = pqr__value_line(setting);
    if (!count_entries(reading, key, setting))
        return;
    int n = config_setting_length(setting);
    reading->draft->entries = pqr__calloc((size_t)n, sizeof(reading->draft->entries[0]));
    if (!reading->draft->entries) {
        reading->no_memory = true;
        return;
    }
    for (int i = 0; i < n; i++)
        read_entry(reading, config_setting_get_elem(setting, (unsigned)i), (uint32_t)i);
}

static struct pqr__reading top(struct pqr__draft *draft)
{
    return (struct pqr__reading){.draft = draft,
        .keys = pqr__keys,
        .n_keys = PQR__N_KEYS,
        .lines = draft->lines,
        .base = (char *)draft,
        .prefix = ""};
}

void pqr__draft_defaults(struct pqr__draft *draft)
{
    struct pqr__reading reading = top(draft);
    set_defaults(&reading);
}

int pqr__draft_read(struct pqr__draft *draft)
{
    struct pqr__reading reading = top(draft);
    config_t tree;
    if (!pqr__tree_parse(&tree, &draft->document, &draft->problems))
        return draft->problems.failed ? PQR_ENOMEM : PQR_ECONFIG;
    read_group(&reading, config_root_setting(&tree), NULL);
    pqr__tree_destroy(&tree);
    return reading.no_memory || draft->problems.failed ? PQR_ENOMEM : 0;
}
