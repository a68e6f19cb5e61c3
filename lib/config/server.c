#include "config/server.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"

/* What we add to the parameters that people wrote. */
enum { MORE_PARAMETERS = 12 };

/* Set by us, or taken out; the rest goes to libpq as it was written. */
static bool is_ours(const char *keyword)
{
    static const char *const ours[] = {
        "host", "hostaddr", "port", "target_session_attrs", "load_balance_hosts", "connect_timeout"};
    for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
        if (strcmp(ours[i], keyword) == 0)
            return true;
    return false;
}

/* Parameters being written; room for all was made before. */
struct parameters {
    struct pqr__server_config *server;
    size_t count;
    bool no_memory;
};

static void add(struct parameters *parameters, const char *keyword, const char *value)
{
    char *copied_keyword = pqr__strdup(keyword);
    char *copied_value = pqr__strdup(value);
    if (!copied_keyword || !copied_value) {
        pqr__free(copied_keyword);
        pqr__free_wiped(copied_value, copied_value ? strlen(copied_value) : 0);
        parameters->no_memory = true;
        return;
    }
    parameters->server->keywords[parameters->count] = copied_keyword;
    parameters->server->values[parameters->count] = copied_value;
    parameters->count++;
}

static void add_unless_set(
    struct parameters *parameters, const struct pqr__conninfo *resolved, const char *keyword, uint64_t value)
{
    char text[24];
    if (pqr__conninfo_get(resolved, keyword) || !pqr__conninfo_knows(resolved, keyword))
        return;
    snprintf(text, sizeof(text), "%" PRIu64, value);
    add(parameters, keyword, text);
}

static void add_written(struct parameters *parameters, const struct pqr__conninfo *own)
{
    for (size_t i = 0; own->options[i].keyword; i++) {
        const char *keyword = own->options[i].keyword;
        const char *value = pqr__conninfo_get(own, keyword);
        if (value && !is_ours(keyword))
            add(parameters, keyword, value);
    }
}

static void add_ours(struct parameters *parameters, const struct pqr__server_source *source)
{
    const struct pqr_config *config = &source->draft->config;
    const struct pqr__conninfo *resolved = &source->resolved;
    /* The environment's or the service file's would count otherwise. */
    add(parameters, "target_session_attrs", "any");
    add_unless_set(parameters, resolved, "keepalives_idle", config->tcp.keepalives_idle_us / 1000000);
    add_unless_set(parameters, resolved, "keepalives_interval", config->tcp.keepalives_interval_us / 1000000);
    add_unless_set(parameters, resolved, "keepalives_count", config->tcp.keepalives_count);
    add_unless_set(parameters, resolved, "tcp_user_timeout", config->tcp.user_timeout_us / 1000);
    if (!pqr__conninfo_get(resolved, "fallback_application_name"))
        add(parameters, "fallback_application_name", "pqrouter");
}

/* In any of the ways that the server reads: in capitals, and with dashes as --name=value. */
static bool names_check_setting(const char *options)
{
    static const char name[] = PQR__CHECK_SETTING;
    for (; *options; options++) {
        size_t same = 0;
        while (name[same] && (tolower((unsigned char)options[same]) == name[same] ||
                                 (name[same] == '_' && options[same] == '-')))
            same++;
        if (!name[same])
            return true;
    }
    return false;
}

/* Before what people wrote, whose settings count more. A pooler refuses what it does not know. */
static int write_options(struct pqr__server_config *server, const struct pqr__conninfo *resolved)
{
    const char *theirs = pqr__conninfo_get(resolved, "options");
    struct pqr__text text = {0};
    if (server->pooler || (theirs && names_check_setting(theirs)))
        return 0;
    pqr__text_printf(&text, "%s%s%s", PQR__CHECK_OPTION, theirs ? " " : "", theirs ? theirs : "");
    server->options = pqr__text_take(&text);
    return server->options ? 0 : PQR_ENOMEM;
}

