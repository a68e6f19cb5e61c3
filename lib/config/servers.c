/* Connection strings become servers: one a host, each with its complete parameters. */
#include "config/servers.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "config/draft.h"

/* What a connection string gives to each of its servers. */
struct origin {
    struct pqr__draft *draft;
    const struct pqr__draft_entry *entry; /* NULL: there is no list of servers */
    uint32_t entry_number;
    uint32_t line;
    char subject[48]; /* "servers[2].connection" */
    struct pqr__conninfo own;
    struct pqr__conninfo resolved;
};

/* Comma-separated items, of which some may be empty. */
struct items {
    const char *text; /* NULL: none */
    uint32_t count;
};

static struct items items_of(const char *text)
{
    struct items items = {.text = text, .count = text ? 1 : 0};
    for (; text && *text; text++)
        items.count += *text == ',';
    return items;
}

/* A copy of one; NULL: no memory. */
static char *item(const struct items *items, uint32_t index)
{
    const char *at = items->text;
    for (; index > 0; index--)
        at = strchr(at, ',') + 1;
    return pqr__strndup(at, strcspn(at, ","));
}

#define tell(origin, ...) pqr__problem_add(&(origin)->draft->problems, (origin)->line, __VA_ARGS__)

static bool host_is_fine(const char *host)
{
    if (*host == '\0')
        return false;
    for (const char *at = host; *at; at++)
        if ((unsigned char)*at <= ' ' || *at == 0x7F || (*at == '@' && at != host))
            return false;
    return true;
}

static bool port_is_fine(const char *port)
{
    unsigned value = 0;
    const char *at = port;
    for (; *at >= '0' && *at <= '9' && value <= 65535; at++)
        value = value * 10 + (unsigned)(*at - '0');
    return *at == '\0' && at != port && value >= 1 && value <= 65535;
}

/* A connection string whose quotes or percent signs went wrong has parts of its password here: never quoted. */
static bool check_address(struct origin *origin, const char *host, const char *hostaddr, const char *port)
{
    if ((host && !host_is_fine(host)) || (hostaddr && !host_is_fine(hostaddr))) {
        tell(origin,
            "%s has a host that is empty or holds '@' or a blank; write each host out, and special "
            "characters of a password in a URI as %%XX",
            origin->subject);
        return false;
    }
    if (!port_is_fine(port)) {
        tell(origin,
            "%s has a port that is no number from 1 to 65535; write it as one, and special characters of a "
            "password in a URI as %%XX",
            origin->subject);
        return false;
    }
    return true;
}

/* What we set ourselves or take out; the rest of the user's parameters goes to libpq as it is. */
static bool is_ours(const char *keyword)
{
    static const char *const ours[] = {
        "host", "hostaddr", "port", "target_session_attrs", "load_balance_hosts", "connect_timeout"};
    for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
        if (strcmp(ours[i], keyword) == 0)
            return true;
    return false;
}

/* Parameters being written into a server; room for all was made before. */
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
        if (copied_value)
            pqr__free_wiped(copied_value, strlen(copied_value));
        parameters->no_memory = true;
        return;
    }
    parameters->server->keywords[parameters->count] = copied_keyword;
    parameters->server->values[parameters->count] = copied_value;
    parameters->count++;
}

static void add_unless_set(
    struct parameters *parameters, const struct origin *origin, const char *keyword, uint64_t value)
{
    char text[24];
    if (pqr__conninfo_get(&origin->resolved, keyword) || !pqr__conninfo_knows(&origin->resolved, keyword))
        return;
    snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
    add(parameters, keyword, text);
}

enum { MORE_PARAMETERS = 12 };

