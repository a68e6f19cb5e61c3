/* What a caller gave: checked, and copied once into the request's own buffer, which is used again. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/seldom.h"
#include "base/text.h"
#include "policy/message.h"
#include "router/request.h"
#include "router/statement.h"

enum {
    PARAMETERS_MAX = 65535, /* the protocol's */
    LABEL_MAX = 63,
};

/* Each: what is wrong, for people; NULL: nothing. */
static const char *flaw_of_formats(const pqr_query *query)
{
    for (int i = 0; i < query->n_params; i++) {
        bool binary = query->param_formats[i] != 0;
        if (binary && query->param_formats[i] != 1)
            return "query.param_formats has a number that is neither 0 (text) nor 1 (binary)";
        if (binary && query->param_values[i] && (!query->param_lengths || query->param_lengths[i] < 0))
            return "a binary parameter has no length in query.param_lengths";
    }
    return NULL;
}

static const char *flaw_of_parameters(const pqr_query *query)
{
    if (query->n_params < 0 || query->n_params > PARAMETERS_MAX)
        return "query.n_params is not from 0 to 65535";
    if (query->n_params > 0 && !query->param_values)
        return "query.n_params is set, and query.param_values is NULL";
    return query->param_formats ? flaw_of_formats(query) : NULL;
}

static const char *flaw_of_flags(uint32_t flags)
{
    enum { FLAGS = PQR_ADMIN | PQR_IDEMPOTENT | PQR_BATCH | PQR_ALONE | PQR_PIPELINE };
    if (flags & ~(uint32_t)FLAGS)
        return "query.flags has a bit that is no flag of a query";
    if (flags & PQR_ADMIN && flags & PQR_BATCH)
        return "query.flags has PQR_ADMIN and PQR_BATCH; choose one";
    return NULL;
}

static const char *flaw_of(const pqr_query *query)
{
    if (!query->sql == !query->statement)
        return "query.sql and query.statement: set one of the two";
    const char *flaw = flaw_of_parameters(query);
    if (flaw)
        return flaw;
    if (query->result_format < 0 || query->result_format > 1)
        return "query.result_format is neither 0 (text) nor 1 (binary)";
    if ((unsigned)query->target > PQR_TARGET_ANY)
        return "query.target is no pqr_target";
    return query->flags ? flaw_of_flags(query->flags) : NULL;
}

/* One that begins like a query, of another version's size; NULL: it does not. */
static PQR__SELDOM const pqr_query *complete(pqr_query *room, const pqr_query *query)
{
    if (query->struct_size < offsetof(pqr_query, label) || query->struct_size > 4096)
        return NULL;
    *room = (pqr_query)PQR_QUERY_INIT;
    memcpy(room, query, query->struct_size < sizeof(*room) ? query->struct_size : sizeof(*room));
    return room;
}

const pqr_query *pqr__query_check(pqr_query *room, const pqr_query *query, const char **flaw)
{
    if (query && query->struct_size != sizeof(*room))
        query = complete(room, query);
    *flaw = query ? flaw_of(query) : "query is NULL, or does not begin as PQR_QUERY_INIT";
    return *flaw ? NULL : query;
}

static size_t value_size(const pqr_query *query, int i)
{
    if (!query->param_values[i])
        return 0;
    bool binary = query->param_formats && query->param_formats[i] == 1 && query->param_lengths;
    return (binary ? (size_t)query->param_lengths[i] : strlen(query->param_values[i])) + 1;
}

static PQR__SELDOM bool buffer_grow(struct pqr_reply *request, size_t size)
{
    char *buffer = pqr__malloc(size);
    if (!buffer)
        return false;
    pqr__free(request->buffer);
    request->buffer = buffer;
    request->buffer_size = size;
    return true;
}

/* Where to. What there is no room for is only counted. */
struct copy {
    char *buffer;
    uint64_t room, used; /* the same gigabyte may be given many times */
};

/* NULL: there is no room. */
static char *place(struct copy *copy, size_t size)
{
    uint64_t at = copy->used;
    copy->used += size;
    return copy->used <= copy->room ? copy->buffer + at : NULL;
}

