/* admin_verbs: domains, accounts and aliases. */
#include "proc/directory/admin.h"
#include "sys/clock.h"

/* One change, in its own transaction: kept when it was done, else nothing of it. */
static enum err verb_kept(struct admin *a, enum err e, struct err_detail *detail)
{
    struct directory *d = a->keeper->store;
    if (e != OK) {
        directory_rollback(d);
        return e;
    }
    e = directory_commit(d);
    if (e != OK)
        err_detail_set(detail, "the change could not be written: %s", err_text(e));
    return e;
}

static enum err verb_begin(struct admin *a, struct err_detail *detail)
{
    enum err e = directory_begin(a->keeper->store);
    if (e != OK)
        err_detail_set(detail, "the directory database takes no change now: %s", err_text(e));
    return e;
}

static void verb_tell(struct admin *a, slice address, const char *what)
{
    role_tell(
        a->keeper->role,
        (struct journal_event){.kind = JOURNAL_ACCOUNT_CHANGED, .address = address, .name = slice_str(what)});
}

/* ---- domains */

static enum err domain_add(struct admin *a, const struct admin_call *m, struct err_detail *detail)
{
    enum err e = verb_begin(a, detail);
    for (size_t i = 0; i < m->n_args && e == OK; i++)
        e = directory_domain_add(a->keeper->store, m->args[i].text, clock_unix(), detail);
    e = verb_kept(a, e, detail);
    if (e == OK)
        settings_changed(a->keeper, m->args, m->n_args);
    return e;
}

static enum err domain_remove(struct admin *a, const struct admin_call *m, struct err_detail *detail)
{
    enum err e = verb_begin(a, detail);
    for (size_t i = 0; i < m->n_args && e == OK; i++)
        e = directory_domain_remove(a->keeper->store, m->args[i].text, detail);
    e = verb_kept(a, e, detail);
    if (e == OK)
        settings_changed(a->keeper, m->args, m->n_args);
    return e;
}

static void domain_row(void *arg, const struct directory_domain *d)
{
    struct buf *b = admin_row_begin(arg);
    buf_byte(b, '{');
    admin_json_text(b, "domain", d->name);
    admin_json_u64(b, "accounts", d->accounts);
    admin_json_u64(b, "aliases", d->aliases);
    admin_json_time(b, "created", d->created_unix);
    buf_byte(b, '}');
    admin_row_end(arg);
}

static enum err domain_list(struct admin *a, const struct admin_call *m, struct err_detail *detail)
{
    (void)m, (void)detail;
    return directory_domains(a->keeper->store, domain_row, a);
}

struct show_domain {
    struct admin *admin;
    char name[DIRECTORY_DOMAIN_MAX + 1];
};

static void domain_show_row(void *arg, const struct directory_domain *d)
{
    struct show_domain *s = arg;
    domain_row(s->admin, d);
    buf_truncate(&s->admin->row, s->admin->row.n - 1); /* the object is not at its end yet */
    must(d->name.n < sizeof s->name);
    memcpy(s->name, d->name.p, d->name.n);
    s->name[d->name.n] = 0;
}

/* Tells the journal and doctor. */
static void domain_set_done(struct admin *a, const struct admin_call *m, slice value)
{
    struct buf name CLEANUP(buf_done) = {.max = 128};
    buf_str(&name, "setting ");
    buf_append(&name, admin_arg(m, 1));
    role_tell(a->keeper->role, (struct journal_event){.kind = JOURNAL_ACCOUNT_CHANGED,
                                                      .address = admin_arg(m, 0),
                                                      .name = buf_view(&name),
                                                      .text = value});
    settings_changed(a->keeper, m->args, 1);
}

/* What is set, and nothing else; policy/domain_setting.h knows the rest. */
static void domain_setting_row(void *arg, slice name, slice value)
{
    struct buf *b = arg;
    if (b->p[b->n - 1] != '{')
        buf_byte(b, ',');
    journal_event_json(b, name);
    buf_byte(b, ':');
    journal_event_json(b, value);
}

static enum err domain_show(struct admin *a, const struct admin_call *m, struct err_detail *detail)
{
    struct directory *d = a->keeper->store;
    struct show_domain s = {.admin = a};
    enum err e = directory_domain_get(d, admin_arg(m, 0), domain_show_row, &s, detail);
    if (e != OK)
        return e;
    buf_str(&a->row, ",\"settings\":{");
    e = directory_settings(d, slice_str(s.name), domain_setting_row, &a->row);
    buf_str(&a->row, "}}");
    return e;
}

