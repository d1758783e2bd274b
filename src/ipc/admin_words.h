/* admin_words: the administrator's words that directory carries on to a role, and that role's answer in rows:
 * the shapes that directory_doctor and directory_reporter share.
 *
 * A call is answered by its first row; while next is not 0 another row follows, asked for with more. A row
 * may take as long as its work takes, so long work shows as it goes. */
#ifndef POSTHORN_IPC_ADMIN_WORDS_H
#define POSTHORN_IPC_ADMIN_WORDS_H

#include "ipc/codec.h"
#include "ipc/house.h"

#define ADMIN_WORDS_JSON_MAX 65536

struct words_arg {
    slice text;
};

struct words_call {
    slice verb;
    const struct words_arg *args;
    size_t n_args;
};

struct words_more {
    uint32_t next; /* as the last row said */
};

struct words_row {
    uint32_t err;
    slice text;    /* why not, or what was done */
    slice json;    /* one JSON value, or empty */
    uint32_t next; /* ask for the next row with this; 0: no more */
};

extern const struct ipc_shape words_call_shape, words_more_shape, words_row_shape;

#endif
