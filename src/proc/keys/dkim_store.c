#include "proc/keys/dkim_store.h"

#include "base/list.h"
#include "core/dns/dns_name.h"
#include "crypto/private_key.h"
#include "sys/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct dkim_entry {
    struct list used; /* in loaded, while key is there: the latest last */
    struct private_key *key;
    int64_t made_at, state_at;
    uint16_t domain_n;
    uint8_t algorithm, state; /* 0: not read yet */
    bool damaged, told;
    char id[]; /* NUL-terminated */
};

struct dkim_store {
    int folder;
    dkim_trouble_fn trouble;
    void *trouble_arg;
    struct dkim_entry **entries; /* in order of id */
    size_t n, cap;
    struct list loaded;
    size_t n_loaded;
    time_ms second; /* of the count below */
    unsigned signatures;
    struct buf row_record; /* of the last row */
};

static slice entry_id(const struct dkim_entry *e)
{
    return slice_str(e->id);
}
static slice entry_domain(const struct dkim_entry *e)
{
    return slice_of(e->id, e->domain_n);
}
static slice entry_selector(const struct dkim_entry *e)
{
    return slice_str(e->id + e->domain_n + 1);
}

/* ---- the index */

/* Where id is, or where it would be. */
static size_t index_find(const struct dkim_store *s, slice id, bool *out_there)
{
    size_t low = 0, high = s->n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (slice_cmp(entry_id(s->entries[mid]), id) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    *out_there = low < s->n && slice_eq(entry_id(s->entries[low]), id);
    return low;
}

static struct dkim_entry *index_get(const struct dkim_store *s, slice id)
{
    bool there;
    size_t at = index_find(s, id, &there);
    return there ? s->entries[at] : NULL;
}

static struct dkim_entry *entry_new(slice id)
{
    struct dkim_entry *e = calloc(1, sizeof *e + id.n + 1);
    must(e);
    memcpy(e->id, id.p, id.n);
    e->domain_n = (uint16_t)slice_index(id, ',');
    list_init(&e->used);
    return e;
}

static void index_room(struct dkim_store *s)
{
    if (s->n < s->cap)
        return;
    s->cap = s->cap ? 2 * s->cap : 64;
    s->entries = realloc(s->entries, s->cap * sizeof(s->entries[0]));
    must(s->entries);
}

static struct dkim_entry *index_add(struct dkim_store *s, slice id)
{
    bool there;
    size_t at = index_find(s, id, &there);
    struct dkim_entry *e = entry_new(id);
    must(!there);
    index_room(s);
    memmove(s->entries + at + 1, s->entries + at, (s->n - at) * sizeof(s->entries[0]));
    s->entries[at] = e;
    s->n++;
    return e;
}

static void entry_unload(struct dkim_store *s, struct dkim_entry *e)
{
    if (!e->key)
        return;
    private_key_free(&e->key);
    list_remove(&e->used);
    list_init(&e->used);
    s->n_loaded--;
}

/* "example.org,ph202611r": names as we keep them, lower case. */
static bool id_good(slice id)
{
    slice domain, selector;
    struct dns_name name;
    if (id.n > DKIM_ID_MAX || !slice_split(id, ',', &domain, &selector) || selector.n > DKIM_SELECTOR_MAX)
        return false;
    return dns_name_parse(domain, &name) == OK && slice_eq(dns_name_view(&name), domain) && domain.n &&
           dns_name_parse(selector, &name) == OK && slice_eq(dns_name_view(&name), selector) && selector.n;
}

static enum err id_make(slice domain, slice selector, char out[DKIM_ID_MAX + 1])
{
    if (domain.n + 1 + selector.n > DKIM_ID_MAX)
        return ERR_LIMIT;
    snprintf(out, DKIM_ID_MAX + 1, "%.*s,%.*s", SLICE_FMT(domain), SLICE_FMT(selector));
    return id_good(slice_str(out)) ? OK : ERR_SYNTAX;
}

static int entry_order(const void *a, const void *b)
{
    const struct dkim_entry *const *x = a, *const *y = b;
    return slice_cmp(entry_id(*x), entry_id(*y));
}

/* The names in the folder. What a write that was cut off left behind goes. */
static enum err index_read(struct dkim_store *s)
{
    int fd = openat(s->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
    size_t odd = 0;
    if (!d) {
        fd_done(&fd);
        return err_from_errno(errno);
    }
    for (const struct dirent *f = readdir(d); f; f = readdir(d)) {
        slice name = slice_str(f->d_name);
        if (name.p[0] == '.') {
            if (slice_ends_nocase(name, SLICE(".new")))
                IGNORE_RESULT(unlinkat(s->folder, f->d_name, 0), "it harms nobody");
        } else if (!id_good(name) || s->n >= DKIM_KEYS_MAX) {
            odd++;
        } else {
            index_room(s);
            s->entries[s->n++] = entry_new(name);
        }
    }
    closedir(d);
    if (s->n)
        qsort(s->entries, s->n, sizeof(s->entries[0]), entry_order);
    if (odd) {
        char text[128];
        snprintf(text, sizeof text, "%zu files in keys/dkim are not named DOMAIN,SELECTOR and are left alone",
                 odd);
        s->trouble(s->trouble_arg, text);
    }
    return OK;
}

enum err dkim_store_open(int folder, dkim_trouble_fn trouble, void *arg, struct dkim_store **out)
{
    struct dkim_store *s = calloc(1, sizeof *s);
    enum err e;
    must(s);
    s->folder = folder;
    s->trouble = trouble;
    s->trouble_arg = arg;
    list_init(&s->loaded);
    buf_init(&s->row_record, 2048);
    e = index_read(s);
    if (e != OK)
        dkim_store_close(&s);
    else
        *out = s;
    return e;
}

void dkim_store_close(struct dkim_store **s)
{
    if (!s || !*s)
        return;
    for (size_t i = 0; i < (*s)->n; i++) {
        entry_unload(*s, (*s)->entries[i]);
        free((*s)->entries[i]);
    }
    free((*s)->entries);
    buf_done(&(*s)->row_record);
    fd_done(&(*s)->folder);
    free(*s);
    *s = NULL;
}

size_t dkim_store_count(const struct dkim_store *s)
{
    return s->n;
}

size_t dkim_store_loaded(const struct dkim_store *s)
{
    return s->n_loaded;
}

/* ---- reading */

static enum err entry_damaged(struct dkim_store *s, struct dkim_entry *e, const char *why)
{
    char text[512];
    if (!e->told) {
        snprintf(
            text, sizeof text,
            "the key file keys/dkim/%.*s cannot be used: %.200s; mail of %.*s is not signed with it. Put "
            "it back from a backup, or leave it: a new key is made",
            SLICE_FMT(entry_id(e)), why, SLICE_FMT(entry_domain(e)));
        s->trouble(s->trouble_arg, text);
    }
    e->damaged = e->told = true;
    entry_unload(s, e);
    return ERR_CORRUPT;
}

/* Is it this process that lacks something, and not the file? */
static bool entry_for_now(enum err e)
{
    return e == ERR_BUSY || e == ERR_MEMORY || e == ERR_AGAIN;
}

/* Reads its file. What is only lacking for now (a descriptor, memory) is tried again by whoever asked. A file
 * that cannot be read (another user's, a link, a broken disk) is like a damaged one: it must not hold up the
 * keys that follow it. dkim_store_next() looks again. */
static enum err entry_read(struct dkim_store *s, struct dkim_entry *e, struct dkim_text *text,
                           struct dkim_file *out)
{
    struct err_detail d = {""};
    enum err r;
    if (e->damaged)
        return ERR_CORRUPT;
    r = dkim_file_load(s->folder, e->id, text);
    if (r != OK && entry_for_now(r))
        return r;
    if (r != OK)
        return entry_damaged(s, e,
                             r == ERR_CORRUPT     ? "it is too long"
                             : r == ERR_NOT_FOUND ? "it is gone"
                             : r == ERR_DENIED    ? "it belongs to another user"
                                                  : "it cannot be read, or is no plain file");
    r = dkim_file_parse(slice_of(text->p, text->n), out, &d);
    if (r == OK && (!slice_eq(out->domain, entry_domain(e)) || !slice_eq(out->selector, entry_selector(e)))) {
        err_detail_set(&d, "it is another key's file under this name");
        r = ERR_CORRUPT;
    }
    if (r != OK)
        return entry_damaged(s, e, d.text);
    e->algorithm = (uint8_t)out->algorithm;
    e->state = (uint8_t)out->state;
    e->made_at = out->made_at;
    e->state_at = out->state_at;
    e->told = false;
    return OK;
}

/* Its facts, without the file's text. */
static enum err entry_known(struct dkim_store *s, struct dkim_entry *e)
{
    struct dkim_text text CLEANUP(dkim_text_done) = {0};
    struct dkim_file f;
    if (e->damaged)
        return ERR_CORRUPT;
    return e->state ? OK : entry_read(s, e, &text, &f);
}

static const char *const record_words[] = {[DKIM_KEY_RSA] = "rsa", [DKIM_KEY_ED25519] = "ed25519"};

enum err dkim_store_next(struct dkim_store *s, slice after, struct doctor_key *out)
{
    bool there;
    size_t at = index_find(s, after, &there) + there;
    struct dkim_text text CLEANUP(dkim_text_done) = {0};
    struct doctor_key row = {0};
    struct dkim_file f = {0};
    struct dkim_entry *e;
    enum err r;
    if (at >= s->n)
        return ERR_NOT_FOUND;
    e = s->entries[at];
    row.id = entry_id(e);
    row.domain = entry_domain(e);
    row.selector = entry_selector(e);
    e->damaged = false; /* somebody may have put the file back */
    r = entry_read(s, e, &text, &f);
    row.err = (uint32_t)r;
    if (r == OK) {
        row.algorithm = (uint8_t)f.algorithm;
        row.state = (uint8_t)f.state;
        row.made_at = f.made_at;
        row.state_at = f.state_at;
        buf_clear(&s->row_record);
        /* RFC 6376 §3.6.1, RFC 8463 §4 */
        buf_print(&s->row_record, "v=DKIM1; k=%s; p=", record_words[f.algorithm]);
        buf_append(&s->row_record, f.public);
        row.record = buf_view(&s->row_record);
        if (buf_failed(&s->row_record))
            row.err = ERR_CORRUPT;
    }
    *out = row;
    return OK;
}

/* ---- signing */

static bool entry_is_newer(const struct dkim_entry *a, const struct dkim_entry *b)
{
    return a->state_at != b->state_at ? a->state_at > b->state_at : a->made_at > b->made_at;
}

size_t dkim_store_signers(struct dkim_store *s, slice domain, struct dkim_signer out[DKIM_SIGNERS_MAX])
{
    struct dkim_entry *best[DKIM_KEY_ED25519 + 1] = {0};
    char prefix[DKIM_ID_MAX + 2];
    size_t n = 0, at;
    bool there;
    if (domain.n == 0 || domain.n >= DKIM_ID_MAX)
        return 0;
    snprintf(prefix, sizeof prefix, "%.*s,", SLICE_FMT(domain));
    for (at = index_find(s, slice_str(prefix), &there); at < s->n; at++) {
        struct dkim_entry *e = s->entries[at];
        if (!slice_eq(entry_domain(e), domain))
            break;
        if (entry_known(s, e) == OK && e->state == DKIM_KEY_SIGNING &&
            (!best[e->algorithm] || entry_is_newer(e, best[e->algorithm])))
            best[e->algorithm] = e;
    }
    for (size_t a = 0; a < ARRAY_LEN(best) && n < DKIM_SIGNERS_MAX; a++)
        if (best[a])
            out[n++] = (struct dkim_signer){entry_selector(best[a]), best[a]->algorithm};
    return n;
}

/* Reads the private key. The secure heap is small: when it is full, others make room. */
static enum err entry_load(struct dkim_store *s, struct dkim_entry *e)
{
    struct dkim_text text CLEANUP(dkim_text_done) = {0};
    struct buf public CLEANUP(buf_done) = {.max = 1024};
    struct dkim_file f;
    struct err_detail d = {""};
    enum err r = entry_read(s, e, &text, &f);
    if (r != OK)
        return r;
    r = private_key_read(f.pem, &e->key, &d);
    if (r != OK && s->n_loaded) {
        while (!list_empty(&s->loaded))
            entry_unload(s, LIST_OF(s->loaded.next, struct dkim_entry, used));
        r = private_key_read(f.pem, &e->key, &d);
    }
    if (r != OK)
        return entry_damaged(s, e, d.text);
    list_append(&s->loaded, &e->used);
    s->n_loaded++;
    if ((unsigned)private_key_kind_of(e->key) != e->algorithm ||
        private_key_public_text(e->key, &public) != OK || !slice_eq(buf_view(&public), f.public))
        return entry_damaged(s, e, "its private and public halves do not belong together");
    if (s->n_loaded > DKIM_LOADED_MAX)
        entry_unload(s, LIST_OF(s->loaded.next, struct dkim_entry, used));
    return OK;
}

static bool store_rate(struct dkim_store *s, time_ms now)
{
    if (now / MS_SECOND != s->second) {
        s->second = now / MS_SECOND;
        s->signatures = 0;
    }
    return s->signatures++ < DKIM_SIGN_RATE;
}

static bool entry_may_sign(const struct dkim_entry *e, time_ms now_unix)
{
    return e->state == DKIM_KEY_SIGNING || (e->state == DKIM_KEY_RESTING && now_unix >= e->state_at &&
                                            now_unix - e->state_at < DKIM_REST_GRACE_MS);
}

enum err dkim_store_sign(struct dkim_store *s, slice domain, slice selector, slice digest, time_ms now_unix,
                         time_ms now_mono, struct buf *out)
{
    char id[DKIM_ID_MAX + 1];
    struct dkim_entry *e;
    enum err r;
    static_assert((int)DKIM_KEY_RSA == (int)PRIVATE_KEY_RSA &&
                      (int)DKIM_KEY_ED25519 == (int)PRIVATE_KEY_ED25519,
                  "one numbering");
    if (digest.n != DIGEST_SHA256_SIZE)
        return ERR_SYNTAX;
    if (id_make(domain, selector, id) != OK || !(e = index_get(s, slice_str(id))))
        return ERR_NOT_FOUND;
    if ((r = entry_known(s, e)) != OK)
        return r;
    if (!entry_may_sign(e, now_unix))
        return ERR_STATE;
    if (!store_rate(s, now_mono))
        return ERR_BUSY;
    if (!e->key && (r = entry_load(s, e)) != OK)
        return r;
    list_remove(&e->used);
    list_append(&s->loaded, &e->used);
    return private_key_sign(e->key, digest.p, out);
}

/* ---- changes */

enum err dkim_store_may_add(const struct dkim_store *s, slice domain, slice selector,
                            struct err_detail *detail)
{
    char id[DKIM_ID_MAX + 1];
    enum err r = id_make(domain, selector, id);
    if (r == ERR_LIMIT)
        err_detail_set(detail,
                       "the names of domain and selector are longer than %d bytes together, which is "
                       "too long for the name of a key's file",
                       DKIM_ID_MAX);
    else if (r != OK)
        err_detail_set(detail, "domain and selector have to be names of the DNS, in lower case");
    else if (index_get(s, slice_str(id))) {
        err_detail_set(detail, "there is a key %s already", id);
        r = ERR_EXISTS;
    } else if (s->n >= DKIM_KEYS_MAX) {
        err_detail_set(detail, "there are %d keys, which is the most", DKIM_KEYS_MAX);
        r = ERR_LIMIT;
    }
    return r;
}

enum err dkim_store_add(struct dkim_store *s, slice domain, slice selector, enum dkim_key_algorithm algorithm,
                        slice public, slice pem, time_ms now_unix, struct err_detail *detail)
{
    struct dkim_text text CLEANUP(dkim_text_done) = {0};
    struct dkim_file f = {.domain = domain,
                          .selector = selector,
                          .algorithm = algorithm,
                          .state = DKIM_KEY_WAITING,
                          .made_at = now_unix < 0 ? 0 : now_unix,
                          .state_at = now_unix < 0 ? 0 : now_unix,
                          .public = public,
                          .pem = pem};
    char id[DKIM_ID_MAX + 1];
    enum err r = dkim_store_may_add(s, domain, selector, detail);
    if (r != OK)
        return r;
    must(id_make(domain, selector, id) == OK);
    r = dkim_file_print(&f, &text);
    if (r == OK)
        r = dkim_file_save(s->folder, id, slice_of(text.p, text.n), true);
    if (r != OK)
        err_detail_set(detail, "the key file keys/dkim/%s could not be written: %s", id, err_text(r));
    /* the folder's sync may have failed behind the renaming: then the file is there */
    if (r == OK || faccessat(s->folder, id, F_OK, 0) == 0)
        (void)index_add(s, slice_str(id));
    return r;
}

enum err dkim_store_set(struct dkim_store *s, slice id, enum dkim_key_state state, time_ms now_unix,
                        struct err_detail *detail)
{
    struct dkim_text text CLEANUP(dkim_text_done) = {0}, changed CLEANUP(dkim_text_done) = {0};
    struct dkim_entry *e = index_get(s, id);
    struct dkim_file f;
    enum err r;
    if (!e) {
        err_detail_set(detail, "there is no such key");
        return ERR_NOT_FOUND;
    }
    if ((r = entry_read(s, e, &text, &f)) != OK) {
        err_detail_set(detail, "the key file keys/dkim/%s cannot be read: %s", e->id, err_text(r));
        return r;
    }
    now_unix = now_unix < 0 ? 0 : now_unix;
    if (f.state == state && state != DKIM_KEY_RESTING && f.state_at <= now_unix && f.made_at <= now_unix)
        return OK;
    if (f.state != state && state == DKIM_KEY_WAITING) {
        err_detail_set(detail, "a key that was %s does not wait again", dkim_state_name(f.state));
        return ERR_STATE;
    }
    if (!dkim_state_name(state)) {
        err_detail_set(detail, "there is no such state");
        return ERR_UNSUPPORTED;
    }
    f.state = state;
    f.state_at = now_unix;
    f.made_at = f.made_at < now_unix ? f.made_at : now_unix;
    r = dkim_file_print(&f, &changed);
    if (r == OK)
        r = dkim_file_save(s->folder, e->id, slice_of(changed.p, changed.n), false);
    e->state = 0; /* read anew when it is needed next: true also when a sync failed */
    if (r != OK)
        err_detail_set(detail, "the key file keys/dkim/%s could not be written: %s", e->id, err_text(r));
    return r;
}

enum err dkim_store_remove(struct dkim_store *s, slice id)
{
    bool there;
    size_t at = index_find(s, id, &there);
    struct dkim_entry *e;
    enum err r;
    if (!there)
        return ERR_NOT_FOUND;
    e = s->entries[at];
    r = dkim_file_remove(s->folder, e->id);
    if (r != OK && r != ERR_NOT_FOUND)
        return r;
    entry_unload(s, e);
    memmove(s->entries + at, s->entries + at + 1, (s->n - at - 1) * sizeof(s->entries[0]));
    s->n--;
    free(e);
    return OK;
}
