/* directory_lookup: where mail for an address goes, who an address belongs to. */
#include "store/directory__.h"

#include "core/mail/mailbox.h"

#include <stdio.h>

#define ITEMS_MAX 256 /* names looked at for one address: targets and the aliases on the way */

/* A name on the way from an address to its targets. */
struct lookup_item {
    slice key, detail;
    unsigned depth;
};

struct lookup {
    struct directory *d;
    struct arena *a;
    struct lookup_item items[ITEMS_MAX];
    size_t n_items;
    struct directory_target *targets;
    size_t n_targets;
    uint64_t bytes;
    enum err left_out; /* why a target is not in the list, or OK */
    size_t n_full;
};

static slice key_domain(slice key)
{
    return slice_from(key, slice_rindex(key, '@'));
}

/* Adds a name unless it was seen: so circles end. */
static enum err lookup_push(struct lookup *l, slice key, slice detail, unsigned depth)
{
    struct lookup_item *item;
    for (size_t i = 0; i < l->n_items; i++)
        if (slice_eq(l->items[i].key, key))
            return OK;
    if (l->n_items == ITEMS_MAX || depth > DIRECTORY_DEPTH_MAX)
        return ERR_LIMIT;
    item = &l->items[l->n_items];
    if (!arena_dup(l->a, key, &item->key))
        return ERR_LIMIT;
    item->detail = detail;
    item->depth = depth;
    l->n_items++;
    return OK;
}

static enum err lookup_target(struct lookup *l, bool remote, uint64_t account, slice address, slice detail)
{
    for (size_t i = 0; i < l->n_targets; i++)
        if (!remote && !l->targets[i].remote && !l->targets[i].robot && l->targets[i].account == account)
            return OK;
    if (l->n_targets == DIRECTORY_TARGETS_MAX)
        return ERR_LIMIT;
    l->targets[l->n_targets++] =
        (struct directory_target){.remote = remote, .account = account, .address = address, .detail = detail};
    return OK;
}

enum directory_robot directory_robot_of(slice local)
{
    static const struct {
        slice local;
        enum directory_robot robot;
    } robots[] = {
        {SLICE_INIT("dmarc-reports"), DIRECTORY_ROBOT_REPORTS},
        {SLICE_INIT("tls-reports"), DIRECTORY_ROBOT_REPORTS},
        {SLICE_INIT("posthorn-probe"), DIRECTORY_ROBOT_PROBE},
    };
    for (size_t i = 0; i < ARRAY_LEN(robots); i++)
        if (slice_eq(local, robots[i].local))
            return robots[i].robot;
    return DIRECTORY_NO_ROBOT;
}

/* Is this name, in a domain of ours, read by the robot asked for (or, with DIRECTORY_NO_ROBOT, by any)? */
static enum err lookup_robot(struct lookup *l, slice key, slice detail, enum directory_robot only,
                             bool *out_known)
{
    enum directory_robot robot = directory_robot_of(slice_sub(key, 0, slice_rindex(key, '@')));
    if (robot == DIRECTORY_NO_ROBOT || (only != DIRECTORY_NO_ROBOT && robot != only))
        return OK;
    *out_known = true;
    if (l->n_targets == DIRECTORY_TARGETS_MAX)
        return ERR_LIMIT;
    l->targets[l->n_targets++] = (struct directory_target){.address = key, .detail = detail, .robot = robot};
    return OK;
}

static enum err lookup_account(struct lookup *l, const struct directory_entry *entry, slice key, slice detail)
{
    const struct directory_used *used = directory__used(l->d, entry->account);
    uint64_t bytes = used ? used->bytes : 0;
    if (entry->suspended) {
        l->left_out = ERR_SUSPENDED;
        return OK;
    }
    if (entry->quota_bytes && (bytes >= entry->quota_bytes || l->bytes > entry->quota_bytes - bytes))
        l->n_full++;
    return lookup_target(l, false, entry->account, key, detail);
}

