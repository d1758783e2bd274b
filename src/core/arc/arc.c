#include "core/arc/arc.h"
#include "core/arc/arc_set.h"
#include "core/auth/auth_results_read.h"

struct arc_body {
    struct dkim_body_hash hash;
    uint8_t digest[DIGEST_SHA256_SIZE];
};

struct arc_verify {
    struct arena *arena;
    struct dkim_fields fields;
    struct arc_chain chain;
    struct arc_body *bodies[2]; /* by enum dkim_canon; NULL: not needed, or dkim's */
    bool wanted[2];
    struct dkim_verify *dkim; /* hashes the body for us, or NULL */
    struct dkim_header_hash header;
    bool body_ended;
    bool newest_right; /* the newest set proved right */
    bool decided;
    struct arc_result result;
};

static void arc_verify_done(void *arg)
{
    struct arc_verify *v = arg;
    for (size_t i = 0; i < ARRAY_LEN(v->bodies); i++)
        if (v->bodies[i])
            dkim_body_hash_done(&v->bodies[i]->hash);
    dkim_header_hash_done(&v->header);
}

static struct arc_set *arc_newest(struct arc_verify *v)
{
    return &v->chain.sets[v->chain.n - 1];
}

/* Is oldest_pass looked for, which takes the older message signatures? */
static bool arc_few(const struct arc_verify *v)
{
    return v->chain.n <= ARC_AT_ONCE;
}

static void arc_want_body(struct arc_verify *v, const struct arc_set *s)
{
    v->wanted[s->body_canon] = true;
    if (s->canon_unsaid)
        v->wanted[DKIM_RELAXED] = true;
}

struct arc_verify *arc_verify_begin(slice header, struct arena *a)
{
    struct arc_verify *v = ARENA_NEW(a, struct arc_verify);
    if (!v)
        return NULL;
    v->arena = a;
    if (!dkim_fields_read(header, a, &v->fields) || !arc_chain_read(&v->fields, a, &v->chain) ||
        !arena_hook(a, arc_verify_done, v))
        return NULL;
    if (v->chain.n == 0 || v->chain.broken.n)
        return v;
    for (size_t i = arc_few(v) ? 0 : v->chain.n - 1; i < v->chain.n; i++)
        arc_want_body(v, &v->chain.sets[i]);
    for (size_t i = 0; i < ARRAY_LEN(v->bodies); i++) {
        if (!v->wanted[i])
            continue;
        v->bodies[i] = ARENA_NEW(a, struct arc_body);
        if (!v->bodies[i])
            return NULL;
        dkim_body_hash_begin(&v->bodies[i]->hash, (enum dkim_canon)i);
    }
    return v;
}

void arc_verify_share(struct arc_verify *v, struct dkim_verify *dkim)
{
    must(!v->body_ended);
    for (size_t i = 0; i < ARRAY_LEN(v->bodies); i++)
        if (v->bodies[i] && dkim_verify_body_want(dkim, (enum dkim_canon)i)) {
            dkim_body_hash_done(&v->bodies[i]->hash);
            v->bodies[i] = NULL;
            v->dkim = dkim;
        }
}

void arc_verify_body(struct arc_verify *v, slice piece)
{
    must(!v->body_ended);
    for (size_t i = 0; i < ARRAY_LEN(v->bodies); i++)
        if (v->bodies[i])
            dkim_body_hash_feed(&v->bodies[i]->hash, piece);
}

void arc_verify_body_end(struct arc_verify *v)
{
    must(!v->body_ended);
    v->body_ended = true;
    for (size_t i = 0; i < ARRAY_LEN(v->bodies); i++)
        if (v->bodies[i])
            dkim_body_hash_end(&v->bodies[i]->hash, v->bodies[i]->digest);
}

static bool arc_body_right(const struct arc_verify *v, const struct arc_set *s, enum dkim_canon canon)
{
    const uint8_t *digest =
        v->bodies[canon] ? v->bodies[canon]->digest : dkim_verify_body_digest(v->dkim, canon);
    return memcmp(digest, s->body_digest, DIGEST_SHA256_SIZE) == 0;
}

