/* directory: opening, the memory of lookups, usage. */
#include "store/directory__.h"

#include "core/mail/mailbox.h"

#include <stdlib.h>

#define DIRECTORY_APPLICATION 0x50484452u /* "PHDR" */
#define DIRECTORY_ENTRIES_MAX 16384       /* remembered answers; more and all are forgotten */

static const char *const directory_migrations[] = {
    "CREATE TABLE domain (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,"
    " created INTEGER NOT NULL) STRICT;"
    "CREATE TABLE account (id INTEGER PRIMARY KEY AUTOINCREMENT, address TEXT NOT NULL UNIQUE,"
    " domain INTEGER NOT NULL REFERENCES domain(id), name TEXT NOT NULL,"
    " suspended INTEGER NOT NULL DEFAULT 0,"
    " quota INTEGER, created INTEGER NOT NULL) STRICT;"
    "CREATE INDEX account_domain ON account(domain);"
    "CREATE TABLE credential (id INTEGER PRIMARY KEY,"
    " account INTEGER NOT NULL REFERENCES account(id) ON DELETE CASCADE, kind INTEGER NOT NULL,"
    " label TEXT NOT NULL, salt BLOB NOT NULL, iterations INTEGER NOT NULL, stored_key BLOB NOT NULL,"
    " server_key BLOB NOT NULL, created INTEGER NOT NULL, UNIQUE(account, kind, label)) STRICT;"
    "CREATE TABLE alias (address TEXT NOT NULL, target TEXT NOT NULL,"
    " domain INTEGER NOT NULL REFERENCES domain(id), PRIMARY KEY(address, target)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX alias_domain ON alias(domain);"
    "CREATE TABLE usage (account INTEGER PRIMARY KEY REFERENCES account(id) ON DELETE CASCADE,"
    " bytes INTEGER NOT NULL, messages INTEGER NOT NULL) STRICT;"
    "CREATE TABLE setting (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;",
    /* 2: settings of a domain */
    "CREATE TABLE domain_setting (domain INTEGER NOT NULL REFERENCES domain(id) ON DELETE CASCADE,"
    " name TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY(domain, name)) STRICT, WITHOUT ROWID;",
};

static void free_map_values(struct map *m)
{
    size_t at = 0;
    uint64_t key;
    void *value;
    while (map_each(m, &at, &key, &value))
        free(value);
    map_done(m);
    *m = (struct map){0};
}

/* ---- opening */

/* Reads the secret of this installation, or keeps the one that was given. */
static enum err directory_load_secret(struct directory *d, const uint8_t fresh[DIRECTORY_SECRET_SIZE])
{
    struct stmt *q CLEANUP(stmt_done) = db_stmt(d->db, "SELECT value FROM setting WHERE name = 'secret'");
    struct stmt *put CLEANUP(stmt_done) = NULL;
    enum err e = stmt_row(q);
    if (e == OK) {
        slice kept = stmt_slice(q, 0);
        if (kept.n != DIRECTORY_SECRET_SIZE)
            return ERR_CORRUPT;
        memcpy(d->secret, kept.p, DIRECTORY_SECRET_SIZE);
        return OK;
    }
    if (e != ERR_NOT_FOUND)
        return e;
    memcpy(d->secret, fresh, DIRECTORY_SECRET_SIZE);
    put = db_stmt(d->db, "INSERT INTO setting(name, value) VALUES ('secret', ?)");
    stmt_bind_blob(put, 1, slice_of(d->secret, sizeof d->secret));
    return stmt_run(put);
}

static enum err directory_load_usage(struct directory *d)
{
    struct stmt *q CLEANUP(stmt_done) = db_stmt(d->db, "SELECT account, bytes, messages FROM usage");
    enum err e;
    while ((e = stmt_row(q)) == OK) {
        struct directory_used *u = calloc(1, sizeof *u);
        must(u);
        *u = (struct directory_used){stmt_u64(q, 0), stmt_u64(q, 1), stmt_u64(q, 2), false};
        free(map_put(&d->accounts, u->account, u));
    }
    return e == ERR_NOT_FOUND ? OK : e;
}

enum err directory_open(const struct directory_options *o, struct directory **out, struct err_detail *detail)
{
    struct directory *d CLEANUP(directory_close) = calloc(1, sizeof *d);
    struct db_options options = {
        .path = o->path,
        .kind = "directory",
        .application_id = DIRECTORY_APPLICATION,
        .migrations = directory_migrations,
        .migration_count = ARRAY_LEN(directory_migrations),
        .vfs = o->vfs,
    };
    enum err e;
    must(d);
    d->key = o->key;
    d->quota_default = o->quota_default;
    if ((e = db_open(&options, &d->db, detail)) != OK)
        return e;
    e = directory_load_secret(d, o->secret);
    if (e == OK)
        e = directory_load_usage(d);
    if (e != OK) {
        err_detail_set(detail, "the directory database cannot be read: %s", err_text(e));
        return e;
    }
    *out = d;
    d = NULL;
    return OK;
}

void directory_close(struct directory **d)
{
    if (!*d)
        return;
    db_rollback(&(*d)->txn);
    directory__forget(*d);
    free_map_values(&(*d)->accounts);
    db_close(&(*d)->db);
    secret_wipe((*d)->secret, sizeof(*d)->secret);
    free(*d);
    *d = NULL;
}

slice directory_secret(const struct directory *d)
{
    return slice_of(d->secret, sizeof d->secret);
}

bool directory_broken(const struct directory *d)
{
    return db_broken(d->db);
}