static int write_parameters(
    const struct origin *origin, struct pqr__server_config *server, const char *host, const char *hostaddr)
{
    const struct pqr_config *config = &origin->draft->config;
    struct parameters parameters = {.server = server};
    size_t n = 0;
    while (origin->own.options[n].keyword)
        n++;
    server->keywords = pqr__calloc(n + MORE_PARAMETERS, sizeof(char *));
    server->values = pqr__calloc(n + MORE_PARAMETERS, sizeof(char *));
    if (!server->keywords || !server->values)
        return PQR_ENOMEM;
    for (size_t i = 0; i < n; i++) {
        const char *keyword = origin->own.options[i].keyword;
        const char *value = pqr__conninfo_get(&origin->own, keyword);
        if (value && !is_ours(keyword))
            add(&parameters, keyword, value);
    }
    if (host)
        add(&parameters, "host", host);
    if (hostaddr)
        add(&parameters, "hostaddr", hostaddr);
    add(&parameters, "port", server->port);
    /* The environment's or the service file's would count otherwise. */
    add(&parameters, "target_session_attrs", "any");
    add_unless_set(&parameters, origin, "keepalives_idle", config->tcp.keepalives_idle_us / 1000000);
    add_unless_set(&parameters, origin, "keepalives_interval", config->tcp.keepalives_interval_us / 1000000);
    add_unless_set(&parameters, origin, "keepalives_count", config->tcp.keepalives_count);
    add_unless_set(&parameters, origin, "tcp_user_timeout", config->tcp.user_timeout_us / 1000);
    if (!pqr__conninfo_get(&origin->resolved, "fallback_application_name"))
        add(&parameters, "fallback_application_name", "pqrouter");
    return parameters.no_memory ? PQR_ENOMEM : 0;
}

static bool name_is_taken(const struct pqr_config *config, const char *name)
{
    for (uint32_t i = 0; i < config->n_servers; i++)
        if (config->servers[i].name && strcmp(config->servers[i].name, name) == 0)
            return true;
    return false;
}

/* The given name, numbered when the entry has several hosts; else host:port, numbered when it is taken. NULL: no
   memory. */
static char *make_name(const struct origin *origin, const struct pqr__server_config *server, uint32_t number)
{
    struct pqr__text text = {0};
    bool ipv6 = strchr(server->host, ':') != NULL;
    const char *given = origin->entry ? origin->entry->name : NULL;
    if (given) {
        pqr__text_puts(&text, given);
        if (number > 0)
            pqr__text_printf(&text, "-%u", (unsigned)number);
        return pqr__text_take(&text);
    }
    pqr__text_printf(&text, "%s%s%s:%s", ipv6 ? "[" : "", server->host, ipv6 ? "]" : "", server->port);
    if (!text.failed && name_is_taken(&origin->draft->config, text.bytes))
        pqr__text_printf(&text, "#%u", (unsigned)origin->draft->config.n_servers + 1);
    return pqr__text_take(&text);
}

static int fill(const struct origin *origin, struct pqr__server_config *server, const char *host,
    const char *hostaddr, uint32_t number)
{
    const struct pqr_config *config = &origin->draft->config;
    const struct pqr__draft_entry *entry = origin->entry;
    const char *dbname = pqr__conninfo_get(&origin->resolved, "dbname");
    server->host = pqr__strdup(host ? host : hostaddr);
    server->dbname = pqr__strdup(dbname ? dbname : "");
    if (!server->host || !server->dbname)
        return PQR_ENOMEM;
    server->name = make_name(origin, server, number);
    if (!server->name)
        return PQR_ENOMEM;
    server->role = entry ? entry->role : PQR__EXPECT_ANY;
    server->weight = entry ? entry->weight : 100;
    server->min = entry && entry->lines[PQR__SERVER_KEY_MIN] ? entry->min : config->pool.min;
    server->max = entry && entry->lines[PQR__SERVER_KEY_MAX] ? entry->max : config->pool.max;
    return write_parameters(origin, server, host, hostaddr);
}

/* host, hostaddr (either may be NULL) and port were allocated for this and are freed or kept. */
static int add_server(
    struct origin *origin, const char *host, const char *hostaddr, char *port, uint32_t number)
{
    struct pqr_config *config = &origin->draft->config;
    if (!check_address(origin, host, hostaddr, port)) {
        pqr__free(port);
        return 0;
    }
    struct pqr__server_config server = {.port = port};
    int status = fill(origin, &server, host, hostaddr, number);
    if (status) {
        pqr__server_config_finish(&server);
        return status;
    }
    origin->draft->server_entry[config->n_servers] = origin->entry_number;
    config->servers[config->n_servers++] = server;
    return 0;
}

