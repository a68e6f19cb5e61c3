/* What a caller gave: checked, and copied once into the request's own buffer, which is used again. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/seldom.h"
#include "base/text.h"
#include "policy/message.h"
#include "policy/token.h"
#include "router/request.h"
#include "router/statement.h"

enum {
    PARAMETERS_MAX = 65535, /* the protocol's */
    LABEL_MAX = 63,
    SMALL = 64 * 1024, /* of text and parameters each: far from what is large (pqr__bulk_of) */
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
    enum { FLAGS = PQR_ADMIN | PQR_IDEMPOTENT | PQR_BATCH | PQR_ALONE | PQR_PIPELINE | PQR_TOKEN };
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

static inline bool has_frills(const pqr_query *query)
{
    uintptr_t pointers = (uintptr_t)query->sql | (uintptr_t)query->param_formats | (uintptr_t)query->label |
                         (uintptr_t)query->rows | (uintptr_t)query->after;
    return (pointers | query->flags) != 0;
}

PQR__OFTEN bool pqr__query_is_plain(const pqr_query *query)
{
    return query && query->struct_size == sizeof(*query) && query->statement && !has_frills(query) &&
           (unsigned)query->n_params <= PARAMETERS_MAX && (query->n_params == 0 || query->param_values) &&
           (unsigned)query->result_format <= 1 && (unsigned)query->target <= PQR_TARGET_ANY &&
           query->statement->length <= SMALL;
}

