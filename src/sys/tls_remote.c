/* How libssl comes here: it holds an EVP_PKEY made by tls_remote_key(), whose key management is ours. Asked
 * to sign, libcrypto asks our key management for the name of its signature operation (POSTHORN-ECDSA or
 * POSTHORN-RSA, names that no other provider has), initialises it with a hash and, for PSS, paddings, and
 * hands over the text. We turn hash and padding into the TLS name of the scheme and call the signer.
 *
 * Surprises
 * - The key management has no export. Otherwise libcrypto would gladly export the public half into the
 * default provider and try to sign there.
 * - It has an import, so that libssl can compare our key with the certificate's (X509_check_private_key).
 * - Its algorithms are named EC and RSA, because libssl picks certificate slots by these names. The default
 *   properties prefer the default provider, so nobody gets our EC by accident; ours is asked for by property.
 */
#include "sys/tls_remote.h"
#include "sys/tls_openssl.h"

#include <openssl/core.h>
#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <openssl/params.h>
#include <openssl/provider.h>
#include <stdlib.h>
#include <strings.h>

#define REMOTE_PROPERTIES "provider=posthorn"
#define PARAM_SIGNER      "posthorn-signer"

struct remote_key {
    EVP_PKEY *public;
    struct tls_signer signer; /* sign is NULL in a key that was imported to be compared only */
    uint32_t key;
};

struct remote_sign {
    const struct remote_key *key; /* kept alive by the EVP_PKEY of the operation */
    bool rsa;
    bool pss;
    size_t hash; /* bytes of the hash: 32, 48, 64 */
    struct buf text;
};

/* What rides in PARAM_SIGNER from tls_remote_key() to key_import(). */
struct remote_origin {
    struct tls_signer signer;
    uint32_t key;
};

static const struct {
    const char *name;
    size_t bytes;
} hashes[] = {{"SHA256", 32},   {"SHA2-256", 32}, {"SHA384", 48},
              {"SHA2-384", 48}, {"SHA512", 64},   {"SHA2-512", 64}};

static size_t hash_bytes(const char *name)
{
    for (size_t i = 0; name && i < ARRAY_LEN(hashes); i++)
        if (strcasecmp(name, hashes[i].name) == 0)
            return hashes[i].bytes;
    return 0;
}

/* Key management. */

static void *key_new(void *provider)
{
    (void)provider;
    return calloc(1, sizeof(struct remote_key));
}

static void key_free(void *data)
{
    struct remote_key *k = data;
    if (!k)
        return;
    EVP_PKEY_free(k->public);
    free(k);
}

static int key_has(const void *data, int selection)
{
    const struct remote_key *k = data;
    if (!k || !k->public)
        return 0;
    if ((selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) && !k->signer.sign)
        return 0;
    return 1;
}

static int key_match(const void *data1, const void *data2, int selection)
{
    const struct remote_key *a = data1, *b = data2;
    (void)selection;
    return a && b && a->public && b->public && EVP_PKEY_eq(a->public, b->public) == 1;
}

static int key_import(struct remote_key *k, const char *type, const OSSL_PARAM params[])
{
    const OSSL_PARAM *p = OSSL_PARAM_locate_const(params, PARAM_SIGNER);
    struct remote_origin origin = {0};
    if (p) {
        if (p->data_type != OSSL_PARAM_OCTET_STRING || p->data_size != sizeof(origin))
            return 0;
        memcpy(&origin, p->data, sizeof(origin));
    }
    EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_name(NULL, type, "provider=default");
    EVP_PKEY *public = NULL;
    /* The default provider takes what it knows and overlooks the rest; it does not write into the parameters.
     */
    bool ok = c && EVP_PKEY_fromdata_init(c) == 1 &&
              EVP_PKEY_fromdata(c, &public, EVP_PKEY_PUBLIC_KEY, (OSSL_PARAM *)(uintptr_t)params) == 1;
    EVP_PKEY_CTX_free(c);
    if (!ok) {
        EVP_PKEY_free(public);
        return 0;
    }
    EVP_PKEY_free(k->public);
    k->public = public;
    k->signer = origin.signer;
    k->key = origin.key;
    return 1;
}

static int key_import_ec(void *data, int selection, const OSSL_PARAM params[])
{
    (void)selection;
    return key_import(data, "EC", params);
}

static int key_import_rsa(void *data, int selection, const OSSL_PARAM params[])
{
    (void)selection;
    return key_import(data, "RSA", params);
}

static const OSSL_PARAM *key_import_types_ec(int selection)
{
    static const OSSL_PARAM types[] = {OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
                                       OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, NULL, 0),
                                       OSSL_PARAM_octet_string(PARAM_SIGNER, NULL, 0), OSSL_PARAM_END};
    (void)selection;
    return types;
}

