#include "core/dkim/signature.h"

struct body {
    bool wanted;
    struct dkim_body_hash hash;
    uint8_t digest[DIGEST_SHA256_SIZE];
};

struct dkim_verify {
    struct arena *arena;
    struct dkim_fields fields;
    struct dkim_signature *at;
    size_t n;
    struct body *bodies[2]; /* by enum dkim_canon; NULL: no signature needs it */
    struct dkim_header_hash header;
    bool body_ended;
    struct dkim_result *results; /* NULL: not decided yet */
};

static void verify_done(void *arg)
{
    struct dkim_verify *v = arg;
    for (size_t i = 0; i < ARRAY_LEN(v->bodies); i++)
        if (v->bodies[i])
            dkim_body_hash_done(&v->bodies[i]->hash);
    dkim_header_hash_done(&v->header);
}

static bool verify_want_body(struct dkim_verify *v, enum dkim_canon canon)
{
    if (v->bodies[canon])
        return true;
    v->bodies[canon] = ARENA_NEW(v->arena, struct body);
    if (v->bodies[canon])
        dkim_body_hash_begin(&v->bodies[canon]->hash, canon);
    return v->bodies[canon] != NULL;
}

static bool verify_read(struct dkim_verify *v)
{
    size_t there = dkim_fields_count(&v->fields, SLICE("DKIM-Signature"));
    v->at = ARENA_ARRAY(v->arena, size_min(there, DKIM_SIGNATURES_MAX), struct dkim_signature);
    if (!v->at)
        return false;
    for (size_t i = 0; i < v->fields.n && v->n < size_min(there, DKIM_SIGNATURES_MAX); i++) {
        struct dkim_signature *s = &v->at[v->n];
        if (!slice_eq_nocase(v->fields.at[i].name, SLICE("DKIM-Signature")))
            continue;
        v->n++;
        if (!dkim_signature_read(&v->fields, &v->fields.at[i], v->arena, s))
            return false;
        if (s->result.reason.n == 0 && !verify_want_body(v, s->body_canon))
            return false;
    }
    return true;
}

struct dkim_verify *dkim_verify_begin(slice header, struct arena *a)
{
    struct dkim_verify *v = ARENA_NEW(a, struct dkim_verify);
    if (!v)
        return NULL;
    v->arena = a;
    if (!arena_hook(a, verify_done, v) || !dkim_fields_read(header, a, &v->fields) || !verify_read(v))
        return NULL;
    return v;
}

void dkim_verify_body(struct dkim_verify *v, slice piece)
{
    must(!v->body_ended);
    for (size_t i = 0; i < ARRAY_LEN(v->bodies); i++)
        if (v->bodies[i])
            dkim_body_hash_feed(&v->bodies[i]->hash, piece);
}

void dkim_verify_body_end(struct dkim_verify *v)
{
    must(!v->body_ended);
    v->body_ended = true;
    for (size_t i = 0; i < ARRAY_LEN(v->bodies); i++)
        if (v->bodies[i])
            dkim_body_hash_end(&v->bodies[i]->hash, v->bodies[i]->digest);
}

bool dkim_verify_body_want(struct dkim_verify *v, enum dkim_canon canon)
{
    must(!v->body_ended);
    return verify_want_body(v, canon);
}

const uint8_t *dkim_verify_body_digest(const struct dkim_verify *v, enum dkim_canon canon)
{
    must(v->body_ended && v->bodies[canon]);
    return v->bodies[canon]->digest;
}

/* True when the answers to all questions are there. */
static bool verify_ask(struct dkim_verify *v, struct dns_table *dns)
{
    bool all = true;
    struct dns_name name;
    for (size_t i = 0; i < v->n; i++) {
        const struct dkim_signature *s = &v->at[i];
        if (s->result.reason.n == 0 &&
            dkim_key_name(dns_name_view(&s->selector), dns_name_view(&s->domain), &name))
            all = dns_table_get(dns, dns_name_view(&name), DNS_TXT) && all;
    }
    return all;
}

void dkim_verify_want(struct dkim_verify *v, struct dns_table *dns)
{
    IGNORE_RESULT(verify_ask(v, dns), "whether the answers are there is asked in the end");
}

static void verify_is(struct dkim_signature *s, enum auth_result result, slice reason)
{
    s->result.result = result;
    s->result.reason = reason;
}

static enum auth_result verify_signature(struct dkim_verify *v, struct dkim_signature *s,
                                         const struct dkim_key *key, struct dkim_keys_cache *cache,
                                         slice *out_reason)
{
    uint8_t digest[DIGEST_SHA256_SIZE];
    dkim_header_hash_begin(&v->header, s->header_canon);
    v->fields.itself = s->raw;
    if (!dkim_fields_hash(&v->fields, s->h, &v->header)) {
        *out_reason = SLICE("it signs more of the header than is looked at");
        return AUTH_POLICY;
    }
    dkim_header_hash_signature(&v->header, s->raw, s->b);
    dkim_header_hash_end(&v->header, digest);
    return dkim_key_check(cache, key, digest, s->signature, v->arena, &s->result.key_bits, out_reason);
}

/* RFC 6376 §6.1.2, §6.1.3. */
static enum auth_step verify_one(struct dkim_verify *v, struct dkim_signature *s, struct dns_table *dns,
                                 time_ms now, struct dkim_keys_cache *cache)
{
    struct dkim_key key;
    slice reason = {0};
    enum auth_step step =
        dkim_key_find(dns, s->result.selector, s->result.domain, s->algorithm, v->arena, &key);
    if (step != AUTH_DONE)
        return step;
    if (key.result != AUTH_PASS) {
        verify_is(s, key.result, key.reason);
        return AUTH_DONE;
    }
    s->result.testing = key.record.testing;
    s->result.expired = s->result.expires_at && now >= s->result.expires_at;
    if (key.record.strict && s->identity_below)
        verify_is(s, AUTH_PERMERROR, SLICE("the key is only for i= in the very domain of d= (t=s)"));
    else if (s->result.expired)
        verify_is(s, AUTH_FAIL, SLICE("the signature has expired (x=)"));
    else if (memcmp(s->body_digest, v->bodies[s->body_canon]->digest, DIGEST_SHA256_SIZE) != 0)
        verify_is(s, AUTH_FAIL, SLICE("the body was changed after signing"));
    else
        verify_is(s, verify_signature(v, s, &key, cache, &reason), reason);
    return s->result.result == AUTH_PASS || s->result.reason.n ? AUTH_DONE : AUTH_NO_MEMORY;
}

enum auth_step dkim_verify_finish(struct dkim_verify *v, struct dns_table *dns, time_ms now,
                                  struct dkim_keys_cache *cache, const struct dkim_result **out,
                                  size_t *out_n)
{
    must(v->body_ended);
    if (!v->results) {
        if (!verify_ask(v, dns))
            return AUTH_WAIT;
        struct dkim_result *results = ARENA_ARRAY(v->arena, v->n, struct dkim_result);
        if (!results)
            return AUTH_NO_MEMORY;
        for (size_t i = 0; i < v->n; i++) {
            struct dkim_signature *s = &v->at[i];
            enum auth_step step = s->result.reason.n ? AUTH_DONE : verify_one(v, s, dns, now, cache);
            if (step != AUTH_DONE)
                return step;
            results[i] = s->result;
        }
        v->results = results;
    }
    *out = v->results;
    *out_n = v->n;
    return AUTH_DONE;
}
