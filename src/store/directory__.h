/* directory__: what the files of store/directory share. Nobody else includes it. */
#ifndef POSTHORN_STORE_DIRECTORY__H
#define POSTHORN_STORE_DIRECTORY__H

#include "store/directory.h"

/* What a name is. */
enum directory_kind { DIRECTORY_NOBODY, DIRECTORY_ACCOUNT, DIRECTORY_ALIAS, DIRECTORY_DOMAIN };

/* One remembered answer. */
struct directory_entry {
    enum directory_kind kind;
    uint64_t account, quota_bytes;
    bool suspended;
    size_t key_n;
    uint8_t key[];
};

struct directory_used {
    uint64_t account, bytes, messages;
    bool unsaved;
};

struct directory {
    struct db *db;
    struct db_txn txn;
    struct hash_key key;
    uint64_t quota_default;
    uint8_t secret[DIRECTORY_SECRET_SIZE];
    struct map entries;  /* hash of the key -> struct directory_entry; dropped with each change */
    struct map accounts; /* account id -> struct directory_used */
};

void directory__forget(struct directory *d);
/* What this address ("local@domain") or domain ("@domain") is. The entry lives until the next change or
 * lookup. */
NODISCARD enum err directory__entry(struct directory *d, slice key, const struct directory_entry **out);
const struct directory_used *directory__used(const struct directory *d, uint64_t account);

/* directory_admin.c: e with a sentence, unless OK. */
enum err directory__failed(enum err e, struct err_detail *detail);
/* The form a domain's name is kept in. ERR_SYNTAX with a sentence. */
NODISCARD enum err directory__domain_name(slice name, char out[DIRECTORY_DOMAIN_MAX + 1],
                                          struct err_detail *detail);
NODISCARD enum err directory__domain_id(struct directory *d, slice name, int64_t *out);

#endif
