/* tls_kit: throw-away certificates and a signer that alone holds their keys, for tests of TLS. */
#ifndef POSTHORN_TEST_UNIT_SYS_TLS_KIT_H
#define POSTHORN_TEST_UNIT_SYS_TLS_KIT_H

#include "sys/tls.h"

enum tls_kit_kind { TLS_KIT_EC, TLS_KIT_RSA, TLS_KIT_P384 };

struct tls_kit {
    struct buf cert_pem, key_pem; /* self-signed for "mail.test" */
    void *key;                    /* EVP_PKEY of the default provider */
    enum err refuse;              /* what the signer answers instead of a signature, unless OK */
    bool spoil;                   /* the signature is wrong by one bit */
    unsigned asked;               /* how many signatures were wanted */
    uint32_t last_key;
    uint16_t last_scheme;
    struct buf last_text;
};

void tls_kit_init(struct tls_kit *k, enum tls_kit_kind kind);
void tls_kit_done(struct tls_kit *k);
/* A tls_signer.sign; arg is the kit. */
enum err tls_kit_sign(void *arg, uint32_t key, uint16_t scheme, slice text, struct buf *out);

#endif
