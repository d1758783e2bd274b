/* directory_admin: changes, each with a sentence for people when it is refused. The caller holds the
 * transaction. */
#include "store/directory__.h"

#include "core/mail/mailbox.h"
#include "text/idna.h"

#include <stdio.h>

static_assert(DIRECTORY_DOMAIN_MAX == IDNA_DOMAIN_MAX, "a domain fits");

/* For sentences: text from a command line, printable by then, cut. */
#define SAY(s) (int)size_min((s).n, 200), (const char *)((s).n ? (const void *)(s).p : "")

enum err directory__failed(enum err e, struct err_detail *detail)
{
    if (e != OK)
        err_detail_set(detail, "the directory database refused the change: %s", err_text(e));
    return e;
}

/* ---- domains */

enum err directory__domain_name(slice name, char out[DIRECTORY_DOMAIN_MAX + 1], struct err_detail *detail)
{
    uint8_t ascii[IDNA_DOMAIN_MAX];
    size_t n;
    enum err e = idna_to_ascii(name, ascii, &n);
    if (e != OK || !slice_has(slice_of(ascii, n), '.')) {
        err_detail_set(detail, "\"%.*s\" is no domain name; write it like example.org", SAY(name));
        return ERR_SYNTAX;
    }
    snprintf(out, DIRECTORY_DOMAIN_MAX + 1, "%.*s", (int)n, (const char *)ascii);
    return OK;
}

enum err directory__domain_id(struct directory *d, slice name, int64_t *out)
{
    struct stmt *q CLEANUP(stmt_done) = db_stmt(d->db, "SELECT id FROM domain WHERE name = ?");
    enum err e;
    stmt_bind_text(q, 1, name);
    if ((e = stmt_row(q)) == OK)
        *out = stmt_i64(q, 0);
    return e;
}

enum err directory_domain_add(struct directory *d, slice name, time_ms now_unix, struct err_detail *detail)
{
    struct stmt *q CLEANUP(stmt_done) = NULL;
    char text[DIRECTORY_DOMAIN_MAX + 1];
    enum err e = directory__domain_name(name, text, detail);
    must(d->txn.db);
    if (e != OK)
        return e;
    q = db_stmt(d->db, "INSERT INTO domain(name, created) VALUES (?, ?)");
    stmt_bind_text(q, 1, slice_str(text));
    stmt_bind_i64(q, 2, now_unix);
    e = stmt_run(q);
    if (e == ERR_EXISTS) {
        err_detail_set(detail, "the domain %s is there already", text);
        return e;
    }
    return directory__failed(e, detail);
}

enum err directory_domain_remove(struct directory *d, slice name, struct err_detail *detail)
{
    struct stmt *count CLEANUP(stmt_done) = NULL, *q CLEANUP(stmt_done) = NULL;
    char text[DIRECTORY_DOMAIN_MAX + 1];
    enum err e = directory__domain_name(name, text, detail);
    int64_t id;
    must(d->txn.db);
    if (e != OK)
        return e;
    e = directory__domain_id(d, slice_str(text), &id);
    if (e == ERR_NOT_FOUND) {
        err_detail_set(detail, "there is no domain %s here; see posthorn domain list", text);
        return e;
    }
    if (e != OK)
        return directory__failed(e, detail);
    count = db_stmt(d->db, "SELECT (SELECT count(*) FROM account WHERE domain = ?1),"
                           " (SELECT count(DISTINCT address) FROM alias WHERE domain = ?1)");
    stmt_bind_i64(count, 1, id);
    if ((e = stmt_row(count)) != OK)
        return directory__failed(e, detail);
    if (stmt_u64(count, 0) || stmt_u64(count, 1)) {
        err_detail_set(detail, "%s still has %llu accounts and %llu aliases; remove them first", text,
                       (unsigned long long)stmt_u64(count, 0), (unsigned long long)stmt_u64(count, 1));
        return ERR_STATE;
    }
    stmt_done(&count);
    q = db_stmt(d->db, "DELETE FROM domain WHERE id = ?");
    stmt_bind_i64(q, 1, id);
    return directory__failed(stmt_run(q), detail);
}

/* ---- addresses */

/* What an account's local part is made of: what every mail program can type, and nothing that ever meant a
 * route. */
static bool admin_local_good(slice local)
{
    static const slice more = SLICE_INIT("._-&'=~");
    for (size_t i = 0; i < local.n; i++) {
        uint8_t c = local.p[i];
        if (!ascii_is_alpha(c) && !ascii_is_digit(c) && !slice_has(more, c))
            return false;
    }
    return local.n > 0 && local.n <= 64; /* RFC 5321 §4.5.3.1.1 */
}