const pqr_query *pqr__query_check(pqr_query *room, const pqr_query *query, const char **flaw)
{
    if (query && query->struct_size != sizeof(*room))
        query = complete(room, query);
    *flaw = query ? flaw_of(query) : "query is NULL, or does not begin as PQR_QUERY_INIT";
    return *flaw ? NULL : query;
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
    uint64_t values;     /* of used: what the parameters' values take */
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

/* With a NUL behind it. */
static char *put_value(struct copy *copy, const char *value, size_t length)
{
    char *at = place(copy, length + 1);
    if (!at)
        return NULL;
    memcpy(at, value, length);
    at[length] = '\0';
    return at;
}

static void put_values(struct copy *copy, const char **values, const pqr_query *query)
{
    const int *lengths = query->param_formats ? query->param_lengths : NULL; /* of text they mean nothing */
    uint64_t before = copy->used;
    for (int i = 0; i < query->n_params; i++) {
        const char *value = query->param_values[i];
        bool binary = lengths && query->param_formats[i] == 1;
        if (value)
            value = put_value(copy, value, binary ? (size_t)lengths[i] : strlen(value));
        if (values)
            values[i] = value;
    }
    copy->values = copy->used - before;
}

/* Pointers, then integers, then text, so that everything is aligned. Types that the statement's number stands for are
   known with it. */
static void put_parameters(struct copy *copy, struct pqr_reply *request, const pqr_query *query)
{
    struct pqr__item *item = &request->item;
    size_t n = (size_t)query->n_params;
    const char **values = (const char **)(void *)place(copy, n * sizeof(char *));
    item->param_values = values;
    if (query->param_formats) {
        item->param_lengths = put(copy, query->param_lengths, n * sizeof(int));
        item->param_formats = put(copy, query->param_formats, n * sizeof(int));
    }
    if (item->statement)
        item->param_types = query->param_types ? request->known->types : NULL;
    else
        item->param_types = put(copy, query->param_types, n * sizeof(Oid));
    put_values(copy, values, query);
}

static void put_label(struct copy *copy, struct pqr_reply *request, const char *label)
{
    size_t size = strnlen(label, LABEL_MAX) + 1;
    char *at = place(copy, size);
    if (at)
        pqr__text_copy(at, size, label);
    request->label = at;
}

/* Of a statement: what is known of it has its text too. */
static const char *text_of(struct pqr_reply *request, const struct pqr_statement *statement)
{
    if (request->known)
        return request->known->text;
    if (!request->statement)
        request->statement = pqr__statement_ref(statement);
    return statement->sql;
}

/* First, so that it is found there. */
static PQR__SELDOM void put_parts(struct copy *copy, struct pqr_reply *request, const pqr_query *query)
{
    enum { ROWS_AT_ONCE = 100 };
    struct pqr__parts *parts = (struct pqr__parts *)(void *)place(copy, sizeof(*parts));
    if (parts)
        *parts = (struct pqr__parts){.cb = query->rows, .affected = -1};
    uint32_t rows = query->rows_at_once ? query->rows_at_once : ROWS_AT_ONCE;
    request->item.rows_at_once = (uint16_t)(rows < UINT16_MAX ? rows : UINT16_MAX);
}

/* Behind that. */
static PQR__SELDOM void put_causal(struct copy *copy, struct pqr_reply *request, const pqr_query *query)
{
    struct pqr__causal *causal = (struct pqr__causal *)(void *)place(copy, sizeof(*causal));
    if (!causal)
        return;
    *causal = (struct pqr__causal){0};
    if (query->after)
        causal->after = *query->after;
    request->flags |= PQR__CAUSAL;
}

static struct copy put_all(struct pqr_reply *request, const pqr_query *query, size_t length)
{
    struct copy copy = {.buffer = request->buffer, .room = request->buffer_size};
    struct pqr__item *item = &request->item;
    item->n_params = query->n_params;
    item->result_format = (uint8_t)query->result_format;
    if (query->rows)
        put_parts(&copy, request, query);
    if (pqr__token_is(query->after) || query->flags & PQR_TOKEN)
        put_causal(&copy, request, query);
    if (query->n_params > 0)
        put_parameters(&copy, request, query);
    item->sql = query->statement ? text_of(request, query->statement) : put(&copy, query->sql, length + 1);
    if (query->label)
        put_label(&copy, request, query->label);
    return copy;
}

enum pqr__bulk pqr__bulk_of(uint64_t bytes)
{
    enum { LARGE = 256 * 1024, SWELLING = 16 * 1024 * 1024 };
    if (bytes > PQR__MESSAGE_MAX)
        return PQR__BULK_REFUSED;
    return bytes > SWELLING ? PQR__BULK_SWELLING : bytes > LARGE ? PQR__BULK_LARGE : PQR__BULK_SMALL;
}

static bool grow_for(struct pqr_reply *request, const pqr_query *query, size_t length, uint64_t used)
{
    if (used <= request->buffer_size)
        return true;
    if (!buffer_grow(request, (size_t)used))
        return false;
    put_all(request, query, length);
    return true;
}

/* What no server takes is not kept either: nothing but its size and label. */
static bool copy_too_large(struct pqr_reply *request, const pqr_query *query, uint64_t message)
{
    pqr_query bare = PQR_QUERY_INIT;
    bare.sql = "";
    bare.label = query->label;
    request->bulk = PQR__BULK_REFUSED;
    request->flags &= ~PQR__CAUSAL;
    request->entry.bytes = message;
    request->item = (struct pqr__item){.own = request->item.own};
    return grow_for(request, &bare, 0, put_all(request, &bare, 0).used);
}

bool pqr__request_copy(struct pqr_reply *request, const pqr_query *query, size_t length)
{
    struct copy copy = put_all(request, query, length);
    uint64_t message = pqr__message_bytes(length, (uint32_t)query->n_params, copy.values);
    request->bulk = (uint8_t)pqr__bulk_of(message);
    if (request->bulk == PQR__BULK_REFUSED)
        return copy_too_large(request, query, message);
    request->entry.bytes = copy.used;
    return grow_for(request, query, length, copy.used);
}

PQR__OFTEN bool pqr__request_copy_plain(struct pqr_reply *request, const pqr_query *query)
{
    struct pqr__item *item = &request->item;
    size_t n = (size_t)query->n_params, used = n * sizeof(char *), room = request->buffer_size;
    if (used > room || room > SMALL)
        return false;
    const char **values = (const char **)(void *)request->buffer;
    for (size_t i = 0; i < n; i++) {
        const char *value = query->param_values[i];
        size_t size = value ? strlen(value) + 1 : 0;
        if (size > room - used)
            return false;
        values[i] = value ? memcpy(request->buffer + used, value, size) : NULL;
        used += size;
    }
    item->sql = request->known->text;
    item->n_params = query->n_params;
    item->result_format = (uint8_t)query->result_format;
    item->param_values = values;
    item->param_types = query->param_types ? request->known->types : NULL;
    request->entry.bytes = used;
    return true;
}

void pqr__request_explain_size(uint64_t bytes, char *out, size_t size)
{
    snprintf(out, size,
        "it takes a message of %llu bytes, and PostgreSQL takes none above %llu (1 GB), text and parameters "
        "apart: give it in parts, over several statements",
        (unsigned long long)bytes, (unsigned long long)PQR__MESSAGE_MAX);
}