/* DOMAIN NAME VALUE */
static enum err domain_set(struct admin *a, const struct admin_call *m, struct err_detail *detail)
{
    struct buf kept CLEANUP(buf_done) = {.max = ADMIN_ROW_BYTES};
    enum err e = verb_begin(a, detail);
    if (e != OK)
        return e;
    e = directory_setting_set(a->keeper->store, admin_arg(m, 0), admin_arg(m, 1), admin_arg(m, 2), &kept,
                              detail);
    e = verb_kept(a, e, detail);
    if (e == OK)
        domain_set_done(a, m, buf_view(&kept));
    return e;
}

/* DOMAIN NAME */
static enum err domain_unset(struct admin *a, const struct admin_call *m, struct err_detail *detail)
{
    enum err e = verb_begin(a, detail);
    if (e != OK)
        return e;
    e = verb_kept(a, directory_setting_unset(a->keeper->store, admin_arg(m, 0), admin_arg(m, 1), detail),
                  detail);
    if (e == OK)
        domain_set_done(a, m, SLICE("default"));
    return e;
}

/* ---- accounts */

static enum err verb_verifier(const struct admin_call *m, struct scram_verifier *out,
                              struct err_detail *detail)
{
    enum err e = scram_verifier_parse(m->secret, out);
    if (e != OK)
        err_detail_set(detail, "the password came in a form this server does not take");
    return e;
}

/* address [name [quota]], secret: verifier, or empty for an account that cannot log in yet */
static enum err account_add(struct admin *a, const struct admin_call *m, struct err_detail *detail)
{
    struct scram_verifier v;
    struct directory_account_new n = {
        .address = admin_arg(m, 0), .name = admin_arg(m, 1), .now_unix = clock_unix()};
    slice quota = admin_arg(m, 2);
    uint64_t id;
    enum err e;
    if (quota.n && !slice_u64(quota, &n.quota_bytes)) {
        err_detail_set(detail, "the quota is no number of bytes");
        return ERR_SYNTAX;
    }
    n.quota_own = quota.n > 0;
    if (m->secret.n) {
        if ((e = verb_verifier(m, &v, detail)) != OK)
            return e;
        n.verifier = &v;
    }
    if ((e = verb_begin(a, detail)) != OK)
        return e;
    e = verb_kept(a, directory_account_add(a->keeper->store, &n, &id, detail), detail);
    if (e == OK)
        verb_tell(a, n.address, "created");
    return e;
}

static enum err account_password(struct admin *a, const struct admin_call *m, struct err_detail *detail)
{
    struct scram_verifier v;
    uint64_t id = 0;
    enum err e = verb_verifier(m, &v, detail);
    if (e == OK)
        e = verb_begin(a, detail);
    if (e != OK)
        return e;
    e = directory_account_password(a->keeper->store, admin_arg(m, 0), &v, clock_unix(), &id, detail);
    e = verb_kept(a, e, detail);
    if (e != OK)
        return e;
    keeper_revoke(a->keeper, id, false); /* whoever knew only the old password is out */
    verb_tell(a, admin_arg(m, 0), "password");
    return OK;
}

typedef enum err (*account_change_fn)(struct directory *d, slice address, uint64_t *out_id,
                                      struct err_detail *detail);

static enum err change_suspend(struct directory *d, slice address, uint64_t *out_id,
                               struct err_detail *detail)
{
    return directory_account_suspend(d, address, true, out_id, detail);
}

static enum err change_resume(struct directory *d, slice address, uint64_t *out_id, struct err_detail *detail)
{
    return directory_account_suspend(d, address, false, out_id, detail);
}

/* The same change for each address named: all or none. */
static enum err account_change(struct admin *a, const struct admin_call *m, account_change_fn change,
                               const char *word, bool revoke, bool removed, struct err_detail *detail)
{
    uint64_t ids[64];
    enum err e = verb_begin(a, detail);
    for (size_t i = 0; i < m->n_args && e == OK; i++)
        e = change(a->keeper->store, m->args[i].text, &ids[i], detail);
    e = verb_kept(a, e, detail);
    for (size_t i = 0; i < m->n_args && e == OK; i++) {
        if (revoke)
            keeper_revoke(a->keeper, ids[i], removed);
        verb_tell(a, m->args[i].text, word);
    }
    return e;
}

static enum err account_suspend(struct admin *a, const struct admin_call *m, struct err_detail *detail)
{
    return account_change(a, m, change_suspend, "suspended", true, false, detail);
}

static enum err account_resume(struct admin *a, const struct admin_call *m, struct err_detail *detail)
{
    return account_change(a, m, change_resume, "resumed", false, false, detail);
}

static enum err account_remove(struct admin *a, const struct admin_call *m, struct err_detail *detail)
{
    return account_change(a, m, directory_account_remove, "removed", true, true, detail);
}