static int split(struct origin *origin)
{
    struct items hosts = items_of(pqr__conninfo_get(&origin->resolved, "host"));
    struct items addresses = items_of(pqr__conninfo_get(&origin->resolved, "hostaddr"));
    struct items ports = items_of(pqr__conninfo_get(&origin->resolved, "port"));
    uint32_t n = hosts.count ? hosts.count : addresses.count;
    int status = 0;
    if (n + origin->draft->config.n_servers > PQR__MAX_SERVERS) {
        tell(origin, "%s brings the number of servers to %u; there may be at most %d", origin->subject,
            (unsigned)(n + origin->draft->config.n_servers), PQR__MAX_SERVERS);
        return 0;
    }
    for (uint32_t i = 0; i < n && status == 0; i++) {
        char *host = hosts.count ? item(&hosts, i) : NULL;
        char *hostaddr = addresses.count ? item(&addresses, i) : NULL;
        char *port = ports.count ? item(&ports, ports.count == 1 ? 0 : i) : pqr__strdup("5432");
        if ((hosts.count && !host) || (addresses.count && !hostaddr) || !port) {
            pqr__free(port);
            status = PQR_ENOMEM;
        } else {
            status = add_server(origin, host, hostaddr, port, n > 1 ? i + 1 : 0);
        }
        pqr__free(host);
        pqr__free(hostaddr);
    }
    return status;
}

/* conninfo's connect_timeout, in seconds, is pool.connect_timeout unless the file has that. */
static void take_connect_timeout(struct origin *origin)
{
    const char *text = pqr__conninfo_get(&origin->resolved, "connect_timeout");
    uint64_t *timeout_us = &origin->draft->config.pool.connect_timeout_us;
    unsigned seconds = 0;
    if (!text || origin->draft->lines[PQR__KEY_POOL_CONNECT_TIMEOUT])
        return;
    const char *at = text;
    for (; *at >= '0' && *at <= '9' && seconds <= 3600; at++)
        seconds = seconds * 10 + (unsigned)(*at - '0');
    if (*at != '\0' || seconds == 0 || seconds > 3600) {
        tell(origin,
            "%s has a connect_timeout that is no number of seconds from 1 to 3600; correct or remove it",
            origin->subject);
        return;
    }
    *timeout_us = (uint64_t)seconds * 1000000;
}

static int note(struct pqr__draft *draft, uint32_t bit, const char *text)
{
    struct pqr__text notes = {0};
    if (draft->notes & bit)
        return 0;
    draft->notes |= bit;
    if (draft->config.note)
        pqr__text_printf(&notes, "%s\n", draft->config.note);
    pqr__text_puts(&notes, text);
    char *joined = pqr__text_take(&notes);
    if (!joined)
        return PQR_ENOMEM;
    pqr__free(draft->config.note);
    draft->config.note = joined;
    return 0;
}

static int make_notes(struct origin *origin)
{
    int status = 0;
    if (pqr__conninfo_get(&origin->own, "target_session_attrs"))
        status = note(origin->draft, 1u << 0,
            "target_session_attrs is ignored: the role of each server is found by asking it");
    if (status == 0 && pqr__conninfo_get(&origin->own, "load_balance_hosts"))
        status =
            note(origin->draft, 1u << 1, "load_balance_hosts is ignored: each host is a server of its own");
    return status;
}

static void check_privacy(struct origin *origin)
{
    struct pqr__draft *draft = origin->draft;
    struct pqr__origin place = pqr__document_origin(&draft->document, origin->line);
    if (place.file_index < 0 || (draft->told_files >> place.file_index & 1))
        return;
    const struct pqr__file *file = &draft->document.files[place.file_index];
    if (pqr__file_is_private(file))
        return;
    draft->told_files |= UINT64_C(1) << place.file_index;
    tell(origin,
        "%s holds a password, and the mode of this file (%04o) lets others than its owner at it; run "
        "chmod 600 %s",
        origin->subject, (unsigned)file->mode & 07777, file->name);
}

