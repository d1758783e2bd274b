/* directory_setting: what is set for a domain: table domain_setting, one row for each setting that the
 * administrator wrote. What may be set and what it means is policy/domain_setting's. */
#include "policy/domain_setting.h"
#include "store/directory__.h"

static enum err setting_domain(struct directory *d, slice name, int64_t *out_id, struct err_detail *detail)
{
    char text[DIRECTORY_DOMAIN_MAX + 1];
    enum err e = directory__domain_name(name, text, detail);
    if (e != OK)
        return e;
    e = directory__domain_id(d, slice_str(text), out_id);
    if (e == ERR_NOT_FOUND) {
        err_detail_set(detail, "there is no domain %s here; see posthorn domain list", text);
        return e;
    }
    return directory__failed(e, detail);
}

static enum err setting_find(slice name, const struct domain_setting **out, struct err_detail *detail)
{
    const struct domain_setting *near = domain_setting_near(name);
    *out = domain_setting_find(name);
    if (*out)
        return OK;
    err_detail_set(detail, "there is no setting \"%.*s\"; %s%s%s", (int)size_min(name.n, 80),
                   (const char *)name.p, near ? "did you mean " : "posthorn domain show DOMAIN lists all",
                   near ? near->name : "", near ? "?" : "");
    return ERR_NOT_FOUND;
}

enum err directory_setting_set(struct directory *d, slice domain, slice name, slice value, struct buf *kept,
                               struct err_detail *detail)
{
    struct stmt *q CLEANUP(stmt_done) = NULL;
    struct buf form CLEANUP(buf_done) = {.max = DOMAIN_SETTING_VALUE_MAX};
    const struct domain_setting *s;
    int64_t id;
    enum err e;
    must(d->txn.db);
    if ((e = setting_domain(d, domain, &id, detail)) != OK || (e = setting_find(name, &s, detail)) != OK ||
        (e = domain_setting_check(s, value, &form, detail)) != OK)
        return e;
    q = db_stmt(d->db, "INSERT INTO domain_setting(domain, name, value) VALUES (?1, ?2, ?3)"
                       " ON CONFLICT(domain, name) DO UPDATE SET value = ?3");
    stmt_bind_i64(q, 1, id);
    stmt_bind_text(q, 2, slice_str(s->name));
    stmt_bind_text(q, 3, buf_view(&form));
    e = directory__failed(stmt_run(q), detail);
    return e == OK && kept ? buf_append(kept, buf_view(&form)) : e;
}

enum err directory_setting_unset(struct directory *d, slice domain, slice name, struct err_detail *detail)
{
    struct stmt *q CLEANUP(stmt_done) = NULL;
    const struct domain_setting *s;
    int64_t id;
    enum err e;
    must(d->txn.db);
    if ((e = setting_domain(d, domain, &id, detail)) != OK || (e = setting_find(name, &s, detail)) != OK)
        return e;
    q = db_stmt(d->db, "DELETE FROM domain_setting WHERE domain = ? AND name = ?");
    stmt_bind_i64(q, 1, id);
    stmt_bind_text(q, 2, slice_str(s->name));
    return directory__failed(stmt_run(q), detail);
}

enum err directory_settings(struct directory *d, slice domain, directory_setting_fn fn, void *arg)
{
    struct stmt *q CLEANUP(stmt_done) = NULL;
    int64_t id;
    enum err e = directory__domain_id(d, domain, &id);
    if (e != OK)
        return e;
    q = db_stmt(d->db, "SELECT name, value FROM domain_setting WHERE domain = ? ORDER BY name");
    stmt_bind_i64(q, 1, id);
    while ((e = stmt_row(q)) == OK) {
        const struct domain_setting *s = domain_setting_find(stmt_slice(q, 0));
        if (s && !slice_eq(stmt_slice(q, 1), slice_str(s->initial))) /* no s: of a newer program */
            fn(arg, slice_str(s->name), stmt_slice(q, 1));
    }
    return e == ERR_NOT_FOUND ? OK : e;
}

enum err directory_domain_get(struct directory *d, slice name, directory_domain_fn fn, void *arg,
                              struct err_detail *detail)
{
    struct stmt *q CLEANUP(stmt_done) = NULL;
    struct directory_domain row;
    int64_t id;
    enum err e = setting_domain(d, name, &id, detail);
    if (e != OK)
        return e;
    q = db_stmt(d->db, "SELECT name, created, (SELECT count(*) FROM account WHERE domain = ?1),"
                       " (SELECT count(DISTINCT address) FROM alias WHERE domain = ?1)"
                       " FROM domain WHERE id = ?1");
    stmt_bind_i64(q, 1, id);
    if ((e = stmt_row(q)) != OK)
        return directory__failed(e, detail);
    row = (struct directory_domain){stmt_slice(q, 0), stmt_i64(q, 1), stmt_u64(q, 2), stmt_u64(q, 3)};
    fn(arg, &row);
    return OK;
}

enum err directory_domain_names(struct directory *d, slice after, size_t max, directory_name_fn fn, void *arg,
                                bool *out_more)
{
    struct stmt *q CLEANUP(stmt_done) =
        db_stmt(d->db, "SELECT name FROM domain WHERE name > ? ORDER BY name LIMIT ?");
    size_t n = 0;
    enum err e;
    stmt_bind_text(q, 1, after);
    stmt_bind_u64(q, 2, max + 1);
    while ((e = stmt_row(q)) == OK && n < max) {
        fn(arg, stmt_slice(q, 0));
        n++;
    }
    if (e != OK && e != ERR_NOT_FOUND)
        return e;
    *out_more = e == OK;
    return OK;
}
