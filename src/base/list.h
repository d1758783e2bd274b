/* list: intrusive doubly linked list. A struct list is the head, or a link inside an element. */
#ifndef POSTHORN_BASE_LIST_H
#define POSTHORN_BASE_LIST_H

#include "base/check.h"

struct list {
    struct list *next, *prev;
};

#define LIST_OF(link, type, member) ((type *)(void *)((char *)(link)-offsetof(type, member)))
#define LIST_EACH(it, head)         for (struct list *it = (head)->next; it != (head); it = it->next)
/* The element in hand may be removed or freed. */
#define LIST_EACH_SAFE(it, head)                                                                             \
    for (struct list *it = (head)->next, *it##_next = it->next; it != (head);                                \
         it = it##_next, it##_next = it->next)

static inline void list_init(struct list *l)
{
    l->next = l->prev = l;
}
static inline bool list_empty(const struct list *l)
{
    return l->next == l;
}
/* Puts item last. */
static inline void list_append(struct list *head, struct list *item)
{
    item->prev = head->prev;
    item->next = head;
    head->prev->next = item;
    head->prev = item;
}
/* Takes item out of its list; it is then a list of itself, so removing twice is harmless. */
static inline void list_remove(struct list *item)
{
    item->prev->next = item->next;
    item->next->prev = item->prev;
    list_init(item);
}

#endif