static const OSSL_PARAM *key_import_types_rsa(int selection)
{
    static const OSSL_PARAM types[] = {OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_N, NULL, 0),
                                       OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_E, NULL, 0),
                                       OSSL_PARAM_octet_string(PARAM_SIGNER, NULL, 0), OSSL_PARAM_END};
    (void)selection;
    return types;
}

static const OSSL_PARAM *key_gettable(void *provider)
{
    static const OSSL_PARAM known[] = {OSSL_PARAM_int(OSSL_PKEY_PARAM_BITS, NULL),
                                       OSSL_PARAM_int(OSSL_PKEY_PARAM_SECURITY_BITS, NULL),
                                       OSSL_PARAM_int(OSSL_PKEY_PARAM_MAX_SIZE, NULL),
                                       OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_DEFAULT_DIGEST, NULL, 0),
                                       OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
                                       OSSL_PARAM_END};
    (void)provider;
    return known;
}

static int key_get_params(void *data, OSSL_PARAM params[])
{
    struct remote_key *k = data;
    if (!k || !k->public)
        return 0;
    return EVP_PKEY_get_params(k->public, params);
}

static const char *key_operation_ec(int operation)
{
    return operation == OSSL_OP_SIGNATURE ? "POSTHORN-ECDSA" : "EC";
}

static const char *key_operation_rsa(int operation)
{
    return operation == OSSL_OP_SIGNATURE ? "POSTHORN-RSA" : "RSA";
}

/* Signatures. */

static void *sign_new(bool rsa)
{
    struct remote_sign *s = calloc(1, sizeof(*s));
    if (!s)
        return NULL;
    s->rsa = rsa;
    buf_init(&s->text, TLS_TO_SIGN_MAX);
    return s;
}

static void *sign_new_ec(void *provider, const char *properties)
{
    (void)provider, (void)properties;
    return sign_new(false);
}

static void *sign_new_rsa(void *provider, const char *properties)
{
    (void)provider, (void)properties;
    return sign_new(true);
}

static void sign_free(void *ctx)
{
    struct remote_sign *s = ctx;
    if (!s)
        return;
    buf_done(&s->text);
    free(s);
}

/* Hash lengths of salt only, as TLS wants it (RFC 8446 §4.2.3). */
static bool sign_salt(const struct remote_sign *s, const OSSL_PARAM *p)
{
    int n = 0;
    uint32_t length;
    if (p->data_type == OSSL_PARAM_UTF8_STRING) {
        if (strcmp(p->data, OSSL_PKEY_RSA_PSS_SALT_LEN_DIGEST) == 0)
            return true;
        return slice_u32(slice_str(p->data), &length) && s->hash && length == s->hash;
    }
    if (!OSSL_PARAM_get_int(p, &n)) {
        return false;
    }
    return n == RSA_PSS_SALTLEN_DIGEST || (s->hash && n == (int)s->hash);
}

static bool sign_padding(struct remote_sign *s, const OSSL_PARAM *p)
{
    int n = 0;
    if (p->data_type == OSSL_PARAM_UTF8_STRING) {
        if (strcmp(p->data, OSSL_PKEY_RSA_PAD_MODE_PSS) == 0)
            n = RSA_PKCS1_PSS_PADDING;
        else if (strcmp(p->data, OSSL_PKEY_RSA_PAD_MODE_PKCSV15) == 0)
            n = RSA_PKCS1_PADDING;
    } else if (!OSSL_PARAM_get_int(p, &n)) {
        return false;
    }
    if (n != RSA_PKCS1_PSS_PADDING && n != RSA_PKCS1_PADDING)
        return false;
    s->pss = n == RSA_PKCS1_PSS_PADDING;
    return true;
}

static int sign_set_params(void *ctx, const OSSL_PARAM params[])
{
    struct remote_sign *s = ctx;
    if (!params)
        return 1;
    const OSSL_PARAM *p = OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_PAD_MODE);
    if (p && (!s->rsa || !sign_padding(s, p)))
        return 0;
    p = OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_PSS_SALTLEN);
    if (p && (!s->rsa || !sign_salt(s, p)))
        return 0;
    return 1;
}

static const OSSL_PARAM *sign_settable(void *ctx, void *provider)
{
    static const OSSL_PARAM known[] = {OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PAD_MODE, NULL, 0),
                                       OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PSS_SALTLEN, NULL, 0),
                                       OSSL_PARAM_END};
    (void)ctx, (void)provider;
    return known;
}

