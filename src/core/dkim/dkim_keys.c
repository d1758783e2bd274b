/* A set-associative table: a key may lie in any of the WAYS places that its text hashes to; the one that was
 * used longest ago goes. Texts are compared whole. Who makes texts that hash alike only empties places, which
 * costs a key's parsing (10 us) and nothing else, so the hash has no secret. */
#include "core/dkim/dkim_keys.h"

#include "base/hash.h"

#include <stdlib.h>

#define WAYS 4

struct place {
    struct public_key *key;
    uint64_t hash, used;
    bool rsa;
    struct buf text; /* p= as it was in the record */
};

struct dkim_keys_cache {
    struct place *places;
    size_t sets;
    uint64_t clock; /* counts the uses */
};

struct dkim_keys_cache *dkim_keys_cache_new(size_t keys_max)
{
    struct dkim_keys_cache *c = calloc(1, sizeof(*c));
    must(c);
    c->sets = size_max(keys_max / WAYS, 1);
    c->places = calloc(c->sets * WAYS, sizeof(*c->places));
    must(c->places);
    return c;
}

static void place_clear(struct place *p)
{
    public_key_free(&p->key);
    buf_done(&p->text);
}

void dkim_keys_cache_free(struct dkim_keys_cache **c)
{
    if (!c || !*c)
        return;
    for (size_t i = 0; i < (*c)->sets * WAYS; i++)
        place_clear(&(*c)->places[i]);
    free((*c)->places);
    free(*c);
    *c = NULL;
}

static enum err key_read(const struct dkim_key_record *r, struct public_key **out)
{
    struct buf octets CLEANUP(buf_done);
    buf_init(&octets, r->p.n);
    enum err e = tag_base64(r->p, &octets);
    if (e)
        return ERR_SYNTAX;
    return r->rsa ? public_key_rsa(buf_view(&octets), out) : public_key_ed25519(buf_view(&octets), out);
}

enum err dkim_keys_get(struct dkim_keys_cache *c, const struct dkim_key_record *r, struct public_key **out,
                       struct public_key **out_own)
{
    static const struct hash_key open = {0x706f7374, 0x686f726e};
    struct public_key *key;
    if (!c) {
        enum err e = key_read(r, out_own);
        if (!e)
            *out = *out_own;
        return e;
    }
    uint64_t hash = hash_slice(&open, r->p);
    struct place *set = &c->places[hash % c->sets * WAYS], *oldest = set;
    for (struct place *p = set; p < set + WAYS; p++) {
        if (p->key && p->hash == hash && p->rsa == r->rsa && slice_eq(buf_view(&p->text), r->p)) {
            p->used = ++c->clock;
            *out = p->key;
            return OK;
        }
        if (!p->key || (oldest->key && p->used < oldest->used))
            oldest = p;
    }
    enum err e = key_read(r, &key);
    if (e)
        return e;
    place_clear(oldest);
    *oldest = (struct place){.key = key, .hash = hash, .used = ++c->clock, .rsa = r->rsa};
    buf_init(&oldest->text, r->p.n);
    must(buf_append(&oldest->text, r->p) == OK);
    *out = key;
    return OK;
}
