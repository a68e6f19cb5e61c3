/* An intrusive doubly linked list, and the same with a count: state is list membership, so the counts that
   limits are checked against come from here and from nowhere else. */
#ifndef PQR_BASE_LIST_H
#define PQR_BASE_LIST_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pqr__link {
    struct pqr__link *next, *prev;
};

struct pqr__list {
    struct pqr__link head;
    uint32_t count;
};

#define pqr__container_of(pointer, type, member) \
    ((type *)(void *)((char *)(void *)(pointer)-offsetof(type, member)))

static inline void pqr__link_init(struct pqr__link *link)
{
    link->next = link->prev = NULL;
}

static inline bool pqr__link_listed(const struct pqr__link *link)
{
    return link->next != NULL;
}

/* Before where, in whatever list or ring that is. */
static inline void pqr__link_insert(struct pqr__link *where, struct pqr__link *link)
{
    link->next = where;
    link->prev = where->prev;
    where->prev->next = link;
    where->prev = link;
}

/* Of a ring, which has no count. */
static inline void pqr__link_remove(struct pqr__link *link)
{
    link->next->prev = link->prev;
    link->prev->next = link->next;
    link->next = link->prev = NULL;
}

/* A list without a count: its head is a link of its own. */
static inline void pqr__ring_init(struct pqr__link *ring)
{
    ring->next = ring->prev = ring;
}

static inline bool pqr__ring_empty(const struct pqr__link *ring)
{
    return ring->next == ring;
}

static inline void pqr__list_init(struct pqr__list *list)
{
    list->head.next = list->head.prev = &list->head;
    list->count = 0;
}

static inline bool pqr__list_empty(const struct pqr__list *list)
{
    return list->head.next == &list->head;
}

static inline void pqr__list_insert_before(
    struct pqr__list *list, struct pqr__link *where, struct pqr__link *link)
{
    assert(link->next == NULL);
    pqr__link_insert(where, link);
    list->count++;
}

static inline void pqr__list_push_back(struct pqr__list *list, struct pqr__link *link)
{
    pqr__list_insert_before(list, &list->head, link);
}

static inline void pqr__list_push_front(struct pqr__list *list, struct pqr__link *link)
{
    pqr__list_insert_before(list, list->head.next, link);
}

static inline void pqr__list_remove(struct pqr__list *list, struct pqr__link *link)
{
    assert(list->count > 0);
    pqr__link_remove(link); /* which ends in a fault when it is in no list */
    list->count--;
}

/* All of other goes to the end of list. */
static inline void pqr__list_join(struct pqr__list *list, struct pqr__list *other)
{
    assert(list != other);
    if (other->count == 0)
        return;
    other->head.next->prev = list->head.prev;
    other->head.prev->next = &list->head;
    list->head.prev->next = other->head.next;
    list->head.prev = other->head.prev;
    list->count += other->count;
    pqr__list_init(other);
}

/* Its first ones up to last, n of them, go to the end of out. */
static inline void pqr__list_move(
    struct pqr__list *list, struct pqr__link *last, uint32_t n, struct pqr__list *out)
{
    struct pqr__link *first = list->head.next;
    assert(list != out && n > 0 && n <= list->count);
    list->head.next = last->next;
    last->next->prev = &list->head;
    first->prev = out->head.prev;
    last->next = &out->head;
    out->head.prev->next = first;
    out->head.prev = last;
    list->count -= n;
    out->count += n;
}

/* NULL when empty. */
static inline struct pqr__link *pqr__list_first(const struct pqr__list *list)
{
    return pqr__list_empty(list) ? NULL : list->head.next;
}

static inline struct pqr__link *pqr__list_last(const struct pqr__list *list)
{
    return pqr__list_empty(list) ? NULL : list->head.prev;
}

/* NOLINTBEGIN(bugprone-macro-parentheses): a name that is declared cannot stand in parentheses */
/* The current entry may be removed inside the loop; no other one may. */
#define pqr__list_each(link, list)                                                                     \
    for (struct pqr__link *link = (list)->head.next, *link##_next = link->next; link != &(list)->head; \
         link = link##_next, link##_next = link->next)
/* NOLINTEND(bugprone-macro-parentheses) */

#endif