static void account_row(void *arg, const struct directory_account *c)
{
    struct buf *b = admin_row_begin(arg);
    buf_byte(b, '{');
    admin_json_text(b, "address", slice_str(c->address));
    admin_json_text(b, "name", slice_str(c->name));
    admin_json_u64(b, "id", c->id);
    admin_json_bool(b, "suspended", c->suspended);
    admin_json_u64(b, "quota", c->quota_bytes);
    admin_json_u64(b, "used", c->used_bytes);
    admin_json_u64(b, "messages", c->used_messages);
    admin_json_time(b, "created", c->created_unix);
    buf_byte(b, '}');
    admin_row_end(arg);
}

static enum err account_list(struct admin *a, const struct admin_call *m, struct err_detail *detail)
{
    (void)detail;
    return directory_accounts(a->keeper->store, admin_arg(m, 0), account_row, a);
}

/* The aliases that lead straight to an account. */
struct show_aliases {
    struct buf *out;
    slice address;
    size_t n;
};

static void show_alias(void *arg, slice address, slice target)
{
    struct show_aliases *s = arg;
    if (!slice_eq(target, s->address))
        return;
    if (s->n++)
        buf_byte(s->out, ',');
    journal_event_json(s->out, address);
}

static enum err account_show(struct admin *a, const struct admin_call *m, struct err_detail *detail)
{
    struct directory_account c;
    struct show_aliases s = {0};
    struct scram_verifier v;
    enum err e = directory_account_find(a->keeper->store, admin_arg(m, 0), &c);
    if (e == ERR_NOT_FOUND)
        err_detail_set(detail, "there is no account %.*s; see posthorn account list",
                       SLICE_FMT(admin_arg(m, 0)));
    if (e != OK)
        return e;
    account_row(a, &c);
    buf_truncate(&a->row, a->row.n - 1); /* the object is not at its end yet */
    admin_json_bool(&a->row, "password", directory_verifier(a->keeper->store, c.id, &v) == OK);
    secret_wipe(&v, sizeof v);
    buf_str(&a->row, ",\"aliases\":[");
    s.out = &a->row;
    s.address = slice_str(c.address);
    e = directory_aliases(a->keeper->store, (slice){0}, show_alias, &s);
    buf_str(&a->row, "]}");
    return e;
}

/* ---- aliases */

static enum err alias_add(struct admin *a, const struct admin_call *m, struct err_detail *detail)
{
    enum err e = verb_begin(a, detail);
    for (size_t i = 1; i < m->n_args && e == OK; i++)
        e = directory_alias_add(a->keeper->store, admin_arg(m, 0), m->args[i].text, detail);
    return verb_kept(a, e, detail);
}

static enum err alias_remove(struct admin *a, const struct admin_call *m, struct err_detail *detail)
{
    enum err e = verb_begin(a, detail);
    if (e == OK && m->n_args == 1)
        e = directory_alias_remove(a->keeper->store, admin_arg(m, 0), (slice){0}, detail);
    for (size_t i = 1; i < m->n_args && e == OK; i++)
        e = directory_alias_remove(a->keeper->store, admin_arg(m, 0), m->args[i].text, detail);
    return verb_kept(a, e, detail);
}

static void alias_row(void *arg, slice address, slice target)
{
    struct buf *b = admin_row_begin(arg);
    buf_byte(b, '{');
    admin_json_text(b, "address", address);
    admin_json_text(b, "target", target);
    buf_byte(b, '}');
    admin_row_end(arg);
}

static enum err alias_list(struct admin *a, const struct admin_call *m, struct err_detail *detail)
{
    char key[DIRECTORY_ADDRESS_MAX + 1] = "";
    if (m->n_args && directory_key(admin_arg(m, 0), key) != OK) {
        err_detail_set(detail, "\"%.*s\" is no mail address", SLICE_FMT(admin_arg(m, 0)));
        return ERR_SYNTAX;
    }
    return directory_aliases(a->keeper->store, slice_str(key), alias_row, a);
}

const struct admin_verb admin_verbs[] = {
    {"domain add", 1, 64, domain_add},
    {"domain list", 0, 0, domain_list},
    {"domain remove", 1, 64, domain_remove},
    {"domain show", 1, 1, domain_show},
    {"domain set", 3, 3, domain_set},
    {"domain unset", 2, 2, domain_unset},
    {"account add", 1, 3, account_add},
    {"account list", 0, 1, account_list},
    {"account show", 1, 1, account_show},
    {"account password", 1, 1, account_password},
    {"account suspend", 1, 64, account_suspend},
    {"account resume", 1, 64, account_resume},
    {"account remove", 1, 64, account_remove},
    {"alias add", 2, 101, alias_add},
    {"alias list", 0, 1, alias_list},
    {"alias remove", 1, 101, alias_remove},
};
const size_t admin_verbs_n = ARRAY_LEN(admin_verbs);