/* An address of ours: its key and its domain's id. star: "*@domain" is good too. */
static enum err admin_address(struct directory *d, slice address, bool star,
                              char key[DIRECTORY_ADDRESS_MAX + 1], int64_t *out_domain,
                              struct err_detail *detail)
{
    slice text, local, domain;
    enum err e = directory_key(address, key);
    if (e != OK) {
        err_detail_set(detail, "\"%.*s\" is no mail address; write it like name@example.org", SAY(address));
        return ERR_SYNTAX;
    }
    text = slice_str(key);
    local = slice_sub(text, 0, slice_rindex(text, '@'));
    domain = slice_from(text, local.n + 1);
    if (!admin_local_good(local) && !(star && slice_eq(local, SLICE("*")))) {
        err_detail_set(
            detail,
            "\"%.*s\" cannot be the name of an address here: up to 64 plain letters, digits and ._-&'=~",
            SAY(local));
        return ERR_SYNTAX;
    }
    if (directory_robot_of(local) == DIRECTORY_ROBOT_PROBE) {
        err_detail_set(detail,
                       "\"%.*s\" is where this server sends mail to itself to see that mail arrives; choose "
                       "another name",
                       SAY(local));
        return ERR_DENIED;
    }
    e = directory__domain_id(d, domain, out_domain);
    if (e == ERR_NOT_FOUND) {
        err_detail_set(detail, "the domain %.*s is not here yet; add it with: posthorn domain add %.*s",
                       SAY(domain), SAY(domain));
        return e;
    }
    return directory__failed(e, detail);
}

static enum err admin_account_id(struct directory *d, slice address, uint64_t *out, struct err_detail *detail)
{
    struct directory_account a;
    enum err e = directory_account_find(d, address, &a);
    if (e == ERR_NOT_FOUND) {
        err_detail_set(detail, "there is no account %.*s; see posthorn account list", SAY(address));
        return e;
    }
    if (e == OK)
        *out = a.id;
    return directory__failed(e, detail);
}

/* Is the address taken by the other kind? */
static enum err admin_kind_free(struct directory *d, const char *key, enum directory_kind taken,
                                const char *as, struct err_detail *detail)
{
    const struct directory_entry *entry;
    enum err e;
    directory__forget(d); /* inside a change, what was looked up before may be gone */
    e = directory__entry(d, slice_str(key), &entry);
    if (e != OK)
        return directory__failed(e, detail);
    if (entry->kind != taken)
        return OK;
    err_detail_set(detail, "%s is %s already", key, as);
    return ERR_EXISTS;
}

/* ---- accounts */

static enum err admin_put_verifier(struct directory *d, uint64_t account, const struct scram_verifier *v,
                                   time_ms now_unix, struct err_detail *detail)
{
    struct stmt *q CLEANUP(stmt_done) = db_stmt(
        d->db,
        "INSERT INTO credential(account, kind, label, salt, iterations, stored_key, server_key, created)"
        " VALUES (?1, 1, '', ?2, ?3, ?4, ?5, ?6) ON CONFLICT(account, kind, label) DO UPDATE SET"
        " salt = ?2, iterations = ?3, stored_key = ?4, server_key = ?5, created = ?6");
    stmt_bind_u64(q, 1, account);
    stmt_bind_blob(q, 2, slice_of(v->salt, v->salt_n));
    stmt_bind_u64(q, 3, v->iterations);
    stmt_bind_blob(q, 4, slice_of(v->stored_key, SCRAM_KEY_SIZE));
    stmt_bind_blob(q, 5, slice_of(v->server_key, SCRAM_KEY_SIZE));
    stmt_bind_i64(q, 6, now_unix);
    return directory__failed(stmt_run(q), detail);
}

enum err directory_account_add(struct directory *d, const struct directory_account_new *n, uint64_t *out_id,
                               struct err_detail *detail)
{
    struct stmt *q CLEANUP(stmt_done) = NULL;
    char key[DIRECTORY_ADDRESS_MAX + 1];
    int64_t domain;
    uint64_t id;
    enum err e;
    must(d->txn.db);
    if ((e = admin_address(d, n->address, false, key, &domain, detail)) != OK ||
        (e = admin_kind_free(d, key, DIRECTORY_ALIAS, "an alias", detail)) != OK)
        return e;
    if (n->name.n > DIRECTORY_NAME_MAX) {
        err_detail_set(detail, "the name is longer than %d bytes", DIRECTORY_NAME_MAX);
        return ERR_LIMIT;
    }
    q = db_stmt(d->db, "INSERT INTO account(address, domain, name, quota, created) VALUES (?, ?, ?, ?, ?)");
    stmt_bind_text(q, 1, slice_str(key));
    stmt_bind_i64(q, 2, domain);
    stmt_bind_text(q, 3, n->name);
    if (n->quota_own)
        stmt_bind_u64(q, 4, n->quota_bytes);
    else
        stmt_bind_null(q, 4);
    stmt_bind_i64(q, 5, n->now_unix);
    e = stmt_run(q);
    if (e == ERR_EXISTS) {
        err_detail_set(detail, "the account %s is there already", key);
        return e;
    }
    if (e != OK)
        return directory__failed(e, detail);
    id = (uint64_t)db_last_id(d->db);
    if (n->verifier && (e = admin_put_verifier(d, id, n->verifier, n->now_unix, detail)) != OK)
        return e;
    *out_id = id;
    return OK;
}

