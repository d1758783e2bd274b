/* tls_scheme: the signatures of a TLS handshake, by their numbers in the standard (SignatureScheme, RFC 8446
 * §4.2.3); known to those who have them made (edge, relay) and to who makes them (keys). */
#ifndef POSTHORN_SYS_TLS_SCHEME_H
#define POSTHORN_SYS_TLS_SCHEME_H

#include "base/check.h"

#define TLS_ECDSA_P256_SHA256 0x0403
#define TLS_RSA_PKCS1_SHA256  0x0401
#define TLS_RSA_PKCS1_SHA384  0x0501
#define TLS_RSA_PKCS1_SHA512  0x0601
#define TLS_RSA_PSS_SHA256    0x0804
#define TLS_RSA_PSS_SHA384    0x0805
#define TLS_RSA_PSS_SHA512    0x0806

#define TLS_SIGNED_MAX  512 /* the longest signature: RSA of 4096 bits */
#define TLS_TO_SIGN_MAX 512 /* the longest text a server signs in a handshake takes 201 */

struct tls_scheme {
    uint16_t scheme;
    bool rsa, pss;
    uint8_t hash; /* bytes: 32, 48 or 64 */
};

/* The scheme with this number, or NULL when it is not one we use. */
static inline const struct tls_scheme *tls_scheme_find(uint16_t scheme)
{
    static const struct tls_scheme all[] = {
        {TLS_ECDSA_P256_SHA256, false, false, 32}, {TLS_RSA_PKCS1_SHA256, true, false, 32},
        {TLS_RSA_PKCS1_SHA384, true, false, 48},   {TLS_RSA_PKCS1_SHA512, true, false, 64},
        {TLS_RSA_PSS_SHA256, true, true, 32},      {TLS_RSA_PSS_SHA384, true, true, 48},
        {TLS_RSA_PSS_SHA512, true, true, 64},
    };
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        if (all[i].scheme == scheme)
            return &all[i];
    return NULL;
}

#endif