static int resolve_and_split(struct origin *origin, const struct pqr__conninfo *common)
{
    char why[200];
    int status = common ? pqr__conninfo_merge(&origin->own, common) : 0;
    if (status == 0)
        status = pqr__conninfo_resolve(&origin->resolved, &origin->own, why, sizeof(why));
    if (status == PQR_ECONFIG) {
        tell(origin, "%s: %s", origin->subject, why);
        return 0;
    }
    if (status)
        return status;
    if (pqr__conninfo_get(&origin->resolved, "replication")) {
        tell(origin, "%s asks for a replication connection; remove replication", origin->subject);
        return 0;
    }
    take_connect_timeout(origin);
    status = make_notes(origin);
    return status ? status : split(origin);
}

/* own: parsed already, or NULL to parse text. */
static int add_servers(struct origin *origin, const char *text, const struct pqr__conninfo *common)
{
    char why[200];
    int status = pqr__conninfo_parse(&origin->own, text, why, sizeof(why));
    if (status == PQR_ECONFIG)
        tell(origin, "%s: %s", origin->subject, why);
    if (status == 0 && pqr__conninfo_has_secret(&origin->own))
        check_privacy(origin);
    if (status == 0)
        status = resolve_and_split(origin, common);
    pqr__conninfo_finish(&origin->own);
    pqr__conninfo_finish(&origin->resolved);
    return status == PQR_ECONFIG ? 0 : status;
}

static int add_entry(struct pqr__draft *draft, uint32_t number, const struct pqr__conninfo *common)
{
    const struct pqr__draft_entry *entry = &draft->entries[number];
    uint32_t line = entry->lines[PQR__SERVER_KEY_CONNECTION];
    struct origin origin = {
        .draft = draft, .entry = entry, .entry_number = number, .line = line ? line : entry->line};
    snprintf(origin.subject, sizeof(origin.subject), "servers[%u].connection", (unsigned)entry->index);
    if (entry->name && (!host_is_fine(entry->name) || strlen(entry->name) > 63))
        pqr__problem_add(&draft->problems, entry->lines[PQR__SERVER_KEY_NAME],
            "servers[%u].name is empty, too long or holds a blank; write 1 to 63 characters without blanks",
            (unsigned)entry->index);
    return add_servers(&origin, entry->connection, common);
}

/* Of the common string what concerns it alone; its parameters come to be checked with each server's own. */
static int parse_common(struct pqr__draft *draft, struct pqr__conninfo *common)
{
    char why[200];
    struct origin origin = {.draft = draft, .line = draft->lines[PQR__KEY_CONNECTION]};
    int status = pqr__conninfo_parse(common, draft->connection, why, sizeof(why));
    if (status == PQR_ECONFIG)
        tell(&origin, "%s: %s", draft->subject, why);
    snprintf(origin.subject, sizeof(origin.subject), "%s", draft->subject);
    if (status == 0 && pqr__conninfo_has_secret(common))
        check_privacy(&origin);
    return status;
}

static int add_entries(struct pqr__draft *draft)
{
    struct pqr__conninfo common = {NULL};
    int status = parse_common(draft, &common);
    if (status == PQR_ECONFIG)
        return 0;
    for (uint32_t i = 0; i < draft->n_entries && status == 0; i++)
        status = add_entry(draft, i, &common);
    pqr__conninfo_finish(&common);
    return status;
}

int pqr__draft_servers(struct pqr__draft *draft)
{
    draft->config.servers = pqr__calloc(PQR__MAX_SERVERS, sizeof(draft->config.servers[0]));
    if (!draft->config.servers)
        return PQR_ENOMEM;
    if (draft->n_entries > 0)
        return add_entries(draft);
    if (draft->connection) {
        struct origin origin = {.draft = draft, .line = draft->lines[PQR__KEY_CONNECTION]};
        snprintf(origin.subject, sizeof(origin.subject), "%s", draft->subject);
        return add_servers(&origin, draft->connection, NULL);
    }
    if (!draft->lines[PQR__KEY_SERVER_LIST] && !draft->lines[PQR__KEY_CONNECTION])
        pqr__problem_add(&draft->problems, 0,
            "no server is named; write servers = ( { name = \"...\"; connection = \"host=...\"; } ); or "
            "connection = "
            "\"postgresql://...\";");
    return 0;
}
