/* The connection strings of a draft: each is checked on its own, then every host of it becomes a server. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "config/server.h"

/* A connection string being worked on. */
struct work {
    struct pqr__draft *draft;
    struct pqr__server_source source;
    uint32_t entry_number;
    uint32_t line;
    char subject[48]; /* "servers[2].connection" */
};

/* A problem of it. Its words are never quoted: where quotes or percent signs went wrong, a part of a
   password stands as host or port. */
#define tell(work, format, ...) \
    pqr__problem_add(&(work)->draft->problems, (work)->line, "%s" format, (work)->subject, __VA_ARGS__)

static const char percent[] = "write special characters of a password in a URI as %XX";

static struct work work_on(struct pqr__draft *draft, uint32_t line, const char *subject)
{
    struct work work = {.draft = draft, .source = {.draft = draft}, .line = line};
    snprintf(work.subject, sizeof(work.subject), "%s", subject);
    return work;
}

static bool host_is_fine(const char *host)
{
    for (const char *at = host; *at; at++)
        if ((unsigned char)*at <= ' ' || *at == 0x7F || (*at == '@' && at != host))
            return false;
    return *host != '\0';
}

static bool port_is_fine(const char *port)
{
    unsigned value = 0;
    const char *at = port;
    for (; *at >= '0' && *at <= '9' && value <= 65535; at++)
        value = value * 10 + (unsigned)(*at - '0');
    return *at == '\0' && value >= 1 && value <= 65535;
}

/* Items of a list, separated by commas; some may be empty. */
struct items {
    const char *text; /* NULL: none */
    uint32_t count;
};

static struct items items_of(const struct pqr__conninfo *conninfo, const char *keyword)
{
    const char *text = pqr__conninfo_get(conninfo, keyword);
    struct items items = {.text = text, .count = text ? 1 : 0};
    for (; text && *text; text++)
        items.count += *text == ',';
    return items;
}

/* A copy, or NULL when there is none (*no_memory tells why). One item stands for all. */
static char *item(const struct items *items, uint32_t index, bool *no_memory)
{
    const char *at = items->text;
    if (!at)
        return NULL;
    for (; items->count > 1 && index > 0; index--)
        at = strchr(at, ',') + 1;
    char *copy = pqr__strndup(at, strcspn(at, ","));
    *no_memory = *no_memory || !copy;
    return copy;
}

/* port: NULL or empty for libpq's own. */
static int add_server(
    struct work *work, const char *host, const char *hostaddr, const char *port, uint32_t number)
{
    struct pqr_config *config = &work->draft->config;
    struct pqr__server_config server;
    const char *built_in = pqr__conninfo_built_in(&work->source.resolved, "port");
    if (!port || !*port)
        port = built_in ? built_in : "5432";
    if ((host && !host_is_fine(host)) || (hostaddr && !host_is_fine(hostaddr))) {
        tell(work, " has a host that is empty or holds '@' or a blank; write out each host, and %s", percent);
        return 0;
    }
    if (!port_is_fine(port)) {
        tell(work, " has a port that is no number from 1 to 65535; correct it, and %s", percent);
        return 0;
    }
    int status = pqr__server_config_make(&server, &work->source, host, hostaddr, port, number);
    if (status)
        return status;
    work->draft->server_entry[config->n_servers] = work->entry_number;
    config->servers[config->n_servers++] = server;
    return 0;
}

static int split(struct work *work)
{
    const struct pqr__conninfo *resolved = &work->source.resolved;
    struct items hosts = items_of(resolved, "host");
    struct items addresses = items_of(resolved, "hostaddr");
    struct items ports = items_of(resolved, "port");
    uint32_t n = hosts.count ? hosts.count : addresses.count;
    uint32_t sum = n + work->draft->config.n_servers;
    bool no_memory = false;
    int status = 0;
    if (sum > PQR__MAX_SERVERS) {
        tell(work, " brings the servers to %u; there may be at most %d", (unsigned)sum, PQR__MAX_SERVERS);
        return 0;
    }
    for (uint32_t i = 0; i < n && status == 0; i++) {
        char *host = item(&hosts, i, &no_memory);
        char *hostaddr = item(&addresses, i, &no_memory);
        char *port = item(&ports, i, &no_memory);
        status = no_memory ? PQR_ENOMEM : add_server(work, host, hostaddr, port, n > 1 ? i + 1 : 0);
        pqr__free(host);
        pqr__free(hostaddr);
        pqr__free(port);
    }
    return status;
}

/* Its connect_timeout, in seconds, is pool.connect_timeout unless the file has that; of several the
   longest is. */
static void take_connect_timeout(struct work *work)
{
    struct pqr__draft *draft = work->draft;
    const char *text = pqr__conninfo_get(&work->source.resolved, "connect_timeout");
    uint64_t seconds = 0;
    if (!text || draft->lines[PQR__KEY_POOL_CONNECT_TIMEOUT])
        return;
    const char *at = text;
    for (; *at >= '0' && *at <= '9' && seconds <= 3600; at++)
        seconds = seconds * 10 + (unsigned)(*at - '0');
    if (*at != '\0' || seconds == 0 || seconds > 3600) {
        tell(work, "%s",
            " has a connect_timeout that is no number of seconds from 1 to 3600; correct or remove it");
        return;
    }
    if (!draft->connect_timeout_taken || seconds * 1000000 > draft->config.pool.connect_timeout_us)
        draft->config.pool.connect_timeout_us = seconds * 1000000;
    draft->connect_timeout_taken = true;
}

