#include "core/dkim/sign.h"

#include "core/mail/header.h"
#include "text/base64.h"

struct sign_key {
    struct dns_name selector;
    enum dkim_algorithm algorithm;
    slice value; /* of the field, up to and with "b=" */
    uint8_t digest[DIGEST_SHA256_SIZE];
};

struct dkim_sign {
    struct arena *arena;
    struct dkim_fields fields;
    struct dns_name domain;
    time_ms now;
    struct sign_key *keys;
    size_t n;
    slice names; /* h=, with blanks where it may be folded */
    struct dkim_body_hash body;
    struct dkim_header_hash header;
    bool ended;
};

/* always: named even when it is not there, since nobody may add it on the way. A mailing list may add the
 * others. RFC 6376 §5.4.1 recommends what to sign. */
static const struct {
    slice name;
    bool always;
} sign_fields[] = {
    {SLICE_INIT("From"), true},
    {SLICE_INIT("Sender"), false},
    {SLICE_INIT("Reply-To"), true},
    {SLICE_INIT("To"), true},
    {SLICE_INIT("Cc"), true},
    {SLICE_INIT("Date"), true},
    {SLICE_INIT("Message-ID"), true},
    {SLICE_INIT("Subject"), true},
    {SLICE_INIT("In-Reply-To"), false},
    {SLICE_INIT("References"), false},
    {SLICE_INIT("MIME-Version"), true},
    {SLICE_INIT("Content-Type"), true},
    {SLICE_INIT("Content-Transfer-Encoding"), true},
    {SLICE_INIT("Content-Disposition"), false},
    {SLICE_INIT("Content-ID"), false},
    {SLICE_INIT("Content-Language"), false},
    {SLICE_INIT("Auto-Submitted"), false},
    {SLICE_INIT("List-Id"), false},
    {SLICE_INIT("List-Help"), false},
    {SLICE_INIT("List-Unsubscribe"), false},
    {SLICE_INIT("List-Unsubscribe-Post"), false}, /* RFC 8058 §4 asks for it */
    {SLICE_INIT("List-Subscribe"), false},
    {SLICE_INIT("List-Post"), false},
    {SLICE_INIT("List-Owner"), false},
    {SLICE_INIT("List-Archive"), false},
    {SLICE_INIT("Autocrypt"), false},
};

static bool sign_is_fixed(slice name)
{
    for (size_t i = 0; i < ARRAY_LEN(sign_fields); i++)
        if (slice_eq_nocase(name, sign_fields[i].name))
            return true;
    return false;
}

/* The fields that change on the way, or that our own signature would break over (RFC 6376 §5.4). */
static bool sign_never(slice name)
{
    static const slice never[] = {SLICE_INIT("Return-Path"),
                                  SLICE_INIT("Received"),
                                  SLICE_INIT("DKIM-Signature"),
                                  SLICE_INIT("Authentication-Results"),
                                  SLICE_INIT("Comments"),
                                  SLICE_INIT("Keywords"),
                                  SLICE_INIT("Bcc"),
                                  SLICE_INIT("Resent-Bcc")};
    for (size_t i = 0; i < ARRAY_LEN(never); i++)
        if (slice_eq_nocase(name, never[i]))
            return true;
    return slice_starts_nocase(name, SLICE("ARC-"));
}

#define SIGN_COLUMN 66 /* blanks are put so that no word is longer */

/* One more name in h=; a blank behind a colon where the line may be folded. */
static void sign_name(struct buf *names, slice name, size_t *column)
{
    if (names->n) {
        IGNORE_RESULT(buf_byte(names, ':'), "the caller asks buf_failed()");
        if (++*column + name.n > SIGN_COLUMN) {
            IGNORE_RESULT(buf_byte(names, ' '), "the caller asks buf_failed()");
            *column = 0;
        }
    }
    IGNORE_RESULT(buf_append(names, name), "the caller asks buf_failed()");
    *column += name.n;
}

/* As many times as it is there, and once more. *left: names that may still be written. */
static void sign_names_of(struct dkim_sign *s, struct buf *names, slice name, bool always, size_t *column,
                          size_t *left)
{
    size_t there = dkim_fields_count(&s->fields, name);
    if (there == 0 && !always)
        return;
    for (size_t i = 0; i <= there && *left; i++, --*left)
        sign_name(names, name, column);
}

static enum err sign_names(struct dkim_sign *s, const struct dkim_sign_ask *ask)
{
    struct buf names CLEANUP(buf_done);
    size_t column = 2, left = DKIM_NAMES_MAX;
    buf_init(&names, DKIM_SIGN_FIELD_MAX / 2);
    for (size_t i = 0; i < ARRAY_LEN(sign_fields); i++)
        sign_names_of(s, &names, sign_fields[i].name, sign_fields[i].always, &column, &left);
    for (size_t i = 0; i < size_min(ask->n_extra, DKIM_SIGN_EXTRA_MAX); i++) {
        slice name = ask->extra[i];
        bool before = sign_is_fixed(name) || sign_never(name) || name.n > 60 || slice_has(name, ':') ||
                      slice_has(name, ';') || dkim_tag_names(name);
        for (size_t j = 0; j < i && !before; j++)
            before = slice_eq_nocase(name, ask->extra[j]);
        if (!before)
            sign_names_of(s, &names, name, false, &column, &left);
    }
    if (buf_failed(&names) || left == 0 || !arena_dup(s->arena, buf_view(&names), &s->names))
        return ERR_LIMIT;
    return OK;
}

