/* From a file, a text or a connection string to one struct that never changes; and its end. */
#include "config/config.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "config/draft.h"
#include "config/server.h"

static void free_wiped(char *text)
{
    if (text)
        pqr__free_wiped(text, strlen(text));
}

static void finish(struct pqr_config *config)
{
    for (uint32_t i = 0; i < config->n_servers; i++)
        pqr__server_config_finish(&config->servers[i]);
    pqr__free(config->servers);
    pqr__free(config->source);
    pqr__free(config->note);
    pqr__free(config->reads.zone);
    free_wiped(config->pool.init_sql);
    pqr__free(config->statements.warm_up);
    pqr__free(config->reads.harmless_functions);
    pqr__free(config->reads.harmful_functions);
}

void pqr__draft_init(struct pqr__draft *draft, const char *label, const char *subject)
{
    *draft = (struct pqr__draft){.subject = subject};
    pqr__document_init(&draft->document, label);
    pqr__draft_defaults(draft);
}

void pqr__draft_finish(struct pqr__draft *draft)
{
    finish(&draft->config);
    free_wiped(draft->connection);
    for (uint32_t i = 0; i < draft->n_entries; i++) {
        pqr__free(draft->entries[i].name);
        pqr__free(draft->entries[i].zone);
        free_wiped(draft->entries[i].connection);
    }
    pqr__free(draft->entries);
    pqr__document_finish(&draft->document);
    pqr__problems_finish(&draft->problems);
}

/* Everything that was read is in the draft: checks it and makes a configuration of it. */
static int complete(struct pqr_config **out, struct pqr__draft *draft)
{
    int status = pqr__draft_servers(draft);
    if (status)
        return status;
    pqr__draft_check(draft);
    if (draft->problems.failed)
        return PQR_ENOMEM;
    if (draft->problems.count > 0)
        return PQR_ECONFIG;
    struct pqr_config *config = pqr__malloc(sizeof(*config));
    if (!config)
        return PQR_ENOMEM;
    *config = draft->config;
    atomic_init(&config->references, 1);
    draft->config = (struct pqr_config){0};
    *out = config;
    return 0;
}

/* The end of each way in: tells what went wrong and frees the draft. */
static int conclude(struct pqr__draft *draft, int status, pqr_error *error)
{
    if (status == PQR_ECONFIG)
        pqr__problems_report(&draft->problems, &draft->document, error);
    else if (status == PQR_ENOMEM)
        pqr__error_set(error, PQR_ENOMEM, "%s", pqr_error_text(PQR_ENOMEM));
    pqr__draft_finish(draft);
    return status;
}

/* document.files[0] is there. */
static int build(struct pqr_config **out, struct pqr__draft *draft)
{
    draft->document.n_files = 1;
    draft->config.source = pqr__strdup(draft->document.files[0].name);
    if (!draft->config.source)
        return PQR_ENOMEM;
    int status = pqr__document_expand(&draft->document, &draft->problems);
    if (status == 0)
        status = pqr__draft_read(draft);
    return status ? status : complete(out, draft);
}

/* A connection string in place of a file's name is not repeated: it may hold a password. */
static void tell_unreadable(pqr_error *error, const char *file, const char *why)
{
    if (strchr(file, '=') || strstr(file, "://"))
        pqr__error_set(error, PQR_EIO,
            "pqr_config_load wants a file's name; pqr_config_conninfo takes a connection string");
    else
        pqr__error_set(error, PQR_EIO, "%s: %s", file, why);
}

int pqr_config_load(pqr_config **out, const char *file, pqr_error *error)
{
    struct pqr__draft draft;
    char why[200];
    if (!out || !file || !*file)
        return pqr__error_set(
            error, PQR_EINVAL, "pqr_config_load needs a place for its result and a file's name");
    pqr__draft_init(&draft, file, "connection");
    int status = pqr__file_read(&draft.document.files[0], file, PQR__MAX_CONFIG_BYTES, why, sizeof(why));
    if (status == PQR_EIO)
        tell_unreadable(error, file, why);
    if (status == 0)
        status = build(out, &draft);
    return conclude(&draft, status, error);
}

int pqr__config_parse(
    struct pqr_config **out, const char *name, const char *text, size_t length, pqr_error *error)
{
    struct pqr__draft draft;
    pqr__draft_init(&draft, name, "connection");
    int status = pqr__file_of_text(&draft.document.files[0], name, text, length);
    if (status == 0)
        status = build(out, &draft);
    return conclude(&draft, status, error);
}

int pqr_config_conninfo(pqr_config **out, const char *conninfo, pqr_error *error)
{
    struct pqr__draft draft;
    const char *label = conninfo ? "connection string" : "DATABASE_URL";
    const char *text = conninfo ? conninfo : getenv("DATABASE_URL");
    if (!out)
        return pqr__error_set(error, PQR_EINVAL, "pqr_config_conninfo needs a place for its result");
    if (!text || (!conninfo && !*text))
        return pqr__error_set(error, PQR_ECONFIG,
            "DATABASE_URL: it is not set; set it to postgresql://user:password@host/dbname, or give a "
            "connection "
            "string");
    pqr__draft_init(&draft, label, label);
    draft.connection = pqr__strdup(text);
    draft.config.source = pqr__strdup(label);
    int status = draft.connection && draft.config.source ? complete(out, &draft) : PQR_ENOMEM;
    return conclude(&draft, status, error);
}

struct pqr_config *pqr__config_ref(const struct pqr_config *config)
{
    /* Immutable but for the count: handing it out as const keeps everybody else from writing. */
    struct pqr_config *owned = (struct pqr_config *)(uintptr_t)config;
    atomic_fetch_add_explicit(&owned->references, 1, memory_order_relaxed);
    return owned;
}

void pqr_config_free(pqr_config *config)
{
    if (!config || atomic_fetch_sub_explicit(&config->references, 1, memory_order_acq_rel) != 1)
        return;
    finish(config);
    pqr__free(config);
}
