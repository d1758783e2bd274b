/* What the files of the parser share. Nobody else includes it. */
#ifndef POSTHORN_CORE_IMAP_PARSE__H
#define POSTHORN_CORE_IMAP_PARSE__H

#include "core/imap/lex.h"
#include "core/imap/name.h"
#include "core/imap/parse.h"

/* One command being read. */
struct imap__parse {
    struct cursor c;
    struct arena *arena; /* NULL: check only (append head) */
    const struct imap_parse_limits *limits;
    bool utf8;
    const char *why; /* set by whoever finds something wrong */
};

/* Fails with a clause for the client. */
enum err imap__fail(struct imap__parse *p, enum err e, const char *why);
/* SP, or fails. */
NODISCARD enum err imap__space(struct imap__parse *p);
/* Makes room for one more element in an array of the arena that grows by doubling. NULL at limits->items or
 * the arena's cap. */
NODISCARD void *imap__grow(struct imap__parse *p, void *array, size_t n, size_t size);
NODISCARD enum err imap__mailbox(struct imap__parse *p, slice *out);
/* "(" flags ")", or without parentheses when bare is allowed (STORE). */
NODISCARD enum err imap__flags(struct imap__parse *p, bool bare, struct imap_flag_list *out);
/* "(" MESSAGES UIDNEXT ... ")" */
NODISCARD enum err imap__status_items(struct imap__parse *p, uint32_t *out);
NODISCARD enum err imap__set(struct imap__parse *p, struct imap_set *out);

/* Arguments of a command, behind its name; each reads its leading SP. */
typedef enum err imap__args(struct imap__parse *p, struct imap_command *out);
imap__args imap__parse_list, imap__parse_lsub, imap__parse_status, imap__parse_create, imap__parse_select;
imap__args imap__parse_fetch, imap__parse_store, imap__parse_search;

struct imap__bit {
    const char *name;
    uint32_t bit;
};
/* The bit of the word that comes next, 0 when it is none of the table. */
uint32_t imap__take_bit(struct cursor *c, const struct imap__bit *table, size_t n);

#endif