/* Notes the question for a key. True when its answer is there. */
static bool arc_ask(const struct arc_signature *s, struct dns_table *dns)
{
    struct dns_name name;
    return !dkim_key_name(dns_name_view(&s->selector), dns_name_view(&s->domain), &name) ||
           dns_table_get(dns, dns_name_view(&name), DNS_TXT);
}

/* True when the answers to all questions that matter by now are there. */
static bool arc_ask_all(struct arc_verify *v, struct dns_table *dns)
{
    bool all = true;
    if (v->chain.n == 0 || v->chain.broken.n)
        return true;
    for (size_t i = v->chain.n; i > 0; i--) {
        const struct arc_set *s = &v->chain.sets[i - 1];
        bool newest = i == v->chain.n;
        if (!newest && !arc_few(v) && !v->newest_right)
            break;
        all = arc_ask(&s->seal_signature, dns) && all;
        if (newest || arc_few(v))
            all = arc_ask(&s->ams_signature, dns) && all;
    }
    return all;
}

void arc_verify_want(struct arc_verify *v, struct dns_table *dns)
{
    IGNORE_RESULT(arc_ask_all(v, dns), "whether the answers are there is asked in the end");
}

/* What one signature was found to be. */
struct arc_found {
    bool right, temporary;
    slice why;
};

/* Checks the hash that was made against a signature. The answer on its key is there. */
static enum auth_step arc_check(struct arc_verify *v, const struct arc_signature *s, struct dns_table *dns,
                                struct dkim_keys_cache *cache, struct arc_found *out)
{
    struct dkim_key key;
    uint8_t digest[DIGEST_SHA256_SIZE];
    unsigned bits;
    slice why = {0};
    enum auth_result r;
    enum auth_step step;
    dkim_header_hash_end(&v->header, digest);
    step = dkim_key_find(dns, dns_name_view(&s->selector), dns_name_view(&s->domain), s->algorithm, v->arena,
                         &key);
    if (step != AUTH_DONE)
        return step;
    r = key.result;
    if (r != AUTH_PASS)
        why = key.reason;
    else
        r = dkim_key_check(cache, &key, digest, s->signature, v->arena, &bits, &why);
    *out = (struct arc_found){.right = r == AUTH_PASS, .temporary = r == AUTH_TEMPERROR, .why = why};
    return AUTH_DONE;
}

static enum auth_step arc_check_message_as(struct arc_verify *v, const struct arc_set *s,
                                           enum dkim_canon header, enum dkim_canon body,
                                           struct dns_table *dns, struct dkim_keys_cache *cache,
                                           struct arc_found *out)
{
    *out = (struct arc_found){0};
    if (!arc_body_right(v, s, body)) {
        out->why = SLICE("the body was changed after sealing");
        return AUTH_DONE;
    }
    dkim_header_hash_begin(&v->header, header);
    v->fields.itself = s->ams_signature.raw;
    if (!dkim_fields_hash(&v->fields, s->h, &v->header)) {
        out->why = SLICE("it signs more of the header than is looked at");
        return AUTH_DONE;
    }
    dkim_header_hash_signature(&v->header, s->ams_signature.raw, s->ams_signature.b);
    return arc_check(v, &s->ams_signature, dns, cache, out);
}

/* ARC-Message-Signature: a DKIM signature by another name (RFC 8617 §4.1.2). */
static enum auth_step arc_check_message(struct arc_verify *v, const struct arc_set *s, struct dns_table *dns,
                                        time_ms now, struct dkim_keys_cache *cache, struct arc_found *out)
{
    enum auth_step step;
    if (s->expires_at && now >= s->expires_at) {
        *out = (struct arc_found){.why = SLICE("it has expired (x=)")};
        return AUTH_DONE;
    }
    step = arc_check_message_as(v, s, s->header_canon, s->body_canon, dns, cache, out);
    if (step == AUTH_DONE && !out->right && s->canon_unsaid)
        step = arc_check_message_as(v, s, DKIM_RELAXED, DKIM_RELAXED, dns, cache, out);
    return step;
}