static int note(struct pqr__draft *draft, const char *text)
{
    struct pqr__text notes = {0};
    if (draft->config.note && strstr(draft->config.note, text))
        return 0;
    if (draft->config.note)
        pqr__text_printf(&notes, "%s; ", draft->config.note);
    pqr__text_puts(&notes, text);
    char *joined = pqr__text_take(&notes);
    if (!joined)
        return PQR_ENOMEM;
    pqr__free(draft->config.note);
    draft->config.note = joined;
    return 0;
}

static int make_notes(struct work *work)
{
    const struct pqr__conninfo *own = &work->source.own;
    int status = 0;
    if (pqr__conninfo_get(own, "target_session_attrs"))
        status = note(
            work->draft, "target_session_attrs is ignored: the role of each server is found by asking it");
    if (status == 0 && pqr__conninfo_get(own, "load_balance_hosts"))
        status = note(work->draft, "load_balance_hosts is ignored: each host is a server of its own");
    return status;
}

static void check_privacy(const struct work *work)
{
    struct pqr__draft *draft = work->draft;
    struct pqr__origin place = pqr__document_origin(&draft->document, work->line);
    if (place.file_index < 0 || (draft->told_files >> place.file_index & 1))
        return;
    const struct pqr__file *file = &draft->document.files[place.file_index];
    if (pqr__file_is_private(file))
        return;
    draft->told_files |= UINT64_C(1) << place.file_index;
    tell(work,
        " holds a password, and others than its owner may read this file (mode %04o); run chmod 600 %s",
        (unsigned)file->mode & 07777, file->name);
}

/* Of a string alone, what libpq would make of it. PQR_ECONFIG: told. */
static int resolve(struct work *work)
{
    char why[200];
    struct pqr__server_source *source = &work->source;
    int status = pqr__conninfo_resolve(&source->resolved, &source->own, why, sizeof(why));
    if (status == PQR_ECONFIG)
        tell(work, ": %s", why);
    if (status)
        return status;
    if (pqr__conninfo_get(&source->resolved, "replication")) {
        tell(work, "%s", " asks for a replication connection; remove its replication");
        return PQR_ECONFIG;
    }
    take_connect_timeout(work);
    return make_notes(work);
}

static int parse(struct work *work, const char *text)
{
    char why[200];
    int status = pqr__conninfo_parse(&work->source.own, text, why, sizeof(why));
    if (status == PQR_ECONFIG)
        tell(work, ": %s", why);
    if (status == 0 && pqr__conninfo_has_secret(&work->source.own))
        check_privacy(work);
    return status;
}

/* Each host that it names, its own or the common ones, becomes a server. */
static int expand(struct work *work)
{
    int status = resolve(work);
    return status ? status : split(work);
}

static void finish(struct work *work)
{
    pqr__conninfo_finish(&work->source.own);
    pqr__conninfo_finish(&work->source.resolved);
}

static int told_is_fine(int status)
{
    return status == PQR_ECONFIG ? 0 : status;
}

/* common: NULL when it is no use to look further than this entry. */
static int add_entry(struct pqr__draft *draft, uint32_t number, const struct pqr__conninfo *common)
{
    const struct pqr__draft_entry *entry = &draft->entries[number];
    uint32_t line = entry->lines[PQR__ENTRY_KEY_CONNECTION];
    struct work work = work_on(draft, line ? line : entry->line, "");
    snprintf(work.subject, sizeof(work.subject), "servers[%u].connection", (unsigned)entry->index);
    work.entry_number = number;
    work.source.entry = entry;
    if (entry->name && (!host_is_fine(entry->name) || strlen(entry->name) > 63))
        pqr__problem_add(&draft->problems, entry->lines[PQR__ENTRY_KEY_NAME],
            "servers[%u].name is empty, too long or holds a blank; write 1 to 63 characters without blanks",
            (unsigned)entry->index);
    int status = parse(&work, entry->connection);
    if (status == 0 && common) {
        status = pqr__conninfo_merge(&work.source.own, common);
        if (status == 0)
            status = expand(&work);
    }
    finish(&work);
    return told_is_fine(status);
}

static int add_entries(struct pqr__draft *draft)
{
    struct work common = work_on(draft, draft->lines[PQR__KEY_CONNECTION], draft->subject);
    int status = parse(&common, draft->connection);
    if (status == 0)
        status = resolve(&common);
    bool fine = status == 0;
    status = told_is_fine(status);
    for (uint32_t i = 0; i < draft->n_entries && status == 0; i++)
        status = add_entry(draft, i, fine ? &common.source.own : NULL);
    finish(&common);
    return status;
}

/* Without a list of servers, the hosts of the common string are the servers. */
static int add_hosts(struct pqr__draft *draft)
{
    struct work work = work_on(draft, draft->lines[PQR__KEY_CONNECTION], draft->subject);
    int status = parse(&work, draft->connection);
    if (status == 0)
        status = expand(&work);
    finish(&work);
    return told_is_fine(status);
}

int pqr__draft_servers(struct pqr__draft *draft)
{
    draft->config.servers = pqr__calloc(PQR__MAX_SERVERS, sizeof(draft->config.servers[0]));
    if (!draft->config.servers)
        return PQR_ENOMEM;
    if (draft->n_entries > 0)
        return add_entries(draft);
    if (draft->connection)
        return add_hosts(draft);
    if (!draft->lines[PQR__KEY_SERVER_LIST] && !draft->lines[PQR__KEY_CONNECTION])
        pqr__problem_add(&draft->problems, 0,
            "no server is named; write servers = ( { name = \"...\"; connection = \"host=...\"; } ); "
            "or connection = \"postgresql://...\";");
    return 0;
}