enum err directory_account_password(struct directory *d, slice address, const struct scram_verifier *v,
                                    time_ms now_unix, uint64_t *out_id, struct err_detail *detail)
{
    uint64_t id;
    enum err e = admin_account_id(d, address, &id, detail);
    must(d->txn.db);
    if (e == OK)
        e = admin_put_verifier(d, id, v, now_unix, detail);
    if (e == OK)
        *out_id = id;
    return e;
}

/* Runs a change of one account; its id is the statement's first parameter. */
static enum err admin_account_run(struct directory *d, struct stmt *q, slice address, uint64_t *out_id,
                                  struct err_detail *detail)
{
    uint64_t id;
    enum err e = admin_account_id(d, address, &id, detail);
    must(d->txn.db);
    if (e != OK)
        return e;
    stmt_bind_u64(q, 1, id);
    if ((e = stmt_run(q)) != OK)
        return directory__failed(e, detail);
    *out_id = id;
    return OK;
}

enum err directory_account_suspend(struct directory *d, slice address, bool suspended, uint64_t *out_id,
                                   struct err_detail *detail)
{
    struct stmt *q CLEANUP(stmt_done) = db_stmt(d->db, "UPDATE account SET suspended = ?2 WHERE id = ?1");
    stmt_bind_i64(q, 2, suspended);
    return admin_account_run(d, q, address, out_id, detail);
}

enum err directory_account_remove(struct directory *d, slice address, uint64_t *out_id,
                                  struct err_detail *detail)
{
    struct stmt *q CLEANUP(stmt_done) =
        db_stmt(d->db, "DELETE FROM account WHERE id = ?1"); /* its credentials and usage go with it */
    return admin_account_run(d, q, address, out_id, detail);
}

/* ---- aliases */

static enum err admin_alias_count(struct directory *d, const char *key, uint64_t *out)
{
    struct stmt *q CLEANUP(stmt_done) = db_stmt(d->db, "SELECT count(*) FROM alias WHERE address = ?");
    enum err e;
    stmt_bind_text(q, 1, slice_str(key));
    if ((e = stmt_row(q)) == OK)
        *out = stmt_u64(q, 0);
    return e;
}

enum err directory_alias_add(struct directory *d, slice address, slice target, struct err_detail *detail)
{
    struct stmt *q CLEANUP(stmt_done) = NULL;
    char key[DIRECTORY_ADDRESS_MAX + 1], to[DIRECTORY_ADDRESS_MAX + 1];
    int64_t domain;
    uint64_t count;
    enum err e;
    must(d->txn.db);
    if ((e = admin_address(d, address, true, key, &domain, detail)) != OK ||
        (e = admin_kind_free(d, key, DIRECTORY_ACCOUNT, "an account", detail)) != OK)
        return e;
    if (directory_key(target, to) != OK || to[0] == '*') {
        err_detail_set(detail, "\"%.*s\" is no mail address to send to", SAY(target));
        return ERR_SYNTAX;
    }
    if (strcmp(key, to) == 0) {
        err_detail_set(detail, "%s cannot lead to itself", key);
        return ERR_LOOP;
    }
    if ((e = admin_alias_count(d, key, &count)) != OK)
        return directory__failed(e, detail);
    if (count >= DIRECTORY_TARGETS_MAX) {
        err_detail_set(detail, "%s has %d targets, which is the most an alias can have", key,
                       DIRECTORY_TARGETS_MAX);
        return ERR_LIMIT;
    }
    q = db_stmt(d->db, "INSERT INTO alias(address, target, domain) VALUES (?, ?, ?)");
    stmt_bind_text(q, 1, slice_str(key));
    stmt_bind_text(q, 2, slice_str(to));
    stmt_bind_i64(q, 3, domain);
    e = stmt_run(q);
    if (e == ERR_EXISTS) {
        err_detail_set(detail, "%s leads to %s already", key, to);
        return e;
    }
    return directory__failed(e, detail);
}

enum err directory_alias_remove(struct directory *d, slice address, slice target, struct err_detail *detail)
{
    struct stmt *q CLEANUP(stmt_done) =
        db_stmt(d->db, "DELETE FROM alias WHERE address = ?1 AND (?2 = '' OR target = ?2)");
    char key[DIRECTORY_ADDRESS_MAX + 1], to[DIRECTORY_ADDRESS_MAX + 1] = "";
    enum err e;
    must(d->txn.db);
    if (directory_key(address, key) != OK || (target.n && directory_key(target, to) != OK)) {
        err_detail_set(detail, "that is no mail address; write it like name@example.org");
        return ERR_SYNTAX;
    }
    stmt_bind_text(q, 1, slice_str(key));
    stmt_bind_text(q, 2, slice_str(to));
    if ((e = stmt_run(q)) != OK)
        return directory__failed(e, detail);
    if (db_changes(d->db) == 0) {
        err_detail_set(detail, "there is no alias %s%s%s; see posthorn alias list", key, to[0] ? " to " : "",
                       to);
        return ERR_NOT_FOUND;
    }
    return OK;
}