/* ARC-Seal: over all sets up to its own, in the order AAR, AMS, AS (RFC 8617 §5.1.1), always relaxed. */
static enum auth_step arc_check_seal(struct arc_verify *v, size_t index, struct dns_table *dns,
                                     struct dkim_keys_cache *cache, struct arc_found *out)
{
    const struct arc_set *sets = v->chain.sets;
    dkim_header_hash_begin(&v->header, DKIM_RELAXED);
    for (size_t i = 0; i <= index; i++) {
        dkim_header_hash_field(&v->header, sets[i].aar->raw);
        dkim_header_hash_field(&v->header, sets[i].ams->raw);
        if (i < index)
            dkim_header_hash_field(&v->header, sets[i].seal->raw);
    }
    dkim_header_hash_signature(&v->header, sets[index].seal->raw, sets[index].seal_signature.b);
    return arc_check(v, &sets[index].seal_signature, dns, cache, out);
}

static enum auth_step arc_fails(struct arc_verify *v, slice reason, bool temporary)
{
    v->result.result = AUTH_FAIL;
    v->result.temporary = temporary;
    v->result.reason = reason;
    v->decided = true;
    return reason.n ? AUTH_DONE : AUTH_NO_MEMORY;
}

/* The newest message signature and its seal (RFC 8617 §5.2, steps 4 and 6 for the highest instance).
 * AUTH_DONE with v->decided: they do not hold. */
static enum auth_step arc_check_newest(struct arc_verify *v, struct dns_table *dns, time_ms now,
                                       struct dkim_keys_cache *cache)
{
    struct arc_found found;
    enum auth_step step = arc_check_message(v, arc_newest(v), dns, now, cache, &found);
    if (step != AUTH_DONE)
        return step;
    if (!found.right)
        return arc_fails(
            v,
            dkim_words(v->arena, "the newest message signature (ARC set %zu, %s) does not hold: %.*s",
                       v->chain.n, arc_newest(v)->ams_signature.domain.text, SLICE_FMT(found.why)),
            found.temporary);
    step = arc_check_seal(v, v->chain.n - 1, dns, cache, &found);
    if (step != AUTH_DONE)
        return step;
    if (!found.right)
        return arc_fails(v,
                         dkim_words(v->arena, "the newest seal (ARC set %zu, %s) does not hold: %.*s",
                                    v->chain.n, arc_newest(v)->seal_signature.domain.text,
                                    SLICE_FMT(found.why)),
                         found.temporary);
    v->newest_right = true;
    return AUTH_DONE;
}

static enum auth_step arc_check_older(struct arc_verify *v, struct dns_table *dns,
                                      struct dkim_keys_cache *cache)
{
    for (size_t i = v->chain.n - 1; i > 0; i--) {
        struct arc_found found;
        enum auth_step step = arc_check_seal(v, i - 1, dns, cache, &found);
        if (step != AUTH_DONE)
            return step;
        if (!found.right)
            return arc_fails(v,
                             dkim_words(v->arena, "the seal of ARC set %zu (%s) does not hold: %.*s", i,
                                        v->chain.sets[i - 1].seal_signature.domain.text,
                                        SLICE_FMT(found.why)),
                             found.temporary);
    }
    return AUTH_DONE;
}

/* RFC 8617 §5.2, step 5: down from the newest, the last message signature that holds; 0 when all do. */
static enum auth_step arc_oldest_pass(struct arc_verify *v, struct dns_table *dns, time_ms now,
                                      struct dkim_keys_cache *cache, unsigned *out)
{
    struct arc_found found = {.right = arc_few(v)};
    size_t i = v->chain.n;
    while (i > 1 && found.right) {
        enum auth_step step = AUTH_DONE;
        step = arc_check_message(v, &v->chain.sets[i - 2], dns, now, cache, &found);
        if (step != AUTH_DONE)
            return step;
        i -= found.right;
    }
    *out = i == 1 ? 0 : (unsigned)i;
    return AUTH_DONE;
}

