/* What the files of journal_db share. Nobody else includes it.
 *
 * journal_db.c opens the file, takes events and writes them; journal_db_place.c knows where messages lie;
 * journal_db_read.c finds events again; journal_db_key.c makes the keys by which both do. */
#ifndef POSTHORN_STORE_JOURNAL_DB__H
#define POSTHORN_STORE_JOURNAL_DB__H

#include "base/buf.h"
#include "base/hash.h"
#include "store/db.h"
#include "store/journal_db.h"

#define BUCKET_MS      (15 * MS_MINUTE) /* of the index */
#define CHECKSUM_BYTES 8                /* in front of each row's events */

/* An event that waits: its mail, its place in the pending bytes, and the order it came in. */
struct waiting {
    uint64_t mail;
    uint32_t at, n;
    uint8_t kind;
};

struct journal_db {
    struct db *db;
    char *path;
    const char *vfs;
    struct journal_db_limits limits;
    struct hash_key key;
    struct buf bytes; /* encoded pending events, mail id left out */
    struct waiting *waiting;
    size_t waiting_n, waiting_cap;
    uint64_t lost[16]; /* by role */
    time_ms last_at;
    int64_t swept_box, swept_uid;    /* journal_db__places_prune() goes on behind this one */
    uint64_t rows_added, keys_added; /* by the commit in hand */
    bool keys_left;                  /* the index still holds what its events are gone from */
};

/* --- journal_db_key.c */

/* The part of a text that counts for finding it: without <> and spaces, the IP address alone of a peer. */
slice journal_db__key_text(slice s);
/* The key of that in the index, the same in any case of ASCII letters. */
int64_t journal_db__key(const struct journal_db *j, slice text);
/* The texts by which an event is found, at most three; how many. */
size_t journal_db__keys_of(const struct journal_event *e, slice out[3]);
/* Of the events of a row. Its key is fixed: it finds accidents, not enemies; who can write the file can write
 * the checksum. */
uint64_t journal_db__sum(slice s);

/* --- journal_db_place.c: inside the transaction of a commit */

/* Gives the waiting events of sessions the mail they are about, in the order in which things happened, and
 * keeps where messages went. */
NODISCARD enum err journal_db__places_resolve(struct journal_db *j);
/* Looks at some places each time, round and round, and forgets those whose mail is older than the oldest
 * event. */
NODISCARD enum err journal_db__places_prune(struct journal_db *j, uint64_t many);

#endif