/* ---- changes */

enum err directory_begin(struct directory *d)
{
    return db_begin(d->db, &d->txn);
}

enum err directory_commit(struct directory *d)
{
    directory__forget(d);
    return db_commit(&d->txn);
}

void directory_rollback(struct directory *d)
{
    directory__forget(d); /* lookups inside the change saw what is not there now */
    db_rollback(&d->txn);
}

/* ---- the memory of lookups */

void directory__forget(struct directory *d)
{
    free_map_values(&d->entries);
}

static enum err directory_read_entry(struct directory *d, slice key, struct directory_entry *out)
{
    struct stmt *account CLEANUP(stmt_done) = NULL, *alias CLEANUP(stmt_done) = NULL;
    enum err e;
    if (key.p[0] == '@') {
        alias = db_stmt(d->db, "SELECT 1 FROM domain WHERE name = ?");
        stmt_bind_text(alias, 1, slice_from(key, 1));
        e = stmt_row(alias);
        out->kind = e == OK ? DIRECTORY_DOMAIN : DIRECTORY_NOBODY;
        return e == ERR_NOT_FOUND ? OK : e;
    }
    account = db_stmt(d->db, "SELECT id, suspended, quota FROM account WHERE address = ?");
    stmt_bind_text(account, 1, key);
    if ((e = stmt_row(account)) == OK) {
        out->kind = DIRECTORY_ACCOUNT;
        out->account = stmt_u64(account, 0);
        out->suspended = stmt_i64(account, 1) != 0;
        out->quota_bytes = stmt_null(account, 2) ? d->quota_default : stmt_u64(account, 2);
        return OK;
    }
    if (e != ERR_NOT_FOUND)
        return e;
    alias = db_stmt(d->db, "SELECT 1 FROM alias WHERE address = ? LIMIT 1");
    stmt_bind_text(alias, 1, key);
    e = stmt_row(alias);
    out->kind = e == OK ? DIRECTORY_ALIAS : DIRECTORY_NOBODY;
    return e == ERR_NOT_FOUND ? OK : e;
}

enum err directory__entry(struct directory *d, slice key, const struct directory_entry **out)
{
    uint64_t h = hash_slice(&d->key, key);
    struct directory_entry *entry = map_get(&d->entries, h);
    enum err e;
    must(key.n > 0);
    if (entry && slice_eq(slice_of(entry->key, entry->key_n), key)) {
        *out = entry;
        return OK;
    }
    if (d->entries.n >= DIRECTORY_ENTRIES_MAX)
        directory__forget(d);
    entry = calloc(1, sizeof *entry + key.n);
    must(entry);
    if ((e = directory_read_entry(d, key, entry)) != OK) {
        free(entry);
        return e;
    }
    memcpy(entry->key, key.p, key.n);
    entry->key_n = key.n;
    free(map_put(&d->entries, h, entry));
    *out = entry;
    return OK;
}

/* ---- usage */

const struct directory_used *directory__used(const struct directory *d, uint64_t account)
{
    return map_get(&d->accounts, account);
}

void directory_usage(struct directory *d, uint64_t account, uint64_t bytes, uint64_t messages)
{
    struct directory_used *u = map_get(&d->accounts, account);
    if (!u) {
        u = calloc(1, sizeof *u);
        must(u);
        u->account = account;
        IGNORE_RESULT(map_put(&d->accounts, account, u), "there was none");
    } else if (u->bytes == bytes && u->messages == messages) {
        return;
    }
    u->bytes = bytes;
    u->messages = messages;
    u->unsaved = true;
}

enum err directory_usage_save(struct directory *d)
{
    struct db_txn t CLEANUP(db_rollback) = {0};
    struct stmt *q CLEANUP(stmt_done) = NULL;
    size_t at = 0, changed = 0;
    uint64_t id;
    void *value;
    enum err e;
    while (map_each(&d->accounts, &at, &id, &value))
        changed += ((struct directory_used *)value)->unsaved;
    if (!changed)
        return OK;
    if ((e = db_begin(d->db, &t)) != OK)
        return e;
    /* an account that was removed meanwhile has no row to refer to */
    q = db_stmt(d->db,
                "INSERT INTO usage(account, bytes, messages) SELECT id, ?2, ?3 FROM account WHERE id = ?1"
                " ON CONFLICT(account) DO UPDATE SET bytes = ?2, messages = ?3");
    at = 0;
    while (map_each(&d->accounts, &at, &id, &value)) {
        struct directory_used *u = value;
        if (!u->unsaved)
            continue;
        stmt_again(q);
        stmt_bind_u64(q, 1, u->account);
        stmt_bind_u64(q, 2, u->bytes);
        stmt_bind_u64(q, 3, u->messages);
        if ((e = stmt_run(q)) != OK)
            return e;
    }
    stmt_done(&q);
    if ((e = db_commit(&t)) != OK)
        return e;
    at = 0;
    while (map_each(&d->accounts, &at, &id, &value))
        ((struct directory_used *)value)->unsaved = false;
    return OK;
}

enum err directory_key(slice address, char out[DIRECTORY_ADDRESS_MAX + 1])
{
    struct mailbox m;
    struct buf b CLEANUP(buf_done) = {.max = DIRECTORY_ADDRESS_MAX};
    enum err e = mailbox_parse(address, MAILBOX_UTF8, &m);
    if (e != OK)
        return e;
    if (mailbox_key(&m, &b) != OK)
        return ERR_LIMIT;
    memcpy(out, b.p, b.n);
    out[b.n] = 0;
    return OK;
}