/* What the first sealer saw (RFC 8617 §7.2). A field that cannot be read says nothing. False at the arena's
 * cap. */
static bool arc_first_results(struct arc_verify *v, struct arc_result *r)
{
    struct auth_results_reader reader;
    struct auth_results_method m;
    slice id, value = v->chain.sets[0].results;
    enum err e = auth_results_read(value, v->arena, &reader, &id);
    bool pass = false, other = false;
    if (e)
        return e != ERR_LIMIT;
    r->first_results = slice_trim(slice_from(reader.rest.rest, 1)); /* it stands before ";" */
    while ((e = auth_results_next(&reader, &m)) == OK) {
        const slice *from = auth_results_property(&m, SLICE("header"), SLICE("from"));
        struct dns_name name;
        if (!slice_eq_nocase(m.method, SLICE("dmarc")))
            continue;
        pass = pass || slice_eq_nocase(m.result, SLICE("pass"));
        other = other || !slice_eq_nocase(m.result, SLICE("pass"));
        if (from && r->first_dmarc_from.n == 0 && !dns_name_parse(*from, &name) &&
            !arena_dup(v->arena, dns_name_view(&name), &r->first_dmarc_from))
            return false;
    }
    r->first_dmarc_pass = pass && !other;
    return e == ERR_NOT_FOUND;
}

static enum auth_step arc_passes(struct arc_verify *v)
{
    struct arc_result *r = &v->result;
    slice *sealers = ARENA_ARRAY(v->arena, v->chain.n, slice);
    if (!sealers || !arc_first_results(v, r))
        return AUTH_NO_MEMORY;
    for (size_t i = 0; i < v->chain.n; i++)
        sealers[i] = dns_name_view(&v->chain.sets[i].seal_signature.domain);
    r->sealers = sealers;
    r->from_signed = tag_item_find(arc_newest(v)->h, ':', SLICE("From"));
    r->result = AUTH_PASS;
    r->reason = v->chain.n == 1 ? dkim_words(v->arena, "sealed by %.*s", SLICE_FMT(sealers[0]))
                                : dkim_words(v->arena, "sealed by %.*s, and %zu times before, first by %.*s",
                                             SLICE_FMT(r->sealer), v->chain.n - 1, SLICE_FMT(sealers[0]));
    v->decided = true;
    return r->reason.n ? AUTH_DONE : AUTH_NO_MEMORY;
}

static enum auth_step arc_decide(struct arc_verify *v, struct dns_table *dns, time_ms now,
                                 struct dkim_keys_cache *cache)
{
    enum auth_step step;
    v->result = (struct arc_result){.sets = (unsigned)v->chain.n};
    if (v->chain.n == 0) {
        v->decided = true;
        return AUTH_DONE;
    }
    v->result.sealer = dns_name_view(&arc_newest(v)->seal_signature.domain);
    if (v->chain.broken.n)
        return arc_fails(v, v->chain.broken, false);
    step = v->newest_right ? AUTH_DONE : arc_check_newest(v, dns, now, cache);
    if (step != AUTH_DONE || v->decided)
        return step;
    if (!arc_ask_all(v, dns))
        return AUTH_WAIT;
    step = arc_check_older(v, dns, cache);
    if (step != AUTH_DONE || v->decided)
        return step;
    step = arc_oldest_pass(v, dns, now, cache, &v->result.oldest_pass);
    return step == AUTH_DONE ? arc_passes(v) : step;
}

enum auth_step arc_verify_finish(struct arc_verify *v, struct dns_table *dns, time_ms now,
                                 struct dkim_keys_cache *cache, struct arc_result *out)
{
    must(v->body_ended);
    if (!v->decided) {
        enum auth_step step;
        if (!arc_ask_all(v, dns))
            return AUTH_WAIT;
        step = arc_decide(v, dns, now, cache);
        if (step != AUTH_DONE)
            return step;
    }
    *out = v->result;
    return AUTH_DONE;
}