/* key is a copy of ours: the statement's text does not live long enough. */
static enum err lookup_alias(struct lookup *l, slice key, slice detail, unsigned depth)
{
    struct stmt *q CLEANUP(stmt_done) =
        db_stmt(l->d->db, "SELECT target FROM alias WHERE address = ? ORDER BY target");
    enum err e;
    stmt_bind_text(q, 1, key);
    while ((e = stmt_row(q)) == OK)
        if ((e = lookup_push(l, stmt_slice(q, 0), detail, depth + 1)) != OK)
            return e;
    return e == ERR_NOT_FOUND ? OK : e;
}

/* What a name leads to: OK and *out_known, or an error of the database. */
static enum err lookup_name(struct lookup *l, slice key, slice detail, unsigned depth, bool *out_known)
{
    const struct directory_entry *entry;
    enum err e = directory__entry(l->d, key, &entry);
    *out_known = e == OK && entry->kind != DIRECTORY_NOBODY;
    if (e != OK || !*out_known)
        return e;
    return entry->kind == DIRECTORY_ACCOUNT ? lookup_account(l, entry, key, detail)
                                            : lookup_alias(l, key, detail, depth);
}

/* RFC 5321 §4.5.1: postmaster is always there. */
static enum err lookup_postmaster(struct lookup *l, slice key, bool *out_known)
{
    struct stmt *q CLEANUP(stmt_done) = NULL;
    slice oldest;
    enum err e;
    if (!slice_starts(key, SLICE("postmaster@")))
        return OK;
    q = db_stmt(l->d->db, "SELECT a.address FROM account a JOIN domain d ON d.id = a.domain WHERE d.name = ?"
                          " AND NOT a.suspended ORDER BY a.id LIMIT 1");
    stmt_bind_text(q, 1, slice_from(key_domain(key), 1));
    e = stmt_row(q);
    if (e != OK)
        return e == ERR_NOT_FOUND ? OK : e;
    if (!arena_dup(l->a, stmt_slice(q, 0), &oldest))
        return ERR_LIMIT;
    return lookup_name(l, oldest, (slice){0}, 0, out_known);
}

/* A name in one of our domains. */
static enum err lookup_local(struct lookup *l, const struct lookup_item *item, bool *out_known)
{
    slice key = item->key, domain = key_domain(key), base, star;
    size_t plus = slice_index(key, '+');
    char text[DIRECTORY_ADDRESS_MAX + 8];
    enum err e = lookup_robot(l, key, item->detail, DIRECTORY_ROBOT_PROBE, out_known);
    if (e == OK && !*out_known)
        e = lookup_name(l, key, item->detail, item->depth, out_known);
    if (e == OK && !*out_known)
        e = lookup_robot(l, key, item->detail, DIRECTORY_NO_ROBOT, out_known);
    if (e != OK || *out_known)
        return e;
    if (plus > 0 && plus < key.n - domain.n && key.p[0] != '"') {
        slice detail = slice_sub(key, plus + 1, key.n - domain.n);
        snprintf(text, sizeof text, "%.*s%.*s", (int)plus, (const char *)key.p, SLICE_FMT(domain));
        if (!arena_dup(l->a, slice_str(text), &base))
            return ERR_LIMIT;
        e = lookup_name(l, base, detail, item->depth, out_known);
        if (e == OK && !*out_known)
            e = lookup_robot(l, base, detail, DIRECTORY_NO_ROBOT, out_known);
        if (e != OK || *out_known)
            return e;
    }
    snprintf(text, sizeof text, "*%.*s", SLICE_FMT(domain));
    if (!arena_dup(l->a, slice_str(text), &star))
        return ERR_LIMIT;
    e = lookup_name(l, star, item->detail, item->depth, out_known);
    if (e != OK || *out_known)
        return e;
    return lookup_postmaster(l, key, out_known);
}

static enum err lookup_item(struct lookup *l, size_t i, bool may_relay, bool *out_known)
{
    const struct lookup_item *item = &l->items[i];
    const struct directory_entry *domain;
    enum err e = directory__entry(l->d, key_domain(item->key), &domain);
    *out_known = false;
    if (e != OK)
        return e;
    if (domain->kind == DIRECTORY_DOMAIN)
        return lookup_local(l, item, out_known);
    *out_known = true;
    /* where an alias leads is the administrator's word; where a stranger wants to go is not */
    return i > 0 || may_relay ? lookup_target(l, true, 0, item->key, (slice){0}) : ERR_DENIED;
}