static int sign_init(void *ctx, const char *hash, void *key, const OSSL_PARAM params[])
{
    struct remote_sign *s = ctx;
    if (key)
        s->key = key;
    if (!s->key || !s->key->signer.sign)
        return 0;
    s->hash = hash_bytes(hash);
    if (!s->hash)
        return 0;
    buf_clear(&s->text);
    return sign_set_params(s, params);
}

static int sign_update(void *ctx, const unsigned char *p, size_t n)
{
    struct remote_sign *s = ctx;
    return buf_append(&s->text, slice_of(p, n)) == OK;
}

/* The number TLS has for this signature, or 0. */
static uint16_t sign_scheme(const struct remote_sign *s)
{
    const uint16_t ecdsa[] = {TLS_ECDSA_P256_SHA256, 0, 0};
    const uint16_t pkcs1[] = {TLS_RSA_PKCS1_SHA256, TLS_RSA_PKCS1_SHA384, TLS_RSA_PKCS1_SHA512};
    const uint16_t pss[] = {TLS_RSA_PSS_SHA256, TLS_RSA_PSS_SHA384, TLS_RSA_PSS_SHA512};
    size_t i = s->hash == 32 ? 0 : s->hash == 48 ? 1 : 2;
    return !s->rsa ? ecdsa[i] : s->pss ? pss[i] : pkcs1[i];
}

static int sign_final(void *ctx, unsigned char *sig, size_t *n, size_t room)
{
    struct remote_sign *s = ctx;
    size_t most = (size_t)EVP_PKEY_get_size(s->key->public);
    if (!sig) {
        *n = most;
        return 1;
    }
    uint16_t scheme = sign_scheme(s);
    if (!scheme)
        return 0;
    struct buf out;
    buf_init(&out, TLS_SIGNED_MAX);
    enum err e = s->key->signer.sign(s->key->signer.arg, s->key->key, scheme, buf_view(&s->text), &out);
    if (e == OK && (out.n == 0 || out.n > room || out.n > most))
        e = ERR_PEER;
    if (e == OK) {
        memcpy(sig, out.p, out.n);
        *n = out.n;
    } else {
        ERR_raise_data(ERR_LIB_USER, ERR_R_OPERATION_FAIL, "no signature from the keys process: %s",
                       err_text(e));
    }
    buf_done(&out);
    return e == OK;
}

static int sign_once(void *ctx, unsigned char *sig, size_t *n, size_t room, const unsigned char *text,
                     size_t text_n)
{
    struct remote_sign *s = ctx;
    if (sig) {
        buf_clear(&s->text);
        if (!sign_update(s, text, text_n))
            return 0;
    }
    return sign_final(s, sig, n, room);
}

/* Tables of the provider. */

#define FN(id, f)                                                                                            \
    {                                                                                                        \
        id, (void (*)(void))(f)                                                                              \
    }
