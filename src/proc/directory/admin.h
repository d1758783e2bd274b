/* admin: one caller on the control socket (the posthorn command), and what it may ask: a table of verbs.
 *
 * A call is a verb, some arguments and maybe a secret (never a password: a SCRAM verifier). The answer is
 * rows, each a JSON array, and one end: an error code and, when it is not OK, a sentence. Who may call is
 * decided by the socket's file mode and the caller's user id, nothing else. */
#ifndef POSTHORN_PROC_DIRECTORY_ADMIN_H
#define POSTHORN_PROC_DIRECTORY_ADMIN_H

#include "ipc/tool_directory.h"
#include "proc/directory/directory.h"

#define ADMIN_ROW_BYTES 100000 /* of one row: a JSON array with as many objects as fit */

struct admin {
    struct list link;
    struct house_keeper *keeper;
    struct chan *chan;
    bool busy;      /* a call runs; others are refused */
    bool last_call; /* the caller was handed over at boot: the role ends with it */
    struct buf row; /* objects of the row in the making */
    enum err row_failed;
    /* a call that another role answers */
    char verb[64], query[ADDRESS_MAX + 1], text[TEXT_MAX + 1];
    bool json;
    int64_t since;
    bool any;          /* something came */
    enum role carrier; /* admin_words.c: who answers */
    int given;         /* the descriptor that came with the call, while its verb is run; -1: none */
};

struct admin_verb {
    const char *name;
    size_t args_min, args_max;
    /* OK, an error (detail then holds a sentence), or ERR_MORE: it goes on and calls admin_end() itself. */
    enum err (*run)(struct admin *a, const struct admin_call *m, struct err_detail *detail);
};

/* admin_verbs.c: what directory answers itself. */
extern const struct admin_verb admin_verbs[];
extern const size_t admin_verbs_n;
/* admin_forward.c: what relay, journal and supervisor answer. */
extern const struct admin_verb admin_forwards[];
extern const size_t admin_forwards_n;
/* admin_words.c: what doctor and reporter answer, by the verb's first word. NULL: not theirs. */
const struct admin_verb *admin_words_verb(slice name);

static inline slice admin_arg(const struct admin_call *m, size_t i)
{
    return i < m->n_args ? m->args[i].text : (slice){0};
}

/* Where the next object is to be appended; then admin_row_end(). */
struct buf *admin_row_begin(struct admin *a);
void admin_row_end(struct admin *a);
/* Sends the rows that are there. */
void admin_row_send(struct admin *a);
/* Sends what is left of the rows, and the end. */
void admin_end(struct admin *a, enum err e, const char *text);

/* JSON members: ,"name":value -- the comma is left out behind a '{'. */
void admin_json_text(struct buf *b, const char *name, slice value);
void admin_json_u64(struct buf *b, const char *name, uint64_t value);
void admin_json_bool(struct buf *b, const char *name, bool value);
void admin_json_time(struct buf *b, const char *name, time_ms unix_ms);

#endif
