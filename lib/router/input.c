/* What a caller gave: checked, and copied once into the request's own buffer, which is used again. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/text.h"
#include "policy/message.h"
#include "router/request.h"
#include "router/statement.h"

enum {
    PARAMETERS_MAX = 65535, /* the protocol's */
    SIZES = 8,              /* parameters whose size is not found twice */
};

/* Each: what is wrong, for people; NULL: nothing. */
static const char *flaw_of_parameters(const pqr_query *query)
{
    if (query->n_params < 0 || query->n_params > PARAMETERS_MAX)
        return "query.n_params is not from 0 to 65535";
    if (query->n_params > 0 && !query->param_values)
        return "query.n_params is set, and query.param_values is NULL";
    for (int i = 0; i < query->n_params; i++) {
        bool binary = query->param_formats && query->param_formats[i] != 0;
        if (binary && query->param_formats[i] != 1)
            return "query.param_formats has a number that is neither 0 (text) nor 1 (binary)";
        if (binary && query->param_values[i] && (!query->param_lengths || query->param_lengths[i] < 0))
            return "a binary parameter has no length in query.param_lengths";
    }
    return NULL;
}

static const char *flaw_of(const pqr_query *query)
{
    enum { FLAGS = PQR_ADMIN | PQR_IDEMPOTENT | PQR_BATCH | PQR_ALONE | PQR_PIPELINE };
    if (!query->sql == !query->statement)
        return "query.sql and query.statement: set one of the two";
    const char *flaw = flaw_of_parameters(query);
    if (flaw)
        return flaw;
    if (query->result_format < 0 || query->result_format > 1)
        return "query.result_format is neither 0 (text) nor 1 (binary)";
    if ((unsigned)query->target > PQR_TARGET_ANY)
        return "query.target is no pqr_target";
    if (query->flags & ~(uint32_t)FLAGS)
        return "query.flags has a bit that is no flag of a query";
    if (query->flags & PQR_ADMIN && query->flags & PQR_BATCH)
        return "query.flags has PQR_ADMIN and PQR_BATCH; choose one";
    return NULL;
}

const pqr_query *pqr__query_check(pqr_query *room, const pqr_query *query, const char **flaw)
{
    if (!query || query->struct_size < offsetof(pqr_query, label) || query->struct_size > 4096) {
        *flaw = "query is NULL, or does not begin as PQR_QUERY_INIT";
        return NULL;
    }
    if (query->struct_size != sizeof(*room)) {
        *room = (pqr_query)PQR_QUERY_INIT;
        memcpy(room, query, query->struct_size < sizeof(*room) ? query->struct_size : sizeof(*room));
        query = room;
    }
    *flaw = flaw_of(query);
    return *flaw ? NULL : query;
}

static size_t value_size(const pqr_query *query, int i)
{
    if (!query->param_values[i])
        return 0;
    bool binary = query->param_formats && query->param_formats[i] == 1 && query->param_lengths;
    return (binary ? (size_t)query->param_lengths[i] : strlen(query->param_values[i])) + 1;
}

static bool buffer_reserve(struct pqr_reply *request, size_t size)
{
    if (size <= request->buffer_size)
        return true;
    char *buffer = pqr__malloc(size);
    if (!buffer)
        return false;
    pqr__free(request->buffer);
    request->buffer = buffer;
    request->buffer_size = size;
    return true;
}

static char *copy_bytes(char **at, const void *bytes, size_t size)
{
    char *copy = *at;
    memcpy(copy, bytes, size);
    *at += size;
    return copy;
}

/* NULL stays NULL; of the others each is copied with a NUL behind it. */
static void copy_values(char **at, const char **values, const pqr_query *query, const size_t *sizes)
{
    for (int i = 0; i < query->n_params; i++) {
        size_t length = i < SIZES ? sizes[i] : value_size(query, i);
        values[i] = NULL;
        if (length == 0)
            continue;
        values[i] = copy_bytes(at, query->param_values[i], length - 1);
        *(*at)++ = '\0';
    }
}

/* Pointers, then integers; the pointers are still to be set. */
static const char **copy_arrays(struct pqr__item *item, char **at, const pqr_query *query)
{
    size_t n = (size_t)query->n_params;
    const char **values = (const char **)(void *)*at;
    *at += n * sizeof(char *);
    item->param_values = values;
    if (query->param_lengths)
        item->param_lengths = (const int *)(void *)copy_bytes(at, query->param_lengths, n * sizeof(int));
    if (query->param_formats)
        item->param_formats = (const int *)(void *)copy_bytes(at, query->param_formats, n * sizeof(int));
    if (query->param_types)
        item->param_types = (const Oid *)(void *)copy_bytes(at, query->param_types, n * sizeof(Oid));
    return values;
}

enum pqr__bulk pqr__bulk_of(uint64_t bytes)
{
    enum { LARGE = 256 * 1024, SWELLING = 16 * 1024 * 1024 };
    if (bytes > PQR__MESSAGE_MAX)
        return PQR__BULK_REFUSED;
    return bytes > SWELLING ? PQR__BULK_SWELLING : bytes > LARGE ? PQR__BULK_LARGE : PQR__BULK_SMALL;
}

/* What no server takes is not kept either: nothing but its size and label. */
static bool copy_too_large(struct pqr_reply *request, const pqr_query *query, uint64_t message)
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

/* One buffer: pointers, then integers, then text, so that everything is aligned. */
bool pqr__request_copy(struct pqr_reply *request, const pqr_query *query)
{
    size_t n = (size_t)query->n_params, sql_size = query->statement ? 0 : strlen(query->sql) + 1;
    size_t label_size = query->label ? strnlen(query->label, 63) + 1 : 0;
    size_t each = sizeof(char *) + (query->param_lengths ? sizeof(int) : 0) +
                  (query->param_formats ? sizeof(int) : 0) + (query->param_types ? sizeof(Oid) : 0);
    size_t sizes[SIZES];
    uint64_t values_size = 0; /* the same gigabyte may be given many times */
    for (int i = 0; i < query->n_params; i++) {
        size_t of_value = value_size(query, i);
        values_size += of_value;
        if (i < SIZES)
            sizes[i] = of_value;
    }
    uint64_t message = pqr__message_bytes(
        query->statement ? query->statement->length : sql_size - 1, (uint32_t)n, values_size);
    if (pqr__bulk_of(message) == PQR__BULK_REFUSED)
        return copy_too_large(request, query, message);
    size_t size = n * each + sql_size + label_size + (size_t)values_size;
    if (!buffer_reserve(request, size))
        return false;
    struct pqr__item *item = &request->item;
    char *at = request->buffer;
    *item = (struct pqr__item){.n_params = query->n_params, .result_format = query->result_format};
    const char **values = n > 0 ? copy_arrays(item, &at, query) : NULL;
    item->sql = query->statement ? query->statement->sql : copy_bytes(&at, query->sql, sql_size);
    copy_values(&at, values, query, sizes);
    request->label = NULL;
    if (label_size) {
        request->label = at;
        pqr__text_copy(at, label_size, query->label);
    }
    request->bulk = (uint8_t)pqr__bulk_of(message);
    request->entry.bytes = size;
    return true;
}

void pqr__request_explain_size(uint64_t bytes, char *out, size_t size)
{
    snprintf(out, size,
        "it takes a message of %llu bytes, and PostgreSQL takes none above %llu (1 GB), text and parameters "
        "apart: give it in parts, over several statements",
        (unsigned long long)bytes, (unsigned long long)PQR__MESSAGE_MAX);
}