#define KEY_FUNCTIONS(suffix)                                                                                \
    FN(OSSL_FUNC_KEYMGMT_NEW, key_new), FN(OSSL_FUNC_KEYMGMT_FREE, key_free),                                \
        FN(OSSL_FUNC_KEYMGMT_HAS, key_has), FN(OSSL_FUNC_KEYMGMT_MATCH, key_match),                          \
        FN(OSSL_FUNC_KEYMGMT_IMPORT, key_import_##suffix),                                                   \
        FN(OSSL_FUNC_KEYMGMT_IMPORT_TYPES, key_import_types_##suffix),                                       \
        FN(OSSL_FUNC_KEYMGMT_GET_PARAMS, key_get_params),                                                    \
        FN(OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS, key_gettable),                                                 \
        FN(OSSL_FUNC_KEYMGMT_QUERY_OPERATION_NAME, key_operation_##suffix),                                  \
    {                                                                                                        \
        0, NULL                                                                                              \
    }
#define SIGN_FUNCTIONS(suffix)                                                                               \
    FN(OSSL_FUNC_SIGNATURE_NEWCTX, sign_new_##suffix), FN(OSSL_FUNC_SIGNATURE_FREECTX, sign_free),           \
        FN(OSSL_FUNC_SIGNATURE_DIGEST_SIGN_INIT, sign_init),                                                 \
        FN(OSSL_FUNC_SIGNATURE_DIGEST_SIGN_UPDATE, sign_update),                                             \
        FN(OSSL_FUNC_SIGNATURE_DIGEST_SIGN_FINAL, sign_final),                                               \
        FN(OSSL_FUNC_SIGNATURE_DIGEST_SIGN, sign_once),                                                      \
        FN(OSSL_FUNC_SIGNATURE_SET_CTX_PARAMS, sign_set_params),                                             \
        FN(OSSL_FUNC_SIGNATURE_SETTABLE_CTX_PARAMS, sign_settable),                                          \
    {                                                                                                        \
        0, NULL                                                                                              \
    }

static const OSSL_DISPATCH key_ec[] = {KEY_FUNCTIONS(ec)}, key_rsa[] = {KEY_FUNCTIONS(rsa)};
static const OSSL_DISPATCH sign_ec[] = {SIGN_FUNCTIONS(ec)}, sign_rsa[] = {SIGN_FUNCTIONS(rsa)};

static const OSSL_ALGORITHM provider_keys[] = {
    {"EC:id-ecPublicKey:1.2.840.10045.2.1", REMOTE_PROPERTIES, key_ec, "P-256 keys held elsewhere"},
    {"RSA:rsaEncryption:1.2.840.113549.1.1.1", REMOTE_PROPERTIES, key_rsa, "RSA keys held elsewhere"},
    {NULL, NULL, NULL, NULL}};
static const OSSL_ALGORITHM provider_signatures[] = {
    {"POSTHORN-ECDSA", REMOTE_PROPERTIES, sign_ec, "ECDSA made elsewhere"},
    {"POSTHORN-RSA", REMOTE_PROPERTIES, sign_rsa, "RSA signatures made elsewhere"},
    {NULL, NULL, NULL, NULL}};

static const OSSL_ALGORITHM *provider_query(void *provider, int operation, int *no_cache)
{
    (void)provider;
    *no_cache = 0;
    if (operation == OSSL_OP_KEYMGMT)
        return provider_keys;
    return operation == OSSL_OP_SIGNATURE ? provider_signatures : NULL;
}

static const OSSL_DISPATCH provider_functions[] = {FN(OSSL_FUNC_PROVIDER_QUERY_OPERATION, provider_query),
                                                   {0, NULL}};

static int provider_init(const OSSL_CORE_HANDLE *core, const OSSL_DISPATCH *in, const OSSL_DISPATCH **out,
                         void **context)
{
    (void)in;
    *context = (void *)(uintptr_t)core; /* not used, but must not be NULL */
    *out = provider_functions;
    return 1;
}

enum err tls_remote_setup(void)
{
    static bool done; /* the library context it fills is as global */
    if (done)
        return OK;
    if (!OSSL_PROVIDER_load(NULL, "default") || !OSSL_PROVIDER_add_builtin(NULL, "posthorn", provider_init) ||
        !OSSL_PROVIDER_load(NULL, "posthorn") || !EVP_set_default_properties(NULL, "?provider=default"))
        return ERR_TLS;
    done = true;
    return OK;
}

static bool remote_key_fits(EVP_PKEY *public, const char **out_type)
{
    if (EVP_PKEY_is_a(public, "RSA")) {
        *out_type = "RSA";
        return EVP_PKEY_get_bits(public) >= 2048 && EVP_PKEY_get_bits(public) <= 4096;
    }
    char group[32] = "";
    size_t n = 0;
    *out_type = "EC";
    return EVP_PKEY_is_a(public, "EC") && EVP_PKEY_get_group_name(public, group, sizeof(group), &n) == 1 &&
           (strcmp(group, "prime256v1") == 0 || strcmp(group, "P-256") == 0);
}

enum err tls_remote_key(EVP_PKEY *public, const struct tls_signer *signer, uint32_t key, EVP_PKEY **out)
{
    const char *type = NULL;
    if (!remote_key_fits(public, &type))
        return ERR_CONFIG;
    struct remote_origin origin;
    memset(&origin, 0, sizeof(origin));
    origin.signer = *signer;
    origin.key = key;
    OSSL_PARAM ours[] = {OSSL_PARAM_octet_string(PARAM_SIGNER, &origin, sizeof(origin)), OSSL_PARAM_END};
    OSSL_PARAM *theirs = NULL, *all = NULL;
    EVP_PKEY *made = NULL;
    EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_name(NULL, type, REMOTE_PROPERTIES);
    bool ok = c && EVP_PKEY_todata(public, EVP_PKEY_PUBLIC_KEY, &theirs) == 1 &&
              (all = OSSL_PARAM_merge(theirs, ours)) && EVP_PKEY_fromdata_init(c) == 1 &&
              EVP_PKEY_fromdata(c, &made, EVP_PKEY_KEYPAIR, all) == 1;
    OSSL_PARAM_free(all);
    OSSL_PARAM_free(theirs);
    EVP_PKEY_CTX_free(c);
    if (!ok) {
        EVP_PKEY_free(made);
        return ERR_TLS;
    }
    *out = made;
    return OK;
}
