/* Where requests come from and return to. Ids carry the place in the store and a count of its uses, so that a stale one
 * finds nothing.
 */
#include <assert.h>

#include "base/alloc.h"
#include "base/seldom.h"
#include "router/request.h"
#include "router/router.h"

enum {
    INDEX_BITS = 24,    /* 16 million at a time */
    BUFFER_KEPT = 4096, /* a larger buffer of inputs is not recycled */
    FREE_KEPT = 1024,   /* nor are more requests than this */
};

void pqr__request_store_init(struct pqr__request_store *store)
{
    *store = (struct pqr__request_store){0};
}

void pqr__request_store_finish(struct pqr__request_store *store)
{
    for (uint32_t i = 0; i < store->count; i++) {
        pqr__free(store->all[i]->buffer);
        pqr__free(store->all[i]->notices);
        pqr__request_say(store->all[i], NULL);
        pqr__free(store->all[i]);
    }
    pqr__free(store->all);
}

uint32_t pqr__request_store_active(const struct pqr__request_store *store)
{
    return store->count - store->n_free;
}

static bool store_reserve(struct pqr__request_store *store)
{
    if (store->count < store->capacity)
        return true;
    uint32_t capacity = store->capacity ? store->capacity * 2 : 16;
    if (capacity > 1u << INDEX_BITS)
        return false;
    struct pqr_reply **all = pqr__realloc(store->all, capacity * sizeof(struct pqr_reply *));
    if (!all)
        return false;
    store->all = all;
    store->capacity = capacity;
    return true;
}

static PQR__SELDOM struct pqr_reply *store_add(pqr_router *router)
{
    struct pqr__request_store *store = &router->store;
    struct pqr_reply *request = store_reserve(store) ? pqr__calloc(1, sizeof(*request)) : NULL;
    if (!request)
        return NULL;
    request->router = router;
    request->id = store->count;
    store->all[store->count++] = request;
    return request;
}

struct pqr_reply *pqr__request_take(pqr_router *router)
{
    struct pqr__request_store *store = &router->store;
    struct pqr__link *link = store->free; /* what else is in it is cleared with the entry */
    struct pqr_reply *request = link ? pqr__request_of(link) : store_add(router);
    if (!request)
        return NULL;
    if (link) {
        store->free = link->next;
        store->n_free--;
    }
    request->id += UINT64_C(1) << INDEX_BITS;
    request->state = PQR__REQUEST_ACCEPTED;
    return request;
}

void pqr__request_put(struct pqr_reply *request)
{
    struct pqr__request_store *store = &request->router->store;
    assert(request->state != PQR__REQUEST_FREE && !pqr__link_listed(&request->link) &&
           !pqr__link_listed(&request->entry.link));
    if (request->buffer_size > BUFFER_KEPT || store->n_free >= FREE_KEPT) {
        pqr__free(request->buffer);
        request->buffer = NULL;
        request->buffer_size = 0;
    }
    if (request->notices) { /* which hardly any has, and a call for none is one too */
        pqr__free(request->notices);
        request->notices = NULL;
    }
    pqr__request_say(request, NULL);
    if (request->statement)
        pqr_statement_free(request->statement);
    pqr__known_unref(request->known);
    request->state = PQR__REQUEST_FREE;
    request->entry.link.next = store->free;
    store->free = &request->entry.link;
    store->n_free++;
}

/* It was called, and nothing is to be freed. */
static bool is_bare(const struct pqr_reply *request)
{
    return request->state == PQR__REQUEST_CALLED && request->buffer_size <= BUFFER_KEPT &&
           !request->notices && !request->error && !request->statement;
}

uint32_t pqr__request_bare(const struct pqr__request_store *store, const struct pqr__list *air, uint32_t most,
    struct pqr__link **last)
{
    const struct pqr__known *known = pqr__request_of(air->head.next)->known;
    uint32_t n = 0;
    if (!known || store->n_free + most > FREE_KEPT)
        return 0;
    pqr__list_each (link, air) {
        const struct pqr_reply *request = pqr__request_of(link);
        if (n == most || request->known != known || !is_bare(request))
            break;
        *last = link;
        n++;
    }
    return n;
}

void pqr__request_put_bare(
    struct pqr__request_store *store, struct pqr__list *air, struct pqr__link *last, uint32_t n)
{
    struct pqr__list row;
    pqr__known_unref_many(pqr__request_of(last)->known, n);
    pqr__list_init(&row);
    pqr__list_move(air, last, n, &row);
    last->next = store->free;
    store->free = row.head.next;
    store->n_free += n;
}

struct pqr_reply *pqr__request_find(pqr_router *router, uint64_t id)
{
    uint64_t index = id & ((UINT64_C(1) << INDEX_BITS) - 1);
    if (index >= router->store.count)
        return NULL;
    struct pqr_reply *request = router->store.all[index];
    bool active = request->state != PQR__REQUEST_FREE && request->state != PQR__REQUEST_FINISHED &&
                  request->state != PQR__REQUEST_CALLED;
    return request->id == id && active ? request : NULL;
}