/* <postmaster> without a domain is that of our first one. */
static enum err lookup_bare_postmaster(struct lookup *l, struct buf *key)
{
    struct stmt *q CLEANUP(stmt_done) = db_stmt(l->d->db, "SELECT name FROM domain ORDER BY id LIMIT 1");
    enum err e = stmt_row(q);
    if (e != OK)
        return e;
    buf_str(key, "postmaster@");
    buf_append(key, stmt_slice(q, 0));
    return buf_failed(key) ? ERR_LIMIT : OK;
}

static enum err lookup_run(struct lookup *l, slice address, bool may_relay)
{
    struct mailbox m;
    struct buf key CLEANUP(buf_done) = {.max = DIRECTORY_ADDRESS_MAX};
    enum err e = mailbox_parse(address, MAILBOX_UTF8 | MAILBOX_POSTMASTER, &m);
    bool known;
    if (e != OK)
        return ERR_SYNTAX;
    if (m.domain_n == 0) {
        if ((e = lookup_bare_postmaster(l, &key)) != OK)
            return e;
    } else if (mailbox_key(&m, &key) != OK)
        return ERR_NOT_FOUND; /* longer than any address of ours can be */
    l->targets = ARENA_ARRAY(l->a, DIRECTORY_TARGETS_MAX, struct directory_target);
    if (!l->targets)
        return ERR_LIMIT;
    e = lookup_push(l, buf_view(&key), (slice){0}, 0);
    for (size_t i = 0; e == OK && i < l->n_items; i++) {
        e = lookup_item(l, i, may_relay, &known);
        if (e == OK && !known && l->n_items == 1)
            return ERR_NOT_FOUND;
    }
    return e;
}

enum err directory_resolve(struct directory *d, slice address, bool may_relay, uint64_t bytes,
                           struct arena *a, struct directory_target **out, size_t *out_n)
{
    struct lookup *l = ARENA_NEW(a, struct lookup);
    enum err e;
    if (!l)
        return ERR_LIMIT;
    *l = (struct lookup){.d = d, .a = a, .bytes = bytes};
    if ((e = lookup_run(l, address, may_relay)) != OK)
        return e;
    if (l->n_targets == 0)
        return l->left_out ? l->left_out : ERR_NOT_FOUND;
    if (l->n_targets == 1 && l->n_full == 1)
        return ERR_QUOTA;
    *out = l->targets;
    *out_n = l->n_targets;
    return OK;
}

enum err directory_owns(struct directory *d, uint64_t account, slice address, struct arena *a)
{
    struct lookup *l = ARENA_NEW(a, struct lookup);
    enum err e;
    if (!l)
        return ERR_LIMIT;
    *l = (struct lookup){.d = d, .a = a};
    e = lookup_run(l, address, false);
    for (size_t i = 0; e == OK && i < l->n_targets; i++)
        if (!l->targets[i].remote && !l->targets[i].robot && l->targets[i].account == account)
            return OK;
    return e == OK || err_kind(e) == ERR_KIND_PERMANENT ? ERR_DENIED : e;
}

/* ---- accounts and credentials */

#define ACCOUNT_COLUMNS "a.id, a.address, a.name, a.suspended, a.quota, a.created"

static void account_text(char *out, size_t cap, slice s)
{
    snprintf(out, cap, "%.*s", SLICE_FMT(s));
}

static void account_fill(const struct directory *d, struct stmt *q, struct directory_account *out)
{
    const struct directory_used *used;
    memset(out, 0, sizeof *out);
    out->id = stmt_u64(q, 0);
    account_text(out->address, sizeof out->address, stmt_slice(q, 1));
    account_text(out->name, sizeof out->name, stmt_slice(q, 2));
    out->suspended = stmt_i64(q, 3) != 0;
    out->quota_own = !stmt_null(q, 4);
    out->quota_bytes = out->quota_own ? stmt_u64(q, 4) : d->quota_default;
    out->created_unix = stmt_i64(q, 5);
    used = directory__used(d, out->id);
    out->used_bytes = used ? used->bytes : 0;
    out->used_messages = used ? used->messages : 0;
}

static enum err account_row(const struct directory *d, struct stmt *q, struct directory_account *out)
{
    enum err e = stmt_row(q);
    if (e == OK)
        account_fill(d, q, out);
    return e;
}