static void sign_done(void *arg)
{
    struct dkim_sign *s = arg;
    dkim_body_hash_done(&s->body);
    dkim_header_hash_done(&s->header);
}

static enum err sign_keys(struct dkim_sign *s, const struct dkim_sign_ask *ask)
{
    if (ask->n_keys > DKIM_SIGN_KEYS_MAX)
        return ERR_LIMIT;
    s->keys = ARENA_ARRAY(s->arena, ask->n_keys, struct sign_key);
    if (!s->keys)
        return ERR_LIMIT;
    for (; s->n < ask->n_keys; s->n++) {
        if (dkim_tag_selector(ask->keys[s->n].selector, &s->keys[s->n].selector))
            return ERR_SYNTAX;
        s->keys[s->n].algorithm = ask->keys[s->n].algorithm;
    }
    return OK;
}

enum err dkim_sign_begin(slice header, const struct dkim_sign_ask *ask, struct arena *a,
                         struct dkim_sign **out)
{
    struct dkim_sign *s = ARENA_NEW(a, struct dkim_sign);
    enum err e;
    if (!s || !arena_hook(a, sign_done, s) || !dkim_fields_read(header, a, &s->fields))
        return ERR_LIMIT;
    s->arena = a;
    s->now = ask->now;
    if (dkim_tag_domain(ask->domain, &s->domain))
        return ERR_SYNTAX;
    if (s->fields.defect || dkim_fields_count(&s->fields, SLICE("From")) == 0)
        return ERR_DENIED;
    e = sign_keys(s, ask);
    if (!e)
        e = sign_names(s, ask);
    if (e)
        return e;
    dkim_body_hash_begin(&s->body, DKIM_RELAXED);
    *out = s;
    return OK;
}

void dkim_sign_body(struct dkim_sign *s, slice piece)
{
    must(!s->ended);
    dkim_body_hash_feed(&s->body, piece);
}

/* The field of one key up to its empty b=, and the digest over it. */
static enum err sign_prepare(struct dkim_sign *s, struct sign_key *k, slice body_digest)
{
    struct buf value CLEANUP(buf_done), field CLEANUP(buf_done);
    enum err e;
    buf_init(&value, DKIM_SIGN_FIELD_MAX);
    buf_init(&field, DKIM_SIGN_FIELD_MAX);
    e = buf_print(&value, "v=1; a=%s; c=relaxed/relaxed; d=%s; s=%s; t=%lld; x=%lld; h=",
                  k->algorithm == DKIM_RSA_SHA256 ? "rsa-sha256" : "ed25519-sha256", s->domain.text,
                  k->selector.text, (long long)(s->now / MS_SECOND),
                  (long long)((s->now + DKIM_SIGN_VALID_MS) / MS_SECOND));
    if (!e)
        e = buf_append(&value, s->names);
    if (!e)
        e = buf_str(&value, "; bh=");
    if (!e)
        e = base64_encode(body_digest, &value);
    if (!e)
        e = buf_str(&value, "; b=");
    if (!e)
        e = header_write(&field, SLICE("DKIM-Signature"), buf_view(&value), HEADER_STRUCTURED);
    if (e || !arena_dup(s->arena, buf_view(&value), &k->value))
        return ERR_LIMIT;
    dkim_header_hash_begin(&s->header, DKIM_RELAXED);
    if (!dkim_fields_hash(&s->fields, s->names, &s->header))
        return ERR_LIMIT;
    dkim_header_hash_signature(&s->header, buf_view(&field), slice_of(NULL, 0));
    dkim_header_hash_end(&s->header, k->digest);
    return OK;
}

enum err dkim_sign_body_end(struct dkim_sign *s)
{
    uint8_t digest[DIGEST_SHA256_SIZE];
    must(!s->ended);
    s->ended = true;
    dkim_body_hash_end(&s->body, digest);
    for (size_t i = 0; i < s->n; i++) {
        enum err e = sign_prepare(s, &s->keys[i], slice_of(digest, sizeof(digest)));
        if (e)
            return e;
    }
    return OK;
}

void dkim_sign_digest(const struct dkim_sign *s, size_t i, uint8_t out[DIGEST_SHA256_SIZE])
{
    must(s->ended && i < s->n);
    memcpy(out, s->keys[i].digest, DIGEST_SHA256_SIZE);
}

enum err dkim_sign_field(const struct dkim_sign *s, size_t i, slice signature, struct buf *out)
{
    struct buf value CLEANUP(buf_done), text CLEANUP(buf_done);
    enum err e;
    must(s->ended && i < s->n);
    buf_init(&value, DKIM_SIGN_FIELD_MAX);
    buf_init(&text, DKIM_SIGN_FIELD_MAX);
    e = base64_encode(signature, &text);
    if (!e)
        e = buf_append(&value, s->keys[i].value);
    for (size_t at = 0; !e && at < text.n; at += SIGN_COLUMN) {
        e = at ? buf_byte(&value, ' ') : OK;
        if (!e)
            e = buf_append(&value, slice_sub(buf_view(&text), at, at + SIGN_COLUMN));
    }
    return e ? e : header_write(out, SLICE("DKIM-Signature"), buf_view(&value), HEADER_STRUCTURED);
}