static int write_parameters(struct pqr__server_config *server, const struct pqr__server_source *source,
    const char *host, const char *hostaddr)
{
    struct parameters parameters = {.server = server};
    size_t n = 0;
    while (source->own.options[n].keyword)
        n++;
    server->keywords = pqr__calloc(n + MORE_PARAMETERS, sizeof(char *));
    server->values = pqr__calloc(n + MORE_PARAMETERS, sizeof(char *));
    if (!server->keywords || !server->values)
        return PQR_ENOMEM;
    add_written(&parameters, &source->own);
    if (host)
        add(&parameters, "host", host);
    if (hostaddr)
        add(&parameters, "hostaddr", hostaddr);
    add(&parameters, "port", server->port);
    add_ours(&parameters, source);
    return parameters.no_memory ? PQR_ENOMEM : 0;
}

static bool is_taken(const struct pqr_config *config, const char *name)
{
    for (uint32_t i = 0; i < config->n_servers; i++)
        if (strcmp(config->servers[i].name, name) == 0)
            return true;
    return false;
}

/* The name that people gave, numbered when it is of several hosts; else host:port, numbered when there is
   one already. NULL: no memory. */
static char *make_name(
    const struct pqr__server_source *source, const struct pqr__server_config *server, uint32_t number)
{
    struct pqr__text text = {0};
    bool ipv6 = strchr(server->host, ':') != NULL;
    const struct pqr_config *config = &source->draft->config;
    if (source->entry && source->entry->name) {
        pqr__text_puts(&text, source->entry->name);
        if (number > 0)
            pqr__text_printf(&text, "-%" PRIu32, number);
        return pqr__text_take(&text);
    }
    pqr__text_printf(&text, ipv6 ? "[%s]:%s" : "%s:%s", server->host, server->port);
    if (!text.failed && is_taken(config, text.bytes))
        pqr__text_printf(&text, "#%" PRIu32, config->n_servers + 1);
    return pqr__text_take(&text);
}

static void set_bounds(struct pqr__server_config *server, const struct pqr__server_source *source)
{
    const struct pqr__draft_entry *entry = source->entry;
    server->role = PQR__EXPECT_ANY;
    server->weight = 100;
    server->min = source->draft->config.pool.min;
    server->max = source->draft->config.pool.max;
    if (!entry)
        return;
    server->role = entry->role;
    server->weight = entry->weight;
    server->pooler = entry->pooler;
    if (entry->lines[PQR__ENTRY_KEY_MIN])
        server->min = entry->min;
    if (entry->lines[PQR__ENTRY_KEY_MAX])
        server->max = entry->max;
}

static int make(struct pqr__server_config *server, const struct pqr__server_source *source, const char *host,
    const char *hostaddr, const char *port, uint32_t number)
{
    const char *dbname = pqr__conninfo_get(&source->resolved, "dbname");
    server->host = pqr__strdup(host ? host : hostaddr);
    server->port = pqr__strdup(port);
    server->dbname = pqr__strdup(dbname ? dbname : "");
    server->zone = pqr__strdup(source->entry && source->entry->zone ? source->entry->zone : "");
    if (!server->host || !server->port || !server->dbname || !server->zone)
        return PQR_ENOMEM;
    server->name = make_name(source, server, number);
    if (!server->name)
        return PQR_ENOMEM;
    set_bounds(server, source);
    int status = write_options(server, &source->resolved);
    return status ? status : write_parameters(server, source, host, hostaddr);
}

int pqr__server_config_make(struct pqr__server_config *out, const struct pqr__server_source *source,
    const char *host, const char *hostaddr, const char *port, uint32_t number)
{
    struct pqr__server_config server = {0};
    int status = make(&server, source, host, hostaddr, port, number);
    if (status)
        pqr__server_config_finish(&server);
    else
        *out = server;
    return status;
}

void pqr__server_config_finish(struct pqr__server_config *server)
{
    for (size_t i = 0; server->keywords && server->keywords[i]; i++)
        pqr__free(server->keywords[i]);
    for (size_t i = 0; server->values && server->values[i]; i++)
        pqr__free_wiped(server->values[i], strlen(server->values[i]));
    pqr__free(server->keywords);
    pqr__free(server->values);
    pqr__free(server->options);
    pqr__free(server->name);
    pqr__free(server->host);
    pqr__free(server->port);
    pqr__free(server->dbname);
    pqr__free(server->zone);
    *server = (struct pqr__server_config){0};
}

const char *pqr__server_config_value(const struct pqr__server_config *server, const char *keyword)
{
    for (size_t i = 0; server->keywords[i]; i++)
        if (strcmp(server->keywords[i], keyword) == 0)
            return server->values[i];
    return NULL;
}