enum err directory_account_find(struct directory *d, slice address, struct directory_account *out)
{
    struct stmt *q CLEANUP(stmt_done) =
        db_stmt(d->db, "SELECT " ACCOUNT_COLUMNS " FROM account a WHERE a.address = ?");
    char key[DIRECTORY_ADDRESS_MAX + 1];
    if (directory_key(address, key) != OK)
        return ERR_NOT_FOUND;
    stmt_bind_text(q, 1, slice_str(key));
    return account_row(d, q, out);
}

enum err directory_account_get(struct directory *d, uint64_t id, struct directory_account *out)
{
    struct stmt *q CLEANUP(stmt_done) =
        db_stmt(d->db, "SELECT " ACCOUNT_COLUMNS " FROM account a WHERE a.id = ?");
    stmt_bind_u64(q, 1, id);
    return account_row(d, q, out);
}

enum err directory_verifier(struct directory *d, uint64_t account, struct scram_verifier *out)
{
    struct stmt *q CLEANUP(stmt_done) =
        db_stmt(d->db, "SELECT salt, iterations, stored_key, server_key FROM credential WHERE account = ?"
                       " AND kind = 1 AND label = ''");
    slice salt, stored, server;
    enum err e;
    stmt_bind_u64(q, 1, account);
    if ((e = stmt_row(q)) != OK)
        return e;
    salt = stmt_slice(q, 0);
    stored = stmt_slice(q, 2);
    server = stmt_slice(q, 3);
    if (salt.n == 0 || salt.n > sizeof out->salt || stored.n != SCRAM_KEY_SIZE ||
        server.n != SCRAM_KEY_SIZE || stmt_u64(q, 1) < SCRAM_ITERATIONS_MIN ||
        stmt_u64(q, 1) > SCRAM_ITERATIONS_MAX)
        return ERR_CORRUPT;
    memset(out, 0, sizeof *out);
    memcpy(out->salt, salt.p, salt.n);
    out->salt_n = salt.n;
    out->iterations = (uint32_t)stmt_u64(q, 1);
    memcpy(out->stored_key, stored.p, SCRAM_KEY_SIZE);
    memcpy(out->server_key, server.p, SCRAM_KEY_SIZE);
    return OK;
}

/* ---- listing */

enum err directory_domains(struct directory *d, directory_domain_fn fn, void *arg)
{
    struct stmt *q CLEANUP(stmt_done) = db_stmt(
        d->db,
        "SELECT name, created, (SELECT count(*) FROM account WHERE domain = domain.id),"
        " (SELECT count(DISTINCT address) FROM alias WHERE domain = domain.id) FROM domain ORDER BY name");
    enum err e;
    while ((e = stmt_row(q)) == OK) {
        struct directory_domain row = {stmt_slice(q, 0), stmt_i64(q, 1), stmt_u64(q, 2), stmt_u64(q, 3)};
        fn(arg, &row);
    }
    return e == ERR_NOT_FOUND ? OK : e;
}

enum err directory_accounts(struct directory *d, slice domain, directory_account_fn fn, void *arg)
{
    struct stmt *q CLEANUP(stmt_done) =
        db_stmt(d->db, "SELECT " ACCOUNT_COLUMNS " FROM account a JOIN domain d ON d.id = a.domain"
                       " WHERE ?1 = '' OR d.name = ?1 ORDER BY d.name, a.address");
    struct directory_account row;
    enum err e;
    stmt_bind_text(q, 1, domain);
    while ((e = account_row(d, q, &row)) == OK)
        fn(arg, &row);
    return e == ERR_NOT_FOUND ? OK : e;
}

enum err directory_aliases(struct directory *d, slice address, directory_alias_fn fn, void *arg)
{
    struct stmt *q CLEANUP(stmt_done) = db_stmt(
        d->db, "SELECT address, target FROM alias WHERE ?1 = '' OR address = ?1 ORDER BY address, target");
    enum err e;
    stmt_bind_text(q, 1, address);
    while ((e = stmt_row(q)) == OK)
        fn(arg, stmt_slice(q, 0), stmt_slice(q, 1));
    return e == ERR_NOT_FOUND ? OK : e;
}