/* NULL stays NULL. */
static void *put(struct copy *copy, const void *bytes, size_t size)
{
    char *at = bytes ? place(copy, size) : NULL;
    return at ? memcpy(at, bytes, size) : NULL;
}

/* The same, each with a NUL behind it. Returns their bytes. */
static uint64_t put_values(struct copy *copy, const char **values, const pqr_query *query)
{
    uint64_t before = copy->used;
    for (int i = 0; i < query->n_params; i++) {
        size_t size = value_size(query, i);
        char *at = size > 0 ? place(copy, size) : NULL;
        if (at) {
            memcpy(at, query->param_values[i], size - 1);
            at[size - 1] = '\0';
        }
        if (values)
            values[i] = at;
    }
    return copy->used - before;
}

/* Pointers, then integers, then text, so that everything is aligned. */
static uint64_t put_parameters(struct copy *copy, struct pqr__item *item, const pqr_query *query)
{
    size_t n = (size_t)query->n_params;
    const char **values = (const char **)(void *)place(copy, n * sizeof(char *));
    item->param_values = values;
    item->param_lengths = put(copy, query->param_lengths, n * sizeof(int));
    item->param_formats = put(copy, query->param_formats, n * sizeof(int));
    item->param_types = put(copy, query->param_types, n * sizeof(Oid));
    return put_values(copy, values, query);
}

enum pqr__bulk pqr__bulk_of(uint64_t bytes)
{
    enum { LARGE = 256 * 1024, SWELLING = 16 * 1024 * 1024 };
    if (bytes > PQR__MESSAGE_MAX)
        return PQR__BULK_REFUSED;
    return bytes > SWELLING ? PQR__BULK_SWELLING : bytes > LARGE ? PQR__BULK_LARGE : PQR__BULK_SMALL;
}

/* What no server takes is not kept either: nothing but its size and label. */
static PQR__SELDOM bool copy_too_large(struct pqr_reply *request, const pqr_query *query, uint64_t message)
{
    pqr_query bare = PQR_QUERY_INIT;
    bare.sql = "";
    bare.label = query->label;
    if (!pqr__request_copy(request, &bare))
        return false;
    request->bulk = PQR__BULK_REFUSED;
    request->entry.bytes = message;
    return true;
}

static void put_label(struct copy *copy, struct pqr_reply *request, const char *label)
{
    size_t size = strnlen(label, LABEL_MAX) + 1;
    char *at = place(copy, size);
    if (at)
        pqr__text_copy(at, size, label);
    request->label = at;
}

/* Returns what its message would have. */
static uint64_t put_all(struct copy *copy, struct pqr_reply *request, const pqr_query *query)
{
    const struct pqr_statement *statement = query->statement;
    struct pqr__item *item = &request->item;
    *item = (struct pqr__item){.n_params = query->n_params, .result_format = (uint8_t)query->result_format};
    uint64_t values_bytes = query->n_params > 0 ? put_parameters(copy, item, query) : 0;
    size_t length = statement ? statement->length : strlen(query->sql);
    item->sql = statement ? statement->sql : put(copy, query->sql, length + 1);
    request->label = NULL;
    if (query->label)
        put_label(copy, request, query->label);
    return pqr__message_bytes(length, (uint32_t)query->n_params, values_bytes);
}

bool pqr__request_copy(struct pqr_reply *request, const pqr_query *query)
{
    struct copy copy;
    uint64_t message;
    do {
        copy = (struct copy){.buffer = request->buffer, .room = request->buffer_size};
        message = put_all(&copy, request, query);
        if (pqr__bulk_of(message) == PQR__BULK_REFUSED)
            return copy_too_large(request, query, message);
    } while (copy.used > copy.room && buffer_grow(request, (size_t)copy.used));
    if (copy.used > copy.room)
        return false;
    request->bulk = (uint8_t)pqr__bulk_of(message);
    request->entry.bytes = copy.used;
    return true;
}

void pqr__request_explain_size(uint64_t bytes, char *out, size_t size)
{
    snprintf(out, size,
        "it takes a message of %llu bytes, and PostgreSQL takes none above %llu (1 GB), text and parameters "
        "apart: give it in parts, over several statements",
        (unsigned long long)bytes, (unsigned long long)PQR__MESSAGE_MAX);
}
