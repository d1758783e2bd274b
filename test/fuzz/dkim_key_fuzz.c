/* dkim_key: a key record, for both algorithms, and its key; the text as the octets of a key too. A record
 * that is taken for one algorithm is not taken for the other; no key verifies a signature of zeros. */
#include "core/dkim/dkim_keys.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use(struct public_key *k)
{
    static const uint8_t digest[DIGEST_SHA256_SIZE], signature[1024];
    unsigned bits = public_key_bits(k);
    must(bits > 0 && bits <= PUBLIC_KEY_RSA_BITS_MAX);
    /* slow for long keys, so a part of them only */
    if (bits <= 2048)
        must(!public_key_verify(k, digest, slice_of(signature, bits == 256 ? 64 : (bits + 7) / 8)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    slice text = slice_of(data, size);
    struct dkim_keys_cache *cache CLEANUP(dkim_keys_cache_free) = dkim_keys_cache_new(4);
    struct dkim_key_record r[2];
    bool taken[2];
    for (int i = 0; i < 2; i++) {
        struct public_key *k, *own = NULL, *cached;
        taken[i] = dkim_key_record_parse(text, i ? DKIM_ED25519_SHA256 : DKIM_RSA_SHA256, &r[i]) == NULL;
        if (!taken[i])
            continue;
        enum err e = dkim_keys_get(NULL, &r[i], &k, &own);
        must(e == OK || e == ERR_SYNTAX || e == ERR_UNSUPPORTED);
        must(dkim_keys_get(cache, &r[i], &cached, NULL) == e);
        if (!e) {
            must(public_key_bits(k) == public_key_bits(cached));
            use(cached);
        }
        public_key_free(&own);
    }
    must(!(taken[0] && taken[1]));
    struct public_key *k = NULL;
    if (public_key_rsa(text, &k) == OK) {
        use(k);
        public_key_free(&k);
    }
    return 0;
}
